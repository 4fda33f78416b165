//! Stories of the audit as people read it: the owner's page and its file, and the patient's list of who opened the record.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use jiff::{SignedDuration, civil::date};
use testkit::people::Somebody;
use visitor::{Browser, PASSWORD, Site};

async fn signed_in(site: &Site, account: domain::ids::AccountId, email: &str, address: &str) -> Browser {
    site.give_password(account).await;
    let mut browser = site.browser_at(address);
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, StatusCode::SEE_OTHER);
    browser
}

async fn owner(site: &Site) -> Browser {
    signed_in(site, site.clinic.owner.account, site.clinic.owner.email.as_str(), "198.51.100.1").await
}

async fn physio(site: &Site) -> Browser {
    signed_in(site, site.clinic.physio.account, site.clinic.physio.email.as_str(), "198.51.100.2").await
}

/// Farah and Aida; the physiotherapist opened Farah's record and changed her program, and tried to open another clinic's patient.
async fn a_morning(site: &Site) -> (Somebody, Somebody) {
    let farah = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    let aida = site.clinic.patient("Aida Rahman", "aida@example.test").await;
    let program = site.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    let other = testkit::people::clinic_called(&site.db, "Hill Clinic", "hill.test", site.clock.now()).await;
    let stranger = other.patient("Wong Mei", "mei@example.test").await;
    let mut physio = physio(site).await;
    site.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(physio.get(&format!("/patients/{}", farah.id)).await.status, StatusCode::OK);
    site.clock.advance(SignedDuration::from_mins(1));
    physio.post(&format!("/programs/{}/pause", program.id), &[("from", "2026-03-03"), ("reason", "Away")]).await;
    site.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(physio.get(&format!("/patients/{}", stranger.id)).await.status, StatusCode::NOT_FOUND);
    (farah, aida)
}

#[tokio::test]
async fn the_owner_reads_who_did_what_with_whose_record_and_from_where() {
    let site = Site::open().await;
    let (farah, aida) = a_morning(&site).await;
    let mut owner = owner(&site).await;
    let page = owner.get("/audit").await;
    assert_eq!(page.status, StatusCode::OK);
    for words in [
        "Opened Farah Aziz’s record",
        "Changed Farah Aziz’s program",
        "Tried to open something that is not theirs",
        "GET &#x2F;patients&#x2F;{id}",
        "Signed in",
        "Hannah Lim",
        "198.51.100.2",
        "title=\"2026-03-02 00:01:00 UTC\">2 March 2026 <b>08:01:00</b>",
        "homestretch audit verify",
    ] {
        assert!(page.has(words) || page.has(&words.replace("&#x2F;", "/")), "{words} is not on the page: {}", page.text);
    }
    assert!(!page.has("Wong Mei") && !page.has("Hill Clinic"), "nothing of the other clinic");
    assert!(page.text.find("Tried to open").unwrap() < page.text.find("Opened Farah").unwrap(), "newest first");
    assert!(owner.get("/audit").await.has("Looked at the audit"), "and looking at it is in it");

    let kept = |page: &visitor::Answer, words: &str| page.has(words);
    let denied = owner.get("/audit?what=denied").await;
    assert!(kept(&denied, "Tried to open") && !kept(&denied, "Opened Farah"));
    let of_farah = owner.get(&format!("/audit?patient={}", farah.id)).await;
    assert!(kept(&of_farah, "Opened Farah") && !kept(&of_farah, "Tried to open"));
    let of_aida = owner.get(&format!("/audit?patient={}&what=read", aida.id)).await;
    assert!(of_aida.has("Nothing in the audit is like that."));
    let by_hannah = owner.get(&format!("/audit?person={}&what=read", site.clinic.physio.membership)).await;
    assert!(kept(&by_hannah, "Opened Farah") && !kept(&by_hannah, "Looked at the audit"));
    let by_olivia = owner.get(&format!("/audit?person={}", site.clinic.owner.membership)).await;
    assert!(kept(&by_olivia, "Looked at the audit") && !kept(&by_olivia, "Opened Farah"));
    // Days are the clinic's: eight in the morning there is midnight in UTC.
    assert!(kept(&owner.get("/audit?from=2026-03-02&to=2026-03-02").await, "Opened Farah"));
    // (What set the scene up was done outside a request, by the clock on the wall.)
    for elsewhen in ["from=2026-03-03", "to=2026-03-01"] {
        assert!(!owner.get(&format!("/audit?{elsewhen}")).await.has("Opened Farah"), "{elsewhen}");
    }
    // A name finds its patient, an address that is nobody's finds nobody.
    assert_eq!(owner.get("/audit?q=farah").await.location(), format!("/audit?patient={}", farah.id));
    assert!(owner.get("/audit?q=a").await.has("Whose record?"));
    assert!(owner.get("/audit?q=zzz").await.has("Nobody found for “zzz”"));
}

#[tokio::test]
async fn an_address_that_was_tampered_with_gets_a_sane_page() {
    let site = Site::open().await;
    a_morning(&site).await;
    let mut owner = owner(&site).await;
    for ignored in
        ["what=everything", "before=soon", "before=-5", "what=read'%20or%201=1", "unknown=1", "before=99999999999999999999"]
    {
        assert_eq!(owner.get(&format!("/audit?{ignored}")).await.status, StatusCode::OK, "{ignored}");
    }
    for missing in [
        "person=nobody",
        "patient=x",
        "person=0193a6c2-0000-7000-8000-000000000000",
        "patient=0193a6c2-0000-7000-8000-000000000000",
    ] {
        assert_eq!(owner.get(&format!("/audit?{missing}")).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    for refused in ["from=soon", "to=2026-02-30", "from=2026-03-05&to=2026-03-01"] {
        assert_eq!(owner.get(&format!("/audit?{refused}")).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
        assert_eq!(owner.get(&format!("/audit.csv?{refused}")).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    }
    assert_eq!(owner.get("/audit?q=%00").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(physio(&site).await.get("/audit").await.status, StatusCode::NOT_FOUND, "it is the owner's");
}

#[tokio::test]
async fn pages_of_the_audit_neither_repeat_nor_leave_out_an_entry() {
    let site = Site::open().await;
    let (farah, _) = a_morning(&site).await;
    let mut physio = physio(&site).await;
    for _ in 0..70 {
        physio.get(&format!("/patients/{}", farah.id)).await;
    }
    let expected =
        site.db.rows("select seq from audit_entry where deed = 'read' and patient_id is not null order by seq desc").await;
    assert!(expected.len() > 70);
    let mut owner = owner(&site).await;
    let file = owner.get("/audit.csv?what=read").await;
    let in_file: Vec<&str> =
        file.text.lines().skip(1).filter(|line| line.contains("Farah")).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(in_file, expected);
    let (mut path, mut opened, mut pages) = (format!("/audit?what=read&patient={}", farah.id), 0, 0);
    loop {
        let page = owner.get(&path).await;
        opened += page.text.matches("Opened Farah Aziz’s record").count();
        pages += 1;
        if !page.has("rel=\"next\"") {
            break;
        }
        path = page.between("rel=\"next\" href=\"", "\"").replace("&amp;", "&").replace("&#x2F;", "/");
    }
    assert_eq!((opened, pages), (expected.len(), 2));
}

#[tokio::test]
async fn the_file_is_harmless_to_a_spreadsheet_and_is_noted_itself() {
    let site = Site::open().await;
    let (farah, _) = a_morning(&site).await;
    site.db.execute(&format!("update patient set name = '=HYPERLINK(\"http://evil.test\")' where id = '{}'", farah.id)).await;
    let mut owner = owner(&site).await;
    let file = owner.get("/audit.csv").await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(file.text.starts_with("\u{feff}entry,at_utc,at_clinic,who,who_id,did,what,in_words,patient,patient_id,address\r\n"));
    assert!(file.text.contains("\"'=HYPERLINK(\"\"http://evil.test\"\")\"") && !file.text.contains(",=HYPERLINK"));
    assert!(file.text.contains("2026-03-02T00:01:00Z,2026-03-02 08:01:00,Hannah Lim,"), "{}", file.text);
    let entries: usize = site
        .db
        .row("select count(*) from audit_entry where clinic_id = (select id from clinic where name = 'Riverside Physio')")
        .await
        .parse()
        .unwrap();
    assert_eq!(file.text.lines().count() - 1, entries - 1, "all but the entry of the file itself");
    assert_eq!(
        site.db.row("select deed || ' ' || subject from audit_entry order by clinic_id, seq desc limit 1").await,
        "exported audit"
    );
}

#[tokio::test]
async fn a_patient_reads_who_opened_the_record_and_nothing_about_others() {
    let site = Site::open().await;
    let (farah, aida) = a_morning(&site).await;
    let account = site.clinic.join(&farah).await;
    let mut hers = signed_in(&site, account, "farah@example.test", "198.51.100.9").await;
    let mut physio = physio(&site).await;
    physio.get(&format!("/patients/{}", aida.id)).await;
    physio.get(&format!("/patients/{}/export.zip", farah.id)).await;
    hers.get("/today").await;
    let page = hers.get("/account/opened").await;
    assert_eq!(page.status, StatusCode::OK);
    for words in
        ["Hannah Lim", "Opened your record", "Changed your program", "Made a copy of your data", "2 March 2026", "Your own visits"]
    {
        assert!(page.has(words), "{words}: {}", page.text);
    }
    for strange in ["Aida", "198.51.100", "Tried to open", "Olivia"] {
        assert!(!page.has(strange), "{strange} is on the page");
    }
    assert!(hers.get("/account").await.has("/account/opened"));
    // Whatever stands in the address.
    assert_eq!(hers.get("/account/opened?before=soon").await.status, StatusCode::OK);
    assert!(hers.get("/account/opened?before=1").await.has("Nobody at Riverside Physio has opened your record yet"));
}
