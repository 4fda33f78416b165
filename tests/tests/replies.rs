//! Stories of a note and its answer: the physiotherapist reads and replies, a mail says that there is an answer and nothing of it, the
//! patient reads it on their page; it is asked for no more until there is a new note.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use std::sync::Arc;

use axum::http::StatusCode;
use domain::ids::LogId;
use jiff::{SignedDuration, civil::date};
use render::{Templates, links::Links};
use testkit::{
    people::Somebody,
    smtp::{Mail, Server},
};
use visitor::{Browser, PASSWORD, Site};
use worker::{Composer, Engine, Mailer, Target};

const NOTE: &str = "Wall angels pinch at my right shoulder. Is that right?";
const ANSWER: &str = "Lower your elbows a little.\nWe look at it on Monday.";

/// Wei Ling, who asked something two days ago, and the browsers of both.
struct Story {
    site: Site,
    server: Server,
    wei: Somebody,
    log: LogId,
    hannah: Browser,
    patient: Browser,
}

impl Story {
    async fn begin() -> Self {
        let site = Site::open().await;
        let wei = site.clinic.patient("Wei Ling Chong", "wei@example.test").await;
        let account = site.clinic.join(&wei).await;
        let program = site.clinic.program_for(&wei, date(2026, 2, 23), 6).await;
        let log = site.clinic.log(&wei, &program, date(2026, 2, 28), Some(3)).await;
        site.clinic.log(&wei, &program, date(2026, 3, 1), Some(2)).await;
        site.db.execute(&format!("update session_log set note = '{NOTE}' where id = '{log}'")).await;
        let (mut hannah, mut patient) = (site.browser(), site.browser());
        for (browser, account, email) in
            [(&mut hannah, site.clinic.physio.account, "physio@riverside.test"), (&mut patient, account, "wei@example.test")]
        {
            site.give_password(account).await;
            assert_eq!(browser.sign_in(email, PASSWORD).await.status, StatusCode::SEE_OTHER);
        }
        Self { server: Server::start().await.unwrap(), site, wei, log, hannah, patient }
    }

    fn page(&self) -> String {
        format!("/patients/{}", self.wei.id)
    }

    async fn answer(&mut self, text: &str) -> visitor::Answer {
        let fields = [("text", text), ("from", "2026-02-23"), ("to", "2026-03-02")];
        self.hannah.post(&format!("/logs/{}/replies", self.log), &fields).await
    }

    /// What arrives when the worker has had its turn.
    async fn mails(&self) -> Vec<Mail> {
        let links = Links::new("https://clinic.test", &[7; 32]).unwrap();
        let composer = Composer::new(Templates::load().unwrap(), links, "reminders@clinic.test").unwrap();
        let mailer = Mailer::new(Target::parse(&self.server.url()).unwrap());
        let engine = Arc::new(Engine::new(self.site.db.store.clone(), mailer, composer));
        worker::tick(&engine, self.site.clock.now()).await.unwrap();
        self.server.messages()
    }
}

#[tokio::test]
async fn a_note_is_answered_and_the_patient_reads_it() {
    let mut story = Story::begin().await;
    let page = story.page();
    let before = story.hannah.get(&page).await;
    assert!(before.has("A note waits for an answer."), "{}", before.text);
    assert!(before.has("Waits for an answer") && before.has("Read and answer"), "{}", before.text);
    assert!(before.has(&format!("href=\"#note-{}\"", story.log)), "the finding leads to the note");

    let done = story.answer(ANSWER).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert_eq!(done.location(), format!("{page}?from=2026-02-23&to=2026-03-02#note-{}", story.log));
    let after = story.hannah.get(&page).await;
    assert!(after.has("Answered. Wei Ling Chong gets a mail"), "{}", after.text);
    assert!(after.has("Lower your elbows a little.") && after.has("not read yet"), "{}", after.text);
    assert!(!after.has("Waits for an answer") && !after.has("Read and answer"), "it is asked for no more");

    // The mail says that there is an answer, and nothing of what was asked or answered.
    let mails = story.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject(), "You have a message from Riverside Physio");
    for part in [mails[0].text(), mails[0].html(), mails[0].source()] {
        for word in ["elbow", "shoulder", "angels", "pinch", "exercise", "pain"] {
            assert!(!part.to_lowercase().contains(word), "{word} in {part}");
        }
    }
    assert!(mails[0].text().contains("https://clinic.test/today"));
    assert_eq!(story.mails().await.len(), 1, "once");

    let today = story.patient.get("/today").await;
    for words in ["An answer from Hannah", "You wrote on Saturday 28 February:", NOTE, "Lower your elbows a little."] {
        assert!(today.has(words), "{words}: {}", today.text);
    }
    let progress = story.patient.get("/progress").await;
    assert!(progress.has("Lower your elbows a little.") && progress.has(NOTE), "{}", progress.text);
    assert!(story.patient.get(&format!("/logs/{}", story.log)).await.has("Lower your elbows a little."));
    let read = story.patient.post(&format!("/logs/{}/replies/read", story.log), &[]).await;
    assert_eq!((read.status, read.location()), (StatusCode::SEE_OTHER, "/today"));
    assert!(!story.patient.get("/today").await.has("Lower your elbows"), "it is no longer new");
    assert!(story.patient.get("/progress").await.has("Lower your elbows"), "and can be read again");
    assert!(story.hannah.get(&page).await.has("read 2 Mar"));

    // Who is told in the audit, and who reads it there.
    let told =
        story.site.db.rows("select deed, membership_id is not null from audit_entry where subject = 'reply' order by seq").await;
    assert_eq!(told, ["wrote|t", "wrote|f"]);
}

#[tokio::test]
async fn an_answer_without_words_or_with_too_many_is_refused_with_what_was_typed() {
    let mut story = Story::begin().await;
    let long = format!("{}<b>", "é".repeat(1000));
    // A zero-width space is kept like any letter, and the patient would be mailed about an answer in which nothing stands.
    let nothing = [("  \r\n ", "Write an answer first."), ("\u{200B}", "Write an answer first.")];
    for (text, sentence) in nothing.into_iter().chain([(long.as_str(), "1,000 characters at most")]) {
        let refused = story.answer(text).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.has(sentence), "{}", refused.text);
    }
    assert!(story.answer(&long).await.has(&format!("{}&lt;b&gt;", "é".repeat(1000))), "what was typed is kept");
    let exactly = "é".repeat(1000);
    assert_eq!(story.answer(&exactly).await.status, StatusCode::SEE_OTHER);
    // A browser sends a line break as two characters.
    let lines = format!("{}\r\n{}", "a".repeat(500), "b".repeat(499));
    assert_eq!(story.answer(&lines).await.status, StatusCode::SEE_OTHER);
    assert_eq!(story.site.db.row("select count(*) from reply").await, "2");
}

#[tokio::test]
async fn the_mail_about_a_colleagues_answer_names_nobody_else() {
    let mut story = Story::begin().await;
    let mut olivia = story.site.browser();
    story.site.give_password(story.site.clinic.owner.account).await;
    olivia.sign_in("owner@riverside.test", PASSWORD).await;
    let done = olivia.post(&format!("/logs/{}/replies", story.log), &[("text", ANSWER)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let mails = story.mails().await;
    let text = mails[0].text().replace('\n', " ");
    assert!(text.contains("Riverside Physio has answered what you wrote."), "{text}");
    assert!(!text.contains("Hannah"), "it was not Hannah who answered: {text}");
    assert!(story.patient.get("/today").await.has("An answer from Olivia Tan"), "their page says who it was");
}

#[tokio::test]
async fn the_same_answer_twice_is_one_and_a_mail_a_day_is_enough_until_it_is_read() {
    let mut story = Story::begin().await;
    story.answer(ANSWER).await;
    assert!(story.answer(ANSWER).await.status.is_redirection());
    assert_eq!(story.site.db.row("select count(*) from reply").await, "1");
    story.site.clock.advance(SignedDuration::from_mins(5));
    story.answer("And keep your back against the wall.").await;
    assert_eq!(story.mails().await.len(), 1, "both wait on the same page");
    let today = story.patient.get("/today").await;
    assert!(today.has("Lower your elbows") && today.has("And keep your back"), "{}", today.text);

    story.patient.post(&format!("/logs/{}/replies/read", story.log), &[]).await;
    story.site.clock.advance(SignedDuration::from_mins(5));
    story.answer("One more thing.").await;
    assert_eq!(story.mails().await.len(), 2, "after reading, the next one is told of");
    story.site.clock.advance(SignedDuration::from_hours(30));
    story.hannah.sign_in("physio@riverside.test", PASSWORD).await;
    story.answer("Are you well?").await;
    assert_eq!(story.mails().await.len(), 3, "unread for a day, a new one is told of again");
    assert_eq!(story.site.db.row("select count(distinct dedupe_key) from notice where kind = 'answer'").await, "3");
}

#[tokio::test]
async fn only_a_new_note_is_asked_for_again() {
    let mut story = Story::begin().await;
    let page = story.page();
    story.answer(ANSWER).await;
    assert!(!story.hannah.get(&page).await.has("Waits for an answer"));

    // The note is corrected: that was not answered.
    story.site.db.execute(&format!("update session_log set note = 'Now it clicks.' where id = '{}'", story.log)).await;
    let corrected = story.hannah.get(&page).await;
    assert!(
        corrected.has("Waits for an answer") && corrected.has(&format!("To “{NOTE}”, before it was corrected")),
        "{}",
        corrected.text
    );
    let key = corrected.hidden("key");
    let aside = vec![("kind", "asked".to_owned()), ("key", key), ("note", "Spoke on the phone.".to_owned())];
    assert_eq!(
        story.hannah.post_owned(&format!("/attention/{}/acknowledge", story.wei.id), aside).await.status,
        StatusCode::SEE_OTHER
    );
    assert!(!story.hannah.get(&page).await.has("Waits for an answer"), "acknowledging it with a note is an answer, too");

    // A note about an earlier day that arrives later is a new one, and the old one is not counted again.
    let program = story.site.clinic.program_for(&story.wei, date(2026, 2, 24), 6).await;
    let log = story.site.clinic.log(&story.wei, &program, date(2026, 2, 25), Some(3)).await;
    let sql =
        format!("update session_log set note = 'And my neck?', received_at = '{}' where id = '{log}'", story.site.clock.now());
    story.site.db.execute(&sql).await;
    let again = story.hannah.get(&page).await;
    assert!(again.has("Waits for an answer") && again.has("And my neck?"), "{}", again.text);
    assert_eq!(again.text.matches("Waits for an answer").count(), 1);
}

#[tokio::test]
async fn what_a_stop_sign_said_can_be_answered_and_silence_cannot() {
    let mut story = Story::begin().await;
    story
        .site
        .db
        .execute(&format!("update session_log set note = null, red_flags = '{{fall_or_blow}}' where id = '{}'", story.log))
        .await;
    assert_eq!(story.answer("Please call me.").await.status, StatusCode::SEE_OTHER);
    let today = story.patient.get("/today").await;
    assert!(today.has("You told us about a stop sign on Saturday 28 February.") && today.has("Please call me."), "{}", today.text);

    let silent = story.site.db.row(&format!("select id from session_log where id <> '{}'", story.log)).await;
    let refused = story.hannah.post(&format!("/logs/{silent}/replies"), &[("text", "Hello")]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "there is nothing to answer");
    assert_eq!(story.patient.post(&format!("/logs/{silent}/replies/read"), &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_one_tap_link_shows_no_answer_and_who_has_not_joined_gets_no_mail() {
    let mut story = Story::begin().await;
    story.answer(ANSWER).await;
    let mut tapped = story.site.browser();
    let link = story.site.one_tap(&story.wei);
    tapped.get(&link).await;
    tapped.post(&link, &[]).await;
    let today = tapped.get("/today").await;
    assert_eq!(today.status, StatusCode::OK, "{}", today.text);
    assert!(!today.has("Lower your elbows") && !today.has("An answer from"), "{}", today.text);

    let arjun = story.site.clinic.patient("Arjun Rao", "arjun@example.test").await;
    let program = story.site.clinic.program_for(&arjun, date(2026, 2, 23), 6).await;
    let log = story.site.clinic.log(&arjun, &program, date(2026, 2, 28), None).await;
    story.site.db.execute(&format!("update session_log set note = 'Told at the desk' where id = '{log}'")).await;
    let done = story.hannah.post(&format!("/logs/{log}/replies"), &[("text", "Noted.")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(story.hannah.get(&format!("/patients/{}", arjun.id)).await.has("No mail can tell Arjun"));
    assert_eq!(story.mails().await.len(), 1, "Wei Ling’s");
}
