//! Handing mail over to a real listener that speaks SMTP, and to a folder.

// A test that fails to set itself up should say where.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use domain::refusal::Cause;
use lettre::address::Envelope;
use store::outbox::{Claim, SendPermit};
use testkit::{
    Db,
    clock::at,
    people::{self, Clinic},
    smtp::{Answer, Phase as At, Server},
};
use uuid::Uuid;
use worker::smtp::{Mailer, Outcome, Patience, Phase, Target};

const CONTENT: &[u8] = b"Subject: hello\r\n\r\n.dot first\r\nlast line\r\n";

fn mailer(server: &Server) -> Mailer {
    within(server, Duration::from_secs(30))
}

/// A mailer that waits this long for everything.
fn within(server: &Server, wait: Duration) -> Mailer {
    let patience = Patience { connect: wait, command: wait, content: wait };
    Mailer::with_patience(Target::parse(&server.url()).unwrap(), patience)
}

/// Where permits come from: nothing but a claimed notice in a database gives one.
struct Permits {
    /// Held so that the database outlives the permits.
    _db: Db,
    clinic: Clinic,
}

impl Permits {
    async fn begin() -> Self {
        let db = Db::new().await;
        let clinic = people::clinic(&db, at("2026-03-02T08:00:00Z")).await;
        Self { _db: db, clinic }
    }

    async fn next(&self) -> (Claim, SendPermit) {
        let who = self.clinic.patient("Some Body", &format!("{}@y.test", Uuid::now_v7())).await;
        self.clinic.permit(&who).await
    }
}

fn envelope(to: &str) -> Envelope {
    Envelope::new(Some("clinic@x.test".parse().unwrap()), vec![to.parse().unwrap()]).unwrap()
}

async fn send(mailer: &Mailer, (claim, permit): (Claim, SendPermit), to: &str) -> Outcome {
    mailer.deliver(claim, &envelope(to), CONTENT, at("2026-03-02T08:00:00Z"), async move { Some(permit) }).await
}

fn refuse(code: u16, text: &str) -> Answer {
    Answer::Refuse(code, text.to_owned())
}

#[tokio::test]
async fn many_mails_go_over_one_connection_without_pauses() {
    let permits = Permits::begin().await;
    let server = Server::start().await.unwrap();
    let mailer = mailer(&server);
    let mut took = Vec::new();
    for _ in 0..50 {
        let permit = permits.next().await;
        let started = Instant::now();
        assert_eq!(send(&mailer, permit, "a@y.test").await, Outcome::Accepted { reply: "250 2.0.0 kept".into() });
        took.push(started.elapsed());
    }
    // With Nagle's algorithm each mail would wait 44 ms. On a busy machine some do all the same; not three of four.
    took.sort();
    assert!(took[took.len() / 4] < Duration::from_millis(30), "{took:?}");
    assert_eq!(server.count(At::Greeting), 1);
    assert_eq!(server.to("a@y.test").len(), 50);
    assert_eq!(server.messages()[0].raw, CONTENT);
}

#[tokio::test]
async fn signs_in_when_the_address_carries_a_user() {
    let permits = Permits::begin().await;
    let server = Server::start().await.unwrap();
    server.require_login("me", "secret");
    assert!(matches!(send(&mailer(&server), permits.next().await, "a@y.test").await, Outcome::Accepted { .. }));
    let wrong = Mailer::new(Target::parse(&server.url().replace("secret", "guess")).unwrap());
    assert!(
        matches!(send(&wrong, permits.next().await, "a@y.test").await, Outcome::Refused { phase: Phase::Auth, reply } if reply.starts_with("535 5.7.8"))
    );
    assert!(wrong.check().await.unwrap_err().starts_with("535"));
    assert_eq!(mailer(&server).check().await, Ok(()));
}

#[tokio::test]
async fn a_refused_recipient_leaves_the_connection_usable() {
    let permits = Permits::begin().await;
    for pipelining in [true, false] {
        let server = Server::start().await.unwrap();
        server.pipelining(pipelining);
        server.reject("gone@y.test");
        let mailer = mailer(&server);
        let gone = send(&mailer, permits.next().await, "gone@y.test").await;
        assert_eq!(
            gone,
            Outcome::Rejected { phase: Phase::Rcpt, reply: "550 5.1.1 No such user here".into(), cause: Cause::Mailbox }
        );
        assert!(matches!(send(&mailer, permits.next().await, "a@y.test").await, Outcome::Accepted { .. }));
        assert_eq!((server.count(At::Greeting), server.messages().len()), (1, 1));
    }
}

#[tokio::test]
async fn every_phase_that_fails_says_whether_the_server_can_have_the_mail() {
    let permits = Permits::begin().await;
    let wrong = [At::Greeting, At::Hello, At::Mail, At::Rcpt, At::Data, At::Dot];
    // A server that takes MAIL, RCPT and DATA together, and one that wants them one by one.
    for (phase, pipelining) in wrong.into_iter().flat_map(|phase| [(phase, true), (phase, false)]) {
        for answer in [refuse(451, "4.3.0 not now"), refuse(554, "5.7.1 not you"), Answer::Drop, Answer::Silence] {
            let server = Server::start().await.unwrap();
            server.pipelining(pipelining);
            server.answer(phase, answer.clone());
            let silent = matches!(answer, Answer::Silence);
            let mailer = within(&server, Duration::from_secs(if silent { 1 } else { 30 }));
            let outcome = send(&mailer, permits.next().await, "a@y.test").await;
            let fits = match (phase, &answer) {
                (At::Greeting | At::Hello, _) | (At::Mail, Answer::Refuse(554, _)) => {
                    matches!(outcome, Outcome::Refused { .. })
                }
                (At::Rcpt | At::Data | At::Dot, Answer::Refuse(554, _)) => {
                    matches!(outcome, Outcome::Rejected { cause: Cause::Policy, .. })
                }
                (At::Dot, Answer::Drop | Answer::Silence) => matches!(outcome, Outcome::Unanswered { .. }),
                _ => matches!(outcome, Outcome::Postponed { .. }),
            };
            assert!(fits, "{phase:?} {answer:?} {pipelining}: {outcome:?}");
            assert!(server.messages().is_empty());
        }
    }
}

#[tokio::test]
async fn accepted_without_a_reply_is_unanswered_not_failed() {
    let permits = Permits::begin().await;
    let server = Server::start().await.unwrap();
    server.answer(At::Dot, Answer::KeepAndDrop);
    assert!(matches!(send(&mailer(&server), permits.next().await, "a@y.test").await, Outcome::Unanswered { .. }));
    assert_eq!(server.messages().len(), 1);
}

#[tokio::test]
async fn without_a_permit_for_this_very_claim_nothing_goes_out() {
    let permits = Permits::begin().await;
    let server = Server::start().await.unwrap();
    let mailer = mailer(&server);
    let (claim, permit) = permits.next().await;
    let (other, _) = permits.next().await;
    let at = at("2026-03-02T08:00:00Z");
    assert_eq!(mailer.deliver(claim, &envelope("a@y.test"), CONTENT, at, async { None }).await, Outcome::Withheld);
    // A permit for another claim is none.
    assert_eq!(mailer.deliver(other, &envelope("a@y.test"), CONTENT, at, async { Some(permit) }).await, Outcome::Withheld);
    assert!(matches!(send(&mailer, permits.next().await, "b@y.test").await, Outcome::Accepted { .. }));
    assert_eq!(server.messages().len(), 1);
    assert_eq!(server.messages()[0].to, ["b@y.test"]);
}

#[tokio::test]
async fn a_connection_that_went_stale_is_replaced() {
    let permits = Permits::begin().await;
    let mut server = Server::start().await.unwrap();
    let mailer = mailer(&server);
    assert!(matches!(send(&mailer, permits.next().await, "a@y.test").await, Outcome::Accepted { .. }));
    server.stop().await;
    let away = send(&mailer, permits.next().await, "a@y.test").await;
    assert!(matches!(&away, Outcome::Refused { phase: Phase::Connect, reply } if reply.contains("refused")), "{away:?}");
    server.resume().await.unwrap();
    assert!(matches!(send(&mailer, permits.next().await, "a@y.test").await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn a_folder_gets_whole_mails_that_sort_by_time() {
    let permits = Permits::begin().await;
    let folder = std::env::temp_dir().join(format!("homestretch-mail-{}", Uuid::now_v7()));
    let mailer = Mailer::new(Target::parse(&format!("file:{}", folder.display())).unwrap());
    let envelope = Envelope::new(None, vec!["a@y.test".parse().unwrap()]).unwrap();
    for instant in ["2026-03-02T08:00:01Z", "2026-03-02T08:00:00.5Z", "2026-03-01T23:00:00Z"] {
        let (claim, permit) = permits.next().await;
        let outcome = mailer.deliver(claim, &envelope, instant.as_bytes(), at(instant), async { Some(permit) }).await;
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    let (claim, _) = permits.next().await;
    let withheld = mailer.deliver(claim, &envelope, b"no", at("2026-03-02T08:00:02Z"), async { None }).await;
    assert_eq!(withheld, Outcome::Withheld);
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mails: Vec<_> = names.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(mails, ["2026-03-01T23:00:00Z", "2026-03-02T08:00:00.5Z", "2026-03-02T08:00:01Z"]);
    assert!(names.iter().all(|path| path.extension().is_some_and(|end| end == "eml")));
    std::fs::remove_dir_all(folder).unwrap();
}
