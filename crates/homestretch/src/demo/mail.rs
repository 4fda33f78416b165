//! The mail the demo sent.

use std::path::PathBuf;

use axum::Router;

/// The pages.
pub fn routes(_folder: PathBuf) -> Router<web::AppState> {
    Router::new()
}
