//! Stories of who needs the physiotherapist: each of the eight reasons from the patient's own rows and the clock, on the caseload and on the
//! patient's page, set aside and back for new facts alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use domain::program::Program;
use jiff::{SignedDuration, ToSpan, civil::date};
use testkit::people::Somebody;
use visitor::{Answer, Browser, PASSWORD, Site};

/// The physiotherapist, in a session of today.
async fn hannah(site: &Site) -> Browser {
    site.give_password(site.clinic.physio.account).await;
    let mut hannah = site.browser();
    assert_eq!(hannah.sign_in("physio@riverside.test", PASSWORD).await.status, StatusCode::SEE_OTHER);
    hannah
}

/// A patient who has joined, with a program that began `ago` days before 2 March, of so many weeks.
async fn on_a_program(site: &Site, name: &str, ago: i64, weeks: u32) -> (Somebody, Program) {
    let who = site.clinic.patient(name, &format!("{}@example.test", name.to_lowercase().replace(' ', "."))).await;
    site.clinic.join(&who).await;
    let program = site.clinic.program_for(&who, date(2026, 3, 2).saturating_sub(ago.days()), weeks).await;
    (who, program)
}

/// Logs so many days before 2 March, each with this pain.
async fn logged(site: &Site, (who, program): &(Somebody, Program), days: &[(i64, i64)]) {
    for (ago, pain) in days {
        site.clinic.log(who, program, date(2026, 3, 2).saturating_sub(ago.days()), Some(*pain)).await;
    }
}

fn days(ago: impl IntoIterator<Item = i64>, pain: i64) -> Vec<(i64, i64)> {
    ago.into_iter().map(|ago| (ago, pain)).collect()
}

/// The forms of the finding of this kind.
fn key(page: &Answer, kind: &str) -> String {
    let (_, rest) =
        page.text.split_once(&format!("name=\"kind\" value=\"{kind}\"")).unwrap_or_else(|| panic!("no {kind}: {}", page.text));
    rest.split_once("name=\"key\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

async fn acknowledge(browser: &mut Browser, who: &Somebody, kind: &str) {
    let page = browser.get(&format!("/patients/{}", who.id)).await;
    let fields = vec![("kind", kind.to_owned()), ("key", key(&page, kind)), ("note", String::new())];
    let done = browser.post_owned(&format!("/attention/{}/acknowledge", who.id), fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{kind}: {}", done.text);
}

fn open(page: &Answer, kind: &str) -> bool {
    page.has(&format!("id=\"attention-{kind}\""))
}

#[tokio::test]
async fn the_eight_reasons_stand_on_the_caseload_and_on_the_page_the_most_urgent_first() {
    let site = Site::open().await;
    let stopped = on_a_program(&site, "Hana Stop", 7, 8).await;
    logged(&site, &stopped, &days(1..=7, 2)).await;
    let high = on_a_program(&site, "Gita High", 7, 8).await;
    logged(&site, &high, &days(1..=7, 7)).await;
    let rising = on_a_program(&site, "Faris Rising", 7, 8).await;
    logged(&site, &rising, &[days(4..=7, 2), days(1..=3, 5)].concat()).await;
    let missed = on_a_program(&site, "Emir Missed", 10, 8).await;
    logged(&site, &missed, &days(4..=10, 2)).await;
    let dropped = on_a_program(&site, "Devi Dropped", 28, 8).await;
    logged(&site, &dropped, &[days(15..=28, 2), days([1, 3, 5, 7, 9, 11, 13], 2)].concat()).await;
    let invited = site.clinic.patient("Chong Invited", "chong@example.test").await;
    let silent = on_a_program(&site, "Carl Silent", 3, 8).await;
    let asked = on_a_program(&site, "Bala Asked", 3, 8).await;
    logged(&site, &asked, &days(1..=3, 2)).await;
    let review = on_a_program(&site, "Aida Review", 8, 2).await;
    logged(&site, &review, &days(1..=8, 2)).await;
    let well = on_a_program(&site, "Zoe Well", 7, 8).await;
    logged(&site, &well, &days(1..=7, 2)).await;
    site.db
        .execute(&format!(
            "update session_log set red_flags = '{{fall_or_blow}}' where patient_id = '{}' and date = '2026-03-01';
             update session_log set note = 'How far down?' where patient_id = '{}' and date = '2026-02-28';
             update patient set invited_at = '2026-02-26T09:00:00+08:00' where id = '{}'",
            stopped.0.id, asked.0.id, invited.id
        ))
        .await;

    let mut hannah = hannah(&site).await;
    let caseload = hannah.get("/patients").await;
    let page = async |hannah: &mut Browser, who: &Somebody| hannah.get(&format!("/patients/{}", who.id)).await;
    let mut at = 0;
    for (who, kind, label, sentence, since) in [
        (&stopped.0, "stop_signs", "Stop sign reported", "Reported: a recent fall or blow.", "Since yesterday."),
        (&high.0, "pain_high", "Pain 7 after a session", "Pain after a session was 7 of 10; this clinic looks from 7 up.", ""),
        (
            &rising.0,
            "pain_rising",
            "Pain up 3 since the week before",
            "The last 3 scored sessions average 5.0, against 2.0 in the 7 days before them (n = 4).",
            "",
        ),
        (&missed.0, "missed_run", "3 sessions missed in a row", "Nothing was done in 3 due sessions in a row.", ""),
        (
            &dropped.0,
            "dropped",
            "Adherence down to 54% from 93%",
            "Adherence was 54% in the last 14 days and 93% in the 14 days before.",
            "",
        ),
        (
            &invited,
            "not_started",
            "Invited, not signed in",
            "The invitation went out 4 days ago and has not been accepted.",
            "Since yesterday.",
        ),
        (
            &silent.0,
            "not_started",
            "Started 3 days ago, nothing logged",
            "The program started 3 days ago and nothing has been logged.",
            "Since today.",
        ),
        (&asked.0, "asked", "Left a note", "A note waits for an answer.", "Since 28 February."),
        (&review.0, "ready_for_review", "Ready for review", "The program ends in 5 days.", ""),
    ] {
        let found =
            caseload.text[at..].find(&who.id.to_string()).unwrap_or_else(|| panic!("{kind} stands below the one before it"));
        at += found;
        assert!(caseload.text[at..at + 2500].contains(label), "{kind}: {label} in {}", &caseload.text[at..at + 2500]);
        let page = page(&mut hannah, who).await;
        assert!(open(&page, kind) && page.has(label) && page.has(sentence) && page.has(since), "{kind}: {}", page.text);
    }
    assert!(caseload.text.find(&well.0.id.to_string()).unwrap() > at, "who needs nobody comes last");
    let page = page(&mut hannah, &silent.0).await;
    assert!(
        page.text.find("attention-missed_run").unwrap() < page.text.find("attention-not_started").unwrap(),
        "most urgent first"
    );
}

#[tokio::test]
async fn a_patient_who_does_nothing_is_found_by_the_clock_alone() {
    let site = Site::open().await;
    let silent = on_a_program(&site, "Carl Silent", 0, 6).await;
    let page = format!("/patients/{}", silent.0.id);
    for (day, expected) in [(0, ""), (1, ""), (2, ""), (3, "3 sessions missed in a row"), (5, "5 sessions missed in a row")] {
        site.clock.set(&format!("2026-03-{:02}T08:00:00+08:00", 2 + day));
        let answer = hannah(&site).await.get(&page).await;
        assert_eq!(open(&answer, "missed_run"), !expected.is_empty(), "day {day}");
        assert!(answer.has(expected), "day {day}: {}", answer.text);
    }
    // Set aside, the same silence stays away; broken and begun anew, it is new.
    let mut browser = hannah(&site).await;
    acknowledge(&mut browser, &silent.0, "missed_run").await;
    site.clock.set("2026-03-12T08:00:00+08:00");
    assert!(!open(&hannah(&site).await.get(&page).await, "missed_run"), "the same silence");
    site.clinic.log(&silent.0, &silent.1, date(2026, 3, 12), Some(2)).await;
    site.clock.set("2026-03-16T08:00:00+08:00");
    assert!(open(&hannah(&site).await.get(&page).await, "missed_run"), "a new run");
    // In the last week it is ready for review, whoever is silent.
    site.clock.set("2026-04-06T08:00:00+08:00");
    assert!(open(&hannah(&site).await.get(&page).await, "ready_for_review"));
}

#[tokio::test]
async fn each_reason_goes_when_it_is_acknowledged_and_comes_back_for_new_facts() {
    let site = Site::open().await;
    let rising = on_a_program(&site, "Faris Rising", 7, 8).await;
    logged(&site, &rising, &[days(4..=7, 2), days(1..=3, 5)].concat()).await;
    let dropped = on_a_program(&site, "Devi Dropped", 28, 8).await;
    logged(&site, &dropped, &[days(15..=28, 2), days([1, 3, 5, 7, 9, 11, 13], 2)].concat()).await;
    let invited = site.clinic.patient("Chong Invited", "chong@example.test").await;
    site.db.execute(&format!("update patient set invited_at = '2026-02-26T09:00:00+08:00' where id = '{}'", invited.id)).await;
    let review = on_a_program(&site, "Aida Review", 8, 2).await;
    logged(&site, &review, &days(1..=8, 2)).await;
    let mut browser = hannah(&site).await;
    for (who, kind) in
        [(&rising.0, "pain_rising"), (&dropped.0, "dropped"), (&invited, "not_started"), (&review.0, "ready_for_review")]
    {
        acknowledge(&mut browser, who, kind).await;
        assert!(!open(&browser.get(&format!("/patients/{}", who.id)).await, kind), "{kind} is set aside");
    }
    let caseload = browser.get("/patients?show=attention").await;
    assert!(caseload.has("Nobody needs you today"), "{}", caseload.text);
    // The same facts on the next day are no news.
    site.clock.advance(SignedDuration::from_hours(24));
    logged(&site, &dropped, &days([0], 2)).await;
    let mut browser = hannah(&site).await;
    for (who, kind) in
        [(&rising.0, "pain_rising"), (&dropped.0, "dropped"), (&invited, "not_started"), (&review.0, "ready_for_review")]
    {
        assert!(!open(&browser.get(&format!("/patients/{}", who.id)).await, kind), "{kind} again");
    }
    // Another invitation that is not accepted, and an end that was moved, are.
    site.db.execute(&format!("update patient set invited_at = '2026-02-28T09:00:00+08:00' where id = '{}'", invited.id)).await;
    assert!(open(&browser.get(&format!("/patients/{}", invited.id)).await, "not_started"));
    site.db.execute(&format!("update program set ends_on = ends_on + 1 where id = '{}'", review.1.id)).await;
    assert!(open(&browser.get(&format!("/patients/{}", review.0.id)).await, "ready_for_review"));
}

#[tokio::test]
async fn a_stop_sign_pauses_the_program_until_a_physiotherapist_says_why_it_goes_on() {
    let site = Site::open().await;
    let (who, program) = on_a_program(&site, "Hana Stop", 7, 8).await;
    let account = site.db.row(&format!("select account_id from patient where id = '{}'", who.id)).await;
    site.give_password(account.parse().unwrap()).await;
    let mut hana = site.browser();
    assert_eq!(hana.sign_in("hana.stop@example.test", PASSWORD).await.status, StatusCode::SEE_OTHER);
    let session = format!("/session/{}", program.id);
    let form = hana.get(&session).await;
    let fields =
        vec![("log_id", form.hidden("log_id")), ("date", "2026-03-02".to_owned()), ("red_flag", "fall_or_blow".to_owned())];
    assert_eq!(hana.post_owned(&session, fields).await.status, StatusCode::SEE_OTHER);
    assert!(hana.get("/today").await.has("Stop and call the clinic"));

    let mut hannah = hannah(&site).await;
    let page = format!("/patients/{}", who.id);
    let seen = hannah.get(&page).await;
    assert!(open(&seen, "stop_signs") && seen.has("Stopped by a stop sign") && seen.has("a recent fall or blow"), "{}", seen.text);
    // Acknowledging it is no resuming.
    acknowledge(&mut hannah, &who, "stop_signs").await;
    assert!(hannah.get(&page).await.has("Stopped by a stop sign"));
    let resume = format!("/programs/{}/resume", program.id);
    assert_eq!(hana.post(&resume, &[("reason", "I am fine.")]).await.status, StatusCode::NOT_FOUND, "not the patient");
    let refused = hannah.post(&resume, &[("reason", " ")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has("Please say why"), "{}", refused.text);
    assert_eq!(hannah.post(&resume, &[("reason", "Examined; a bruise.")]).await.status, StatusCode::SEE_OTHER);
    let after = hannah.get(&page).await;
    assert!(!open(&after, "stop_signs") && !after.has("Stopped by a stop sign"), "{}", after.text);
    assert!(!hana.get("/today").await.has("Stop and call the clinic"));
}

#[tokio::test]
async fn a_stop_sign_that_is_taken_back_still_needs_somebody_while_it_holds_the_program() {
    let site = Site::open().await;
    let (who, program) = on_a_program(&site, "Hana Stop", 7, 8).await;
    let account = site.db.row(&format!("select account_id from patient where id = '{}'", who.id)).await;
    site.give_password(account.parse().unwrap()).await;
    let mut hana = site.browser();
    assert_eq!(hana.sign_in("hana.stop@example.test", PASSWORD).await.status, StatusCode::SEE_OTHER);
    let form = hana.get(&format!("/session/{}", program.id)).await;
    let log = form.hidden("log_id");
    let fields = vec![("log_id", log.clone()), ("date", "2026-03-02".to_owned()), ("red_flag", "fall_or_blow".to_owned())];
    assert_eq!(hana.post_owned(&format!("/session/{}", program.id), fields).await.status, StatusCode::SEE_OTHER);
    let mut hannah = hannah(&site).await;
    let page = format!("/patients/{}", who.id);
    acknowledge(&mut hannah, &who, "stop_signs").await;
    let caseload = hannah.get("/patients").await;
    assert!(caseload.has("Stopped by a stop sign"), "set aside is not gone on: {}", caseload.text);
    // Another sign in the same log is a new fact.
    let log = format!("/logs/{log}");
    let correct = async |hana: &mut Browser, flags: &[&str]| {
        let flags = flags.iter().map(|flag| ("red_flag", (*flag).to_owned()));
        let fields: Vec<_> = [("note", "It was the stairs.".to_owned())].into_iter().chain(flags).collect();
        let done = hana.post_owned(&log, fields).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    };
    correct(&mut hana, &["fall_or_blow", "bladder_or_bowel"]).await;
    let seen = hannah.get(&page).await;
    assert!(open(&seen, "stop_signs") && seen.has("loss of bladder or bowel control"), "{}", seen.text);
    // Taken back, it holds the program all the same.
    correct(&mut hana, &[]).await;
    let seen = hannah.get(&page).await;
    assert!(open(&seen, "stop_signs") && seen.has("Stopped by a stop sign on 2 March and not resumed since"), "{}", seen.text);
    let caseload = hannah.get("/patients?show=attention").await;
    assert!(caseload.has("Still stopped by a stop sign"), "{}", caseload.text);
    let resume = format!("/programs/{}/resume", program.id);
    assert_eq!(hannah.post(&resume, &[("reason", "Examined; a bruise.")]).await.status, StatusCode::SEE_OTHER);
    assert!(!open(&hannah.get(&page).await, "stop_signs"));
}
