//! The physiotherapist's pages.

pub mod builder;
pub mod caseload;
pub mod invite;
pub mod library;
pub mod programs;
pub mod standing;
pub mod templates;
pub mod words;
