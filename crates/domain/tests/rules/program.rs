use crate::fixtures::{after, d, dose, eight_weeks, monday, plan, prescribe, program};
use domain::ids::{PatientId, ProgramId};
use domain::person::Role;
use domain::program::{DayKind, Plan, Program, ProgramError, ProgramStatus, Weekdays};
use jiff::civil::{Date, Weekday};
use proptest::prelude::*;

fn assign(name: &str, start: &str, end: &str, plan: Plan) -> Result<Program, ProgramError> {
    Program::assign(ProgramId::new(), PatientId::new(), name, d(start), d(end), plan)
}

#[test]
fn a_program_that_makes_no_sense_is_refused() {
    use ProgramError::*;
    let bare = |weekdays, times_a_day| Plan { weekdays, times_a_day, ..plan() };
    let many = |n| Plan { prescriptions: (0..n).map(|i| prescribe(i, dose("", "3", ""))).collect(), ..plan() };
    for (expected, made) in [
        (EndBeforeStart, assign("Back", "2026-01-05", "2026-01-04", plan())),
        (NameMissing, assign("  ", "2026-01-05", "2026-02-05", plan())),
        (NameTooLong, assign(&"x".repeat(121), "2026-01-05", "2026-02-05", plan())),
        (TooLong, assign("Back", "2026-01-05", "2028-01-06", plan())),
        (NoExercises, assign("Back", "2026-01-05", "2026-02-05", many(0))),
        (TooManyExercises, assign("Back", "2026-01-05", "2026-02-05", many(41))),
        (NoWeekdays, assign("Back", "2026-01-05", "2026-02-05", bare(Weekdays::NONE, 1))),
        (TimesADay, assign("Back", "2026-01-05", "2026-02-05", bare(Weekdays::all(), 0))),
        (TimesADay, assign("Back", "2026-01-05", "2026-02-05", bare(Weekdays::all(), 7))),
    ] {
        assert_eq!(made.unwrap_err(), expected);
    }
    assert!(assign("Back", "2026-01-05", "2026-01-05", plan()).is_ok(), "one day is a program");
    assert!(assign("Back", "2026-01-05", "2028-01-05", plan()).is_ok(), "two years are a program");
}

#[test]
fn weeks_count_from_the_first_day() {
    assert_eq!(Program::end_after_weeks(monday(), 6), Some(d("2026-02-15")));
    assert_eq!(Program::end_after_weeks(monday(), 0), None);
    assert_eq!(Program::end_after_weeks(monday(), 105), None);
    assert_eq!(Program::end_after_weeks(monday(), u32::MAX), None);
    let program = eight_weeks();
    for (day, week) in [(-1, None), (0, Some((1, 8))), (6, Some((1, 8))), (7, Some((2, 8))), (55, Some((8, 8))), (56, None)] {
        assert_eq!(program.week_on(after(monday(), day)), week, "day {day}");
    }
}

#[test]
fn weekdays_are_a_mask_from_monday() {
    let week: Weekdays = [Weekday::Monday, Weekday::Wednesday, Weekday::Sunday].into_iter().collect();
    assert_eq!(week.bits(), 0b100_0101);
    assert_eq!(week.count(), 3);
    assert_eq!(week.iter().collect::<Vec<_>>(), [Weekday::Monday, Weekday::Wednesday, Weekday::Sunday]);
    assert_eq!(Weekdays::from_bits(0x7f), Some(Weekdays::all()));
    assert_eq!(Weekdays::from_bits(0x80), None);
}

#[test]
fn slots_follow_weekday_dates_and_pause() {
    let twice_on_weekdays = Plan { weekdays: Weekdays::from_bits(0b001_1111).unwrap(), times_a_day: 2, ..plan() };
    let mut program = program(twice_on_weekdays, monday(), after(monday(), 13));
    program.pause(after(monday(), 8), Some(after(monday(), 9)), "Travelling", monday()).unwrap();
    use DayKind::*;
    let expected =
        [Outside, Due(2), Due(2), Due(2), Due(2), Due(2), Rest, Rest, Due(2), Paused, Paused, Due(2), Due(2), Rest, Rest, Outside];
    for (kind, day) in expected.into_iter().zip(-1..) {
        let date = after(monday(), day);
        assert_eq!(program.day_kind(date), kind, "{date}");
        assert_eq!(program.slots_on(date), if kind == Due(2) { 2 } else { 0 }, "{date}");
    }
}

#[test]
fn a_revision_takes_effect_from_its_date() {
    let mut program = eight_weeks();
    let today = after(monday(), 10);
    let twice = || Plan { times_a_day: 2, ..plan() };
    assert_eq!(program.revise(twice(), after(today, -1), today).unwrap_err(), ProgramError::RevisesThePast);
    assert_eq!(program.revise(twice(), after(monday(), 56), today).unwrap_err(), ProgramError::RevisesAfterTheEnd);
    assert_eq!(program.revise(twice(), after(today, 7), today).unwrap().number, 2);
    assert_eq!(program.slots_on(after(today, 6)), 1);
    assert_eq!(program.slots_on(after(today, 7)), 2);
    // Made later, in effect earlier: the newest decision holds, also after the planned one.
    program.revise(Plan { times_a_day: 3, ..plan() }, today, today).unwrap();
    assert_eq!(program.slots_on(after(today, -1)), 1);
    assert_eq!(program.slots_on(today), 3);
    assert_eq!(program.slots_on(after(today, 7)), 3);
    assert_eq!(program.newest().unwrap().number, 3);
    // A revision before the start holds from the start on.
    let mut early = eight_weeks();
    assert_eq!(early.revise(twice(), d("2026-01-01"), d("2026-01-01")).unwrap().from, monday());
}

#[test]
fn pausing_and_resuming() {
    let mut program = eight_weeks();
    let today = after(monday(), 3);
    use ProgramError::*;
    assert_eq!(program.pause(after(today, -1), None, "Flu", today).unwrap_err(), PausesThePast);
    assert_eq!(program.pause(today, Some(after(today, -1)), "Flu", today).unwrap_err(), PauseEndsBeforeStart);
    assert_eq!(program.pause(today, None, " ", today).unwrap_err(), ReasonMissing);
    assert_eq!(program.pause(after(monday(), 56), None, "Flu", today).unwrap_err(), PausesAfterTheEnd);
    assert_eq!(program.resume(today, Role::Physiotherapist, "Well again").unwrap_err(), NotPaused);

    program.pause(today, None, "Flu", today).unwrap();
    assert_eq!(program.status(today), ProgramStatus::Paused);
    assert_eq!(program.day_kind(after(today, 40)), DayKind::Paused, "until somebody resumes");
    program.resume(after(today, 5), Role::Patient, "").unwrap();
    assert_eq!(program.day_kind(after(today, 4)), DayKind::Paused, "the days that were paused stay so");
    assert_eq!(program.day_kind(after(today, 5)), DayKind::Due(1));
    assert_eq!(program.status(after(today, 5)), ProgramStatus::Active);
}

#[test]
fn only_staff_resume_after_a_stop_sign_and_say_why() {
    let mut program = eight_weeks();
    let today = after(monday(), 3);
    assert!(program.stop(today), "pauses at once");
    assert!(!program.stop(today), "once is enough");
    assert_eq!(program.status(today), ProgramStatus::Paused);
    assert_eq!(program.resume(today, Role::Patient, "I feel fine").unwrap_err(), ProgramError::NeedsPhysiotherapist);
    for nothing in ["  ", "\u{200B}", "\u{2060} \u{00AD}"] {
        assert_eq!(program.resume(today, Role::Owner, nothing).unwrap_err(), ProgramError::ReasonMissing);
    }
    assert!(program.is_stopped());
    program.resume(today, Role::Physiotherapist, "Seen and cleared").unwrap();
    assert_eq!(program.status(today), ProgramStatus::Active, "the same day goes on");
    assert_eq!(program.pauses[0].until, Some(after(today, -1)), "the stop stays on record");
    assert_eq!(program.pauses[0].resumed.as_deref(), Some("Seen and cleared"));
    // A holiday pause lies over a stop: still only staff.
    program.pause(after(today, 1), Some(after(today, 9)), "Holiday", today).unwrap();
    assert!(program.stop(after(today, 2)));
    assert_eq!(program.resume(after(today, 3), Role::Patient, "Back").unwrap_err(), ProgramError::NeedsPhysiotherapist);
}

#[test]
fn finishing_ends_what_is_due() {
    let mut program = eight_weeks();
    let on = after(monday(), 20);
    program.finish(on).unwrap();
    assert_eq!(program.finish(on).unwrap_err(), ProgramError::Finished);
    assert_eq!(program.slots_on(after(on, -1)), 1);
    assert_eq!(program.day_kind(on), DayKind::Outside);
    assert_eq!((program.status(after(on, -1)), program.status(on)), (ProgramStatus::Active, ProgramStatus::Finished));
    assert_eq!(program.revise(plan(), on, on).unwrap_err(), ProgramError::Finished);
    assert_eq!(program.pause(on, None, "Flu", on).unwrap_err(), ProgramError::Finished);
    assert!(!program.stop(on));
    let over = after(monday(), 56);
    assert_eq!(eight_weeks().finish(over).unwrap_err(), ProgramError::Finished);
    assert_eq!(eight_weeks().status(over), ProgramStatus::Finished);
    assert_eq!(eight_weeks().status(after(monday(), -1)), ProgramStatus::Upcoming);
}

/// A program with a random weekday mask and times a day, revised at random.
fn revisions() -> impl Strategy<Value = Vec<(i32, i32, u8, u8)>> {
    // (today, days ahead, weekday bits, times a day), applied in order of today
    proptest::collection::vec((0..56i32, 0..10i32, 1u8..=0x7f, 1u8..=6), 0..6)
}

proptest! {
    #[test]
    fn revising_from_a_date_never_changes_the_days_before(steps in revisions()) {
        let mut program = eight_weeks();
        let slots = |program: &Program, to: Date| -> Vec<u8> {
            (-3..60).map(|n| after(monday(), n)).filter(|date| *date < to).map(|date| program.slots_on(date)).collect()
        };
        for (today, ahead, bits, times) in steps {
            let (today, from) = (after(monday(), today), after(monday(), today + ahead));
            let before = slots(&program, from);
            let plan = Plan { weekdays: Weekdays::from_bits(bits).unwrap(), times_a_day: times, ..plan() };
            if program.revise(plan, from, today).is_ok() {
                let day = program.slots_on(from);
                let due = Weekdays::from_bits(bits).unwrap().contains(from.weekday());
                prop_assert_eq!(day, if due { times } else { 0 }, "the revision itself holds");
            }
            prop_assert_eq!(before, slots(&program, from));
        }
    }
}

#[test]
fn a_version_is_in_effect_on_the_days_on_which_it_is_the_one() {
    let mut program = eight_weeks();
    let day = |n| after(program.start, n);
    let (second, third, fourth) = (day(20), day(10), day(30));
    for from in [second, third, fourth] {
        program.revise(plan(), from, after(program.start, 1)).unwrap();
    }
    let check = |program: &Program| {
        for version in &program.versions {
            let days: Vec<Date> = (0..60)
                .map(|n| after(program.start, n))
                .filter(|date| {
                    *date <= program.last_day() && program.version_on(*date).is_some_and(|on| on.number == version.number)
                })
                .collect();
            assert_eq!(program.in_effect(version), days.first().copied().zip(days.last().copied()), "version {}", version.number);
        }
    };
    check(&program);
    let second = program.versions.iter().find(|version| version.number == 2).unwrap();
    assert_eq!(program.in_effect(second), None, "the third took its place before it began");
    program.finish(after(program.start, 25)).unwrap();
    check(&program);
}
