//! What the reports read must follow what they show, and not what else there is: pages of the database, which do not shake as times do,
//! counted at one size and at ten times as much beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use homestretch::seed::{self, Size};
use testkit::{Db, clock::Clock};

const SIZE: Size = Size { clinics: 1, patients: 60, days: 42, entries: Some(1), seed: 3, more: false };

/// The statements of the reports, with what stands for their parameters.
const STATEMENTS: [(&str, &str); 12] = [
    ("programs", include_str!("../../crates/store/src/reports/clinic_programs.sql")),
    ("patients", include_str!("../../crates/store/src/reports/clinic_patients.sql")),
    ("versions", include_str!("../../crates/store/src/reports/clinic_versions.sql")),
    ("pauses", include_str!("../../crates/store/src/reports/clinic_pauses.sql")),
    ("sessions", include_str!("../../crates/store/src/reports/clinic_sessions.sql")),
    ("prescriptions", include_str!("../../crates/store/src/reports/clinic_prescriptions.sql")),
    ("exercises", include_str!("../../crates/store/src/reports/clinic_exercises.sql")),
    ("entries", include_str!("../../crates/store/src/reports/clinic_entries.sql")),
    ("caseload", include_str!("../../crates/store/src/reports/caseload_patients.sql")),
    ("the caseload's sessions", include_str!("../../crates/store/src/reports/caseload_sessions.sql")),
    ("a patient's sessions", include_str!("../../crates/store/src/reports/patient_sessions.sql")),
    ("a patient's entries", include_str!("../../crates/store/src/reports/patient_entries.sql")),
];

/// How many pages a statement touches in the first clinic, as the program's own role under row-level security.
async fn pages(db: &Db, name: &str, sql: &str) -> u64 {
    let clinic = db.row("select id from clinic where name = 'Clinic 0'").await;
    let patient = db.row(&format!("select id from patient where clinic_id = '{clinic}' order by id limit 1")).await;
    let (from, to) = ("date '2026-10-26'", "date '2026-11-22'");
    let of_clinic = format!("'{clinic}'::uuid");
    let of_patient = format!("'{patient}'::uuid");
    let of_patients = format!("(select array_agg(id) from patient where clinic_id = {of_clinic})");
    let values: [&str; 5] = match name {
        "caseload" => [&of_clinic, "null", "''", "3001", ""],
        "the caseload's sessions" => [&of_clinic, &of_patients, "date '2026-09-25'", "date '2026-10-23'", "date '2024-11-22'"],
        "a patient's sessions" | "a patient's entries" => [&of_clinic, &of_patient, from, to, "5000"],
        _ => [&of_clinic, from, to, "150001", ""],
    };
    let sql: String = sql.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    let sql = (1..=5).rev().fold(sql, |sql, n| sql.replace(&format!("${n}"), values[n - 1]));
    let plan = db
        .rows(&format!(
            "begin; set local role homestretch_app;
             select set_config('app.clinic_id', '{clinic}', true), set_config('app.patient_id', '', true),
               set_config('app.caseload', '', true);
             explain (analyze, buffers, timing off, summary off) {sql}; rollback"
        ))
        .await;
    let told = plan.iter().find_map(|line| line.trim().strip_prefix("Buffers: shared ")).unwrap_or_else(|| panic!("{plan:#?}"));
    told.split(' ')
        .filter(|part| part.starts_with("hit=") || part.starts_with("read="))
        .map(|part| part.split('=').nth(1).unwrap().parse::<u64>().unwrap())
        .sum()
}

/// Vacuums until the visibility map knows every page, as autovacuum has it in use: clinic_sessions.sql says why. A snapshot that is older than
/// the rows (a worker of autovacuum beside it) holds a vacuum back.
async fn vacuumed(db: &Db) {
    for _ in 0..300 {
        db.execute("vacuum (analyze)").await;
        let unknown = "select relname from pg_class where relname in ('session_log', 'log_entry') and relallvisible < relpages";
        if db.rows(unknown).await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("no vacuum makes the pages visible to all");
}

async fn measured(db: &Db) -> Vec<(&'static str, u64)> {
    vacuumed(db).await;
    let mut all = Vec::new();
    for (name, sql) in STATEMENTS {
        // The first time pays for the catalog.
        pages(db, name, sql).await;
        all.push((name, pages(db, name, sql).await));
    }
    all
}

/// What is looked up in an index one by one may take so many pages for each: the sessions of sixty weeks for a patient, what was prescribed
/// for a program, what was done for a session. The number of them is what is shown, and the same at each size.
fn found_one_by_one(name: &str) -> u64 {
    let patients = u64::from(SIZE.patients);
    match name {
        "the caseload's sessions" => 20 * patients,
        "prescriptions" => 6 * patients,
        // Up to twice a day.
        "entries" => 6 * 2 * 28 * patients,
        _ => 0,
    }
}

/// A level of an index more is a few pages for each descent; ten times the rows would be ten times the pages.
#[track_caller]
fn flat(before: &[(&str, u64)], after: &[(&str, u64)]) {
    for ((name, few), (_, many)) in before.iter().zip(after) {
        assert!(*many <= found_one_by_one(name).max(few + few / 2 + 12), "{name}: {few} pages, then {many}: {before:?} {after:?}");
    }
}

#[tokio::test]
async fn reports_read_no_more_beside_ten_clinics_or_after_ten_times_the_history() {
    let now = Clock::at("2026-11-22T15:00:00+08:00").now();
    let db = Db::new().await;
    seed::run(&db.store, db.url(), SIZE, now).await.unwrap();
    let one = measured(&db).await;
    seed::run(&db.store, db.url(), Size { clinics: 9, more: true, ..SIZE }, now).await.unwrap();
    flat(&one, &measured(&db).await);

    let long = Db::new().await;
    seed::run(&long.store, long.url(), Size { days: 420, ..SIZE }, now).await.unwrap();
    flat(&one, &measured(&long).await);
}

/// What keeps the visibility map true while a clinic works; without it the report of a clinic's sessions has another plan.
#[tokio::test]
async fn session_logs_are_vacuumed_by_number_and_not_by_share() {
    let db = Db::new().await;
    let options = db.row("select array_to_string(reloptions, ' ') from pg_class where relname = 'session_log'").await;
    for option in ["autovacuum_vacuum_insert_scale_factor=0", "autovacuum_vacuum_insert_threshold=1000"] {
        assert!(options.split(' ').any(|set| set == option), "{options}");
    }
}
