//! Stories of the links in mails in the wrong hands, at the wrong time, or followed by machines.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::{Method, StatusCode};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    ids::{ClinicId, PatientId},
    person::Email,
};
use jiff::{SignedDuration, Timestamp};
use store::link::Purpose;
use testkit::people::Somebody;
use visitor::{Browser, PASSWORD, Site, while_it_waits};

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
    for address in [site.one_tap(&wei), site.unsubscribe(&wei)] {
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
    let (go, stop) = (token(&site.one_tap(&wei)), token(&site.unsubscribe(&wei)));
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
    phone.post(&site.one_tap(&wei), &[]).await;
    // Ben's link, opened where Wei Ling is signed in, asks first; then it is Ben's browser and no longer hers.
    assert_eq!(phone.get(&site.one_tap(&ben)).await.status, StatusCode::OK);
    assert_eq!(site.db.row("select p.name from session s join patient p on p.id = s.patient_id").await, "Wei Ling");
    phone.post(&site.one_tap(&ben), &[]).await;
    assert_eq!(site.db.row("select p.name from session s join patient p on p.id = s.patient_id").await, "Ben Lee");
    // To stop somebody's reminders is to stop theirs, whoever is signed in.
    phone.send(Method::POST, &site.unsubscribe(&wei), Some(ONE_CLICK), &[]).await;
    assert_eq!(site.db.row("select email, scope from suppression").await, "wei@home.test|reminders");
}

#[tokio::test]
async fn a_new_password_shuts_out_whoever_has_the_old_mails() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let account = site.clinic.join(&wei).await;
    site.give_password(account).await;
    let old = site.one_tap(&wei);
    site.clock.advance(SignedDuration::from_mins(5));
    let mut own = site.browser();
    own.sign_in("wei@home.test", PASSWORD).await;
    own.post("/account/password", &[("current", PASSWORD), ("new", "seven green bicycles")]).await;

    let mut thief = site.browser();
    let over = thief.post(&old, &[]).await;
    assert_eq!((over.status, over.header("set-cookie")), (StatusCode::GONE, ""), "{}", over.text);
    assert_eq!(site.db.row("select count(*) from session").await, "1", "their own");
    // The next mail's link works.
    assert_eq!(thief.post(&site.one_tap(&wei), &[]).await.location(), "/session");
}

#[tokio::test]
async fn an_unsubscribe_link_works_for_a_year_and_says_when_it_is_over() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let address = site.unsubscribe(&wei);
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
    let nobody = Somebody { id: PatientId::new(), ..site.clinic.patient("Wei Ling", "wei@home.test").await };
    let address = site.unsubscribe(&nobody);
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
    let address = site.unsubscribe(&wei);
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

/// The physiotherapist corrects a patient's address by the page.
async fn correct(site: &Site, patient: &Somebody, email: &str) -> Somebody {
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    hannah.sign_in("physio@riverside.test", PASSWORD).await;
    let fields = [("name", "Wei Ling"), ("email", email), ("zone", ""), ("language", ""), ("region", "")];
    let saved = hannah.post(&format!("/patients/{}/edit", patient.id), &fields).await;
    assert_eq!(saved.location(), format!("/patients/{}", patient.id), "{}", saved.text);
    Somebody { email: Email::parse(email).unwrap_or_else(|_| patient.email.clone()), ..patient.clone() }
}

/// A reminder that was sent, as the queue keeps it.
async fn reminded(site: &Site, patient: &Somebody, at: Timestamp) {
    site.db
        .execute(&format!(
            "insert into notice (clinic_id, id, kind, patient_id, recipient, dedupe_key, state, due_at, next_at, created_at, settled_at)
             values ('{}', gen_random_uuid(), 'session_reminder', '{}', '{}', gen_random_uuid()::text, 'sent', '{at}', '{at}', '{at}', '{at}')",
            site.clinic.id, patient.id, patient.email
        ))
        .await;
}

/// The path of a link as mails had it before links named their address.
fn of_an_older_mail(path: &str, number: u8, clinic: ClinicId, patient: PatientId, until: Timestamp) -> String {
    let signed = [&[number][..], clinic.0.as_bytes(), patient.0.as_bytes(), &until.as_second().to_be_bytes()].concat();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 32]);
    let signature = ring::hmac::sign(&key, &[&b"homestretch link 1\0"[..], &signed].concat());
    format!("/{path}/{}", BASE64_URL_SAFE_NO_PAD.encode([&signed, signature.as_ref()].concat()))
}

async fn stop(site: &Site, address: &str) -> visitor::Answer {
    let done = site.browser().send(Method::POST, address, Some(ONE_CLICK), &[]).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    done
}

async fn stopped(site: &Site) -> Vec<String> {
    site.db.rows("select email, scope from suppression order by email").await
}

#[tokio::test]
async fn a_one_tap_link_and_what_it_opened_end_with_the_address_it_was_sent_to() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@old.test").await;
    site.clinic.join(&wei).await;
    let old = site.one_tap(&wei);
    let mut phone = site.browser();
    assert_eq!(phone.post(&old, &[]).await.location(), "/session");
    assert_eq!(phone.get("/today").await.status, StatusCode::OK);

    let wei = correct(&site, &wei, "wei@new.test").await;
    assert_eq!(phone.get("/today").await.status, StatusCode::SEE_OTHER, "what it opened is over");
    let mut thief = site.browser();
    for answer in [thief.get(&old).await, thief.post(&old, &[]).await] {
        assert_eq!((answer.status, answer.header("set-cookie")), (StatusCode::GONE, ""), "{}", answer.text);
        assert!(answer.has("an address that has been changed since") && !answer.has("new.test"), "{}", answer.text);
    }
    assert_eq!(site.db.row("select count(*) from session where patient_id is not null").await, "0");
    // The next mail's link works, and a name that is corrected takes nothing away.
    assert_eq!(phone.post(&site.one_tap(&wei), &[]).await.location(), "/session");
    correct(&site, &wei, "wei@new.test").await;
    assert_eq!(phone.get("/today").await.status, StatusCode::OK);
    // A change of the address that does not delete the sessions ends them all the same.
    site.db.execute("update patient set email = 'wei@third.test'").await;
    assert_eq!(phone.get("/today").await.status, StatusCode::SEE_OTHER);
    // Without an address there is no link.
    site.db.execute("update patient set email = null").await;
    assert_eq!(thief.post(&site.one_tap(&wei), &[]).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn a_full_session_outlives_a_corrected_address() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@old.test").await;
    let account = site.clinic.join(&wei).await;
    site.give_password(account).await;
    let mut own = site.browser();
    own.sign_in("wei@old.test", PASSWORD).await;
    correct(&site, &wei, "wei@new.test").await;
    assert_eq!(own.get("/progress").await.status, StatusCode::OK, "it was opened by the password");
}

#[tokio::test]
async fn an_unsubscribe_link_is_about_the_address_it_was_sent_to_and_no_other() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@old.test").await;
    site.clinic.join(&wei).await;
    reminded(&site, &wei, site.clock.now()).await;
    let old = site.unsubscribe(&wei);
    let wei = correct(&site, &wei, "wei@new.test").await;

    let asked = site.browser().get(&old).await;
    assert_eq!(asked.status, StatusCode::OK);
    assert!(asked.has("does not remind you at w***@old.test") && !asked.has("new.test"), "{}", asked.text);
    assert!(stopped(&site).await.is_empty());
    for _ in 0..2 {
        let done = stop(&site, &old).await;
        assert!(done.has("will send no reminders to w***@old.test"), "{}", done.text);
        assert!(!done.has("new.test") && !done.has("next=/reminders"), "{}", done.text);
    }
    assert_eq!(stopped(&site).await, ["wei@old.test|reminders"]);
    assert_eq!(
        site.db.row("select deed, subject, actor_patient_id from audit_entry where subject = 'reminders' limit 1").await,
        format!("wrote|reminders|{}", wei.id)
    );

    // Nor does it come along to the next address, whether straight or by a time without one.
    let wei = correct(&site, &wei, "wei@third.test").await;
    assert_eq!(stopped(&site).await, ["wei@old.test|reminders"]);
    correct(&site, &wei, "").await;
    let wei = correct(&site, &wei, "wei@fourth.test").await;
    assert_eq!(stopped(&site).await, ["wei@old.test|reminders"]);
    // What the patient wants does: it is about the clinic.
    assert!(stop(&site, &site.unsubscribe(&wei)).await.has("You can turn reminders on again"));
    correct(&site, &wei, "wei@fifth.test").await;
    assert_eq!(stopped(&site).await, ["wei@fifth.test|reminders", "wei@fourth.test|reminders", "wei@old.test|reminders"]);
}

#[tokio::test]
async fn an_unsubscribe_link_to_an_address_that_nothing_is_known_of_stops_nothing_and_is_no_failure() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@home.test").await;
    let strange = site.unsubscribe(&Somebody { email: Email::parse("wei@elsewhere.test").unwrap(), ..wei });
    let done = stop(&site, &strange).await;
    assert!(done.has("will send no reminders to the address this link came to"), "{}", done.text);
    assert!(stopped(&site).await.is_empty());
}

#[tokio::test]
async fn links_of_older_mails_stop_reminders_where_they_went_and_open_nothing() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@old.test").await;
    site.clinic.join(&wei).await;
    let (clinic, now) = (site.clinic.id, site.clock.now());
    let year = SignedDuration::from_hours(365 * 24);
    let one_tap = of_an_older_mail("go", 1, clinic, wei.id, now + SignedDuration::from_hours(48));
    for answer in [site.browser().get(&one_tap).await, site.browser().post(&one_tap, &[]).await] {
        assert_eq!((answer.status, answer.header("set-cookie")), (StatusCode::GONE, ""));
        assert!(answer.has("/sign-in") && answer.has("It came with an older email"), "{}", answer.text);
    }
    // Two mails a day apart, with an address corrected in between.
    let day = SignedDuration::from_hours(24);
    reminded(&site, &wei, now + SignedDuration::from_secs(20)).await;
    let first = of_an_older_mail("unsubscribe", 2, clinic, wei.id, now + year);
    let wei = correct(&site, &wei, "wei@new.test").await;
    reminded(&site, &wei, now + day + SignedDuration::from_secs(20)).await;
    let second = of_an_older_mail("unsubscribe", 2, clinic, wei.id, now + day + year);
    assert!(stop(&site, &first).await.has("w***@old.test"));
    assert_eq!(stopped(&site).await, ["wei@old.test|reminders"]);
    stop(&site, &second).await;
    assert_eq!(stopped(&site).await, ["wei@new.test|reminders", "wei@old.test|reminders"]);

    // Where no mail is known of, there is no other address.
    let ben = site.clinic.patient("Ben Lee", "ben@home.test").await;
    stop(&site, &of_an_older_mail("unsubscribe", 2, clinic, ben.id, now + year)).await;
    assert_eq!(stopped(&site).await.first().unwrap(), "ben@home.test|reminders");
}

/// Accepts an invitation as a patient.
async fn accept(browser: &mut Browser, address: &str) -> visitor::Answer {
    let consent = browser.get(address).await.hidden("consent_version");
    let fields = [("password", "seven green bicycles"), ("agree", "yes"), ("consent_version", consent.as_str())];
    browser.post(address, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_whose_address_is_corrected_while_it_is_accepted_opens_nothing() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@old.test").await;
    let invitation = site.link(Purpose::InvitePatient(site.clinic.id, wei.id), "wei@old.test").await;
    let address = format!("/welcome/{invitation}");
    let row = format!("select id from patient where id = '{}' for update", wei.id);
    let corrected = "update patient set email = 'wei@new.test'";
    let mut stranger = site.browser();
    let late = while_it_waits(&site, &row, corrected, accept(&mut stranger, &address)).await;
    assert_eq!((late.status, late.header("set-cookie")), (StatusCode::GONE, ""), "{}", late.text);
    assert!(late.has("This invitation has expired"), "{}", late.text);
    assert_eq!(site.db.row("select account_id is null, joined_at is null from patient").await, "t|t");
    assert_eq!(site.db.row("select (select count(*) from session), (select count(*) from consent)").await, "0|0");
    assert_eq!(site.db.row("select count(*) from account where email = 'wei@old.test'").await, "0", "nor an account");

    // A record that is closed while its invitation is accepted.
    let invitation = site.link(Purpose::InvitePatient(site.clinic.id, wei.id), "wei@new.test").await;
    let closed = "update patient set closed_at = now(), closed_by = 'clinic'";
    let late = while_it_waits(&site, &row, closed, accept(&mut stranger, &format!("/welcome/{invitation}"))).await;
    assert_eq!(late.status, StatusCode::GONE, "{}", late.text);
    assert_eq!(site.db.row("select account_id is null from patient").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_to_the_team_that_is_withdrawn_while_it_is_accepted_opens_nothing() {
    let site = Site::open().await;
    let (account, member) = (site.clinic.physio.account, site.clinic.physio.membership);
    site.db.execute(&format!("update membership set joined_at = null where id = '{member}'")).await;
    let ways = [
        (
            format!("select id from membership where id = '{member}' for update"),
            format!("update membership set disabled_at = now() where id = '{member}'"),
        ),
        (
            format!("select id from account where id = '{account}' for update"),
            format!("update account set email = 'other@riverside.test' where id = '{account}'"),
        ),
    ];
    for (row, way) in ways {
        let email = site.db.row(&format!("select email from account where id = '{account}'")).await;
        let invitation = site.link(Purpose::InviteStaff(site.clinic.id, member), &email).await;
        let fields = [("name", "Hannah Lim"), ("password", "seven green bicycles")];
        let address = format!("/welcome/{invitation}");
        let mut stranger = site.browser();
        let late = while_it_waits(&site, &row, &way, stranger.post(&address, &fields)).await;
        assert_eq!((late.status, late.header("set-cookie")), (StatusCode::GONE, ""), "{way}: {}", late.text);
        assert!(late.has("This invitation has expired"), "{way}: {}", late.text);
        assert_eq!(site.db.row(&format!("select joined_at is null from membership where id = '{member}'")).await, "t", "{way}");
        site.db.execute(&format!("update membership set disabled_at = null where id = '{member}'")).await;
    }
    assert_eq!(site.db.row("select count(*) from session").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_new_password_ends_with_the_address_it_was_sent_to() {
    let site = Site::open().await;
    let account = site.clinic.physio.account;
    site.give_password(account).await;
    let address = format!("/password/reset/{}", site.link(Purpose::ResetPassword(account), "physio@riverside.test").await);
    let row = format!("select id from account where id = '{account}' for update");
    let changed = format!("update account set email = 'new@riverside.test' where id = '{account}'");
    let mut stranger = site.browser();
    let late = while_it_waits(&site, &row, &changed, stranger.post(&address, &[("password", "seven green bicycles")])).await;
    assert_eq!(late.status, StatusCode::GONE, "{}", late.text);
    assert!(late.has("/password/forgot"));
    assert_eq!(stranger.get(&address).await.status, StatusCode::GONE);
    assert_eq!(stranger.sign_in("new@riverside.test", "seven green bicycles").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stranger.sign_in("new@riverside.test", PASSWORD).await.location(), "/patients", "the password stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_tap_link_opens_nothing_once_what_it_rests_on_is_gone() {
    let site = Site::open().await;
    let wei = site.clinic.patient("Wei Ling", "wei@old.test").await;
    let account = site.clinic.join(&wei).await;
    site.give_password(account).await;
    let record = format!("select id from patient where id = '{}' for update", wei.id);
    let own = format!("select id from account where id = '{account}' for update");
    let later = site.clock.now() + SignedDuration::from_mins(1);
    let ways = [
        (&record, "update patient set email = 'wei@new.test'".to_owned(), "update patient set email = 'wei@old.test'".to_owned()),
        (
            &record,
            "update patient set closed_at = now(), closed_by = 'clinic', account_id = null".to_owned(),
            format!("update patient set closed_at = null, closed_by = null, account_id = '{account}'"),
        ),
        (&own, format!("update account set password_changed_at = '{later}' where id = '{account}'"), "select 1".to_owned()),
    ];
    for (row, way, back) in ways {
        let mut phone = site.browser();
        let link = site.one_tap(&wei);
        let late = while_it_waits(&site, row, &way, phone.post(&link, &[])).await;
        assert_eq!((late.status, late.header("set-cookie")), (StatusCode::GONE, ""), "{way}: {}", late.text);
        assert_eq!(site.db.row("select count(*) from session").await, "0", "{way}");
        site.db.execute(&back).await;
    }
}
