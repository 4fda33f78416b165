//! `POST /attention/{patient}/acknowledge` and `…/snooze`: setting a finding aside, bound to the facts it rests on. The form says
//! which finding by its kind and key; one that is not open right now changes nothing.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use domain::{
    attention::{Attention, AttentionKind, Mark, MarkState},
    ids::PatientId,
    text::is_blank,
};
use jiff::{Timestamp, ToSpan, civil::Date};
use render::{Field, Flash, Nav, formats::day_medium, words::Language};
use serde::Deserialize;
use store::{ClinicContext, Store, StoreError};

use super::{
    patient::{Record, Refused},
    period::Wanted,
    standing,
};
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Id, Now, Pages, Staff},
};

/// The longest note, in characters.
const MAX_NOTE: usize = 1000;
/// How far ahead a finding can be put off.
const LONGEST_DAYS: i32 = 365;

/// What both forms send; a name this does not have is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Decision {
    kind: String,
    key: String,
    note: String,
    until: String,
}

/// It was seen: it goes until there are new facts.
pub async fn acknowledge(
    State(app): State<AppState>,
    staff: Staff,
    Id(patient): Id<PatientId>,
    Now(now): Now,
    pages: Pages,
    Form(form): Form<Decision>,
) -> PageResult {
    let note = form.note.trim();
    if note.chars().count() > MAX_NOTE {
        let note = Field::refused(form.note.clone(), "The note is too long: 1,000 characters at most.");
        return refuse(
            &app,
            &staff.scope,
            patient,
            now,
            &pages,
            Refused { kind: form.kind.parse().ok(), note, ..Refused::default() },
        )
        .await;
    }
    let note = (!is_blank(note)).then(|| note.to_owned());
    match decide(&app.store, &staff.scope, patient, &form, MarkState::Acknowledged, note, now).await? {
        true => Ok(done(&pages, patient, "Acknowledged. It comes back when there are new facts.")),
        false => gone(&app, &staff.scope, patient, now, &pages, form.note.trim()).await,
    }
}

/// It is put off until a date.
pub async fn snooze(
    State(app): State<AppState>,
    staff: Staff,
    Id(patient): Id<PatientId>,
    Now(now): Now,
    pages: Pages,
    Form(form): Form<Decision>,
) -> PageResult {
    let scope = staff.scope;
    let tx = app.store.begin(&scope).await?;
    let today = store::patient::find(&tx, patient).await?.zone.date(now);
    tx.commit().await?;
    let until = match read_until(&form.until, today) {
        Ok(until) => until,
        Err(sentence) => {
            let until = Some(Field::refused(form.until.trim().chars().take(40).collect::<String>(), sentence));
            return refuse(
                &app,
                &scope,
                patient,
                now,
                &pages,
                Refused { kind: form.kind.parse().ok(), until, ..Refused::default() },
            )
            .await;
        }
    };
    match decide(&app.store, &scope, patient, &form, MarkState::SnoozedUntil(until), None, now).await? {
        true => Ok(done(&pages, patient, &format!("Snoozed until {}.", day_medium(Language::En, until)))),
        false => gone(&app, &scope, patient, now, &pages, "").await,
    }
}

/// Keeps the decision when the finding is open right now, and says whether it was.
async fn decide(
    store: &Store,
    scope: &ClinicContext,
    patient: PatientId,
    form: &Decision,
    state: MarkState,
    note: Option<String>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let kind = form.kind.parse::<AttentionKind>().ok();
    let tx = store.begin(scope).await?;
    let record = store::patient::find(&tx, patient).await?;
    let listed = store::reports::patient::listed(&record);
    let standing = standing::of(&tx, vec![listed], now).await?.pop().ok_or(StoreError::NotFound)?;
    let is_meant = |attention: &&Attention| Some(attention.kind) == kind && attention.key == form.key;
    let meant = standing.open.iter().find(is_meant);
    if let Some(attention) = meant {
        let mark = Mark { kind: attention.kind, key: attention.key.clone(), state };
        store::attention::decide(&tx, patient, &mark, note.as_deref(), now).await?;
    }
    tx.commit().await?;
    Ok(meant.is_some())
}

fn done(pages: &Pages, patient: PatientId, sentence: &str) -> Response {
    pages.go_saying(&format!("/patients/{patient}"), &Flash::good(sentence)).into_response()
}

/// The finding is not open: somebody was quicker, the facts have changed, or the form was not ours. 422, nothing changed.
async fn gone(app: &AppState, scope: &ClinicContext, patient: PatientId, now: Timestamp, pages: &Pages, note: &str) -> PageResult {
    let mut problem = "That is no longer open: somebody set it aside, or the facts have changed. Nothing was changed.".to_owned();
    // There is no form any more that could hold what was typed.
    if !note.is_empty() {
        problem.push_str(&format!(" Your note was: “{note}”"));
    }
    let problem = Some(problem);
    refuse(app, scope, patient, now, pages, Refused { problem, ..Refused::default() }).await
}

async fn refuse(
    app: &AppState,
    scope: &ClinicContext,
    patient: PatientId,
    now: Timestamp,
    pages: &Pages,
    refused: Refused,
) -> Result<Response, PageError> {
    let record = Record::load(&app.store, scope, patient, Wanted::default(), now).await?;
    pages.clone().at(Nav::Patients).refuse(&record.view(Some(&refused)))
}

fn read_until(typed: &str, today: Date) -> Result<Date, &'static str> {
    let typed = typed.trim();
    let plain = typed.len() == 10 && typed.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let until = plain.then(|| typed.parse::<Date>().ok()).flatten().ok_or("Choose the day on which it should come back.")?;
    if until <= today {
        return Err("Choose a day after today.");
    }
    if until > today.saturating_add(LONGEST_DAYS.days()) {
        return Err("Choose a day within a year.");
    }
    Ok(until)
}
