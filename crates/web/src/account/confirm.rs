//! Who is there proves it once more, before a sensitive change: see [`crate::extract::Confirmed`].

use axum::extract::State;
use domain::person::Language;
use render::{Field, Flash, pages::account::second_factor::Confirm, words::say};
use serde::Deserialize;
use store::{
    account,
    audit::{self, AuditAction},
    session::{self, Seat, SignedIn},
};

use super::{
    code::{self, Given},
    enter, sign_in,
};
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Pages, Query, Somebody, go},
    visit::Visit,
};

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    next: String,
}

/// `GET /account/confirm`
pub(crate) async fn page(Somebody(me): Somebody, Query(Asked { next }): Query<Asked>, pages: Pages) -> PageResult {
    pages.show(&shown(&me, &next))
}

#[derive(Deserialize)]
pub(crate) struct Proof {
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// `POST /account/confirm`
pub(crate) async fn submit(
    State(app): State<AppState>,
    Somebody(me): Somebody,
    visit: Visit,
    pages: Pages,
    Form(Proof { password, code, next }): Form<Proof>,
) -> PageResult {
    let language = speaks(&me);
    let mut page = shown(&me, &next);
    match prove(&app, &visit, &me, password, code).await? {
        Proved::Yes => Ok(match enter::local(&next) {
            // A change was not made and a file not given before this; going back does not do it by itself.
            Some(next) => pages.go_saying(next, &Flash::good(say(language, "confirm-done", &[]))),
            None => go("/account"),
        }),
        Proved::WrongPassword => {
            page.password = Field::refused("", say(language, "account-current-wrong", &[]));
            pages.refuse(&page)
        }
        Proved::WrongCode => {
            page.code = Field::refused("", say(language, "code-wrong", &[]));
            pages.refuse(&page)
        }
    }
}

/// What became of it.
pub(super) enum Proved {
    /// The session is confirmed.
    Yes,
    WrongPassword,
    WrongCode,
}

/// Compares the password, and the code for whoever has a second factor; when both are right the session is confirmed.
///
/// # Errors
/// [`PageError::TooMany`] when it was tried too often; the store's own.
pub(super) async fn prove(
    app: &AppState,
    visit: &Visit,
    me: &SignedIn,
    password: String,
    code: String,
) -> Result<Proved, PageError> {
    app.throttle.check(visit)?;
    let Some(known) = sign_in::recognise(app, visit, me.email.clone(), password).await? else { return Ok(Proved::WrongPassword) };
    let now = visit.now();
    let from = (visit.id(), visit.address());
    let account = me.account;
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    let mut given = None;
    if account::still_has(&tx, account, known.password_hash.as_deref()).await? {
        let answer = if me.second_factor { code::give(&tx, &app.keys, account, &code, now).await? } else { Given::Right };
        match answer {
            Given::Right | Given::Recovery { .. } => session::confirm(&tx, me.session, now).await?,
            Given::Wrong => audit::auth_event_everywhere(&tx, Some(account), AuditAction::SignInFailed, now, from).await?,
            Given::Wait(_) => {}
        }
        given = Some(answer);
    }
    tx.commit().await?;
    match given {
        None => Ok(Proved::WrongPassword),
        Some(Given::Right | Given::Recovery { .. }) => Ok(Proved::Yes),
        Some(Given::Wait(until)) => Err(code::too_many(until, now)),
        Some(Given::Wrong) => Ok(Proved::WrongCode),
    }
}

fn shown(me: &SignedIn, next: &str) -> Confirm {
    Confirm {
        email: me.email.as_str().to_owned(),
        password: Field::default(),
        code: Field::default(),
        asks_code: me.second_factor,
        next: enter::local(next).unwrap_or_default().to_owned(),
    }
}

fn speaks(me: &SignedIn) -> Language {
    match me.seat {
        Seat::Patient { language, .. } => language,
        Seat::Staff { .. } => me.language,
    }
}
