//! The words that several of the physiotherapist's pages share.

use domain::{dose::DoseDraft, pain::Region, program::Weekdays};
use render::{Choice, Svg, figures, figures::Pose, formats, words::Language};
use store::exercise::Exercise;

/// "Upper back".
pub const fn region(region: Region) -> &'static str {
    match region {
        Region::UpperBack => "Upper back",
        Region::LowerBack => "Lower back",
        Region::Neck => "Neck",
        Region::Shoulder => "Shoulder",
        Region::Other => "Elsewhere",
    }
}

/// All regions, for a select.
pub fn regions() -> Vec<Choice> {
    Region::ALL.iter().map(|part| Choice::new(part.tag(), region(*part))).collect()
}

/// The exercise's drawing as lists show it, or the placeholder. The name stands beside it, so it has no title.
pub fn figure(exercise: &Exercise) -> Svg {
    exercise.figure.as_deref().and_then(|key| figures::svg_titled(key, Pose::Start, "")).unwrap_or_else(figures::placeholder)
}

/// "1 exercise", "5 exercises".
pub fn exercises(count: usize) -> String {
    formats::exercise_count(Language::En, count)
}

/// "6 sessions a week".
pub fn sessions_a_week(weekdays: Weekdays, times_a_day: u8) -> String {
    match weekdays.count() * u32::from(times_a_day) {
        1 => "1 session a week".to_owned(),
        n => format!("{n} sessions a week"),
    }
}

/// "Monday to Saturday, once a day".
pub fn schedule(weekdays: Weekdays, times_a_day: u8) -> String {
    let days = formats::weekdays(Language::En, weekdays);
    let days = days[..1].to_uppercase() + &days[1..];
    match times_a_day {
        1 => format!("{days}, once a day"),
        2 => format!("{days}, twice a day"),
        n => format!("{days}, {n} times a day"),
    }
}

/// The draft of a dose as the builder's fields show it: one set is left empty only where nobody would miss it.
pub fn draft(exercise: &Exercise) -> DoseDraft {
    DoseDraft::from(&exercise.dose)
}

/// A sentence for the top of a refused form: "Nothing was saved yet: two things need another look."
pub fn problem(what: &str, faults: usize) -> String {
    match faults {
        1 => format!("{what} yet: one thing needs another look."),
        n => format!("{what} yet: {n} things need another look."),
    }
}
