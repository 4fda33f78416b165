//! Links of reminders: the one-tap link and unsubscribing; and what a link that is over says.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use domain::{
    ids::{ClinicId, PatientId},
    person::Language,
};
use jiff::SignedDuration;
use render::{
    Chrome,
    links::{LinkError, Purpose},
    pages::account::links::{LinkOver, OneTap, Over, Unsubscribe},
};
use store::{
    Actor, Scope, StoreError, clinic, patient, reminder,
    session::{Opening, Reach, Seat, SeatId},
};

use super::enter;
use crate::{
    AppState, PageError, PageResult,
    extract::{Now, Pages, Viewer, go},
    visit::Visit,
};

/// For how long a one-tap link signs a browser in: a session, even one begun and finished hours later.
const ONE_TAP_SESSION: SignedDuration = SignedDuration::from_hours(12);

/// The page of a link that does not work any more: 410, or 404 for one we never made.
pub(super) fn over(pages: &Pages, over: Over, clinic: Option<String>) -> PageResult {
    let status = if over == Over::Incomplete { StatusCode::NOT_FOUND } else { StatusCode::GONE };
    pages.show_as(status, &pages.chrome(), &LinkOver { over, clinic })
}

/// `GET /go/{token}`: a button; whoever is that patient already goes straight on.
pub(crate) async fn one_tap(
    State(app): State<AppState>,
    Path(token): Path<String>,
    Viewer(viewer): Viewer,
    Now(now): Now,
    pages: Pages,
) -> PageResult {
    let (clinic, patient) = match app.links.verify(Purpose::OneTap, &token, now) {
        Ok(whose) => whose,
        Err(error) => return refused(&pages, error),
    };
    if viewer.is_some_and(|viewer| matches!(viewer.seat, Seat::Patient { patient: id, .. } if id == patient)) {
        return Ok(go("/session"));
    }
    match frame(&app, &pages, clinic, patient).await? {
        Some((chrome, _)) => pages.show_in(&chrome, &OneTap { clinic: chrome.clinic.clone() }),
        None => over(&pages, Over::OneTapExpired, None),
    }
}

/// `POST /go/{token}`: signs this browser in for that patient's session of today and nothing else.
pub(crate) async fn one_tap_open(
    State(app): State<AppState>,
    Path(token): Path<String>,
    Viewer(viewer): Viewer,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    app.throttle.check(&visit)?;
    let (clinic, patient) = match app.links.verify(Purpose::OneTap, &token, visit.now()) {
        Ok(whose) => whose,
        Err(error) => return refused(&pages, error),
    };
    // A full session of the same patient is worth more than the one this would open.
    if viewer.is_some_and(|viewer| matches!(viewer.seat, Seat::Patient { patient: id, .. } if id == patient)) {
        return Ok(go("/session"));
    }
    let Some((_, record)) = frame(&app, &pages, clinic, patient).await? else {
        return over(&pages, Over::OneTapExpired, None);
    };
    let Some(account) = record.account else { return over(&pages, Over::OneTapExpired, None) };
    let seat = SeatId::Patient(patient);
    let token = app
        .store
        .signin(move |tx| async move {
            let until = Some(visit.now() + ONE_TAP_SESSION);
            let opening = Opening { account, clinic, seat, reach: Reach::Today, until, user_agent: visit.agent() };
            enter::open_until(&tx, &visit, opening).await
        })
        .await?;
    Ok(enter::admit(&app, &token, seat, "/session"))
}

fn refused(pages: &Pages, error: LinkError) -> PageResult {
    match error {
        LinkError::Expired => over(pages, Over::OneTapExpired, None),
        LinkError::Forged => over(pages, Over::Incomplete, None),
    }
}

/// `GET /unsubscribe/{token}`: asks; changes nothing.
pub(crate) async fn unsubscribe_page(
    State(app): State<AppState>,
    Path(token): Path<String>,
    Now(now): Now,
    pages: Pages,
) -> PageResult {
    unsubscribe(&app, &pages, &token, now, false).await
}

/// `POST /unsubscribe/{token}`: by the button, or by a mail program's one click, which brings neither cookie nor origin (RFC 8058).
pub(crate) async fn unsubscribe_do(
    State(app): State<AppState>,
    Path(token): Path<String>,
    Now(now): Now,
    pages: Pages,
) -> PageResult {
    unsubscribe(&app, &pages, &token, now, true).await
}

async fn unsubscribe(app: &AppState, pages: &Pages, token: &str, now: jiff::Timestamp, done: bool) -> PageResult {
    let Ok((clinic, patient)) = app.links.verify(Purpose::Unsubscribe, token, now) else {
        return over(pages, Over::Incomplete, None);
    };
    let Some((chrome, _)) = frame(app, pages, clinic, patient).await? else { return over(pages, Over::Incomplete, None) };
    if done {
        let scope = Scope { clinic, actor: Actor::Patient(patient) };
        app.store.tenant(scope, move |tx| async move { reminder::unsubscribe(&tx, patient, now).await }).await?;
    }
    pages.show_in(&chrome, &Unsubscribe { done, clinic: chrome.clinic.clone() })
}

/// The clinic and the language of the patient a link belongs to; `None` when the record is not there any more.
async fn frame(
    app: &AppState,
    pages: &Pages,
    clinic: ClinicId,
    patient: PatientId,
) -> Result<Option<(Chrome, patient::Patient)>, PageError> {
    let scope = Scope { clinic, actor: Actor::Patient(patient) };
    let found = app
        .store
        .tenant(scope, move |tx| async move { Ok((patient::find(&tx, patient).await?, clinic::settings(&tx).await?)) })
        .await;
    match found {
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
        Ok((record, settings)) => {
            let chrome = invitation_frame(pages, settings.name.as_str(), record.language);
            Ok(Some((chrome, record)))
        }
    }
}

/// A plain frame in a clinic's name and somebody's language, for pages before signing in.
pub(super) fn invitation_frame(pages: &Pages, clinic: &str, language: Language) -> Chrome {
    Chrome { clinic: clinic.to_owned(), demo: pages.chrome().demo, ..Chrome::plain(language) }
}
