//! The rules and words of home exercise: doses, programs in versions, what a
//! patient logged, and what follows from it (adherence, pain, who needs the
//! physiotherapist, which reminder is due).
//!
//! Everything here is pure: no clock, no database, no web. Time comes in as
//! `now` or `today`; civil dates and zones are the patient's. Other crates
//! parse what people type into these types once, at the edge, and from then on
//! a value that exists is a value that is valid.

pub mod adherence;
pub mod attention;
pub mod calendar;
pub mod cohort;
pub mod dose;
pub mod ids;
pub mod pain;
pub mod person;
pub mod program;
pub mod questionnaire;
pub mod record;
pub mod refusal;
pub mod reminder;
pub mod reminder_story;
pub mod session_log;
mod tags;
pub mod text;

pub use tags::UnknownTag;
