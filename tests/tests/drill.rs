//! The drill: a populated database, a backup by the real program, an empty server, a restore, and then the clinic goes on there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod keeping;
mod visitor;

use std::{fs, os::unix::fs::PermissionsExt as _};

use domain::ids::ReplyId;
use keeping::{BEGIN, House, facts, missing, text};
use store::{
    Store,
    outbox::{self, Owed},
};
use testkit::clock::Clock;
use visitor::{PASSWORD, browser_of_store};

/// Sessions end with a restore; everything else is compared.
fn without_sessions(facts: Vec<String>) -> Vec<String> {
    facts.into_iter().filter(|fact| !fact.starts_with("rows|session|")).collect()
}

#[tokio::test]
async fn a_clinic_comes_back_on_an_empty_server() {
    let house = House::new().await;
    let clock = Clock::at(BEGIN);
    let (hash, now, physio) = (web::auth::password::hash(PASSWORD).unwrap(), clock.now(), house.clinic.physio.account);
    let tx = house.db.store.begin_sign_in().await.unwrap();
    store::account::set_password(&tx, physio, &hash, now).await.unwrap();
    tx.commit().await.unwrap();
    let mut before = browser_of_store(house.db.store.clone(), &clock);
    before.sign_in("physio@riverside.test", PASSWORD).await;
    let record = format!("/patients/{}", house.farah.id);
    assert!(before.get(&record).await.has("Farah Aziz"));

    // Account mail of several kinds waits as well when the backup is made.
    let (clinic, farah, daniel) = (&house.clinic, &house.farah, &house.daniel);
    clinic
        .tenant(async |tx| {
            outbox::enqueue(tx, clinic.id, Owed::PatientInvitation(daniel.id), &daniel.email, now).await?;
            outbox::enqueue(tx, clinic.id, Owed::Test(farah.id), &farah.email, now).await?;
            outbox::enqueue(tx, clinic.id, Owed::Answer(farah.id, ReplyId::new()), &farah.email, now).await
        })
        .await;

    let file = house.path("clinic.backup");
    let said = house.said(&["backup", text(&file)], house.db.url()).await;
    assert!(said.starts_with(&format!("{}: ", file.display())) && said.contains(" rows in "), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let at_backup = without_sessions(facts(house.db.url()).await);

    // Life goes on after the backup: all of it is sent, and both are reminded.
    house.at("2026-03-02T10:06:00+08:00");
    house.said(&["worker", "--once"], house.db.url()).await;
    assert_eq!((house.reminders_sent(), house.mail.messages().len()), (3, 5), "the test mail looks like a reminder");

    house.at("2026-03-02T10:10:00+08:00");
    let server = house.empty_server("new").await;
    let url = server.url("homestretch");
    let said = house.said(&["restore", text(&file)], &url).await;
    assert!(said.contains("Restored into the database homestretch") && said.contains("1 session and 0 links"), "{said}");
    let restored = facts(&url).await;
    assert!(restored.contains(&"rows|session|0".to_owned()));
    let restored = without_sessions(restored);
    assert_eq!((missing(&at_backup, &restored), missing(&restored, &at_backup)), (vec![], vec![]));
    let left = server.number("homestretch", "select count(*) from pg_namespace where nspname like 'homestretch%'").await.unwrap();
    assert_eq!(left, 0, "nothing of the restore itself is left");

    // The worker sends nothing until the operator says so, and then nobody twice.
    let report = house.said(&["worker", "--once"], &url).await;
    assert!(report.contains(" 0 sent"), "{report}");
    let released = house.said(&["reminders", "release"], &url).await;
    assert!(released.contains("\n2 that fell due before are skipped as expired"), "{released}");
    assert!(released.contains("\n3 account mails go on waiting"), "{released}");
    house.said(&["worker", "--once"], &url).await;
    assert_eq!((house.reminders_sent(), house.mail.messages().len()), (3, 5), "no mail of any kind is sent twice");
    house.at("2026-03-03T10:06:00+08:00");
    let report = house.said(&["worker", "--once"], &url).await;
    assert!(report.contains(" 2 sent"), "{report}");
    assert_eq!((house.reminders_sent(), house.mail.messages().len()), (5, 7));

    // The pages work there; who was signed in signs in again.
    let store = Store::connect_with(&url, 2).await.unwrap();
    store.check_schema().await.unwrap();
    let mut after = browser_of_store(store.clone(), &clock);
    let cookie = before.cookie("homestretch").unwrap();
    after.keep("homestretch", &cookie);
    assert!(after.get(&record).await.location().starts_with("/sign-in"), "a session of before the restore opens nothing");
    after.sign_in("physio@riverside.test", PASSWORD).await;
    assert!(after.get(&record).await.has("Farah Aziz"));
    store.close().await;
}

#[tokio::test]
async fn an_ordinary_database_user_can_do_all_of_it() {
    let house = House::new().await;
    let file = house.backup("clinic.backup").await;
    let server = house.empty_server("ordinary").await;
    server.rows("postgres", "create role keeper login createrole createdb").await.unwrap();
    house.said(&["restore", text(&file)], &server.url_as("keeper", "one")).await;
    // Row-level security is forced on the owner too, and still not a row is left out.
    let again = house.path("again.backup");
    house.said(&["backup", text(&again)], &server.url_as("keeper", "one")).await;
    house.said(&["restore", text(&again)], &server.url_as("keeper", "two")).await;
    let (one, two) = (facts(&server.url("one")).await, facts(&server.url("two")).await);
    assert_eq!((missing(&one, &two), missing(&two, &one)), (vec![], vec![]));
    assert_eq!(facts(house.db.url()).await.iter().filter(|fact| fact.starts_with("patient|")).count(), 2);
    assert_eq!(one.iter().filter(|fact| fact.starts_with("patient|")).count(), 2);

    // A table that the role for backups may not read is said, not left out.
    server.rows("one", "drop policy backup on patient").await.unwrap();
    let refused = house.refused(&["backup", text(&house.path("partial.backup"))], &server.url_as("keeper", "one")).await;
    assert!(refused.contains("homestretch_backup may not read all of patient"), "{refused}");
}

#[tokio::test]
async fn pg_restore_alone_reads_the_file_too() {
    let house = House::new().await;
    let file = house.backup("clinic.backup").await;
    let server = house.empty_server("plain").await;
    for role in ["app", "signin", "worker", "audit", "backup"] {
        server.rows("postgres", &format!("create role homestretch_{role} nologin")).await.unwrap();
    }
    server.rows("postgres", "create database plain").await.unwrap();
    let programs = stories::cluster::programs().unwrap();
    let done = tokio::process::Command::new(programs.join("pg_restore"))
        .args(["--exit-on-error", "--dbname", &server.url("plain")])
        .arg(&file)
        .output()
        .await
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (source, plain) = (facts(house.db.url()).await, facts(&server.url("plain")).await);
    assert_eq!(missing(&source, &plain), Vec::<String>::new());
}

#[tokio::test]
async fn a_backup_can_be_piped_on() {
    let house = House::new().await;
    let piped = house.run(&["backup", "-"], house.db.url()).await;
    assert!(piped.status.success());
    let file = house.path("piped.backup");
    fs::write(&file, &piped.stdout).unwrap();
    let said = house.said(&["restore", "--check", text(&file)], "postgres://nobody@127.0.0.1:9/none").await;
    assert!(said.contains("the file is whole"), "{said}");
}

#[tokio::test]
async fn nobody_sees_the_password() {
    let house = House::new().await;
    // Both programs say with what they were started, and are then themselves.
    let programs = stories::cluster::programs().unwrap();
    let spies = house.path("spies");
    fs::create_dir(&spies).unwrap();
    for name in ["pg_dump", "pg_restore"] {
        let spy = spies.join(name);
        let (real, heard) = (programs.join(name), house.path("heard"));
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] || {{ tr '\\0' ' ' < /proc/$$/cmdline; echo; env | grep -c '^PGPASSWORD=hunter2/x$'; }} >> {}\nexec {} \"$@\"\n",
            heard.display(),
            real.display()
        );
        fs::write(&spy, script).unwrap();
        fs::set_permissions(&spy, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let server = house.empty_server("watched").await;
    let with_password = |url: &str| url.replacen("postgres@", "postgres:hunter2%2Fx@", 1);
    let file = house.path("a.backup");
    for (args, url) in [
        (vec!["backup", text(&file)], with_password(house.db.url())),
        (vec!["restore", text(&file)], with_password(&server.url("watched"))),
    ] {
        let mut command = house.setup.command(&args, &url, &house.clock);
        command.env("HOMESTRETCH_PG_BIN", &spies).stderr(std::process::Stdio::piped());
        let output = command.output().await.unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        assert!(!error.contains("hunter2"));
    }
    let heard = fs::read_to_string(house.path("heard")).unwrap();
    assert!(heard.contains("pg_dump") && heard.contains("pg_restore"), "{heard}");
    assert!(!heard.contains("hunter2"), "{heard}");
    assert_eq!(heard.lines().filter(|line| *line == "1").count(), 2, "both had it in their environment: {heard}");
}
