//! The physiotherapist's pages.

pub mod caseload;
pub mod standing;
