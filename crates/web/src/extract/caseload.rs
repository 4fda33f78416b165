//! A patient or a program of the staff's clinic, by the id in the address. A stranger's id is the same 404 as one that does not exist.

use axum::{extract::FromRequestParts, http::request::Parts};
use domain::{
    ids::{PatientId, ProgramId},
    program::Program,
};
use jiff::civil::Date;
use store::{audit::AuditResource, patient::Patient};

use super::{Id, Staff};
use crate::{AppState, PageError, extract::visit};

/// `/patients/{id}…`: the patient with that id, for somebody on the clinic's staff.
#[derive(Debug, Clone)]
pub struct CaseloadPatient {
    /// Who is there.
    pub staff: Staff,
    /// The patient.
    pub patient: Patient,
    /// The patient's civil date.
    pub today: Date,
}

/// `/programs/{id}…`: the program with that id and its patient, for somebody on the clinic's staff.
#[derive(Debug, Clone)]
pub struct CaseloadProgram {
    /// Who is there.
    pub staff: Staff,
    /// Whose program it is.
    pub patient: Patient,
    /// The program as it stands.
    pub program: Program,
    /// The patient's civil date.
    pub today: Date,
}

impl FromRequestParts<AppState> for CaseloadPatient {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let staff = Staff::from_request_parts(parts, app).await?;
        let Id(id) = Id::<PatientId>::from_request_parts(parts, app).await?;
        let visit = visit(parts)?;
        let now = visit.now();
        let tx = app.store.begin_look(&staff.scope).await?;
        let patient = store::patient::find(&tx, id).await?;
        tx.hold_open().await?;
        visit.reads(&staff.scope, AuditResource::Record, Some(patient.id));
        let today = patient.zone.date(now);
        Ok(Self { staff, patient, today })
    }
}

impl FromRequestParts<AppState> for CaseloadProgram {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let staff = Staff::from_request_parts(parts, app).await?;
        let Id(id) = Id::<ProgramId>::from_request_parts(parts, app).await?;
        let visit = visit(parts)?;
        let now = visit.now();
        let tx = app.store.begin_look(&staff.scope).await?;
        let (program, patient) = tokio::try_join!(store::program::find(&tx, id), store::patient::of_program(&tx, id))?;
        tx.hold_open().await?;
        visit.reads(&staff.scope, AuditResource::Program, Some(patient.id));
        let today = patient.zone.date(now);
        Ok(Self { staff, patient, program, today })
    }
}
