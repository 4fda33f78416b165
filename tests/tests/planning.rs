//! Planning with the real database and the real queue: held against a reference that looks at wall clocks, over zones, edits, outages
//! and clocks that jump.

// A test that fails to set itself up should say where.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../crates/domain/tests/rules/almanac.rs"]
mod almanac;
mod story;

use std::collections::{BTreeMap, HashMap};

use almanac::{Almanac, Wish, fate};
use domain::{
    person::{Zone, zone_database},
    program::{Program, Weekdays},
    reminder::{QuietHours, ReminderRule},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time, time},
};
use store::{clinic, outbox, patient, reminder};
use story::{Story, eight, minutes, seven};
use testkit::{clock::at, people::Somebody};

async fn set_zone(story: &Story, who: &Somebody, zone: &str, now: Timestamp) {
    let zone = Zone::parse(zone).unwrap();
    story.clinic.tenant(async |tx| patient::set_zone(tx, who.id, &zone, now).await).await;
}

async fn set_quiet(story: &Story, quiet: QuietHours, now: Timestamp) {
    story
        .clinic
        .tenant(async |tx| {
            let mut settings = clinic::settings(tx).await?;
            settings.quiet = quiet;
            clinic::save(tx, &settings, now).await
        })
        .await;
}

const NO_QUIET: QuietHours = QuietHours { from: Time::MIN, to: Time::MIN };

/// Numbers that are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn time(&mut self) -> Time {
        let minute = self.below(96) * 15;
        time((minute / 60) as i8, (minute % 60) as i8, 0, 0)
    }

    fn times(&mut self) -> Vec<Time> {
        let mut times: Vec<Time> = (0..=self.below(3)).map(|_| self.time()).collect();
        times.sort();
        times.dedup();
        times
    }

    fn weekdays(&mut self) -> Weekdays {
        if self.below(3) == 0 { Weekdays::from_bits(1 + self.below(127) as u8).unwrap() } else { Weekdays::all() }
    }
}

const ZONES: [&str; 5] = ["Asia/Kuala_Lumpur", "America/New_York", "America/Havana", "Pacific/Auckland", "Pacific/Pago_Pago"];

/// A patient as the reference sees it.
struct Told {
    who: Somebody,
    wish: Wish,
    program: Option<Program>,
    logged: HashMap<Date, u32>,
    /// For each time: what lies after this is seen, and one date from before a change that is still owed.
    seen: BTreeMap<Time, (Timestamp, Option<Date>)>,
    notices: BTreeMap<(Date, Time), (Timestamp, String)>,
}

impl Told {
    /// What has come due by `now` is owed, each date and time once.
    fn plan(&mut self, almanacs: &HashMap<&str, Almanac>, now: Timestamp) {
        for (date, time, at) in almanacs[self.wish.zone].dues(&self.wish) {
            let Some((after, extra)) = self.seen.get(&time) else { continue };
            if at <= now && (at > *after || *extra == Some(date)) {
                self.notices.entry((date, time)).or_insert((at, "pending".to_owned()));
            }
        }
    }

    /// The wish becomes another. What was due is owed; what was next, and is past by no more than a reminder may be late, is owed too.
    fn change(&mut self, almanacs: &HashMap<&str, Almanac>, wish: Wish, now: Timestamp) {
        let old = almanacs[self.wish.zone].dues(&self.wish);
        let new = almanacs[wish.zone].dues(&wish);
        let kept: Vec<Time> = self.wish.times.iter().copied().filter(|time| wish.times.contains(time)).collect();
        self.seen.retain(|time, _| kept.contains(time));
        self.plan(almanacs, now);
        let mut seen = BTreeMap::new();
        for time in &wish.times {
            let ahead = |(after, extra): &(Timestamp, Option<Date>)| {
                let floor = *after;
                old.iter()
                    .filter(|(date, t, at)| t == time && *at > now && (*at > floor || *extra == Some(*date)))
                    .min_by_key(|due| due.2)
                    .map(|due| due.0)
            };
            let next = self.seen.get(time).and_then(ahead);
            let fresh = |date: &Date| {
                new.iter().any(|(d, t, at)| d == date && t == time && now.duration_since(*at) <= SignedDuration::from_hours(3))
            };
            seen.insert(*time, (now, next.filter(fresh)));
        }
        self.seen = seen;
        self.wish = wish;
    }

    fn decide(&mut self, almanacs: &HashMap<&str, Almanac>, now: Timestamp) {
        let (almanac, dues) = (&almanacs[self.wish.zone], almanacs[self.wish.zone].dues(&self.wish));
        for ((date, time), (at, state)) in self.notices.iter_mut().filter(|(_, (at, state))| state == "pending" && *at <= now) {
            let slots = self.program.as_ref().map_or(0, |program| u32::from(program.slots_on(*date)));
            let logged = self.logged.get(date).copied().unwrap_or_default().min(slots);
            *state = if self.wish.times.contains(time) {
                fate(&self.wish, almanac, &dues, (*date, *time, *at), (slots, logged), now).to_owned()
            } else {
                "expired".to_owned()
            };
        }
    }
}

/// Whatever the clock does and whoever changes what: the notices, their ends and the mails are those of the reference.
#[tokio::test]
async fn the_engine_plans_and_decides_as_the_naive_reference() {
    let start = at("2026-03-05T00:00:00Z");
    let almanacs: HashMap<&str, Almanac> =
        ZONES.iter().map(|zone| (*zone, Almanac::new(zone, start - SignedDuration::from_hours(96), 24))).collect();
    for seed in 0..6 {
        let (story, mut dice) = (Story::begin().await, Dice(seed));
        let mut quiet = NO_QUIET;
        set_quiet(&story, quiet, start).await;
        let mut people = Vec::new();
        for n in 0..4 {
            let zone = ZONES[dice.below(5) as usize];
            let who = story.clinic.patient_in(&format!("Patient {n}"), &format!("p{n}@example.test"), zone).await;
            let program = if n == 3 { None } else { Some(story.clinic.program_for(&who, jiff::civil::date(2026, 3, 1), 6).await) };
            let wish = Wish { times: dice.times(), weekdays: dice.weekdays(), zone, quiet, paused_until: None };
            save(&story, &who, &wish, start).await;
            let seen = wish.times.iter().map(|time| (*time, (start, None))).collect();
            people.push(Told { who, wish, program, logged: HashMap::new(), seen, notices: BTreeMap::new() });
        }
        let mut now = start;
        for _ in 0..16 {
            let jump = match dice.below(8) {
                0 => 36 * 60,
                1 | 2 => -(dice.below(300) as i64),
                _ => dice.below(400) as i64,
            };
            // Off the minute, where nothing is at its edge.
            let whole = now.as_second() / 60 * 60;
            now = Timestamp::from_second(whole + jump * 60 + 17).unwrap().max(start + SignedDuration::from_secs(17));
            let told = &mut people[dice.below(4) as usize];
            let mut wish = told.wish.clone();
            match dice.below(9) {
                0 => wish.times = dice.times(),
                1 => wish.weekdays = dice.weekdays(),
                2 => wish.zone = ZONES[dice.below(5) as usize],
                3 => {
                    let ahead = SignedDuration::from_hours(24 * dice.below(2) as i64);
                    wish.paused_until = Some(Zone::parse(wish.zone).unwrap().date(now + ahead));
                }
                4 => wish.paused_until = None,
                5 => {
                    let date = Zone::parse(wish.zone).unwrap().date(now);
                    if let Some(program) = told.program.as_ref().filter(|program| program.slots_on(date) > 0)
                        && !told.logged.contains_key(&date)
                    {
                        story.clinic.log(&told.who, program, date, Some(3)).await;
                        told.logged.insert(date, 1);
                    }
                }
                6 => {
                    let from = dice.time();
                    quiet = QuietHours { from, to: dice.time() };
                    set_quiet(&story, quiet, now).await;
                    for told in &mut people {
                        told.change(&almanacs, Wish { quiet, ..told.wish.clone() }, now);
                    }
                    continue;
                }
                _ => {}
            }
            if wish.zone != told.wish.zone {
                set_zone(&story, &told.who, wish.zone, now).await;
                told.change(&almanacs, wish, now);
            } else if (&wish.times, wish.weekdays, wish.paused_until)
                != (&told.wish.times, told.wish.weekdays, told.wish.paused_until)
            {
                save(&story, &told.who, &wish, now).await;
                told.change(&almanacs, wish, now);
            }
            let before = story.server.messages().len();
            story.tick(now).await;
            for told in &mut people {
                told.plan(&almanacs, now);
                told.decide(&almanacs, now);
            }
            let mails = story.server.messages();
            for told in &people {
                let to = told.who.email.as_str();
                assert!(mails[before..].iter().filter(|mail| mail.to[0] == to).count() <= 1, "seed {seed}: more than one at once");
            }
        }
        for told in &people {
            let expected: Vec<String> = told
                .notices
                .iter()
                .map(|((date, time), (_, state))| match state.as_str() {
                    "sent" | "pending" => format!("{date} {time} {state}"),
                    reason => format!("{date} {time} skipped {reason}"),
                })
                .collect();
            let found = story
                .db
                .rows(&format!(
                    "select concat_ws(' ', civil_date, civil_time, state, reason) from notice
                     where patient_id = '{}' and kind = 'session_reminder' order by civil_date, civil_time",
                    told.who.id
                ))
                .await;
            assert_eq!(found, expected, "seed {seed}, {:?}", told.wish);
            let sent = expected.iter().filter(|line| line.ends_with(" sent")).count();
            assert_eq!(story.server.to(told.who.email.as_str()).len(), sent, "seed {seed}");
        }
    }
}

async fn save(story: &Story, who: &Somebody, wish: &Wish, now: Timestamp) {
    let Wish { times, weekdays, zone, quiet, paused_until } = wish.clone();
    let rule = ReminderRule { times, weekdays, zone: Zone::parse(zone).unwrap(), quiet, paused_until };
    story.clinic.tenant(async |tx| reminder::save_rules(tx, who.id, &rule, now).await).await;
}

#[tokio::test]
async fn who_crosses_the_date_line_and_back_gets_no_civil_time_twice() {
    let story = Story::begin().await;
    let who = story.clinic.patient_in("Sina Leota", "sina@example.test", "Pacific/Auckland").await;
    story.clinic.program_for(&who, jiff::civil::date(2026, 3, 1), 6).await;
    story.clinic.remind(&who, &["08:00"], at("2026-03-01T00:00:00Z")).await;
    // Monday in Auckland, then in Pago Pago, 24 hours behind, where Monday's eight o'clock comes again.
    assert_eq!(story.tick(at("2026-03-01T19:00:10Z")).await.sent, 1);
    set_zone(&story, &who, "Pacific/Pago_Pago", at("2026-03-01T20:00:00Z")).await;
    assert_eq!(story.tick(at("2026-03-02T19:00:10Z")).await.sent, 0, "Monday's was mailed already");
    // Back over the line at half past nine on Monday evening, which is Tuesday evening there; Tuesday's never came, and is hopeless.
    set_zone(&story, &who, "Pacific/Auckland", at("2026-03-03T08:30:00Z")).await;
    assert_eq!(story.tick(at("2026-03-03T19:00:10Z")).await.sent, 1, "Wednesday's");
    assert_eq!(
        story.db.rows("select civil_date, state from notice order by civil_date").await,
        ["2026-03-02|sent", "2026-03-04|sent"]
    );
    // From London to Paris at half past seven: eight o'clock was half an hour ago, and comes at once.
    let second = story.clinic.patient_in("Liam Hall", "liam@example.test", "Europe/London").await;
    story.clinic.program_for(&second, jiff::civil::date(2026, 3, 1), 6).await;
    story.clinic.remind(&second, &["08:00"], at("2026-03-05T00:00:00Z")).await;
    set_zone(&story, &second, "Europe/Paris", at("2026-03-05T07:30:00Z")).await;
    story.tick(at("2026-03-05T07:30:10Z")).await;
    story.tick(at("2026-03-05T08:00:10Z")).await;
    assert_eq!(story.server.to("liam@example.test").len(), 1);
}

#[tokio::test]
async fn an_edit_makes_no_reminder_disappear() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    // No worker looked at eight. A minute later she adds an hour.
    story.clinic.remind(&farah, &["08:00", "18:00"], eight() + minutes(1)).await;
    assert_eq!(story.tick(eight() + minutes(2)).await.sent, 1);
}

#[tokio::test]
async fn new_quiet_hours_move_every_rule_of_the_clinic_and_no_other() {
    let story = Story::begin().await;
    for name in ["Ada A", "Ben B"] {
        story.somebody(name).await;
    }
    let other = testkit::people::clinic_called(&story.db, "Hillside", "hillside.test", seven()).await;
    let theirs = other.patient("Chi C", "chi@example.test").await;
    other.remind(&theirs, &["08:00"], seven()).await;
    set_quiet(&story, QuietHours { from: time(20, 0, 0, 0), to: time(9, 0, 0, 0) }, seven()).await;
    let rules = "select quiet_from, quiet_to, due_at is not null from reminder_rule order by quiet_from";
    assert_eq!(story.db.rows(rules).await, ["20:00:00|09:00:00|f", "20:00:00|09:00:00|f", "21:00:00|07:00:00|t"]);
    assert_eq!(story.tick(eight()).await.planned, 1, "Hillside's");
    // And back again: tomorrow's.
    set_quiet(&story, QuietHours::default(), eight() + minutes(1)).await;
    assert_eq!(story.tick(eight() + SignedDuration::from_hours(24)).await.sent, 2);
}

#[tokio::test]
async fn a_new_zone_database_works_the_instants_out_anew() {
    let story = Story::begin().await;
    for name in ["Ada A", "Ben B", "Chi C"] {
        story.somebody(name).await;
    }
    // As an older database had it: half an hour later; and a zone it did not know.
    story.db.execute("update reminder_rule set due_at = due_at + interval '30 min'").await;
    story
        .db
        .execute(
            "update reminder_rule set due_at = null, due_date = null where id = (select min(id::text)::uuid from reminder_rule)",
        )
        .await;
    story.db.execute("update mail_sender set zone_database = '2011a'").await;
    let store = &story.db.store;
    let mut from = None;
    let mut steps = 0;
    loop {
        let tx = store.begin_worker().await.unwrap();
        from = reminder::refresh_zones(&tx, from, 1, seven()).await.unwrap();
        tx.commit().await.unwrap();
        steps += 1;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(steps, 4, "one rule at a time, and one look that finds no more");
    assert_eq!(story.db.row("select zone_database from mail_sender").await, zone_database());
    assert_eq!(story.tick(eight()).await.sent, 3);
    // The worker does it by itself, and once.
    story.db.execute("update reminder_rule set due_at = due_at + interval '30 min'").await;
    story.db.execute("update mail_sender set zone_database = null").await;
    let tomorrow = eight() + SignedDuration::from_hours(24);
    assert_eq!(story.tick(tomorrow).await.sent, 3);
    // A newer program's work is left alone.
    story.db.execute("update mail_sender set zone_database = '9999z'").await;
    story.tick(tomorrow + minutes(1)).await;
    assert_eq!(story.db.row("select zone_database from mail_sender").await, "9999z");
}

#[tokio::test]
async fn while_reminders_are_held_nothing_is_planned_and_nothing_old_goes_out_after() {
    let story = Story::begin().await;
    for name in ["Ada A", "Ben B"] {
        story.somebody(name).await;
    }
    story.db.execute("update mail_sender set held_since = now()").await;
    assert_eq!(story.tick(eight()).await.planned, 0);
    let tx = story.db.store.begin_worker().await.unwrap();
    let released = outbox::hold::release(&tx, eight() + minutes(30)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!((released.expired, released.unknown), (2, 0));
    assert_eq!(story.tick(eight() + minutes(31)).await.sent, 0);
    assert_eq!(story.notices().await, ["session_reminder skipped expired", "session_reminder skipped expired"]);
    assert_eq!(story.tick(eight() + SignedDuration::from_hours(24)).await.sent, 2);
}

#[tokio::test]
async fn a_rule_whose_zone_does_not_exist_is_switched_off_and_stops_nobody() {
    let story = Story::begin().await;
    let ada = story.somebody("Ada A").await;
    story.somebody("Ben B").await;
    story.db.execute(&format!("update reminder_rule set zone = 'Mars/Olympus' where patient_id = '{}'", ada.id)).await;
    story.tick(eight()).await;
    let next = eight() + SignedDuration::from_hours(24);
    story.tick(next).await;
    assert_eq!(story.server.to("ben@example.test").len(), 2);
    assert_eq!(story.db.rows("select due_at is null from reminder_rule where zone = 'Mars/Olympus'").await, ["t"]);
}
