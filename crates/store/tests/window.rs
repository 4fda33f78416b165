//! How far back the caseload reads: of each patient as far as their own programs ask for, whatever those of others do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use domain::ids::PatientId;
use jiff::civil::{Date, date};
use store::reports::caseload::{self, Window};
use testkit::{Db, people};

/// As the caseload of 2 March 2026 asks.
const WINDOW: Window = Window { always: date(2026, 1, 3), ended: date(2026, 1, 31), never: date(2024, 3, 2) };

async fn dates(clinic: &people::Clinic, patients: &[PatientId]) -> Vec<Vec<Date>> {
    let mut read = clinic.tenant(async |tx| caseload::sessions(tx, patients, WINDOW).await).await;
    patients.iter().map(|id| read.remove(id).unwrap_or_default().logs.iter().map(|log| log.date).collect()).collect()
}

#[tokio::test]
async fn everybodys_sessions_are_read_as_far_back_as_their_own_programs() {
    let db = Db::new().await;
    let clinic = people::clinic(&db, testkit::clock::at("2026-03-02T08:00:00+08:00")).await;
    let mut patients = Vec::new();
    // A program that has run for two years, one that ended months ago, one that ended three weeks ago, a short one, and none.
    for (name, weeks, logged) in [
        ("long", 104, vec![date(2024, 2, 26), date(2024, 3, 2), date(2025, 6, 2), date(2026, 2, 20)]),
        ("over", 90, vec![date(2024, 3, 4), date(2025, 7, 1)]),
        ("lately", 102, vec![date(2024, 2, 26), date(2024, 4, 1), date(2026, 2, 7)]),
        ("short", 1, vec![date(2026, 1, 2), date(2026, 1, 3)]),
        ("none", 0, vec![]),
    ] {
        let who = clinic.patient(name, &format!("{name}@home.test")).await;
        if weeks > 0 {
            let start = if name == "short" { date(2025, 12, 29) } else { date(2024, 2, 26) };
            let program = clinic.program_for(&who, start, weeks).await;
            for day in &logged {
                clinic.log(&who, &program, *day, Some(3)).await;
            }
        }
        patients.push(who.id);
    }
    let read = dates(&clinic, &patients).await;
    assert_eq!(read[0], [date(2024, 3, 2), date(2025, 6, 2), date(2026, 2, 20)], "never from before the day set");
    assert_eq!(read[1], [] as [Date; 0], "a program that is over asks for nothing, whoever else has a long one");
    assert_eq!(read[2], [date(2024, 4, 1), date(2026, 2, 7)], "one that ended lately does");
    assert_eq!(read[3], [date(2026, 1, 3)], "what is young enough is read in any case");
    assert_eq!(read[4], [] as [Date; 0]);

    // Whatever is younger than the window is read, of those who were asked for.
    assert_eq!(dates(&clinic, &patients[2..3]).await, [vec![date(2024, 4, 1), date(2026, 2, 7)]]);
}
