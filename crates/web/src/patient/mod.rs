//! The patient's pages.
//!
//! What opens for a one-tap link too stands in [`ONE_TAP`](crate::extract::ONE_TAP); everything else wants a password. What a patient typed into the log form is
//! read in `answers`, and nowhere else.

mod answers;
pub mod calendar;
mod known;
pub mod log;
mod mail_words;
pub mod progress;
pub mod questions;
pub mod reminders;
pub mod replies;
pub mod session;
pub mod today;

use domain::person::Language;
use render::words::say;

/// The sentence for a key without arguments.
fn words(language: Language, key: &str) -> String {
    say(language, key, &[])
}
