use crate::fixtures::{after, monday};
use domain::pain::{PainPoint, Reading, Region, Thresholds, change, read, thresholds};
use domain::session_log::PainScore;

fn point(day: i32, score: Option<i64>) -> PainPoint {
    PainPoint { date: after(monday(), day), before: None, after: score.map(|score| PainScore::new(score).unwrap()) }
}

/// One score a day from the first Monday; -1 is a day on which none was given.
fn days(scores: &[i64]) -> Vec<PainPoint> {
    scores.iter().zip(0..).map(|(score, day)| point(day, (*score >= 0).then_some(*score))).collect()
}

#[test]
fn the_first_seven_scored_days_against_the_last_seven() {
    let mut scores = vec![6, 5, 6, -1, 5, 6, 5, 5];
    scores.extend([4; 5]);
    scores.extend([2, 1, -1, 2, 1, 2, 1, 2]);
    let found = change(&days(&scores), Region::UpperBack);
    let (first, last) = (found.first.unwrap(), found.last.unwrap());
    assert_eq!((first.n, last.n), (7, 7), "days without a score do not count");
    assert!((first.mean - 38.0 / 7.0).abs() < 1e-12);
    assert!((last.mean - 11.0 / 7.0).abs() < 1e-12);
    assert!((found.delta.unwrap() + 27.0 / 7.0).abs() < 1e-12);
    assert_eq!(found.reading, Reading::Meaningful);
    let mut reversed = days(&scores);
    reversed.reverse();
    assert_eq!(change(&reversed, Region::UpperBack), found, "order does not matter");
}

#[test]
fn zero_is_a_score_and_absence_is_not() {
    let mut scores = vec![4; 7];
    scores.extend([0; 7]);
    let found = change(&days(&scores), Region::Other);
    assert_eq!((found.last.unwrap().mean, found.delta), (0.0, Some(-4.0)));
    let mut silent = vec![4; 7];
    silent.extend([-1; 7]);
    assert_eq!(change(&days(&silent), Region::Other).reading, Reading::NotEnough);
    let before_only = [PainPoint { date: monday(), before: PainScore::new(5).ok(), after: None }];
    assert_eq!(change(&before_only, Region::Other).first, None);
}

#[test]
fn too_few_scores_claim_nothing() {
    let found = change(&[], Region::Neck);
    assert_eq!((found.first, found.last, found.delta, found.reading), (None, None, None, Reading::NotEnough));
    let one = change(&days(&[8]), Region::Neck);
    assert_eq!((one.first.unwrap().n, one.delta, one.reading), (1, None, Reading::NotEnough));
    // Seven days are both the first and the last seven.
    assert_eq!(change(&days(&[9, 9, 9, 9, 1, 1, 1]), Region::Other).delta, None);
    assert!(change(&days(&[9, 9, 9, 9, 1, 1, 1, 1]), Region::Other).delta.is_some());
}

#[test]
fn two_sessions_a_day_are_two_scores_of_one_day() {
    let points: Vec<PainPoint> =
        (0..14).flat_map(|day| [point(day, Some(6)), point(day, Some(if day < 7 { 4 } else { 0 }))]).collect();
    let found = change(&points, Region::Other);
    assert_eq!((found.first.unwrap().n, found.first.unwrap().mean), (14, 5.0));
    assert_eq!((found.last.unwrap().n, found.last.unwrap().mean), (14, 3.0));
    assert_eq!((found.delta, found.reading), (Some(-2.0), Reading::Meaningful));
}

#[test]
fn thresholds_are_those_of_the_papers() {
    for (region, baseline, mdc, mcid) in [
        (Region::LowerBack, 0.2, 1.77, 2.0),
        (Region::LowerBack, 1.0, 1.77, 1.0),
        (Region::LowerBack, 4.4, 1.77, 1.0),
        (Region::LowerBack, 4.6, 1.77, 2.0),
        (Region::LowerBack, 7.0, 1.77, 2.0),
        (Region::LowerBack, 7.6, 1.77, 3.0),
        (Region::LowerBack, 10.0, 1.77, 3.0),
        (Region::Neck, 6.0, 4.0, 1.5),
        (Region::UpperBack, 8.0, 2.0, 2.0),
        (Region::Shoulder, 3.0, 2.0, 0.99),
        (Region::Other, 6.0, 2.0, 1.98),
    ] {
        let found = thresholds(region, baseline);
        assert!((found.mdc - mdc).abs() < 1e-12 && (found.mcid - mcid).abs() < 1e-12, "{region:?} {baseline}: {found:?}");
        assert!(!found.source.is_empty());
    }
}

#[test]
fn a_change_reads_by_region_and_baseline() {
    use Reading::*;
    for (region, baseline, delta, reading) in [
        (Region::Neck, 6.0, -3.9, WithinError),
        (Region::Neck, 6.0, -4.0, Meaningful),
        (Region::LowerBack, 3.0, -1.5, WithinError),
        (Region::LowerBack, 3.0, -1.8, Meaningful),
        (Region::LowerBack, 6.0, -1.8, BeyondError),
        (Region::LowerBack, 6.0, -2.0, Meaningful),
        (Region::LowerBack, 9.0, -2.5, BeyondError),
        (Region::LowerBack, 9.0, 3.0, Meaningful),
        (Region::UpperBack, 6.0, -1.9, WithinError),
        (Region::UpperBack, 6.0, 2.0, Meaningful),
        (Region::Other, 6.0, 0.0, WithinError),
    ] {
        assert_eq!(read(delta, thresholds(region, baseline)), reading, "{region:?} {baseline} {delta}");
    }
    // A mean of thirds that should be exactly 2 stays 2.
    let limits = Thresholds { mdc: 2.0, mcid: 2.0, source: "" };
    assert_eq!(read(5.0 / 3.0 - 11.0 / 3.0, limits), Meaningful);
}
