//! Delivering: claim what is to be sent, look again whether it is still wanted, hand it over, and record what became of it.
//!
//! One loop keeps the sending going: it takes notices from the queue a little ahead of the sending, lets each mail domain have its share
//! of the connections (see `lanes`), and never waits for one mail. No transaction is held while the mail server is spoken to. Each
//! attempt runs in a task of its own, so that whoever waits for it may go away without cutting it between the intent and the reply.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use store::{
    StoreError,
    outbox::{self, Claimed, Kind, Settlement},
};
use tokio::task::{Id, JoinError, JoinSet};

use crate::{
    Engine,
    attempt::{Prepared, Ready, attempt, prepare},
    clock::Clock,
    lanes::Lanes,
    refusal, telemetry,
    tick::TickReport,
    working::Loop,
};

/// Notices taken from the queue at a time, to begin with and at most. The better it goes, the more are taken ahead.
const AT_LEAST: u32 = 64;
const AT_MOST: u32 = 512;
/// How long is looked at to know how fast it goes.
const PACE: Duration = Duration::from_millis(100);
/// Looks into the queue at a time: while one is being prepared, the other's notices are sent.
const LOOKS: usize = 2;
/// Results waiting for a database that is away; beyond that nothing new is sent.
const UNRECORDED: usize = 2_000;
/// How often it is looked whether something has become slow.
const LOOK: Duration = Duration::from_millis(250);

/// Sends everything whose time has come by `now`, and adds to `report` what became of it. Stops early when the engine is stopping or
/// the mail server refuses us.
///
/// # Errors
/// The store's own, when nothing could be claimed.
pub async fn deliver(engine: &Arc<Engine>, now: Timestamp, report: &mut TickReport) -> Result<(), StoreError> {
    let clock = Clock::told(now);
    let mut delivery = Delivery::new(engine.clone(), clock.clone());
    let outcome = delivery.until_done(report).await;
    engine.mailer.hang_up().await;
    report.paused = engine.pause.until(clock.now()).map(|pause| pause.reason);
    outcome
}

/// Sends what is due as it comes due, until the engine is stopping; then finishes what is in flight. Looks into the queue every `every`,
/// and when it is poked.
pub(crate) async fn deliver_until_stopped(engine: Arc<Engine>, clock: Clock, every: Duration) {
    let mut delivery = Delivery::new(engine.clone(), clock);
    loop {
        let mut report = TickReport::default();
        let done = delivery.until_done(&mut report).await;
        engine.working.tried(Loop::Delivering, done.as_ref().copied(), delivery.clock.now());
        if report != TickReport::default() {
            tracing::debug!(?report, "delivered");
        }
        engine.mailer.hang_up().await;
        if engine.stopping() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = engine.poked.notified() => {}
            () = engine.stopped() => {}
        }
    }
}

struct Delivery {
    engine: Arc<Engine>,
    clock: Clock,
    lanes: Lanes<Ready>,
    filling: JoinSet<Result<Vec<Prepared>, StoreError>>,
    sending: JoinSet<(Claimed, Settlement)>,
    /// The lane of each attempt that is on its way.
    occupied: HashMap<Id, (String, Instant)>,
    recording: JoinSet<(Settlement, bool)>,
    /// How many to take at the next look into the queue.
    want: u32,
    /// Sent since then, to know how fast it goes.
    since: (Instant, u32),
    /// When the last look found nothing.
    emptied: Option<Instant>,
}

impl Delivery {
    fn new(engine: Arc<Engine>, clock: Clock) -> Self {
        Self {
            engine,
            clock,
            lanes: Lanes::default(),
            filling: JoinSet::new(),
            sending: JoinSet::new(),
            occupied: HashMap::new(),
            recording: JoinSet::new(),
            want: AT_LEAST,
            since: (Instant::now(), 0),
            emptied: None,
        }
    }

    /// Sends until the queue has nothing more that may be sent now, and everything that was begun is over and recorded.
    async fn until_done(&mut self, report: &mut TickReport) -> Result<(), StoreError> {
        self.emptied = None;
        let mut failed = None;
        loop {
            let held_back = self.engine.stopping() || self.engine.pause.until(self.clock.now()).is_some();
            if held_back {
                for ready in self.lanes.clear() {
                    self.give_back(ready);
                }
            } else if failed.is_none() {
                self.fill();
                self.start();
            }
            if self.filling.is_empty() && self.sending.is_empty() && self.recording.is_empty() && self.lanes.waiting() == 0 {
                break;
            }
            tokio::select! {
                Some(filled) = self.filling.join_next() => match filled {
                    Ok(Ok(prepared)) => self.take(prepared),
                    // What was claimed and lost with the look comes back when its lease ends.
                    Ok(Err(error)) => failed = Some(error),
                    Err(error) => failed = Some(StoreError::Other(format!("a look into the queue ended early: {error}"))),
                },
                Some(tried) = self.sending.join_next_with_id() => self.tried(tried),
                Some(recorded) = self.recording.join_next() => match recorded {
                    Ok((settlement, true)) => report.count(&settlement),
                    Ok((_, false)) => {}
                    Err(error) => tracing::error!(%error, "a result was lost"),
                },
                () = tokio::time::sleep(LOOK) => {
                    for ready in self.lanes.shed(Instant::now()) {
                        self.give_back(ready);
                    }
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Takes more from the queue when what is waiting gets little.
    fn fill(&mut self) {
        let plenty = self.lanes.waiting() >= self.want as usize || self.recording.len() > UNRECORDED;
        // While slow mails are still on their way the queue may have filled again for others.
        let nothing_new = self.emptied.is_some_and(|at| at.elapsed() < LOOK || self.lanes.sending() == 0);
        if plenty || nothing_new || self.filling.len() >= LOOKS {
            return;
        }
        let now = Instant::now();
        let (began, sent) = self.since;
        let took = now.duration_since(began);
        if took >= PACE {
            // What goes out in about a quarter of a second.
            let pace = u64::from(sent) * 250 / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
            self.want = u32::try_from(pace).unwrap_or(AT_MOST).clamp(AT_LEAST, AT_MOST);
            self.since = (now, 0);
        }
        let (engine, clock, want, busy) = (self.engine.clone(), self.clock.clone(), self.want, self.lanes.busy(now));
        self.filling.spawn(async move {
            // Before the claim is made, so that it lives no shorter than is counted from here.
            let (at, claimed_at) = (clock.now(), Instant::now());
            let claimed = outbox::claim(&engine.store.autocommit(), want, &busy, at).await?;
            if claimed.is_empty() {
                return Ok(Vec::new());
            }
            Ok(prepare(&engine, claimed, claimed_at, &clock).await)
        });
    }

    fn take(&mut self, prepared: Vec<Prepared>) {
        self.emptied = prepared.is_empty().then(Instant::now);
        for one in prepared {
            match one {
                Ok(ready) => {
                    let domain = ready.notice.domain().to_owned();
                    self.lanes.push(&domain, ready);
                }
                Err((notice, settlement)) => self.record(notice, settlement),
            }
        }
    }

    fn start(&mut self) {
        while self.recording.len() <= UNRECORDED
            && let Some((domain, started, ready)) = self.lanes.start(Instant::now())
        {
            let (engine, clock) = (self.engine.clone(), self.clock.clone());
            let task = self.sending.spawn(async move { attempt(&engine, ready, &clock).await });
            self.occupied.insert(task.id(), (domain, started));
        }
    }

    fn tried(&mut self, tried: Result<(Id, (Claimed, Settlement)), JoinError>) {
        let id = match &tried {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        if let Some((domain, started)) = self.occupied.remove(&id) {
            let now = Instant::now();
            telemetry::attempt_took(now.duration_since(started));
            self.lanes.done(&domain, started, now);
        }
        self.since.1 += 1;
        match tried {
            Ok((_, (notice, settlement))) => self.record(notice, settlement),
            // The notice comes back, or turns unknown, when its lease ends.
            Err(error) => tracing::error!(%error, "an attempt ended early"),
        }
    }

    fn give_back(&mut self, ready: Ready) {
        let now = self.clock.now();
        let at = self.engine.pause.until(now).map_or(now, |pause| pause.until);
        self.record(ready.notice, Settlement::Returned { at });
    }

    fn record(&mut self, notice: Claimed, settlement: Settlement) {
        log(&notice, &settlement);
        let (engine, clock) = (self.engine.clone(), self.clock.clone());
        self.recording.spawn(async move {
            let (kind, due_at) = (notice.kind, notice.due_at);
            let (settlement, ours) = match settlement {
                Settlement::Refused(refusal) => refusal::settle(&engine, &notice, refusal, &clock).await,
                settlement => (settlement.clone(), engine.ledger.settle(notice, settlement, &clock).await),
            };
            if ours {
                count(kind, due_at, &settlement, clock.now());
            }
            (settlement, ours)
        });
    }
}

/// Counts what was recorded.
fn count(kind: Kind, due_at: Timestamp, settlement: &Settlement, now: Timestamp) {
    match settlement {
        Settlement::Sent { .. } => telemetry::sent(kind, now.duration_since(due_at)),
        Settlement::Retry { phase, .. } => telemetry::retried(phase),
        Settlement::Dead { .. } => telemetry::dead(kind),
        Settlement::Unknown { .. } => telemetry::unknown(kind),
        Settlement::Skipped(why) => telemetry::skipped(*why),
        // What became of a refusal is counted as that.
        Settlement::Returned { .. } | Settlement::Refused(_) => {}
    }
}

/// One line an attempt. A server's reply may repeat the address, which a log must not hold in full.
fn log(notice: &Claimed, settlement: &Settlement) {
    let to = notice.recipient.masked();
    let hide = |reply: &str| crate::pause::hide(reply, &notice.recipient);
    let (id, kind, attempt) = (notice.id, notice.kind, notice.attempt);
    match settlement {
        Settlement::Sent { reply } => tracing::info!(notice = %id, %kind, to, attempt, reply = hide(reply), "sent"),
        Settlement::Retry { at, phase, reply } => {
            tracing::warn!(notice = %id, %kind, to, attempt, phase, reply = hide(reply), %at, "not sent, to be tried again");
        }
        Settlement::Refused(refusal) => {
            let (phase, cause) = (refusal.phase, refusal.cause);
            tracing::warn!(notice = %id, %kind, to, attempt, phase, ?cause, reply = refusal.masked, "refused");
        }
        Settlement::Dead { phase, reply, .. } => {
            tracing::warn!(notice = %id, %kind, to, attempt, phase, reply = hide(reply), "never to be sent");
        }
        Settlement::Unknown { reply } => {
            tracing::warn!(notice = %id, %kind, to, attempt, reply = hide(reply), "unknown whether sent")
        }
        Settlement::Skipped(why) => tracing::info!(notice = %id, %kind, to, reason = why.tag(), "not wanted any more"),
        Settlement::Returned { at } => tracing::debug!(notice = %id, %kind, to, %at, "given back"),
    }
}
