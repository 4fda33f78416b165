//! What the engine writes down while it sends: intents before the dot, and how each attempt ended. Both many at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use store::{
    Store, StoreError,
    outbox::{self, Claimed, Intent, SendPermit, Settlement},
};

use crate::{clock::Clock, group::Group};

/// A group of fewer intents waits a moment for more: half the connections.
const INTENTS: (usize, Duration) = (8, Duration::from_millis(1));
/// No mail waits for its result to be recorded, so these groups may be larger. What a crash takes along from here will look unknown, so
/// they may not wait long.
const SETTLEMENTS: (usize, Duration) = (32, Duration::from_millis(5));
/// For how long a result is tried to be recorded while the database is away. What is not recorded will look unknown.
const KEEP_TRYING: Duration = Duration::from_secs(10 * 60);
/// The first and the longest wait between two tries.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The tries to record one result.
pub(crate) struct Tries {
    began: Instant,
    wait: Duration,
}

impl Tries {
    /// The first try begins now.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), wait: FIRST_WAIT }
    }

    /// Waits for the next try; false when it was tried for long enough.
    pub(crate) async fn again(&mut self) -> bool {
        if self.began.elapsed() >= KEEP_TRYING {
            return false;
        }
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        true
    }
}

/// Writes intents and settlements in groups.
pub(crate) struct Ledger {
    store: Store,
    intents: Group<Intent, Option<SendPermit>>,
    settlements: Group<Arc<(Claimed, Settlement)>, Recorded>,
}

/// What became of an attempt to record a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recorded {
    /// It stands.
    Yes,
    /// The notice was no longer this worker's.
    NotOurs,
    /// The database could not be reached; trying again may work.
    NotYet,
    /// It cannot be recorded.
    Never,
}

impl Ledger {
    pub(crate) fn new(store: Store) -> Self {
        // One on its way at a time: the longer it takes, the more go with the next.
        Self { store, intents: Group::new(1, INTENTS.0, INTENTS.1), settlements: Group::new(1, SETTLEMENTS.0, SETTLEMENTS.1) }
    }

    /// Commits the intent to send a mail, and gives the permit to do so if the claim still holds.
    pub(crate) async fn intend(&self, intent: Intent) -> Option<SendPermit> {
        let write = async |intents: Vec<Intent>| {
            let count = intents.len();
            outbox::intend(&self.store, intents).await.unwrap_or_else(|error| {
                if error.is_away() {
                    tracing::warn!(%error, "intents to send could not be recorded, so nothing is sent");
                } else {
                    tracing::error!(%error, "intents to send could not be recorded, so nothing is sent");
                }
                std::iter::repeat_with(|| None).take(count).collect()
            })
        };
        self.intents.commit(intent, write).await.flatten()
    }

    /// Records how an attempt ended, however long the database is away (within reason). Says whether the notice was still ours.
    pub(crate) async fn settle(&self, notice: Claimed, settlement: Settlement, clock: &Clock) -> bool {
        let settled = Arc::new((notice, settlement));
        let mut tries = Tries::begin();
        loop {
            let recorded = self.settlements.commit(settled.clone(), async |settled| self.record(&settled, clock).await).await;
            match recorded.unwrap_or(Recorded::NotYet) {
                Recorded::Yes => return true,
                Recorded::NotOurs => return false,
                Recorded::NotYet if tries.again().await => {}
                Recorded::NotYet | Recorded::Never => {
                    tracing::error!(notice = %settled.0.id, "a result could not be recorded");
                    return false;
                }
            }
        }
    }

    async fn record(&self, settled: &[Arc<(Claimed, Settlement)>], clock: &Clock) -> Vec<Recorded> {
        let now = clock.now();
        let all: Vec<(Claimed, Settlement)> = settled.iter().map(|one| (**one).clone()).collect();
        match self.write(&all, now).await {
            Ok(recorded) => recorded,
            Err(error) if error.is_away() => {
                tracing::warn!(%error, "results could not be recorded yet");
                vec![Recorded::NotYet; all.len()]
            }
            // One of them is what the database refuses: it takes down nobody else's.
            Err(error) if all.len() > 1 => {
                tracing::error!(%error, "results are recorded one by one");
                let mut recorded = Vec::with_capacity(all.len());
                for one in &all {
                    recorded.push(match self.write(std::slice::from_ref(one), now).await {
                        Ok(mut one) => one.pop().unwrap_or(Recorded::Never),
                        Err(error) if error.is_away() => Recorded::NotYet,
                        Err(_) => Recorded::Never,
                    });
                }
                recorded
            }
            Err(error) => {
                tracing::error!(%error, "the result could not be recorded");
                vec![Recorded::Never; all.len()]
            }
        }
    }

    async fn write(&self, settled: &[(Claimed, Settlement)], now: jiff::Timestamp) -> Result<Vec<Recorded>, StoreError> {
        let ours = outbox::settle(&self.store.autocommit(), settled, now).await?;
        let recorded = |ours: bool| if ours { Recorded::Yes } else { Recorded::NotOurs };
        Ok(settled.iter().map(|(notice, _)| recorded(ours.contains(&notice.claim()))).collect())
    }
}
