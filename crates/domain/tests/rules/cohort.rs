use std::collections::{BTreeMap, BTreeSet};

use crate::fixtures::{after, done, eight_weeks, logged, monday, plan, program};
use domain::{
    adherence::Logged,
    cohort::{Course, FEWEST, Followed, Group, by, by_exercise, weeks, whole},
    ids::{MembershipId, PatientId},
    pain::{self, PainPoint, Reading, Region},
    program::{Plan, Program, Weekdays},
    session_log::PainScore,
};
use proptest::prelude::*;
use uuid::Uuid;

/// Somebody with a program, on the caseload of physiotherapist number `of` (0 for none).
fn somebody(program: Program, logs: Vec<Logged>, pain: Vec<PainPoint>, of: u128, today: i32) -> Followed {
    Followed {
        patient: program.patient,
        physiotherapist: (of > 0).then(|| MembershipId(Uuid::from_u128(of))),
        region: Region::LowerBack,
        today: after(monday(), today),
        program,
        logs,
        pain,
    }
}

fn measured(all: Vec<Followed>, from: i32, to: i32) -> Vec<Course> {
    all.into_iter().map(|followed| Course::measure(followed, after(monday(), from), after(monday(), to))).collect()
}

/// People who did the first `n` weeks of eight, one for each number.
fn quitters(after_weeks: &[i32], today: i32) -> Vec<Course> {
    let all = after_weeks.iter().map(|n| {
        let program = eight_weeks();
        let logs = done(&program, 0..n * 7);
        somebody(program, logs, Vec::new(), 1, today)
    });
    measured(all.collect(), 0, 55)
}

#[test]
fn four_people_are_counted_and_not_interpreted_and_five_are() {
    let four = whole(&quitters(&[8, 8, 8, 8], 56));
    assert_eq!((four.patients, four.expected, four.sessions), (4, 224, 224));
    assert!(four.too_few());
    assert_eq!((four.ratio(), four.completion(), four.pain.mean()), (None, None, None));
    let five = whole(&quitters(&[8, 8, 8, 8, 8], 56));
    assert_eq!((five.ratio(), five.completion()), (Some(1.0), Some(1.0)));
}

#[test]
fn those_who_stop_are_seen_in_the_week_in_which_they_stop() {
    let found = weeks(&quitters(&[8, 8, 8, 4, 1], 56), monday(), after(monday(), 55));
    let logging: Vec<(u32, u32, u32)> = found.iter().map(|week| (week.number, week.programs, week.logging)).collect();
    assert_eq!(logging, [(1, 5, 5), (2, 5, 4), (3, 5, 4), (4, 5, 4), (5, 5, 3), (6, 5, 3), (7, 5, 3), (8, 5, 3)]);
    assert_eq!(found[7].share(), Some(0.6));
    // A week that has not passed says nothing yet.
    assert_eq!(weeks(&quitters(&[3, 3, 3, 3, 3], 20), monday(), after(monday(), 55)).len(), 2);
    assert_eq!(weeks(&quitters(&[3, 3, 3, 3], 56), monday(), after(monday(), 55))[0].share(), None);
}

#[test]
fn a_paused_week_counts_for_nobody() {
    let mut courses = quitters(&[8], 56);
    courses[0].followed.program.pause(after(monday(), 7), Some(after(monday(), 13)), "Travelling", monday()).unwrap();
    let found = weeks(&courses, monday(), after(monday(), 55));
    assert_eq!(found.iter().map(|week| week.number).collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn somebody_with_two_programs_is_one_patient() {
    let (first, mut second) = (eight_weeks(), eight_weeks());
    second.patient = first.patient;
    let (one, two) = (done(&first, 0..10), done(&second, 0..20));
    let courses = measured(vec![somebody(first, one, Vec::new(), 1, 56), somebody(second, two, Vec::new(), 1, 56)], 0, 55);
    let found = whole(&courses);
    assert_eq!((found.patients, found.expected, found.sessions), (1, 112, 30));
    // In two groups they are counted in both.
    let of = courses[0].followed.program.id;
    let groups = by(&courses, |followed| followed.program.id == of);
    assert_eq!(groups.values().map(|group| group.patients).collect::<Vec<_>>(), [1, 1]);
}

fn any_somebody(today: i32) -> impl Strategy<Value = Followed> {
    let scores = prop::collection::vec((0..60i32, 0..=10i64), 0..30);
    let logs = prop::collection::vec((0..60i32, 0u8..=4), 0..60);
    (1u8..=0x7f, 1u8..=3, 0..50i32, scores, logs, 0..4u128).prop_map(move |(bits, times_a_day, length, scores, logs, of)| {
        let weekdays = Weekdays::from_bits(bits).unwrap();
        let program = program(Plan { weekdays, times_a_day, ..plan() }, monday(), after(monday(), length));
        let logs =
            logs.into_iter().map(|(day, quarter)| logged(&program, after(monday(), day), f64::from(quarter) / 4.0)).collect();
        let pain = scores.into_iter().map(|(day, score)| PainPoint {
            date: after(monday(), day),
            before: None,
            after: Some(PainScore::new(score).unwrap()),
        });
        somebody(program, logs, pain.collect(), of, today)
    })
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

fn same(a: &Group, b: &Group) -> bool {
    (a.patients, a.expected, a.sessions) == (b.patients, b.expected, b.sessions)
        && (a.pain.read, a.pain.better, a.pain.worse) == (b.pain.read, b.pain.better, b.pain.worse)
        && close(a.completion_sum, b.completion_sum)
        && close(a.pain.first_sum, b.pain.first_sum)
        && close(a.pain.last_sum, b.pain.last_sum)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A clinic's figure can be checked with the pages of its patients, one by one.
    #[test]
    fn a_group_is_the_sum_of_the_people_in_it(people in prop::collection::vec(any_somebody(45), 0..12), to in 0..60i32) {
        let courses = measured(people, 0, to);
        let found = whole(&courses);
        let due: Vec<&Course> = courses.iter().filter(|course| course.adherence.expected > 0).collect();
        prop_assert_eq!(found.patients as usize, due.len());
        prop_assert_eq!(found.expected, due.iter().map(|course| course.adherence.expected).sum::<u32>());
        prop_assert_eq!(found.sessions, due.iter().map(|course| course.adherence.sessions).sum::<u32>());
        prop_assert!(close(found.completion_sum, due.iter().map(|course| course.adherence.completion_sum).sum()));

        let changes: Vec<_> = due.iter().map(|course| pain::change(&course.followed.pain, course.followed.region)).collect();
        let deltas: Vec<f64> = changes.iter().filter_map(|change| change.delta).collect();
        let meaningful = |worse: bool| {
            let of = changes.iter().filter(|change| change.reading == Reading::Meaningful && (change.delta > Some(0.0)) == worse);
            u32::try_from(of.count()).unwrap()
        };
        prop_assert_eq!(found.pain.read as usize, deltas.len());
        prop_assert_eq!((found.pain.better, found.pain.worse), (meaningful(false), meaningful(true)));
        prop_assert_eq!(found.pain.unchanged(), found.pain.read - meaningful(false) - meaningful(true));
        match found.pain.mean() {
            Some(mean) => prop_assert!(close(mean, deltas.iter().sum::<f64>() / deltas.len() as f64)),
            None => prop_assert!(deltas.len() < FEWEST as usize),
        }
        let enough = found.patients >= FEWEST && found.expected >= FEWEST;
        let share = |done: f64| enough.then(|| (done / f64::from(found.expected)).min(1.0));
        prop_assert_eq!(found.ratio(), share(f64::from(found.sessions)));
        prop_assert_eq!(found.completion(), share(found.completion_sum));
    }

    /// Nobody falls between two physiotherapists, and nobody is counted twice.
    #[test]
    fn the_caseloads_add_up_to_the_clinic(people in prop::collection::vec(any_somebody(45), 0..12)) {
        let mut courses = measured(people, 0, 59);
        let all = whole(&courses);
        let groups: BTreeMap<Option<MembershipId>, Group> = by(&courses, |followed| followed.physiotherapist);
        let sum = |of: fn(&Group) -> u32| groups.values().map(of).sum::<u32>();
        prop_assert_eq!((sum(|g| g.patients), sum(|g| g.expected), sum(|g| g.sessions)), (all.patients, all.expected, all.sessions));
        prop_assert_eq!(sum(|g| g.pain.read), all.pain.read);
        // In whatever order they are read.
        courses.reverse();
        prop_assert!(same(&whole(&courses), &all));
    }

    #[test]
    fn a_week_has_no_more_who_log_than_programs(people in prop::collection::vec(any_somebody(45), 0..12), from in -7..20i32, length in 0..60i32) {
        let courses = measured(people, from, from + length);
        let found = weeks(&courses, after(monday(), from), after(monday(), from + length));
        for week in &found {
            prop_assert!(week.number >= 1 && week.logging <= week.programs && week.programs as usize <= courses.len());
            prop_assert!(i32::try_from(week.number).unwrap() * 7 <= 51 + 7);
            prop_assert_eq!(week.share().is_some(), week.programs >= FEWEST);
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    /// By exercise: what each was due is what its patients' own pages say, and a patient is counted once for each of theirs.
    #[test]
    fn exercises_add_up_as_well(people in prop::collection::vec(any_somebody(45), 0..8)) {
        let courses = measured(people, 0, 59);
        let all = by_exercise(&courses);
        let due: BTreeSet<_> = courses
            .iter()
            .flat_map(|course| &course.adherence.by_exercise)
            .filter(|row| row.expected > 0)
            .map(|row| row.exercise)
            .collect();
        prop_assert_eq!(all.keys().copied().collect::<BTreeSet<_>>(), due);
        for (exercise, found) in all {
            let rows = courses.iter().flat_map(|course| &course.adherence.by_exercise).filter(|row| row.exercise == exercise);
            prop_assert_eq!(found.group.expected, rows.clone().map(|row| row.expected).sum::<u32>());
            prop_assert!(close(found.group.completion_sum, rows.map(|row| row.done_sum).sum()));
            let of: BTreeSet<PatientId> = courses
                .iter()
                .filter(|course| course.adherence.by_exercise.iter().any(|row| row.exercise == exercise && row.expected > 0))
                .map(|course| course.followed.patient)
                .collect();
            prop_assert_eq!(found.group.patients as usize, of.len());
        }
    }
}
