//! Two addresses for whoever watches the installation; plain text, no session.

use axum::{extract::State, http::StatusCode};

use crate::AppState;

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// `GET /health/ready`: the database answers through the pools that pages use, takes writes, and has the schema this program
/// needs, and the process is not about to stop.
pub(crate) async fn ready(State(app): State<AppState>) -> (StatusCode, &'static str) {
    if app.stopping.has_begun() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match app.store.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    }
}
