//! `GET /account/export.zip`: the patient's own data to take away. `GET /patients/{id}/export.zip`: the same at the desk, for a patient
//! who asks. `GET /patients/{id}/fhir.json`: what was prescribed and logged, for another clinic's program.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use domain::ids::PatientId;
use jiff::Timestamp;
use render::fhir;
use store::{
    Scope,
    audit::{Deed, Subject},
    exchange, export,
    session::ClinicCard,
};
use tokio::sync::{Semaphore, mpsc};

use super::{
    archive::{self, About},
    bundle,
};
use crate::{
    AppState, PageError,
    extract::{CaseloadPatient, Lately, Now, Patient},
};

/// How many are made at a time: each holds a connection to the database and its own compressed bytes.
static TURNS: Semaphore = Semaphore::const_new(2);

/// The patient's own.
pub(crate) async fn own(State(app): State<AppState>, me: Patient, lately: Lately, Now(now): Now) -> Result<Response, PageError> {
    lately.or_back_to("/account")?;
    let about = About { clinic: me.clinic.name.clone(), name: me.name.clone(), language: me.language, zone: me.zone.clone(), now };
    let sender = sender(&me.clinic, now);
    file(&app, me.scope, me.id, (about, sender), "my-record.zip".to_owned()).await
}

/// A patient's, made by the clinic.
pub(crate) async fn of_patient(
    State(app): State<AppState>,
    at: CaseloadPatient,
    lately: Lately,
    Now(now): Now,
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
    file(&app, staff.scope, patient.id, (about, sender), name).await
}

/// A patient's, for another clinic's program.
pub(crate) async fn bundle_of_patient(
    State(app): State<AppState>,
    at: CaseloadPatient,
    lately: Lately,
    Now(now): Now,
    asked: HeaderMap,
) -> Result<Response, PageError> {
    let CaseloadPatient { staff, patient, .. } = at;
    lately.or_back_to(format!("/patients/{}/record", patient.id))?;
    let name = format!("patient-record-{}.fhir.json", staff.clinic.zone.date(now));
    let (id, sender) = (patient.id, sender(&staff.clinic, now));
    // Nobody waits for a turn while holding a connection.
    app.store.settle(&staff.scope).await?;
    let _turn = TURNS.acquire().await.map_err(PageError::internal)?;
    let (to, parts) = mpsc::channel(4);
    let made = tokio::task::spawn_blocking(move || bundle::pack(parts, sender));
    let work = move |tx: store::Tx| async move {
        tx.note(Deed::Exported, Subject::Record, Some(id));
        exchange::read(&tx, id, &to).await
    };
    // Nothing of it is sent before it is written down who took it.
    app.store.tenant(staff.scope, work).await?;
    let packed = made.await.map_err(PageError::internal)?.map_err(PageError::internal)?;
    let name = [(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    Ok((name, bundle::answer(packed, &asked)).into_response())
}

fn sender(clinic: &ClinicCard, now: Timestamp) -> fhir::About {
    fhir::About { clinic: clinic.id, clinic_name: clinic.name.clone(), phone: clinic.phone.clone(), now }
}

async fn file(
    app: &AppState,
    scope: Scope,
    patient: PatientId,
    (about, sender): (About, fhir::About),
    name: String,
) -> Result<Response, PageError> {
    // Nobody waits for a turn while holding a connection.
    app.store.settle(&scope).await?;
    let _turn = TURNS.acquire().await.map_err(PageError::internal)?;
    let (to, pieces) = mpsc::channel(4);
    let (to_bundle, parts) = mpsc::channel(4);
    let made = tokio::task::spawn_blocking(move || archive::build(pieces, parts, &about, sender));
    let work = move |tx: store::Tx| async move {
        export::read(&tx, patient, &to).await?;
        // The tables are whole; the bundle comes after them.
        drop(to);
        exchange::read(&tx, patient, &to_bundle).await
    };
    app.store.tenant(scope, work).await?;
    let bytes = made.await.map_err(PageError::internal)?.map_err(PageError::internal)?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        // It is compressed already.
        (header::CONTENT_ENCODING, "identity".to_owned()),
    ];
    Ok((headers, Body::from(bytes)).into_response())
}
