use crate::fixtures::{after, dose, eight_weeks, log, monday, plan, prescribe, program};
use domain::adherence::Logged;
use domain::ids::{PrescriptionId, ProgramId};
use domain::program::{Plan, Program};
use domain::session_log::{
    Effort, Entry, LogError, Outcome, PainScore, RedFlag, ScoreError, SessionLog, SkipReason, completion, entry_completion,
};
use jiff::civil::Date;
use proptest::prelude::*;

const NOTHING: Outcome = Outcome::Did { sets: 0, reps: 0, hold: None };

fn did(sets: u16, reps: u16, hold: Option<u16>) -> Outcome {
    Outcome::Did { sets, reps, hold }
}

fn log_on(program: &Program, date: Date) -> SessionLog {
    log(program, program.version_on(date).unwrap_or(&program.versions[0]), date, did(1, 3, None))
}

#[test]
fn scores_are_whole_numbers_from_0_to_10() {
    for score in 0..=10 {
        assert_eq!(i64::from(PainScore::new(score).unwrap().get()), score);
        assert_eq!(i64::from(Effort::new(score).unwrap().get()), score);
    }
    for score in [-1, 11, 256, 266, i64::MIN, i64::MAX] {
        assert_eq!(PainScore::new(score), Err(ScoreError::Pain));
        assert_eq!(Effort::new(score), Err(ScoreError::Effort));
    }
    assert_eq!(Effort::BUTTONS.map(Effort::get), [1, 2, 3, 5, 7]);
}

#[test]
fn tags_of_reasons_and_stop_signs_read_back() {
    for reason in SkipReason::ALL {
        assert_eq!(reason.tag().parse(), Ok(*reason));
    }
    assert_eq!(RedFlag::ALL.len(), 6);
    for flag in RedFlag::ALL {
        assert_eq!(flag.tag().parse(), Ok(*flag));
    }
}

#[test]
fn a_patient_logs_today_and_seven_days_back() {
    let program = eight_weeks();
    let today = after(monday(), 20);
    for (back, result) in [
        (-1, Err(LogError::Future)),
        (0, Ok(())),
        (1, Ok(())),
        (7, Ok(())),
        (8, Err(LogError::TooLongAgo)),
        (400, Err(LogError::TooLongAgo)),
    ] {
        assert_eq!(log_on(&program, after(today, -back)).check(&program, today), result, "{back} days back");
    }
    // Inside the program only, however close.
    let on_day = |day: i32, today: i32| log_on(&program, after(monday(), day)).check(&program, after(monday(), today));
    assert_eq!(on_day(-1, 2), Err(LogError::OutsideProgram));
    assert_eq!(on_day(0, 2), Ok(()));
    assert_eq!(on_day(55, 58), Ok(()), "the last day, after the end");
    assert_eq!(on_day(56, 58), Err(LogError::OutsideProgram));
    let mut finished = program.clone();
    finished.finish(today).unwrap();
    assert_eq!(log_on(&finished, today).check(&finished, today), Err(LogError::OutsideProgram));
    assert_eq!(log_on(&finished, after(today, -1)).check(&finished, today), Ok(()));
}

#[test]
fn where_only_today_is_open_no_other_day_is_logged() {
    let program = eight_weeks();
    let today = after(monday(), 20);
    for back in [-1, 1, 7, 8, 400] {
        assert_eq!(log_on(&program, after(today, -back)).check_today(&program, today), Err(LogError::NotToday), "{back} days back");
    }
    assert_eq!(log_on(&program, today).check_today(&program, today), Ok(()));
    let after_the_end = after(monday(), 56);
    assert_eq!(log_on(&program, after_the_end).check_today(&program, after_the_end), Err(LogError::OutsideProgram));
}

#[test]
fn a_log_names_exercises_of_its_day() {
    let program = eight_weeks();
    let mut strange = log_on(&program, monday());
    strange.entries[0].prescription = PrescriptionId::new();
    assert_eq!(strange.check(&program, monday()), Err(LogError::UnknownExercise));
    let mut twice = log_on(&program, monday());
    twice.entries.push(twice.entries[0]);
    assert_eq!(twice.check(&program, monday()), Err(LogError::ExerciseTwice));
    let mut other = log_on(&program, monday());
    other.program = ProgramId::new();
    assert_eq!(other.check(&program, monday()), Err(LogError::OtherProgram));
}

#[test]
fn a_log_says_something() {
    let program = eight_weeks();
    let empty = SessionLog { entries: Vec::new(), ..log_on(&program, monday()) };
    let check = |log: SessionLog| log.check(&program, monday());
    assert_eq!(check(empty.clone()), Err(LogError::Empty));
    assert_eq!(check(SessionLog { note: Some("  ".into()), ..empty.clone() }), Err(LogError::Empty));
    assert_eq!(check(SessionLog { red_flags: vec![RedFlag::FallOrBlow], ..empty.clone() }), Ok(()));
    assert_eq!(check(SessionLog { pain_after: PainScore::new(0).ok(), ..empty.clone() }), Ok(()));
    assert_eq!(check(SessionLog { note: Some("é".repeat(2000)), ..empty.clone() }), Ok(()));
    assert_eq!(check(SessionLog { note: Some("é".repeat(2001)), ..empty }), Err(LogError::NoteTooLong));
}

#[test]
fn three_times_the_prescribed_maximum_is_the_most() {
    let of = |sets: &str, reps: &str, hold: &str| {
        program(Plan { prescriptions: vec![prescribe(1, dose(sets, reps, hold))], ..plan() }, monday(), after(monday(), 6))
    };
    for (program, outcome, ok) in [
        (of("1", "10-15", ""), did(1, 45, None), true),
        (of("1", "10-15", ""), did(1, 46, None), false),
        (of("1", "10-15", ""), did(3, 15, None), true),
        (of("1", "10-15", ""), did(4, 1, None), false),
        (of("1", "10-15", ""), did(3, 45, None), false),
        (of("1", "3", "15-30"), did(1, 3, Some(90)), true),
        (of("1", "3", "15-30"), did(1, 3, Some(91)), false),
        (of("1", "3", "15-30"), did(1, 9, Some(90)), false),
        (of("20", "200", "600"), did(u16::MAX, u16::MAX, Some(u16::MAX)), false),
        (of("1", "10-15", ""), NOTHING, true),
        (of("1", "10-15", ""), Outcome::Skipped(SkipReason::NoTime), true),
    ] {
        let log = log(&program, &program.versions[0], monday(), outcome);
        assert_eq!(log.check(&program, monday()), if ok { Ok(()) } else { Err(LogError::TooMuch) }, "{outcome:?}");
    }
}

#[test]
fn a_log_is_corrected_for_seven_days_on_its_own_day() {
    let program = eight_weeks();
    let earlier = log_on(&program, monday());
    let logged_on = after(monday(), 6);
    let corrected = SessionLog { entries: vec![], pain_after: PainScore::new(3).ok(), ..earlier.clone() };
    let check = |log: &SessionLog, today: i32| log.check_correction(&earlier, &program, logged_on, after(monday(), today));
    assert_eq!(check(&corrected, 6), Ok(()));
    assert_eq!(check(&corrected, 13), Ok(()), "seven days after it was logged, though thirteen after the session");
    assert_eq!(check(&corrected, 14), Err(LogError::CorrectedTooLate));
    let moved = SessionLog { date: after(monday(), 1), ..corrected };
    assert_eq!(check(&moved, 6), Err(LogError::CorrectsAnotherDay));
}

#[test]
fn completion_is_measured_against_the_lower_bound() {
    for (prescribed, outcome, expected) in [
        (dose("1", "10-12", ""), did(1, 10, None), 1.0),
        (dose("1", "10-12", ""), did(1, 12, None), 1.0),
        (dose("1", "10-12", ""), did(1, 30, None), 1.0),
        (dose("1", "10-12", ""), did(1, 5, None), 0.5),
        (dose("3", "10", ""), did(2, 10, None), 2.0 / 3.0),
        (dose("2-3", "10-15", ""), did(2, 10, None), 1.0),
        (dose("1", "3", "15-30"), did(1, 3, Some(15)), 1.0),
        (dose("1", "3", "20"), did(1, 3, Some(10)), 0.5),
        (dose("1", "3", "20"), did(1, 3, None), 1.0),
        (dose("1", "3", "20"), did(1, 3, Some(0)), 0.0),
        (dose("1", "10", ""), did(1, 10, Some(0)), 1.0),
        (dose("1", "10", ""), NOTHING, 0.0),
        (dose("1", "10", ""), Outcome::Skipped(SkipReason::Pain), 0.0),
    ] {
        let found = entry_completion(outcome, &prescribe(1, prescribed));
        assert!((found - expected).abs() < 1e-12, "{prescribed}: {outcome:?} is {found}");
    }
}

#[test]
fn a_session_is_the_mean_over_its_prescriptions() {
    let program = eight_weeks();
    let version = &program.versions[0];
    let mut session = log(&program, version, monday(), did(1, 10, None));
    assert_eq!(completion(&session, version), 1.0);
    session.entries[1].outcome = Outcome::Skipped(SkipReason::NotSureHow);
    assert_eq!(completion(&session, version), 0.5);
    session.entries.pop();
    assert_eq!(completion(&session, version), 0.5, "an exercise nobody logged was not done");
    session.entries.clear();
    assert_eq!(completion(&session, version), 0.0);
}

#[test]
fn the_morning_before_a_revision_keeps_its_plan() {
    let mut program = eight_weeks();
    let today = after(monday(), 10);
    let morning = log_on(&program, today);
    program.revise(plan(), today, today).unwrap();
    assert_eq!(morning.check(&program, today), Ok(()));
    assert_eq!(Logged::measure(&morning, &program).unwrap().completion, morning_completion(&morning, &program));
    assert_eq!(morning.version(&program).unwrap().number, 1);
    assert_eq!(log_on(&program, today).version(&program).unwrap().number, 2);
    // A day later the old plan is over.
    let stale = SessionLog { date: after(today, 1), ..morning };
    assert_eq!(stale.check(&program, after(today, 1)), Err(LogError::UnknownExercise));
}

fn morning_completion(log: &SessionLog, program: &Program) -> f64 {
    completion(log, &program.versions[0])
}

proptest! {
    #[test]
    fn completion_stays_between_nothing_and_all(sets in 0u16..100, reps in 0u16..700, hold in proptest::option::of(0u16..2000)) {
        let program = eight_weeks();
        let version = &program.versions[0];
        let entries = version.prescriptions.iter().map(|p| Entry { prescription: p.id, outcome: did(sets, reps, hold) }).collect();
        let session = SessionLog { entries, ..log_on(&program, monday()) };
        let share = completion(&session, version);
        prop_assert!((0.0..=1.0).contains(&share));
    }
}
