//! Opening a session and letting the browser keep it.

use axum::{http::header, response::Response};
use domain::ids::{AccountId, ClinicId};
use jiff::Timestamp;
use store::{
    StoreError, Tx,
    audit::{self, AuditAction, AuditResource, AuthEvent},
    session::{self, Opening, Reach, SeatId},
};

use crate::{AppState, auth::cookie, error::leading_back, extract::go, visit::Visit};

/// Opens a session in the caller's transaction; the one that this browser had before ends.
pub(super) async fn open(tx: &Tx, visit: &Visit, place: (AccountId, ClinicId, SeatId)) -> Result<[u8; 32], StoreError> {
    open_by(tx, visit, place, None, None).await
}

/// As [`open`], no longer than `until`; the audit says by what it was opened.
pub(super) async fn open_by(
    tx: &Tx,
    visit: &Visit,
    (account, clinic, seat): (AccountId, ClinicId, SeatId),
    until: Option<Timestamp>,
    by: Option<&str>,
) -> Result<[u8; 32], StoreError> {
    let opening = Opening {
        account,
        clinic,
        seat,
        reach: Reach::Full,
        until,
        user_agent: visit.agent(),
        address: visit.address(),
        mailed_to: None,
    };
    open_until(tx, visit, opening, by).await
}

/// As [`open_by`], for a session of the caller's own reach and end.
pub(super) async fn open_until(tx: &Tx, visit: &Visit, opening: Opening<'_>, by: Option<&str>) -> Result<[u8; 32], StoreError> {
    leave(tx, visit).await?;
    let who = AuthEvent { detail: by.map(str::to_owned), ..visit.auth_event(opening.account, opening.clinic, opening.seat) };
    let token = session::open(tx, opening, visit.now()).await?;
    audit::auth_event(tx, who, AuditAction::SignedIn, AuditResource::Account).await?;
    Ok(token)
}

/// Ends the session that this browser has, if it has one.
pub(super) async fn leave(tx: &Tx, visit: &Visit) -> Result<(), StoreError> {
    if let Some(old) = visit.token() {
        session::end_by_token(tx, old).await?;
    }
    Ok(())
}

/// On to the first page of a session just opened, with its cookie.
pub(super) fn admit(app: &AppState, token: &[u8; 32], seat: SeatId, to: &str) -> Response {
    let mut response = go(to);
    response.headers_mut().append(header::SET_COOKIE, cookie::set_token(token, seat, app.config.https()));
    response
}

/// On to the page that asks for the code.
pub(super) fn half_admit(app: &AppState, token: &[u8; 32], next: &str) -> Response {
    let to = if next.is_empty() { "/sign-in/code".to_owned() } else { leading_back("/sign-in/code", next) };
    let mut response = go(&to);
    response.headers_mut().append(header::SET_COOKIE, cookie::set_half(token, app.config.https()));
    response
}

/// Where to go after signing in: to `next` or the first page, and before that to the choice where there is one.
pub(super) fn onward(seat: SeatId, places: usize, next: &str) -> String {
    match (places, next) {
        (0 | 1, "") => home(seat).to_owned(),
        (0 | 1, next) => next.to_owned(),
        _ => super::places::address(next),
    }
}

/// The first page of a seat.
pub(super) fn home(seat: SeatId) -> &'static str {
    match seat {
        SeatId::Staff(_) => "/patients",
        SeatId::Patient(_) => "/today",
    }
}

/// The path to go on to, if it is one of ours; anything a browser could read as another host is not.
pub(crate) fn local(next: &str) -> Option<&str> {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= 500
        && next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    ours.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_a_path_of_ours_is_followed() {
        for good in ["/today", "/patients?q=a&page=2", "/", "/programs/0193a6c2#x"] {
            assert_eq!(local(good), Some(good));
        }
        for bad in [
            "",
            "today",
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "https://evil.test",
            "/\t/evil.test",
            "/\n//evil.test",
            "javascript:alert(1)",
            " /today",
            "/über",
        ] {
            assert_eq!(local(bad), None, "{bad:?}");
        }
    }
}
