//! The clinic's and the patients' pages.
//!
//! [`app`] is the whole web server but for the listening: [`router`] maps addresses to handlers, [`extract`] says who is there and
//! what they sent, [`error`] turns every failure into a page. A handler is a scoped extractor, a parsed form, one verb of the domain
//! or the store, and a page or a redirect.
//!
//! To add a page: its view-model in `render`, a handler beside its like, one line in `router.rs`, and one in the matrix of
//! `tests/tests/matrix/table.rs` that says who may.

pub mod account;
pub mod assets;
mod audit;
pub mod auth;
mod body_budget;
mod concurrency;
pub mod counts;
mod csv;
pub mod error;
pub mod extract;
pub mod handout;
mod headers;
mod health;
pub mod map;
#[cfg(test)]
mod parsers;
mod patience;
pub mod patient;
pub mod physio;
pub mod router;
pub mod state;
pub mod visit;
mod zones;

pub use error::{PageError, PageResult};
pub use router::{addresses, app, app_with, app_within};
pub use state::{AppState, Clock, Config, Limits, StartError, Stopping};
