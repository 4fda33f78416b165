//! `/reminders`: the patient's own hours.

use axum::extract::State;
use domain::{
    person::Language,
    program::{Program, Weekdays},
    reminder::{MAX_TIMES, QuietHours, ReminderRule, RuleError, next_due},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Time, Weekday},
};
use render::{
    Field, Flash, Nav, formats,
    forms::Choice,
    pages::patient::{DayChoice, Reminders},
    words::say,
};
use store::{StoreError, Tx, patient, program, reminder};

use super::{answers::Given, words};
use crate::{
    AppState, PageResult,
    extract::{Form, Now, Pages, Patient},
};

/// Offered where no hour has been chosen yet.
const FIRST_HOUR: &str = "08:00";
/// How far ahead a pause may reach.
const LONGEST_PAUSE_DAYS: i64 = 366;

/// `GET /reminders`.
///
/// # Errors
/// The store's own.
pub async fn page(patient: Patient, Now(now): Now, State(app): State<AppState>, pages: Pages) -> PageResult {
    let page =
        app.store.tenant(patient.scope, move |tx| async move { Ok::<_, StoreError>(load(&tx, &patient, now).await?.0) }).await?;
    pages.at(Nav::Reminders).show(&page)
}

/// `POST /reminders`: on with hours, days and a pause, or off.
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
    let refused = app
        .store
        .tenant(patient.scope, move |tx| async move {
            let (mut page, kept) = load(&tx, &patient, now).await?;
            match read(patient.language, &given, &kept, patient.zone.date(now), &mut page) {
                Choosing::Off => reminder::unsubscribe(&tx, patient.id, now).await?,
                Choosing::On(rule) => {
                    reminder::resubscribe(&tx, patient.id).await?;
                    reminder::save_rules(&tx, patient.id, &rule, now).await?;
                }
                Choosing::Refused => return Ok(Some(page)),
            }
            Ok::<_, StoreError>(None)
        })
        .await?;
    match refused {
        Some(page) => pages.at(Nav::Reminders).refuse(&page),
        None => Ok(pages.go_saying("/reminders", &Flash::good(words(language, "reminders-saved")))),
    }
}

async fn load(tx: &Tx, patient: &Patient, now: Timestamp) -> Result<(Reminders, ReminderRule), StoreError> {
    let (language, today) = (patient.language, patient.zone.date(now));
    let address = patient::find(tx, patient.id).await?.email;
    let reminder::Reminders { rule, unsubscribed } = reminder::rules_for(tx, patient.id).await?;
    let programs = program::of_patient(tx, patient.id).await?;
    let off = unsubscribed || rule.times.is_empty();
    let mut times: Vec<Field> = rule.times.iter().map(|time| Field::holding(formats::hour(Language::En, *time))).collect();
    if times.is_empty() {
        times.push(Field::holding(FIRST_HOUR));
    }
    times.resize_with(MAX_TIMES, Field::default);
    let quiet = (rule.quiet.from != rule.quiet.to).then_some(rule.quiet);
    let page = Reminders {
        address: address.map(|address| address.as_str().to_owned()),
        dead: reminder::is_dead(tx, patient.id).await?,
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
        zone: rule.zone.name().replace('_', " "),
        quiet_from: quiet.map(|quiet| formats::hour(language, quiet.from)),
        quiet_to: quiet.map(|quiet| formats::hour(language, quiet.to)),
        preview: if off { Vec::new() } else { preview(language, &rule, &programs, now) },
    };
    Ok((page, rule))
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

/// The reminders of the next seven days: those on days with a session.
fn preview(language: Language, rule: &ReminderRule, programs: &[Program], now: Timestamp) -> Vec<String> {
    let end = now.saturating_add(SignedDuration::from_hours(7 * 24)).unwrap_or(now);
    let mut lines = Vec::new();
    let mut at = now;
    while let Some(due) = next_due(rule, at).filter(|due| due.at <= end) {
        at = due.at;
        if programs.iter().any(|program| program.slots_on(due.date) > 0) {
            let (day, time) = (formats::day_long(language, due.date), formats::hour(language, due.time));
            lines.push(say(language, "reminders-preview-item", &[("day", day.into()), ("time", time.into())]));
        }
    }
    lines
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
