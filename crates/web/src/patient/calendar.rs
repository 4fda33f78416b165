//! `GET /calendar/{token}.ics`: the sessions ahead, for a calendar program that fetches them again and again. `POST /reminders/calendar`
//! makes the address, and `POST /reminders/calendar/end` ends it.
//!
//! Whoever has the address reads what it gives, as with every calendar that is fetched; so it says when and nothing about what.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::calendar::ahead;
use render::{
    Flash,
    ics::Calendar,
    links::{CALENDAR_LASTS, Purpose, Signed},
};
use ring::digest::{SHA256, digest};
use store::{
    Actor, ClinicContext, StoreError,
    audit::{AuditAction, AuditResource},
    calendar,
};

use super::words;
use crate::{
    AppState, PageError, PageResult,
    extract::{Now, Pages, Patient},
};

/// `GET /calendar/{token}`
///
/// # Errors
/// [`PageError::NotFound`] for an address that was never made, was ended, or belongs to a closed record; the store's own.
pub async fn file(
    State(app): State<AppState>,
    Path(token): Path<String>,
    Now(now): Now,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let token = token.strip_suffix(".ics").unwrap_or(&token);
    let Signed { clinic, patient, until, .. } = app.links.read(Purpose::Calendar, token, now).map_err(|_| PageError::NotFound)?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
    let tx = app.store.begin(&ClinicContext::new(clinic, Actor::Patient(patient))).await?;
    let feed = calendar::read(&tx, patient, until - CALENDAR_LASTS, now).await?.ok_or(StoreError::NotFound)?;
    let host = app.links.origin().split_once("://").map_or("", |(_, host)| host);
    let calendar = Calendar {
        patient,
        language: feed.language,
        today: app.links.to("/today"),
        host,
        stamp: feed.rule.zone.day_start(feed.today),
    };
    let logged = |program| feed.logged.get(&program).copied().unwrap_or_default();
    let text = calendar.write(&ahead(&feed.programs, &feed.rule, feed.today, logged));
    // Weak, since it may go out compressed.
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16]));
    let unchanged = known.split(',').any(|known| known.trim() == tag);
    if !unchanged {
        tx.note(AuditAction::Read, AuditResource::Calendar, Some(patient));
    }
    tx.commit().await?;
    let kept = [(header::ETAG, tag), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let what = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"exercises.ics\""),
    ];
    Ok((kept, what, text).into_response())
}

/// `POST /reminders/calendar`: an address, in place of the one there may have been.
///
/// # Errors
/// The store's own.
pub async fn open(patient: Patient, Now(now): Now, State(app): State<AppState>, pages: Pages) -> PageResult {
    let language = patient.language;
    let tx = app.store.begin(&patient.scope).await?;
    calendar::open(&tx, patient.id, now).await?;
    tx.commit().await?;
    Ok(pages.go_saying("/reminders#calendar", &Flash::good(words(language, "calendar-made"))))
}

/// `POST /reminders/calendar/end`: no address any more.
///
/// # Errors
/// The store's own.
pub async fn end(patient: Patient, State(app): State<AppState>, pages: Pages) -> PageResult {
    let language = patient.language;
    let tx = app.store.begin(&patient.scope).await?;
    calendar::end(&tx, patient.id).await?;
    tx.commit().await?;
    Ok(pages.go_saying("/reminders#calendar", &Flash::good(words(language, "calendar-ended"))))
}
