//! What is done to the workers, their clocks and the database while they work, and what people change meanwhile.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt as _, rngs::StdRng};
use testkit::smtp::{Answer, Phase, Server};
use tokio::{
    sync::{Mutex, OwnedMutexGuard, RwLock},
    task::JoinSet,
};

use super::{
    DATABASE, Settings,
    change::{self, Change},
    crew::{Crew, Slot},
};
use crate::{cluster::Stop, process::Worker};

/// How long is waited for the moment at which a worker is to be killed.
const AMBUSH: Duration = Duration::from_millis(2000);
/// A worker that was told to end has this long.
const DRAIN: Duration = Duration::from_secs(30);

/// Refusals for good that say nothing about whom they are said to. The first and the last are also what is said of an address that does not exist.
const REFUSALS: [(Phase, u16, &str); 5] = [
    (Phase::Rcpt, 550, "5.1.1 No such user here"),
    (Phase::Rcpt, 550, "Sender verify failed"),
    (Phase::Dot, 554, "5.7.1 Message rejected as spam"),
    (Phase::Rcpt, 553, "5.3.0 rejected, your host is in our blacklist"),
    (Phase::Rcpt, 550, "5.1.1 User unknown"),
];

/// When to kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Whenever it is.
    Any,
    /// So shortly after its start that it hardly got to anything.
    Start,
    /// While it holds claimed notices.
    Claimed,
    /// Between the intent and the record of the reply.
    Sending,
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Kill(Moment),
    /// Everybody at once.
    PowerCut,
    /// SIGSTOP for longer than a lease, then SIGCONT.
    Freeze,
    /// SIGTERM, then a new one.
    Drain,
    Restart(Stop),
    /// One worker's clock, by so many seconds.
    Turn(i64),
    /// One worker's connections to the database fall silent for longer than a lease, and its clock steps by so many seconds; then
    /// everything arrives at once.
    Stall(i64),
    /// The mail server refuses every mail for good, in the words of [`REFUSALS`] at this place, for some minutes.
    Refuse(usize),
    /// A person ends a reminder that is in this state, or has it sent elsewhere.
    Change(Change, &'static str),
}

/// What was done, and what was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) kills_before: u32,
    pub(super) kills_claimed: u32,
    pub(super) kills_sending: u32,
    pub(super) kills_settled: u32,
    pub(super) left_claimed: u32,
    pub(super) left_sending: u32,
    pub(super) frozen: u32,
    pub(super) frozen_holding: u32,
    pub(super) drained: u32,
    pub(super) longest_drain: Duration,
    pub(super) restarts: [u32; 2],
    pub(super) turns: u32,
    pub(super) stalls: u32,
    pub(super) stalls_holding: u32,
    /// Times the mail server refused everybody.
    pub(super) refusals: u32,
    /// Of these, how often the database said in the end that the server is not believed.
    pub(super) distrusted: u32,
    /// By what was done and what the reminder was doing.
    pub(super) changes: BTreeMap<(Change, String), u32>,
    /// What a worker did not do as it should.
    pub(super) faults: Vec<String>,
}

impl Tally {
    pub(super) fn kills(&self) -> u32 {
        self.kills_before + self.kills_claimed + self.kills_sending + self.kills_settled
    }
}

/// A plan drawn from the seed, and the record of carrying it out.
pub(super) struct Deeds {
    plan: Vec<Deed>,
    dice: StdRng,
    tally: Arc<Mutex<Tally>>,
    record: Tally,
}

impl Deeds {
    pub(super) fn new(settings: &Settings, mut dice: StdRng) -> Self {
        let (kills, workers) = (settings.kills, settings.workers);
        let cuts = kills / (workers * 8);
        let mut plan: Vec<Deed> = (0..cuts).map(|_| Deed::PowerCut).collect();
        for _ in 0..kills.saturating_sub(cuts * workers) {
            plan.push(Deed::Kill(match dice.random_range(0..10) {
                0..3 => Moment::Any,
                3 => Moment::Start,
                4..6 => Moment::Claimed,
                _ => Moment::Sending,
            }));
        }
        for _ in 0..(kills / 8).max(2) {
            plan.push(Deed::Freeze);
        }
        for _ in 0..(kills / 10).max(2) {
            plan.push(Deed::Drain);
        }
        for at in 0..(kills / 14).max(2) {
            plan.push(Deed::Restart(if at % 2 == 0 { Stop::Immediate } else { Stop::Fast }));
        }
        for at in 0..(kills / 3).max(4) {
            // Most by minutes, some by the better part of an hour, half of them back.
            let by = if at % 5 == 0 { 2400 } else { 600 };
            plan.push(Deed::Turn(dice.random_range(-by..=by)));
        }
        for at in 0..(kills / 6).max(3) {
            // Two minutes and more, most of them forward: that is what lets a lease seem over.
            let by = dice.random_range(130..=600);
            plan.push(Deed::Stall(if at % 4 == 3 { -by } else { by }));
        }
        for at in 0..(kills / 25).max(2) as usize {
            plan.push(Deed::Refuse(at % REFUSALS.len()));
        }
        for at in 0..(kills / 2).max(15) {
            let change = Change::ALL[at as usize % Change::ALL.len()];
            plan.push(Deed::Change(change, if dice.random_range(0..4) == 0 { "sending" } else { "claimed" }));
        }
        for at in (1..plan.len()).rev() {
            plan.swap(at, dice.random_range(0..=at));
        }
        Self { plan, dice, tally: Arc::default(), record: Tally::default() }
    }

    pub(super) fn tally(&self) -> Tally {
        self.record.clone()
    }

    /// Carries the plan out.
    pub(super) async fn act(&mut self, crew: &Arc<Crew>, server: &Arc<Server>) -> Result<()> {
        // A worker that has to end while the database is away cannot write down what it did: those two are kept apart.
        let apart = Arc::new(RwLock::new(()));
        // One after the other: the end of one would end the other.
        let refusing = Arc::new(Mutex::new(()));
        let mut aside = JoinSet::new();
        for deed in std::mem::take(&mut self.plan) {
            let pause = Duration::from_millis(self.dice.random_range(20..900));
            let first = self.dice.random_range(0..crew.slots.len());
            tokio::time::sleep(pause).await;
            let gone = crew.look_after().await?;
            if gone > 0 {
                self.tally.lock().await.faults.push(format!("{gone} workers ended by themselves"));
            }
            match deed {
                Deed::Kill(moment) => {
                    let wanted = match moment {
                        Moment::Any | Moment::Start => None,
                        Moment::Claimed => Some("claimed"),
                        Moment::Sending => Some("sending"),
                    };
                    let (slot, place) = ambush(crew, wanted, first).await?;
                    kill(crew, slot, place, moment, &self.tally).await?;
                }
                Deed::PowerCut => {
                    let mut places = Vec::new();
                    for (slot, place) in crew.slots.iter().enumerate() {
                        places.push((slot, place.clone().lock_owned().await));
                    }
                    // All are gone before any is looked at.
                    for (_, place) in &mut places {
                        if let Some(worker) = place.worker.take() {
                            worker.kill().await?;
                        }
                    }
                    for (slot, place) in places {
                        record_and_restart(crew, slot, place, &self.tally).await?;
                    }
                }
                Deed::Freeze => {
                    let (slot, place) = ambush(crew, Some("claimed"), first).await?;
                    let wait = Duration::from_millis(self.dice.random_range(7000..14000)) * 20 / crew.speed();
                    let (crew, tally) = (crew.clone(), self.tally.clone());
                    aside.spawn(async move { freeze(&crew, slot, place, wait, &tally).await });
                }
                Deed::Drain => {
                    let (slot, place) = ambush(crew, Some("sending"), first).await?;
                    let (crew, tally, apart) = (crew.clone(), self.tally.clone(), apart.clone());
                    aside.spawn(async move {
                        let _with = apart.read().await;
                        drain(&crew, slot, place, &tally).await
                    });
                }
                Deed::Restart(how) => {
                    let _alone = apart.write().await;
                    crew.cluster.stop(how).await?;
                    tokio::time::sleep(Duration::from_millis(self.dice.random_range(0..3000))).await;
                    crew.cluster.resume().await?;
                    self.tally.lock().await.restarts[usize::from(how == Stop::Fast)] += 1;
                }
                Deed::Turn(by) => {
                    crew.turn(first, by);
                    self.tally.lock().await.turns += 1;
                }
                Deed::Stall(by) => {
                    let (slot, place) = ambush(crew, Some("claimed"), first).await?;
                    let wait = Duration::from_millis(self.dice.random_range(4000..14000)) * 20 / crew.speed();
                    let (crew, tally) = (crew.clone(), self.tally.clone());
                    aside.spawn(async move { stall(&crew, slot, place, by, wait, &tally).await });
                }
                Deed::Refuse(which) => {
                    // Four to eight minutes of the workers' time.
                    let wait = Duration::from_millis(self.dice.random_range(240_000..480_000)) / crew.speed();
                    let (crew, server, tally) = (crew.clone(), server.clone(), self.tally.clone());
                    let alone = refusing.clone();
                    aside.spawn(async move {
                        let _alone = alone.lock().await;
                        refuse(&crew, &server, which, wait, &tally).await
                    });
                }
                Deed::Change(kind, state) => {
                    let nth = self.dice.random_range(0..4);
                    let begun = Instant::now();
                    let whom = loop {
                        let found = change::whom(&crew.cluster, state, nth).await?;
                        if found.is_some() || begun.elapsed() > AMBUSH {
                            break found;
                        }
                        tokio::time::sleep(Duration::from_millis(4)).await;
                    };
                    if let Some(whom) = whom
                        && let Ok(store) = crew.store().await
                        && change::make(&crew.cluster, store, kind, &whom, crew.now()).await?
                    {
                        *self.tally.lock().await.changes.entry((kind, whom.state)).or_default() += 1;
                    }
                }
            }
            while let Some(done) = aside.try_join_next() {
                done??;
            }
        }
        while let Some(done) = aside.join_next().await {
            done??;
        }
        self.record = self.tally.lock().await.clone();
        Ok(())
    }
}

async fn kill(crew: &Crew, slot: usize, mut place: OwnedMutexGuard<Slot>, moment: Moment, tally: &Mutex<Tally>) -> Result<()> {
    if matches!(moment, Moment::Start) {
        // Somebody fresh: the one there now is killed first.
        if let Some(worker) = place.worker.take() {
            worker.kill().await?;
        }
        record_and_restart_in(crew, slot, &mut place, tally).await?;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    if let Some(worker) = place.worker.take() {
        worker.kill().await?;
    }
    record_and_restart(crew, slot, place, tally).await
}

/// Takes the place of a worker that holds a notice in this state, waiting a while for one; else whoever is there.
async fn ambush(crew: &Crew, wanted: Option<&str>, first: usize) -> Result<(usize, OwnedMutexGuard<Slot>)> {
    let begun = Instant::now();
    while let Some(state) = wanted
        && begun.elapsed() < AMBUSH
    {
        if let Some(found) = crew.holder(state, first).await? {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    Ok(crew.take(first).await)
}

async fn record_and_restart(crew: &Crew, slot: usize, mut place: OwnedMutexGuard<Slot>, tally: &Mutex<Tally>) -> Result<()> {
    record_and_restart_in(crew, slot, &mut place, tally).await
}

async fn record_and_restart_in(crew: &Crew, slot: usize, place: &mut Slot, tally: &Mutex<Tally>) -> Result<()> {
    let held = crew.left_behind(slot, &place.since).await?;
    {
        let mut tally = tally.lock().await;
        match (held.sending, held.claimed, held.settled) {
            (1.., _, _) => tally.kills_sending += 1,
            (_, 1.., _) => tally.kills_claimed += 1,
            (_, _, true) => tally.kills_settled += 1,
            _ => tally.kills_before += 1,
        }
        tally.left_claimed += held.claimed;
        tally.left_sending += held.sending;
    }
    crew.start_in(slot, place).await
}

async fn freeze(crew: &Crew, slot: usize, mut place: OwnedMutexGuard<Slot>, wait: Duration, tally: &Mutex<Tally>) -> Result<()> {
    let Some(worker) = &mut place.worker else { return Ok(()) };
    if !worker.is_alive() {
        return crew.start_in(slot, &mut place).await;
    }
    worker.freeze()?;
    let known = crew.known();
    let holding = crew.tokens(slot).await?.iter().any(|(token, _)| !known.contains(token));
    tokio::time::sleep(wait).await;
    worker.thaw()?;
    let mut tally = tally.lock().await;
    tally.frozen += 1;
    tally.frozen_holding += u32::from(holding);
    Ok(())
}

/// Nobody else hurts this worker meanwhile: one that has to end while its database is silent could not write down what it did.
async fn stall(
    crew: &Crew,
    slot: usize,
    mut place: OwnedMutexGuard<Slot>,
    by: i64,
    wait: Duration,
    tally: &Mutex<Tally>,
) -> Result<()> {
    let known = crew.known();
    let holding = crew.tokens(slot).await?.iter().any(|(token, _)| !known.contains(token));
    crew.silence(slot, true);
    crew.turn(slot, by);
    tokio::time::sleep(wait).await;
    crew.silence(slot, false);
    {
        let mut tally = tally.lock().await;
        tally.stalls += 1;
        tally.stalls_holding += u32::from(holding);
    }
    // One that was just starting finds no database, and does well to end.
    if place.worker.as_mut().is_some_and(Worker::is_alive) { Ok(()) } else { crew.start_in(slot, &mut place).await }
}

/// The mail server refuses everybody for a while.
async fn refuse(crew: &Crew, server: &Server, which: usize, wait: Duration, tally: &Mutex<Tally>) -> Result<()> {
    let (phase, code, text) = REFUSALS[which];
    server.answer(phase, Answer::refuse(code, text));
    tokio::time::sleep(wait).await;
    server.withdraw_orders();
    // The database may be away at this very moment.
    let distrusted = crew.cluster.number(DATABASE, "select count(*) from mail_sender where refusals_since is not null").await;
    let mut tally = tally.lock().await;
    tally.refusals += 1;
    tally.distrusted += u32::from(distrusted.is_ok_and(|rows| rows > 0));
    Ok(())
}

async fn drain(crew: &Crew, slot: usize, mut place: OwnedMutexGuard<Slot>, tally: &Mutex<Tally>) -> Result<()> {
    let Some(mut worker) = place.worker.take() else { return Ok(()) };
    // A worker that was started while the database was away has ended by itself, as it should.
    if worker.is_alive() {
        let known = crew.known();
        let begun = Instant::now();
        let ended = worker.terminate(DRAIN + Duration::from_secs(5)).await;
        let took = begun.elapsed();
        let left = crew.tokens(slot).await?.into_iter().filter(|(token, _)| !known.contains(token)).count();
        let mut tally = tally.lock().await;
        tally.drained += 1;
        tally.longest_drain = tally.longest_drain.max(took);
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => tally.faults.push(format!("a worker told to end did so with {status}")),
            Err(error) => tally.faults.push(format!("a worker told to end: {error:#}")),
        }
        if left > 0 {
            tally.faults.push(format!("a worker told to end left {left} notices claimed or sending"));
        }
        if took > DRAIN {
            tally.faults.push(format!("a worker told to end took {:.1} s", took.as_secs_f64()));
        }
    }
    crew.start_in(slot, &mut place).await
}
