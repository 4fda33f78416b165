//! What a handler is given: the hour, who is there, what they sent.
//!
//! Access is by construction. A handler that takes [`Staff`] cannot run for anybody else, and `staff.scope` is the only key to the
//! store. An extractor that also loads ([`Id`] plus a store look-up within the scope) answers a stranger's id with the same 404 as an
//! id that does not exist.

mod caseload;
mod form;
mod pages;
mod people;

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use jiff::Timestamp;

pub use caseload::{CaseloadPatient, CaseloadProgram};
pub use form::{Form, Query};
pub use pages::{Pages, go};
pub use people::{Confirmed, Lately, ONE_TAP, Owner, Patient, Somebody, Staff, StaffAccount, Viewer};

use crate::{AppState, PageError, visit::Visit};

/// The instant of the request, read once from the clock.
#[derive(Debug, Clone, Copy)]
pub struct Now(pub Timestamp);

impl FromRequestParts<AppState> for Now {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, PageError> {
        Ok(Self(visit(parts)?.now()))
    }
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, PageError> {
        visit(parts)
    }
}

/// The one id in the address (`/programs/{id}`). Text that is no id is a 404, as an id that does not exist.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<T: FromStr + Send> FromRequestParts<AppState> for Id<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| PageError::NotFound)?;
        text.parse().map(Self).map_err(|_| PageError::NotFound)
    }
}

fn visit(parts: &Parts) -> Result<Visit, PageError> {
    parts.extensions.get::<Visit>().cloned().ok_or_else(|| PageError::internal("a route outside the layers of `web::app`"))
}
