//! When how things are is asked, and what a change in the answers may claim.

use crate::fixtures::{after, at, eight_weeks, monday, plan, program};
use domain::ids::{ActivityId, AnswerId};
use domain::pain::{Reading, Region};
use domain::person::Role;
use domain::program::Program;
use domain::questionnaire::*;
use jiff::civil::Date;
use proptest::prelude::*;

fn asking(every: Every, since: Date) -> Asking {
    Asking { every, since }
}

fn named(names: &[&str]) -> Vec<Activity> {
    names.iter().map(|name| Activity { id: ActivityId::new(), name: ActivityName::parse(name).unwrap() }).collect()
}

fn answer(program: &Program, day: i32, activities: &[Activity], scores: &[Option<i64>], rating: Option<i64>) -> Answer {
    let scored = |(activity, score): (&Activity, &Option<i64>)| Scored {
        activity: activity.clone(),
        score: score.map(|score| Ability::new(score).unwrap()),
    };
    Answer {
        id: AnswerId::new(),
        patient: program.patient,
        program: program.id,
        date: after(monday(), day),
        received_at: at("2026-01-05T00:00:00Z"),
        corrected_at: None,
        activities: activities.iter().zip(scores).map(scored).collect(),
        rating: rating.map(|rating| Rating::new(rating).unwrap()),
    }
}

#[test]
fn eight_weeks_ask_at_the_start_after_four_weeks_and_in_the_last_week() {
    let program = eight_weeks();
    let found = rounds(&program, asking(Every::FourWeeks, monday()));
    let days: Vec<(RoundKind, i32, i32)> =
        found.iter().map(|round| (round.kind, (round.from - monday()).get_days(), (round.until - monday()).get_days())).collect();
    assert_eq!(days, [(RoundKind::First, 0, 27), (RoundKind::Later, 28, 48), (RoundKind::Closing, 49, 55)]);
    assert_eq!(found.iter().map(Round::asks_change).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn a_short_program_asks_once_and_a_fortnight_twice() {
    for (days, expected) in [(1, 1), (13, 1), (14, 2), (27, 2)] {
        let program = program(plan(), monday(), after(monday(), days - 1));
        assert_eq!(rounds(&program, asking(Every::FourWeeks, monday())).len(), expected, "{days} days");
    }
}

#[test]
fn switched_on_later_it_begins_on_that_day_and_never_after_the_end() {
    let program = eight_weeks();
    assert_eq!(rounds(&program, asking(Every::FourWeeks, after(monday(), 10)))[0].from, after(monday(), 10));
    assert_eq!(rounds(&program, asking(Every::FourWeeks, after(monday(), -10)))[0].from, monday());
    assert!(rounds(&program, asking(Every::FourWeeks, after(monday(), 56))).is_empty());
}

#[test]
fn a_program_that_does_not_run_asks_nothing() {
    let asking = asking(Every::FourWeeks, monday());
    let mut program = eight_weeks();
    assert_eq!(due(&program, asking, &[], after(monday(), -1)), None, "not started");
    assert_eq!(due(&program, asking, &[], after(monday(), 56)), None, "over");
    program.pause(after(monday(), 2), None, "Away", monday()).unwrap();
    assert!(due(&program, asking, &[], after(monday(), 1)).is_some());
    assert_eq!(due(&program, asking, &[], after(monday(), 2)), None, "paused");
    program.resume(after(monday(), 5), Role::Physiotherapist, "Back").unwrap();
    assert!(due(&program, asking, &[], after(monday(), 5)).is_some(), "the window outlasts the pause");
    program.finish(after(monday(), 6)).unwrap();
    assert_eq!(due(&program, asking, &[], after(monday(), 6)), None, "finished");
}

#[test]
fn another_interval_does_not_ask_again_what_was_just_answered() {
    let program = eight_weeks();
    let answered = [after(monday(), 29)];
    for every in Every::ALL {
        assert_eq!(due(&program, asking(*every, monday()), &answered, after(monday(), 30)), None, "{every}");
    }
}

proptest! {
    #[test]
    fn rounds_follow_each_other_without_gaps(days in 1i32..731, since in -20i32..740, every in 0usize..3) {
        let program = program(plan(), monday(), after(monday(), days - 1));
        let found = rounds(&program, asking(Every::ALL[every], after(monday(), since)));
        let start = after(monday(), since.max(0));
        if since >= days {
            prop_assert!(found.is_empty());
        } else {
            prop_assert_eq!(found[0].from, start);
            prop_assert_eq!(found.last().unwrap().until, program.last_day());
            prop_assert_eq!(found[0].kind, RoundKind::First);
            prop_assert!(found.iter().skip(1).all(Round::asks_change));
            for pair in found.windows(2) {
                prop_assert_eq!(pair[0].until.tomorrow().unwrap(), pair[1].from);
                prop_assert!((pair[0].until - pair[0].from).get_days() >= 6, "{:?}", pair[0]);
            }
        }
    }

    #[test]
    fn each_round_is_asked_until_it_is_answered_and_not_again(days in 1i32..400, every in 0usize..3, on in 0i32..400) {
        let program = program(plan(), monday(), after(monday(), days - 1));
        let asking = asking(Every::ALL[every], monday());
        let today = after(monday(), on);
        let asked = due(&program, asking, &[], today);
        prop_assert_eq!(asked.is_some(), on < days);
        if let Some(round) = asked {
            prop_assert!(round.contains(today));
            prop_assert_eq!(due(&program, asking, &[today], today), None);
            prop_assert_eq!(due(&program, asking, &[today], round.until), None);
            let next = round.until.tomorrow().unwrap();
            prop_assert_eq!(due(&program, asking, &[today], next).is_some(), program.contains(next), "the next round is asked");
        }
    }

    #[test]
    fn only_what_both_answers_score_is_compared(
        first in proptest::collection::vec(proptest::option::of(0i64..=10), 1..=5),
        last in proptest::collection::vec(proptest::option::of(0i64..=10), 1..=5),
    ) {
        let program = eight_weeks();
        let five = named(&["a", "b", "c", "d", "e"]);
        let answers = [answer(&program, 0, &five, &first, None), answer(&program, 28, &five, &last, None)];
        let both: Vec<(i64, i64)> = first.iter().zip(&last).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
        let found = ability_change(&answers, Region::LowerBack);
        prop_assert_eq!(found.map(|found| found.first.n), (!both.is_empty()).then_some(both.len()));
        if let Some(found) = found {
            let expected: f64 = both.iter().map(|(a, b)| (b - a) as f64).sum::<f64>() / both.len() as f64;
            prop_assert!((found.delta - expected).abs() < 1e-9);
        }
    }
}

#[test]
fn thresholds_are_those_of_the_papers() {
    for (region, activities, mdc, mcid) in [
        (Region::LowerBack, 3, 2.0, Some(1.4)),
        (Region::Neck, 3, 2.1, Some(2.0)),
        (Region::Shoulder, 2, 2.0, Some(2.0)),
        (Region::UpperBack, 3, 2.0, None),
        (Region::Other, 5, 2.0, None),
        (Region::LowerBack, 1, 3.0, None),
        (Region::Neck, 1, 3.0, None),
    ] {
        let found = ability_thresholds(region, activities);
        assert_eq!((found.mdc, found.mcid.map(|(points, _)| points)), (mdc, mcid), "{region:?} {activities}");
        assert!(!found.mdc_source.is_empty());
    }
}

#[test]
fn a_change_reads_against_the_thresholds_of_its_region() {
    use Reading::*;
    for (region, activities, delta, reading) in [
        (Region::LowerBack, 3, 1.9, WithinError),
        (Region::LowerBack, 3, 2.0, Meaningful),
        (Region::LowerBack, 3, -2.0, Meaningful),
        (Region::Neck, 3, 2.0, WithinError),
        (Region::Neck, 3, 2.1, Meaningful),
        (Region::UpperBack, 3, 5.0, BeyondError),
        (Region::LowerBack, 1, 2.9, WithinError),
        (Region::LowerBack, 1, 3.0, BeyondError),
        (Region::Shoulder, 3, 8.0 / 3.0 - 2.0 / 3.0, Meaningful),
    ] {
        assert_eq!(read_ability(delta, ability_thresholds(region, activities)), reading, "{region:?} {activities} {delta}");
    }
}

#[test]
fn not_given_is_not_zero_and_zero_is() {
    let program = eight_weeks();
    let three = named(&["Sitting", "Lifting", "Driving"]);
    let zero = answer(&program, 0, &three, &[Some(0), None, Some(4)], None);
    assert_eq!(zero.mean().map(|mean| (mean.mean, mean.n)), Some((2.0, 2)));
    assert_eq!(answer(&program, 0, &three, &[Some(0)], None).check(), Ok(()));
    assert_eq!(answer(&program, 28, &[], &[], Some(0)).check(), Ok(()), "about the same is an answer");
    assert_eq!(answer(&program, 28, &three, &[None, None, None], None).check(), Err(AnswerError::Empty));
    assert_eq!(ability_change(std::slice::from_ref(&zero), Region::Other), None, "one answer is no change");
    let rating_only = answer(&program, 28, &three, &[None, None, None], Some(3));
    assert_eq!(ability_change(&[zero, rating_only], Region::Other), None);
}

#[test]
fn names_and_scores_have_limits() {
    assert_eq!(ActivityName::parse("  Lifting\r\n my  son ").unwrap().as_str(), "Lifting my son");
    assert_eq!(ActivityName::parse(" \n "), Err(AnswerError::NameMissing));
    assert_eq!(ActivityName::parse("\u{200B} \u{2800}"), Err(AnswerError::NameMissing), "nothing of it can be seen");
    assert!(ActivityName::parse(&"ä".repeat(80)).is_ok());
    assert_eq!(ActivityName::parse(&"ä".repeat(81)), Err(AnswerError::NameTooLong));
    for wrong in [-1, 11, 256, i64::MAX] {
        assert_eq!(Ability::new(wrong), Err(AnswerError::Ability));
    }
    for wrong in [-6, 6, 251, i64::MIN] {
        assert_eq!(Rating::new(wrong), Err(AnswerError::Rating));
    }
    let program = eight_weeks();
    let six = named(&["a", "b", "c", "d", "e", "f"]);
    assert_eq!(answer(&program, 0, &six, &[Some(1); 6], None).check(), Err(AnswerError::TooMany));
    assert_eq!(answer(&program, 0, &named(&["Lifting", "lifting"]), &[Some(1); 2], None).check(), Err(AnswerError::NamedTwice));
    for (rating, reading) in
        [(0, Reading::WithinError), (-1, Reading::WithinError), (2, Reading::Meaningful), (-2, Reading::Meaningful)]
    {
        assert_eq!(rating_reading(Rating::new(rating).unwrap()), reading);
    }
}
