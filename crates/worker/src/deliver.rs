//! Delivering: claim what is to be sent, look again whether it is still wanted, hand it over, and record what became of it.
//!
//! No transaction is held while the mail server is spoken to. Each attempt runs in a task of its own, so that whoever waits for it may
//! go away without cutting it between the intent and the reply.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use domain::{
    ids::ClinicId,
    reminder::{Decision, Due, NoticeSkip, decide},
};
use jiff::{SignedDuration, Timestamp};
use store::{
    Actor, Scope, StoreError, link,
    outbox::{self, Claimed, Kind, Settlement, facts, facts::Facts},
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    Engine,
    pause::backoff,
    smtp::{Outcome, Phase},
    tick::TickReport,
};

/// Notices claimed at a time. All of them must be through before their lease of two minutes ends, or another worker takes them.
const AT_A_TIME: u32 = 32;
/// Mails on their way at once.
const AT_ONCE: usize = 4;
/// An account notice that could not be sent for so long is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(72);
/// How often a result is tried to be recorded while the database is away.
const SETTLE_TRIES: u32 = 6;

/// Sends everything whose time has come by `now`, and adds to `report` what became of it. Stops early when the engine is stopping or
/// the mail server refuses us.
///
/// # Errors
/// The store's own, when nothing could be claimed.
pub async fn deliver(engine: &Arc<Engine>, now: Timestamp, report: &mut TickReport) -> Result<(), StoreError> {
    // Time goes on while mails are sent; a lease that ended meanwhile must be seen to have ended.
    let clock = Clock { now, started: Instant::now() };
    let lanes = Arc::new(Semaphore::new(AT_ONCE));
    while !engine.stopping.load(Ordering::Relaxed) && engine.pause.until(clock.now()).is_none() {
        let at = clock.now();
        let claimed = engine.store.worker(move |tx| async move { outbox::claim(&tx, AT_A_TIME, at).await }).await?;
        if claimed.is_empty() {
            break;
        }
        let mut by_clinic: BTreeMap<ClinicId, Vec<Claimed>> = BTreeMap::new();
        for notice in claimed {
            by_clinic.entry(notice.clinic).or_default().push(notice);
        }
        let mut attempts = JoinSet::new();
        for notices in by_clinic.into_values() {
            for (notice, facts) in look_up(engine, notices, clock).await {
                let (engine, lanes) = (engine.clone(), lanes.clone());
                attempts.spawn(async move {
                    let _lane = lanes.acquire().await;
                    attempt(&engine, notice, facts, clock).await
                });
            }
        }
        while let Some(done) = attempts.join_next().await {
            match done {
                Ok(Some(settlement)) => report.count(&settlement),
                Ok(None) => {}
                // The lease will end and another attempt will follow.
                Err(error) => tracing::error!(%error, "an attempt ended early"),
            }
        }
    }
    engine.mailer.hang_up().await;
    report.paused = engine.pause.until(clock.now()).map(|pause| pause.reason);
    Ok(())
}

/// `now` as it was given, plus what has passed since.
#[derive(Debug, Clone, Copy)]
struct Clock {
    now: Timestamp,
    started: Instant,
}

impl Clock {
    fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or_default();
        self.now.checked_add(passed).unwrap_or(self.now)
    }
}

/// What is to be done with one notice: its facts, or how it ends without any.
type Prepared = Result<Arc<Facts>, Settlement>;

/// Reads what is to be known about one clinic's notices. A row that cannot be read takes down its own notice only.
async fn look_up(engine: &Engine, notices: Vec<Claimed>, clock: Clock) -> Vec<(Claimed, Prepared)> {
    let Some(clinic) = notices.first().map(|notice| notice.clinic) else { return Vec::new() };
    let scope = Scope { clinic, actor: Actor::System };
    let read = async |notices: Vec<Claimed>| {
        engine.store.tenant(scope, move |tx| async move { facts::read(&tx, &notices).await }).await.map(Arc::new)
    };
    match read(notices.clone()).await {
        Ok(facts) => notices.into_iter().map(|notice| (notice, Ok(facts.clone()))).collect(),
        Err(error @ (StoreError::Corrupt { .. } | StoreError::NotFound)) if notices.len() == 1 => {
            let dead = Settlement::Dead { phase: "compose", reply: error.to_string(), suppress: false };
            notices.into_iter().map(|notice| (notice, Err(dead.clone()))).collect()
        }
        Err(StoreError::Corrupt { .. }) => {
            let mut prepared = Vec::with_capacity(notices.len());
            for notice in notices {
                prepared.extend(Box::pin(look_up(engine, vec![notice], clock)).await);
            }
            prepared
        }
        Err(error) => {
            tracing::error!(%clinic, %error, "a clinic's notices could not be looked up and wait a minute");
            let later = Settlement::Returned { at: clock.now() + SignedDuration::from_mins(1) };
            notices.into_iter().map(|notice| (notice, Err(later.clone()))).collect()
        }
    }
}

/// One notice from the look again to the record. `None` when it was no longer ours to record.
async fn attempt(engine: &Arc<Engine>, notice: Claimed, facts: Prepared, clock: Clock) -> Option<Settlement> {
    let settlement = match facts {
        Err(settlement) => settlement,
        Ok(facts) => match unwanted(&notice, &facts, clock.now()) {
            Some(settlement) => settlement,
            None => send(engine, &notice, &facts, clock).await,
        },
    };
    log(&notice, &settlement);
    settle(engine, &notice, &settlement, clock).await.then_some(settlement)
}

/// Why a notice is not sent now, if it is not.
fn unwanted(notice: &Claimed, facts: &Facts, now: Timestamp) -> Option<Settlement> {
    if notice.kind != Kind::SessionReminder {
        let dead = |why: &str| Settlement::Dead { phase: "compose", reply: why.to_owned(), suppress: false };
        if let Some(reason) = facts.refused(&notice.recipient) {
            return Some(dead(&format!("nothing is sent to this address since a mail server refused it: {reason}")));
        }
        return (now.duration_since(notice.created_at) > GIVE_UP).then(|| dead("it could not be sent for three days"));
    }
    let (Some((date, time)), Some(patient)) = (notice.civil, notice.patient.and_then(|id| facts.patient(id))) else {
        return Some(Settlement::Dead {
            phase: "compose",
            reply: "the patient this reminder is for is not there".to_owned(),
            suppress: false,
        });
    };
    let skip = |why| Some(Settlement::Skipped(why));
    // The patient may have chosen other hours since this one was planned.
    if patient.rule.times.is_empty() {
        return skip(NoticeSkip::Unsubscribed);
    }
    if !patient.rule.times.contains(&time) {
        return skip(NoticeSkip::Expired);
    }
    let standing = patient.standing(date, facts.unsubscribed(&notice.recipient));
    match decide(&patient.rule, &Due { date, time, at: notice.due_at }, &standing, now) {
        Decision::Send => None,
        Decision::Wait => Some(Settlement::Returned { at: notice.due_at }),
        Decision::Skip(why) => skip(why),
    }
}

/// Writes the mail, hands it over, and says how that ended.
async fn send(engine: &Arc<Engine>, notice: &Claimed, facts: &Facts, clock: Clock) -> Settlement {
    if engine.stopping.load(Ordering::Relaxed) {
        return Settlement::Returned { at: clock.now() };
    }
    if let Some(pause) = engine.pause.until(clock.now()) {
        return Settlement::Returned { at: pause.until };
    }
    let token = match issue_link(engine, notice, facts, clock.now()).await {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(notice = %notice.id, %error, "a link could not be made; the mail waits a minute");
            return Settlement::Returned { at: clock.now() + SignedDuration::from_mins(1) };
        }
    };
    let mail = match engine.composer.compose(notice, facts, token.as_deref(), clock.now()) {
        Ok(mail) => mail,
        Err(error) => return Settlement::Dead { phase: "compose", reply: error.to_string(), suppress: false },
    };
    let intent = async {
        let (notice, message_id, at) = (notice.clone(), mail.message_id.clone(), clock.now());
        let kept = engine.store.worker(move |tx| async move { outbox::intend(&tx, &notice, &message_id, at).await }).await;
        kept.unwrap_or_else(|error: StoreError| {
            tracing::error!(%error, "the intent to send could not be recorded, so nothing is sent");
            false
        })
    };
    let outcome = engine.mailer.deliver(notice.id.0, &mail.envelope, &mail.content, clock.now(), intent).await;
    let retry = |phase: Phase, reply| Settlement::Retry {
        at: clock.now() + backoff(notice.attempt, notice.id),
        phase: phase.as_str(),
        reply,
    };
    match outcome {
        Outcome::Accepted { reply } => {
            engine.pause.end();
            Settlement::Sent { reply }
        }
        // Either the notice is another worker's by now, and this changes nothing; or the intent could not be recorded.
        Outcome::Withheld => Settlement::Returned { at: clock.now() + SignedDuration::from_secs(30) },
        Outcome::Postponed { phase, reply } => retry(phase, reply),
        Outcome::Rejected { phase, reply, address } => Settlement::Dead { phase: phase.as_str(), reply, suppress: address },
        Outcome::Refused { phase, reply } => {
            engine.pause.begin(clock.now(), &reply);
            retry(phase, reply)
        }
        Outcome::Unanswered { reply } if notice.kind.may_repeat() => retry(Phase::Dot, reply),
        Outcome::Unanswered { reply } => Settlement::Unknown { reply },
    }
}

/// The token of the one-time link that a mail carries, if it carries one. Made anew at each attempt; those of attempts that failed
/// were seen by nobody and end by themselves.
async fn issue_link(engine: &Engine, notice: &Claimed, facts: &Facts, now: Timestamp) -> Result<Option<String>, StoreError> {
    let purpose = match (notice.kind, notice.patient, notice.membership, notice.account) {
        (Kind::Invitation, Some(patient), None, _) => link::Purpose::InvitePatient(notice.clinic, patient),
        (Kind::Invitation, _, Some(member), _) => link::Purpose::InviteStaff(notice.clinic, member),
        // Who has not joined yet has no password to sign in with: the program's mail lets them in as the invitation does.
        (Kind::ProgramAssigned, Some(patient), _, _) if facts.patient(patient).is_some_and(|patient| !patient.joined) => {
            link::Purpose::InvitePatient(notice.clinic, patient)
        }
        (Kind::PasswordReset, _, _, Some(account)) => link::Purpose::ResetPassword(account),
        _ => return Ok(None),
    };
    let recipient = notice.recipient.clone();
    engine.store.worker(move |tx| async move { link::issue(&tx, purpose, &recipient, now).await }).await.map(Some)
}

/// Records the result; keeps trying for a while when the database is away, because what is not recorded will look unknown.
async fn settle(engine: &Engine, notice: &Claimed, settlement: &Settlement, clock: Clock) -> bool {
    let mut pause = Duration::from_millis(200);
    for attempt in 1..=SETTLE_TRIES {
        let (held, result, at) = (notice.clone(), settlement.clone(), clock.now());
        match engine.store.worker(move |tx| async move { outbox::settle(&tx, &held, &result, at).await }).await {
            Ok(recorded) => return recorded,
            Err(error @ StoreError::Unavailable(_)) if attempt < SETTLE_TRIES => {
                tracing::warn!(notice = %notice.id, %error, "the result could not be recorded yet");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => {
                tracing::error!(notice = %notice.id, %error, "the result could not be recorded");
                return false;
            }
        }
    }
    false
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
