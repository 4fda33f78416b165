//! Every misbehaviour of a mail server at every phase, seen through the worker: nobody is mailed twice, `sent` is only said when the
//! server said 250, and nobody's address is blamed for what is not about it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, sync::Arc, time::Duration};

use domain::person::Email;
use jiff::{SignedDuration, Timestamp, civil::date};
use render::{Templates, links::Links};
use store::outbox::{self, Owed};
use testkit::{
    Db,
    clock::at,
    people::{self, Clinic},
    smtp::{Answer, Phase, Server, Setup, Temper, Tls},
};
use worker::{Composer, Engine, Mailer, Target, TickReport, smtp::Patience};

const PATIENCE: Duration = Duration::from_millis(300);

fn seven() -> Timestamp {
    at("2026-03-02T07:00:00+08:00")
}

fn eight() -> Timestamp {
    at("2026-03-02T08:00:00+08:00")
}

struct Story {
    db: Db,
    clinic: Clinic,
    server: Server,
    engine: Arc<Engine>,
}

impl Story {
    async fn begin(server: Server, trusting: bool) -> Self {
        let db = Db::new().await;
        let clinic = people::clinic(&db, seven()).await;
        let links = Links::new("https://clinic.test", &[7; 32]).unwrap();
        let composer = Composer::new(Templates::load().unwrap(), links, "reminders@clinic.test").unwrap();
        let mut target = Target::parse(&server.url()).unwrap();
        if trusting {
            target = target.trusting(server.authority().to_owned()).unwrap();
        }
        let patience = Patience { connect: PATIENCE, command: PATIENCE, content: PATIENCE };
        let engine = Arc::new(Engine::new(db.store.clone(), Mailer::with_patience(target, patience), composer));
        Self { db, clinic, server, engine }
    }

    async fn patient(&self, email: &str) {
        let who = self.clinic.patient("Farah Aziz", email).await;
        self.clinic.program_for(&who, date(2026, 3, 2), 6).await;
        self.clinic.remind(&who, &["08:00"], seven()).await;
    }

    async fn tick(&self, now: Timestamp) -> TickReport {
        worker::tick(&self.engine, now).await.unwrap()
    }

    /// What became of the one notice, in one line.
    async fn verdict(&self, report: &TickReport) -> String {
        let mut line = self
            .db
            .row("select concat_ws(' ', n.state, (select string_agg(a.phase || ':' || a.outcome, ' ') from delivery_attempt a)) from notice n")
            .await;
        let accepted: u32 = self.server.accepted().values().sum();
        write!(line, ", accepted {accepted}").unwrap();
        if report.paused.is_some() {
            line += ", paused";
        }
        if self.db.row("select count(*) from suppression").await != "0" {
            line += ", suppressed";
        }
        line
    }
}

#[tokio::test]
async fn encryption_that_cannot_be_trusted_pauses_and_blames_nobody() {
    for tls in
        [Tls::UnknownAuthority, Tls::SelfSigned, Tls::WrongHost, Tls::Expired, Tls::HangsUp, Tls::Silent, Tls::Plain, Tls::Good]
    {
        for smtps in [true, false] {
            let setup = Setup { smtps: smtps.then_some(tls), starttls: (!smtps).then_some(tls), ..Setup::default() };
            let story = Story::begin(Server::start_with(setup).await.unwrap(), true).await;
            story.patient("farah@example.test").await;
            let report = story.tick(eight()).await;
            let expected = if tls == Tls::Good { "sent dot:sent, accepted 1" } else { "pending encrypt:retry, accepted 0, paused" };
            assert_eq!(story.verdict(&report).await, expected, "{tls:?}, smtps: {smtps}");
        }
    }
}

#[tokio::test]
async fn one_refused_recipient_holds_up_nobody_and_greylisting_ends_in_one_mail() {
    let story = Story::begin(Server::start().await.unwrap(), false).await;
    for name in ["anna", "gone", "zoe"] {
        story.patient(&format!("{name}@example.test")).await;
    }
    story.server.reject("gone@example.test");
    story.server.greylist(2);
    for minutes in [0, 2, 6, 12, 20] {
        story.tick(eight() + SignedDuration::from_mins(minutes)).await;
    }
    assert_eq!(
        story.db.rows("select recipient, state from notice order by 1").await,
        ["anna@example.test|sent", "gone@example.test|dead", "zoe@example.test|sent"]
    );
    assert_eq!(story.db.rows("select email from suppression").await, ["gone@example.test"]);
    assert_eq!(story.server.accepted().into_values().collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn an_account_mail_comes_again_when_nobody_knows() {
    let story = Story::begin(Server::start().await.unwrap(), false).await;
    let who = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    let (clinic, to) = (story.clinic.id, Email::parse("farah@example.test").unwrap());
    story
        .clinic
        .tenant(move |tx| async move { outbox::enqueue(&tx, clinic, Owed::PatientInvitation(who.id), &to, seven()).await })
        .await;
    story.server.answer_times(1, Phase::Dot, Answer::KeepAndDrop);
    story.tick(seven()).await;
    assert_eq!(story.db.row("select state from notice").await, "pending");
    story.tick(seven() + SignedDuration::from_mins(5)).await;
    assert_eq!(story.db.row("select state from notice").await, "sent");
    assert_eq!(story.server.accepted().into_values().collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_server_with_a_temper_gets_no_reminder_twice() {
    for seed in 1..=2 {
        let story = Story::begin(Server::start().await.unwrap(), false).await;
        for number in 0..40 {
            story.patient(&format!("p{number}@d{}.test", number % 7)).await;
        }
        story.server.temper(Temper { silence: PATIENCE * 2, recipient: 0.4, ..Temper::hostile(seed) });
        for minutes in (0..240).step_by(20) {
            story.tick(eight() + SignedDuration::from_mins(minutes)).await;
        }
        let (accepted, promised) = (story.server.accepted(), story.server.promised());
        assert!(accepted.values().all(|times| *times == 1), "seed {seed}: {accepted:?}");
        let left = story.db.rows("select id, state from notice where state in ('pending', 'claimed', 'sending')").await;
        assert!(left.is_empty(), "seed {seed}: {left:?}");
        for row in story.db.rows("select id, state from notice").await {
            let (id, state) = row.split_once('|').unwrap();
            let fits = match state {
                "sent" => promised.contains_key(id),
                "unknown" => true,
                _ => !accepted.contains_key(id),
            };
            assert!(fits, "seed {seed}: {row}, accepted: {}", accepted.contains_key(id));
        }
        assert!(story.server.tally().len() > 5, "{:?}", story.server.tally());
    }
}
