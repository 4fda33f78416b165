//! A stop sign in a log stops the patient's programs in the verb that saves the log, so that every writer of logs does it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use domain::{
    ids::LogId,
    person::Role,
    program::Program,
    session_log::{RedFlag, SessionLog},
};
use jiff::civil::{Date, date};
use store::{Actor, ClinicContext, program, session_log};
use testkit::{
    Db,
    clock::at,
    people::{self, Clinic, Somebody},
};

const NOON: &str = "2026-03-02T12:00:00+08:00";

struct Stage {
    db: Db,
    clinic: Clinic,
    who: Somebody,
    first: Program,
}

impl Stage {
    /// A patient with two programs that have begun and one that is finished.
    async fn new() -> Self {
        let db = Db::new().await;
        let clinic = people::clinic(&db, at(NOON)).await;
        let who = clinic.patient("Farah Aziz", "farah@example.test").await;
        let first = clinic.program_for(&who, date(2026, 2, 23), 6).await;
        clinic.program_for(&who, date(2026, 2, 16), 8).await;
        let mut over = clinic.program_for(&who, date(2026, 1, 5), 12).await;
        over.finish(date(2026, 2, 20)).unwrap();
        clinic.save(&over).await;
        Self { db, clinic, who, first }
    }

    /// A log of the second of March that says nothing of stop signs.
    async fn log(&self) -> SessionLog {
        let id = self.clinic.log(&self.who, &self.first, date(2026, 3, 2), None).await;
        self.clinic.tenant(async |tx| session_log::find(tx, id).await).await
    }

    async fn insert(&self, log: &SessionLog) -> session_log::Saved {
        self.clinic.tenant(async |tx| session_log::insert(tx, &self.first, log).await).await
    }

    async fn correct(&self, log: &SessionLog, now: &str) {
        self.clinic.tenant(async |tx| session_log::correct(tx, &self.first, log, at(now)).await).await;
    }

    /// The pauses that hold programs, by the start of the program.
    async fn stops(&self) -> Vec<String> {
        let sql = "select p.starts_on, s.from_date, s.until_date from program_pause s join program p on p.id = s.program_id
                   where s.needs_physiotherapist order by 1, s.created_at, s.from_date";
        self.db.rows(sql).await
    }

    /// A physiotherapist lets the programs go on from this day.
    async fn resume_all(&self, day: Date) {
        self.clinic
            .tenant(async |tx| {
                for mut program in program::of_patient(tx, self.who.id).await?.into_iter().filter(Program::is_stopped) {
                    program.resume(day, Role::Physiotherapist, "Examined.").unwrap();
                    program::save_state(tx, &program, at("2026-03-03T08:00:00+08:00")).await?;
                }
                Ok(())
            })
            .await;
    }
}

fn flagged(log: &SessionLog, red_flags: &[RedFlag]) -> SessionLog {
    SessionLog { red_flags: red_flags.to_vec(), ..log.clone() }
}

#[tokio::test]
async fn a_log_with_a_stop_sign_stops_every_program_of_the_patient() {
    let stage = Stage::new().await;
    let plain = stage.log().await;
    assert!(stage.stops().await.is_empty());

    let log = SessionLog { id: LogId::new(), ..flagged(&plain, &[RedFlag::FallOrBlow]) };
    assert_eq!(stage.insert(&log).await, session_log::Saved::New);
    assert_eq!(stage.stops().await, ["2026-02-16|2026-03-02|", "2026-02-23|2026-03-02|"]);

    // The device sends it again after a physiotherapist has resumed: it is the same fact.
    stage.resume_all(date(2026, 3, 3)).await;
    assert_eq!(stage.insert(&log).await, session_log::Saved::Known);
    assert_eq!(stage.stops().await, ["2026-02-16|2026-03-02|2026-03-02", "2026-02-23|2026-03-02|2026-03-02"]);
}

#[tokio::test]
async fn a_patient_s_own_log_stops_them_too_from_the_day_it_was_received_where_the_patient_lives() {
    let stage = Stage::new().await;
    let plain = stage.log().await;
    let log = flagged(&plain, &[RedFlag::ChestPainOrBreathlessness]);
    let log = SessionLog { id: LogId::new(), received_at: at("2026-03-03T23:30:00-05:00"), ..log };
    let tx = stage.db.store.begin(&ClinicContext::new(stage.clinic.id, Actor::Patient(stage.who.id))).await.unwrap();
    session_log::insert(&tx, &stage.first, &log).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stage.stops().await, ["2026-02-16|2026-03-04|", "2026-02-23|2026-03-04|"]);
}

#[tokio::test]
async fn a_correction_that_ticks_a_stop_sign_stops_the_programs_and_one_that_takes_it_back_resumes_nothing() {
    let stage = Stage::new().await;
    let plain = stage.log().await;
    let ticked = flagged(&plain, &[RedFlag::UnsteadyWalking]);
    stage.correct(&ticked, "2026-03-03T07:00:00+08:00").await;
    let stopped = ["2026-02-16|2026-03-03|", "2026-02-23|2026-03-03|"];
    assert_eq!(stage.stops().await, stopped);
    stage.correct(&plain, "2026-03-03T07:30:00+08:00").await;
    assert_eq!(stage.stops().await, stopped);

    // The sign that a physiotherapist has seen is no news; another one is.
    stage.correct(&ticked, "2026-03-03T07:40:00+08:00").await;
    stage.resume_all(date(2026, 3, 4)).await;
    stage.correct(&ticked, "2026-03-04T07:00:00+08:00").await;
    assert_eq!(stage.stops().await, ["2026-02-16|2026-03-03|2026-03-03", "2026-02-23|2026-03-03|2026-03-03"]);
    stage.correct(&flagged(&plain, &[RedFlag::UnsteadyWalking, RedFlag::BladderOrBowel]), "2026-03-04T07:10:00+08:00").await;
    let again = [
        "2026-02-16|2026-03-03|2026-03-03",
        "2026-02-16|2026-03-04|",
        "2026-02-23|2026-03-03|2026-03-03",
        "2026-02-23|2026-03-04|",
    ];
    assert_eq!(stage.stops().await, again);
}

#[tokio::test]
async fn the_log_and_the_stop_are_one_transaction() {
    let stage = Stage::new().await;
    let plain = stage.log().await;
    let log = SessionLog { id: LogId::new(), ..flagged(&plain, &[RedFlag::FallOrBlow]) };
    let tx =
        stage.db.store.begin(&ClinicContext::new(stage.clinic.id, Actor::Staff(stage.clinic.physio.membership))).await.unwrap();
    session_log::insert(&tx, &stage.first, &log).await.unwrap();
    drop(tx);
    assert!(stage.stops().await.is_empty());
    assert_eq!(stage.db.row("select count(*) from session_log").await, "1");
}
