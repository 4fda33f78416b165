//! `/reminders`: the patient's own hours and zone, the days ahead, a test, and what became of the mail so far.

use axum::extract::State;
use domain::{
    person::{Language, Zone},
    program::{Program, Weekdays},
    reminder::{MAX_TIMES, QuietHours, ReminderRule, RuleError},
    reminder_story::{self, Address, Fate, Nothing, Told},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Time, Weekday},
};
use render::{
    Field, Flash, Nav, formats,
    forms::Choice,
    links::Links,
    pages::patient::{DayChoice, PreviewDay, Reminders},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, Tx, calendar,
    notice::{self, Asked, Notice},
    outbox::{self, Kind, Mails, Owed},
    patient, reminder,
};

use super::{answers::Given, mail_words::Teller, words};
use crate::{
    AppState, PageResult,
    extract::{Form, Now, Pages, Patient, Query},
    zones,
};

/// Offered where no hour has been chosen yet.
const FIRST_HOUR: &str = "08:00";
/// How far ahead a pause may reach.
const LONGEST_PAUSE_DAYS: i64 = 366;
/// The days ahead that are shown.
const AHEAD_DAYS: i32 = 7;
/// The days back that are listed.
const BACK_DAYS: i32 = 14;
/// Between two tests.
const TEST_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// Tests within a day.
const TESTS_A_DAY: usize = 5;

/// The day asked about, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    date: String,
}

/// `GET /reminders`.
///
/// # Errors
/// The store's own.
pub async fn page(
    patient: Patient,
    Now(now): Now,
    State(app): State<AppState>,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    let language = patient.language;
    let tx = app.store.begin(&patient.scope).await?;
    let (mut page, _) = load(&tx, &app.links, &patient, now).await?;
    page.date = Field::holding(wanted.date.trim());
    if !wanted.date.trim().is_empty() {
        match wanted.date.trim().parse::<Date>().ok().filter(|date| (1900..=9000).contains(&date.year())) {
            None => page.date.error = Some(words(language, "reminders-ask-error")),
            Some(date) => {
                let asked = notice::story(&tx, patient.id, date, date).await?;
                let story = reminder_story::tell(&asked.case(now), date);
                page.told = Some(Teller { language, asked: &asked }.day_told(&story));
            }
        }
    }
    tx.commit().await?;
    let pages = pages.at(Nav::Reminders);
    if page.date.error.is_some() { pages.refuse(&page) } else { pages.show(&page) }
}

/// `POST /reminders`: on with hours, days and a pause, or off; and the zone they are in.
///
/// # Errors
/// The store's own.
pub async fn save(
    patient: Patient,
    Now(now): Now,
    State(app): State<AppState>,
    pages: Pages,
    Form(given): Form<Vec<(String, String)>>,
) -> PageResult {
    let (given, language) = (Given(given), patient.language);
    let tx = app.store.begin(&patient.scope).await?;
    let saved = replace(&tx, &app.links, &patient, &given, now).await?;
    tx.commit().await?;
    let pages = pages.at(Nav::Reminders);
    let (moved, on_its_way) = match saved {
        Err(page) => return pages.refuse(&*page),
        Ok(saved) => saved,
    };
    let said = match moved {
        None => words(language, "reminders-saved"),
        Some(zone) => say(language, "reminders-saved-zone", &[("zone", zones::place(zone.name()).into())]),
    };
    Ok(pages.go_saying("/reminders", &Flash::good(said).with_mail_on_its_way(language, on_its_way)))
}

/// Saves the choice: with the new zone, if it is one, and whether a reminder is on its way; or gives the page that says why not.
async fn replace(
    tx: &Tx,
    links: &Links,
    patient: &Patient,
    given: &Given,
    now: Timestamp,
) -> Result<Result<(Option<Zone>, bool), Box<Reminders>>, StoreError> {
    let language = patient.language;
    let (mut page, mut kept) = load(tx, links, patient, now).await?;
    let moved = zone(language, given.one("zone"), &kept.zone, &mut page);
    if let Some(zone) = &moved {
        kept.zone = zone.clone();
    }
    let choosing = read(language, given, &kept, kept.zone.date(now), &mut page);
    if page.zone.error.is_some() || matches!(choosing, Choosing::Refused) {
        page.problem.get_or_insert_with(|| words(language, "reminders-problem"));
        return Ok(Err(Box::new(page)));
    }
    // Zone and hours change together or not at all.
    if let Some(zone) = &moved {
        patient::set_zone(tx, patient.id, zone, now).await?;
    }
    match choosing {
        Choosing::On(rule) => {
            // Rules and record are locked before the addresses that get no mail, as unsubscribing does.
            reminder::save_rules(tx, patient.id, &rule, now).await?;
            reminder::resubscribe(tx, patient.id).await?;
        }
        Choosing::Off => reminder::unsubscribe(tx, patient.id, now).await?,
        Choosing::Refused => {}
    }
    Ok(Ok((moved, outbox::on_their_way(tx, patient.id, Mails::Reminders).await?)))
}

/// `POST /reminders/test`: one mail as a reminder would look.
///
/// # Errors
/// The store's own.
pub async fn test(patient: Patient, Now(now): Now, State(app): State<AppState>, pages: Pages) -> PageResult {
    let language = patient.language;
    let today = patient.zone.date(now);
    let tx = app.store.begin(&patient.scope).await?;
    let asked = notice::story(&tx, patient.id, today.saturating_sub(1.day()), today).await?;
    let flash = match (Tests::of(&asked, now), &asked.patient.email) {
        (Tests::Possible, Some(address)) => {
            outbox::enqueue(&tx, patient.scope.clinic, Owed::Test(patient.id), address, now).await?;
            Flash::good(say(language, "reminders-test-sent", &[("address", address.as_str().to_owned().into())]))
        }
        _ => Flash::warn(test_words(language, &asked, now)),
    };
    tx.commit().await?;
    Ok(pages.go_saying("/reminders", &flash))
}

/// Whether a test may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tests {
    Possible,
    NoAddress,
    CameBack,
    /// One was asked for a moment ago, at that instant.
    Soon(Timestamp),
    /// As many as fit into a day; the first of them was then.
    Many(Timestamp),
}

impl Tests {
    fn of(asked: &Asked, now: Timestamp) -> Self {
        match asked.address {
            Address::Missing => return Self::NoAddress,
            Address::CameBack => return Self::CameBack,
            Address::Open | Address::Unsubscribed => {}
        }
        let day = SignedDuration::from_hours(24);
        let mut tests: Vec<Timestamp> =
            asked.notices.iter().filter(|notice| notice.kind == Kind::Test).map(|notice| notice.due_at).collect();
        tests.retain(|at| now.duration_since(*at) < day);
        match (tests.iter().max(), tests.iter().min()) {
            (Some(last), _) if now.duration_since(*last) < TEST_EVERY => Self::Soon(*last),
            (_, Some(first)) if tests.len() >= TESTS_A_DAY => Self::Many(*first),
            _ => Self::Possible,
        }
    }
}

/// What a test would do, or why there can be none.
fn test_words(language: Language, asked: &Asked, now: Timestamp) -> String {
    let zone = &asked.patient.zone;
    let address = || asked.patient.email.as_ref().map_or("", |email| email.as_str()).to_owned();
    let at = |at: Timestamp| formats::hour(language, zone.time(at));
    match Tests::of(asked, now) {
        Tests::Possible => say(language, "reminders-test-what", &[("address", address().into())]),
        Tests::NoAddress => words(language, "reminders-test-address"),
        Tests::CameBack => say(language, "reminders-test-dead", &[("address", address().into())]),
        Tests::Soon(last) => {
            say(language, "reminders-test-soon", &[("time", at(last).into()), ("again", at(last + TEST_EVERY).into())])
        }
        Tests::Many(first) => {
            let again = first + SignedDuration::from_hours(24);
            let again = format!("{}, {}", formats::day_with_weekday(language, zone.date(again)), at(again));
            say(language, "reminders-test-many", &[("count", TESTS_A_DAY.into()), ("again", again.into())])
        }
    }
}

async fn load(tx: &Tx, links: &Links, patient: &Patient, now: Timestamp) -> Result<(Reminders, ReminderRule), StoreError> {
    let language = patient.language;
    // The page tells of two weeks back and one ahead, in the zone that holds now.
    let zone = patient.zone.clone();
    let today = zone.date(now);
    let (first, last) = (today.saturating_sub(BACK_DAYS.days()), today.saturating_add(AHEAD_DAYS.days()));
    let (asked, sender, opened) =
        tokio::try_join!(notice::story(tx, patient.id, first, last), notice::sender(tx), calendar::opened(tx, patient.id))?;
    let rule = asked.rule.clone();
    let teller = Teller { language, asked: &asked };
    let off = asked.address == Address::Unsubscribed || rule.times.is_empty();
    let mut times: Vec<Field> = rule.times.iter().map(|time| Field::holding(formats::hour(Language::En, *time))).collect();
    if times.is_empty() {
        times.push(Field::holding(FIRST_HOUR));
    }
    times.resize_with(MAX_TIMES, Field::default);
    let quiet = (rule.quiet.from != rule.quiet.to).then_some(rule.quiet);
    let (preview, preview_none) = preview(&teller, today, now);
    let address = asked.patient.email.as_ref().map(|address| address.as_str().to_owned());
    let about = |key| say(language, key, &[("address", address.clone().unwrap_or_default().into())]);
    let state = match asked.address {
        Address::Missing => Some(words(language, "reminders-no-address")),
        Address::CameBack => Some(about("reminders-dead-address")),
        Address::Unsubscribed => Some(about("reminders-stopped")),
        Address::Open if sender.held_since.is_some() => Some(words(language, "reminders-held")),
        Address::Open if sender.paused.is_some() => Some(words(language, "reminders-delayed")),
        Address::Open => None,
    };
    let page = Reminders {
        state,
        off,
        problem: None,
        reminders: Field::holding(if off { "off" } else { "on" }),
        choices: vec![Choice::new("on", words(language, "reminders-on")), Choice::new("off", words(language, "reminders-off"))],
        times,
        days: days(language, rule.weekdays),
        days_error: None,
        paused_until: rule
            .paused_until
            .filter(|until| *until >= today)
            .map_or_else(Field::default, |until| Field::holding(until.to_string())),
        zone_name: zones::place(zone.name()),
        zone_time: formats::hour(language, zone.time(now)),
        zone: Field::holding(zone.name()),
        zones_common: zones::common(language, &zone, now),
        zones: zones::all(),
        quiet_from: quiet.map(|quiet| formats::hour(language, quiet.from)),
        quiet_to: quiet.map(|quiet| formats::hour(language, quiet.to)),
        preview,
        preview_none,
        test: test_words(language, &asked, now),
        can_test: Tests::of(&asked, now) == Tests::Possible,
        sent: asked.notices.iter().map(|notice: &Notice| teller.listed(notice)).collect(),
        date: Field::default(),
        told: None,
        calendar: opened.map(|opened| links.calendar(patient.scope.clinic, patient.id, opened)),
        address,
    };
    Ok((page, rule))
}

/// The zone chosen, if it is another than the present one. What is wrong goes onto the page.
fn zone(language: Language, typed: &str, present: &Zone, page: &mut Reminders) -> Option<Zone> {
    if typed.is_empty() {
        return None;
    }
    page.zone = Field::holding(typed);
    match Zone::parse(typed) {
        Ok(zone) => (zone.name() != present.name()).then_some(zone),
        Err(_) => {
            page.zone.error = Some(words(language, "reminders-error-zone"));
            None
        }
    }
}

fn days(language: Language, chosen: Weekdays) -> Vec<DayChoice> {
    formats::WEEK
        .iter()
        .map(|day| DayChoice {
            value: day.to_monday_zero_offset().to_string(),
            letter: formats::weekday_letter(language, *day),
            label: formats::weekday(language, *day),
            on: chosen.contains(*day),
        })
        .collect()
}

/// The next seven days, each with its reminders or why there is none; or the one reason why there is none at all.
fn preview(teller: &Teller<'_>, today: Date, now: Timestamp) -> (Vec<PreviewDay>, Option<String>) {
    let (language, case) = (teller.language, teller.asked.case(now));
    let mut days = Vec::new();
    for ahead in 0..AHEAD_DAYS {
        let date = today.saturating_add(ahead.days());
        let story = reminder_story::tell(&case, date);
        if let Some(why @ (Nothing::NoAddress | Nothing::CameBack | Nothing::Unsubscribed | Nothing::NoHours)) = story.nothing {
            let why = teller.nothing(why, date);
            return (Vec::new(), Some(say(language, "reminders-preview-none", &[("why", why.into())])));
        }
        let minutes = minutes_on(case.programs, date);
        let lines: Vec<String> =
            story.times.iter().filter_map(|(time, told)| ahead_line(teller, *time, told, date, minutes)).collect();
        let why = match story.nothing {
            Some(why) => Some(teller.nothing(why, date)),
            None => lines.is_empty().then(|| words(language, "reminders-preview-over")),
        };
        days.push(PreviewDay { day: formats::day_with_weekday(language, date), lines, why });
    }
    (days, None)
}

/// A time that is still ahead, or what became of it today. One that passed without a reminder is nothing to look forward to.
fn ahead_line(teller: &Teller<'_>, time: Time, told: &Told, date: Date, minutes: u32) -> Option<String> {
    let language = teller.language;
    let at = formats::hour(language, time);
    let what = match told {
        Told::Planned(_) => {
            let args = [("time", at.into()), ("minutes", minutes.into())];
            return Some(say(language, "reminders-preview-item", &args));
        }
        Told::Nothing(Nothing::ChosenLater(_) | Nothing::Unrecorded) => return None,
        Told::Nothing(why) => teller.nothing(*why, date),
        Told::Queued { fate: Fate::Sent { .. }, .. } => words(language, "mail-sent"),
        Told::Queued { fate: Fate::Skipped(_) | Fate::Dead { .. }, .. } => words(language, "mail-not-sent"),
        Told::Queued { fate: Fate::Unknown { .. }, .. } => words(language, "mail-unknown"),
        Told::Queued { fate: Fate::Waiting { .. } | Fate::Sending, .. } => words(language, "mail-waiting"),
    };
    Some(say(language, "reminders-preview-gone", &[("time", at.into()), ("what", what.into())]))
}

/// The minutes of everything due on a date.
fn minutes_on(programs: &[Program], date: Date) -> u32 {
    let due = programs.iter().filter(|program| program.slots_on(date) > 0).filter_map(|program| program.version_on(date));
    due.map(domain::program::Version::minutes).sum()
}

enum Choosing {
    Off,
    On(ReminderRule),
    Refused,
}

/// Reads the form, writing into `page` what was typed and what is wrong with it.
fn read(language: Language, given: &Given, kept: &ReminderRule, today: Date, page: &mut Reminders) -> Choosing {
    page.reminders = Field::holding(given.one("reminders"));
    match given.one("reminders") {
        "off" => return Choosing::Off,
        "on" => {}
        typed => page.reminders = Field::refused(typed, words(language, "reminders-error-choice")),
    }
    let typed: Vec<&str> = given.all("time").collect();
    let mut chosen = Vec::new();
    page.times = typed
        .iter()
        .map(|typed| match time(language, typed, kept.quiet) {
            Ok(time) => {
                chosen.extend(time);
                Field::holding(*typed)
            }
            Err(why) => Field::refused(*typed, why),
        })
        .collect();
    page.times.resize_with(MAX_TIMES.max(typed.len().min(MAX_TIMES)), Field::default);
    page.times.truncate(MAX_TIMES);
    if chosen.is_empty()
        && page.times.iter().all(|field| field.error.is_none())
        && let Some(first) = page.times.first_mut()
    {
        first.error = Some(words(language, "reminders-error-none"));
    }
    let weekdays: Weekdays = given
        .all("day")
        .filter_map(|day| day.parse::<i8>().ok().and_then(|day| Weekday::from_monday_zero_offset(day).ok()))
        .collect();
    page.days = days(language, weekdays);
    page.days_error = weekdays.is_empty().then(|| words(language, "reminders-error-days"));
    let paused_until = match until(language, given.one("paused_until"), today) {
        Ok(until) => {
            page.paused_until = Field::holding(given.one("paused_until"));
            until
        }
        Err(why) => {
            page.paused_until = Field::refused(given.one("paused_until"), why);
            None
        }
    };
    let fine = page.reminders.error.is_none()
        && page.days_error.is_none()
        && page.paused_until.error.is_none()
        && page.times.iter().all(|field| field.error.is_none());
    let rule = ReminderRule::new(chosen, weekdays, kept.zone.clone(), kept.quiet, paused_until);
    match rule {
        Ok(rule) if fine => Choosing::On(rule),
        Err(RuleError::TooManyTimes) => {
            page.problem = Some(RuleError::TooManyTimes.to_string());
            Choosing::Refused
        }
        Ok(_) | Err(RuleError::Quiet(_)) => {
            page.problem = Some(words(language, "reminders-problem"));
            Choosing::Refused
        }
    }
}

fn time(language: Language, typed: &str, quiet: QuietHours) -> Result<Option<Time>, String> {
    if typed.is_empty() {
        return Ok(None);
    }
    let time = Time::strptime("%H:%M", typed)
        .or_else(|_| Time::strptime("%H:%M:%S", typed))
        .map_err(|_| words(language, "reminders-error-time"))?;
    if quiet.contains(time) {
        let args = [("from", formats::hour(language, quiet.from).into()), ("to", formats::hour(language, quiet.to).into())];
        return Err(say(language, "reminders-error-quiet", &args));
    }
    Ok(Some(time))
}

fn until(language: Language, typed: &str, today: Date) -> Result<Option<Date>, String> {
    if typed.is_empty() {
        return Ok(None);
    }
    let date: Date = typed.parse().map_err(|_| words(language, "reminders-error-date"))?;
    if date < today {
        return Err(words(language, "reminders-error-past"));
    }
    if date > today.saturating_add(LONGEST_PAUSE_DAYS.days()) {
        return Err(words(language, "reminders-error-far"));
    }
    Ok(Some(date))
}
