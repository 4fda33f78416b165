//! After the right password: the code of the second factor, or a recovery code in its place.

use axum::{
    extract::State,
    http::{HeaderMap, header},
};
use domain::{ids::AccountId, person::Language};
use jiff::Timestamp;
use render::{Field, Flash, pages::account::second_factor::Code, words::say};
use serde::Deserialize;
use store::{
    StoreError, Tx, account,
    audit::{self, AuditAction},
    second_factor::{self, Standing},
    session::SeatId,
};

use super::enter;
use crate::{
    AppState, PageError, PageResult,
    auth::{
        cookie,
        totp::{self, Keys, Typed},
    },
    error::leading_back,
    extract::{Form, Pages, Query, go},
    visit::Visit,
};

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    next: String,
    /// `recovery`: with letters on the keyboard.
    #[serde(default)]
    with: String,
}

/// `GET /sign-in/code`
pub(crate) async fn page(
    State(app): State<AppState>,
    visit: Visit,
    headers: HeaderMap,
    Query(Asked { next, with }): Query<Asked>,
    pages: Pages,
) -> PageResult {
    let next = enter::local(&next).unwrap_or_default().to_owned();
    let waiting = match cookie::half(&headers, app.config.https()) {
        None => None,
        Some(token) => {
            let tx = app.store.begin_sign_in().await?;
            let waiting = second_factor::waiting(&tx, &token, visit.now()).await?;
            tx.commit().await?;
            waiting
        }
    };
    match waiting {
        Some(_) => pages.show(&shown(Field::default(), next, &with)),
        None => Ok(go(&leading_back("/sign-in", &next))),
    }
}

#[derive(Deserialize)]
pub(crate) struct Sent {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    with: String,
}

fn shown(code: Field, next: String, with: &str) -> Code {
    let recovery = with == "recovery";
    let here = leading_back("/sign-in/code", &next);
    Code { code, next, recovery, other: if recovery { here } else { format!("{here}&with=recovery") } }
}

enum Outcome {
    /// Nobody waits under this token, or not any more.
    Over,
    Nowhere,
    Wrong,
    Wait(Timestamp),
    In {
        token: [u8; 32],
        seat: SeatId,
        places: usize,
        codes_left: Option<u32>,
    },
}

/// `POST /sign-in/code`
pub(crate) async fn submit(
    State(app): State<AppState>,
    visit: Visit,
    headers: HeaderMap,
    pages: Pages,
    Form(Sent { code, next, with }): Form<Sent>,
) -> PageResult {
    app.throttle.check(&visit)?;
    let https = app.config.https();
    let next = enter::local(&next).unwrap_or_default().to_owned();
    let outcome = match cookie::half(&headers, https) {
        None => Outcome::Over,
        Some(half) => {
            let tx = app.store.begin_sign_in().await?;
            let outcome = enter_with(&tx, &app.keys, &visit, &half, &code).await?;
            tx.commit().await?;
            outcome
        }
    };
    match outcome {
        Outcome::Over => {
            let mut response = pages.go_saying(&leading_back("/sign-in", &next), &Flash::warn(say(Language::En, "code-over", &[])));
            response.headers_mut().append(header::SET_COOKIE, cookie::clear_half(https));
            Ok(response)
        }
        Outcome::Nowhere => Ok(pages.go_saying("/sign-in", &Flash::warn(say(Language::En, "sign-in-nowhere", &[])))),
        Outcome::Wait(until) => Err(too_many(until, visit.now())),
        Outcome::Wrong => pages.refuse(&shown(Field::refused("", say(Language::En, "code-wrong", &[])), next, &with)),
        Outcome::In { token, seat, places, codes_left } => {
            let mut response = enter::admit(&app, &token, seat, &enter::onward(seat, places, &next));
            response.headers_mut().append(header::SET_COOKIE, cookie::clear_half(https));
            if let Some(left) = codes_left {
                let flash = Flash::warn(say(Language::En, "code-recovery-used", &[("left", left.into())]));
                response.headers_mut().append(header::SET_COOKIE, cookie::set_notice(&flash, https));
            }
            Ok(response)
        }
    }
}

async fn enter_with(tx: &Tx, keys: &Keys, visit: &Visit, half: &[u8; 32], code: &str) -> Result<Outcome, StoreError> {
    let now = visit.now();
    let Some(account) = second_factor::waiting(tx, half, now).await? else { return Ok(Outcome::Over) };
    // The account is locked before its other rows, in the same order as by a change of the password.
    account::hold(tx, account).await?;
    let codes_left = match give(tx, keys, account, code, now).await? {
        Given::Wait(until) => return Ok(Outcome::Wait(until)),
        Given::Wrong => {
            audit::auth_event_everywhere(tx, Some(account), AuditAction::SignInFailed, now, (visit.id(), visit.address())).await?;
            return Ok(Outcome::Wrong);
        }
        Given::Right => None,
        Given::Recovery { left } => Some(left),
    };
    // Of two who send two right codes for one sign-in, one is in.
    if !second_factor::end_waiting(tx, half).await? {
        return Ok(Outcome::Over);
    }
    let places = account::places(tx, account).await?;
    let Some(first) = places.first() else { return Ok(Outcome::Nowhere) };
    match enter::open(tx, visit, (account, first.clinic, first.seat)).await {
        Ok(token) => Ok(Outcome::In { token, seat: first.seat, places: places.len(), codes_left }),
        // It was closed between the two statements.
        Err(StoreError::NotFound) => Ok(Outcome::Nowhere),
        Err(error) => Err(error),
    }
}

/// What became of a code.
pub(super) enum Given {
    Right,
    /// A recovery code, which is used up.
    Recovery {
        left: u32,
    },
    Wrong,
    /// Too many were tried; this one was not compared.
    Wait(Timestamp),
}

/// Takes a code of the app or a recovery code, once. What it writes stays written when the answer is no: tries are counted.
pub(super) async fn give(tx: &Tx, keys: &Keys, account: AccountId, typed: &str, now: Timestamp) -> Result<Given, StoreError> {
    let Standing::On { sealed, codes_left, .. } = second_factor::standing(tx, account, now).await? else { return Ok(Given::Wrong) };
    match totp::read(typed) {
        Typed::Code(code) => {
            if let Some(until) = second_factor::count_try(tx, account, now).await? {
                return Ok(Given::Wait(until));
            }
            let Some(secret) = keys.open(account, &sealed) else {
                tracing::error!("a second factor cannot be read: was HOMESTRETCH_SECRET changed? Recovery codes still work");
                return Ok(Given::Wrong);
            };
            match totp::step(&secret, &code, now) {
                Some(step) if second_factor::take_step(tx, account, step).await? => Ok(Given::Right),
                _ => Ok(Given::Wrong),
            }
        }
        // Nobody guesses one of these, so they work while codes of the app are slowed down.
        Typed::Recovery(code) if second_factor::use_code(tx, account, &code).await? => {
            Ok(Given::Recovery { left: codes_left.saturating_sub(1) })
        }
        Typed::Recovery(_) | Typed::Other => Ok(Given::Wrong),
    }
}

/// The refusal of a code that came too soon.
pub(super) fn too_many(until: Timestamp, now: Timestamp) -> PageError {
    PageError::TooMany(until.duration_since(now).try_into().unwrap_or_default())
}
