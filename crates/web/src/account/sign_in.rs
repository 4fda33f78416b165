//! The front page, signing in and signing out.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use domain::person::{Email, Language};
use render::{
    Field, Flash,
    pages::account::sign_in::{Demo, Front, SignIn},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, account,
    audit::{self, Deed, Subject},
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
    let Some(Recognised { account, renewed, tries }) = found else { return again(Field::holding(typed), Some("sign-in-wrong")) };

    let moment = visit.clone();
    let opened = app
        .store
        .signin(move |tx| async move {
            // Nothing is awaited that need not be: at the start of a shift a whole clinic signs in.
            let (held, places, standing, ()) = tokio::try_join!(
                account::still_has(&tx, account.id, account.password_hash.as_deref()),
                account::places(&tx, account.id),
                second_factor::standing(&tx, account.id, moment.now()),
                tries.forget(&tx),
            )?;
            if !held {
                return Ok(Opened::NotAnyMore);
            }
            if let Some((old, new)) = renewed {
                account::upgrade_hash(&tx, account.id, &old, &new).await?;
            }
            let Some(first) = places.first() else { return Ok(Opened::Nowhere) };
            if matches!(standing, Standing::On { .. }) {
                return Ok(Opened::Half(second_factor::half_open(&tx, account.id, moment.now()).await?));
            }
            match enter::open(&tx, &moment, (account.id, first.clinic, first.seat)).await {
                Ok(token) => Ok::<_, PageError>(Opened::Fully(token, first.seat, places.len())),
                // It was closed between the two statements.
                Err(StoreError::NotFound) => Ok(Opened::Nowhere),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
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

/// The account, when the password is its own. Failures are counted, and after too many nothing is compared any more.
pub(super) async fn recognise(
    app: &AppState,
    visit: &Visit,
    email: Email,
    password: String,
) -> Result<Option<account::Account>, PageError> {
    let Some(Recognised { account, tries, .. }) = compare(app, visit, email, password).await? else { return Ok(None) };
    app.store.signin(move |tx| async move { tries.forget(&tx).await }).await?;
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
    let now = visit.now();
    let tries = Tries::of(visit, &email);
    let counted = tries.clone();
    let account = app
        .store
        .signin(move |tx| async move {
            counted.begin(&tx, now).await?;
            Ok::<_, PageError>(account::by_email(&tx, &email).await?)
        })
        .await?;
    let kept = account.as_ref().and_then(|account| account.password_hash.clone());
    let verdict = app.passwords.compare(password, kept.clone()).await?;
    let known = account.as_ref().map(|account| account.id);
    let (request, address) = (visit.id(), visit.address());
    if verdict == Verdict::Wrong {
        let noted = app
            .store
            .signin(move |tx| async move { audit::at_every_door(&tx, known, Deed::SignInFailed, now, (request, address)).await });
        throttle::evenly(noted).await.map_err(|error: StoreError| PageError::from(error))?;
    }
    let renewed = match (verdict, kept) {
        (Verdict::Wrong, _) => return Ok(None),
        (Verdict::RightButOld(new), Some(old)) => Some((old, new)),
        _ => None,
    };
    Ok(account.map(|account| Recognised { account, renewed, tries }))
}

/// `POST /sign-out`
pub(crate) async fn out(State(app): State<AppState>, visit: Visit, pages: Pages) -> PageResult {
    if let Some(token) = visit.token().copied() {
        let moment = visit.clone();
        app.store
            .signin(move |tx| async move {
                let Some(Ended { account, clinic, seat }) = session::end_by_token(&tx, &token).await? else { return Ok(()) };
                let who = moment.at_the_door(account, clinic, seat);
                audit::at_the_door(&tx, who, Deed::SignedOut, Subject::Account).await
            })
            .await?;
    }
    let mut response = pages.go_saying("/sign-in", &Flash::good(say(Language::En, "signed-out", &[])));
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::clear_token(app.config.https()));
    // Pages kept for the back button go; what a patient logged without a connection stays.
    headers.insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    Ok(response)
}
