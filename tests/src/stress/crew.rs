//! The workers, and the clocks they go by.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use store::Store;
use tokio::{
    sync::{Mutex, OnceCell, OwnedMutexGuard},
    task::JoinHandle,
};

use super::{DATABASE, Settings, line::Line, seed::BEGIN};
use crate::{
    cluster::Cluster,
    process::{Clock, Setup, Worker},
};

/// How often the clocks are set.
const BEAT: Duration = Duration::from_millis(200);

/// A worker that ran for so long must not end by itself any more.
const SETTLED_IN: Duration = Duration::from_secs(30);

/// A place for a worker: one after the other works here, as one user of the database and by one clock.
pub(super) struct Slot {
    pub(super) worker: Option<Worker>,
    /// When it was started, by the database's clock.
    pub(super) since: String,
    started: Instant,
}

/// What a worker held when it was killed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) claimed: u32,
    pub(super) sending: u32,
    /// Whether it had brought anything to an end before.
    pub(super) settled: bool,
}

/// All of them.
pub(super) struct Crew {
    pub(super) cluster: Arc<Cluster>,
    pub(super) slots: Vec<Arc<Mutex<Slot>>>,
    setup: Setup,
    clocks: Vec<Clock>,
    /// Each worker's way to the database.
    lines: Vec<Line>,
    /// For what people do.
    store: OnceCell<Store>,
    /// By how many seconds each clock is wrong.
    wrong: Arc<Vec<AtomicI64>>,
    begun: Instant,
    speed: u32,
    /// Tokens that were found left behind before.
    known: Lock<HashSet<String>>,
}

impl Crew {
    /// Migrates the database and makes the places; nobody works yet.
    pub(super) async fn new(settings: &Settings, cluster: Cluster, setup: Setup) -> Result<Self> {
        let begin: Timestamp = BEGIN.parse()?;
        let count = settings.workers as usize;
        let clocks = (0..count).map(|slot| setup.clock(&role(slot), begin)).collect::<Result<Vec<_>>>()?;
        if let Some(clock) = clocks.first() {
            let done = setup.run(&["migrate"], &cluster.url(DATABASE), clock).await?;
            if !done.status.success() {
                bail!("the database could not be migrated: {}", String::from_utf8_lossy(&done.stderr));
            }
        }
        for slot in 0..count {
            let name = role(slot);
            cluster.rows(DATABASE, &format!("create role {name} superuser login")).await?;
        }
        let mut lines = Vec::with_capacity(count);
        for _ in 0..count {
            lines.push(Line::to(cluster.port()).await?);
        }
        let slots = (0..count)
            .map(|_| Arc::new(Mutex::new(Slot { worker: None, since: String::new(), started: Instant::now() })))
            .collect();
        Ok(Self {
            cluster: Arc::new(cluster),
            slots,
            setup,
            clocks,
            lines,
            store: OnceCell::new(),
            wrong: Arc::new((0..count).map(|_| AtomicI64::new(0)).collect()),
            begun: Instant::now(),
            speed: settings.speed,
            known: Lock::default(),
        })
    }

    /// Starts the worker of a place that is empty.
    pub(super) async fn start(&self, slot: usize) -> Result<()> {
        self.start_in(slot, &mut *self.slots[slot].lock().await).await
    }

    pub(super) async fn start_in(&self, slot: usize, place: &mut Slot) -> Result<()> {
        place.since = self.cluster.rows(DATABASE, "select clock_timestamp()").await?.concat().concat();
        place.started = Instant::now();
        place.worker = Some(self.setup.worker(&role(slot), &self.line_of(slot), &self.clocks[slot])?);
        Ok(())
    }

    /// Lets the clocks run at their pace until the task is aborted.
    pub(super) fn pace(&self) -> JoinHandle<()> {
        let (clocks, wrong, begun, speed) = (self.clocks.clone(), self.wrong.clone(), self.begun, self.speed);
        tokio::spawn(async move {
            loop {
                for (clock, wrong) in clocks.iter().zip(wrong.iter()) {
                    if let Err(error) = clock.set(now(begun, speed) + SignedDuration::from_secs(wrong.load(Ordering::Relaxed))) {
                        eprintln!("stress: {error:#}");
                    }
                }
                tokio::time::sleep(BEAT).await;
            }
        })
    }

    fn line_of(&self, slot: usize) -> String {
        format!("postgres://{}@127.0.0.1:{}/{DATABASE}", role(slot), self.lines[slot].port())
    }

    /// Lets a worker's connections to the database fall silent, or speak again.
    pub(super) fn silence(&self, slot: usize, silent: bool) {
        self.lines[slot].silence(silent);
    }

    /// What the right clock shows.
    pub(super) fn now(&self) -> Timestamp {
        now(self.begun, self.speed)
    }

    /// The store, as the pages use it.
    pub(super) async fn store(&self) -> Result<&Store> {
        let url = self.cluster.url(DATABASE);
        self.store.get_or_try_init(async || Ok(Store::connect_with(&url, 2).await?)).await
    }

    /// Makes one worker's clock wrong by so many seconds.
    pub(super) fn turn(&self, slot: usize, seconds: i64) {
        self.wrong[slot].store(seconds, Ordering::Relaxed);
    }

    /// Starts again who ended without being told to, as an operator's system does, and gives how many did so although they had long been
    /// running; one that finds no database when it starts does well to end.
    pub(super) async fn look_after(&self) -> Result<u32> {
        let mut gone = 0;
        for slot in 0..self.slots.len() {
            let Ok(mut place) = self.slots[slot].clone().try_lock_owned() else { continue };
            if place.worker.as_mut().is_some_and(|worker| !worker.is_alive()) {
                gone += u32::from(place.started.elapsed() > SETTLED_IN);
                self.start_in(slot, &mut place).await?;
            }
        }
        Ok(gone)
    }

    /// How many seconds the clocks go on in one.
    pub(super) fn speed(&self) -> u32 {
        self.speed
    }

    /// Takes a place nobody else is busy with, the first from `first` on.
    pub(super) async fn take(&self, first: usize) -> (usize, OwnedMutexGuard<Slot>) {
        loop {
            for at in 0..self.slots.len() {
                let slot = (first + at) % self.slots.len();
                if let Ok(place) = self.slots[slot].clone().try_lock_owned() {
                    return (slot, place);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes the place of a worker that holds a notice in this state, the first from `first` on; what was left behind by earlier ones
    /// does not count.
    pub(super) async fn holder(&self, state: &str, first: usize) -> Result<Option<(usize, OwnedMutexGuard<Slot>)>> {
        let sql = format!(
            "select distinct h.worker, n.token from notice n join stress_note h on h.token = n.token and h.became = 'claimed'
             where n.state = '{state}'"
        );
        let rows = self.cluster.rows(DATABASE, &sql).await?;
        let known = self.known();
        let holding =
            rows.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok()).filter(|[_, token]| !known.contains(token));
        let holding: HashSet<String> = holding.map(|[worker, _]| worker).collect();
        for at in 0..self.slots.len() {
            let slot = (first + at) % self.slots.len();
            if holding.contains(&role(slot))
                && let Ok(place) = self.slots[slot].clone().try_lock_owned()
            {
                return Ok(Some((slot, place)));
            }
        }
        Ok(None)
    }

    /// What a place's worker, just killed, leaves behind.
    pub(super) async fn left_behind(&self, slot: usize, since: &str) -> Result<Held> {
        // What it had sent off to the database may still be on its way there.
        tokio::time::sleep(Duration::from_millis(40)).await;
        let tokens = self.tokens(slot).await?;
        let mut held = Held::default();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for (token, state) in tokens {
                if known.insert(token) {
                    match state.as_str() {
                        "sending" => held.sending += 1,
                        _ => held.claimed += 1,
                    }
                }
            }
        }
        let settled = format!(
            "select count(*) from stress_note where worker = '{}' and at > '{since}' and became in ('sent', 'dead', 'unknown', 'skipped')",
            role(slot)
        );
        held.settled = self.cluster.number(DATABASE, &settled).await? > 0;
        Ok(held)
    }

    /// Starts whoever is missing, and sets every clock right.
    pub(super) async fn calm(&self) -> Result<()> {
        for slot in 0..self.slots.len() {
            self.turn(slot, 0);
            self.silence(slot, false);
            let mut place = self.slots[slot].lock().await;
            if !place.worker.as_mut().is_some_and(Worker::is_alive) {
                self.start_in(slot, &mut place).await?;
            }
        }
        Ok(())
    }

    /// Ends every worker as an operator does, and says who did not end well.
    pub(super) async fn drain_all(&self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        for (slot, place) in self.slots.iter().enumerate() {
            if let Some(worker) = place.lock().await.worker.take() {
                match worker.terminate(Duration::from_secs(35)).await {
                    Ok(status) if status.success() => {}
                    Ok(status) => faults.push(format!("worker {slot} ended with {status} in the end")),
                    Err(error) => faults.push(format!("worker {slot}: {error:#}")),
                }
            }
        }
        Ok(faults)
    }

    /// What a place's workers hold: token and state.
    pub(super) async fn tokens(&self, slot: usize) -> Result<Vec<(String, String)>> {
        let sql = format!(
            "select distinct n.token, n.state from notice n join stress_note h on h.token = n.token and h.became = 'claimed'
             where n.state in ('claimed', 'sending') and h.worker = '{}'",
            role(slot)
        );
        let rows = self.cluster.rows(DATABASE, &sql).await?;
        Ok(rows.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok()).map(|[token, state]| (token, state)).collect())
    }

    pub(super) fn known(&self) -> HashSet<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the right clock shows.
fn now(begun: Instant, speed: u32) -> Timestamp {
    let begin: Timestamp = BEGIN.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    let passed = begun.elapsed() * speed;
    begin + SignedDuration::try_from(passed).unwrap_or_default()
}

fn role(slot: usize) -> String {
    format!("worker{slot}")
}
