use crate::fixtures::{after, at, d, done, eight_weeks, logged, monday, plan, program};
use domain::adherence::Logged;
use domain::attention::{
    Attention, AttentionKind, Case, Facts, Flagged, Mark, MarkState, Question, Scored, Settings, attention, headline, open, waiting,
};
use domain::ids::{LogId, PatientId};
use domain::person::Role;
use domain::program::{Plan, Program, Weekdays};
use domain::session_log::{PainScore, RedFlag};
use jiff::SignedDuration;
use jiff::civil::Date;
use uuid::Uuid;

/// A patient who has signed in and of whom nothing else is known.
fn case<'a>(programs: &'a [Program], logs: &'a [Logged]) -> Case<'a> {
    Case {
        patient: PatientId::new(),
        invited_on: Some(monday()),
        signed_in: true,
        programs,
        logs,
        scores: &[],
        flagged: &[],
        questions: &[],
    }
}

fn kinds(case: &Case<'_>, today: Date) -> Vec<AttentionKind> {
    attention(case, &Settings::default(), today).iter().map(|a| a.kind).collect()
}

fn find(case: &Case<'_>, kind: AttentionKind, today: Date) -> Option<Attention> {
    attention(case, &Settings::default(), today).into_iter().find(|a| a.kind == kind)
}

/// Scores after sessions on days counted from the first Monday, in order.
fn scores(list: &[(i32, i64)]) -> Vec<Scored> {
    list.iter()
        .enumerate()
        .map(|(i, (day, score))| Scored {
            log: LogId(Uuid::from_u128(i as u128 + 1)),
            date: after(monday(), *day),
            performed_at: at("2026-01-05T00:00:00Z") + SignedDuration::from_mins(i as i64),
            after: PainScore::new(*score).unwrap(),
        })
        .collect()
}

fn day(n: i32) -> Date {
    after(monday(), n)
}

#[test]
fn a_patient_on_track_needs_nobody() {
    let program = eight_weeks();
    let programs = [program.clone()];
    for n in 0..48 {
        let logs = done(&program, 0..n);
        assert_eq!(kinds(&case(&programs, &logs), day(n)), [], "day {n}");
    }
}

#[test]
fn the_order_is_that_of_urgency() {
    let kinds: Vec<&str> = AttentionKind::ALL.iter().map(|kind| kind.tag()).collect();
    assert_eq!(
        kinds,
        ["stop_signs", "pain_high", "pain_rising", "missed_run", "dropped", "not_started", "asked", "ready_for_review"]
    );
    assert!(AttentionKind::ALL.is_sorted());
}

#[test]
fn a_stop_sign_stands_until_a_physiotherapist_resumes() {
    let mut program = eight_weeks();
    let id_of = program.id;
    let flagged = |n: i32, id: u128, flags: &[RedFlag]| Flagged {
        log: LogId(Uuid::from_u128(id)),
        program: id_of,
        date: day(n),
        flags: flags.to_vec(),
    };
    let first = [flagged(5, 1, &[RedFlag::UnsteadyWalking]), flagged(4, 2, &[])];
    let both = [first[0].clone(), flagged(9, 3, &[RedFlag::FallOrBlow, RedFlag::UnsteadyWalking])];
    let logs = done(&program, 0..=9);
    let see = |program: &Program, flagged: &[Flagged], today: i32| {
        find(&Case { flagged, ..case(std::slice::from_ref(program), &logs) }, AttentionKind::StopSigns, day(today))
    };
    program.stop(day(5));
    let found = see(&program, &first, 6).unwrap();
    assert_eq!(found.since, day(5));
    assert_eq!(found.facts, Facts::StopSigns { flags: vec![RedFlag::UnsteadyWalking], log: first[0].log });
    assert!(see(&program, &first, 40).is_some(), "it does not fade");
    program.resume(day(5), Role::Physiotherapist, "Seen and cleared").unwrap();
    assert_eq!(see(&program, &first, 6), None, "resumed on the same day");
    assert!(see(&program, &both, 9).is_some(), "the stop of day 5 says nothing about day 9");
    program.stop(day(9));
    let again = see(&program, &both, 9).unwrap();
    assert_ne!(again.key, found.key);
    program.resume(day(11), Role::Owner, "Seen").unwrap();
    assert_eq!(see(&program, &both, 11), None);
    // A log sent after the program's end pauses nothing, and must be seen all the same.
    let late = [flagged(55, 4, &[RedFlag::BladderOrBowel])];
    assert!(see(&eight_weeks(), &late, 57).is_some());
}

#[test]
fn a_program_that_a_stop_sign_holds_is_never_forgotten() {
    let (mut one, mut other) = (eight_weeks(), eight_weeks());
    one.stop(day(5));
    let log = LogId(Uuid::from_u128(1));
    let ticked = |flags: &[RedFlag]| [Flagged { log, program: one.id, date: day(5), flags: flags.to_vec() }];
    let see = |programs: &[Program], flagged: &[Flagged], today: i32| {
        find(&Case { flagged, ..case(programs, &[]) }, AttentionKind::StopSigns, day(today))
    };
    // Taken back in a correction.
    for flagged in [&[][..], &ticked(&[])] {
        let held = see(std::slice::from_ref(&one), flagged, 6).expect("the program is still stopped");
        assert_eq!((&held.facts, held.since), (&Facts::StillStopped { program: one.id, from: day(5) }, day(5)));
    }
    assert!(see(std::slice::from_ref(&one), &[], 40).is_some(), "it does not fade");
    assert_eq!(see(std::slice::from_ref(&one), &[], 60), None, "over, so that nothing can go on");
    // Another sign in the same log is news to whoever has seen the first.
    let first = see(std::slice::from_ref(&one), &ticked(&[RedFlag::FallOrBlow]), 6).unwrap();
    let more = see(std::slice::from_ref(&one), &ticked(&[RedFlag::BladderOrBowel, RedFlag::FallOrBlow]), 6).unwrap();
    assert_ne!(first.key, more.key);
    let every = see(std::slice::from_ref(&one), &ticked(RedFlag::ALL), 6).unwrap();
    assert!(every.key.len() <= 200, "as long as the schema keeps: {}", every.key);
    // One program resumed, the other forgotten.
    other.stop(day(5));
    let flagged = ticked(&[RedFlag::FallOrBlow]);
    one.resume(day(6), Role::Physiotherapist, "Seen").unwrap();
    let held = see(&[one.clone(), other.clone()], &flagged, 6).expect("the other is still stopped");
    assert_eq!(held.facts, Facts::StillStopped { program: other.id, from: day(5) });
    other.resume(day(6), Role::Physiotherapist, "Seen").unwrap();
    assert_eq!(see(&[one, other], &flagged, 6), None);
}

#[test]
fn pain_is_high_from_the_clinics_limit_on() {
    let high = |list: &[(i32, i64)], limit: u8, today: i32| {
        let scores = scores(list);
        let settings = Settings { pain_high: limit, ..Settings::default() };
        attention(&Case { scores: &scores, ..case(&[], &[]) }, &settings, day(today)).into_iter().next()
    };
    assert_eq!(Settings::default().pain_high, 7);
    assert_eq!(high(&[(0, 6)], 7, 0), None);
    let found = high(&[(0, 7), (1, 2)], 7, 1).unwrap();
    assert_eq!((found.kind, found.since), (AttentionKind::PainHigh, day(0)));
    assert_eq!(high(&[(0, 7)], 8, 0), None);
    assert!(high(&[(0, 5)], 5, 0).is_some());
    // A fortnight on it is history; a new one is a new fact.
    assert!(high(&[(0, 9)], 7, 13).is_some());
    assert_eq!(high(&[(0, 9)], 7, 14), None);
    assert_ne!(high(&[(0, 9), (3, 7)], 7, 3).unwrap().key, high(&[(0, 9)], 7, 3).unwrap().key);
    assert_ne!(high(&[(0, 7)], 7, 3).unwrap().key, high(&[(0, 10)], 7, 3).unwrap().key, "corrected from 7 to 10");
}

#[test]
fn pain_rises_by_two_against_the_week_before() {
    let rising = |list: &[(i32, i64)], today: i32| {
        let scores = scores(list);
        let found = find(&Case { scores: &scores, ..case(&[], &[]) }, AttentionKind::PainRising, day(today));
        found.map(|a| (a.since, a.facts, a.key))
    };
    let week = [(0, 2), (1, 2), (2, 3), (3, 2), (4, 3), (5, 2), (6, 3)];
    let with = |more: &[(i32, i64)]| [&week, more].concat();
    assert_eq!(rising(&with(&[(7, 4), (8, 4), (9, 4)]), 9), None, "1.6 is no rise of 2");
    let (since, facts, key) = rising(&with(&[(7, 4), (8, 5), (9, 5)]), 9).unwrap();
    assert_eq!(since, day(9));
    let Facts::PainRising { recent, before, before_n } = facts else { panic!("{facts:?}") };
    assert!((recent - 14.0 / 3.0).abs() < 1e-12 && (before - 17.0 / 7.0).abs() < 1e-12);
    assert_eq!(before_n, 7);
    // The same rise the day after keeps its key, so that it stays acknowledged.
    let (_, _, next_key) = rising(&with(&[(7, 4), (8, 5), (9, 5), (10, 5)]), 10).unwrap();
    assert_eq!(next_key, key);
    // Exactly 2, from whole numbers.
    assert!(rising(&[(0, 1), (1, 1), (2, 3), (3, 3), (4, 3)], 4).is_some());
    // One session alone is no week, and neither is anything older than 7 days.
    assert_eq!(rising(&[(0, 1), (2, 6), (3, 6), (4, 6)], 4), None);
    assert_eq!(rising(&[(0, 1), (1, 1), (9, 6), (10, 6), (11, 6)], 11), None);
    assert!(rising(&[(2, 1), (3, 1), (9, 6), (10, 6), (11, 6)], 11).is_some());
    assert_eq!(rising(&[(0, 6), (1, 6)], 1), None);
    assert_eq!(rising(&with(&[(7, 4), (8, 5), (9, 5)]), 30), None, "long ago");
}

#[test]
fn sessions_missed_in_a_row() {
    let program = eight_weeks();
    let run = |logs: &[Logged], today: i32| find(&case(std::slice::from_ref(&program), logs), AttentionKind::MissedRun, day(today));
    let logs = done(&program, 0..5);
    assert_eq!(run(&logs, 5), None);
    assert_eq!(run(&logs, 7), None, "two missed, today open");
    let found = run(&logs, 8).unwrap();
    assert_eq!((found.since, found.facts.clone()), (day(7), Facts::MissedRun { sessions: 3, first: day(5) }));
    let longer = run(&logs, 12).unwrap();
    assert_eq!(longer.facts, Facts::MissedRun { sessions: 7, first: day(5) });
    assert_eq!((longer.key, longer.since), (found.key.clone(), found.since), "more of the same is no new fact");
    // Whoever comes back, even today, ends the run; a new one is a new fact.
    assert_eq!(run(&[logs.clone(), done(&program, [8])].concat(), 8), None);
    let again = run(&[logs.clone(), done(&program, [8])].concat(), 12).unwrap();
    assert_ne!(again.key, found.key);
    // A part is not missed; a session in which nothing was done is.
    assert_eq!(run(&[logs.clone(), vec![logged(&program, day(6), 0.2)]].concat(), 8), None);
    assert!(run(&[logs.clone(), vec![logged(&program, day(6), 0.0)]].concat(), 8).is_some());
    let patient = Settings { missed_run: 5, ..Settings::default() };
    let at_day = |n| attention(&case(std::slice::from_ref(&program), &logs), &patient, day(n)).len();
    assert_eq!((at_day(9), at_day(10)), (0, 1));
}

#[test]
fn a_run_skips_rest_days_and_pauses() {
    let weekdays = Weekdays::from_bits(0b001_0101).unwrap();
    let mut program = program(Plan { weekdays, ..plan() }, monday(), day(55));
    let logs = done(&program, [0]);
    let run = |program: &Program, today: i32| {
        find(&case(std::slice::from_ref(program), &logs), AttentionKind::MissedRun, day(today)).map(|a| a.facts)
    };
    assert_eq!(run(&program, 7), None, "Wednesday and Friday");
    assert_eq!(run(&program, 8), Some(Facts::MissedRun { sessions: 3, first: day(2) }));
    program.pause(day(4), Some(day(7)), "Travelling", monday()).unwrap();
    assert_eq!(run(&program, 8), None);
    assert_eq!(run(&program, 12), Some(Facts::MissedRun { sessions: 3, first: day(2) }), "Wednesday, Wednesday, Friday");
    program.pause(day(12), None, "Operation", monday()).unwrap();
    assert_eq!(run(&program, 13), None, "nothing is asked of the patient now");
    // Twice a day, a day and a half is a run of three.
    let twice = crate::fixtures::program(Plan { times_a_day: 2, ..plan() }, monday(), day(55));
    let found = find(&case(std::slice::from_ref(&twice), &done(&twice, [0])), AttentionKind::MissedRun, day(3)).unwrap();
    assert_eq!((found.since, found.facts), (day(2), Facts::MissedRun { sessions: 4, first: day(1) }));
}

#[test]
fn adherence_drops_by_thirty_points() {
    // 10 of 14, then as many as the table says of the next 14.
    let program = program(plan(), monday(), day(89));
    let dropped = |later: i32, today: i32| {
        // Spread so that no run of three is missed before day 28.
        let logs = [done(&program, 0..10), done(&program, (14..28).filter(move |n| n % 14 < later))].concat();
        find(&case(std::slice::from_ref(&program), &logs), AttentionKind::Dropped, day(today))
    };
    // On day 27 the windows are days 14–27 and 0–13; day 27 itself is open.
    let ratio = |facts: Facts| match facts {
        Facts::Dropped { recent, before } => (recent, before),
        other => panic!("{other:?}"),
    };
    assert_eq!(dropped(6, 27), None, "10/14 against 6/13 is 25 points");
    let found = dropped(5, 27).unwrap();
    assert_eq!(ratio(found.facts), (5.0 / 13.0, 10.0 / 14.0), "32.9 points");
    // A day later the same drop keeps its key.
    assert_eq!(dropped(5, 28).unwrap().key, found.key);

    // Exactly 30 points: 10 of 10 against 7 of 10, Monday to Friday.
    let weekdays = Weekdays::from_bits(0b001_1111).unwrap();
    let office = crate::fixtures::program(Plan { weekdays, ..plan() }, monday(), day(89));
    let at_sunday = |later: &[i32]| {
        let logs = [done(&office, 0..14), done(&office, later.iter().copied())].concat();
        find(&case(std::slice::from_ref(&office), &logs), AttentionKind::Dropped, day(27)).is_some()
    };
    assert!(at_sunday(&[14, 15, 17, 18, 22, 23, 25]));
    assert!(!at_sunday(&[14, 15, 17, 18, 22, 23, 25, 24]));
    // With nothing before, there is nothing to drop from.
    assert_eq!(find(&case(std::slice::from_ref(&office), &done(&office, [0])), AttentionKind::Dropped, day(10)), None);
}

#[test]
fn not_started_after_three_days() {
    let program = eight_weeks();
    let none: [Program; 0] = [];
    let invited = |today: i32, signed_in: bool| {
        find(&Case { signed_in, ..case(&none, &[]) }, AttentionKind::NotStarted, day(today)).map(|a| (a.since, a.facts))
    };
    assert_eq!(invited(2, false), None);
    assert_eq!(invited(3, false), Some((day(3), Facts::NeverSignedIn { invited: monday(), days: 3 })));
    assert_eq!(invited(30, true), None);

    let started = |program: &Program, logs: &[Logged], today: i32| {
        find(&case(std::slice::from_ref(program), logs), AttentionKind::NotStarted, day(today)).map(|a| a.facts)
    };
    assert_eq!(started(&program, &[], 2), None);
    assert_eq!(started(&program, &[], 3), Some(Facts::NothingLogged { program: program.id, start: monday(), days: 3 }));
    assert_eq!(started(&program, &done(&program, [3]), 3), None, "a log, however late, is a start");
    assert_eq!(started(&program, &[], 56), None, "over");
    // For Sundays only, and begun on a Monday: nothing was due before the second Monday.
    let sundays =
        crate::fixtures::program(Plan { weekdays: Weekdays::from_bits(0b100_0000).unwrap(), ..plan() }, monday(), day(55));
    assert_eq!(started(&sundays, &[], 6), None);
    assert!(started(&sundays, &[], 7).is_some());
}

#[test]
fn somebody_who_never_began_has_not_started_rather_than_missed() {
    let programs = [eight_weeks()];
    let found = attention(&case(&programs, &[]), &Settings::default(), day(6));
    assert_eq!(found.iter().map(|a| a.kind).collect::<Vec<_>>(), [AttentionKind::MissedRun, AttentionKind::NotStarted]);
    assert_eq!(headline(&found).unwrap().kind, AttentionKind::NotStarted);
    assert_eq!(headline(&[]), None);
}

#[test]
fn a_question_waits_for_an_answer() {
    let question = |id: u128, n: i32| asked_at(id, n, n, false);
    let questions = [question(1, 4), question(2, 9), question(3, 2)];
    let found = find(&Case { questions: &questions, ..case(&[], &[]) }, AttentionKind::Asked, day(10)).unwrap();
    assert_eq!((found.since, found.facts), (day(2), Facts::Asked { count: 3, newest: Uuid::from_u128(2) }));
    assert_eq!(kinds(&case(&[], &[]), day(10)), []);
}

/// A note about day `about` that came on day `came`.
fn asked_at(id: u128, about: i32, came: i32, answered: bool) -> Question {
    let at = day(came).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    Question { id: Uuid::from_u128(id), date: day(about), at, answered }
}

#[test]
fn a_reply_answers_one_note_and_acknowledging_all_that_had_come() {
    let ids = |questions: &[Question], marks: &[Mark]| -> Vec<u128> {
        waiting(questions, marks).iter().map(|question| question.id.as_u128()).collect()
    };
    let notes = [asked_at(1, 4, 4, false), asked_at(2, 6, 6, true), asked_at(3, 8, 8, false)];
    assert_eq!(ids(&notes, &[]), [1, 3], "what was replied to waits no more, the others do");
    let mark = |id: u128, state| Mark { kind: AttentionKind::Asked, key: Uuid::from_u128(id).to_string(), state };
    let seen = [mark(3, MarkState::Acknowledged)];
    assert_eq!(ids(&notes, &seen), [0u128; 0]);
    // A note about an earlier day that comes later is new.
    let more = [&notes[..], &[asked_at(4, 5, 9, false)]].concat();
    assert_eq!(ids(&more, &seen), [4]);
    let found = attention(&Case { questions: &waiting(&more, &seen), ..case(&[], &[]) }, &Settings::default(), day(10));
    assert_eq!(found[0].facts, Facts::Asked { count: 1, newest: Uuid::from_u128(4) });
    assert_eq!(open(found, &seen, day(10)).len(), 1);
    // Replied to and acknowledged both hold; a snooze and another kind's decision answer nothing.
    let both = [asked_at(1, 4, 4, false), asked_at(3, 8, 8, true)];
    assert_eq!(ids(&both, &seen), [0u128; 0]);
    assert_eq!(ids(&notes, &[mark(3, MarkState::SnoozedUntil(day(20)))]), [1, 3]);
    assert_eq!(ids(&notes, &[Mark { kind: AttentionKind::PainHigh, ..mark(3, MarkState::Acknowledged) }]), [1, 3]);
}

#[test]
fn a_program_is_ready_for_review_in_its_last_week() {
    let mut program = eight_weeks();
    let logs = done(&program, 0..56);
    let review = |program: &Program, today: i32| {
        find(&case(std::slice::from_ref(program), &logs), AttentionKind::ReadyForReview, day(today)).map(|a| (a.since, a.facts))
    };
    assert_eq!(review(&program, 47), None);
    let facts = |days_left| Facts::ReadyForReview { program: program.id, end: day(55), days_left };
    assert_eq!(review(&program, 48), Some((day(48), facts(7))));
    assert_eq!(review(&program, 55), Some((day(48), facts(0))));
    assert_eq!(review(&program, 56), None);
    program.finish(day(50)).unwrap();
    assert_eq!(review(&program, 50), None);
}

#[test]
fn what_was_acknowledged_returns_only_for_new_facts() {
    let program = eight_weeks();
    let programs = [program.clone()];
    let see = |logs: &[Logged], marks: &[Mark], today: i32| {
        let found = attention(&case(&programs, logs), &Settings::default(), day(today));
        open(found, marks, day(today)).into_iter().find(|a| a.kind == AttentionKind::MissedRun)
    };
    let logs = done(&program, 0..5);
    let found = see(&logs, &[], 8).unwrap();
    let mark = |state| [Mark { kind: found.kind, key: found.key.clone(), state }];
    let seen = mark(MarkState::Acknowledged);
    assert_eq!(see(&logs, &seen, 8), None);
    assert_eq!(see(&logs, &seen, 20), None, "the same silence");
    assert!(see(&[logs.clone(), done(&program, [9])].concat(), &seen, 14).is_some(), "a new run");
    let snoozed = mark(MarkState::SnoozedUntil(day(12)));
    assert_eq!(see(&logs, &snoozed, 11), None);
    assert!(see(&logs, &snoozed, 12).is_some(), "back on its date");
    // A mark counts for its own kind only.
    let other = [Mark { kind: AttentionKind::Dropped, ..seen[0].clone() }];
    assert!(see(&logs, &other, 8).is_some());
    assert_eq!(d("2026-01-13"), day(8));
}
