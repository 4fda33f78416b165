//! `/patients/{id}/record`: a patient's consent, their data as a file, and closing the record or opening it again.

use axum::extract::State;
use domain::person::{Language, Role, Zone};
use jiff::Timestamp;
use render::{
    Crumb, Flash, Nav,
    formats::day_and_year,
    pages::{patient::Agreement, physio::record::Record},
};
use serde::Deserialize;
use store::{
    closure,
    consent::{self, Agreed, Standing},
    outbox::{self, Mails},
    patient::Closed,
    session::SeatId,
};

use crate::{
    AppState, PageError, PageResult,
    account::agreed,
    extract::{CaseloadPatient, Form, Lately, Now, Pages},
};

const EN: Language = Language::En;

/// The page.
pub async fn page(State(app): State<AppState>, at: CaseloadPatient, pages: Pages) -> PageResult {
    let shown = filled(&app, &at).await?;
    pages.at(Nav::Patients).show(&shown)
}

async fn filled(app: &AppState, at: &CaseloadPatient) -> Result<Record, PageError> {
    let CaseloadPatient { staff, patient, .. } = at;
    let id = patient.id;
    let tx = app.store.begin(&staff.scope).await?;
    let (agreed, standing) = tx.final_reads(async { tokio::try_join!(consent::of(&tx, id), consent::standing(&tx, id)) }).await?;
    tx.commit().await?;
    let zone = &staff.clinic.zone;
    let day = |at: Timestamp| day_and_year(EN, zone.date(at));
    let (consent, tone) = in_words(&standing, &agreed::wording(EN, "").version, zone);
    let page = format!("/patients/{id}");
    let closed = patient.closed.as_ref().map(|Closed { at, by_patient }| {
        let by = if *by_patient { "the patient" } else { "the clinic" };
        format!("Closed on {} by {by}.", day(*at))
    });
    Ok(Record {
        crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::to(patient.name.as_str(), page.clone()), Crumb::here("Record")],
        first: patient.name.called().to_owned(),
        consent,
        tone,
        agreed: agreed
            .into_iter()
            .map(|Agreed { to, at, withdrawn_at }| Agreement {
                day: day(at),
                version: to.version,
                paragraphs: to.wording.split("\n\n").map(str::to_owned).collect(),
                withdrawn: withdrawn_at.map(day),
            })
            .collect(),
        export: format!("{page}/export.zip"),
        bundle: format!("{page}/fhir.json"),
        close: closed.is_none().then(|| format!("{page}/close")),
        close_wrong: None,
        reopen: closed.is_some().then(|| format!("{page}/reopen")),
        closed,
        email: patient.email.as_ref().map(|email| email.as_str().to_owned()),
        audit: (staff.role == Role::Owner).then(|| format!("/audit?patient={id}")),
    })
}

/// How consent stands, with a tag's tone.
fn in_words(standing: &Standing, current: &str, zone: &Zone) -> (String, &'static str) {
    let day = |at: &Timestamp| day_and_year(EN, zone.date(*at));
    match standing {
        Standing::None => ("No consent is recorded yet".to_owned(), "quiet"),
        Standing::Given { version, at } if version == current => (format!("Agreed to version {version} on {}", day(at)), ""),
        Standing::Given { version, at } => {
            (format!("Agreed to version {version} on {}; asked to read the new wording at the next visit", day(at)), "warn")
        }
        Standing::Withdrawn { at } => (format!("Taken back on {}", day(at)), "warn"),
    }
}

/// What stands beside the button that closes a record.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sure {
    sure: String,
}

/// Closes the record: the patient left the clinic.
pub async fn close(
    State(app): State<AppState>,
    at: CaseloadPatient,
    lately: Lately,
    Now(now): Now,
    pages: Pages,
    Form(Sure { sure }): Form<Sure>,
) -> PageResult {
    lately.or_back_to(format!("/patients/{}/record#close", at.patient.id))?;
    if sure != "yes" {
        let mut shown = filled(&app, &at).await?;
        shown.close_wrong = Some("Please tick the box if you want to close it. Nothing is closed yet.".into());
        return pages.at(Nav::Patients).refuse(&shown);
    }
    let CaseloadPatient { staff, patient, .. } = at;
    let (clinic, id) = (staff.clinic.id, patient.id);
    let tx = app.store.begin(&staff.scope.ending(SeatId::Patient(id))).await?;
    let closing = closure::close(&tx, id, now).await?;
    let on_its_way = outbox::on_their_way(&tx, id, Mails::All).await?;
    tx.commit().await?;
    let tx = app.store.begin_sign_in().await?;
    closure::tidy(&tx, (clinic, id), closing.account, now).await?;
    tx.commit().await?;
    let first = patient.name.called();
    let said = match closing.was_open {
        true => Flash::good(format!("The record is closed. {first} cannot sign in any more and gets no mail.")),
        false => Flash::warn("The record was closed already."),
    };
    let said = said.with_mail_on_its_way(EN, closing.was_open && on_its_way);
    Ok(pages.go_saying(&format!("/patients/{id}/record"), &said))
}

/// Opens it again, with a new invitation where there is an address.
pub async fn reopen(State(app): State<AppState>, at: CaseloadPatient, Now(now): Now, pages: Pages) -> PageResult {
    let CaseloadPatient { staff, patient, .. } = at;
    let (clinic, id) = (staff.clinic.id, patient.id);
    let mut opened = false;
    if patient.closed.is_some() {
        let tx = app.store.begin_sign_in().await?;
        closure::tidy(&tx, (clinic, id), None, now).await?;
        tx.commit().await?;
        let tx = app.store.begin(&staff.scope).await?;
        opened = closure::reopen(&tx, id, now).await?;
        tx.commit().await?;
    }
    let said = match (&patient.email, opened) {
        (_, false) => Flash::warn("The record was open already."),
        (Some(email), true) => Flash::good(format!("The record is open again. An invitation is on its way to {email}.")),
        (None, true) => Flash::good("The record is open again."),
    };
    Ok(pages.go_saying(&format!("/patients/{id}"), &said))
}
