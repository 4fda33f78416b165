//! What a person sent. Text that no form of ours can send is refused with a page, never with a stack trace or JSON.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{header, request::Parts},
};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::{AppState, PageError, extract::visit};

/// A posted form, up to the limit of its route. Fields the type does not know are ignored; a field it does not find is refused unless it has a
/// default, so give every text field `#[serde(default)]` and parse it in the handler. Repeated fields become a `Vec`.
#[derive(Debug, Clone)]
pub struct Form<T>(pub T);

/// The query of an address, read as [`Form`] reads a body.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, PageError> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(PageError::Refused(Some("It was not sent as a form.".into())));
        }
        let visit = visit(&parts)?;
        let bytes = read(body).await.map_err(|_| visit.body_refusal().unwrap_or(PageError::Refused(None)))?;
        if has_nul(&bytes) {
            return Err(hidden());
        }
        let form = axum_extra::extract::Form::<T>::from_request(Request::from_parts(parts, Body::from(bytes)), app).await;
        form.map(|form| Self(form.0)).map_err(|_| PageError::Refused(None))
    }
}

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        if has_nul(parts.uri.query().unwrap_or_default().as_bytes()) {
            return Err(hidden());
        }
        let query = axum_extra::extract::Query::<T>::from_request_parts(parts, app).await;
        query.map(|query| Self(query.0)).map_err(|_| PageError::Refused(None))
    }
}

// Copied as it arrives: a piece of a body keeps the whole buffer alive that it was read into, so a client that sends a byte at a time
// would make a body of 16 KB hold a hundred megabytes.
async fn read(mut body: Body) -> Result<Vec<u8>, axum::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

// Postgres takes no NUL in a text.
fn has_nul(encoded: &[u8]) -> bool {
    encoded.contains(&0) || encoded.windows(3).any(|window| window == b"%00")
}

fn hidden() -> PageError {
    PageError::Refused(Some("It holds a hidden character that no form can send.".into()))
}
