//! Choosing the clinic and the role, for an account that has several.

use axum::extract::State;
use domain::person::{Language, Role};
use render::{
    pages::account::sign_in::{Place, Places},
    words::say,
};
use serde::Deserialize;
use store::{
    account,
    session::{self, Seat, SeatId},
};

use super::enter;
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Pages, Query, Somebody},
    visit::Visit,
};

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    place: String,
    #[serde(default)]
    next: String,
}

/// The page's address, leading on to `next`.
pub(super) fn address(next: &str) -> String {
    // `next` was checked to be a path of ours; in a query it needs these escaped.
    let next = next.replace('%', "%25").replace('&', "%26").replace('#', "%23").replace('+', "%2B").replace('?', "%3F");
    if next.is_empty() { "/places".into() } else { format!("/places?next={next}") }
}

/// `GET /places`
pub(crate) async fn page(
    State(app): State<AppState>,
    Somebody(viewer): Somebody,
    Query(Choice { next, .. }): Query<Choice>,
    pages: Pages,
) -> PageResult {
    let places = account::places(&app.store.sign_in_reads(), viewer.account).await?;
    let here = match viewer.seat {
        Seat::Staff { membership, .. } => SeatId::Staff(membership),
        Seat::Patient { patient, .. } => SeatId::Patient(patient),
    };
    let places = places
        .into_iter()
        .map(|place| Place {
            value: value(place.seat),
            clinic: place.clinic_name,
            role: say(Language::En, role_key(place.role), &[]),
            here: place.seat == here,
        })
        .collect();
    pages.show(&Places { places, next: enter::local(&next).unwrap_or_default().to_owned() })
}

/// `POST /places`: a new session for the place chosen; the present one ends.
pub(crate) async fn submit(
    State(app): State<AppState>,
    Somebody(viewer): Somebody,
    visit: Visit,
    Form(Choice { place: chosen, next }): Form<Choice>,
) -> PageResult {
    let tx = app.store.begin_sign_in_as(&viewer.scope).await?;
    let places = account::places(&tx, viewer.account).await?;
    let place = places.into_iter().find(|place| value(place.seat) == chosen).ok_or(PageError::NotFound)?;
    // A patient's session lasts longer than one of the staff may.
    if matches!((&viewer.seat, place.seat), (Seat::Patient { .. }, SeatId::Staff(_))) && !viewer.is_confirmed(visit.now()) {
        return Err(PageError::Confirm("/places".to_owned()));
    }
    // No password was asked for, so it lasts no longer than the one it follows.
    let until = match visit.token() {
        Some(token) => session::end_of(&tx, token).await?,
        None => None,
    };
    let seat = (viewer.account, place.clinic, place.seat);
    let token = enter::open_by(&tx, &visit, seat, until, Some("by choosing the place")).await?;
    session::keep_confirmed(&tx, &token, viewer.confirmed_at).await?;
    tx.commit().await?;
    Ok(enter::admit(&app, &token, place.seat, enter::local(&next).unwrap_or(enter::home(place.seat))))
}

fn value(seat: SeatId) -> String {
    match seat {
        SeatId::Staff(id) => format!("staff-{id}"),
        SeatId::Patient(id) => format!("patient-{id}"),
    }
}

fn role_key(role: Role) -> &'static str {
    match role {
        Role::Owner => "role-owner",
        Role::Physiotherapist => "role-physiotherapist",
        Role::Patient => "role-patient",
    }
}
