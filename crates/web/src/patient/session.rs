//! `/session/{program_id}`: the session and its log.

use axum::extract::State;
use domain::{
    ids::{LogId, ProgramId},
    program::Program,
    session_log::SessionLog,
};
use jiff::civil::Date;
use render::{Flash, Nav, formats, pages::patient::Session};
use serde::Deserialize;
use store::{
    StoreError, Tx,
    outbox::{self, Mails},
    program,
    session::Reach,
    session_log,
};

use super::{
    answers::{self, Given},
    known, words,
};
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Id, Now, Pages, Patient, Query, go},
    visit::Visit,
};

/// The query of the page.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    date: String,
}

/// `GET /session`: where the link in a reminder leads. Straight to the session when just one is open today, so that it is one tap;
/// otherwise to Today, which says what there is.
///
/// # Errors
/// The store's own.
pub async fn of_today(patient: Patient, Now(now): Now, State(app): State<AppState>) -> PageResult {
    let today = patient.zone.date(now);
    let tx = app.store.begin(&patient.scope).await?;
    let ids = [patient.id];
    let asked = async { tokio::try_join!(program::of_patient(&tx, patient.id), session_log::logged(&tx, &ids, today, today)) };
    let (programs, mut logged) = tx.final_reads(asked).await?;
    let (programs, logged) = (programs, logged.remove(&patient.id).unwrap_or_default());
    tx.commit().await?;
    let open = |program: &&Program| {
        let done = logged.iter().filter(|log| log.program == program.id).count();
        !program.is_stopped() && done < usize::from(program.slots_on(today))
    };
    let mut open = programs.iter().filter(open);
    Ok(match (open.next(), open.next()) {
        (Some(only), None) => go(&format!("/session/{}", only.id)),
        _ => go("/today"),
    })
}

/// `GET /session/{program_id}?date=`: the session of today, or of one of the last seven days.
///
/// # Errors
/// 404 for a program that is not the patient's; 422 with a sentence for a day that cannot be logged.
pub async fn page(
    patient: Patient,
    Now(now): Now,
    Id(id): Id<ProgramId>,
    Query(which): Query<Which>,
    State(app): State<AppState>,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    let (today, language, reach) = (patient.zone.date(now), patient.language, patient.reach);
    let date = match which.date.as_str() {
        "" => today,
        text => text.parse().map_err(|_| PageError::Refused(Some(words(language, "error-date"))))?,
    };
    if reach == Reach::Today && date != today {
        // Signing in leads back to that day.
        return Err(PageError::SignIn(visit.back().to_owned()));
    }
    let tx = app.store.begin(&patient.scope).await?;
    let program = program::find(&tx, id).await?;
    let given = Given(Vec::new());
    let session = tx.final_reads(open(&tx, &patient, &program, date, today, &given, LogId::new())).await?;
    let opened = session.ok_or(program);
    tx.commit().await?;
    match opened {
        Ok(session) => pages.at(Nav::Today).show(&session),
        Err(program) if stops(&program, date) => Ok(go("/today")),
        Err(program) => {
            let why = answers::blank(LogId::new(), &program, date, now, now).check(&program, today).err();
            let why = why.unwrap_or(domain::session_log::LogError::OutsideProgram);
            Err(PageError::Refused(Some(answers::refusal(language, why))))
        }
    }
}

/// `POST /session/{program_id}`: saves the log. The same `log_id` again leads to the same place and changes nothing.
///
/// A ticked stop sign pauses the patient's programs at once, whatever else may be wrong with the form.
///
/// # Errors
/// 404 for a program that is not the patient's.
pub async fn save(
    patient: Patient,
    Now(now): Now,
    Id(id): Id<ProgramId>,
    State(app): State<AppState>,
    pages: Pages,
    Form(given): Form<Vec<(String, String)>>,
) -> PageResult {
    let (given, language) = (Given(given), patient.language);
    let tx = app.store.begin(&patient.scope).await?;
    let outcome = take(&tx, &patient, id, &given, now).await?;
    tx.commit().await?;
    match outcome {
        Taken::Saved(log, false) => Ok(go(&format!("/today?saved={log}"))),
        Taken::Saved(log, true) => {
            Ok(pages.go_saying(&format!("/today?saved={log}"), &Flash::good(words(language, "mail-on-its-way"))))
        }
        Taken::Refused(session) => pages.at(Nav::Today).refuse(&*session),
        Taken::Not(why) => Err(PageError::Refused(Some(why))),
    }
}

/// What became of a posted log.
enum Taken {
    /// With whether a reminder is on its way in this moment.
    Saved(LogId, bool),
    Refused(Box<Session>),
    /// There is no form to show it on.
    Not(String),
}

async fn take(tx: &Tx, patient: &Patient, id: ProgramId, given: &Given, now: jiff::Timestamp) -> Result<Taken, StoreError> {
    let (today, language) = (patient.zone.date(now), patient.language);
    let program = program::find_for_update(tx, id).await?;
    if let Some(log) = given.log_id()
        && known_log(tx, log, &program).await?
    {
        return Ok(Taken::Saved(log, false));
    }
    let date = given.date(today);
    let log_id = given.log_id().unwrap_or_else(LogId::new);
    let shown = date.filter(|date| program.contains(*date) && patient.reach == Reach::Full).unwrap_or(today);
    let Some(mut session) = open_any(tx, patient, &program, shown, today, given, log_id).await? else {
        return Ok(Taken::Not(words(language, if date.is_none() { "error-date" } else { "error-outside" })));
    };
    // `open_any` found a version for the same day and the same prescriptions.
    let Some(version) = program.version_with(shown, given.prescriptions().into_iter()).or_else(|| program.version_on(shown)) else {
        return Ok(Taken::Not(words(language, "error-outside")));
    };
    let log = answers::blank(log_id, &program, date.unwrap_or(shown), given.performed_at(now), now);
    let changed = program.version_with(shown, given.prescriptions().into_iter()).is_none();
    let read = answers::read(language, given, &mut session.form, (&program, version), log, true);

    let stops_programs = read.log.stops_programs(None);
    let mut problem = if date.is_none() {
        Some(words(language, "error-date"))
    } else if given.log_id().is_none() || changed {
        Some(words(language, "error-changed"))
    } else if let Err(why) = patient.may_log(&read.log, &program, today) {
        Some(answers::refusal(language, why))
    } else if stops(&program, read.log.date) && !stops_programs {
        Some(words(language, "error-stopped"))
    } else {
        read.faults.then(|| words(language, "session-problem"))
    };
    let mut log = read.log;
    if stops_programs {
        // Stopping comes first: what cannot be read is left out of the log, and a day that cannot be logged becomes today.
        if patient.may_log(&log, &program, today).is_err() && program.contains(today) {
            log = SessionLog { date: today, entries: Vec::new(), ..log };
        }
        problem = patient.may_log(&log, &program, today).err().map(|why| answers::refusal(language, why));
    }
    if problem.is_none() {
        session_log::insert(tx, &program, &log).await?;
        if known_log(tx, log.id, &program).await? {
            return Ok(Taken::Saved(log.id, outbox::on_their_way(tx, patient.id, Mails::Reminders).await?));
        }
        // Another patient's log has this id: the form is sent again with a new one.
        problem = Some(words(language, "error-changed"));
        session.form.log_id = LogId::new().to_string();
    }
    session_log::heed_stop_signs(tx, patient.id, &log, None, now).await?;
    session.problem = problem;
    Ok(Taken::Refused(Box::new(session)))
}

/// Whether this program has a log of that id already.
async fn known_log(tx: &Tx, id: LogId, program: &Program) -> Result<bool, StoreError> {
    match session_log::find(tx, id).await {
        Ok(log) => Ok(log.program == program.id),
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a stop sign stands on that day.
fn stops(program: &Program, date: Date) -> bool {
    program.pauses.iter().any(|pause| pause.needs_physiotherapist && pause.covers(date))
}

/// The session of a day that may be logged; `None` for a day that may not.
async fn open(
    tx: &Tx,
    patient: &Patient,
    program: &Program,
    date: Date,
    today: Date,
    given: &Given,
    id: LogId,
) -> Result<Option<Session>, StoreError> {
    let mut probe = answers::blank(id, program, date, jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::UNIX_EPOCH);
    // A log needs something to say; the day alone is asked about here.
    probe.note = Some("-".to_owned());
    if patient.may_log(&probe, program, today).is_err() || stops(program, date) {
        return Ok(None);
    }
    open_any(tx, patient, program, date, today, given, id).await
}

/// The session of any day of the program, under the version whose prescriptions were answered.
async fn open_any(
    tx: &Tx,
    patient: &Patient,
    program: &Program,
    date: Date,
    today: Date,
    given: &Given,
    id: LogId,
) -> Result<Option<Session>, StoreError> {
    let version = program.version_with(date, given.prescriptions().into_iter()).or_else(|| program.version_on(date));
    let Some(version) = version else { return Ok(None) };
    let versions = [version];
    let (exercises, therapist) = tokio::try_join!(known::exercises(tx, &versions), known::therapist(tx, patient.id))?;
    Ok(Some(Session {
        program: program.name.clone(),
        program_id: program.id.to_string(),
        day: formats::day_long(patient.language, date),
        late: date != today,
        minutes: version.minutes(),
        problem: None,
        form: known::form(patient.language, id, date, version, &exercises, therapist),
    }))
}
