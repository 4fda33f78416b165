//! The physiotherapist's and the owner's pages.

pub mod audit;
pub mod breaches;
pub mod builder;
pub mod caseload;
pub mod change;
pub mod clinic_report;
pub mod handout;
pub mod invite;
pub mod library;
pub mod notices;
pub mod patient;
pub mod programs;
pub mod record;
pub mod templates;
