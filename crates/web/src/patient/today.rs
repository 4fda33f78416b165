//! `/today`: what is due, what was done, what comes next.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    adherence::{Logged, adherence},
    ids::{ExerciseId, LogId},
    person::{Language, PersonName},
    program::{Program, ProgramStatus, Version},
    session_log::{LOG_BACK_DAYS, Outcome, SessionLog, entry_completion},
};
use jiff::{
    ToSpan,
    civil::{Date, Time},
};
use render::{
    Nav, formats,
    pages::patient::{LateDay, ProgramCard, Saved, Today, TodayExercise, day_tile},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, Tx,
    exercise::{self, Exercise},
    program, questionnaire, reply,
    session::Reach,
    session_log,
};

use super::{questions, replies, words};
use crate::{
    AppState, PageResult,
    account::agreed,
    extract::{Now, Pages, Patient, Query},
};

/// How far ahead the next session is looked for: longer than any weekday pattern, and than most pauses.
const AHEAD_DAYS: i64 = 62;

/// The query of the page.
#[derive(Debug, Deserialize)]
pub struct Which {
    /// The log that was just saved.
    #[serde(default)]
    saved: String,
}

/// `GET /today`.
///
/// # Errors
/// The store's own.
pub async fn page(
    patient: Patient,
    Now(now): Now,
    Query(which): Query<Which>,
    State(app): State<AppState>,
    pages: Pages,
) -> PageResult {
    let (today, hour) = (patient.zone.date(now), patient.zone.time(now));
    let saved: Option<LogId> = which.saved.parse().ok();
    let tx = app.store.begin(&patient.scope).await?;
    let page = load(&tx, &patient, today, hour, saved).await?;
    tx.commit().await?;
    pages.at(Nav::Today).show(&page)
}

async fn load(tx: &Tx, patient: &Patient, today: Date, hour: Time, saved: Option<LogId>) -> Result<Today, StoreError> {
    let language = patient.language;
    // A one-tap link opens today, not the days before.
    let history = patient.reach == Reach::Full;
    let week_ago = today.saturating_sub(i64::from(LOG_BACK_DAYS).days());
    let just_saved = async {
        match saved {
            Some(id) => {
                let found = session_log::find(tx, id).await.map(Some).or_else(absent)?;
                Ok(found.filter(|log| history || log.date == today))
            }
            None => Ok(None),
        }
    };
    let ids = [patient.id];
    let unread = async { if history { reply::unread(tx, patient.id).await } else { Ok(Vec::new()) } };
    let (programs, mut logged, todays, saved, exercises, beside, unread, asked, told) = tx
        .final_reads(async {
            tokio::try_join!(
                program::of_patient(tx, patient.id),
                session_log::logged(tx, &ids, week_ago, today),
                session_log::of_patient(tx, patient.id, today, today),
                just_saved,
                exercise::of_patient(tx, patient.id),
                store::patient::beside(tx, patient.id),
                unread,
                questionnaire::asked(tx, patient.id),
                questionnaire::of_patient(tx, patient.id),
            )
        })
        .await?;
    let logged = logged.remove(&patient.id).unwrap_or_default();
    let chosen = choose(&programs, &logged, today);
    let therapist = beside.physiotherapist.map(|name| name.called().to_owned());

    let adherence = adherence(&programs, &logged, today.saturating_sub(6.days()), today, today);
    let week = adherence.days.iter().map(|day| day_tile(language, day, today)).collect();
    let cards = chosen.iter().map(|program| card(language, program, &logged, &todays, &exercises, history, today)).collect();
    let (answers, answers_more) = replies::cards(language, &patient.zone, &unread);
    let stopped = chosen.iter().any(|program| program.is_stopped());
    Ok(Today {
        date: formats::day_long(language, today),
        greeting: greeting(language, hour, &patient.name),
        week: if programs.is_empty() || !history { Vec::new() } else { week },
        programs: cards,
        none_text: match &therapist {
            Some(name) => say(language, "today-none", &[("therapist", name.clone().into())]),
            None => words(language, "today-none-clinic"),
        },
        saved: saved.as_ref().filter(|log| log.red_flags.is_empty()).and_then(|log| saved_line(patient, &programs, log, today)),
        answers,
        answers_more,
        questions: questions::card(patient, &chosen, &asked, &told, today),
        stopped,
        // Not for a one-tap link: it opens today's session and no account.
        ask_consent: history && beside.agreed_to != Some(agreed::wording(language, "").version),
        signs: match saved.as_ref().filter(|_| stopped) {
            Some(log) => log.red_flags.iter().map(|flag| words(language, &format!("flag-{}", flag.tag()))).collect(),
            None => Vec::new(),
        },
        therapist,
    })
}

fn absent(error: StoreError) -> Result<Option<SessionLog>, StoreError> {
    match error {
        StoreError::NotFound => Ok(None),
        other => Err(other),
    }
}

fn greeting(language: Language, hour: Time, name: &str) -> String {
    let key = match hour.hour() {
        4..=11 => "greeting-morning",
        12..=17 => "greeting-afternoon",
        _ => "greeting-evening",
    };
    let name = PersonName::parse(name).map_or_else(|_| name.to_owned(), |name| name.called().to_owned());
    say(language, key, &[("name", name.into())])
}

/// The programs to show: those that run or are paused, then those to come, then finished ones with a day still to log; with none of
/// these, the one that finished last.
fn choose<'a>(programs: &'a [Program], logged: &[Logged], today: Date) -> Vec<&'a Program> {
    let rank = |program: &Program| match program.status(today) {
        ProgramStatus::Active | ProgramStatus::Paused => 0,
        ProgramStatus::Upcoming => 1,
        ProgramStatus::Finished => 2,
    };
    let mut chosen: Vec<&Program> =
        programs.iter().filter(|program| rank(program) < 2 || !late(program, logged, today).is_empty()).collect();
    chosen.sort_by_key(|program| (rank(program), program.start));
    if chosen.is_empty() {
        chosen.extend(programs.iter().filter(|program| rank(program) == 2).max_by_key(|program| program.last_day()));
    }
    chosen
}

/// The days of the last week with a session that was not logged, newest first.
fn late(program: &Program, logged: &[Logged], today: Date) -> Vec<Date> {
    if program.is_stopped() {
        return Vec::new();
    }
    (1..=LOG_BACK_DAYS)
        .map(|back| today.saturating_sub(i64::from(back).days()))
        .filter(|date| logged_on(program, logged, *date) < usize::from(program.slots_on(*date)))
        .collect()
}

fn logged_on(program: &Program, logged: &[Logged], date: Date) -> usize {
    logged.iter().filter(|log| log.program == program.id && log.date == date).count()
}

/// The version whose exercises stand on the page: that of today's log, else today's, else the first to come.
fn shown_version<'a>(program: &'a Program, todays: &[SessionLog], today: Date) -> Option<&'a Version> {
    match program.status(today) {
        ProgramStatus::Finished => None,
        ProgramStatus::Upcoming => program.version_on(program.start),
        ProgramStatus::Active | ProgramStatus::Paused => latest(program, todays)
            .and_then(|log| log.version(program))
            .or_else(|| program.version_on(today))
            .or_else(|| program.version_on(program.start)),
    }
}

fn latest<'a>(program: &Program, todays: &'a [SessionLog]) -> Option<&'a SessionLog> {
    todays.iter().filter(|log| log.program == program.id).max_by_key(|log| (log.received_at, log.id))
}

fn card(
    language: Language,
    program: &Program,
    logged: &[Logged],
    todays: &[SessionLog],
    exercises: &HashMap<ExerciseId, Exercise>,
    history: bool,
    today: Date,
) -> ProgramCard {
    let status = program.status(today);
    let (done, of) = (logged_on(program, logged, today), usize::from(program.slots_on(today)));
    let state = match status {
        ProgramStatus::Upcoming => "upcoming",
        ProgramStatus::Finished => "finished",
        _ if program.is_stopped() => "stopped",
        ProgramStatus::Paused => "paused",
        ProgramStatus::Active if of == 0 => "rest",
        ProgramStatus::Active if done == 0 => "open",
        ProgramStatus::Active if done < of => "again",
        ProgramStatus::Active => "done",
    };
    let version = shown_version(program, todays, today);
    let pause = program.pauses.iter().find(|pause| pause.covers(today));
    let log = latest(program, todays);
    // Two sessions a day: the circles are those of the session to come.
    let ticked = log.filter(|_| state == "done");
    let day = |date: Date| formats::day_long(language, date);
    ProgramCard {
        id: program.id.to_string(),
        name: program.name.clone(),
        minutes: version.map_or(0, Version::minutes),
        week: program
            .week_on(today)
            .filter(|_| status != ProgramStatus::Finished)
            .map(|(n, of)| say(language, "today-week", &[("n", n.into()), ("of", of.into())])),
        state,
        done,
        of,
        next: match state {
            "upcoming" => Some(day(program.start)),
            "done" | "rest" => next_day(program, today).map(day),
            _ => None,
        },
        until: match state {
            "finished" => Some(day(program.last_day())),
            "paused" => pause.and_then(|pause| pause.until).map(day),
            _ => None,
        },
        reason: pause.filter(|_| state == "paused").map(|pause| pause.reason.clone()).filter(|reason| !reason.is_empty()),
        log: log.filter(|_| history).map(|log| format!("/logs/{}", log.id)),
        late: if history { late(program, logged, today) } else { Vec::new() }
            .into_iter()
            .map(|date| LateDay {
                label: if today.yesterday().is_ok_and(|yesterday| yesterday == date) {
                    words(language, "today-log-yesterday")
                } else {
                    say(language, "today-log-day", &[("day", day(date).into())])
                },
                href: format!("/session/{}?date={date}", program.id),
            })
            .collect(),
        exercises: version
            .map(|version| {
                let rows = version.prescriptions.iter().filter_map(|prescription| {
                    let exercise = exercises.get(&prescription.exercise)?;
                    let entry = ticked.and_then(|log| log.entries.iter().find(|entry| entry.prescription == prescription.id)).map(
                        |entry| match entry.outcome {
                            Outcome::Skipped(_) => "skipped",
                            Outcome::Did { .. } if entry_completion(entry.outcome, prescription) >= 1.0 => "done",
                            Outcome::Did { .. } => "part",
                        },
                    );
                    let state = entry.unwrap_or("open");
                    let said = words(language, &format!("today-exercise-{state}"));
                    let dose = formats::dose(language, &prescription.dose);
                    Some(TodayExercise::new(exercise.name.clone(), dose, state, said, exercise.figure.as_deref()))
                });
                rows.collect()
            })
            .unwrap_or_default(),
    }
}

/// The first day after today with a session.
fn next_day(program: &Program, today: Date) -> Option<Date> {
    (1..=AHEAD_DAYS).map(|ahead| today.saturating_add(ahead.days())).find(|date| program.slots_on(*date) > 0)
}

fn saved_line(patient: &Patient, programs: &[Program], log: &SessionLog, today: Date) -> Option<Saved> {
    let version = programs.iter().find(|program| program.id == log.program)?.version_on(log.date)?;
    let version = programs.iter().find_map(|program| log.version(program)).unwrap_or(version);
    let done = |entry: &&domain::session_log::Entry| matches!(entry.outcome, Outcome::Did { .. });
    let until = patient.zone.date(log.received_at).saturating_add(i64::from(LOG_BACK_DAYS).days());
    Some(Saved {
        day: (log.date != today).then(|| formats::day_long(patient.language, log.date)),
        done: log.entries.iter().filter(done).count(),
        of: version.prescriptions.len(),
        note: log.note.is_some(),
        until: (patient.reach == Reach::Full).then(|| formats::day_long(patient.language, until)),
        href: format!("/logs/{}", log.id),
    })
}
