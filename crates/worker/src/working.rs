//! Whether the worker can do its work at all, for the log and for the metrics.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use store::StoreError;

use crate::telemetry;

/// While it cannot work, the log says so this often and not at every try.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The loops that both have to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loop {
    /// Turns what has come due into notices.
    Planning,
    /// Claims notices and hands them over.
    Delivering,
}

/// What each loop's last try came to.
#[derive(Debug, Default)]
pub(crate) struct Working(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    planning: Option<StoreError>,
    delivering: Option<StoreError>,
    /// When the log last said that it cannot work.
    said: Option<Instant>,
}

impl Working {
    /// A loop was through, or failed. Says what is news in the log, and keeps the metrics.
    pub(crate) fn tried(&self, which: Loop, outcome: Result<(), &StoreError>, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = outcome.err().cloned();
        match which {
            Loop::Planning => state.planning = failed,
            Loop::Delivering => state.delivering = failed,
        }
        match state.planning.as_ref().or(state.delivering.as_ref()) {
            Some(error) => {
                telemetry::working(false);
                if state.said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                    tracing::error!(%error, "the worker cannot work: no reminder is planned and no mail is sent until it can");
                    state.said = Some(Instant::now());
                }
            }
            None => {
                telemetry::working(true);
                telemetry::worked(now);
                if state.said.take().is_some() {
                    tracing::info!("the worker works again");
                }
            }
        }
    }
}
