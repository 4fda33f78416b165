//! The two kinds that rest on sessions due and done.

use super::{Attention, AttentionKind, Facts};
use crate::adherence::{Logged, due_and_done};
use crate::program::{Program, ProgramStatus, days_between};
use jiff::ToSpan;
use jiff::civil::Date;

/// The length of each of the two periods that "dropped" compares, in days.
const FORTNIGHT: usize = 14;
/// The fewest due sessions a fortnight needs to be held against another.
const MIN_EXPECTED: u32 = 2;
/// A drop that lets up for no longer than this and returns is the same drop.
const SAME_DROP_DAYS: usize = 7;

/// The run of missed sessions that lasts until today: due sessions of running
/// programs on passed days, counted back to the last one in which something
/// was done. A session logged today ends it. Rest days and pauses are skipped.
pub(super) fn missed_run(programs: &[Program], logs: &[Logged], threshold: u32, today: Date) -> Option<Attention> {
    let running: Vec<&Program> = running(programs, today).collect();
    let days = days(&running, logs, today)?;
    let mut missed: Vec<Date> = Vec::new();
    for day in days.iter().rev() {
        if day.done > 0 {
            break;
        }
        if day.date < today {
            missed.extend(std::iter::repeat_n(day.date, day.due as usize)); // a few a day
        }
    }
    missed.reverse();
    let sessions = u32::try_from(missed.len()).ok()?;
    if sessions < threshold.max(1) {
        return None;
    }
    let first = *missed.first()?;
    Some(Attention {
        kind: AttentionKind::MissedRun,
        // The date of the session whose missing made it a run.
        since: *missed.get(threshold.max(1) as usize - 1)?,
        // One more day of the same silence is not a new fact; a new run is.
        key: format!("from {first}"),
        facts: Facts::MissedRun { sessions, first },
    })
}

/// Adherence of the last 14 days at least 30 points below the 14 days before.
/// The key is the date on which the drop began.
pub(super) fn dropped(programs: &[Program], logs: &[Logged], today: Date) -> Option<Attention> {
    running(programs, today).next()?;
    let all: Vec<&Program> = programs.iter().collect();
    let days = days(&all, logs, today)?;
    // Sums up to and including each day make every window two subtractions.
    let mut sums = vec![(0u32, 0u32)];
    for day in &days {
        let (expected, done) = sums[sums.len() - 1];
        sums.push((expected + day.expected, done + day.done));
    }
    let window = |from: usize, to: usize| (sums[to].0 - sums[from].0, sums[to].1 - sums[from].1);
    let drop_at = |end: usize| {
        let middle = end.checked_sub(FORTNIGHT)?;
        let (recent_due, recent_done) = window(middle, end);
        let (before_due, before_done) = window(middle.saturating_sub(FORTNIGHT), middle);
        if recent_due < MIN_EXPECTED || before_due < MIN_EXPECTED {
            return None;
        }
        // 30 points exactly is a drop, so compare whole numbers.
        let (a, b) = (i64::from(before_done) * i64::from(recent_due), i64::from(recent_done) * i64::from(before_due));
        let fell = 10 * (a - b) >= 3 * i64::from(before_due) * i64::from(recent_due);
        fell.then(|| Facts::Dropped {
            recent: f64::from(recent_done) / f64::from(recent_due),
            before: f64::from(before_done) / f64::from(before_due),
        })
    };
    let mut began = None;
    let mut held_at: Option<usize> = None;
    let mut now = None;
    for end in 1..=days.len() {
        now = drop_at(end);
        if now.is_some() {
            if held_at.is_none_or(|last| end - last > SAME_DROP_DAYS) {
                began = Some(days[end - 1].date);
            }
            held_at = Some(end);
        }
    }
    let (facts, since) = (now?, began?);
    Some(Attention { kind: AttentionKind::Dropped, since, key: format!("from {since}"), facts })
}

fn running(programs: &[Program], today: Date) -> impl Iterator<Item = &Program> {
    programs.iter().filter(move |program| program.status(today) == ProgramStatus::Active)
}

/// One civil date over several programs.
struct DayCount {
    date: Date,
    /// Slots.
    due: u32,
    /// Slots that count already: all once the day has passed, today's as far as logged.
    expected: u32,
    /// Sessions in which something was done.
    done: u32,
}

/// Every date from the first program's start to today.
fn days(programs: &[&Program], logs: &[Logged], today: Date) -> Option<Vec<DayCount>> {
    let from = programs.iter().map(|program| program.start).min()?;
    let length = usize::try_from(days_between(from, today) + 1).ok()?;
    let mut sorted: Vec<&Logged> = logs.iter().filter(|log| (from..=today).contains(&log.date)).collect();
    sorted.sort_by_key(|log| (log.date, log.program));
    let mut rest = sorted.as_slice();
    let mut days = Vec::with_capacity(length);
    for date in from.series(1.day()).take(length) {
        let (own, later) = rest.split_at(rest.partition_point(|log| log.date == date));
        rest = later;
        let mut day = DayCount { date, due: 0, expected: 0, done: 0 };
        for program in programs {
            let slots = u32::from(program.slots_on(date));
            let (expected, done) =
                due_and_done(slots, date, today, own.iter().filter(|log| log.program == program.id).map(|log| log.completion));
            day.due += slots;
            day.expected += expected;
            day.done += done;
        }
        days.push(day);
    }
    Some(days)
}
