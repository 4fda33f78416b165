//! Why a reminder came or did not, as a table.

use domain::{
    ids::ProgramId,
    person::Zone,
    program::{Program, Weekdays},
    reminder::{NoticeSkip, QuietHours, ReminderRule},
    reminder_story::{Address, Case, DayStory, Fate, Log, Nothing, Queued, Told, tell},
};
use jiff::{
    Timestamp,
    civil::{Time, Weekday, time},
};

use crate::fixtures::{after, at, d, eight_weeks, monday, plan, program};

/// Somebody in Kuala Lumpur, eight o'clock every day, on Wednesday 7 January 2026 at noon: the third day of eight weeks.
struct Somebody {
    zone: Zone,
    rule: ReminderRule,
    chosen: Vec<(Time, Timestamp)>,
    programs: Vec<Program>,
    logs: Vec<Log>,
    queued: Vec<Queued>,
    address: Address,
    held: Option<Timestamp>,
    since: Timestamp,
    now: Timestamp,
}

fn eight() -> Time {
    time(8, 0, 0, 0)
}

fn somebody() -> Somebody {
    let zone = Zone::parse("Asia/Kuala_Lumpur").unwrap();
    Somebody {
        rule: ReminderRule::new(vec![eight()], Weekdays::all(), zone.clone(), QuietHours::default(), None).unwrap(),
        chosen: vec![(eight(), at("2026-01-05T09:00:00+08:00"))],
        programs: vec![eight_weeks()],
        logs: Vec::new(),
        queued: Vec::new(),
        address: Address::Open,
        held: None,
        since: at("2026-01-04T10:00:00+08:00"),
        now: at("2026-01-07T12:00:00+08:00"),
        zone,
    }
}

impl Somebody {
    fn asks(&self, date: &str) -> DayStory {
        let case = Case {
            now: self.now,
            zone: &self.zone,
            known_since: self.since,
            address: self.address,
            rule: &self.rule,
            chosen: &self.chosen,
            programs: &self.programs,
            logs: &self.logs,
            queued: &self.queued,
            held_since: self.held,
        };
        tell(&case, d(date))
    }

    fn logs(&mut self, date: &str, hour: &str) {
        let program = self.programs.first().map_or_else(ProgramId::new, |program| program.id);
        self.logs.push(Log { program, date: d(date), at: at(&format!("{date}T{hour}:00+08:00")) });
    }

    fn queue(&mut self, date: &str, fate: Fate) {
        self.queued.push(Queued { date: d(date), time: eight(), due_at: at(&format!("{date}T08:00:00+08:00")), fate });
    }
}

#[test]
fn a_date_without_a_reminder_says_why() {
    type Change = fn(&mut Somebody);
    let table: [(&str, &str, Change, Nothing); 17] = [
        ("before the clinic knew the patient", "2026-01-03", |_| {}, Nothing::BeforeRecord(d("2026-01-04"))),
        ("no address", "2026-01-08", |who| who.address = Address::Missing, Nothing::NoAddress),
        ("mail came back", "2026-01-08", |who| who.address = Address::CameBack, Nothing::CameBack),
        ("stopped", "2026-01-08", |who| who.address = Address::Unsubscribed, Nothing::Unsubscribed),
        ("no hours", "2026-01-08", |who| who.rule.times.clear(), Nothing::NoHours),
        ("no hours, long ago", "2026-01-05", |who| who.rule.times.clear(), Nothing::NoHours),
        (
            "not that weekday",
            "2026-01-08",
            |who| who.rule.weekdays = [Weekday::Monday].into_iter().collect(),
            Nothing::NotThatWeekday,
        ),
        ("paused", "2026-01-09", |who| who.rule.paused_until = Some(d("2026-01-09")), Nothing::Paused(d("2026-01-09"))),
        ("no program", "2026-01-08", |who| who.programs.clear(), Nothing::NoProgram),
        (
            "the program is to come",
            "2026-01-08",
            |who| who.programs = vec![program(plan(), d("2026-02-02"), d("2026-03-01"))],
            Nothing::NotStarted(d("2026-02-02")),
        ),
        ("the program is over", "2026-03-05", |_| {}, Nothing::ProgramFinished(after(monday(), 55))),
        (
            "a rest day",
            "2026-01-08",
            |who| {
                let mut plan = plan();
                plan.weekdays = [Weekday::Monday].into_iter().collect();
                who.programs = vec![program(plan, monday(), after(monday(), 55))];
            },
            Nothing::RestDay,
        ),
        (
            "the program is paused for a while",
            "2026-01-08",
            |who| drop(who.programs[0].pause(d("2026-01-07"), Some(d("2026-01-10")), "away", d("2026-01-07")).unwrap().clone()),
            Nothing::ProgramPaused(Some(d("2026-01-10"))),
        ),
        (
            "the program is paused until further notice",
            "2026-01-08",
            |who| drop(who.programs[0].pause(d("2026-01-07"), None, "away", d("2026-01-07")).unwrap().clone()),
            Nothing::ProgramPaused(None),
        ),
        (
            "the session is logged",
            "2026-01-07",
            |who| {
                who.now = at("2026-01-07T07:50:00+08:00");
                who.logs("2026-01-07", "07:40");
            },
            Nothing::Logged(at("2026-01-07T07:40:00+08:00")),
        ),
        (
            "the zone left the date out",
            "2011-12-30",
            |who| {
                who.zone = Zone::parse("Pacific/Apia").unwrap();
                who.since = at("2011-12-01T10:00:00Z");
                who.now = at("2011-12-29T10:00:00Z");
            },
            Nothing::NoSuchDay,
        ),
        (
            "finished before it began",
            "2026-01-08",
            |who| {
                who.programs = vec![program(plan(), d("2026-02-02"), d("2026-03-01"))];
                who.programs[0].finish(d("2026-01-06")).unwrap();
            },
            Nothing::NoProgram,
        ),
    ];
    for (what, date, change, why) in table {
        let mut who = somebody();
        change(&mut who);
        let story = who.asks(date);
        assert_eq!((story.nothing, story.times), (Some(why), Vec::new()), "{what}");
    }
}

#[test]
fn a_time_without_a_reminder_says_why() {
    type Change = fn(&mut Somebody);
    let table: [(&str, &str, Change, Told); 7] = [
        ("it is to come", "2026-01-08", |_| {}, Told::Planned(at("2026-01-08T08:00:00+08:00"))),
        (
            "it is to come, but all are held back",
            "2026-01-08",
            |who| who.held = Some(at("2026-01-06T00:00:00Z")),
            Told::Nothing(Nothing::Held(at("2026-01-06T00:00:00Z"))),
        ),
        ("chosen afterwards", "2026-01-05", |_| {}, Told::Nothing(Nothing::ChosenLater(at("2026-01-05T09:00:00+08:00")))),
        ("nobody was there", "2026-01-06", |_| {}, Told::Nothing(Nothing::Unrecorded)),
        ("a moment ago", "2026-01-07", |who| who.now = at("2026-01-07T08:00:20+08:00"), Told::Nothing(Nothing::JustDue)),
        (
            "in quiet hours that came later",
            "2026-01-08",
            |who| who.rule.quiet = QuietHours { from: time(7, 0, 0, 0), to: time(9, 0, 0, 0) },
            Told::Nothing(Nothing::Quiet),
        ),
        (
            "held back since before its hour",
            "2026-01-07",
            |who| who.held = Some(at("2026-01-06T00:00:00Z")),
            Told::Nothing(Nothing::Held(at("2026-01-06T00:00:00Z"))),
        ),
    ];
    for (what, date, change, told) in table {
        let mut who = somebody();
        change(&mut who);
        let story = who.asks(date);
        assert_eq!((story.nothing, story.times), (None, vec![(eight(), told)]), "{what}");
    }
}

#[test]
fn what_was_queued_is_told_whatever_the_rule_says_now() {
    let sent = Fate::Sent { at: at("2026-01-06T08:00:01+08:00"), reply: Some("250 ok".into()) };
    let mut who = somebody();
    who.queue("2026-01-06", sent.clone());
    who.rule.times.clear();
    let due_at = at("2026-01-06T08:00:00+08:00");
    let told = Told::Queued { due_at, fate: sent, logged_at: None };
    assert_eq!(who.asks("2026-01-06").times, [(eight(), told)]);
}

#[test]
fn one_that_was_not_needed_says_when_the_session_was_logged() {
    let mut who = somebody();
    who.logs("2026-01-07", "07:40");
    who.queue("2026-01-07", Fate::Skipped(NoticeSkip::Logged));
    who.rule.times = vec![eight(), time(18, 0, 0, 0)];
    let logged = at("2026-01-07T07:40:00+08:00");
    let told =
        Told::Queued { due_at: at("2026-01-07T08:00:00+08:00"), fate: Fate::Skipped(NoticeSkip::Logged), logged_at: Some(logged) };
    let story = who.asks("2026-01-07");
    assert_eq!(story.times, [(eight(), told), (time(18, 0, 0, 0), Told::Nothing(Nothing::Logged(logged)))]);
}
