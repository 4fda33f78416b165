//! A forgotten password: asking for a link, and choosing a new one with it.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
};
use domain::{
    ids::AccountId,
    person::{Email, Language},
};
use jiff::Timestamp;
use render::{
    Field, Flash,
    pages::account::{
        links::{Over, Reset},
        sign_in::Forgot,
    },
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, account,
    audit::{self, AuditAction},
    link::{self, Freshness, Link, Opens},
    outbox, session,
};

use super::mailed;
use crate::{
    AppState, PageError, PageResult,
    auth::{
        cookie,
        throttle::{self, Tries},
    },
    extract::{Form, Now, Pages},
    visit::Visit,
};

/// `GET /password/forgot`
pub(crate) async fn page(pages: Pages) -> PageResult {
    pages.show(&Forgot::default())
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    email: String,
}

/// `POST /password/forgot`. The answer says nothing about whether the address has an account.
pub(crate) async fn submit(
    State(app): State<AppState>,
    visit: Visit,
    pages: Pages,
    Form(Asked { email: typed }): Form<Asked>,
) -> PageResult {
    app.throttle.check(&visit)?;
    let email = match Email::parse(&typed) {
        Ok(email) => email,
        Err(fault) => return pages.refuse(&Forgot { email: Field::refused(typed, fault.to_string()), sent: false }),
    };
    throttle::evenly(queue_link(&app, &visit, &email)).await?;
    pages.show(&Forgot { email: Field::holding(email.as_str()), sent: true })
}

/// Queues the mail with the link, unless this address was sent too many.
async fn queue_link(app: &AppState, visit: &Visit, email: &Email) -> Result<(), PageError> {
    let tx = app.store.begin_sign_in().await?;
    let may = throttle::may_send_reset(&tx, visit, email).await?;
    outbox::enqueue_reset(&tx, email, may, visit.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// The link with this token, if there is one.
async fn find(app: &AppState, token: &str, now: Timestamp) -> Result<Option<Link>, StoreError> {
    let tx = app.store.begin_sign_in().await?;
    let found = link::find(&tx, token, now).await?;
    tx.commit().await?;
    Ok(found)
}

/// `GET /password/reset/{token}`
pub(crate) async fn reset_page(State(app): State<AppState>, Path(token): Path<String>, Now(now): Now, pages: Pages) -> PageResult {
    let link = find(&app, &token, now).await?;
    match link.map(|link| (link.freshness, link.email, link.opens)) {
        Some((Freshness::Live, email, Opens::NewPassword(_))) => {
            pages.show(&Reset { email: email.masked(), password: Field::default() })
        }
        Some((freshness, _, Opens::NewPassword(_))) => over(&pages, freshness),
        _ => mailed::over(&pages, Over::Incomplete, None),
    }
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    #[serde(default)]
    password: String,
}

/// `POST /password/reset/{token}`: the link is used up, and every session of the account ends.
pub(crate) async fn reset_submit(
    State(app): State<AppState>,
    Path(token): Path<String>,
    visit: Visit,
    pages: Pages,
    Form(Chosen { password }): Form<Chosen>,
) -> PageResult {
    app.throttle.check(&visit)?;
    let now = visit.now();
    let found = find(&app, &token, now).await?;
    let (link, account) = match found {
        Some(link) => match (link.freshness, &link.opens) {
            (Freshness::Live, Opens::NewPassword(account)) => (link.clone(), *account),
            (freshness, Opens::NewPassword(_)) => return over(&pages, freshness),
            _ => return mailed::over(&pages, Over::Incomplete, None),
        },
        None => return mailed::over(&pages, Over::Incomplete, None),
    };
    let hash = match app.passwords.choose(password, vec![link.email.as_str().to_owned()]).await? {
        Ok(hash) => hash,
        Err(fault) => {
            let password = Field::refused("", say(Language::En, fault.key(), &[]));
            let page = Reset { email: link.email.masked(), password };
            return pages.show_as(StatusCode::UNPROCESSABLE_ENTITY, &pages.chrome(), &page);
        }
    };
    match save(&app, &visit, &link, account, &hash).await {
        // It was used, or its address was changed, while the password was hashed.
        Err(StoreError::NotFound) => {
            let link = find(&app, &token, now).await?;
            over(&pages, link.map_or(Freshness::Used, |link| link.freshness))
        }
        Err(error) => Err(error.into()),
        Ok(()) => {
            let mut response = pages.go_saying("/sign-in", &Flash::good(say(Language::En, "reset-done", &[])));
            response.headers_mut().append(header::SET_COOKIE, cookie::clear_token(app.config.https()));
            Ok(response)
        }
    }
}

/// Uses the link up and saves the new password.
async fn save(app: &AppState, visit: &Visit, link: &Link, account: AccountId, hash: &str) -> Result<(), StoreError> {
    let now = visit.now();
    let tx = app.store.begin_sign_in().await?;
    link::consume(&tx, link, now).await?;
    account::set_password(&tx, account, hash, now).await?;
    // Whoever mistyped the old one may try the new one at once.
    Tries::of(visit, &link.email).forget(&tx).await?;
    // Sessions are locked before the mail that waits.
    session::end_others(&tx, account, None).await?;
    link::retire_resets(&tx, account, now).await?;
    // The audit's head is locked last: a transaction that waits for it may hold one of the sessions deleted above.
    audit::auth_event_everywhere(&tx, Some(account), AuditAction::Wrote, now, (visit.id(), visit.address())).await?;
    tx.commit().await
}

fn over(pages: &Pages, freshness: Freshness) -> PageResult {
    let over = if freshness == Freshness::Used { Over::ResetUsed } else { Over::ResetExpired };
    mailed::over(pages, over, None)
}
