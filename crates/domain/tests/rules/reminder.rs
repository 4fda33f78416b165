use crate::fixtures::{after, at, d, eight_weeks, monday, plan, program};
use domain::person::Zone;
use domain::program::{Plan, Weekdays};
use domain::reminder::{Decision, Due, NoticeSkip, QuietHours, ReminderRule, RuleError, Standing, decide, next_due};
use jiff::civil::{Time, time};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn none_quiet() -> QuietHours {
    QuietHours { from: time(0, 0, 0, 0), to: time(0, 0, 0, 0) }
}

fn rule(zone: &str, times: &[(i8, i8)]) -> ReminderRule {
    ReminderRule {
        times: times.iter().map(|(hour, minute)| time(*hour, *minute, 0, 0)).collect(),
        weekdays: Weekdays::all(),
        zone: Zone::parse(zone).unwrap(),
        quiet: none_quiet(),
        paused_until: None,
    }
}

fn next(rule: &ReminderRule, after: &str) -> Option<(String, String)> {
    next_due(rule, at(after)).map(|due| (format!("{} {:.5}", due.date, due.time.to_string()), due.at.to_string()))
}

fn is(chosen: &str, instant: &str) -> Option<(String, String)> {
    Some((chosen.to_owned(), instant.to_owned()))
}

#[test]
fn quiet_hours_may_wrap_around_midnight() {
    let night = QuietHours::default();
    let noon = QuietHours { from: time(12, 0, 0, 0), to: time(14, 0, 0, 0) };
    for (hour, minute, in_night, in_noon) in [
        (0, 0, true, false),
        (6, 59, true, false),
        (7, 0, false, false),
        (11, 59, false, false),
        (12, 0, false, true),
        (13, 59, false, true),
        (14, 0, false, false),
        (20, 59, false, false),
        (21, 0, true, false),
        (23, 59, true, false),
    ] {
        let t = time(hour, minute, 0, 0);
        assert_eq!((night.contains(t), noon.contains(t), none_quiet().contains(t)), (in_night, in_noon, false), "{t}");
    }
}

#[test]
fn a_rule_has_up_to_three_times_outside_quiet_hours() {
    let make = |times: &[Time]| {
        ReminderRule::new(times.to_vec(), Weekdays::all(), Zone::utc(), QuietHours::default(), None).map(|rule| rule.times)
    };
    let t = |hour| time(hour, 0, 0, 0);
    assert_eq!(make(&[t(18), t(8), t(18)]), Ok(vec![t(8), t(18)]));
    assert_eq!(make(&[]), Ok(vec![]));
    assert_eq!(make(&[t(8), t(9), t(10), t(11)]), Err(RuleError::TooManyTimes));
    let quiet = make(&[t(8), t(22)]).unwrap_err();
    assert_eq!(quiet.to_string(), "The clinic sends nothing between 21:00 and 07:00. Choose another time.");
}

#[test]
fn the_next_due_in_the_patients_own_zone() {
    let kl = rule("Asia/Kuala_Lumpur", &[(18, 0), (8, 0)]);
    assert_eq!(next(&kl, "2026-01-05T00:00:00Z"), is("2026-01-05 18:00", "2026-01-05T10:00:00Z"));
    assert_eq!(next(&kl, "2026-01-04T23:59:59Z"), is("2026-01-05 08:00", "2026-01-05T00:00:00Z"));
    assert_eq!(next(&kl, "2026-01-05T10:00:00Z"), is("2026-01-06 08:00", "2026-01-06T00:00:00Z"));
    let fridays = ReminderRule { weekdays: Weekdays::from_bits(0b001_0000).unwrap(), ..kl.clone() };
    assert_eq!(next(&fridays, "2026-01-09T10:00:00Z"), is("2026-01-16 08:00", "2026-01-16T00:00:00Z"));
    let paused = ReminderRule { paused_until: Some(d("2026-03-01")), ..kl.clone() };
    assert_eq!(next(&paused, "2026-01-05T00:00:00Z"), is("2026-03-02 08:00", "2026-03-02T00:00:00Z"));
    let late = ReminderRule { times: vec![time(22, 0, 0, 0), time(9, 0, 0, 0)], quiet: QuietHours::default(), ..kl.clone() };
    assert_eq!(next(&late, "2026-01-05T02:00:00Z"), is("2026-01-06 09:00", "2026-01-06T01:00:00Z"), "never in quiet hours");
    assert_eq!(next(&ReminderRule { times: vec![], ..kl.clone() }, "2026-01-05T00:00:00Z"), None);
    assert_eq!(next(&ReminderRule { weekdays: Weekdays::NONE, ..kl.clone() }, "2026-01-05T00:00:00Z"), None);
    assert_eq!(next_due(&kl, Timestamp::MAX), None);
    assert!(next_due(&kl, Timestamp::MIN).is_some());
}

/// Nuuk springs forward at 23:00 on a Saturday: the evening's last times come
/// after the next morning's first.
#[test]
fn a_gap_at_midnight_lets_two_dates_change_places() {
    let nuuk = rule("America/Nuuk", &[(0, 10), (23, 30)]);
    assert_eq!(next(&nuuk, "2026-03-28T12:00:00Z"), is("2026-03-29 00:10", "2026-03-29T01:10:00Z"));
    assert_eq!(next(&nuuk, "2026-03-29T01:10:00Z"), is("2026-03-28 23:30", "2026-03-29T01:30:00Z"));
    assert_eq!(next(&nuuk, "2026-03-29T01:30:00Z"), is("2026-03-29 23:30", "2026-03-30T00:30:00Z"));
}

#[test]
fn a_weekday_left_out_at_the_date_line_waits_a_week() {
    // 30 December 2011 would have been a Friday.
    let fridays = ReminderRule { weekdays: Weekdays::from_bits(0b001_0000).unwrap(), ..rule("Pacific/Apia", &[(8, 0)]) };
    assert_eq!(next(&fridays, "2011-12-24T00:00:00Z"), is("2012-01-06 08:00", "2012-01-05T18:00:00Z"));
}

#[test]
fn a_reminder_is_decided_at_the_moment_of_sending() {
    use NoticeSkip::*;
    let rule = ReminderRule { quiet: QuietHours::default(), ..rule("Asia/Kuala_Lumpur", &[(8, 0), (20, 0)]) };
    let due = |hour: i8| {
        let (date, t) = (d("2026-01-05"), time(hour, 0, 0, 0));
        Due { date, time: t, at: rule.zone.instant(date, t) }
    };
    let wanted = Standing { slots: 2, logged: 1, unsubscribed: false };
    let check = |rule: &ReminderRule, hour, standing: Standing, minutes_late| {
        let due = due(hour);
        decide(rule, &due, &standing, due.at + SignedDuration::from_mins(minutes_late))
    };
    let skip = Decision::Skip;
    assert_eq!(check(&rule, 8, wanted, 0), Decision::Send);
    assert_eq!(check(&rule, 8, wanted, -1), Decision::Wait);
    assert_eq!(check(&rule, 8, wanted, 180), Decision::Send);
    assert_eq!(check(&rule, 8, wanted, 181), skip(Expired));
    assert_eq!(check(&rule, 8, Standing { logged: 2, ..wanted }, 0), skip(Logged));
    assert_eq!(check(&rule, 8, Standing { logged: 3, ..wanted }, 0), skip(Logged));
    assert_eq!(check(&rule, 8, Standing { slots: 0, logged: 0, ..wanted }, 0), skip(NotActive));
    assert_eq!(check(&rule, 8, Standing { unsubscribed: true, ..wanted }, 0), skip(Unsubscribed));
    assert_eq!(check(&rule, 20, wanted, 59), Decision::Send);
    assert_eq!(check(&rule, 20, wanted, 60), skip(Quiet), "within its grace, but the clinic is quiet by now");
    let paused = |until: &str| ReminderRule { paused_until: Some(d(until)), ..rule.clone() };
    assert_eq!(check(&paused("2026-01-05"), 8, wanted, 0), skip(Paused));
    assert_eq!(check(&paused("2026-01-04"), 8, wanted, 0), Decision::Send);
}

#[test]
fn after_an_outage_only_the_newest_of_close_times_is_sent() {
    let rule = rule("Asia/Kuala_Lumpur", &[(8, 0), (9, 0), (10, 0)]);
    let date = d("2026-01-05");
    let now = rule.zone.instant(date, time(10, 30, 0, 0));
    let standing = Standing { slots: 3, logged: 0, unsubscribed: false };
    let decided: Vec<Decision> = rule.dues_on(date).map(|due| decide(&rule, &due, &standing, now)).collect();
    let expired = Decision::Skip(NoticeSkip::Expired);
    assert_eq!(decided, [expired, expired, Decision::Send]);
}

#[test]
fn a_slot_is_open_until_it_is_logged() {
    let twice = program(Plan { times_a_day: 2, ..plan() }, monday(), after(monday(), 9));
    let mut once = eight_weeks();
    once.pause(after(monday(), 3), None, "Travelling", monday()).unwrap();
    let (a, b) = (twice.id, once.id);
    let programs = [twice, once];
    let on = |day: i32, twice: u32, once: u32| {
        let logged = |id| {
            if id == a {
                twice
            } else if id == b {
                once
            } else {
                0
            }
        };
        let standing = Standing::on(after(monday(), day), &programs, logged, false);
        (standing.slots, standing.logged)
    };
    assert_eq!(on(0, 0, 0), (3, 0));
    assert_eq!(on(0, 1, 1), (3, 2));
    assert_eq!(on(0, 5, 0), (3, 2), "the other program is still open");
    assert_eq!(on(3, 1, 1), (2, 1), "a paused program asks for nothing");
    assert_eq!(on(10, 0, 0), (0, 0));
    let gone = Standing::on(monday(), &programs, |_| 0, true);
    assert!(gone.unsubscribed);
}

const ZONES: [&str; 9] = [
    "Asia/Kuala_Lumpur",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Apia",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/Nuuk",
];

fn any_time() -> impl Strategy<Value = Time> {
    (0i8..24, 0i8..60).prop_map(|(hour, minute)| time(hour, minute, 0, 0))
}

fn any_rule() -> impl Strategy<Value = ReminderRule> {
    let pause = proptest::option::of(0..4000i32);
    (proptest::collection::vec(any_time(), 0..=3), 0u8..=0x7f, 0..ZONES.len(), any_time(), any_time(), any::<bool>(), pause)
        .prop_map(|(times, bits, zone, from, to, quiet, pause)| ReminderRule {
            times,
            weekdays: Weekdays::from_bits(bits).unwrap(),
            zone: Zone::parse(ZONES[zone]).unwrap(),
            quiet: if quiet { QuietHours { from, to } } else { none_quiet() },
            paused_until: pause.map(|days| after(d("2011-01-01"), days)),
        })
}

/// Instants around the changes that hurt, and any others from 2011 to 2027.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    let near = |text: &str| {
        let middle = at(text).as_second();
        (middle - 200_000..middle + 200_000).boxed()
    };
    prop_oneof![
        near("2026-03-08T07:00:00Z"),
        near("2026-11-01T06:00:00Z"),
        near("2026-10-03T15:30:00Z"),
        near("2026-04-04T15:00:00Z"),
        near("2026-09-06T04:00:00Z"),
        near("2026-03-29T01:00:00Z"),
        near("2011-12-30T10:00:00Z"),
        (1_293_840_000i64..1_800_000_000).boxed(),
    ]
    .prop_map(|second| Timestamp::from_second(second).unwrap())
}

/// Every due of every civil date near an instant, the first one after it:
/// straight from the sentence in the rules.
fn naive_next(rule: &ReminderRule, instant: Timestamp) -> Option<Timestamp> {
    let start = rule.zone.date(instant).max(rule.paused_until.unwrap_or(jiff::civil::Date::MIN));
    let mut found = Vec::new();
    for n in -3..25 {
        let date = after(start, n);
        let asked = rule.weekdays.contains(date.weekday()) && rule.paused_until.is_none_or(|until| until < date);
        let exists = !(rule.zone.name() == "Pacific/Apia" && date == d("2011-12-30"));
        for t in &rule.times {
            let due = date.to_datetime(*t).to_zoned(rule.zone.time_zone().clone()).unwrap();
            let quiet = rule.quiet.contains(*t) || rule.quiet.contains(due.time());
            if asked && exists && !quiet && due.timestamp() > instant {
                found.push(due.timestamp());
            }
        }
    }
    found.into_iter().min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_next_due_is_later_monotone_and_the_naive_one(rule in any_rule(), a in any_instant(), b in any_instant()) {
        let (a, b) = (a.min(b), a.max(b));
        let (first, second) = (next_due(&rule, a), next_due(&rule, b));
        prop_assert_eq!(first.map(|due| due.at), naive_next(&rule, a));
        prop_assert_eq!(second.map(|due| due.at), naive_next(&rule, b));
        for (due, after) in [(first, a), (second, b)] {
            if let Some(due) = due {
                prop_assert!(due.at > after);
                prop_assert!(rule.weekdays.contains(due.date.weekday()));
                prop_assert_eq!(rule.zone.instant(due.date, due.time), due.at);
            }
        }
        if let (Some(first), Some(second)) = (first, second) {
            prop_assert!(first.at <= second.at);
            // Nothing lies between: the next after just before it is itself.
            prop_assert_eq!(next_due(&rule, first.at - SignedDuration::from_nanos(1)).map(|due| due.at), Some(first.at));
        }
    }
}
