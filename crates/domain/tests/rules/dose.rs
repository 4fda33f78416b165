use crate::fixtures::dose;
use domain::dose::{Dose, DoseDraft, DoseError, DoseFieldError, RepUnit, Span, SpanError, minutes};
use proptest::prelude::*;

fn span(text: &str) -> Span {
    Span::parse(text).unwrap()
}

#[test]
fn spans_read_as_people_write_them() {
    for (typed, min, max) in [
        ("3", 3, 3),
        (" 3 ", 3, 3),
        ("10-15", 10, 15),
        ("10–15", 10, 15),
        ("10—15", 10, 15),
        ("10 - 15", 10, 15),
        ("10 – 15", 10, 15),
        ("10 to 15", 10, 15),
        ("007", 7, 7),
        ("12-12", 12, 12),
        ("65535", 65535, 65535),
    ] {
        assert_eq!(Span::parse(typed), Span::new(min, max), "{typed:?}");
    }
}

#[test]
fn spans_refuse_what_is_no_number() {
    use SpanError::*;
    for (typed, error) in [
        ("", Missing),
        ("   ", Missing),
        ("10-", Unfinished),
        ("10 –", Unfinished),
        ("-3", Unfinished),
        ("-", NotANumber),
        ("abc", NotANumber),
        ("3.5", NotANumber),
        ("1e3", NotANumber),
        ("+3", NotANumber),
        ("10-15-20", NotANumber),
        ("--3", NotANumber),
        ("10 15", NotANumber),
        ("15-10", Backwards),
        ("0", Zero),
        ("0-5", Zero),
        ("65536", TooLarge),
        ("99999999999999999999999999", TooLarge),
        ("1-99999999999999999999999999", TooLarge),
        ("١٢", NotANumber),
        ("１２", NotANumber),
        ("१२", NotANumber),
        ("12\u{0}", NotANumber),
        ("½", NotANumber),
    ] {
        assert_eq!(Span::parse(typed), Err(error), "{typed:?}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn doses_print_as_people_write_them() {
    let sided = |reps: &str, hold: &str| {
        let draft = DoseDraft { reps: reps.into(), hold: hold.into(), each_side: "on".into(), ..DoseDraft::default() };
        draft.parse().unwrap().to_string()
    };
    assert_eq!(dose("", "3", "15-30 s").to_string(), "Hold 15–30 s · 3 times");
    assert_eq!(dose("", "10-15", "5 s").to_string(), "Hold 5 s · 10–15 times");
    assert_eq!(dose("", "10-12", "").to_string(), "10–12 times");
    assert_eq!(dose("3", "10-12", "").to_string(), "3 × 10–12");
    assert_eq!(dose("2-3", "10", "").to_string(), "2–3 × 10");
    assert_eq!(dose("2", "3", "20").to_string(), "Hold 20 s · 2 × 3");
    assert_eq!(dose("1", "1", "60").to_string(), "Hold 60 s · 1 time");
    assert_eq!(sided("2-3", "20"), "Hold 20 s each side · 2–3 times");
    assert_eq!(sided("10", ""), "10 times each side");
    let breaths = |sets: &str, reps: &str| {
        let draft = DoseDraft { sets: sets.into(), reps: reps.into(), unit: "breaths".into(), ..DoseDraft::default() };
        draft.parse().unwrap().to_string()
    };
    assert_eq!(breaths("", "10-15"), "10–15 breaths");
    assert_eq!(breaths("3", "10"), "3 × 10 breaths");
    assert_eq!(breaths("", "1"), "1 breath");
    let rested = DoseDraft { sets: "3".into(), reps: "10".into(), rest: "60 s".into(), ..DoseDraft::default() };
    assert_eq!(rested.parse().unwrap().to_string(), "3 × 10 · rest 60 s");
}

#[test]
fn a_form_may_carry_units() {
    for typed in ["15-30 s", "15-30s", "15–30 sec", "15-30 seconds", "15 - 30 SEC", "15-30 sec."] {
        assert_eq!(dose("", "3", typed).hold(), Some(span("15-30")), "{typed:?}");
    }
    assert_eq!(dose("", "3", "20s").hold(), Some(span("20")));
    assert_eq!(dose("", "3", "20 sec").hold(), Some(span("20")));
    assert_eq!(dose("", "3", " ").hold(), None);
    for typed in ["10-12 times", "10-12 reps", "10-12x", "10-12 repetitions", "10–12 breaths"] {
        assert_eq!(dose("3 sets", typed, "").reps(), span("10-12"), "{typed:?}");
    }
    for (tick, yes) in [("", false), ("off", false), ("0", false), ("on", true), ("yes", true), ("1", true), ("true", true)] {
        let draft = DoseDraft { reps: "3".into(), each_side: tick.into(), ..DoseDraft::default() };
        assert_eq!(draft.parse().unwrap().each_side(), yes, "{tick:?}");
    }
}

#[test]
fn each_field_says_what_is_wrong_with_it() {
    let draft = DoseDraft {
        sets: "21".into(),
        reps: "10-".into(),
        unit: "miles".into(),
        hold: "0 s".into(),
        each_side: String::new(),
        rest: "soon".into(),
    };
    let errors = draft.parse().unwrap_err();
    assert_eq!(errors.sets, Some(DoseFieldError::OutOfRange(DoseError::Sets)));
    assert_eq!(errors.reps, Some(DoseFieldError::Unreadable(SpanError::Unfinished)));
    assert_eq!(errors.unit, Some(DoseFieldError::Unit));
    assert_eq!(errors.hold, Some(DoseFieldError::OutOfRange(DoseError::Hold)));
    assert_eq!(errors.rest, Some(DoseFieldError::Rest));
    assert_eq!(errors.each().map(|(field, _)| field).collect::<Vec<_>>(), ["sets", "reps", "unit", "hold", "rest"]);
    assert_eq!(errors.reps.unwrap().to_string(), "The range is not finished: write both numbers, such as 10–15.");
    assert_eq!(errors.hold.unwrap().to_string(), "A hold lasts from 1 to 600 seconds. Leave it empty if there is none.");

    for (reps, hold, wrong) in [
        ("", "", "reps"),
        ("abc", "", "reps"),
        ("201", "", "reps"),
        ("0", "", "reps"),
        ("99999999999999999999", "", "reps"),
        ("10", "601 s", "hold"),
        ("10", "30-15", "hold"),
        ("10", "-3", "hold"),
        ("10", "s", "hold"),
        ("10", "２０", "hold"),
    ] {
        let draft = DoseDraft { reps: reps.into(), hold: hold.into(), ..DoseDraft::default() };
        let errors = draft.parse().expect_err(&format!("{reps:?} {hold:?}"));
        assert_eq!(errors.each().map(|(field, _)| field).collect::<Vec<_>>(), [wrong], "{reps:?} {hold:?}");
    }
}

#[test]
fn limits_hold_at_both_ends() {
    let make = |sets, reps, hold: Option<u16>, rest| {
        let one = |n| Span::one(n).unwrap();
        Dose::new(one(sets), one(reps), RepUnit::Times, hold.map(one), false, rest).map(|_| ())
    };
    assert_eq!(make(1, 1, Some(1), Some(0)), Ok(()));
    assert_eq!(make(20, 200, Some(600), Some(600)), Ok(()));
    assert_eq!(make(21, 1, None, None), Err(DoseError::Sets));
    assert_eq!(make(1, 201, None, None), Err(DoseError::Reps));
    assert_eq!(make(1, 1, Some(601), None), Err(DoseError::Hold));
    assert_eq!(make(1, 1, None, Some(601)), Err(DoseError::Rest));
}

#[test]
fn minutes_follow_the_pace_of_the_rules() {
    // 3 sets of 10: 90 s and two rests of 15 s.
    assert_eq!(dose("3", "10", "").seconds(), 120);
    // Held: each repetition 3 s and its hold.
    assert_eq!(dose("", "3", "20").seconds(), 69);
    // Ranges at their middle: 22.5 s held.
    assert_eq!(dose("", "2", "15-30").seconds(), 51);
    // Breath cycles 6 s, each side doubles, a given rest counts.
    let draft = DoseDraft {
        sets: "2".into(),
        reps: "5".into(),
        unit: "breaths".into(),
        each_side: "on".into(),
        rest: "40".into(),
        ..DoseDraft::default()
    };
    assert_eq!(draft.parse().unwrap().seconds(), 160);
    assert_eq!(minutes(&[]), 0);
    assert_eq!(minutes(&[dose("3", "10", "")]), 2);
    assert_eq!(minutes(&[dose("3", "10", ""), dose("", "1", "")]), 3);
}

fn any_span(max: u16) -> impl Strategy<Value = Span> {
    (1..=max, 1..=max).prop_map(|(a, b)| Span::new(a.min(b), a.max(b)).unwrap())
}

fn any_dose() -> impl Strategy<Value = Dose> {
    (
        any_span(20),
        any_span(200),
        prop_oneof![Just(RepUnit::Times), Just(RepUnit::Breaths)],
        proptest::option::of(any_span(600)),
        any::<bool>(),
        proptest::option::of(0u16..=600),
    )
        .prop_map(|(sets, reps, unit, hold, side, rest)| Dose::new(sets, reps, unit, hold, side, rest).unwrap())
}

proptest! {
    #[test]
    fn a_span_prints_and_reads_back(span in any_span(u16::MAX)) {
        prop_assert_eq!(Span::parse(&span.to_string()), Ok(span));
    }

    #[test]
    fn a_dose_fills_a_form_and_reads_back(dose in any_dose()) {
        prop_assert_eq!(DoseDraft::from(&dose).parse(), Ok(dose));
    }

    #[test]
    fn no_text_breaks_the_parsers(text in "\\PC{0,20}") {
        let _ = Span::parse(&text);
        let _ = DoseDraft { sets: text.clone(), reps: text.clone(), hold: text.clone(), rest: text.clone(), unit: text.clone(), each_side: text }.parse();
    }

    #[test]
    fn a_dose_takes_time_and_asks_for_something(dose in any_dose()) {
        prop_assert!(dose.seconds() >= 3);
        prop_assert!(1 <= dose.lower_bound() && dose.lower_bound() <= dose.upper_bound());
    }
}
