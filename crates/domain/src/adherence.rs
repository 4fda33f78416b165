//! Adherence: how many of the sessions that were due were done. Worked out
//! from programs, logs and today each time, so that silence counts as what it
//! is. It is self-reported, and every report says so: in one study patients
//! logged 220 sessions where a sensor measured 176.

use crate::ids::{ExerciseId, ProgramId};
use crate::program::{DayKind, Program};
use crate::session_log::{Outcome, SessionLog, SkipReason, completion, entry_completion};
use jiff::civil::Date;

/// A log as adherence needs it: already measured against the version that was
/// in effect on its date.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// The program.
    pub program: ProgramId,
    /// The patient's civil date it counts for.
    pub date: Date,
    /// How much of the session was done, 0..=1.
    pub completion: f64,
    /// Per prescription: its exercise, how much of it was done (0..=1), and
    /// why not if it was skipped. May be empty where "by exercise" is not wanted.
    pub entries: Vec<(ExerciseId, f64, Option<SkipReason>)>,
}

impl Logged {
    /// Measures a log against the version it was made under. `None` when the
    /// program has no such version: the log is not one of its own.
    pub fn measure(log: &SessionLog, program: &Program) -> Option<Self> {
        let version = log.version(program)?;
        let entries = log
            .entries
            .iter()
            .filter_map(|entry| {
                let prescription = version.prescription(entry.prescription)?;
                let skipped = match entry.outcome {
                    Outcome::Skipped(reason) => Some(reason),
                    Outcome::Did { .. } => None,
                };
                Some((prescription.exercise, entry_completion(entry.outcome, prescription), skipped))
            })
            .collect();
        Some(Self { program: program.id, date: log.date, completion: completion(log, version), entries })
    }
}

/// What a day came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DayState {
    /// No program on that day.
    Outside,
    /// A day without sessions.
    Rest,
    /// A paused day.
    Paused,
    /// Every due session was done in full.
    Done,
    /// Something was done, not all.
    Part,
    /// The day has passed and nothing was done.
    Missed,
    /// Today or later, nothing done yet.
    Open,
}

/// One civil date of the period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// The date.
    pub date: Date,
    /// What it came to.
    pub state: DayState,
    /// How much of the day's sessions was done, 0..=1; 0 where none were due.
    pub completion: f64,
    /// What the day adds to [`Adherence::expected`].
    pub expected: u32,
    /// What it adds to [`Adherence::sessions`].
    pub sessions: u32,
    /// What it adds to [`Adherence::completion_sum`].
    pub completion_sum: f64,
}

/// One exercise over the period.
#[derive(Debug, Clone, PartialEq)]
pub struct ExerciseAdherence {
    /// The exercise.
    pub exercise: ExerciseId,
    /// How many times it was due.
    pub expected: u32,
    /// The sum of what was done, each time 0..=1.
    pub done_sum: f64,
    /// How often it was skipped, by reason, most frequent first.
    pub skipped: Vec<(SkipReason, u32)>,
}

impl ExerciseAdherence {
    /// Done out of due, 0..=1; `None` when it was never due.
    pub fn ratio(&self) -> Option<f64> {
        share(self.done_sum, self.expected)
    }
}

/// Adherence over a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Adherence {
    /// Sessions due on days that have passed, and today's as far as logged.
    pub expected: u32,
    /// Sessions in which something was done, at most the day's slots each day.
    pub sessions: u32,
    /// The sum of their completions.
    pub completion_sum: f64,
    /// Per exercise, in the order of first prescription.
    pub by_exercise: Vec<ExerciseAdherence>,
    /// Every date from `from` to `to`, in order.
    pub days: Vec<Day>,
}

impl Adherence {
    /// Sessions done out of sessions due, 0..=1. `None` means that no sessions
    /// are due yet: neither 0 % nor 100 %.
    pub fn ratio(&self) -> Option<f64> {
        share(f64::from(self.sessions), self.expected)
    }

    /// How much of what was due was done, 0..=1; `None` as in [`Adherence::ratio`].
    pub fn completion(&self) -> Option<f64> {
        share(self.completion_sum, self.expected)
    }
}

fn share(done: f64, expected: u32) -> Option<f64> {
    (expected > 0).then(|| (done / f64::from(expected)).clamp(0.0, 1.0))
}

/// Adherence of one patient over `from..=to`, clipped to the programs and to
/// `today`. Logs may come in any order; those outside the period or of other
/// programs are ignored. Work grows with days × programs + logs · log(logs),
/// and there is one [`Day`] for each date asked for: whoever takes `from` and
/// `to` from a reader bounds them.
pub fn adherence(programs: &[Program], logs: &[Logged], from: Date, to: Date, today: Date) -> Adherence {
    let mut sorted: Vec<&Logged> = logs.iter().filter(|log| (from..=to).contains(&log.date)).collect();
    // By day and program, fullest first: when a day is logged more often than
    // it has slots, its fullest logs are the ones that count.
    sorted.sort_by(|a, b| (a.date, a.program).cmp(&(b.date, b.program)).then(b.completion.total_cmp(&a.completion)));

    let mut sum = Adherence { expected: 0, sessions: 0, completion_sum: 0.0, by_exercise: Vec::new(), days: Vec::new() };
    let mut next_log = 0;
    let mut day = (from <= to).then_some(from);
    while let Some(date) = day {
        let start = next_log;
        while sorted.get(next_log).is_some_and(|log| log.date == date) {
            next_log += 1;
        }
        let todays = &sorted[start..next_log];
        let day_is = add_day(&mut sum, programs, todays, date, today);
        sum.days.push(day_is);
        day = date.tomorrow().ok().filter(|next| *next <= to);
    }
    for exercise in &mut sum.by_exercise {
        exercise.skipped.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
    }
    sum
}

/// How many of a date's slots count by now, and in how many of them something
/// was done, from the completions of one program's logs on that date.
pub(crate) fn due_and_done(slots: u32, date: Date, today: Date, completions: impl Iterator<Item = f64>) -> (u32, u32) {
    let (logged, done) =
        completions.fold((0u32, 0u32), |(logged, done), completion| (logged + 1, done + u32::from(completion > 0.0)));
    let expected = match date.cmp(&today) {
        std::cmp::Ordering::Less => slots,
        // An open morning is never held against anyone.
        std::cmp::Ordering::Equal => slots.min(logged),
        std::cmp::Ordering::Greater => 0,
    };
    (expected, done.min(expected))
}

/// Adds one date to the sums and says what the date came to. `logs` are those
/// of the date, grouped by program, fullest first.
fn add_day(sum: &mut Adherence, programs: &[Program], logs: &[&Logged], date: Date, today: Date) -> Day {
    let (mut due, mut completion) = (0u32, 0.0);
    let (before_expected, before_sessions) = (sum.expected, sum.sessions);
    let (mut rest, mut paused) = (false, false);
    for program in programs {
        let slots = match program.day_kind(date) {
            DayKind::Outside => continue,
            DayKind::Rest => {
                rest = true;
                continue;
            }
            DayKind::Paused => {
                paused = true;
                continue;
            }
            DayKind::Due(slots) => usize::from(slots),
        };
        due += slots as u32; // at most 6
        let first = logs.partition_point(|log| log.program < program.id);
        let own = &logs[first..];
        let own = &own[..own.partition_point(|log| log.program == program.id)];
        let counted = &own[..own.len().min(slots)];
        if date > today {
            continue;
        }
        let slots = slots as u32; // at most 6
        let (expected, done) = due_and_done(slots, date, today, own.iter().map(|log| log.completion));
        sum.expected += expected;
        sum.sessions += done;
        for log in counted.iter().filter(|log| log.completion > 0.0) {
            sum.completion_sum += log.completion.min(1.0);
            completion += log.completion.min(1.0);
        }
        add_exercises(sum, program, date, expected, counted);
    }
    let state = if due > 0 {
        // A sum of thirds may miss its whole number in the last digit.
        if completion >= f64::from(due) - 1e-9 {
            DayState::Done
        } else if completion > 0.0 {
            DayState::Part
        } else if date < today {
            DayState::Missed
        } else {
            DayState::Open
        }
    } else if paused {
        DayState::Paused
    } else if rest {
        DayState::Rest
    } else {
        DayState::Outside
    };
    Day {
        date,
        state,
        completion: share(completion, due).unwrap_or(0.0),
        expected: sum.expected - before_expected,
        sessions: sum.sessions - before_sessions,
        completion_sum: completion,
    }
}

/// The places in `logs` of those that [`adherence`] counts over the same period, in the order of `logs`: what the figures rest on, row by
/// row. On a day that was logged more often than it has slots the fullest are the ones that count.
pub fn counted(programs: &[Program], logs: &[Logged], from: Date, to: Date, today: Date) -> Vec<usize> {
    let last = to.min(today);
    let mut sorted: Vec<(usize, &Logged)> = logs.iter().enumerate().filter(|(_, log)| (from..=last).contains(&log.date)).collect();
    sorted.sort_by(|(_, a), (_, b)| (a.date, a.program).cmp(&(b.date, b.program)).then(b.completion.total_cmp(&a.completion)));
    let mut counted: Vec<usize> = sorted
        .chunk_by(|(_, a), (_, b)| (a.date, a.program) == (b.date, b.program))
        .flat_map(|own| {
            let program =
                own.first().and_then(|(_, log)| programs.iter().find(|program| program.id == log.program).zip(Some(log.date)));
            let slots = program.map_or(0, |(program, date)| usize::from(program.slots_on(date)));
            own.iter().take(slots).map(|(at, _)| *at)
        })
        .collect();
    counted.sort_unstable();
    counted
}

/// The same sums, one exercise of the version in effect at a time.
fn add_exercises(sum: &mut Adherence, program: &Program, date: Date, expected: u32, counted: &[&Logged]) {
    let Some(version) = program.version_on(date).filter(|_| expected > 0) else {
        return;
    };
    for prescription in &version.prescriptions {
        row(&mut sum.by_exercise, prescription.exercise).expected += expected;
    }
    for (exercise, done, skipped) in counted.iter().flat_map(|log| &log.entries) {
        let row = row(&mut sum.by_exercise, *exercise);
        row.done_sum += done.clamp(0.0, 1.0);
        if let Some(reason) = skipped {
            match row.skipped.iter_mut().find(|(known, _)| known == reason) {
                Some((_, n)) => *n += 1,
                None => row.skipped.push((*reason, 1)),
            }
        }
    }
}

/// The exercise's row, made when it is first met. A patient has a handful of
/// exercises, so looking through them is quicker than a map.
fn row(rows: &mut Vec<ExerciseAdherence>, exercise: ExerciseId) -> &mut ExerciseAdherence {
    let at = rows.iter().position(|row| row.exercise == exercise).unwrap_or_else(|| {
        rows.push(ExerciseAdherence { exercise, expected: 0, done_sum: 0.0, skipped: Vec::new() });
        rows.len() - 1
    });
    &mut rows[at]
}
