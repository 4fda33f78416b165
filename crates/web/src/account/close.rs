//! `/account/close`: a patient closes their account with the clinic, or takes back what they agreed to, which closes it too.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use domain::{ids::PatientId, person::Language};
use render::{Field, Flash, Nav, pages::patient::Close, words::say};
use serde::Deserialize;
use store::{
    account,
    closure::{self, Closing},
    consent,
    outbox::{self, Mails},
    session::{Seat, SeatId, SignedIn},
};

use super::sign_in;
use crate::{
    AppState, PageError, PageResult,
    auth::cookie,
    extract::{Form, Pages, Query, Somebody},
    visit::Visit,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Why {
    why: String,
}

/// `GET /account/close?why=`: what stops and what is kept.
pub(crate) async fn page(Somebody(me): Somebody, Query(Why { why }): Query<Why>, pages: Pages) -> PageResult {
    patient(&me)?;
    pages.clone().at(Nav::Account).show(&shown(&me, why == "withdraw", None))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    current: String,
    withdraw: String,
}

/// `POST /account/close`: with the password. From then on nobody signs in to the record and no mail leaves.
pub(crate) async fn submit(
    State(app): State<AppState>,
    Somebody(me): Somebody,
    visit: Visit,
    pages: Pages,
    Form(Wish { current, withdraw }): Form<Wish>,
) -> PageResult {
    let (id, language) = patient(&me)?;
    let withdraw = withdraw == "yes";
    app.throttle.check(&visit)?;
    let known = sign_in::recognise(&app, &visit, me.email.clone(), current).await?;
    // The record is closed in another role's transaction, which cannot read passwords. A change of the password in between, in another session, ends
    // this one, and the transaction is then refused.
    let held = match known {
        Some(known) => {
            let tx = app.store.begin_sign_in_as(&me.scope).await?;
            let held = account::still_has(&tx, me.account, known.password_hash.as_deref()).await?;
            tx.commit().await?;
            held
        }
        None => false,
    };
    if !held {
        return pages.clone().at(Nav::Account).refuse(&shown(&me, withdraw, Some(say(language, "close-wrong", &[]))));
    }
    let now = visit.now();
    let tx = app.store.begin(&me.scope.clone().ending(SeatId::Patient(id))).await?;
    let Closing { account, .. } = closure::close(&tx, id, now).await?;
    if withdraw {
        // After the record is held whole: its foreign key would hold a share of it.
        consent::withdraw(&tx, id, now).await?;
    }
    let on_its_way = outbox::on_their_way(&tx, id, Mails::All).await?;
    tx.commit().await?;
    let tx = app.store.begin_sign_in().await?;
    closure::tidy(&tx, (me.clinic.id, id), account, now).await?;
    tx.commit().await?;
    let said = Flash::good(say(language, "close-done", &[])).with_mail_on_its_way(language, on_its_way);
    Ok(gone(&app, pages.go_saying("/", &said)))
}

/// This browser forgets who was here.
fn gone(app: &AppState, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::clear_token(app.config.https()));
    headers.insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    response
}

/// The staff have no record to close: theirs is a place on the team.
pub(super) fn patient(me: &SignedIn) -> Result<(PatientId, Language), PageError> {
    match me.seat {
        Seat::Patient { patient, language, .. } => Ok((patient, language)),
        Seat::Staff { .. } => Err(PageError::NotFound),
    }
}

fn shown(me: &SignedIn, withdraw: bool, wrong: Option<String>) -> Close {
    Close {
        clinic: me.clinic.name.clone(),
        email: me.email.as_str().to_owned(),
        withdraw,
        elsewhere: me.can_switch,
        current: Field { value: String::new(), error: wrong },
    }
}
