//! The physiotherapist's and the owner's pages.

pub mod caseload;
