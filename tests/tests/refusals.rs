//! Stories of a mail server that refuses for good: one address that is gone is given up, and a server that refuses everybody is not believed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod story;

use std::{sync::Arc, time::Duration};

use domain::{refusal::WINDOW, reminder::NoticeSkip};
use jiff::{SignedDuration, Timestamp, civil::date};
use store::{
    Store, Timeouts,
    outbox::{self, Owed},
};
use story::{Story, eight, engine, engine_on, minutes, seven};
use testkit::{
    clock::at,
    people::Somebody,
    proxy::{Proxy, Side},
    smtp::{Answer, Phase},
};
use worker::Engine;

const UNKNOWN: (u16, &str) = (550, "5.1.1 No such user here");

impl Story {
    /// Patients with a reminder at this hour, at addresses spread over so many mail domains.
    async fn crowd(&self, name: &str, count: usize, domains: usize, hour: &str) -> Vec<Somebody> {
        let mut crowd = Vec::new();
        for number in 0..count {
            let who = self.clinic.patient("Farah Aziz", &format!("{name}{number}@d{}.test", number % domains)).await;
            self.clinic.program_for(&who, date(2026, 3, 2), 6).await;
            self.clinic.remind(&who, &[hour], seven()).await;
            crowd.push(who);
        }
        crowd
    }

    /// Two workers at once that have just been started, and know nothing but what the database says.
    async fn two_new_workers(&self, now: Timestamp) {
        let (one, other) = (engine(&self.db, &self.server.url()), engine(&self.db, &self.server.url()));
        let (one, other) = tokio::join!(worker::tick(&one, now), worker::tick(&other, now));
        one.unwrap();
        other.unwrap();
    }

    /// A worker that reaches its database by a line on which messages can be held, and waits for no answer for long.
    async fn worker_on(&self, line: &Proxy) -> Arc<Engine> {
        let timeouts =
            Timeouts { connect: Duration::from_secs(5), statement: Duration::from_millis(500), commit: Duration::from_secs(1) };
        engine_on(Store::connect_within(line.url(), 8, timeouts).await.unwrap(), &self.server.url())
    }

    /// The pause as every worker reads it.
    async fn paused(&self) -> String {
        self.db.row("select paused_since is not null, refusals_since is not null, paused_reason from mail_sender").await
    }

    async fn suppressed(&self) -> Vec<String> {
        self.db.rows("select email from suppression where scope = 'all' order by 1").await
    }

    async fn states(&self) -> Vec<String> {
        self.db.rows("select state, count(*) from notice group by 1 order by 1").await
    }
}

/// Everybody is refused for 40 minutes, then the server is well: nobody is given up, people are told, and everybody is reminded once.
async fn refuses_everybody(code: u16, text: &str, phase: Phase, domains: usize) {
    let story = Story::begin().await;
    story.crowd("p", 24, domains, "08:00").await;
    story.server.answer(phase, Answer::refuse(code, text));
    let mut told = false;
    for minute in (0..40).step_by(4) {
        story.two_new_workers(eight() + minutes(minute)).await;
        assert_eq!(story.suppressed().await, Vec::<String>::new(), "{code} {text}, after {minute} minutes");
        told |= story.db.row("select paused_since is not null from mail_sender").await == "t";
    }
    assert!(told, "{code} {text}: people are told");
    assert_eq!(story.states().await, ["pending|24"], "{code} {text}: nothing is lost");
    story.server.behave();
    for minute in [60, 90, 130, 175] {
        story.two_new_workers(eight() + minutes(minute)).await;
    }
    assert_eq!(story.states().await, ["sent|24"], "{code} {text}");
    assert!(story.server.accepted().values().all(|times| *times == 1));
    assert_eq!(story.db.row("select paused_since, paused_reason, refusals_since from mail_sender").await, "||");
}

#[tokio::test]
async fn no_such_user_said_to_everybody_gives_nobody_up() {
    refuses_everybody(UNKNOWN.0, UNKNOWN.1, Phase::Rcpt, 6).await;
    // Everybody at one provider.
    refuses_everybody(UNKNOWN.0, UNKNOWN.1, Phase::Rcpt, 1).await;
}

#[tokio::test]
async fn a_refusal_of_the_sender_or_by_a_policy_gives_nobody_up() {
    for (code, text) in [
        (550, "Sender verify failed"),
        (550, "Administrative prohibition"),
        (550, "Blocked by RBL"),
        (553, "5.3.0 rejected, your host is in our blacklist"),
        (550, "5.7.1 SPF check failed"),
        (554, "5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org"),
        (550, "no"),
    ] {
        refuses_everybody(code, text, Phase::Rcpt, 6).await;
    }
    refuses_everybody(554, "5.7.1 spam", Phase::Dot, 6).await;
}

#[tokio::test]
async fn why_sending_pauses_names_no_address() {
    let story = Story::begin().await;
    for number in 0..6 {
        let email = format!("wei{number}@d{number}.test");
        let who = story.clinic.patient("Wei Ling", &email).await;
        story.clinic.program_for(&who, date(2026, 3, 2), 6).await;
        story.clinic.remind(&who, &["08:00"], seven()).await;
        story.server.answer_for(&email, Phase::Rcpt, Answer::Refuse(550, format!("5.1.1 <{email}>: User unknown")));
    }
    let report = story.tick(eight()).await;
    let paused = report.paused.unwrap();
    assert!(paused.starts_with("5 recipients of 5 mail domains were refused one after another, and 0 mails accepted"), "{paused}");
    let written = story.db.row("select paused_reason, refusals_since is not null from mail_sender").await;
    assert!(written.starts_with("550 5.1.1 <w***@d") && written.ends_with("User unknown|t"), "{written}");
    assert!(!paused.contains("wei"), "{paused}");
    // The same for a refusal that is about us.
    story.server.behave();
    story.db.execute("update notice set next_at = due_at").await;
    story.server.answer(Phase::Rcpt, Answer::refuse(554, "5.7.1 <wei0@d0.test>: Relay access denied"));
    let farah = story.clinic.patient("Farah Aziz", "wei0@d0.example").await;
    story.owe(Owed::PatientInvitation(farah.id), &farah.email, eight()).await;
    story.db.execute("update notice set state = 'dead' where recipient <> 'wei0@d0.test'").await;
    story.tick(eight() + minutes(20)).await;
    assert_eq!(
        story.db.row("select paused_reason, refusals_since is null from mail_sender").await,
        "554 5.7.1 <w***@d0.test>: Relay access denied|t"
    );
}

#[tokio::test]
async fn an_address_that_is_gone_is_given_up_while_others_are_accepted() {
    let story = Story::begin().await;
    story.crowd("p", 12, 3, "08:00").await;
    let gone = story.somebody("Gone Girl").await;
    story.crowd("later", 6, 3, "08:05").await;
    story.server.reject("gone@example.test");
    story.two_new_workers(eight()).await;
    assert_eq!(story.suppressed().await, Vec::<String>::new(), "the first time is no proof");
    assert_eq!(
        story
            .db
            .row("select state, date_trunc('minute', next_at - due_at), reply from notice where recipient = 'gone@example.test'")
            .await,
        "pending|00:10:00|550 5.1.1 No such user here"
    );
    story.two_new_workers(eight() + minutes(5)).await;
    story.two_new_workers(eight() + minutes(11)).await;
    assert_eq!(story.suppressed().await, ["gone@example.test"]);
    assert_eq!(story.states().await, ["dead|1", "sent|18"]);
    assert_eq!(
        story.db.row("select s.reason, n.state from suppression s join notice n on n.id = s.notice_id").await,
        "550 5.1.1 No such user here|dead"
    );

    // The next day's reminder says why it does not come, and nobody asks the server again.
    let asked = story.server.count(Phase::Rcpt);
    let report = story.tick(at("2026-03-03T08:00:00+08:00")).await;
    assert_eq!((report.sent, report.skipped), (12, vec![NoticeSkip::Refused]));
    assert_eq!(story.server.count(Phase::Rcpt), asked + 12);

    // What somebody asks for is tried in spite of it, and ends it when it is taken.
    story.owe(Owed::PatientInvitation(gone.id), &gone.email, at("2026-03-03T08:01:00+08:00")).await;
    story.server.behave();
    assert_eq!(story.tick(at("2026-03-03T08:01:00+08:00")).await.sent, 1);
    assert_eq!(story.suppressed().await, Vec::<String>::new());
    let report = story.tick(at("2026-03-04T08:00:00+08:00")).await;
    assert_eq!(report.sent, 13);
    assert!(!report.skipped.contains(&NoticeSkip::Refused));
}

#[tokio::test]
async fn who_stopped_reminders_is_told_so_whatever_a_mail_server_said() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    story.clinic.tenant(async |tx| store::reminder::unsubscribe(tx, farah.id, seven()).await).await;
    story.db.execute("insert into suppression select clinic_id, email, 'all', '550 gone', now() from patient").await;
    assert_eq!(story.tick(eight()).await.skipped, [NoticeSkip::Unsubscribed]);
}

#[tokio::test]
async fn one_provider_that_refuses_everybody_holds_up_nobody_else_and_gives_nobody_up() {
    let story = Story::begin().await;
    story.crowd("p", 60, 6, "08:00").await;
    story.crowd("later", 60, 6, "08:05").await;
    story.server.answer_for_domain("d0.test", Phase::Rcpt, Answer::refuse(UNKNOWN.0, UNKNOWN.1));
    for minute in [0, 1, 5, 6, 10, 15, 30] {
        story.two_new_workers(eight() + minutes(minute)).await;
    }
    assert_eq!(story.suppressed().await, Vec::<String>::new());
    assert_eq!(story.states().await, ["pending|20", "sent|100"]);
    assert_eq!(story.db.row("select refusals_since is null from mail_sender").await, "t");
    story.server.behave();
    story.two_new_workers(eight() + minutes(90)).await;
    assert_eq!(story.states().await, ["sent|120"]);
}

#[tokio::test]
async fn what_was_given_up_shortly_before_the_server_is_distrusted_is_taken_back() {
    let story = Story::begin().await;
    story.crowd("p", 12, 3, "08:00").await;
    story.somebody("Gone Girl").await;
    story.crowd("later", 6, 3, "08:05").await;
    story.crowd("last", 12, 4, "08:12").await;
    story.server.reject("gone@example.test");
    for minute in [0, 5, 11] {
        story.two_new_workers(eight() + minutes(minute)).await;
    }
    assert_eq!(story.suppressed().await, ["gone@example.test"]);
    story.server.answer(Phase::Rcpt, Answer::refuse(UNKNOWN.0, UNKNOWN.1));
    story.two_new_workers(eight() + minutes(12)).await;
    assert_eq!(story.suppressed().await, Vec::<String>::new());
    assert_eq!(story.db.row("select state from notice where recipient = 'gone@example.test'").await, "pending");
    story.server.behave();
    for minute in [30, 60] {
        story.two_new_workers(eight() + minutes(minute)).await;
    }
    assert_eq!(story.states().await, ["sent|31"]);
}

#[tokio::test]
async fn a_refused_mail_that_nothing_else_is_known_of_ends_with_the_servers_words_and_its_address_stays() {
    let story = Story::begin().await;
    let farah = story.somebody("Farah Aziz").await;
    story.owe(Owed::PasswordReset(story.clinic.physio.account), &farah.email, eight()).await;
    story.server.reject("farah@example.test");
    for minute in (0..180).step_by(10) {
        story.two_new_workers(eight() + minutes(minute)).await;
    }
    story.two_new_workers(eight() + minutes(179)).await;
    assert_eq!(story.notices().await, ["password_reset pending", "session_reminder dead"]);
    assert_eq!(story.db.row("select reply from notice where state = 'dead'").await, "550 5.1.1 No such user here");
    assert_eq!(story.suppressed().await, Vec::<String>::new());
    // The link to a new password waits for days, and arrives when the server is well.
    story.server.behave();
    story.two_new_workers(eight() + SignedDuration::from_hours(24)).await;
    assert_eq!(story.db.row("select state from notice where kind = 'password_reset'").await, "sent");
    assert_eq!(WINDOW, minutes(10));
}

/// A worker that has been sending since before the refusals, and one that ends after it has found the server out at five past eight.
async fn one_finds_out_and_ends(story: &Story) -> Arc<Engine> {
    let staying = engine(&story.db, &story.server.url());
    story.crowd("early", 2, 2, "08:00").await;
    story.crowd("refused", 6, 6, "08:05").await;
    assert_eq!(worker::tick(&staying, eight()).await.unwrap().sent, 2);
    story.server.answer(Phase::Rcpt, Answer::refuse(UNKNOWN.0, UNKNOWN.1));
    let ending = engine(&story.db, &story.server.url());
    assert!(worker::tick(&ending, eight() + minutes(5)).await.unwrap().paused.is_some());
    assert_eq!(story.paused().await, "t|t|550 5.1.1 No such user here");
    story.server.behave();
    staying
}

#[tokio::test]
async fn a_worker_heeds_what_another_one_found_out_about_the_server() {
    let story = Story::begin().await;
    let staying = one_finds_out_and_ends(&story).await;
    story.crowd("next", 3, 3, "08:06").await;
    let asked = story.server.count(Phase::Mail);
    let report = worker::tick(&staying, eight() + minutes(6)).await.unwrap();
    let paused = report.paused.unwrap();
    assert!(paused.starts_with("another worker was refused") && paused.ends_with("550 5.1.1 No such user here"), "{paused}");
    assert_eq!((report.sent, story.server.count(Phase::Mail)), (0, asked), "it asks the server nothing");
    // It pauses once for it, and the first mail that is accepted then ends the pause for everybody.
    assert!(worker::tick(&staying, eight() + minutes(7)).await.unwrap().sent >= 3);
    assert_eq!(story.paused().await, "f|f|");
    // A worker that starts while the pause is fresh heeds it too.
    story.db.execute(&format!("update mail_sender set paused_since = '{0}', refusals_since = '{0}'", eight() + minutes(20))).await;
    story.crowd("last", 1, 1, "08:20").await;
    let new = engine(&story.db, &story.server.url());
    assert_eq!(worker::tick(&new, eight() + minutes(21)).await.unwrap().sent, 0);
    assert!(worker::tick(&new, eight() + minutes(22)).await.unwrap().sent >= 1);
    assert_eq!(story.paused().await, "f|f|");
}

#[tokio::test]
async fn a_pause_whose_worker_went_away_is_ended_by_the_mails_of_another_one() {
    let story = Story::begin().await;
    let staying = one_finds_out_and_ends(&story).await;
    story.crowd("next", 2, 2, "08:11").await;
    // When the other one looks next the pause is long over, so it has nothing to wait for, and no pause of its own that could end.
    let report = worker::tick(&staying, eight() + minutes(11)).await.unwrap();
    assert!(report.paused.is_none() && report.sent > 0, "{report:?}");
    worker::tick(&staying, eight() + minutes(12)).await.unwrap();
    assert_eq!(story.paused().await, "f|f|");

    // The same for a server that was away for the worker that ended, and for the other one was not.
    story.db.execute(&format!("update mail_sender set paused_since = '{}', paused_reason = 'away'", eight() + minutes(20))).await;
    for (hour, minute, paused) in [("08:22", 22, "t|f|away"), ("08:26", 26, "t|f|away"), ("08:27", 27, "f|f|")] {
        story.crowd(&format!("p{minute}-"), 1, 1, hour).await;
        let report = worker::tick(&staying, eight() + minutes(minute)).await.unwrap();
        assert!(report.sent > 0, "{report:?}");
        assert_eq!(story.paused().await, paused, "{hour}");
    }
}

#[tokio::test]
async fn the_end_of_a_pause_that_could_not_be_recorded_is_recorded_in_the_next_round() {
    let story = Story::begin().await;
    let line = Proxy::to(story.db.url()).await;
    let worker = story.worker_on(&line).await;
    story.somebody("Ada A").await;
    story.server.answer(Phase::Mail, Answer::refuse(550, "5.7.1 your host is blocked"));
    worker::tick(&worker, eight()).await.unwrap();
    assert_eq!(story.paused().await, "t|f|550 5.7.1 your host is blocked");
    story.server.behave();
    let lost = line.hold(b"update mail_sender set paused_since = null", Side::Question, 1);
    assert_eq!(worker::tick(&worker, eight() + minutes(2)).await.unwrap().sent, 1);
    lost.reached().await;
    assert_eq!(story.paused().await, "t|f|550 5.7.1 your host is blocked");
    worker::tick(&worker, eight() + minutes(3)).await.unwrap();
    assert_eq!(story.paused().await, "f|f|");
}

#[tokio::test]
async fn a_refusal_is_recorded_however_the_database_fails_meanwhile() {
    let story = Story::begin().await;
    let line = Proxy::to(story.db.url()).await;
    let worker = story.worker_on(&line).await;
    story.somebody("Ada A").await;
    story.server.answer(Phase::Dot, Answer::refuse(554, "5.7.1 spam"));
    let silent = line.hold(b"recipient from ours", Side::Question, 1);
    let round = tokio::spawn(async move { worker::tick(&worker, eight()).await.unwrap() });
    silent.reached().await;
    // Meanwhile the claim runs out, and another worker takes its owner for lost.
    story.end_leases().await;
    let tx = story.db.store.begin_worker().await.unwrap();
    assert_eq!(outbox::reap(&tx, eight()).await.unwrap().unknown, 1);
    tx.commit().await.unwrap();
    // Longer than the worker waits for an answer, which is two seconds more than the server may take. Then the statement is let go; the
    // server sees that its client is gone, and gives up what its transaction holds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    silent.release();
    let report = round.await.unwrap();
    assert_eq!((report.retried, report.unknown), (1, 0), "{report:?}");
    assert_eq!(story.notices().await, ["session_reminder pending"]);
    assert_eq!(
        story.db.rows("select outcome from delivery_attempt order by outcome").await,
        ["refused", "unknown"],
        "the refusal once, beside what was supposed before it"
    );
}

#[tokio::test]
async fn refusals_whose_commit_was_not_answered_are_recorded_once_and_pause_sending() {
    let story = Story::begin().await;
    let line = Proxy::to(story.db.url()).await;
    let worker = story.worker_on(&line).await;
    story.crowd("p", 5, 5, "08:00").await;
    story.server.answer(Phase::Rcpt, Answer::refuse(UNKNOWN.0, UNKNOWN.1));
    let gate = story.server.hold(Phase::Mail);
    let round = tokio::spawn(async move { worker::tick(&worker, eight()).await.unwrap() });
    gate.reached(5).await;
    // From here on the worker commits nothing but refusals.
    let unanswered = line.hold(b"commit", Side::Answer, 5);
    gate.open();
    unanswered.reached().await;
    let report = round.await.unwrap();
    let paused = report.paused.expect("it pauses, though it never heard that it should");
    assert!(paused.ends_with("550 5.1.1 No such user here"), "{paused}");
    assert_eq!(story.paused().await, "t|t|550 5.1.1 No such user here");
    assert_eq!(story.db.rows("select outcome, count(*) from delivery_attempt group by 1").await, ["refused|5"]);
    assert_eq!(story.states().await, ["pending|5"]);
}
