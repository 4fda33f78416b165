use crate::fixtures::{after, d, done, dose, eight_weeks, logged, monday, plan, prescribe, program};
use domain::adherence::{Adherence, DayState, Logged, adherence, counted};
use domain::ids::{ExerciseId, ProgramId};
use domain::person::Zone;
use domain::program::{Plan, Program, Weekdays};
use domain::session_log::SkipReason;
use jiff::civil::Date;
use proptest::prelude::*;
use uuid::Uuid;

/// Adherence of one program from its start as of the `n`th day (0 is the first).
fn as_of(program: &Program, logs: &[Logged], n: i32) -> Adherence {
    let today = after(program.start, n);
    adherence(std::slice::from_ref(program), logs, program.start, today, today)
}

#[test]
fn a_patient_who_does_everything_is_at_100_percent_on_each_of_days_1_to_56() {
    let program = eight_weeks();
    for day in 0..56 {
        let evening = as_of(&program, &done(&program, 0..=day), day);
        assert_eq!(evening.ratio(), Some(1.0), "evening of day {}", day + 1);
        assert_eq!(evening.completion(), Some(1.0), "evening of day {}", day + 1);
        assert_eq!((evening.expected, evening.sessions), (day as u32 + 1, day as u32 + 1));
        let morning = as_of(&program, &done(&program, 0..day), day);
        assert_eq!(morning.ratio(), (day > 0).then_some(1.0), "morning of day {}", day + 1);
        assert_eq!(morning.days.last().unwrap().state, DayState::Open);
    }
}

#[test]
fn a_silent_patients_figure_falls_day_by_day() {
    let program = eight_weeks();
    let week = done(&program, 0..7);
    let mut last = 1.0;
    for day in 8..56 {
        let now = as_of(&program, &week, day);
        let ratio = now.ratio().unwrap();
        assert_eq!(ratio, 7.0 / f64::from(day));
        assert!(ratio < last, "day {day}");
        assert_eq!(now.days[day as usize - 1].state, DayState::Missed);
        last = ratio;
    }
    // After the end it stands.
    assert_eq!(as_of(&program, &week, 56).ratio(), as_of(&program, &week, 300).ratio());
}

#[test]
fn before_anything_is_due_there_is_no_figure() {
    let program = eight_weeks();
    for (today, from, to) in [(-5, -5, 10), (0, 0, 0), (0, -30, 30), (20, 56, 90), (5, 6, 10)] {
        let day = |n| after(monday(), n);
        let found = adherence(std::slice::from_ref(&program), &[], day(from), day(to), day(today));
        assert_eq!((found.ratio(), found.completion(), found.expected), (None, None, 0), "{today} {from} {to}");
    }
    let none = adherence(&[], &[], d("2026-01-01"), d("2026-01-07"), d("2026-01-05"));
    assert_eq!(none.ratio(), None);
    assert!(none.days.iter().all(|day| day.state == DayState::Outside));
    assert_eq!(none.days.len(), 7);
    assert!(adherence(&[program], &[], d("2026-01-07"), d("2026-01-01"), d("2026-01-05")).days.is_empty());
}

#[test]
fn editing_todays_dose_leaves_last_week_unchanged() {
    let mut program = eight_weeks();
    let today = after(monday(), 10);
    let logs = done(&program, [0, 1, 3, 4, 6]);
    let last_week = |program: &Program| adherence(std::slice::from_ref(program), &logs, monday(), after(monday(), 9), today);
    let before = last_week(&program);
    let harder = Plan { times_a_day: 3, prescriptions: vec![prescribe(9, dose("5", "30", ""))], ..plan() };
    program.revise(harder, today, today).unwrap();
    assert_eq!(last_week(&program), before);
    // From today on it counts.
    assert_eq!(as_of(&program, &logs, 11).expected, before.expected + 3);
}

#[test]
fn a_pause_excuses_its_days() {
    let mut program = eight_weeks();
    program.pause(after(monday(), 7), Some(after(monday(), 13)), "Travelling", monday()).unwrap();
    let found = as_of(&program, &done(&program, 0..7), 14);
    assert_eq!((found.expected, found.ratio()), (7, Some(1.0)));
    assert!(found.days[7..14].iter().all(|day| day.state == DayState::Paused));
    assert_eq!(found.days[14].state, DayState::Open);
}

#[test]
fn a_day_logged_twice_counts_once() {
    let program = eight_weeks();
    let mut logs = done(&program, [0, 0, 0]);
    assert_eq!((as_of(&program, &logs, 0).expected, as_of(&program, &logs, 0).sessions), (1, 1));
    // The fullest log counts, in whatever order they came.
    logs = vec![logged(&program, monday(), 0.25), logged(&program, monday(), 0.75), logged(&program, monday(), 0.5)];
    let found = as_of(&program, &logs, 3);
    assert_eq!((found.expected, found.sessions, found.completion_sum), (3, 1, 0.75));
    assert_eq!((found.days[0].state, found.days[0].completion), (DayState::Part, 0.75));
}

#[test]
fn two_sessions_a_day_one_done_is_half() {
    let program = program(Plan { times_a_day: 2, ..plan() }, monday(), after(monday(), 55));
    let found = as_of(&program, &done(&program, 0..10), 10);
    assert_eq!((found.expected, found.sessions, found.ratio()), (20, 10, Some(0.5)));
    assert_eq!(found.days[0].state, DayState::Part);
    // Today counts as far as it is logged.
    let found = as_of(&program, &done(&program, 0..=10), 10);
    assert_eq!((found.expected, found.sessions), (21, 11));
    let both = as_of(&program, &done(&program, [0, 0]), 1);
    assert_eq!((both.ratio(), both.days[0].state), (Some(1.0), DayState::Done));
}

#[test]
fn a_session_in_which_nothing_was_done_is_due_and_not_done() {
    let program = eight_weeks();
    let logs = [logged(&program, monday(), 0.0)];
    let found = as_of(&program, &logs, 0);
    assert_eq!((found.expected, found.sessions, found.ratio()), (1, 0, Some(0.0)));
    assert_eq!(found.days[0].state, DayState::Open, "the day is not over");
    assert_eq!(as_of(&program, &logs, 1).days[0].state, DayState::Missed);
}

#[test]
fn a_log_lands_on_the_patients_civil_date() {
    // Begun at 23:50 in Kuala Lumpur, where it is already 00:50 in Tokyo.
    let instant = "2026-01-06T15:50:00Z".parse().unwrap();
    let in_kl = Zone::parse("Asia/Kuala_Lumpur").unwrap().date(instant);
    let in_tokyo = Zone::parse("Asia/Tokyo").unwrap().date(instant);
    assert_eq!((in_kl, in_tokyo), (d("2026-01-06"), d("2026-01-07")));
    let program = eight_weeks();
    let mut logs = done(&program, [0]);
    logs.push(logged(&program, in_kl, 1.0));
    assert_eq!(as_of(&program, &logs, 2).ratio(), Some(1.0));
    logs[1].date = in_tokyo;
    assert_eq!(as_of(&program, &logs, 2).ratio(), Some(2.0 / 3.0), "the patient's day decides");
}

#[test]
fn the_first_patient_of_the_field_study_stays_at_100_percent() {
    // Others' figure fell to 39 % on day 31 of a perfect eight weeks.
    let program = eight_weeks();
    assert_eq!(as_of(&program, &done(&program, 0..31), 31).ratio(), Some(1.0));
}

#[test]
fn rest_days_ask_for_nothing() {
    let weekdays = Weekdays::from_bits(0b001_0101).unwrap();
    let program = program(Plan { weekdays, ..plan() }, monday(), after(monday(), 13));
    let found = as_of(&program, &done(&program, [0, 1, 2]), 7);
    assert_eq!((found.expected, found.sessions), (3, 2), "a log on a rest day is kept and not counted");
    use DayState::*;
    let states: Vec<DayState> = found.days.iter().map(|day| day.state).collect();
    assert_eq!(states, [Done, Rest, Done, Rest, Missed, Rest, Rest, Open]);
}

#[test]
fn two_programs_add_up() {
    let (a, b) = (eight_weeks(), eight_weeks());
    let logs = [done(&a, 0..4), done(&b, 0..2)].concat();
    let today = after(monday(), 4);
    let found = adherence(&[a, b], &logs, monday(), today, today);
    assert_eq!((found.expected, found.sessions, found.days[0].state, found.days[3].state), (8, 6, DayState::Done, DayState::Part));
    let stranger = Logged { program: ProgramId::new(), date: monday(), completion: 1.0, entries: vec![] };
    assert_eq!(as_of(&eight_weeks(), &[stranger], 1).sessions, 0);
}

#[test]
fn by_exercise_one_prescription_at_a_time() {
    let program = eight_weeks();
    let exercise = |n| ExerciseId(Uuid::from_u128(n));
    let log = |day: i32, second: f64, skipped| Logged {
        program: program.id,
        date: after(monday(), day),
        completion: (1.0 + second) / 2.0,
        entries: vec![(exercise(1), 1.0, None), (exercise(2), second, skipped)],
    };
    let logs = [
        log(0, 1.0, None),
        log(1, 0.5, None),
        log(2, 0.0, Some(SkipReason::NoTime)),
        log(3, 0.0, Some(SkipReason::Pain)),
        log(4, 0.0, Some(SkipReason::Pain)),
    ];
    let found = as_of(&program, &logs, 6).by_exercise;
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].exercise, found[0].expected, found[0].done_sum), (exercise(1), 6, 5.0));
    assert_eq!((found[1].exercise, found[1].expected, found[1].done_sum), (exercise(2), 6, 1.5));
    assert_eq!(found[1].skipped, [(SkipReason::Pain, 2), (SkipReason::NoTime, 1)]);
    assert_eq!(found[1].ratio(), Some(0.25));
}

fn any_program() -> impl Strategy<Value = Program> {
    (1u8..=0x7f, 1u8..=6, 0..70i32).prop_map(|(bits, times_a_day, length)| {
        let weekdays = Weekdays::from_bits(bits).unwrap();
        program(Plan { weekdays, times_a_day, ..plan() }, monday(), after(monday(), length))
    })
}

fn any_logs() -> impl Strategy<Value = Vec<(i32, f64)>> {
    proptest::collection::vec((-5..80i32, prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0f64]), 0..120)
}

/// The rules once more, a day at a time and with no care for speed.
fn naive(program: &Program, logs: &[Logged], from: Date, to: Date, today: Date) -> (u32, u32, f64) {
    let (mut expected, mut sessions, mut sum) = (0, 0, 0.0);
    for n in 0..200 {
        let date = after(from, n);
        if date > to || date > today {
            break;
        }
        let slots = u32::from(program.slots_on(date));
        let mut own: Vec<f64> = logs.iter().filter(|log| log.date == date).map(|log| log.completion).collect();
        own.sort_by(|a, b| b.total_cmp(a));
        own.truncate(slots as usize);
        expected += if date < today { slots } else { own.len() as u32 };
        sessions += own.iter().filter(|share| **share > 0.0).count() as u32;
        sum += own.iter().sum::<f64>();
    }
    (expected, sessions, sum)
}

proptest! {
    #[test]
    fn the_figures_are_shares_and_agree_with_a_naive_count(
        program in any_program(), raw in any_logs(), from in -10..40i32, length in 0..90i32, today in -5..90i32,
    ) {
        let logs: Vec<Logged> = raw.iter().map(|(day, share)| logged(&program, after(monday(), *day), *share)).collect();
        let (from, to, today) = (after(monday(), from), after(monday(), from + length), after(monday(), today));
        let found = adherence(std::slice::from_ref(&program), &logs, from, to, today);
        let (expected, sessions, sum) = naive(&program, &logs, from, to, today);
        prop_assert_eq!((found.expected, found.sessions), (expected, sessions));
        prop_assert!((found.completion_sum - sum).abs() < 1e-9);
        prop_assert!(found.sessions <= found.expected);
        prop_assert!(found.completion_sum <= f64::from(found.sessions) + 1e-9);
        for share in [found.ratio(), found.completion()].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&share));
        }
        prop_assert_eq!(found.ratio().is_some(), found.expected > 0);
        prop_assert_eq!(found.days.len() as i32, length + 1);
        prop_assert!(found.days.iter().all(|day| (0.0..=1.0).contains(&day.completion)));
    }

    #[test]
    fn the_order_of_logs_does_not_matter(program in any_program(), raw in any_logs(), today in 0..90i32) {
        let mut logs: Vec<Logged> = raw.iter().map(|(day, share)| logged(&program, after(monday(), *day), *share)).collect();
        let forward = as_of(&program, &logs, today);
        logs.reverse();
        let backward = as_of(&program, &logs, today);
        prop_assert_eq!((forward.expected, forward.sessions), (backward.expected, backward.sessions));
        prop_assert!((forward.completion_sum - backward.completion_sum).abs() < 1e-9);
    }

    #[test]
    fn a_pause_never_adds_to_what_is_due(program in any_program(), raw in any_logs(), from in 0..60i32, length in 0..20i32, today in 0..90i32) {
        let logs: Vec<Logged> = raw.iter().map(|(day, share)| logged(&program, after(monday(), *day), *share)).collect();
        let before = as_of(&program, &logs, today);
        let mut paused = program.clone();
        let (from, until) = (after(monday(), from), after(monday(), from + length));
        if paused.pause(from, Some(until), "Travelling", monday()).is_ok() {
            let found = as_of(&paused, &logs, today);
            prop_assert!(found.expected <= before.expected);
            // With nothing logged on its days, a pause can only help.
            let outside: Vec<Logged> = logs.iter().filter(|log| log.date < from || log.date > until).cloned().collect();
            let (a, b) = (as_of(&program, &outside, today).ratio(), as_of(&paused, &outside, today).ratio());
            if let (Some(a), Some(b)) = (a, b) {
                prop_assert!(b >= a);
            }
        }
    }

    #[test]
    fn revising_never_changes_the_figures_of_earlier_days(program in any_program(), raw in any_logs(), at in 0..60i32, times_a_day in 1u8..=6) {
        let logs: Vec<Logged> = raw.iter().map(|(day, share)| logged(&program, after(monday(), *day), *share)).collect();
        let (today, yesterday) = (after(monday(), at), after(monday(), at - 1));
        let before = adherence(std::slice::from_ref(&program), &logs, monday(), yesterday, today);
        let mut revised = program.clone();
        let _ = revised.revise(Plan { times_a_day, ..plan() }, today, today);
        prop_assert_eq!(adherence(&[revised], &logs, monday(), yesterday, today), before);
    }
}

proptest! {
    /// The rows behind the figures: the logs that count and the days add up to them, whatever was logged and however often.
    #[test]
    fn the_rows_add_up_to_the_figures(
        slots in 1u8..=3,
        logs in prop::collection::vec((0i32..24, 0u8..=4), 0..80),
        (from, to, today) in (0i32..20, 0i32..24, 0i32..24),
    ) {
        let program = program(Plan { times_a_day: slots, weekdays: Weekdays::from_bits(0b011_1111).unwrap(), ..plan() }, monday(), after(monday(), 20));
        let logs: Vec<Logged> =
            logs.into_iter().map(|(day, quarter)| logged(&program, after(monday(), day), f64::from(quarter) / 4.0)).collect();
        let programs = [program];
        let day = |n| after(monday(), n);
        let sum = adherence(&programs, &logs, day(from), day(to), day(today));
        let rows = counted(&programs, &logs, day(from), day(to), day(today));
        let done: Vec<f64> = rows.iter().map(|at| logs[*at].completion).collect();
        prop_assert_eq!(done.iter().filter(|done| **done > 0.0).count(), sum.sessions as usize);
        prop_assert!((done.iter().sum::<f64>() - sum.completion_sum).abs() < 1e-9);
        prop_assert_eq!(sum.days.iter().map(|day| day.expected).sum::<u32>(), sum.expected);
        prop_assert_eq!(sum.days.iter().map(|day| day.sessions).sum::<u32>(), sum.sessions);
        prop_assert!((sum.days.iter().map(|day| day.completion_sum).sum::<f64>() - sum.completion_sum).abs() < 1e-9);
    }
}
