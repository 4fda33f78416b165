//! The rules as tables and properties, one module per rule book. They use the
//! crate from outside, as everybody else does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod adherence;
mod almanac;
mod attention;
mod cohort;
mod dose;
mod fixtures;
mod pain;
mod person;
mod planning;
mod program;
mod questionnaire;
mod refusal;
mod reminder;
mod reminder_story;
mod session_log;
