//! Stories of proving once more who one is: before files with many people's data leave, before settings that decide who sees what, and
//! before a record is closed. Ten minutes after the password was typed it is asked for again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use jiff::{SignedDuration, civil::date};
use visitor::{Browser, PASSWORD, Site, encode};

/// Signed in a quarter of an hour ago.
async fn a_while_ago(site: &Site, email: &str) -> Browser {
    let account = if email.starts_with("owner") { site.clinic.owner.account } else { site.clinic.physio.account };
    site.give_password(account).await;
    let mut browser = site.browser();
    assert_eq!(browser.sign_in(email, PASSWORD).await.location(), "/patients");
    site.clock.advance(SignedDuration::from_mins(15));
    browser
}

const SETTINGS: [(&str, &str); 7] = [
    ("name", "Riverside Physio"),
    ("zone", "Asia/Kuala_Lumpur"),
    ("quiet_from", "21:00"),
    ("quiet_to", "07:00"),
    ("pain_high", "7"),
    ("missed_run", "3"),
    ("phone", "03-1234 5678"),
];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    SETTINGS.iter().chain(more).copied().collect()
}

#[tokio::test]
async fn a_file_of_the_clinics_is_given_to_whoever_just_proved_who_they_are() {
    let site = Site::open().await;
    let farah = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    let mut owner = a_while_ago(&site, "owner@riverside.test").await;
    let breach = [("what", "A laptop was stolen"), ("noticed", "2026-03-02T07:00"), ("from", "2026-03-01"), ("to", "2026-03-02")];
    let breach = owner.post("/audit/breaches", &breach).await.location().to_owned();
    let (record, whose) = (format!("/patients/{}/record", farah.id), farah.id.to_string());
    for (file, page) in [
        ("/audit.csv".to_owned(), "/audit".to_owned()),
        (format!("/audit.csv?what=read&patient={whose}"), format!("/audit?patient={whose}&what=read")),
        (format!("/patients/{whose}/export.zip"), record.clone()),
        (format!("/patients/{whose}/fhir.json"), record.clone()),
        (format!("{breach}/people.csv"), breach.clone()),
    ] {
        site.clock.advance(SignedDuration::from_mins(15));
        let asked = owner.get(&file).await;
        assert_eq!(asked.status, StatusCode::SEE_OTHER, "{file}");
        assert_eq!(asked.text, "", "{file}");
        let next =
            asked.location().strip_prefix("/account/confirm?next=").unwrap_or_else(|| panic!("{file}: {}", asked.location()));
        assert_eq!(next, encode_path(&page), "back to the page that offers it, where the answer is seen");
        let form = owner.get(asked.location()).await;
        let next = form.hidden("next").replace("&amp;", "&");
        assert_eq!(next, page);
        let wrong = owner.post("/account/confirm", &[("password", "not my password"), ("next", &next)]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(owner.get(&file).await.status, StatusCode::SEE_OTHER, "{file}");
        let proved = owner.post("/account/confirm", &[("password", PASSWORD), ("next", &next)]).await;
        assert_eq!(proved.location(), page);
        let offering = owner.get(&page).await;
        assert_eq!(offering.status, StatusCode::OK, "{page}: {}", offering.text);
        assert!(offering.has("Thank you, that is you"), "{page}");
        // Its address is there again, without the attribute that would save the page that asks under the file's name.
        assert!(!offering.has("\" download"), "{page}");
        assert_eq!(owner.get(&file).await.status, StatusCode::OK, "{file}");
    }
    let taken = "select count(*) from audit_entry where deed = 'exported'";
    assert_eq!(site.db.row(taken).await, "5", "what was not given is not noted as taken");
    // Whoever may not have it at all is not asked.
    let mut physio = a_while_ago(&site, "physio@riverside.test").await;
    assert_eq!(physio.get("/audit.csv").await.status, StatusCode::NOT_FOUND);
    assert_eq!(physio.get("/patients/0193a6c2-0000-7000-8000-000000000000/export.zip").await.status, StatusCode::NOT_FOUND);
}

/// As the address of the page that asks has it.
fn encode_path(path: &str) -> String {
    path.split('/').map(|part| part.split('-').map(encode_dotted).collect::<Vec<_>>().join("-")).collect::<Vec<_>>().join("/")
}

fn encode_dotted(part: &str) -> String {
    part.split('_').map(encode).collect::<Vec<_>>().join("_")
}

#[tokio::test]
async fn a_patients_own_copy_asks_for_the_password_and_leads_back_to_the_account() {
    let site = Site::open().await;
    let farah = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    site.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    let account = site.clinic.join(&farah).await;
    site.give_password(account).await;
    let mut browser = site.browser();
    browser.sign_in("farah@example.test", PASSWORD).await;
    site.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(browser.get("/account/export.zip").await.location(), "/account/confirm?next=/account");
    let proved = browser.post("/account/confirm", &[("password", PASSWORD), ("next", "/account")]).await;
    assert_eq!(proved.location(), "/account");
    assert!(browser.get("/account").await.has("/account/export.zip"));
    assert_eq!(browser.get("/account/export.zip").await.status, StatusCode::OK);
    // A reminder's link proves nothing.
    let mut tapped = site.browser();
    tapped.post(&site.one_tap(&farah), &[]).await;
    assert!(tapped.get("/account/export.zip").await.location().starts_with("/sign-in"));
}

#[tokio::test]
async fn settings_that_decide_who_sees_what_ask_in_the_form_and_lose_nothing() {
    let site = Site::open().await;
    let mut owner = a_while_ago(&site, "owner@riverside.test").await;
    let state = "select own_caseload, second_factor_required, phone from clinic";
    // Other settings are saved as ever.
    assert_eq!(owner.post("/settings", &with(&[])).await.location(), "/settings");
    let before = site.db.row(state).await;
    assert!(before.ends_with("03-1234 5678"), "{before}");

    let narrow = [("own_caseload", "yes"), ("whatsapp", "+60 12-345 6789")];
    let asked = owner.post("/settings", &with(&narrow)).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", asked.text);
    assert!(asked.has("Please show that it is you") && asked.has("name=\"password\""), "{}", asked.text);
    assert!(asked.has("name=\"own_caseload\" value=\"yes\" checked") && asked.has("+60 12-345 6789"), "what was typed is there");
    assert!(!asked.has("name=\"code\""), "there is no second factor to ask for");
    let wrong = owner.post("/settings", &with(&[narrow[0], narrow[1], ("password", "guessed wrongly")])).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.has("That is not your password") && !wrong.has("guessed wrongly"));
    assert_eq!(site.db.row(state).await, before, "nothing was saved, the harmless part neither");
    let saved = owner.post("/settings", &with(&[narrow[0], narrow[1], ("password", PASSWORD)])).await;
    assert_eq!(saved.location(), "/settings", "{}", saved.text);
    assert_eq!(site.db.row("select own_caseload, whatsapp from clinic").await, "t|60123456789");
    // For ten minutes it is not asked for again; widening asks as narrowing does.
    assert_eq!(owner.post("/settings", &with(&[])).await.location(), "/settings");
    assert_eq!(owner.post("/settings", &with(&narrow)).await.location(), "/settings");
    site.clock.advance(SignedDuration::from_mins(15));
    assert!(owner.post("/settings", &with(&[])).await.has("Please show that it is you"));
    assert_eq!(site.db.row("select own_caseload from clinic").await, "t");
}

#[tokio::test]
async fn closing_a_record_asks_who_is_there_and_whether_they_are_sure() {
    let site = Site::open().await;
    let farah = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    let mut physio = a_while_ago(&site, "physio@riverside.test").await;
    let (close, record) = (format!("/patients/{}/close", farah.id), format!("/patients/{}/record", farah.id));
    let page = physio.get(&record).await;
    assert!(page.has("What happens then") && page.has("name=\"sure\" value=\"yes\""), "{}", page.text);
    let asked = physio.post(&close, &[("sure", "yes")]).await;
    assert_eq!(asked.location(), format!("/account/confirm?next={record}%23close"));
    let back = format!("{record}#close");
    assert_eq!(physio.post("/account/confirm", &[("password", PASSWORD), ("next", &back)]).await.location(), back);
    for fields in [&[][..], &[("sure", "")], &[("sure", "no")]] {
        let unsure = physio.post(&close, fields).await;
        assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(unsure.has("Nothing is closed yet"), "{}", unsure.text);
    }
    assert_eq!(site.db.row("select closed_at is null from patient").await, "t");
    assert_eq!(physio.post(&close, &[("sure", "yes")]).await.location(), record);
    assert_eq!(site.db.row("select closed_at is null from patient").await, "f");
}

#[tokio::test]
async fn nobody_is_led_to_another_site_by_proving_who_they_are() {
    let site = Site::open().await;
    let mut owner = a_while_ago(&site, "owner@riverside.test").await;
    for away in ["//evil.test", "/\\evil.test", "https://evil.test/", "javascript:alert(1)", "/\t/evil.test", ""] {
        let form = owner.get(&format!("/account/confirm?next={}", encode(away))).await;
        assert_eq!(form.hidden("next"), "", "{away}");
        let proved = owner.post("/account/confirm", &[("password", PASSWORD), ("next", away)]).await;
        assert_eq!(proved.location(), "/account", "{away}");
    }
}
