//! The engine's planning in small, stepped over a clock that jumps, against an almanac made by looking at a wall clock every minute;
//! and the dates that hurt.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::almanac::{Almanac, Wish, fate};
use crate::fixtures::{after, at, d};
use domain::person::Zone;
use domain::program::Weekdays;
use domain::reminder::{Decision, Due, QuietHours, ReminderRule, Standing, decide, next_due};
use jiff::civil::{Date, Time, time};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

/// Zones, each with an instant a few days before a change that hurts.
pub const HARD: [(&str, &str); 12] = [
    ("America/New_York", "2026-03-05T05:00:00Z"),
    ("America/New_York", "2026-10-29T05:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-01T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-02T00:00:00Z"),
    ("America/Santiago", "2026-09-03T00:00:00Z"),
    ("America/Santiago", "2026-04-02T00:00:00Z"),
    ("Pacific/Apia", "2011-12-27T00:00:00Z"),
    ("Pacific/Kwajalein", "1993-08-18T00:00:00Z"),
    ("America/Havana", "2026-03-05T00:00:00Z"),
    ("America/Havana", "2025-10-30T00:00:00Z"),
    ("America/Nuuk", "2026-03-26T00:00:00Z"),
    ("Asia/Kuala_Lumpur", "2026-03-02T00:00:00Z"),
];

fn rule_of(wish: &Wish) -> ReminderRule {
    let Wish { times, weekdays, zone, quiet, paused_until } = wish.clone();
    ReminderRule { times, weekdays, zone: Zone::parse(zone).unwrap(), quiet, paused_until }
}

#[test]
fn the_dates_that_hurt() {
    let never = QuietHours { from: time(0, 0, 0, 0), to: time(0, 0, 0, 0) };
    let quiet = |from, to| QuietHours { from: time(from, 0, 0, 0), to: time(to, 0, 0, 0) };
    // zone, chosen time, quiet hours: after this instant, the next is for this civil date, at this instant
    for (zone, chosen, quiet, from, date, instant) in [
        // 02:00–03:00 is left out: what was chosen for then comes an hour later.
        ("America/New_York", "02:30", never, "2026-03-07T12:00Z", "2026-03-08", "2026-03-08T07:30Z"),
        ("America/New_York", "02:00", never, "2026-03-07T12:00Z", "2026-03-08", "2026-03-08T07:00Z"),
        ("America/New_York", "03:00", never, "2026-03-07T12:00Z", "2026-03-08", "2026-03-08T07:00Z"),
        // That hour is quiet: nothing today, and the usual time tomorrow.
        ("America/New_York", "02:30", quiet(3, 7), "2026-03-07T12:00Z", "2026-03-09", "2026-03-09T06:30Z"),
        // Quiet hours that are left out themselves still name their times.
        ("America/New_York", "02:30", quiet(2, 3), "2026-03-07T12:00Z", "", ""),
        ("America/New_York", "01:30", quiet(2, 3), "2026-03-07T12:00Z", "2026-03-08", "2026-03-08T06:30Z"),
        // 01:00–02:00 comes twice: the first counts, the second does not.
        ("America/New_York", "01:30", never, "2026-10-31T12:00Z", "2026-11-01", "2026-11-01T05:30Z"),
        ("America/New_York", "01:30", never, "2026-11-01T05:30Z", "2026-11-02", "2026-11-02T06:30Z"),
        // Half an hour is left out, and comes twice.
        ("Australia/Lord_Howe", "02:15", never, "2026-10-03T00:00Z", "2026-10-04", "2026-10-03T15:45Z"),
        ("Australia/Lord_Howe", "02:30", never, "2026-10-03T00:00Z", "2026-10-04", "2026-10-03T15:30Z"),
        ("Australia/Lord_Howe", "01:45", never, "2026-04-04T00:00Z", "2026-04-05", "2026-04-04T14:45Z"),
        ("Australia/Lord_Howe", "01:45", never, "2026-04-04T14:45Z", "2026-04-06", "2026-04-05T15:15Z"),
        // The day begins at one.
        ("America/Santiago", "00:00", never, "2026-09-05T12:00Z", "2026-09-06", "2026-09-06T04:00Z"),
        ("America/Santiago", "00:30", never, "2026-09-05T12:00Z", "2026-09-06", "2026-09-06T04:30Z"),
        ("America/Santiago", "00:30", quiet(1, 7), "2026-09-05T12:00Z", "2026-09-07", "2026-09-07T03:30Z"),
        // The day's last hour comes twice.
        ("America/Santiago", "23:30", never, "2026-04-04T12:00Z", "2026-04-04", "2026-04-05T02:30Z"),
        ("America/Santiago", "23:30", never, "2026-04-05T02:30Z", "2026-04-05", "2026-04-06T03:30Z"),
        ("America/Havana", "00:30", never, "2026-03-07T12:00Z", "2026-03-08", "2026-03-08T05:30Z"),
        ("America/Havana", "00:30", never, "2025-11-01T12:00Z", "2025-11-02", "2025-11-02T04:30Z"),
        ("America/Havana", "00:30", never, "2025-11-02T04:30Z", "2025-11-03", "2025-11-03T05:30Z"),
        // A whole date is left out.
        ("Pacific/Apia", "08:00", never, "2011-12-29T12:00Z", "2011-12-29", "2011-12-29T18:00Z"),
        ("Pacific/Apia", "08:00", never, "2011-12-29T18:00Z", "2011-12-31", "2011-12-30T18:00Z"),
        ("Pacific/Kwajalein", "08:00", never, "1993-08-20T12:00Z", "1993-08-20", "1993-08-20T20:00Z"),
        ("Pacific/Kwajalein", "08:00", never, "1993-08-20T20:00Z", "1993-08-22", "1993-08-21T20:00Z"),
    ] {
        let wish = Wish { times: vec![chosen.parse().unwrap()], weekdays: Weekdays::all(), zone, quiet, paused_until: None };
        let next = next_due(&rule_of(&wish), from.replace('Z', ":00Z").parse().unwrap());
        let expected = (!date.is_empty()).then(|| (d(date), at(&instant.replace('Z', ":00Z"))));
        assert_eq!(next.map(|due| (due.date, due.at)), expected, "{zone} {chosen} after {from}");
    }
}

/// In a gap two chosen times may come at one instant: that is one mail, for the later of them.
#[test]
fn two_times_that_a_gap_brings_together_are_one_mail() {
    let wish = |zone, times| Wish {
        times,
        weekdays: Weekdays::all(),
        zone,
        quiet: QuietHours { from: Time::MIN, to: Time::MIN },
        paused_until: None,
    };
    for (zone, times, dates, expected) in [
        ("America/New_York", vec![time(2, 30, 0, 0), time(3, 30, 0, 0)], ["2026-03-08"; 2], "2026-03-08T07:30:00Z"),
        ("America/Nuuk", vec![time(23, 30, 0, 0), time(0, 30, 0, 0)], ["2026-03-28", "2026-03-29"], "2026-03-29T01:30:00Z"),
    ] {
        let rule = rule_of(&wish(zone, times.clone()));
        let standing = Standing { slots: 1, logged: 0, unsubscribed: false };
        let decided = [0, 1].map(|n| {
            let due = Due { date: d(dates[n]), time: times[n], at: rule.zone.instant(d(dates[n]), times[n]) };
            assert_eq!(due.at, at(expected), "{zone}");
            decide(&rule, &due, &standing, due.at)
        });
        assert_eq!(decided, [Decision::Skip(domain::reminder::NoticeSkip::Expired), Decision::Send], "{zone}");
    }
}

const DAYS: i64 = 16;

/// One for each of [`HARD`], from three days before its instant.
static ALMANACS: LazyLock<Vec<Almanac>> = LazyLock::new(|| {
    HARD.iter().map(|(zone, start)| Almanac::new(zone, at(start) - SignedDuration::from_hours(72), DAYS + 6)).collect()
});

fn any_time() -> impl Strategy<Value = Time> {
    prop_oneof![2 => 0i32..240, 1 => 0i32..1440, 1 => 1320i32..1440]
        .prop_map(|minute| time((minute / 60) as i8, (minute % 60) as i8, 0, 0))
}

/// A wish, when it is made, the clock's jumps in minutes and whether mail goes out after each, and each day's sessions.
type Case = (Wish, Timestamp, Vec<(i64, bool)>, Vec<(u32, i64)>);

fn any_case() -> impl Strategy<Value = Case> {
    let steps = proptest::collection::vec((prop_oneof![4 => 1i64..300, 1 => Just(2160), 2 => -600i64..0], any::<bool>()), 5..40);
    // For each day: how many sessions, and from which minute of the whole time on one is logged.
    let sessions = proptest::collection::vec((0u32..3, 0i64..DAYS * 1440 * 2), DAYS as usize + 4);
    let pause = proptest::option::of(0i32..6);
    (
        proptest::collection::vec(any_time(), 1..=3),
        1u8..=0x7f,
        0..HARD.len(),
        any_time(),
        any_time(),
        any::<bool>(),
        pause,
        steps,
        sessions,
    )
        .prop_map(|(mut times, bits, hard, from, to, quiet, pause, steps, sessions)| {
            times.sort();
            times.dedup();
            let start = at(HARD[hard].1);
            let weekdays = if bits % 3 == 0 { Weekdays::from_bits(bits).unwrap() } else { Weekdays::all() };
            let quiet = if quiet { QuietHours { from, to } } else { QuietHours { from: Time::MIN, to: Time::MIN } };
            let first = Zone::parse(HARD[hard].0).unwrap().date(start);
            let paused_until = pause.map(|days| after(first, days));
            (Wish { times, weekdays, zone: HARD[hard].0, quiet, paused_until }, start, steps, sessions)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Each time holds its next due and moves on when it has come, as a row of the table does. Whatever the clock does, every due
    /// up to the latest instant seen is planned once, and ends as the promise says.
    #[test]
    fn planning_over_a_jumping_clock_is_the_naive_one((wish, start, steps, sessions) in any_case()) {
        let almanac = &ALMANACS[HARD.iter().position(|hard| at(hard.1) == start && hard.0 == wish.zone).unwrap()];
        let (rule, dues) = (rule_of(&wish), almanac.dues(&wish));
        let origin = rule.zone.date(start);
        let standing = |date: Date, now: Timestamp| {
            let day = usize::try_from((date - origin).get_days().max(0)).unwrap();
            let (slots, from) = sessions[day.min(sessions.len() - 1)];
            (slots, u32::from(now.duration_since(start).as_mins() >= from))
        };
        let one = |time: Time| ReminderRule { times: vec![time], ..rule.clone() };
        let mut rows: Vec<(Time, Option<Due>)> = wish.times.iter().map(|time| (*time, next_due(&one(*time), start))).collect();
        let mut notices: BTreeMap<(Date, Time), (Due, &'static str)> = BTreeMap::new();
        let mut naive: BTreeMap<(Date, Time), (Timestamp, &'static str)> = BTreeMap::new();
        let (mut now, mut latest) = (start, start);
        for (minutes, sends) in steps {
            // Off the minute, where nothing is at its edge.
            now = (now + SignedDuration::from_mins(minutes)).clamp(start, start + SignedDuration::from_hours(24 * (DAYS - 2)));
            let now = now + SignedDuration::from_secs(17);
            latest = latest.max(now);
            for (time, held) in &mut rows {
                while let Some(due) = held.filter(|due| due.at <= now) {
                    prop_assert!(notices.insert((due.date, due.time), (due, "pending")).is_none(), "planned twice: {due:?}");
                    *held = next_due(&one(*time), due.at);
                }
            }
            for (date, time, at) in dues.iter().filter(|(_, _, at)| *at > start && *at <= now) {
                naive.entry((*date, *time)).or_insert((*at, "pending"));
            }
            if !sends {
                continue;
            }
            let mut sent = 0;
            for (due, state) in notices.values_mut().filter(|(_, state)| *state == "pending") {
                let (slots, logged) = standing(due.date, now);
                *state = match decide(&rule, due, &Standing { slots, logged, unsubscribed: false }, now) {
                    Decision::Send => { sent += 1; "sent" }
                    Decision::Wait => "pending",
                    Decision::Skip(why) => why.tag(),
                };
            }
            prop_assert!(sent <= 1, "{sent} at once");
            for ((date, time), (at, state)) in naive.iter_mut().filter(|(_, (at, state))| *state == "pending" && *at <= now) {
                *state = fate(&wish, almanac, &dues, (*date, *time, *at), standing(*date, now), now);
            }
        }
        let planned: BTreeMap<_, _> = notices.iter().map(|(key, (due, state))| (*key, (due.at, *state))).collect();
        prop_assert_eq!(planned, naive);
    }
}
