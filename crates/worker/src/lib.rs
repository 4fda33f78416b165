//! The reminder engine: what is due is planned, composed and handed over, each reminder at most once.
//!
//! [`plan`](plan::plan), [`deliver`](deliver::deliver) and [`tick`](tick::tick) are functions over the engine's parts and `now`, so
//! tests step them; [`run`](run::run) plans and delivers side by side until it is told to stop. The states of a notice are in
//! `store::outbox`.

mod attempt;
mod clock;
pub mod compose;
pub mod deliver;
pub mod dkim;
mod group;
mod lanes;
mod ledger;
mod pause;
pub mod plan;
mod refusal;
pub mod run;
pub mod smtp;
pub mod telemetry;
pub mod tick;
mod working;

use jiff::Timestamp;
use store::{Store, StoreError, outbox, outbox::suppression};
use tokio::sync::{Notify, watch};

pub use compose::{Composer, SenderError};
pub use dkim::{Signer, SignerError};
use pause::Compared;
pub use plan::plan;
pub use run::run;
pub use smtp::{Mailer, Target, TargetError};
pub use tick::{TickReport, tick};

/// The parts of a worker, shared by its tasks.
pub struct Engine {
    store: Store,
    mailer: Mailer,
    composer: Composer,
    ledger: ledger::Ledger,
    pause: pause::Pause,
    working: working::Working,
    stage: watch::Sender<Stage>,
    poked: Notify,
}

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nowhere near.
    Working,
    /// Nothing new is begun; what is in flight goes on.
    Stopping,
    /// What is still in flight is cut and written down as it stands.
    OutOfTime,
}

impl Engine {
    /// Puts the parts together.
    pub fn new(store: Store, mailer: Mailer, composer: Composer) -> Self {
        let ledger = ledger::Ledger::new(store.clone());
        let (stage, _) = watch::channel(Stage::Working);
        Self {
            store,
            mailer,
            composer,
            ledger,
            pause: pause::Pause::default(),
            working: working::Working::default(),
            stage,
            poked: Notify::new(),
        }
    }

    fn stopping(&self) -> bool {
        *self.stage.borrow() >= Stage::Stopping
    }

    /// Ready when the engine is told to stop.
    async fn stopped(&self) {
        self.reached(Stage::Stopping).await;
    }

    /// Ready when what is still in flight has to be cut.
    async fn out_of_time(&self) {
        self.reached(Stage::OutOfTime).await;
    }

    async fn reached(&self, stage: Stage) {
        // The sender lives as long as the engine, so the channel is never closed while somebody waits.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// Compares this worker's pause with the one that is recorded: heeds what another worker found out about the server, and records
    /// that mail goes out again when this worker knows that it does. One read, and nothing more as a rule.
    async fn compare_pause(&self, now: Timestamp) -> Result<(), StoreError> {
        let untold = self.pause.untold();
        let recorded = suppression::pause(&self.store.autocommit()).await?;
        match self.pause.compare(&recorded, now) {
            Compared::Agrees => {}
            Compared::Distrusted(since) => {
                let reason = format!("another worker was refused one recipient after another; the last was: {}", recorded.reason);
                self.distrust(since, &reason, now);
            }
            Compared::Over => suppression::end_pause(&self.store.autocommit(), &recorded).await?,
        }
        self.pause.told(untold);
        Ok(())
    }

    /// Pauses because the server is not believed; that is recorded already.
    fn distrust(&self, since: Timestamp, reason: &str, now: Timestamp) {
        self.pause.distrust(now, since, reason);
        telemetry::paused(true);
    }

    /// A pause of this worker ended, or its first mail was accepted: records that mail goes out again. What fails here is repeated in the
    /// next round.
    async fn tell_end(&self, now: Timestamp) {
        telemetry::paused(false);
        if let Err(error) = self.compare_pause(now).await {
            tracing::warn!(%error, "that mail goes out again could not be recorded yet");
        }
    }

    /// Records for people that no mail goes out, and why. The mail itself does not depend on it.
    async fn tell_pause(&self, reason: &str, now: Timestamp) {
        telemetry::paused(true);
        let told = async {
            let tx = self.store.begin_worker().await?;
            outbox::note_pause(&tx, reason, now).await?;
            tx.commit().await
        };
        if let Err(error) = told.await
            && !error.is_away()
        {
            tracing::error!(%error, "the pause could not be written down");
        }
    }
}
