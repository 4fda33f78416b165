//! A program like the article's, and logs to go with it.

use domain::adherence::Logged;
use domain::dose::{Dose, DoseDraft};
use domain::ids::{ExerciseId, LogId, PatientId, PrescriptionId, ProgramId};
use domain::program::{Plan, Prescription, Program, Version, Weekdays};
use domain::session_log::{Entry, Outcome, SessionLog};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

/// A date as text.
pub fn d(text: &str) -> Date {
    text.parse().unwrap()
}

/// An instant as text.
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// So many days after a date.
pub fn after(date: Date, days: i32) -> Date {
    date.checked_add(days.days()).unwrap()
}

/// A dose from form fields: sets, reps, hold.
pub fn dose(sets: &str, reps: &str, hold: &str) -> Dose {
    DoseDraft { sets: sets.into(), reps: reps.into(), hold: hold.into(), ..DoseDraft::default() }.parse().unwrap()
}

/// A prescription of exercise number `n`.
pub fn prescribe(n: u128, dose: Dose) -> Prescription {
    Prescription { id: PrescriptionId::new(), exercise: ExerciseId(Uuid::from_u128(n)), dose, note: None }
}

/// Every day, once a day, two exercises.
pub fn plan() -> Plan {
    Plan {
        weekdays: Weekdays::all(),
        times_a_day: 1,
        prescriptions: vec![prescribe(1, dose("1", "10-12", "")), prescribe(2, dose("1", "3", "15-30"))],
    }
}

/// The first Monday of the tests.
pub fn monday() -> Date {
    d("2026-01-05")
}

/// Eight weeks from the first Monday, every day.
pub fn eight_weeks() -> Program {
    program(plan(), monday(), after(monday(), 55))
}

/// A program with a plan.
pub fn program(plan: Plan, start: Date, end: Date) -> Program {
    Program::assign(ProgramId::new(), PatientId::new(), "Upper back relief", start, end, plan).unwrap()
}

/// A log of a date with a completion and nothing by exercise.
pub fn logged(program: &Program, date: Date, completion: f64) -> Logged {
    Logged { program: program.id, date, completion, entries: Vec::new() }
}

/// Full logs on these days counted from the program's start (0 is its first day).
pub fn done(program: &Program, days: impl IntoIterator<Item = i32>) -> Vec<Logged> {
    days.into_iter().map(|n| logged(program, after(program.start, n), 1.0)).collect()
}

/// A log of a date with the same outcome for every exercise of a version.
pub fn log(program: &Program, version: &Version, date: Date, outcome: Outcome) -> SessionLog {
    let entries = version.prescriptions.iter().map(|p| Entry { prescription: p.id, outcome }).collect();
    let noon = date.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    SessionLog {
        id: LogId::new(),
        program: program.id,
        date,
        performed_at: noon,
        received_at: noon,
        entries,
        pain_before: None,
        pain_after: None,
        effort: None,
        note: None,
        red_flags: Vec::new(),
    }
}
