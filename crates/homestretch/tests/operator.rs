//! What an operator does around a restore, with the real program, pg_dump and pg_restore.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use homestretch::clock;
use jiff::SignedDuration;
use store::outbox::{self, Owed};
use testkit::{Db, people, smtp::Server};

const ZONE: &str = "Asia/Kuala_Lumpur";

/// Runs the program beside this database and this mail server.
async fn homestretch(db: &Db, mail: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homestretch"));
    command
        .args(arguments)
        .env("DATABASE_URL", db.url())
        .env("SMTP_URL", mail.url())
        .env("HOMESTRETCH_SECRET", "0123456789abcdef0123456789abcdef")
        .env("HOMESTRETCH_MAIL_FROM", "reminders@clinic.test")
        .env("HOMESTRETCH_URL", "https://clinic.test");
    // The mail server of this test must go on answering meanwhile.
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// What the program printed, when it ended well.
async fn said(db: &Db, mail: &Server, arguments: &[&str]) -> String {
    let output = homestretch(db, mail, arguments).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// One of Postgres's programs.
fn postgres(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    // Debian keeps them by version; the newest reads and writes what older servers have.
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders.extend(std::env::var_os("HOMESTRETCH_PG_BIN").map(PathBuf::from));
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.exists()).unwrap_or_else(|| panic!("there is no {name}"))
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A backup as docs/operating.md makes it.
fn dump(db: &Db, file: &Path) {
    done(Command::new(postgres("pg_dump")).args(["--format", "custom", "--file"]).arg(file).arg(db.url()));
}

fn restore(db: &Db, file: &Path) {
    done(Command::new(postgres("pg_restore")).args(["--clean", "--if-exists", "--dbname", db.url()]).arg(file));
}

#[tokio::test]
async fn after_a_restore_nobody_is_reminded_twice() {
    let (db, mail) = (Db::new().await, Server::start().await.unwrap());
    let now = clock::now();
    let clinic = people::clinic(&db, now - SignedDuration::from_hours(48)).await;
    // The program runs by the real clock: quiet hours are put where they are not, whenever this test runs.
    db.execute(&format!(
        "update clinic set quiet_from = (now() at time zone '{ZONE}' + interval '6 hours')::time,
           quiet_to = (now() at time zone '{ZONE}' + interval '7 hours')::time"
    ))
    .await;
    // Two minutes ago, so that it is due whatever the second.
    let due = (now - SignedDuration::from_mins(2)).to_zoned(jiff::tz::TimeZone::get(ZONE).unwrap());
    let due = due.with().second(0).subsec_nanosecond(0).build().unwrap();
    let before = due.timestamp() - SignedDuration::from_mins(1);
    let mut people = Vec::new();
    for (name, email) in
        [("Farah Aziz", "farah@example.test"), ("Daniel Tan", "daniel@example.test"), ("Priya Nair", "priya@example.test")]
    {
        let who = clinic.patient(name, email).await;
        clinic.program_for(&who, due.date().yesterday().unwrap(), 6).await;
        clinic.remind(&who, &[&due.strftime("%H:%M").to_string()], before).await;
        people.push(who);
    }
    let invite = Owed::PatientInvitation(people[0].id);
    clinic.tenant(async |tx| outbox::enqueue(tx, clinic.id, invite, &people[0].email, now).await).await;
    // At the moment of the backup one reminder waits for its rule, one is queued and claimed, and one is on its way.
    worker::plan(&db.store, now).await.unwrap();
    db.execute("delete from notice where recipient = 'farah@example.test' and kind = 'session_reminder'").await;
    db.execute(
        "update reminder_rule r set due_at = n.due_at, due_date = n.civil_date from notice n, patient p
         where p.id = r.patient_id and p.email = 'farah@example.test' and n.recipient = 'daniel@example.test'",
    )
    .await;
    db.execute("update notice set state = 'claimed', token = gen_random_uuid(), lease_until = now() - interval '1 second' where recipient = 'daniel@example.test'").await;
    db.execute("update notice set state = 'sending', token = gen_random_uuid(), lease_until = now() - interval '1 second', message_id = '<x@clinic.test>' where recipient = 'priya@example.test'").await;
    let backup = std::env::temp_dir().join(format!("homestretch-{}.dump", uuid::Uuid::now_v7()));
    dump(&db, &backup);

    // Life goes on after the backup: two are reminded and one is invited.
    let report = said(&db, &mail, &["worker", "--once"]).await;
    assert!(report.contains("3 sent"), "{report}");
    let reminders = |mails: Vec<testkit::smtp::Mail>| mails.iter().filter(|mail| mail.header("List-Unsubscribe").is_some()).count();
    assert_eq!(reminders(mail.messages()), 2);

    let restored = Db::new().await;
    restore(&restored, &backup);
    std::fs::remove_file(&backup).unwrap();
    let first = said(&restored, &mail, &["reminders", "hold"]).await;
    assert!(first.starts_with("Reminders are held back since 20"), "{first}");
    assert_eq!(said(&restored, &mail, &["reminders", "hold"]).await, first, "a second time says since when");

    // Workers may run: nothing that was queued at the backup goes out once more, of whatever kind.
    let held = said(&restored, &mail, &["worker", "--once"]).await;
    assert!(held.contains(" 0 sent"), "{held}");
    assert_eq!((reminders(mail.messages()), mail.messages().len()), (2, 3));
    // Its lease was over, so it is known to be unknown by now.
    assert_eq!(restored.row("select state from notice where recipient = 'priya@example.test'").await, "unknown");

    let released = said(&restored, &mail, &["reminders", "release"]).await;
    assert!(released.contains("\n2 that fell due before are skipped as expired"), "{released}");
    assert!(released.contains("\n1 account mails go on waiting"), "{released}");
    let after = said(&restored, &mail, &["worker", "--once"]).await;
    assert!(after.contains("0 planned, 0 sent"), "{after}");
    assert_eq!(mail.messages().len(), 3, "nothing twice, of whatever kind");
    assert_eq!(
        restored.rows("select recipient, state, reason from notice where kind = 'session_reminder' order by 1").await,
        ["daniel@example.test|skipped|expired", "farah@example.test|skipped|expired", "priya@example.test|unknown|"]
    );
    // Tomorrow's go out.
    assert_eq!(restored.row("select count(*), bool_and(due_at > now()) from reminder_rule").await, "3|t");
    assert_eq!(restored.row("select held_since is null from mail_sender").await, "t");
    let again = said(&restored, &mail, &["reminders", "release"]).await;
    assert_eq!(
        again,
        "Reminders were not held back; nothing is changed.\n1 account mails go on waiting: `--account-mail send` or `drop` decides.\n"
    );
    let dropped = said(&restored, &mail, &["reminders", "release", "--account-mail", "drop"]).await;
    assert!(dropped.ends_with("1 account mails are left out.\n"), "{dropped}");
    said(&restored, &mail, &["worker", "--once"]).await;
    assert_eq!(mail.messages().len(), 3);
}

#[tokio::test]
async fn releasing_at_once_says_what_was_on_its_way() {
    let (db, mail) = (Db::new().await, Server::start().await.unwrap());
    let now = clock::now();
    let clinic = people::clinic(&db, now).await;
    let who = clinic.patient("Farah Aziz", "farah@example.test").await;
    for (id, state, lease) in [("1", "sending", "-1"), ("2", "claimed", "90")] {
        db.execute(&format!(
            "insert into notice (clinic_id, id, kind, patient_id, recipient, civil_date, civil_time, dedupe_key, state, token, lease_until,
               due_at, next_at, created_at)
             select clinic_id, gen_random_uuid(), 'session_reminder', id, email, current_date, '08:00', '{id}', '{state}',
               gen_random_uuid(), now() + interval '{lease} seconds', now(), now(), now() from patient where id = '{}'",
            who.id
        ))
        .await;
    }
    said(&db, &mail, &["reminders", "hold"]).await;
    let released = said(&db, &mail, &["reminders", "release"]).await;
    // A claim of the backup counts for nothing, however long it had to run.
    assert!(released.contains("\n1 that fell due before"), "{released}");
    assert!(released.contains("\n1 were being sent when the backup was made"), "{released}");
}

#[tokio::test]
async fn wrong_usage_and_a_database_that_is_away_are_told_apart() {
    let (db, mail) = (Db::new().await, Server::start().await.unwrap());
    assert_eq!(homestretch(&db, &mail, &["reminders", "free"]).await.status.code(), Some(2));
    let help = said(&db, &mail, &["reminders", "--help"]).await;
    assert!(help.contains("hold") && help.contains("release"), "{help}");
    let mut away = Command::new(env!("CARGO_BIN_EXE_homestretch"));
    let output = away.args(["reminders", "release"]).env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("homestretch: cannot reach the database") && error.lines().count() == 1, "{error}");
}

#[tokio::test]
async fn whom_no_owner_can_help_the_operator_can() {
    let (db, mail) = (Db::new().await, Server::start().await.unwrap());
    let clinic = people::clinic(&db, clock::now()).await;
    let (account, email) = (clinic.owner.account, clinic.owner.email.as_str().to_owned());
    db.execute(&format!(
        "insert into second_factor (account_id, sealed, created_at, confirmed_at) values ('{account}', decode(repeat('00', 48), 'hex'), now(), now());
         insert into recovery_code (account_id, hash) values ('{account}', sha256('x'));
         insert into session (id, token_hash, account_id, clinic_id, membership_id, reach, created_at, seen_at, expires_at)
           values (gen_random_uuid(), sha256('y'), '{account}', '{}', '{}', 'full', now(), now(), now() + interval '1 day')",
        clinic.id, clinic.owner.membership
    ))
    .await;
    let command = ["account", "reset-second-factor"];
    assert!(said(&db, &mail, &[command[0], command[1], &email]).await.contains("is off"));
    for table in ["second_factor", "recovery_code", "session"] {
        assert_eq!(db.row(&format!("select count(*) from {table}")).await, "0", "{table}");
    }
    let noted =
        "select deed, subject, membership_id is null from audit_entry where account_id is not null order by seq desc limit 1";
    assert_eq!(db.row(noted).await, "wrote|account|t", "nobody of the clinic did it");
    assert!(said(&db, &mail, &[command[0], command[1], &email.to_uppercase()]).await.contains("has no second factor"));
    for nobody in ["nobody@clinic.test", "nobody"] {
        let output = homestretch(&db, &mail, &[command[0], command[1], nobody]).await;
        assert_eq!(output.status.code(), Some(1), "{nobody}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(nobody));
    }
}
