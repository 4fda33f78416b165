//! Stories of `homestretch seed`: what is loaded, that it is the same each time, and that the pages read it as they read anybody.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod visitor;

use axum::http::StatusCode;
use homestretch::seed::{self, ACCOUNTS, PASSWORD, Size};
use jiff::civil::date;
use testkit::{Db, clock::Clock};

const SIZE: Size = Size { clinics: 1, patients: 40, days: 42, entries: None, seed: 7, more: false };

fn clock() -> Clock {
    Clock::at("2026-11-22T15:00:00+08:00")
}

/// The lives without the ids of clinics, staff and accounts.
async fn lives(db: &Db) -> Vec<String> {
    let mut all = db
        .rows(
            "select p.name, p.id, p.region, p.joined_at, g.name, g.starts_on, g.ends_on, g.finished_on,
               (select string_agg(concat_ws(' ', l.id, l.date, l.performed_at, l.completion, l.pain_after, l.note), ', ' order by l.id)
                from session_log l where l.patient_id = p.id)
             from patient p join program g on g.patient_id = p.id order by p.id",
        )
        .await;
    all.extend(db.rows("select log_id, prescription_id, sets, reps, skipped, completion from log_entry order by 1, 2").await);
    all
}

#[tokio::test]
async fn the_same_number_makes_the_same_lives_and_another_makes_others() {
    let now = clock().now();
    let mut made = Vec::new();
    for seed in [7, 7, 8] {
        let db = Db::new().await;
        let size = Size { patients: 10, days: 14, seed, ..SIZE };
        seed::run(&db.store, db.url(), size, now).await.unwrap();
        let lives = lives(&db).await;
        made.push(lives);
    }
    assert!(made[0].len() > 100, "{}", made[0].len());
    assert_eq!(made[0].iter().map(|row| row.len()).sum::<usize>(), made[1].iter().map(|row| row.len()).sum::<usize>());
    assert_ne!(made[0], made[2]);
    assert_eq!(made[0], made[1]);
}

#[tokio::test]
async fn a_database_with_clinics_in_it_is_left_alone_unless_more_is_wanted() {
    let (db, now) = (Db::new().await, clock().now());
    let size = Size { clinics: 2, patients: 6, days: 10, ..SIZE };
    let loaded = seed::run(&db.store, db.url(), size, now).await.unwrap();
    let count = async |table: &str| db.row(&format!("select count(*) from {table}")).await;
    assert_eq!((count("clinic").await, count("patient").await), ("2".to_owned(), "12".to_owned()));
    assert_eq!(count("session_log").await, loaded.sessions.to_string());
    let told = seed::run(&db.store, db.url(), size, now).await.unwrap_err().to_string();
    assert!(told.contains("2 clinics in this database already"), "{told}");
    assert_eq!(count("patient").await, "12");
    seed::run(&db.store, db.url(), Size { more: true, entries: Some(2), ..size }, now).await.unwrap();
    assert_eq!((count("clinic").await, count("patient").await), ("4".to_owned(), "24".to_owned()));
    // What was done of each exercise is there for the days that were asked for.
    let old = "select count(*) from log_entry e join session_log l on l.id = e.log_id and l.clinic_id = e.clinic_id
               join clinic c on c.id = l.clinic_id where l.date < '2026-11-21' and c.name in ('Clinic 2', 'Clinic 3')";
    assert_eq!(db.row(old).await, "0");
    // Each clinic's audit says that patients were loaded.
    let noted = "select count(distinct clinic_id) from audit_entry where deed = 'wrote' and subject = 'caseload'";
    assert_eq!(db.row(noted).await, "4");
}

#[tokio::test]
async fn made_up_patients_are_read_as_anybody_is() {
    let (db, clock) = (Db::new().await, clock());
    let loaded = seed::run(&db.store, db.url(), SIZE, clock.now()).await.unwrap();
    assert!(loaded.sessions > 500, "{loaded:?}");
    for (role, email) in ACCOUNTS {
        let mut browser = visitor::browser_of(&db, &clock);
        assert_eq!(browser.sign_in(email, PASSWORD).await.status, StatusCode::SEE_OTHER, "{role}");
        let page = if role == "patient" { "/today" } else { "/patients?whose=clinic" };
        assert_eq!(browser.get(page).await.status, StatusCode::OK, "{role}");
    }
    let mut owner = visitor::browser_of(&db, &clock);
    owner.sign_in(ACCOUNTS[0].1, PASSWORD).await;
    assert!(owner.get("/patients").await.has("40 patients"));

    // The clinic's report and a recount in SQL agree, so completions, versions and pauses were loaded as the rules have them.
    let (from, to) = (date(2026, 10, 20), date(2026, 11, 22));
    let file = owner.get(&format!("/reports/adherence.csv?from={from}&to={to}")).await.text;
    let whole = file.lines().nth(1).unwrap().to_owned();
    let sql = include_str!("clinic_report/recount.sql")
        .replace(":'from'", &format!("'{from}'"))
        .replace(":'to'", &format!("'{to}'"))
        .replace(":'today'", &format!("'{to}'"));
    let counted = db.rows(&sql).await.into_iter().find(|row| row.starts_with("clinic|")).unwrap();
    let counted: Vec<&str> = counted.split('|').collect();
    assert!(whole.starts_with(&format!("clinic,,{},{},{},", counted[2], counted[3], counted[4])), "{whole} and {counted:?}");
    let drifted = "select count(*) from session_log l where abs(l.completion - (
        select sum(e.completion) / (select count(*) from prescription x where x.version_id = l.version_id)
        from log_entry e where e.log_id = l.id)) > 1e-9";
    assert_eq!(db.row(drifted).await, "0");

    // There is something of every kind to look at.
    for what in [
        "program_pause",
        "program_version where number = 2",
        "log_entry where skipped is not null",
        "session_log where note is not null",
        "session_log where pain_after is null",
        "reminder_rule where due_at > '2026-11-22T07:00:00Z'",
        "patient where joined_at is null",
        "consent",
    ] {
        assert_ne!(db.row(&format!("select count(*) from {what}")).await, "0", "{what}");
    }
}
