//! Links of reminders: the one-tap link and unsubscribing; and what a link that is over says.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use domain::{
    ids::{ClinicId, PatientId},
    person::{Email, Language},
};
use jiff::Timestamp;
use render::{
    Chrome,
    links::{LinkError, Links, ONE_TAP_LASTS, Purpose, Signed, UNSUBSCRIBE_LASTS},
    pages::account::links::{LinkOver, OneTap, Over, Unsubscribe},
    words::say,
};
use store::{
    Actor, ClinicContext, StoreError, Tx, account,
    clinic::{self, Settings},
    outbox::{self, Mails},
    patient,
    reminder::{self, Addresses},
    session::{Opening, Reach, Seat, SeatId, SignedIn},
};

use super::enter;
use crate::{
    AppState, PageError, PageResult,
    extract::{Now, Pages, Viewer, go},
    visit::Visit,
};

/// What a mail program posts to unsubscribe (RFC 8058 §3.1), as the page's own button does.
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");

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
    let signed = match app.links.read(Purpose::OneTap, &token, now) {
        Ok(signed) => signed,
        Err(error) => return refused(&pages, error),
    };
    if is_patient(viewer.as_ref(), &signed) {
        return Ok(go("/session"));
    }
    match frame(&app, &pages, signed.clinic, signed.patient).await? {
        Some((chrome, record)) if went_to(&app, &signed, record.email.as_ref()) => {
            pages.show_in(&chrome, &OneTap { clinic: chrome.clinic.clone() })
        }
        _ => over(&pages, Over::OneTapEnded, None),
    }
}

/// `POST /go/{token}`: signs this browser in for that patient's session of today and nothing else: until the patient's midnight, or
/// until the link itself is over, if that is sooner. Tomorrow's session is opened by the same link again or by the next one.
pub(crate) async fn one_tap_open(
    State(app): State<AppState>,
    Path(token): Path<String>,
    Viewer(viewer): Viewer,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    app.throttle.check(&visit)?;
    let signed = match app.links.read(Purpose::OneTap, &token, visit.now()) {
        Ok(signed) => signed,
        Err(error) => return refused(&pages, error),
    };
    // A full session of the same patient is worth more than the one this would open.
    if is_patient(viewer.as_ref(), &signed) {
        return Ok(go("/session"));
    }
    let Signed { clinic, patient, until: link_ends, .. } = signed;
    let Some((_, record)) = frame(&app, &pages, clinic, patient).await? else {
        return over(&pages, Over::OneTapEnded, None);
    };
    let (Some(account), Some(email)) = (record.account, record.email.filter(|email| went_to(&app, &signed, Some(email)))) else {
        return over(&pages, Over::OneTapEnded, None);
    };
    let until = record.zone.day_end(record.zone.date(visit.now())).min(link_ends);
    let seat = SeatId::Patient(patient);
    let opening = Opening {
        account,
        clinic,
        seat,
        reach: Reach::Today,
        until: Some(until),
        user_agent: visit.agent(),
        address: visit.address(),
        mailed_to: Some(&email),
    };
    match open_today(&app, &visit, link_ends - ONE_TAP_LASTS, opening).await {
        Ok(Some(token)) => Ok(enter::admit(&app, &token, seat, "/session")),
        // The record was closed or its address changed between the two transactions.
        Ok(None) | Err(StoreError::NotFound) => over(&pages, Over::OneTapEnded, None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a session by a link that was issued then; `None` when the password was changed since.
async fn open_today(
    app: &AppState,
    visit: &Visit,
    issued: Timestamp,
    opening: Opening<'_>,
) -> Result<Option<[u8; 32]>, StoreError> {
    let tx = app.store.begin_sign_in().await?;
    // Somebody who chooses a new password shuts out whoever has their old mails.
    let chosen = account::password_changed_at(&tx, opening.account).await?;
    let token = if chosen.is_some_and(|chosen| issued.as_second() < chosen.as_second()) {
        None
    } else {
        Some(enter::open_until(&tx, visit, opening, Some("by a link in a mail")).await?)
    };
    tx.commit().await?;
    Ok(token)
}

fn is_patient(viewer: Option<&SignedIn>, signed: &Signed) -> bool {
    viewer.is_some_and(|viewer| matches!(viewer.seat, Seat::Patient { patient, .. } if patient == signed.patient))
}

/// Whether a link was mailed to this address.
fn went_to(app: &AppState, signed: &Signed, address: Option<&Email>) -> bool {
    signed.mailed_to.is_some() && signed.mailed_to == address.map(|address| app.links.digest(address))
}

fn refused(pages: &Pages, error: LinkError) -> PageResult {
    match error {
        LinkError::Expired => over(pages, Over::OneTapExpired, None),
        LinkError::OlderForm => over(pages, Over::OneTapEnded, None),
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
    unsubscribe(&app, &pages, &token, now, Click::None).await
}

/// `POST /unsubscribe/{token}`: by the button, or by a mail program's one click, which brings neither cookie nor origin (RFC 8058). A
/// post that does not say so is asked again: it may be a program that tries out every address it finds in a mail.
pub(crate) async fn unsubscribe_do(
    State(app): State<AppState>,
    Path(token): Path<String>,
    Now(now): Now,
    pages: Pages,
    body: Bytes,
) -> PageResult {
    let click = if is_one_click(&body) { Click::Stop } else { Click::Unclear };
    unsubscribe(&app, &pages, &token, now, click).await
}

/// What was asked of the unsubscribe address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Click {
    None,
    Unclear,
    Stop,
}

/// Whether a body says `List-Unsubscribe=One-Click`, in either of the two encodings that RFC 8058 allows.
fn is_one_click(body: &[u8]) -> bool {
    let (name, value) = ONE_CLICK;
    if form_urlencoded::parse(body).any(|(key, said)| key == name && said.trim() == value) {
        return true;
    }
    let text = String::from_utf8_lossy(body);
    let part = text.split_once(&format!("name=\"{name}\"")).map(|(_, rest)| rest);
    part.and_then(|rest| rest.split_once("\r\n\r\n")).is_some_and(|(_, said)| said.lines().next().map(str::trim) == Some(value))
}

async fn unsubscribe(app: &AppState, pages: &Pages, token: &str, now: Timestamp, click: Click) -> PageResult {
    let signed = match app.links.read(Purpose::Unsubscribe, token, now) {
        Ok(signed) => signed,
        Err(LinkError::Expired) => return over(pages, Over::UnsubscribeExpired, None),
        Err(LinkError::Forged | LinkError::OlderForm) => return over(pages, Over::Incomplete, None),
    };
    let Signed { clinic, patient, .. } = signed;
    let Some((chrome, _)) = frame(app, pages, clinic, patient).await? else { return over(pages, Over::RecordGone, None) };
    let stops = click == Click::Stop;
    let scope = ClinicContext::new(clinic, Actor::Patient(patient));
    // Resolving the address and stopping it are one transaction, so that a concurrent correction cannot put another address in its place.
    let tx = app.store.begin(&scope).await?;
    let about = About::find(&tx, &app.links, &signed).await?;
    match &about {
        _ if !stops => {}
        About::Current => reminder::unsubscribe(&tx, patient, now).await?,
        About::Earlier(address) => reminder::unsubscribe_earlier(&tx, patient, address, now).await?,
        // No reminder of this patient goes there.
        About::Unknown => {}
    }
    let on_its_way = stops && outbox::on_their_way(&tx, patient, Mails::Reminders).await?;
    tx.commit().await?;
    let earlier = match about {
        About::Current => None,
        About::Earlier(address) => Some(address.masked()),
        About::Unknown => Some(say(chrome.language, "unsubscribe-that-address", &[])),
    };
    let page = |done| Unsubscribe { done, on_its_way, clinic: chrome.clinic.clone(), earlier: earlier.clone() };
    match click {
        Click::None => pages.show_in(&chrome, &page(false)),
        Click::Unclear => pages.show_as(StatusCode::UNPROCESSABLE_ENTITY, &chrome, &page(false)),
        Click::Stop => pages.show_in(&chrome, &page(true)),
    }
}

/// What a link to unsubscribe is about.
enum About {
    /// The patient's address.
    Current,
    /// An address that the patient had when the mail was sent, or that was written down for the patient by mistake.
    Earlier(Email),
    /// Another one, of which no mail is left that went there.
    Unknown,
}

impl About {
    async fn find(tx: &Tx, links: &Links, signed: &Signed) -> Result<Self, StoreError> {
        let Addresses { current, earlier } = reminder::addresses(tx, signed.patient).await?;
        let Some(mailed_to) = signed.mailed_to else {
            // From before links named their address: the mail that was written when the link was says where it went. With no such mail there is no
            // other address either.
            let went = reminder::mailed_to(tx, signed.patient, signed.until - UNSUBSCRIBE_LASTS).await?;
            return Ok(went.filter(|went| current.as_ref() != Some(went)).map_or(Self::Current, Self::Earlier));
        };
        if current.is_some_and(|current| links.digest(&current) == mailed_to) {
            return Ok(Self::Current);
        }
        let earlier = earlier.into_iter().find(|address| links.digest(address) == mailed_to);
        Ok(earlier.map_or(Self::Unknown, Self::Earlier))
    }
}

/// The clinic and the language of the patient a link belongs to; `None` when the record is not there any more.
async fn frame(
    app: &AppState,
    pages: &Pages,
    clinic: ClinicId,
    patient: PatientId,
) -> Result<Option<(Chrome, patient::Patient)>, PageError> {
    match record(app, clinic, patient).await {
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
        Ok((record, settings)) => {
            let chrome = invitation_frame(pages, settings.name.as_str(), record.language);
            Ok(Some((chrome, record)))
        }
    }
}

/// The patient's record and the clinic's settings.
async fn record(app: &AppState, clinic: ClinicId, patient: PatientId) -> Result<(patient::Patient, Settings), StoreError> {
    let tx = app.store.begin(&ClinicContext::new(clinic, Actor::Patient(patient))).await?;
    let found = (patient::find(&tx, patient).await?, clinic::settings(&tx).await?);
    tx.commit().await?;
    Ok(found)
}

/// A plain frame in a clinic's name and somebody's language, for pages before signing in.
pub(super) fn invitation_frame(pages: &Pages, clinic: &str, language: Language) -> Chrome {
    Chrome { clinic: clinic.to_owned(), demo: pages.chrome().demo, ..Chrome::plain(language) }
}

#[cfg(test)]
mod tests {
    use super::is_one_click;

    #[test]
    fn one_click_is_said_in_either_encoding_and_nothing_else_says_it() {
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n--b--\r\n").into_bytes()
        };
        for good in [
            b"List-Unsubscribe=One-Click".to_vec(),
            b"List%2DUnsubscribe=One%2DClick".to_vec(),
            b"List-Unsubscribe=One-Click\r\n".to_vec(),
            part("List-Unsubscribe", "One-Click"),
        ] {
            assert!(is_one_click(&good), "{}", String::from_utf8_lossy(&good));
        }
        for bad in [
            b"".to_vec(),
            b"List-Unsubscribe".to_vec(),
            b"List-Unsubscribe=".to_vec(),
            b"List-Unsubscribe=One-Click-Or-Two".to_vec(),
            b"One-Click=List-Unsubscribe".to_vec(),
            b"\xff\xfe".to_vec(),
            part("List-Unsubscribe", "No"),
            part("Other", "One-Click"),
        ] {
            assert!(!is_one_click(&bad), "{}", String::from_utf8_lossy(&bad));
        }
    }
}
