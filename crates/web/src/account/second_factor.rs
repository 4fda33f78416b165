//! Setting a second factor up and turning it off, and its recovery codes. For staff; a patient has none.

use axum::extract::State;
use domain::person::{Language, Zone};
use jiff::Timestamp;
use render::{
    Field, Flash, Nav, Svg, formats,
    pages::account::second_factor::{RecoveryCodes, SecondFactor, State as Shown},
};
use serde::Deserialize;
use store::{
    StoreError, Tx,
    audit::{self, AuditAction, AuditResource, AuthEvent},
    second_factor::{self, Standing},
    session::{self, Seat, SeatId, SignedIn},
};
use uuid::Uuid;

use super::code;
use crate::{
    AppState, PageError, PageResult,
    auth::totp::{self, Keys, Typed},
    extract::{Confirmed, Form, Pages, StaffAccount, go},
    visit::Visit,
};

/// Where all of it is.
const HERE: &str = "/account/second-factor";

/// `GET /account/second-factor`
pub(crate) async fn page(State(app): State<AppState>, StaffAccount(me): StaffAccount, visit: Visit, pages: Pages) -> PageResult {
    let page = filled(&app, &me, visit.now()).await?;
    pages.at(Nav::Account).show(&page)
}

/// `POST /account/second-factor`: begins setting up with a fresh secret.
pub(crate) async fn begin(State(app): State<AppState>, StaffAccount(me): StaffAccount, _: Confirmed, visit: Visit) -> PageResult {
    let sealed = app.keys.fresh(me.account)?;
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    second_factor::begin(&tx, me.account, sealed, visit.now()).await?;
    tx.commit().await?;
    Ok(go(HERE))
}

#[derive(Deserialize)]
pub(crate) struct FirstCode {
    #[serde(default)]
    code: String,
}

enum Turned {
    On(Vec<String>),
    Wrong,
    Wait(Timestamp),
    Over,
}

/// `POST /account/second-factor/confirm`: the first code shows that the app has the secret. The recovery codes are in the answer itself and
/// nowhere else, so there is no redirect.
pub(crate) async fn turn_on(
    State(app): State<AppState>,
    StaffAccount(me): StaffAccount,
    _: Confirmed,
    visit: Visit,
    pages: Pages,
    Form(FirstCode { code }): Form<FirstCode>,
) -> PageResult {
    let who = by(&me, &visit)?;
    let now = visit.now();
    let codes = totp::recovery_codes()?;
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    let turned = turn_on_with(&tx, &app.keys, who, me.session, &code, codes).await?;
    tx.commit().await?;
    match turned {
        Turned::On(codes) => recovery(&pages, &codes, true),
        Turned::Wait(until) => Err(code::too_many(until, now)),
        Turned::Over => Ok(pages.go_saying(HERE, &Flash::warn("Setting up took too long. Please start over."))),
        Turned::Wrong => {
            let mut page = filled(&app, &me, now).await?;
            page.code = Field::refused(
                "",
                "That is not the code of this moment. Wait for the next one, and check the clock of your phone.",
            );
            pages.at(Nav::Account).refuse(&page)
        }
    }
}

/// Turns the second factor on if the code is right. What it writes stays written when the answer is no: tries are counted.
async fn turn_on_with(
    tx: &Tx,
    keys: &Keys,
    who: AuthEvent,
    session: Uuid,
    typed: &str,
    codes: Vec<String>,
) -> Result<Turned, StoreError> {
    let (account, now) = (who.account, who.at);
    let Standing::Pending(sealed) = second_factor::standing(tx, account, now).await? else { return Ok(Turned::Over) };
    if let Some(until) = second_factor::count_try(tx, account, now).await? {
        return Ok(Turned::Wait(until));
    }
    let Typed::Code(code) = totp::read(typed) else { return Ok(Turned::Wrong) };
    let step = keys.open(account, &sealed).and_then(|secret| totp::step(&secret, &code, now));
    let Some(step) = step else { return Ok(Turned::Wrong) };
    if !second_factor::take_step(tx, account, step).await? {
        return Ok(Turned::Wrong);
    }
    second_factor::turn_on(tx, account, now).await?;
    second_factor::keep_codes(tx, account, &codes).await?;
    // Whoever is signed in elsewhere gave no code.
    session::end_others(tx, account, Some(session)).await?;
    note(tx, who).await?;
    Ok(Turned::On(codes))
}

/// `POST /account/second-factor/codes`: new recovery codes; the old ones work no more. Shown in the answer, as [`turn_on`] does.
pub(crate) async fn new_codes(
    State(app): State<AppState>,
    StaffAccount(me): StaffAccount,
    _: Confirmed,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    let who = by(&me, &visit)?;
    let codes = totp::recovery_codes()?;
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    let is_on = matches!(second_factor::standing(&tx, me.account, visit.now()).await?, Standing::On { .. });
    if is_on {
        second_factor::keep_codes(&tx, me.account, &codes).await?;
        note(&tx, who).await?;
    }
    tx.commit().await?;
    if is_on { recovery(&pages, &codes, false) } else { Ok(go(HERE)) }
}

/// `POST /account/second-factor/off`: also while it is being set up.
pub(crate) async fn turn_off(
    State(app): State<AppState>,
    StaffAccount(me): StaffAccount,
    _: Confirmed,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    let who = by(&me, &visit)?;
    let was_on = me.second_factor;
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    second_factor::turn_off(&tx, me.account).await?;
    if was_on {
        session::end_others(&tx, me.account, Some(me.session)).await?;
        note(&tx, who).await?;
    }
    tx.commit().await?;
    let said = match (was_on, me.second_factor_wanted) {
        (false, _) => "Nothing is changed: the second factor was not on yet.",
        (true, false) => "Your second factor is off. Every other browser is signed out.",
        (true, true) => "Your second factor is off. Your clinic asks for one, so please set up a new one now.",
    };
    Ok(pages.go_saying(HERE, &Flash::good(said)))
}

fn recovery(pages: &Pages, codes: &[String], first: bool) -> PageResult {
    let codes = codes.iter().map(|code| totp::grouped(code, '-')).collect();
    pages.clone().at(Nav::Account).show(&RecoveryCodes { codes, first })
}

/// Patients have none; this page does not exist for them.
fn member(me: &SignedIn) -> Result<(SeatId, &Zone), PageError> {
    match me.seat {
        Seat::Staff { membership, .. } => Ok((SeatId::Staff(membership), &me.clinic.zone)),
        Seat::Patient { .. } => Err(PageError::NotFound),
    }
}

fn by(me: &SignedIn, visit: &Visit) -> Result<AuthEvent, PageError> {
    Ok(visit.auth_event(me.account, me.clinic.id, member(me)?.0))
}

async fn note(tx: &Tx, who: AuthEvent) -> Result<(), StoreError> {
    audit::auth_event(tx, who, AuditAction::Wrote, AuditResource::Account).await
}

async fn filled(app: &AppState, me: &SignedIn, now: Timestamp) -> Result<SecondFactor, PageError> {
    let (_, zone) = member(me)?;
    let standing = second_factor::standing(&app.store.sign_in_reads(), me.account, now).await?;
    let mut page = SecondFactor {
        state: Shown::Off,
        wanted: me.second_factor_wanted,
        qr_svg: Svg::default(),
        secret: String::new(),
        code: Field::default(),
        since: String::new(),
        codes_left: 0,
    };
    match standing {
        Standing::On { since, codes_left, .. } => {
            page.state = Shown::On;
            page.since = formats::day_and_year(Language::En, zone.date(since));
            page.codes_left = codes_left;
        }
        // Somebody who finds the browser open an hour later is not shown the secret.
        Standing::Pending(sealed) if me.is_confirmed(now) => {
            if let Some(secret) = app.keys.open(me.account, &sealed) {
                page.state = Shown::Pending;
                page.qr_svg = render::qr::svg(&totp::address(&secret, &me.email))
                    .ok_or_else(|| PageError::internal("an address too long for a QR code"))?;
                page.secret = totp::spelled(&secret);
            }
        }
        Standing::Pending(_) | Standing::Off => {}
    }
    Ok(page)
}
