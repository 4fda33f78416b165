//! What a patient's calendar shows of the weeks ahead: one entry for each session that is due and not yet logged.

use jiff::{Timestamp, ToSpan as _, civil::Date};

use crate::{ids::ProgramId, program::Program, reminder::ReminderRule};

/// How far ahead a calendar reaches, in days, today included.
pub const AHEAD_DAYS: i32 = 56;

/// When an entry stands in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Any time of the day: the patient has chosen no hour for it.
    Day,
    /// From this instant, an hour that the patient wants to be reminded at.
    At(Timestamp),
}

/// One session of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The patient's civil date.
    pub date: Date,
    /// Which session of that date, from 1. With the date it names the entry, whatever else of it changes.
    pub place: u8,
    /// When.
    pub when: When,
    /// How long everything due takes, in minutes, at least 1.
    pub minutes: u32,
}

/// The sessions from `today` on for [`AHEAD_DAYS`], in order. `logged` says how many of a program's sessions of today are logged already:
/// those are done with, from the day's first. The reminders' hours are the sessions' hours, in order; more sessions than hours, and days
/// without hours, have none. Whether reminders are mailed makes no difference, and neither does a pause of theirs.
pub fn ahead(programs: &[Program], rule: &ReminderRule, today: Date, logged: impl Fn(ProgramId) -> u32) -> Vec<Entry> {
    let mut entries = Vec::new();
    for ahead in 0..AHEAD_DAYS {
        let date = today.saturating_add(ahead.days());
        let due: Vec<(&Program, u8)> =
            programs.iter().map(|program| (program, program.slots_on(date))).filter(|(_, slots)| *slots > 0).collect();
        let hours = if rule.weekdays.contains(date.weekday()) { rule.times.as_slice() } else { &[] };
        for place in 1..=due.iter().map(|(_, slots)| *slots).max().unwrap_or(0) {
            let open =
                due.iter().filter(|(program, slots)| *slots >= place && (date > today || u32::from(place) > logged(program.id)));
            let minutes: u32 =
                open.filter_map(|(program, _)| program.version_on(date)).map(|version| version.minutes().max(1)).sum();
            if minutes > 0 {
                let when = hours.get(usize::from(place) - 1).map_or(When::Day, |hour| When::At(rule.zone.instant(date, *hour)));
                entries.push(Entry { date, place, when, minutes });
            }
        }
    }
    entries
}
