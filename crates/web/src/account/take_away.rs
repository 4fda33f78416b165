//! `GET /account/export.zip`: the patient's own data to take away. `GET /patients/{id}/export.zip`: the same at the desk, for a patient
//! who asks. `GET /patients/{id}/fhir.json`: what was prescribed and logged, for another clinic's program.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use domain::ids::{AccountId, PatientId};
use jiff::Timestamp;
use render::fhir;
use store::{
    ClinicContext,
    audit::{AuditAction, AuditResource},
    exchange, export,
    session::ClinicCard,
};
use tokio::sync::mpsc;

use super::{
    archive::{self, About},
    bundle,
    download::{self, Turn},
};
use crate::{
    AppState, PageError,
    extract::{CaseloadPatient, Lately, Now, Patient},
    visit::Visit,
};

/// The patient's own.
pub(crate) async fn own(
    State(app): State<AppState>,
    me: Patient,
    lately: Lately,
    Now(now): Now,
    visit: Visit,
) -> Result<Response, PageError> {
    lately.or_back_to("/account")?;
    let about = About { clinic: me.clinic.name.clone(), name: me.name.clone(), language: me.language, zone: me.zone.clone(), now };
    let sender = sender(&me.clinic, now);
    file(app, (me.scope, me.account, visit), me.id, (about, sender), "my-record.zip".to_owned()).await
}

/// A patient's, made by the clinic.
pub(crate) async fn of_patient(
    State(app): State<AppState>,
    at: CaseloadPatient,
    lately: Lately,
    Now(now): Now,
    visit: Visit,
) -> Result<Response, PageError> {
    let CaseloadPatient { staff, patient, .. } = at;
    lately.or_back_to(format!("/patients/{}/record", patient.id))?;
    // It lies about in a folder of downloads, so its name says what it is and when it was made, and not whose.
    let name = format!("patient-record-{}.zip", staff.clinic.zone.date(now));
    let about = About {
        clinic: staff.clinic.name.clone(),
        name: patient.name.as_str().to_owned(),
        language: patient.language,
        zone: patient.zone.clone(),
        now,
    };
    let sender = sender(&staff.clinic, now);
    file(app, (staff.scope, staff.account, visit), patient.id, (about, sender), name).await
}

/// A patient's, for another clinic's program.
pub(crate) async fn bundle_of_patient(
    State(app): State<AppState>,
    at: CaseloadPatient,
    lately: Lately,
    Now(now): Now,
    visit: Visit,
    asked: HeaderMap,
) -> Result<Response, PageError> {
    let CaseloadPatient { staff, patient, .. } = at;
    lately.or_back_to(format!("/patients/{}/record", patient.id))?;
    let name = format!("patient-record-{}.fhir.json", staff.clinic.zone.date(now));
    let (id, sender) = (patient.id, sender(&staff.clinic, now));
    let turn = begin(&app, &staff.scope, staff.account, id).await?;
    let (to, parts) = mpsc::channel(2);
    let read = move |tx: store::Tx| async move {
        export::allow_pauses(&tx).await?;
        exchange::read(&tx, id, &to).await
    };
    let packed = bundle::takes_gzip(&asked);
    let body = download::stream(app.store, staff.scope, (turn, visit.id()), read, move |to, whole| {
        bundle::make(to, parts, whole, sender, packed)
    });
    let name = [(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    Ok((name, bundle::headers(packed), body).into_response())
}

fn sender(clinic: &ClinicCard, now: Timestamp) -> fhir::About {
    fhir::About { clinic: clinic.id, clinic_name: clinic.name.clone(), phone: clinic.phone.clone(), now }
}

/// A turn, and the entry of the audit: nothing of a record is sent before it is written down who takes it.
async fn begin(app: &AppState, scope: &ClinicContext, account: AccountId, patient: PatientId) -> Result<Turn, PageError> {
    let turn = app.downloads.turn(&app.store, scope, account).await?;
    scope.note(AuditAction::Exported, AuditResource::Record, Some(patient));
    app.store.finish_request(scope).await?;
    Ok(turn)
}

async fn file(
    app: AppState,
    (scope, account, visit): (ClinicContext, AccountId, Visit),
    patient: PatientId,
    (about, sender): (About, fhir::About),
    name: String,
) -> Result<Response, PageError> {
    let turn = begin(&app, &scope, account, patient).await?;
    let (to, pieces) = mpsc::channel(2);
    let (to_bundle, parts) = mpsc::channel(2);
    let read = move |tx: store::Tx| async move {
        export::allow_pauses(&tx).await?;
        export::read(&tx, patient, &to).await?;
        // The tables are whole; the bundle comes after them.
        drop(to);
        exchange::read(&tx, patient, &to_bundle).await
    };
    let body = download::stream(app.store, scope, (turn, visit.id()), read, move |to, whole| {
        archive::build(to, (pieces, parts), whole, &about, sender)
    });
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        // It is compressed already.
        (header::CONTENT_ENCODING, "identity".to_owned()),
    ];
    Ok((headers, body).into_response())
}
