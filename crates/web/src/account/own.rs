//! Everybody's own account: name, password, and where one is signed in.

use axum::extract::State;
use domain::person::{Language, PersonName, Zone};
use jiff::Timestamp;
use render::{
    Field, Flash, Nav, formats,
    forms::Choice,
    pages::account::own::{Account, OfPatient, OfStaff, Session},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, account,
    audit::{self, AuditAction},
    clinic, patient,
    session::{self, Reach, Seat, SignedIn},
};
use uuid::Uuid;

use super::sign_in;
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Id, Now, Pages, Somebody},
    visit::Visit,
};

/// `GET /account`
pub(crate) async fn page(State(app): State<AppState>, Somebody(me): Somebody, Now(now): Now, pages: Pages) -> PageResult {
    let account = filled(&app, &me, now).await?;
    show(&pages, &me, account, false)
}

#[derive(Deserialize)]
pub(crate) struct Details {
    #[serde(default)]
    name: String,
    #[serde(default)]
    language: String,
}

/// `POST /account`: the name, as this clinic has it.
pub(crate) async fn save(
    State(app): State<AppState>,
    Somebody(me): Somebody,
    Now(now): Now,
    pages: Pages,
    Form(form): Form<Details>,
) -> PageResult {
    // English is the one language that is complete; the others are offered when they are.
    let language = form.language.is_empty() || form.language == Language::En.tag();
    let name = PersonName::parse(&form.name);
    let (Ok(name), true) = (&name, language) else {
        let mut account = filled(&app, &me, now).await?;
        account.name = match name {
            Ok(_) => Field::holding(form.name),
            Err(fault) => Field::refused(form.name, fault.to_string()),
        };
        if !language {
            account.language = Field::refused("en", say(speaks(&me), "account-language-hint", &[]));
        }
        return show(&pages, &me, account, true);
    };
    let tx = app.store.begin(&me.scope).await?;
    match me.seat {
        Seat::Staff { membership, .. } => clinic::rename_member(&tx, membership, name).await?,
        Seat::Patient { patient, .. } => patient::rename(&tx, patient, name).await?,
    }
    tx.commit().await?;
    Ok(pages.go_saying("/account", &Flash::good(say(speaks(&me), "account-saved", &[]))))
}

#[derive(Deserialize)]
pub(crate) struct NewPassword {
    #[serde(default)]
    current: String,
    #[serde(default)]
    new: String,
}

/// `POST /account/password`: every other session of the account ends.
pub(crate) async fn change_password(
    State(app): State<AppState>,
    Somebody(me): Somebody,
    visit: Visit,
    pages: Pages,
    Form(form): Form<NewPassword>,
) -> PageResult {
    app.throttle.check(&visit)?;
    let language = speaks(&me);
    let known = sign_in::recognise(&app, &visit, me.email.clone(), form.current).await?;
    let about = vec![me.email.as_str().to_owned(), me.seat.name().to_owned()];
    let chosen = app.passwords.choose(form.new, about).await?;
    let mut mistyped = known.is_none();
    if let (Some(was), Ok(hash)) = (known, &chosen) {
        if save_password(&app, &me, &visit, was.password_hash.as_deref(), hash).await? {
            return Ok(pages.go_saying("/account", &Flash::good(say(language, "account-changed", &[]))));
        }
        mistyped = true;
    }
    let mut account = filled(&app, &me, visit.now()).await?;
    if mistyped {
        account.current = Field::refused("", say(language, "account-current-wrong", &[]));
    }
    if let Err(fault) = chosen {
        account.new = Field::refused("", say(language, fault.key(), &[]));
    }
    show(&pages, &me, account, true)
}

/// Saves the new password if the account still has the one that was compared; whether it had.
async fn save_password(
    app: &AppState,
    me: &SignedIn,
    visit: &Visit,
    compared: Option<&str>,
    hash: &str,
) -> Result<bool, StoreError> {
    let (id, now) = (me.account, visit.now());
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    let held = account::still_has(&tx, id, compared).await?;
    if held {
        account::set_password(&tx, id, hash, now).await?;
        // Sessions are locked before the mail that waits.
        session::end_others(&tx, id, Some(me.session)).await?;
        store::link::retire_resets(&tx, id, now).await?;
        // The audit's head is locked last: a transaction that waits for it may hold one of the sessions deleted above.
        audit::auth_event_everywhere(&tx, Some(id), AuditAction::Wrote, now, (visit.id(), visit.address())).await?;
    }
    tx.commit().await?;
    Ok(held)
}

/// `POST /account/sessions/{id}/end`
pub(crate) async fn end_session(
    State(app): State<AppState>,
    Somebody(me): Somebody,
    Id(session): Id<Uuid>,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    session::end(&tx, me.account, session).await?;
    audit::auth_event_everywhere(&tx, Some(me.account), AuditAction::SignedOut, visit.now(), (visit.id(), visit.address())).await?;
    tx.commit().await?;
    Ok(pages.go_saying("/account", &Flash::good(say(speaks(&me), "account-ended", &[]))))
}

/// `POST /account/sessions/end-others`
pub(crate) async fn end_others(State(app): State<AppState>, Somebody(me): Somebody, visit: Visit, pages: Pages) -> PageResult {
    let tx = app.store.begin_sign_in_as(&me.scope).await?;
    session::end_others(&tx, me.account, Some(me.session)).await?;
    audit::auth_event_everywhere(&tx, Some(me.account), AuditAction::SignedOut, visit.now(), (visit.id(), visit.address())).await?;
    tx.commit().await?;
    Ok(pages.go_saying("/account", &Flash::good(say(speaks(&me), "account-ended", &[]))))
}

async fn filled(app: &AppState, me: &SignedIn, now: Timestamp) -> Result<Account, PageError> {
    let sessions = session::of_account(&app.store.sign_in_reads(), me.account, now).await?;
    let (language, zone) = (speaks(me), zone(me));
    let several = sessions.iter().any(|listed| listed.clinic != me.clinic.name);
    let sessions: Vec<Session> = sessions
        .into_iter()
        .map(|listed| Session {
            id: listed.id.to_string(),
            browser: browser(language, listed.user_agent.as_deref().unwrap_or_default()),
            seen: formats::moment(language, zone.date(listed.seen_at), zone.time(listed.seen_at)),
            clinic: several.then_some(listed.clinic),
            address: listed.address,
            here: listed.id == me.session,
            one_tap: listed.reach == Reach::Today,
        })
        .collect();
    let others = sessions.iter().filter(|session| !session.here).count();
    Ok(Account {
        email: me.email.as_str().to_owned(),
        name: Field::holding(me.seat.name()),
        language: Field::holding(Language::En.tag()),
        languages: vec![Choice::new(Language::En.tag(), say(language, "language-en", &[]))],
        current: Field::default(),
        new: Field::default(),
        sessions,
        others: u32::try_from(others).unwrap_or(u32::MAX),
        second_factor: me.second_factor,
    })
}

fn show(pages: &Pages, me: &SignedIn, account: Account, refused: bool) -> PageResult {
    let pages = pages.clone().at(Nav::Account);
    match (&me.seat, refused) {
        (Seat::Patient { .. }, false) => pages.show(&OfPatient(account)),
        (Seat::Patient { .. }, true) => pages.refuse(&OfPatient(account)),
        (Seat::Staff { .. }, false) => pages.show(&OfStaff(account)),
        (Seat::Staff { .. }, true) => pages.refuse(&OfStaff(account)),
    }
}

fn speaks(me: &SignedIn) -> Language {
    match me.seat {
        Seat::Patient { language, .. } => language,
        Seat::Staff { .. } => me.language,
    }
}

fn zone(me: &SignedIn) -> &Zone {
    match &me.seat {
        Seat::Patient { zone, .. } => zone,
        Seat::Staff { .. } => &me.clinic.zone,
    }
}

/// "Firefox on Windows", from what a browser says about itself; good enough to tell one's phone from one's laptop.
fn browser(language: Language, agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name);
    // Each names itself after those it imitates, so the imitated come last.
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => {
            say(language, "account-browser", &[("browser", browser.into()), ("system", system.into())])
        }
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => say(language, "account-browser-unknown", &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_by_what_it_is_not_by_what_it_imitates() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36", "Chrome on Android"),
            ("curl/8.0", "A browser"),
            ("", "A browser"),
        ] {
            assert_eq!(browser(Language::En, agent), name);
        }
    }
}
