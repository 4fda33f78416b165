//! View-models, mirrored by template path: `pages/errors/…` ↔ `templates/pages/errors/…`.

pub mod account;
pub mod demo;
pub mod errors;
pub mod gallery;
pub mod handout;
pub mod patient;
pub mod physio;
pub mod story;
