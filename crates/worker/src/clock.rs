//! What time it is for the engine. Only the program itself reads a clock; the engine is told.

use std::{fmt, sync::Arc, time::Instant};

use jiff::{SignedDuration, Timestamp};

/// Tells the time, as often as asked. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Told { now: Timestamp, at: Instant },
    Running(Arc<dyn Fn() -> Timestamp + Send + Sync>),
}

impl Clock {
    /// A clock that was told the time once and goes on from there: time passes while mails are sent, and a lease that ended meanwhile
    /// must be seen to have ended.
    pub fn told(now: Timestamp) -> Self {
        Self(Source::Told { now, at: Instant::now() })
    }

    /// The program's own clock. It may be set back and forth while the engine runs.
    pub fn running(clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self(Source::Running(clock))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Told { now, at } => {
                let passed = SignedDuration::try_from(at.elapsed()).unwrap_or_default();
                now.checked_add(passed).unwrap_or(*now)
            }
            Source::Running(clock) => clock(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
