//! A clock that stands still until a test moves it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A clock of a test's own. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<Timestamp>>);

impl Clock {
    /// A clock standing at this instant, for example `Clock::at("2026-03-02T08:00:00+08:00")`.
    ///
    /// # Panics
    /// When the text is no instant.
    pub fn at(instant: &str) -> Self {
        Self(Arc::new(Mutex::new(at(instant))))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it, backwards too, and says what it shows then.
    pub fn advance(&self, by: SignedDuration) -> Timestamp {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
        *now
    }

    /// Sets it.
    pub fn set(&self, instant: &str) -> Timestamp {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = at(instant);
        *now
    }

    /// As the function that the web server and the worker take.
    pub fn reader(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// An instant written with its offset, for example `at("2026-03-02T08:00:00+08:00")`.
///
/// # Panics
/// When the text is no instant.
pub fn at(instant: &str) -> Timestamp {
    instant.parse().unwrap_or_else(|error| panic!("{instant}: {error}"))
}
