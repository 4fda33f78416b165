//! The reminder engine: what is due is planned, composed and handed over, each reminder at most once.
//!
//! [`plan`](plan::plan), [`deliver`](deliver::deliver) and [`tick`](tick::tick) are functions over the engine's parts and `now`, so
//! tests step them; [`run`](run::run) is the loop around them. The states of a notice are in `store::outbox`.

pub mod compose;
pub mod deliver;
mod pause;
pub mod plan;
pub mod run;
pub mod smtp;
pub mod telemetry;
pub mod tick;

use std::sync::atomic::AtomicBool;

use store::Store;

pub use compose::{Composer, SenderError};
pub use plan::plan;
pub use run::run;
pub use smtp::{Mailer, Target, TargetError};
pub use tick::{TickReport, tick};

/// The parts of a worker, shared by its tasks.
pub struct Engine {
    store: Store,
    mailer: Mailer,
    composer: Composer,
    pause: pause::Pause,
    stopping: AtomicBool,
}

impl Engine {
    /// Puts the parts together.
    pub fn new(store: Store, mailer: Mailer, composer: Composer) -> Self {
        Self { store, mailer, composer, pause: pause::Pause::default(), stopping: AtomicBool::new(false) }
    }
}
