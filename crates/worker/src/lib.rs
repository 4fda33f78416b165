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
use store::{Store, outbox};
use tokio::sync::{Notify, watch};

pub use compose::{Composer, SenderError};
pub use dkim::{Signer, SignerError};
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

    /// Writes down for people that no mail goes out and why, or that it goes out again. The mail itself does not depend on it.
    async fn tell_pause(&self, reason: Option<String>, now: Timestamp) {
        telemetry::paused(reason.is_some());
        let told = async {
            let tx = self.store.begin_worker().await?;
            outbox::note_pause(&tx, reason.as_deref(), now).await?;
            tx.commit().await
        };
        if let Err(error) = told.await
            && !error.is_away()
        {
            tracing::error!(%error, "the pause could not be written down");
        }
    }
}
