//! The front page, signing in and signing out.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use domain::{
    ids::AccountId,
    person::{Email, Language},
};
use render::{
    Field, Flash,
    pages::account::sign_in::{Demo, Front, SignIn},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, Tx, account,
    audit::{self, AuditAction, AuditResource},
    second_factor::{self, Standing},
    session::{self, Ended, Reach, SeatId},
};

use super::enter;
use crate::{
    AppState, PageError, PageResult,
    auth::{
        cookie,
        password::Verdict,
        throttle::{self, Tries},
    },
    extract::{Form, Pages, Query, Viewer, go},
    visit::{self, Visit},
};

/// `GET /`
pub(crate) async fn front(State(app): State<AppState>, Viewer(viewer): Viewer, pages: Pages) -> PageResult {
    match viewer {
        Some(viewer) => Ok(go(visit::home(&viewer.seat))),
        None => pages.show(&Front { demo: app.config.demo.then(Demo::usual) }),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub(crate) async fn page(
    State(app): State<AppState>,
    Viewer(viewer): Viewer,
    Query(Back { next }): Query<Back>,
    pages: Pages,
) -> PageResult {
    if let Some(viewer) = viewer.filter(|viewer| viewer.reach == Reach::Full) {
        return Ok(go(enter::local(&next).unwrap_or(visit::home(&viewer.seat))));
    }
    let next = enter::local(&next).unwrap_or_default().to_owned();
    pages.show(&SignIn { next, demo: app.config.demo.then(Demo::usual), ..SignIn::default() })
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`. An unknown address and a wrong password get the same answer in the same time.
pub(crate) async fn submit(
    State(app): State<AppState>,
    visit: Visit,
    pages: Pages,
    Form(Credentials { email: typed, password, next }): Form<Credentials>,
) -> PageResult {
    app.throttle.check(&visit)?;
    let next = enter::local(&next).unwrap_or_default().to_owned();
    let again = |email, problem: Option<&str>| {
        let problem = problem.map(|key| say(Language::En, key, &[]));
        pages.refuse(&SignIn { email, problem, next: next.clone(), demo: app.config.demo.then(Demo::usual) })
    };
    let email = match Email::parse(&typed) {
        Ok(email) => email,
        Err(fault) => return again(Field::refused(typed, fault.to_string()), None),
    };
    let found = compare(&app, &visit, email, password).await?;
    let Some(recognised) = found else { return again(Field::holding(typed), Some("sign-in-wrong")) };

    let tx = app.store.begin_sign_in().await?;
    let opened = open(&tx, &visit, &recognised).await?;
    tx.commit().await?;
    match opened {
        Opened::NotAnyMore => again(Field::holding(typed), Some("sign-in-wrong")),
        Opened::Nowhere => again(Field::holding(typed), Some("sign-in-nowhere")),
        Opened::Half(token) => Ok(enter::half_admit(&app, &token, &next)),
        Opened::Fully(token, seat, places) => Ok(enter::admit(&app, &token, seat, &enter::onward(seat, places, &next))),
    }
}

/// What the right password opened.
enum Opened {
    /// It was changed while it was compared.
    NotAnyMore,
    /// The account has no place anywhere.
    Nowhere,
    /// A sign-in that waits for its code.
    Half([u8; 32]),
    /// A session in the first of so many places.
    Fully([u8; 32], SeatId, usize),
}

/// Opens a session, or a sign-in that waits for its code, in the caller's transaction.
async fn open(tx: &Tx, visit: &Visit, Recognised { account, renewed, tries }: &Recognised) -> Result<Opened, StoreError> {
    // Nothing is awaited that need not be: at the start of a shift a whole clinic signs in.
    let (held, places, standing, ()) = tokio::try_join!(
        account::still_has(tx, account.id, account.password_hash.as_deref()),
        account::places(tx, account.id),
        second_factor::standing(tx, account.id, visit.now()),
        tries.forget(tx),
    )?;
    if !held {
        return Ok(Opened::NotAnyMore);
    }
    if let Some((old, new)) = renewed {
        account::upgrade_hash(tx, account.id, old, new).await?;
    }
    let Some(first) = places.first() else { return Ok(Opened::Nowhere) };
    if matches!(standing, Standing::On { .. }) {
        return Ok(Opened::Half(second_factor::half_open(tx, account.id, visit.now()).await?));
    }
    match enter::open(tx, visit, (account.id, first.clinic, first.seat)).await {
        Ok(token) => Ok(Opened::Fully(token, first.seat, places.len())),
        // It was closed between the two statements.
        Err(StoreError::NotFound) => Ok(Opened::Nowhere),
        Err(error) => Err(error),
    }
}

/// The account, when the password is its own. Failures are counted, and after too many nothing is compared any more.
pub(super) async fn recognise(
    app: &AppState,
    visit: &Visit,
    email: Email,
    password: String,
) -> Result<Option<account::Account>, PageError> {
    let Some(Recognised { account, tries, .. }) = compare(app, visit, email, password).await? else { return Ok(None) };
    let tx = app.store.begin_sign_in().await?;
    tries.forget(&tx).await?;
    tx.commit().await?;
    Ok(Some(account))
}

/// Somebody whose password was right.
struct Recognised {
    account: account::Account,
    /// The old and the new hash, when the password was kept under older parameters.
    renewed: Option<(String, String)>,
    /// What is to be forgotten now.
    tries: Tries,
}

async fn compare(app: &AppState, visit: &Visit, email: Email, password: String) -> Result<Option<Recognised>, PageError> {
    let tries = Tries::of(visit, &email);
    let tx = app.store.begin_sign_in().await?;
    tries.begin(&tx, visit.now()).await?;
    let account = account::by_email(&tx, &email).await?;
    tx.commit().await?;
    let kept = account.as_ref().and_then(|account| account.password_hash.clone());
    let verdict = app.passwords.compare(password, kept.clone()).await?;
    if verdict == Verdict::Wrong {
        throttle::evenly(note_failure(app, visit, account.as_ref().map(|account| account.id))).await?;
    }
    let renewed = match (verdict, kept) {
        (Verdict::Wrong, _) => return Ok(None),
        (Verdict::RightButOld(new), Some(old)) => Some((old, new)),
        _ => None,
    };
    Ok(account.map(|account| Recognised { account, renewed, tries }))
}

/// Writes into the audit of each clinic of the account that somebody failed to sign in.
async fn note_failure(app: &AppState, visit: &Visit, known: Option<AccountId>) -> Result<(), StoreError> {
    let tx = app.store.begin_sign_in().await?;
    audit::auth_event_everywhere(&tx, known, AuditAction::SignInFailed, visit.now(), (visit.id(), visit.address())).await?;
    tx.commit().await
}

/// `POST /sign-out`
pub(crate) async fn out(State(app): State<AppState>, visit: Visit, pages: Pages) -> PageResult {
    if let Some(token) = visit.token() {
        let tx = app.store.begin_sign_in().await?;
        if let Some(Ended { account, clinic, seat }) = session::end_by_token(&tx, token).await? {
            let who = visit.auth_event(account, clinic, seat);
            audit::auth_event(&tx, who, AuditAction::SignedOut, AuditResource::Account).await?;
        }
        tx.commit().await?;
    }
    let mut response = pages.go_saying("/sign-in", &Flash::good(say(Language::En, "signed-out", &[])));
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::clear_token(app.config.https()));
    // Pages kept for the back button go; what a patient logged without a connection stays.
    headers.insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    Ok(response)
}
