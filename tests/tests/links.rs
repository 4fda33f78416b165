//! Stories of the links in mails in the wrong hands, at the wrong time, or followed by machines.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::{Method, StatusCode};
use domain::ids::PatientId;
use jiff::SignedDuration;
use visitor::{PASSWORD, Site};

const ONE_CLICK: &str = "List-Unsubscribe=One-Click";
const NOTHING: &str = "0|0";

/// What a link may change: suppressed addresses and sessions.
async fn changed(site: &Site) -> String {
    site.db.row("select (select count(*) from suppression), (select count(*) from session)").await
}

#[tokio::test]
async fn opening_a_link_changes_nothing_however_often_a_scanner_does_it() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    site.clinic.join(&wei).await;
    for address in [site.one_tap(wei.id), site.unsubscribe(wei.id)] {
        for method in [Method::GET, Method::HEAD, Method::GET] {
            let answer = site.browser().send(method, &address, None, &[]).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (StatusCode::OK, ""), "{address}");
        }
    }
    assert_eq!(changed(&site).await, NOTHING);
}

#[tokio::test]
async fn a_forged_or_cut_link_opens_nothing_and_says_so() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    site.clinic.join(&wei).await;
    let token = |address: &str| address.rsplit('/').next().unwrap().to_owned();
    let (go, stop) = (token(&site.one_tap(wei.id)), token(&site.unsubscribe(wei.id)));
    let bad = [
        ("/go", stop.clone(), "made for something else"),
        ("/unsubscribe", go.clone(), "made for something else"),
        ("/go", go[..go.len() - 4].to_owned(), "cut"),
        ("/unsubscribe", format!("{stop}A"), "longer"),
        ("/unsubscribe", wei.id.to_string(), "an id in place of a token"),
        ("/go", "%00%ff".to_owned(), "no text"),
        ("/go", "x".repeat(4000), "endless"),
    ];
    for (path, token, what) in bad {
        for method in [Method::GET, Method::POST] {
            let body = (method == Method::POST).then_some(ONE_CLICK);
            let headers = [("sec-fetch-site", "same-origin")];
            let answer = site.browser().send(method.clone(), &format!("{path}/{token}"), body, &headers).await;
            assert!(
                answer.status.is_client_error() && answer.is_page(),
                "{method} {path}, {what}: {} {}",
                answer.status,
                answer.text
            );
            assert!(!answer.has("Wei Ling") && !answer.has("wei@home.test") && !answer.has("Riverside"), "{what}: {}", answer.text);
        }
    }
    assert_eq!(changed(&site).await, NOTHING);
}

#[tokio::test]
async fn a_link_is_its_own_patients_even_in_the_browser_of_another() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let ben = site.clinic.patient("Ben Lee", "ben@home.test").await;
    for who in [&wei, &ben] {
        site.clinic.join(who).await;
    }
    let mut phone = site.browser();
    phone.post(&site.one_tap(wei.id), &[]).await;
    // Ben's link, opened where Wei Ling is signed in, asks first; then it is Ben's browser and no longer hers.
    assert_eq!(phone.get(&site.one_tap(ben.id)).await.status, StatusCode::OK);
    assert_eq!(site.db.row("select p.name from session s join patient p on p.id = s.patient_id").await, "Wei Ling");
    phone.post(&site.one_tap(ben.id), &[]).await;
    assert_eq!(site.db.row("select p.name from session s join patient p on p.id = s.patient_id").await, "Ben Lee");
    // To stop somebody's reminders is to stop theirs, whoever is signed in.
    phone.send(Method::POST, &site.unsubscribe(wei.id), Some(ONE_CLICK), &[]).await;
    assert_eq!(site.db.row("select email, scope from suppression").await, "wei@home.test|reminders");
}

#[tokio::test]
async fn a_new_password_shuts_out_whoever_has_the_old_mails() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let account = site.clinic.join(&wei).await;
    site.give_password(account).await;
    let old = site.one_tap(wei.id);
    site.clock.advance(SignedDuration::from_mins(5));
    let mut own = site.browser();
    own.sign_in("wei@home.test", PASSWORD).await;
    own.post("/account/password", &[("current", PASSWORD), ("new", "seven green bicycles")]).await;

    let mut thief = site.browser();
    let over = thief.post(&old, &[]).await;
    assert_eq!((over.status, over.header("set-cookie")), (StatusCode::GONE, ""), "{}", over.text);
    assert_eq!(site.db.row("select count(*) from session").await, "1", "their own");
    // The next mail's link works.
    assert_eq!(thief.post(&site.one_tap(wei.id), &[]).await.location(), "/session");
}

#[tokio::test]
async fn an_unsubscribe_link_works_for_a_year_and_says_when_it_is_over() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let address = site.unsubscribe(wei.id);
    site.clock.set("2027-03-02T08:00:00+08:00");
    for body in [None, Some(ONE_CLICK)] {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let answer = site.browser().send(method, &address, body, &[]).await;
        assert_eq!(answer.status, StatusCode::GONE);
        assert!(answer.has("expired") && answer.has("turn them off under Reminders"), "{}", answer.text);
    }
    assert_eq!(changed(&site).await, NOTHING);
    site.clock.set("2027-03-02T07:59:59+08:00");
    assert_eq!(site.browser().send(Method::POST, &address, Some(ONE_CLICK), &[]).await.status, StatusCode::OK);
    assert_eq!(changed(&site).await, "1|0");
}

#[tokio::test]
async fn an_unsubscribe_for_a_patient_who_is_not_there_has_nothing_to_stop() {
    let site = Site::open().await;
    // Signed by us, for somebody who never was: a record is closed, not deleted, so only a database put back to an earlier day forgets.
    let address = site.unsubscribe(PatientId::new());
    for body in [None, Some(ONE_CLICK)] {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let answer = site.browser().send(method, &address, body, &[]).await;
        assert_eq!(answer.status, StatusCode::GONE);
        assert!(answer.has("There is nothing to stop"), "{}", answer.text);
    }
    assert_eq!(changed(&site).await, NOTHING);
}

#[tokio::test]
async fn a_post_that_does_not_ask_to_unsubscribe_does_not() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let address = site.unsubscribe(wei.id);
    for body in ["", "List-Unsubscribe=", "one-click=yes", "List-Unsubscribe=One-Click-Maybe"] {
        let answer = site.browser().send(Method::POST, &address, Some(body), &[]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(answer.has("Stop reminders?"), "it asks: {}", answer.text);
    }
    assert_eq!(changed(&site).await, NOTHING);
    // The page's own button says what a mail program says, so that one way is tested by the other.
    let mut browser = site.browser();
    let asked = browser.get(&address).await;
    assert!(asked.has("name=\"List-Unsubscribe\" value=\"One-Click\""), "{}", asked.text);
    // A mail program: no cookie, no origin; twice, since it may try again.
    for _ in 0..2 {
        let done = site.browser().send(Method::POST, &address, Some(ONE_CLICK), &[]).await;
        assert_eq!((done.status, done.header("set-cookie")), (StatusCode::OK, ""), "{}", done.text);
        assert!(done.has("No more reminders"));
    }
    assert_eq!(changed(&site).await, "1|0");
}
