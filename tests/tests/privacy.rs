//! Stories of what patients can do about their own data: consent, a copy to take away, closing the account; and of the clinic closing a
//! record.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod story;
mod visitor;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use domain::ids::PatientId;
use jiff::{SignedDuration, Timestamp, civil::date};
use store::{
    Actor, ClinicContext,
    audit::{AuditAction, AuditResource},
    closure,
    link::Purpose,
    outbox::{self, Owed},
};
use story::{Story, eight, minutes, seven};
use testkit::people::Somebody;
use visitor::{Browser, PASSWORD, Site};
use worker::TickReport;

/// Farah, who has joined, in a browser where she is signed in.
async fn farah(site: &Site) -> (Somebody, Browser) {
    let farah = site.clinic.patient("Farah Aziz", "farah@example.test").await;
    let account = site.clinic.join(&farah).await;
    site.give_password(account).await;
    let mut browser = site.browser();
    assert_eq!(browser.sign_in("farah@example.test", PASSWORD).await.location(), "/today");
    (farah, browser)
}

async fn physio(site: &Site) -> Browser {
    site.give_password(site.clinic.physio.account).await;
    let mut browser = site.browser();
    assert_eq!(browser.sign_in(site.clinic.physio.email.as_str(), PASSWORD).await.location(), "/patients");
    browser
}

async fn close(story: &Story, id: PatientId, now: Timestamp) {
    let tx = story.db.store.begin(&ClinicContext::new(story.clinic.id, Actor::Patient(id))).await.unwrap();
    closure::close(&tx, id, now).await.unwrap();
    tx.commit().await.unwrap();
}

// --- consent

#[tokio::test]
async fn a_new_wording_is_asked_about_without_standing_in_the_way() {
    let site = Site::open().await;
    let (farah, mut browser) = farah(&site).await;
    let program = site.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    // The people of these stories agreed to the version "test", which is not the one of now.
    let today = browser.get("/today").await;
    assert!(today.has("Our wording about your data has changed") && today.has("/account/consent"));
    assert!(today.has(&format!("/session/{}", program.id)), "her session is there all the same");
    assert_eq!(browser.get(&format!("/session/{}", program.id)).await.status, StatusCode::OK, "and opens without an answer");

    let page = browser.get("/account/consent").await;
    assert!(page.has("Agreed on 2 March 2026") && page.has("I agree."), "what she agreed to stands there word for word");
    assert!(page.has("Riverside Physio keeps your name"), "and the new wording");
    let version = page.hidden("consent_version");
    let unticked = browser.post("/account/consent", &[("consent_version", &version)]).await;
    assert_eq!(unticked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unticked.has("Please tick the box"));
    let stale = browser.post("/account/consent", &[("consent_version", "1999-01"), ("agree", "yes")]).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(stale.has("The wording changed while the page was open"));
    assert_eq!(site.db.row("select count(*) from consent").await, "1");

    for _ in 0..2 {
        let agreed = browser.post("/account/consent", &[("consent_version", &version), ("agree", "yes")]).await;
        assert_eq!((agreed.status, agreed.location()), (StatusCode::SEE_OTHER, "/account/consent"));
    }
    let kept = site.db.rows("select version, wording from consent order by agreed_at, id").await;
    assert_eq!(kept.len(), 2, "pressed twice, it is one answer: {kept:?}");
    assert_eq!(kept[0], "test|I agree.", "the old one is untouched");
    assert!(kept[1].starts_with(&format!("{version}|Riverside Physio keeps your name")));
    assert!(!browser.get("/today").await.has("Our wording about your data"), "and she is not asked again");
    let staff = physio(&site).await.get(&format!("/patients/{}/record", farah.id)).await;
    assert!(staff.has(&format!("Agreed to version {version} on 2 March 2026")));
}

#[tokio::test]
async fn taking_consent_back_closes_the_account_and_the_clinic_sees_it() {
    let site = Site::open().await;
    let (farah, mut browser) = farah(&site).await;
    let page = browser.get("/account/close?why=withdraw").await;
    assert!(page.has("Take back what you agreed to") && page.has("Reminders") | page.has("No more reminders"));
    let done = browser.post("/account/close", &[("current", PASSWORD), ("withdraw", "yes")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/today").await.location(), "/sign-in?next=/today");
    let record = physio(&site).await.get(&format!("/patients/{}/record", farah.id)).await;
    assert!(record.has("Taken back on 2 March 2026") && record.has("Closed on 2 March 2026 by the patient."));
}

// --- closing

#[tokio::test]
async fn a_patient_closes_the_account_with_the_password_and_is_out_everywhere() {
    let site = Site::open().await;
    let (farah, mut browser) = farah(&site).await;
    let program = site.clinic.program_for(&farah, date(2026, 3, 2), 6).await;
    site.clinic.remind(&farah, &["08:30"], site.clock.now()).await;
    let mut phone = site.browser();
    phone.sign_in("farah@example.test", PASSWORD).await;
    let (go, invitation) =
        (site.one_tap(&farah), site.link(Purpose::InvitePatient(site.clinic.id, farah.id), "farah@example.test").await);
    let account = site.db.row("select account_id from patient").await;
    let reset = site.link(Purpose::ResetPassword(account.parse().unwrap()), "farah@example.test").await;
    let mut tapped = site.browser();
    assert_eq!(tapped.post(&go, &[]).await.location(), "/session");

    let page = browser.get("/account/close").await;
    assert!(page.has("What stops") && page.has("What is kept") && page.has("seven years"));
    let wrong = browser.post("/account/close", &[("current", "not my password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.has("That is not your password."));
    assert_eq!(browser.get("/today").await.status, StatusCode::OK, "nothing happened yet");

    let done = browser.post("/account/close", &[("current", PASSWORD)]).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/"));
    assert!(browser.get("/").await.has("Your account is closed."));
    for one in [&mut browser, &mut phone] {
        assert_eq!(one.get("/today").await.location(), "/sign-in?next=/today");
    }
    assert_eq!(tapped.get("/session").await.status, StatusCode::SEE_OTHER);
    assert!(tapped.get("/session").await.location().starts_with("/sign-in"), "the one-tap session is over too");
    assert_eq!(site.db.row("select count(*) from session where patient_id is not null").await, "0");

    // No door is left open.
    let again = site.browser().sign_in("farah@example.test", PASSWORD).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.has("not part of a clinic at the moment"));
    assert_eq!(site.browser().post(&go, &[]).await.status, StatusCode::GONE);
    assert_eq!(site.browser().get(&format!("/welcome/{invitation}")).await.status, StatusCode::GONE);
    assert_eq!(site.browser().get(&format!("/password/reset/{reset}")).await.status, StatusCode::GONE);
    site.browser().post("/password/forgot", &[("email", "farah@example.test")]).await;
    assert_eq!(site.db.row("select count(*) from notice where kind = 'password_reset'").await, "0");
    assert_eq!(site.db.row("select count(*) from reminder_rule").await, "0");

    // The clinic keeps the record and reads it.
    let mut physio = physio(&site).await;
    let shown = physio.get(&format!("/patients/{}", farah.id)).await;
    assert!(shown.has("Account closed on 2 March 2026") && shown.has("farah@example.test"));
    assert_eq!(physio.get(&format!("/programs/{}", program.id)).await.status, StatusCode::OK);
    assert!(physio.get("/patients").await.has("Record closed"));
    assert!(!physio.get("/patients?show=attention").await.has("Farah"));
    let refused = physio.post(&format!("/patients/{}/invite", farah.id), &[]).await;
    assert!(physio.get(refused.location()).await.has("record is closed"));
    assert_eq!(site.db.row("select count(*) from notice").await, "0", "and nothing was queued by any of this");
}

#[tokio::test]
async fn closing_at_one_clinic_leaves_the_other_place_alone() {
    let site = Site::open().await;
    let (farah, mut browser) = farah(&site).await;
    let now = site.clock.now();
    let other = testkit::people::clinic_called(&site.db, "Hill Clinic", "hill.test", now).await;
    let there = other.patient("Farah Aziz", "farah@example.test").await;
    other.join(&there).await;
    assert!(browser.get("/account/close").await.has("Your places at other clinics are not touched"));
    browser.post("/account/close", &[("current", PASSWORD)]).await;
    let closed =
        site.db.rows("select c.name, p.closed_at is not null from patient p join clinic c on c.id = p.clinic_id order by 1").await;
    assert_eq!(closed, ["Hill Clinic|f", "Riverside Physio|t"]);
    let mut again = site.browser();
    assert_eq!(
        again.sign_in("farah@example.test", PASSWORD).await.location(),
        "/today",
        "one place is left, so it is not asked which"
    );
    assert!(again.get("/today").await.has("Hill Clinic"));
    let _ = farah;
}

#[tokio::test]
async fn the_clinic_closes_a_record_and_opens_it_again_by_a_new_invitation() {
    let site = Site::open().await;
    let (farah, mut browser) = farah(&site).await;
    site.clinic.remind(&farah, &["08:30"], site.clock.now()).await;
    let before = site.link(Purpose::InvitePatient(site.clinic.id, farah.id), "farah@example.test").await;
    let mut physio = physio(&site).await;
    let record = format!("/patients/{}/record", farah.id);
    assert!(physio.get(&record).await.has("Close the record"));
    assert_eq!(physio.post(&format!("/patients/{}/close", farah.id), &[("sure", "yes")]).await.location(), record);
    assert!(physio.get(&record).await.has("Closed on 2 March 2026 by the clinic."));
    assert_eq!(browser.get("/today").await.location(), "/sign-in?next=/today");
    assert_eq!(site.db.row("select closed_by, closed_by_member is not null from patient").await, "clinic|t");
    // Closing twice is closing once.
    physio.post(&format!("/patients/{}/close", farah.id), &[("sure", "yes")]).await;

    assert_eq!(physio.post(&format!("/patients/{}/reopen", farah.id), &[]).await.location(), format!("/patients/{}", farah.id));
    assert_eq!(site.db.rows("select kind, recipient, state from notice").await, ["invitation|farah@example.test|pending"]);
    assert_eq!(browser.get("/today").await.location(), "/sign-in?next=/today", "the old session does not come back to life");
    assert_eq!(site.browser().get(&format!("/welcome/{before}")).await.status, StatusCode::GONE, "nor does an old invitation");
    assert!(site.browser().sign_in("farah@example.test", PASSWORD).await.has("not part of a clinic"), "not before she agrees anew");

    let fresh = site.link(Purpose::InvitePatient(site.clinic.id, farah.id), "farah@example.test").await;
    let address = format!("/welcome/{fresh}");
    let version = browser.get(&address).await.hidden("consent_version");
    let joined = browser.post(&address, &[("password", PASSWORD), ("agree", "yes"), ("consent_version", &version)]).await;
    assert_eq!(joined.location(), "/today", "{}", joined.text);
    assert_eq!(
        site.db.row("select closed_at is null and account_id is not null and joined_at is not null from patient").await,
        "t"
    );
    assert_eq!(site.db.row("select count(*) from consent").await, "2");
    assert_eq!(site.db.row("select count(*) from reminder_rule").await, "0", "reminders are hers to choose anew");
}

// --- and mail

#[tokio::test]
async fn nothing_of_a_closed_record_is_planned_or_sent() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    let aida = story.somebody("Aida Rahman").await;
    story.owe(Owed::PatientInvitation(farah.id), &farah.email, seven()).await;
    story.owe(Owed::Test(farah.id), &farah.email, seven()).await;
    close(&story, farah.id, seven()).await;
    let report = story.tick(eight()).await;
    assert_eq!((report.planned, report.sent), (1, 1), "Aida's alone");
    assert_eq!(story.server.to("farah@example.test").len(), 0);
    assert_eq!(story.server.to("aida@example.test").len(), 1);
    // What is queued afterwards, by whatever way, is not sent either.
    for owed in [Owed::PatientInvitation(farah.id), Owed::Test(farah.id)] {
        assert!(story.owe(owed, &farah.email, eight()).await);
    }
    story.tick(eight() + minutes(1)).await;
    assert_eq!(story.server.to("farah@example.test").len(), 0);
    let fates = story.db.rows("select distinct state, reason from notice where recipient = 'farah@example.test'").await;
    assert_eq!(fates, ["skipped|closed"]);
    story.assert_nothing_left_over().await;
    let _ = aida;
}

/// The moment that matters: the worker has claimed the mail and knows all about it, and the record is closed before the mail goes.
#[tokio::test]
async fn a_claimed_mail_does_not_leave_once_the_record_is_closed() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    story.owe(Owed::Test(farah.id), &farah.email, seven()).await;
    let tx = story.db.store.begin_worker().await.unwrap();
    let claimed = outbox::claim(&tx, 10, &[], seven()).await.unwrap();
    tx.commit().await.unwrap();
    let [notice] = claimed.as_slice() else { panic!("{claimed:?}") };
    let facts = outbox::facts::read(&story.db.store.autocommit(), &claimed).await.unwrap();
    assert!(!facts.patient(notice).unwrap().closed, "the worker knows her as open");

    close(&story, farah.id, seven()).await;

    let intent = outbox::Intent::of(notice, "<x@clinic.test>");
    let granted = outbox::intend(&story.db.store, vec![intent]).await.unwrap();
    assert!(matches!(granted.as_slice(), [None]), "without a permit the final dot is not sent");
    assert_eq!(story.tick(eight()).await, TickReport::default());
    assert_eq!(story.db.rows("select state, reason from notice").await, ["skipped|closed"]);
    assert!(story.server.to("farah@example.test").is_empty());
}

/// Farah, who has joined and asked for a link to a new password.
async fn farah_who_forgot(story: &Story) -> Somebody {
    let farah = story.somebody("Farah Aziz").await;
    let account = story.clinic.join(&farah).await;
    story.owe(Owed::PasswordReset(account), &farah.email, seven()).await;
    farah
}

/// A worker claims the one mail that waits.
async fn claim(story: &Story) -> outbox::Claimed {
    let tx = story.db.store.begin_worker().await.unwrap();
    let mut claimed = outbox::claim(&tx, 10, &[], seven()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

/// Whether the mail of this claim may be sent.
async fn may_leave(story: &Story, notice: &outbox::Claimed) -> bool {
    let intents = vec![outbox::Intent::of(notice, "<x@clinic.test>")];
    matches!(outbox::intend(&story.db.store, intents).await.unwrap().as_slice(), [Some(_)])
}

/// Closes the record; whether mail of it is on its way.
async fn close_by(story: &Story, actor: Actor, id: PatientId) -> bool {
    let tx = story.db.store.begin(&ClinicContext::new(story.clinic.id, actor)).await.unwrap();
    closure::close(&tx, id, seven()).await.unwrap();
    let on_its_way = outbox::on_their_way(&tx, id, outbox::Mails::All).await.unwrap();
    tx.commit().await.unwrap();
    on_its_way
}

/// A link to a new password is about the account, and the account has nothing but this record.
#[tokio::test]
async fn a_link_to_a_new_password_ends_with_the_only_record_of_its_account() {
    for by_clinic in [false, true] {
        let story = Story::begin().await;
        let actor = |id| if by_clinic { Actor::Staff(story.clinic.physio.membership) } else { Actor::Patient(id) };
        let farah = farah_who_forgot(&story).await;
        let claimed = claim(&story).await;
        assert!(!close_by(&story, actor(farah.id), farah.id).await, "it is not on its way");
        assert!(!may_leave(&story, &claimed).await, "without a permit the final dot is not sent");
        assert_eq!(story.db.rows("select state, reason, attempts from notice").await, ["skipped|closed|0"]);

        // One that is on its way may arrive, and is said to; should it fail it is not tried again.
        let story = Story::begin().await;
        let farah = farah_who_forgot(&story).await;
        let claimed = claim(&story).await;
        assert!(may_leave(&story, &claimed).await);
        assert!(close_by(&story, Actor::Patient(farah.id), farah.id).await, "it is on its way");
        story.end_leases().await;
        story.tick(eight()).await;
        story.tick(eight() + minutes(1)).await;
        assert!(story.server.to("farah@example.test").is_empty());
        assert_eq!(story.db.rows("select state, reason from notice").await, ["skipped|closed"]);
    }
}

#[tokio::test]
async fn a_link_to_a_new_password_stays_while_its_account_has_another_place() {
    let story = Story::begin().await;
    let farah = farah_who_forgot(&story).await;
    let other = testkit::people::clinic_called(&story.db, "Hill Clinic", "hill.test", seven()).await;
    let there = other.patient("Farah Aziz", "farah@example.test").await;
    other.join(&there).await;
    let claimed = claim(&story).await;
    assert!(!close_by(&story, Actor::Patient(farah.id), farah.id).await);
    assert!(may_leave(&story, &claimed).await, "it may be for the other clinic");
}

/// Records are closed while the worker is sending to them at full speed: whoever was closed before a mail's intent was written gets none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_in_the_midst_of_a_round_sends_nothing_afterwards() {
    let story = Story::begin().await;
    let mut people = Vec::new();
    for n in 0..40 {
        let who = story.clinic.patient(&format!("Person {n}"), &format!("person{n}@example.test")).await;
        story.owe(Owed::Test(who.id), &who.email, seven()).await;
        people.push(who);
    }
    let engine = story.engine.clone();
    let round = tokio::spawn(async move {
        for step in 0..4 {
            worker::tick(&engine, seven() + SignedDuration::from_secs(step)).await.unwrap();
        }
    });
    let mut after = Vec::new();
    for who in &people {
        close(&story, who.id, seven()).await;
        // What had not reached its intent when the closing was committed has ended; what had is on its way or there.
        let state = story.db.row(&format!("select state from notice where patient_id = '{}'", who.id)).await;
        assert!(["skipped", "sending", "sent"].contains(&state.as_str()), "{state}");
        after.push((who.email.as_str().to_owned(), state));
    }
    round.await.unwrap();
    for (email, state) in after {
        assert_eq!(story.server.to(&email).len(), usize::from(state != "skipped"), "{email} was {state} when it was closed");
    }
}

/// Whoever closes a record holds its row and then writes to the audit; whoever only looks must not wait for that row with a place in the
/// audit already taken, or each waits for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_at_a_record_while_it_is_closed_stands_in_nobodys_way() {
    let story = Story::begin().await;
    let farah = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    let (has_closed, closed) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
    let staff = ClinicContext::new(story.clinic.id, Actor::Staff(story.clinic.physio.membership));
    let (store, scope) = (story.db.store.clone(), staff.clone());
    let closing = tokio::spawn(async move {
        let tx = store.begin(&scope).await?;
        let closing = closure::close(&tx, farah.id, seven()).await;
        has_closed.send(()).unwrap();
        may_go_on.await.unwrap();
        let closing = closing?;
        tx.commit().await?;
        Ok::<_, store::StoreError>(closing)
    });
    closed.await.unwrap();
    let store = story.db.store.clone();
    let looking = tokio::spawn(async move {
        let tx = store.begin(&staff).await?;
        tx.note(AuditAction::Read, AuditResource::Record, Some(farah.id));
        tx.commit().await
    });
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let mut looks = 0;
    while story.db.row(waiting).await == "0" {
        looks += 1;
        assert!(looks < 2000, "whoever looks does not wait for the row that is changed");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    go_on.send(()).unwrap();
    assert!(closing.await.unwrap().expect("the record is closed").was_open);
    looking.await.unwrap().expect("and was looked at");
    assert_eq!(story.db.row("select count(*) from audit_entry where subject = 'closure' or deed = 'read'").await, "2");
}

// --- taking one's data away

/// Unpacks a zip with another program than ours: the files by name.
fn unpack(bytes: &[u8]) -> BTreeMap<String, String> {
    let folder = std::env::temp_dir().join(format!("homestretch-export-{}", uuid::Uuid::now_v7().simple()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("my-record.zip"), bytes).unwrap();
    let unzip = |arguments: &[&str]| {
        let done = std::process::Command::new("unzip").args(arguments).current_dir(&folder).output().expect("unzip is installed");
        assert!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    };
    unzip(&["-t", "my-record.zip"]);
    unzip(&["-q", "my-record.zip", "-d", "out"]);
    let files = std::fs::read_dir(folder.join("out")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
    });
    let files = files.collect();
    std::fs::remove_dir_all(&folder).unwrap();
    files
}

/// The rows of a table (RFC 4180), the names of the columns first.
fn table(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (c, _) => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !quoted, "the last line has its end");
    rows
}

async fn zip(browser: &mut Browser, path: &str, name: &str) -> BTreeMap<String, String> {
    let (answer, bytes) = browser.download(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/zip");
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{name}\""));
    assert_eq!(answer.header("cache-control"), "no-store");
    unpack(&bytes)
}

/// What the export says, counted and added up by statements of its own.
const TOTALS: &[(&str, &str)] = &[
    ("you", "select 1"),
    ("programs", "select count(*) from program where patient_id = '{id}'"),
    ("program_versions", "select count(*) from program_version where patient_id = '{id}'"),
    ("prescriptions", "select count(*) from prescription where patient_id = '{id}'"),
    ("pauses", "select count(*) from program_pause where patient_id = '{id}'"),
    ("sessions", "select count(*) from session_log where patient_id = '{id}'"),
    ("session_exercises", "select count(*) from log_entry where patient_id = '{id}'"),
    ("corrections", "select count(*) from log_revision where patient_id = '{id}'"),
    ("questions_asked", "select count(*) from questionnaire_plan where patient_id = '{id}'"),
    ("how_things_are", "select count(*) from questionnaire_answer where patient_id = '{id}'"),
    ("activities", "select count(*) from questionnaire_score where patient_id = '{id}'"),
    ("corrected_questions", "select count(*) from questionnaire_revision where patient_id = '{id}'"),
    ("answers", "select count(*) from reply where patient_id = '{id}'"),
    ("reminder_times", "select count(*) from reminder_rule where patient_id = '{id}'"),
    ("emails", "select count(*) from notice where patient_id = '{id}'"),
    ("consents", "select count(*) from consent where patient_id = '{id}'"),
    // The entry of the export itself too, which is written before it begins.
    ("who_opened", "select count(*) from audit_entry where patient_id = '{id}'"),
];

async fn totals_agree(site: &Site, id: PatientId, files: &BTreeMap<String, String>) {
    let json: serde_json::Value = serde_json::from_str(&files["data.json"]).unwrap();
    for (name, sql) in TOTALS {
        let expected: usize = site.db.row(&sql.replace("{id}", &id.to_string())).await.parse().unwrap();
        let rows = table(&files[&format!("{name}.csv")]);
        assert_eq!(rows.len() - 1, expected, "{name}.csv");
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}.csv has ragged lines");
        let objects = json[name].as_array().unwrap();
        assert_eq!(objects.len(), expected, "{name} in data.json");
        assert!(objects.iter().all(|object| object.as_object().unwrap().len() == rows[0].len()));
    }
    let column = |name: &str, column: &str| -> Vec<String> {
        let rows = table(&files[&format!("{name}.csv")]);
        let at = rows[0].iter().position(|title| title == column).unwrap();
        rows[1..].iter().map(|row| row[at].clone()).collect()
    };
    let sum = |name: &str, of: &str| -> f64 { column(name, of).iter().filter_map(|text| text.parse::<f64>().ok()).sum() };
    for (name, of, sql) in [
        ("sessions", "pain_after", "select coalesce(sum(pain_after), 0) from session_log where patient_id = '{id}'"),
        ("sessions", "completion", "select round(sum(completion)::numeric, 6) from session_log where patient_id = '{id}'"),
        ("session_exercises", "repetitions", "select coalesce(sum(reps), 0) from log_entry where patient_id = '{id}'"),
        ("prescriptions", "repetitions_to", "select sum(reps_max) from prescription where patient_id = '{id}'"),
    ] {
        let expected: f64 = site.db.row(&sql.replace("{id}", &id.to_string())).await.parse().unwrap();
        assert!((sum(name, of) - expected).abs() < 1e-6, "{name}.{of}: {} and not {expected}", sum(name, of));
    }
}

#[tokio::test]
async fn a_patient_takes_everything_away_and_nothing_of_anybody_else() {
    let site = Site::open().await;
    let (farah, mut browser) = farah(&site).await;
    let other = site.clinic.patient("Aida Rahman", "aida@example.test").await;
    let mut program = site.clinic.program_for(&farah, date(2026, 2, 23), 6).await;
    let others = site.clinic.program_for(&other, date(2026, 2, 23), 6).await;
    for day in 23..=28 {
        site.clinic.log(&farah, &program, date(2026, 2, day), Some(i64::from(day - 20))).await;
        site.clinic.log(&other, &others, date(2026, 2, day), Some(1)).await;
    }
    program.pause(date(2026, 3, 10), Some(date(2026, 3, 12)), "Away", date(2026, 3, 2)).unwrap();
    site.clinic.save(&program).await;
    site.clinic.remind(&farah, &["08:30", "18:00"], site.clock.now()).await;
    let log = site.db.row("select id from session_log order by date desc, id limit 1").await;
    let form = browser.get(&format!("/logs/{log}")).await;
    assert_eq!(form.status, StatusCode::OK);
    site.db
        .execute(&format!(
            "update session_log set note = '=HYPERLINK(\"http://evil.test\")' || chr(10) || '@home, \"better\"', red_flags = '{{unsteady_walking}}'
             where id = '{log}';
             insert into log_revision select clinic_id, gen_random_uuid(), id, patient_id, '{{\"note\": \"-1\"}}', received_at from session_log where id = '{log}';
             insert into reply (clinic_id, id, patient_id, log_id, note, text, written_by, written_at)
               select clinic_id, gen_random_uuid(), patient_id, id, note, '=Stop, and \"call\" us', '{by}', received_at from session_log where id = '{log}'",
            by = site.clinic.physio.membership
        ))
        .await;
    browser.post("/reminders/test", &[]).await;

    let files = zip(&mut browser, "/account/export.zip", "my-record.zip").await;
    let mut names: Vec<String> = TOTALS.iter().map(|(name, _)| format!("{name}.csv")).collect();
    names.extend(["README.txt", "data.json", "fhir.json"].map(str::to_owned));
    names.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), names, "the names are fixed");
    totals_agree(&site, farah.id, &files).await;

    let everything: String = files.values().cloned().collect();
    for strange in ["Aida", "aida@", &other.id.to_string(), &others.id.to_string()] {
        assert!(!everything.contains(strange), "{strange} is in it");
    }
    // What the other program gets is what it would get at the desk.
    let bundle: serde_json::Value = serde_json::from_str(&files["fhir.json"]).unwrap();
    let mut alone: serde_json::Value =
        serde_json::from_str(&physio(&site).await.get(&format!("/patients/{}/fhir.json", farah.id)).await.text).unwrap();
    alone["timestamp"] = bundle["timestamp"].clone();
    assert_eq!(bundle, alone);
    assert!(files["README.txt"].contains("fhir.json: what you were given to do"), "{}", files["README.txt"]);
    // A spreadsheet runs nothing of it; the JSON has it as it was written.
    let sessions = table(&files["sessions.csv"]);
    let note = sessions[0].iter().position(|title| title == "note").unwrap();
    let last = sessions.iter().find(|row| row[0] == log).unwrap();
    assert_eq!(last[note], "'=HYPERLINK(\"http://evil.test\")\n@home, \"better\"");
    assert!(sessions.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])));
    let json: serde_json::Value = serde_json::from_str(&files["data.json"]).unwrap();
    let session = json["sessions"].as_array().unwrap().iter().find(|session| session["session"] == log.as_str()).unwrap();
    assert_eq!(session["note"], "=HYPERLINK(\"http://evil.test\")\n@home, \"better\"");
    assert_eq!(json["clinic"], "Riverside Physio");
    assert!(files["README.txt"].starts_with("Your record at Riverside Physio\r\nMade for Farah Aziz on 2 March 2026, 08:00.\r\n"));
    assert!(
        files["README.txt"].contains("sessions.csv: what you logged, a line for each session (6 lines)"),
        "{}",
        files["README.txt"]
    );
    assert!(files["consents.csv"].contains("I agree."));
    assert_eq!(table(&files["answers.csv"])[1][2], "'=Stop, and \"call\" us");

    // At the desk, for a patient who asks: the same.
    // At the desk nothing of whose it is stands in the file's name.
    let at_the_desk =
        zip(&mut physio(&site).await, &format!("/patients/{}/export.zip", farah.id), "patient-record-2026-03-02.zip").await;
    for file in ["sessions.csv", "fhir.json"] {
        assert_eq!(at_the_desk[file], files[file]);
    }
    // Another patient gets another file, a stranger none.
    assert_eq!(site.browser().get("/account/export.zip").await.location(), "/sign-in?next=/account/export.zip");
}

/// Ten thousand sessions of Farah's.
async fn ten_thousand(site: &Site, farah: &Somebody) {
    let program = site.clinic.program_for(farah, date(2026, 2, 23), 6).await;
    site.clinic.log(farah, &program, date(2026, 2, 24), Some(3)).await;
    site.db
        .execute(
            "insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, pain_after, note, completion)
               select clinic_id, gen_random_uuid(), patient_id, program_id, version_id, date - n % 3000, performed_at - n * interval '1 minute',
                 received_at, n % 11, 'Note ' || n, (n % 5) / 4.0 from session_log, generate_series(1, 9999) n;
             insert into log_entry (clinic_id, log_id, prescription_id, patient_id, sets, reps, completion)
               select l.clinic_id, l.id, s.id, l.patient_id, 1, 10, 1 from session_log l join prescription s on s.version_id = l.version_id
               where l.note is not null",
        )
        .await;
}

#[tokio::test]
async fn ten_thousand_sessions_are_taken_away_whole() {
    let site = Site::open().await;
    let (farah, browser) = farah(&site).await;
    ten_thousand(&site, &farah).await;
    // A page's time limit does not hold for it, however short.
    let mut hurried = site.browser_within(std::time::Duration::ZERO).with_cookies_of(&browser);
    assert_eq!(hurried.get("/today").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let files = zip(&mut hurried, "/account/export.zip", "my-record.zip").await;
    assert_eq!(table(&files["sessions.csv"]).len(), 10_001);
    let bundle: serde_json::Value = serde_json::from_str(&files["fhir.json"]).unwrap();
    let session = |entry: &&serde_json::Value| entry["resource"]["code"]["coding"][0]["code"] == "home-session";
    assert_eq!(bundle["entry"].as_array().unwrap().iter().filter(session).count(), 10_000);
    totals_agree(&site, farah.id, &files).await;
}

/// Connections that stand inside a transaction.
async fn open_transactions(site: &Site) -> usize {
    let sql = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null";
    site.db.row(sql).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_not_taken_waits_and_holds_up_nobody_but_its_taker() {
    let site = Site::open().await;
    let (farah, mut browser) = farah(&site).await;
    ten_thousand(&site, &farah).await;
    let first = browser.begin_to_download("/account/export.zip").await;
    let second = browser.begin_to_download("/account/export.zip").await;
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(site.db.row("select count(*) from audit_entry where deed = 'exported'").await, "2", "before anything is taken");
    let third = browser.get("/account/export.zip").await;
    assert_eq!((third.status, third.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    assert!(third.has("A record is being downloaded already"), "{}", third.text);
    assert_eq!(browser.get("/today").await.status, StatusCode::OK, "a page meanwhile");
    assert_eq!(
        site.db.row("select count(*) from audit_entry where deed = 'exported'").await,
        "2",
        "what was refused was not taken"
    );

    // Its client goes away: the maker stops, and the transaction with it.
    drop(second);
    let begun = std::time::Instant::now();
    while open_transactions(&site).await > 1 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "an export goes on for nobody");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // The other one goes on where it stood.
    let rest = http_body_util::BodyExt::collect(first.into_body()).await.unwrap().to_bytes();
    assert_eq!(table(&unpack(&rest)["sessions.csv"]).len(), 10_001);
    zip(&mut browser, "/account/export.zip", "my-record.zip").await;
}
