//! The only real clock. Everything else is told the time.

use std::sync::Arc;

use jiff::Timestamp;

/// The instant of now.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The clock as the web server and the worker are handed it.
pub fn real() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(now)
}
