//! Every misbehaviour of a mail server at every phase, seen through the worker: nobody is mailed twice, `sent` is only said when the
//! server said 250, and nobody's address is blamed for what is not about it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, sync::Arc, time::Duration};

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

/// Long enough for a busy machine; rows wait beside each other, so it costs little.
const PATIENCE: Duration = Duration::from_secs(2);

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

async fn verdict_of(phase: Phase, answer: Answer, pipelining: bool) -> String {
    let server = Server::start_with(Setup { pipelining, starttls: None, ..Setup::default() }).await.unwrap();
    if phase == Phase::Auth {
        server.require_login("me", "secret");
    }
    server.answer(phase, answer);
    let story = Story::begin(server, false).await;
    story.patient("farah@example.test").await;
    let report = story.tick(eight()).await;
    let first = story.verdict(&report).await;
    // Whatever it was, afterwards the server behaves: what may go out again does, once, and nothing else.
    story.server.behave();
    story.tick(eight() + SignedDuration::from_mins(12)).await;
    let accepted = story.server.accepted();
    assert!(accepted.values().all(|times| *times <= 1), "{phase:?}: accepted {accepted:?}");
    if first.starts_with("pending") {
        assert_eq!(story.db.row("select state from notice").await, "sent", "{phase:?} {first}");
        assert_eq!(accepted.values().sum::<u32>(), 1);
    }
    let sent = story.db.rows("select id from notice where state = 'sent'").await;
    assert!(sent.iter().all(|id| story.server.promised().contains_key(id)), "sent without a promise at {phase:?}");
    first
}

fn table() -> Vec<(Phase, Answer, &'static str)> {
    use Answer::{Drop, Half, KeepAndDrop, Late, Lines, Silence};
    let refuse = Answer::refuse;
    let garbage = || Answer::Say("\u{1}what?".to_owned());
    let long = || Answer::Say(format!("250 {}", "x".repeat(100_000)));
    let late = || Late(PATIENCE * 2);
    let hello = "pending hello:retry, accepted 0, paused";
    let auth = "pending auth:retry, accepted 0, paused";
    let mail = "pending mail:retry, accepted 0";
    let rcpt = "pending rcpt:retry, accepted 0";
    let refused = "pending rcpt:refused, accepted 0";
    let data = "pending data:retry, accepted 0";
    let sent = "sent dot:sent, accepted 1";
    let unknown = "unknown dot:unknown, accepted 0";
    let hidden = "unknown dot:unknown, accepted 1";
    vec![
        (Phase::Greeting, refuse(421, "4.3.2 too many"), hello),
        (Phase::Greeting, refuse(554, "5.7.1 no service"), hello),
        (Phase::Greeting, Drop, hello),
        (Phase::Greeting, Silence, hello),
        (Phase::Greeting, garbage(), hello),
        (Phase::Greeting, Half, hello),
        (Phase::Hello, refuse(550, "5.7.1 no"), hello),
        (Phase::Hello, Drop, hello),
        (Phase::Hello, Silence, hello),
        (Phase::Auth, refuse(535, "5.7.8 wrong password"), auth),
        (Phase::Auth, refuse(454, "4.7.0 not now"), auth),
        (Phase::Auth, Drop, auth),
        (Phase::Auth, Silence, auth),
        (Phase::Mail, refuse(451, "4.3.0 not now"), mail),
        (Phase::Mail, refuse(550, "5.7.1 sender refused"), "pending mail:retry, accepted 0, paused"),
        (Phase::Mail, Drop, mail),
        (Phase::Mail, Silence, mail),
        (Phase::Mail, garbage(), mail),
        (Phase::Rcpt, refuse(450, "4.7.1 greylisted"), rcpt),
        (Phase::Rcpt, refuse(450, "4.2.1 too much mail for this one"), rcpt),
        (Phase::Rcpt, refuse(452, "4.2.2 mailbox full"), rcpt),
        (Phase::Rcpt, refuse(552, "5.2.2 mailbox full"), rcpt),
        (Phase::Rcpt, refuse(421, "4.7.0 try later"), rcpt),
        (Phase::Rcpt, refuse(550, "5.1.1 no such user\nsee\nhttps://x.test"), refused),
        (Phase::Rcpt, refuse(550, "5.4.1 Access denied"), refused),
        (Phase::Rcpt, refuse(550, "5.7.1 policy"), refused),
        (Phase::Rcpt, refuse(554, "5.7.1 Relay access denied"), "pending rcpt:retry, accepted 0, paused"),
        (Phase::Rcpt, Drop, rcpt),
        (Phase::Rcpt, Silence, rcpt),
        (Phase::Rcpt, Half, rcpt),
        (Phase::Rcpt, garbage(), rcpt),
        (Phase::Rcpt, long(), rcpt),
        (Phase::Rcpt, Lines(5), sent),
        (Phase::Data, refuse(451, "4.3.0 not now"), data),
        (Phase::Data, refuse(554, "5.3.0 no"), "pending data:refused, accepted 0"),
        (Phase::Data, Answer::Say("250 2.0.0 well".to_owned()), data),
        (Phase::Data, Drop, data),
        (Phase::Data, Silence, data),
        (Phase::Content, Drop, unknown),
        (Phase::Content, Silence, unknown),
        (Phase::Content, refuse(552, "5.3.4 too big"), "pending dot:refused, accepted 0"),
        (Phase::Dot, refuse(451, "4.3.0 not now"), "pending dot:retry, accepted 0"),
        (Phase::Dot, refuse(552, "5.2.2 mailbox full"), "pending dot:retry, accepted 0"),
        (Phase::Dot, refuse(554, "5.7.1 spam"), "pending dot:refused, accepted 0"),
        (Phase::Dot, Drop, unknown),
        (Phase::Dot, Silence, unknown),
        (Phase::Dot, garbage(), unknown),
        (Phase::Dot, KeepAndDrop, hidden),
        (Phase::Dot, Answer::keep(Silence), hidden),
        (Phase::Dot, Answer::keep(Half), hidden),
        (Phase::Dot, Answer::keep(late()), hidden),
        (Phase::Dot, Answer::keep(garbage()), hidden),
        (Phase::Dot, Answer::keep(Answer::Say("354 go on".to_owned())), hidden),
        (Phase::Dot, Lines(5), sent),
        (Phase::Dot, Late(Duration::from_millis(20)), sent),
    ]
}

async fn run_table(pipelining: bool) {
    let mut rows = table().into_iter();
    let (mut running, mut wrong) = (tokio::task::JoinSet::new(), Vec::new());
    loop {
        // Most of a row is waiting, so several wait together.
        while running.len() < 16
            && let Some((phase, answer, expected)) = rows.next()
        {
            running.spawn_local(async move {
                let name = format!("{phase:?} {:.60}", format!("{answer:?}"));
                (name, expected, verdict_of(phase, answer, pipelining).await)
            });
        }
        let Some(row) = running.join_next().await else { break };
        let (name, expected, verdict) = row.unwrap();
        if verdict != expected {
            wrong.push(format!("{name}: expected “{expected}”, was “{verdict}”"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn each_phase_fails_in_its_own_way_with_commands_in_groups() {
    tokio::task::LocalSet::new().run_until(run_table(true)).await;
}

#[tokio::test]
async fn each_phase_fails_in_its_own_way_with_one_command_at_a_time() {
    tokio::task::LocalSet::new().run_until(run_table(false)).await;
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
        // Of two others that are accepted nothing follows for the third (see the stories of refusals).
        ["anna@example.test|sent", "gone@example.test|pending", "zoe@example.test|sent"]
    );
    assert_eq!(story.db.row("select count(*) from suppression").await, "0");
    assert_eq!(story.server.accepted().into_values().collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn an_account_mail_comes_again_when_nobody_knows() {
    let story = Story::begin(Server::start().await.unwrap(), false).await;
    let who = story.clinic.patient("Farah Aziz", "farah@example.test").await;
    let owed = Owed::PatientInvitation(who.id);
    story.clinic.tenant(async |tx| outbox::enqueue(tx, story.clinic.id, owed, &who.email, seven()).await).await;
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
