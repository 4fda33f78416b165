//! `/logs/{id}`: one log, and its correction for seven days.

use axum::extract::State;
use domain::{
    ids::LogId,
    person::Language,
    program::{Program, Version},
    session_log::{LOG_BACK_DAYS, Outcome, PainScore, SessionLog, entry_completion},
};
use jiff::{Timestamp, ToSpan};
use render::{
    Flash, Nav, formats,
    pages::patient::{Fact, Log},
    words::say,
};
use store::{StoreError, Tx, program, session_log};

use super::{
    answers::{self, Given},
    known, replies, words,
};
use crate::{
    AppState, PageResult,
    extract::{Form, Id, Now, Pages, Patient},
};

/// `GET /logs/{id}`.
///
/// # Errors
/// 404 for a log that is not the patient's.
pub async fn page(patient: Patient, Now(now): Now, Id(id): Id<LogId>, State(app): State<AppState>, pages: Pages) -> PageResult {
    let tx = app.store.begin(&patient.scope).await?;
    let (log, programs) = tokio::try_join!(session_log::find(&tx, id), program::of_patient(&tx, patient.id))?;
    let program = programs.into_iter().find(|program| program.id == log.program).ok_or(StoreError::NotFound)?;
    let version = version(&program, &log)?;
    let mut page = tx.final_reads(open(&tx, &patient, &program, version, &log, now)).await?;
    answers::fill(&mut page.form, &log, version);
    tx.commit().await?;
    pages.at(Nav::Progress).show(&page)
}

/// `POST /logs/{id}`: replaces the log by what was sent; the earlier one is kept.
///
/// # Errors
/// 404 for a log that is not the patient's.
pub async fn correct(
    patient: Patient,
    Now(now): Now,
    Id(id): Id<LogId>,
    State(app): State<AppState>,
    pages: Pages,
    Form(given): Form<Vec<(String, String)>>,
) -> PageResult {
    let (given, language) = (Given(given), patient.language);
    let tx = app.store.begin(&patient.scope).await?;
    let refused = replace(&tx, &patient, id, &given, now).await?;
    tx.commit().await?;
    match refused {
        Some(page) => pages.at(Nav::Progress).refuse(&page),
        None => Ok(pages.go_saying(&format!("/logs/{id}"), &Flash::good(words(language, "log-saved")))),
    }
}

/// Saves the correction, or gives the page that says why not.
async fn replace(tx: &Tx, patient: &Patient, id: LogId, given: &Given, now: Timestamp) -> Result<Option<Log>, StoreError> {
    let (today, language) = (patient.zone.date(now), patient.language);
    let earlier = session_log::find(tx, id).await?;
    let program = program::find_for_update(tx, earlier.program).await?;
    let version = version(&program, &earlier)?;
    let mut page = open(tx, patient, &program, version, &earlier, now).await?;
    let log = SessionLog { id, ..answers::blank(id, &program, earlier.date, earlier.performed_at, earlier.received_at) };
    let read = answers::read(language, given, &mut page.form, (&program, version), log, false);
    let logged_on = patient.zone.date(earlier.received_at);
    let problem = match read.log.check_correction(&earlier, &program, logged_on, today) {
        Err(why) => Some(answers::refusal(language, why)),
        Ok(()) => read.faults.then(|| words(language, "session-problem")),
    };
    if problem.is_some() {
        session_log::heed_stop_signs(tx, patient.id, &read.log, Some(&earlier.red_flags), now).await?;
        page.problem = problem;
        return Ok(Some(page));
    }
    session_log::correct(tx, &program, &read.log, now).await?;
    Ok(None)
}

fn version<'a>(program: &'a Program, log: &SessionLog) -> Result<&'a Version, StoreError> {
    log.version(program).or_else(|| program.version_on(log.date)).ok_or(StoreError::NotFound)
}

async fn open(
    tx: &Tx,
    patient: &Patient,
    program: &Program,
    version: &Version,
    log: &SessionLog,
    now: Timestamp,
) -> Result<Log, StoreError> {
    let (language, zone, today) = (patient.language, &patient.zone, patient.zone.date(now));
    let versions = [version];
    let (exercises, therapist, corrected, answers) = tokio::try_join!(
        known::exercises(tx, &versions),
        known::therapist(tx, patient.id),
        session_log::corrected_at(tx, log.id),
        store::reply::to_log(tx, patient.id, log.id),
    )?;
    let form = known::form(language, log.id, log.date, version, &exercises, therapist);
    let until = zone.date(log.received_at).saturating_add(i64::from(LOG_BACK_DAYS).days());
    let entries = version
        .prescriptions
        .iter()
        .zip(&form.exercises)
        .map(|(prescription, view)| {
            let entry = log.entries.iter().find(|entry| entry.prescription == prescription.id);
            let text = match entry.map(|entry| entry.outcome) {
                None => words(language, "log-entry-none"),
                Some(Outcome::Skipped(reason)) => {
                    say(language, "log-entry-skipped", &[("reason", words(language, &format!("skip-{}", reason.tag())).into())])
                }
                Some(outcome) if entry_completion(outcome, prescription) >= 1.0 => words(language, "log-entry-done"),
                Some(Outcome::Did { sets, reps, hold }) => {
                    let held = hold.map(|hold| format!(" · {hold} s")).unwrap_or_default();
                    say(language, "log-entry-did", &[("what", format!("{sets} × {reps}{held}").into())])
                }
            };
            Fact { name: view.name.clone(), text }
        })
        .collect();
    let time = formats::hour(language, zone.time(log.received_at));
    let on = formats::day_long(language, zone.date(log.received_at));
    Ok(Log {
        day: formats::day_long(language, log.date),
        program: program.name.clone(),
        logged: say(language, "log-when", &[("date", on.into()), ("time", time.into())]),
        corrected: corrected.map(|at| formats::day_long(language, zone.date(at))),
        until: (today <= until).then(|| formats::day_long(language, until)),
        problem: None,
        form,
        entries,
        scores: scores(language, log),
        note: log.note.clone(),
        answers: answers.iter().map(|reply| replies::answered(language, zone, reply)).collect(),
    })
}

fn scores(language: Language, log: &SessionLog) -> Vec<Fact> {
    let not_given = || words(language, "log-not-given");
    let out_of = |value: u8| say(language, "effort-value", &[("value", value.into())]);
    let pain = |score: Option<PainScore>| score.map_or_else(not_given, |score| out_of(score.get()));
    let effort = log.effort.map_or_else(not_given, |effort| out_of(effort.get()));
    vec![
        Fact { name: words(language, "log-pain-before"), text: pain(log.pain_before) },
        Fact { name: words(language, "log-pain-after"), text: pain(log.pain_after) },
        Fact { name: words(language, "log-effort"), text: effort },
    ]
}
