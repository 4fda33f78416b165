//! Watching a real worker: its page of metrics and its log tell what became of each mail, and neither tells of whom.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod scrape;

use std::{
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use domain::person::Zone;
use homestretch::clock;
use jiff::SignedDuration;
use store::outbox::{self, Owed};
use testkit::{Db, people, proxy::Proxy, smtp::Server};
use worker::telemetry;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_when_it_cannot_work_and_sends_when_it_can() {
    let (db, mail) = (Db::new().await, Server::start().await.unwrap());
    let line = Proxy::to(db.url()).await;
    let now = clock::now();
    let clinic = people::clinic(&db, now - SignedDuration::from_hours(48)).await;
    let owed = async |name: &str, email: &str| {
        let who = clinic.patient(name, email).await;
        let owed = Owed::PatientInvitation(who.id);
        clinic.tenant(async |tx| outbox::enqueue(tx, clinic.id, owed, &who.email, now).await).await;
    };
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut worker = Command::new(env!("CARGO_BIN_EXE_homestretch"))
        .arg("worker")
        .env("DATABASE_URL", line.url())
        .env("SMTP_URL", mail.url())
        .env("HOMESTRETCH_SECRET", "0123456789abcdef0123456789abcdef")
        .env("HOMESTRETCH_MAIL_FROM", "reminders@clinic.test")
        .env("HOMESTRETCH_METRICS_BIND", &address)
        .env("HOMESTRETCH_DB_CONNECT_TIMEOUT", "2")
        .env("HOMESTRETCH_DB_STATEMENT_TIMEOUT", "2")
        .env("HOMESTRETCH_DB_COMMIT_TIMEOUT", "2")
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let reaches = async |what: &str, name: &str, value: f64| {
        let seen = tokio::time::timeout(Duration::from_secs(90), async {
            while !scrape::page(&address).await.is_ok_and(|page| page.total(name) == value) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        if seen.await.is_err() {
            panic!("{what}: {name} never was {value}");
        }
    };
    reaches("after its start", telemetry::WORKING, 1.0).await;
    owed("Farah Aziz", "farah@example.test").await;
    reaches("with a database", telemetry::SENT, 1.0).await;

    // Every connection falls silent, and new ones work: whatever it was waiting for, it goes on.
    line.silence();
    owed("Daniel Tan", "daniel@example.test").await;
    reaches("after the silence", telemetry::SENT, 2.0).await;
    reaches("after the silence", telemetry::WORKING, 1.0).await;

    // The database is away.
    db.go_away().await;
    reaches("without a database", telemetry::WORKING, 0.0).await;
    db.come_back().await;
    owed("Priya Nair", "priya@example.test").await;
    reaches("with the database again", telemetry::SENT, 3.0).await;
    reaches("with the database again", telemetry::WORKING, 1.0).await;

    rustix::process::kill_process(rustix::process::Pid::from_child(&worker), rustix::process::Signal::TERM).unwrap();
    let mut stderr = worker.stderr.take().unwrap();
    let log = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut log).unwrap();
        worker.wait().unwrap();
        log
    });
    let log = log.await.unwrap();
    assert!(log.contains("the worker cannot work") && log.contains("the worker works again"), "{log}");
}

#[tokio::test]
async fn a_worker_tells_what_became_of_each_mail_and_not_of_whom() {
    let (db, mail) = (Db::new().await, Server::start().await.unwrap());
    mail.reject("daniel@example.test");
    let now = clock::now();
    let clinic = people::clinic(&db, now - SignedDuration::from_hours(48)).await;
    for (name, email) in [("Farah Aziz", "farah@example.test"), ("Daniel Tan", "daniel@example.test")] {
        let who = clinic.patient(name, email).await;
        let owed = Owed::PatientInvitation(who.id);
        clinic.tenant(async |tx| outbox::enqueue(tx, clinic.id, owed, &who.email, now).await).await;
    }
    // A reminder that is 23 hours late, found by planning; the next one of its hour is still to come.
    // She lives where that hour is none of the quiet ones, whenever this runs.
    let soon = now + SignedDuration::from_hours(1);
    let awake = |zone: &Zone| (8..=19).contains(&zone.time(soon).hour());
    let zones = ["Asia/Kuala_Lumpur", "Europe/London", "America/Los_Angeles"];
    let zone = zones.iter().map(|zone| Zone::parse(zone).unwrap()).find(awake).unwrap();
    let late = clinic.patient("Priya Nair", "priya@example.test").await;
    db.execute(&format!("update patient set zone = '{}' where id = '{}'", zone.name(), late.id)).await;
    let late = people::Somebody { zone, ..late };
    clinic.program_for(&late, late.zone.date(now - SignedDuration::from_hours(240)), 6).await;
    let hour = late.zone.time(soon).strftime("%H:%M").to_string();
    clinic.remind(&late, &[&hour], now - SignedDuration::from_hours(30)).await;

    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let worker = Command::new(env!("CARGO_BIN_EXE_homestretch"))
        .arg("worker")
        .env("DATABASE_URL", db.url())
        .env("SMTP_URL", mail.url())
        .env("HOMESTRETCH_SECRET", "0123456789abcdef0123456789abcdef")
        .env("HOMESTRETCH_MAIL_FROM", "reminders@clinic.test")
        .env("HOMESTRETCH_METRICS_BIND", &address)
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&worker);

    // Asked again until all three are through; a worker that never gets there fails the test.
    let seen = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let Ok(page) = scrape::page(&address).await
                && page.total(telemetry::SENT) + page.total(telemetry::RETRIED) + page.total(telemetry::SKIPPED) >= 3.0
            {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = tokio::task::spawn_blocking(move || worker.wait_with_output().unwrap()).await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let page = seen.unwrap_or_else(|_| panic!("the worker did not get through: {log}"));
    assert!(output.status.success(), "{log}");

    assert_eq!(page.value(telemetry::PLANNED, &[]), Some(1.0));
    assert_eq!(page.value(telemetry::SENT, &[("kind", "invitation")]), Some(1.0));
    // Once refused is not given up.
    assert_eq!(page.value(telemetry::RETRIED, &[("phase", "rcpt")]), Some(1.0));
    assert_eq!(page.value(telemetry::SKIPPED, &[("reason", "expired")]), Some(1.0));
    assert_eq!(page.value(&format!("{}_count", telemetry::LAG), &[("kind", "invitation")]), Some(1.0));
    assert_eq!(page.value(&format!("{}_count", telemetry::ATTEMPT), &[]), Some(2.0), "what is skipped is no attempt");
    assert_eq!(page.value(telemetry::PAUSED, &[]), Some(0.0));
    assert!(page.unexplained().is_empty(), "{:?}", page.unexplained());

    // One line for each, with its fields.
    let line = |masked: &str| {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("notice=") && line.contains(masked)).collect();
        assert_eq!(lines.len(), 1, "{masked}: {log}");
        lines[0].to_owned()
    };
    let sent = line("f***@example.test");
    assert!(sent.contains("kind=invitation") && sent.contains("attempt=1") && sent.contains("250 "), "{sent}");
    let refused = line("d***@example.test");
    assert!(refused.contains("phase=\"rcpt\"") && refused.contains("550 ") && refused.contains("cause=Mailbox"), "{refused}");
    let skipped = line("p***@example.test");
    assert!(skipped.contains("reason=\"expired\""), "{skipped}");

    for secret in ["farah", "daniel", "priya", "Farah", "Aziz", "Riverside", &clinic.id.to_string()] {
        assert!(!log.contains(secret), "{secret} stands in the log: {log}");
        assert!(page.labels().iter().all(|label| !label.contains(secret)), "{secret} stands in a label");
    }
    assert!(!log.contains('\u{1b}'), "a log that is no terminal has no colours");
}
