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
    assert!(of_aida.has("No entries for this choice") && of_aida.has("Show everything"));
    // The choice is folded away until one is made; it needs no script.
    let fold = "<details class=\"card more fold\"";
    assert!(page.has(&format!("{fold}>")) && of_aida.has(&format!("{fold} open>")), "{}", page.text);
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
    let nobody = format!("/audit.csv?person={}", uuid::Uuid::now_v7());
    assert_eq!(owner.get(&nobody).await.status, StatusCode::NOT_FOUND, "as the page");
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
    assert!(page.has("The list begins on ") && page.has("What is not in it"), "{}", page.text);
    for strange in ["Aida", "198.51.100", "Tried to open", "Olivia"] {
        assert!(!page.has(strange), "{strange} is on the page");
    }
    assert!(hers.get("/account").await.has("/account/opened"));
    // Whatever stands in the address.
    assert_eq!(hers.get("/account/opened?before=soon").await.status, StatusCode::OK);
    assert!(hers.get("/account/opened?before=1").await.has("Nobody at Riverside Physio has opened your record yet"));
}

// --- breaches

/// Three patients; within the last two days somebody used the physiotherapist's access from 203.0.113.66.
async fn a_breach(site: &Site) -> Vec<Somebody> {
    let mut people = Vec::new();
    for (name, email) in
        [("Farah Aziz", "farah@example.test"), ("=Aida Rahman", "aida@example.test"), ("Wei Ling Tan", "wei@example.test")]
    {
        people.push(site.clinic.patient(name, email).await);
    }
    let mut thief = signed_in(site, site.clinic.physio.account, site.clinic.physio.email.as_str(), "203.0.113.66").await;
    thief.get("/patients").await;
    thief.get(&format!("/patients/{}", people[0].id)).await;
    thief.get(&format!("/patients/{}", people[0].id)).await;
    thief.get(&format!("/patients/{}/export.zip", people[1].id)).await;
    // The same person, at her own desk, later.
    site.clock.advance(SignedDuration::from_hours(48));
    physio(site).await.get(&format!("/patients/{}", people[2].id)).await;
    people
}

#[tokio::test]
async fn a_breach_names_whose_records_were_opened_and_runs_the_clocks_of_the_law() {
    let site = Site::open().await;
    let people = a_breach(&site).await;
    let mut owner = owner(&site).await;
    // Wednesday 4 March, eight in the morning there.
    let form = owner.get("/audit/breaches/new?from=2026-03-02&to=2026-03-02").await;
    assert!(form.has("value=\"2026-03-04T08:00\"") && form.has("value=\"2026-03-02\""), "now, and the days that were looked at");
    let physio = site.clinic.physio.membership.to_string();
    let refused = owner
        .post(
            "/audit/breaches",
            &[
                ("what", ""),
                ("noticed", "soon"),
                ("from", "2026-03-05"),
                ("to", "2026-03-01"),
                ("address", "home"),
                ("person", "x"),
                ("q", "nobody at all"),
            ],
        )
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for fault in [
        "Say what happened",
        "Give day and hour",
        "The last day is before the first",
        "Give an address",
        "Choose somebody of your team",
        "Nobody of your clinic is called so",
    ] {
        assert!(refused.has(fault), "{fault}");
    }
    assert!(
        owner
            .post(
                "/audit/breaches",
                &[("what", "x"), ("noticed", "2026-03-04T09:00"), ("from", "2026-03-02"), ("to", "2026-03-02")]
            )
            .await
            .has("still to come")
    );
    let made = owner
        .post(
            "/audit/breaches",
            &[
                ("what", "A laptop was taken from the front desk."),
                ("noticed", "2026-03-03T21:00"),
                ("from", "2026-03-02"),
                ("to", "2026-03-04"),
                ("person", &physio),
                ("address", "203.0.113.66"),
            ],
        )
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let path = made.location().to_owned();
    let page = owner.get(&path).await;
    // Eleven hours after it was noticed.
    for words in [
        "61 hours left",
        "6 days and 13 hours left",
        "By 6 March 2026, 21:00: 72 hours after it was noticed",
        "By 10 March 2026, 21:00: 7 days after it was noticed",
        "Affected: 2 patients",
        "Farah Aziz",
        "Aida Rahman",
        "aida@example.test",
        "Taken away as a file",
        "were opened once in it",
        "with the access of Hannah Lim",
        "203.0.113.66",
    ] {
        assert!(page.has(words), "{words} is not on the page: {}", page.text);
    }
    assert!(!page.has("Wei Ling"), "whom she saw later at her own desk is not affected");

    let file = owner.get(&format!("{path}/people.csv")).await;
    let lines: Vec<&str> = file.text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines[0], "name,email,times,taken_away_as_a_file,first_at_utc,last_at_utc,patient_id");
    assert!(lines[1].starts_with("'=Aida Rahman,aida@example.test,2,yes,2026-03-02T00:00:00Z,"), "{}", lines[1]);
    assert!(
        lines[2]
            .starts_with(&format!("Farah Aziz,farah@example.test,2,no,2026-03-02T00:00:00Z,2026-03-02T00:00:00Z,{}", people[0].id))
    );
    assert_eq!(lines.len(), 3);
    let entries =
        site.db.rows("select deed || ' ' || count(*) from audit_entry where subject = 'breach' group by deed order by 1").await;
    assert_eq!(entries, ["exported 1", "read 1", "wrote 1"]);
    // Independently: by the table itself.
    let counted = site
        .db
        .row("select count(distinct patient_id) from audit_entry where address = '203.0.113.66' and patient_id is not null")
        .await;
    assert_eq!(counted, "2");
}

#[tokio::test]
async fn what_is_done_about_a_breach_is_kept_and_stops_the_clocks() {
    let site = Site::open().await;
    let people = a_breach(&site).await;
    let mut owner = owner(&site).await;
    let fields = [
        ("what", "A note was left open."),
        ("noticed", "2026-03-04T08:00"),
        ("from", "2026-03-01"),
        ("to", "2026-03-04"),
        ("q", "wei ling"),
    ];
    let path = owner.post("/audit/breaches", &fields).await.location().to_owned();
    let page = owner.get(&path).await;
    assert!(page.has("Affected: 1 patient") && page.has("It is about the record of Wei Ling Tan"));
    site.clock.advance(SignedDuration::from_hours(76));
    let mut owner = self::owner(&site).await;
    assert!(owner.get(&path).await.has("over since 4 hours"));
    assert!(owner.get("/audit/breaches").await.has("Commissioner: over since 4 hours"));

    let refused = owner.post(&path, &[("step", "noted"), ("text", "  ")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has("Write down what was done."));
    assert_eq!(owner.post(&path, &[("step", "forgotten"), ("text", "x")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (step, text) in [("commissioner_told", "By the form."), ("people_told", ""), ("closed", "Locks on every screen.")] {
        assert_eq!(owner.post(&path, &[("step", step), ("text", text)]).await.location(), path);
    }
    let page = owner.get(&path).await;
    for words in [
        "Told late, on 7 March 2026, 12:00",
        "Told on 7 March 2026, 12:00",
        "By the form.",
        "Locks on every screen.",
        "Olivia Tan",
        "Dealt with on",
    ] {
        assert!(page.has(words), "{words}: {}", page.text);
    }
    assert!(owner.get("/audit/breaches").await.has("Closed"));
    // Nothing of it can be taken back by the program's own role.
    for forbidden in
        ["delete from breach", "delete from breach_note", "update breach set what = 'x'", "update breach_note set text = 'x'"]
    {
        let tried = site
            .db
            .rows(&format!(
                "select has_table_privilege('homestretch_app', '{}', '{}')",
                forbidden.split(' ').nth(if forbidden.starts_with('d') { 2 } else { 1 }).unwrap(),
                if forbidden.starts_with('d') { "delete" } else { "update" }
            ))
            .await;
        assert_eq!(tried, ["f"], "{forbidden}");
    }
    let _ = people;
}
