//! The physiotherapist's pages.

pub mod attention;
mod behind;
pub mod builder;
pub mod caseload;
pub mod change;
pub mod clinic_report;
pub mod details;
pub mod invite;
pub mod library;
pub mod notices;
pub mod patient;
pub mod period;
pub mod programs;
pub mod record;
pub mod replies;
pub mod report;
pub mod report_csv;
pub mod said;
pub mod standing;
pub mod templates;
mod versions;
pub mod words;
