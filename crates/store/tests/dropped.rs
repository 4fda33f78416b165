//! A slow database and somebody who does not wait: whatever the moment, nothing stays behind on a connection. A transaction that is dropped,
//! or whose future is dropped half-way, is rolled back; a commit that was asked for is carried through.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use domain::{
    ids::{ClinicId, PatientId},
    person::PersonName,
};
use store::{Actor, ClinicContext, Store, StoreError, patient};
use testkit::{
    Db,
    proxy::{Proxy, Side},
};
use tokio::sync::Barrier;

/// How many connections the store has; all of them are dropped at once.
const POOL: usize = 3;

/// The server's sessions that are not at rest, as their state and what they were last asked.
const UNDER_WAY: &str = "select state || ': ' || left(query, 60) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'";

/// A clinic with patients.
async fn clinic(db: &Db, patients: usize) -> (ClinicId, Vec<PatientId>) {
    let clinic = ClinicId::new();
    db.execute(&format!("insert into clinic (id, name, created_at) values ('{clinic}', 'Clinic', now())")).await;
    let ids: Vec<PatientId> = (0..patients).map(|_| PatientId::new()).collect();
    for id in &ids {
        db.execute(&format!(
            "insert into patient (clinic_id, id, name, zone, created_at) values ('{clinic}', '{id}', 'Before', 'Asia/Kuala_Lumpur', now())"
        ))
        .await;
    }
    (clinic, ids)
}

fn scope(clinic: ClinicId) -> ClinicContext {
    ClinicContext::new(clinic, Actor::System)
}

/// Two writes that belong together.
async fn rename_and_invite(store: Store, clinic: ClinicId, id: PatientId) -> Result<(), StoreError> {
    let (name, now) = (PersonName::parse("Somebody After").unwrap(), testkit::clock::at("2026-11-22T01:00:00Z"));
    let tx = store.begin(&scope(clinic)).await?;
    patient::rename(&tx, id, &name).await?;
    patient::mark_invited(&tx, id, now).await?;
    tx.commit().await
}

/// Waits until no session of the server is inside a statement or a transaction.
async fn at_rest(db: &Db, when: &str) {
    let mut left = Vec::new();
    for _ in 0..1200 {
        left = db.rows(UNDER_WAY).await;
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{when}: left behind {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_moment_nothing_is_left_behind() {
    for (moment, text) in [
        ("BEGIN", "start transaction"),
        ("the first write", "Somebody After"),
        ("the second write", "invited_at"),
        ("COMMIT", "commit"),
    ] {
        for side in [Side::Question, Side::Answer] {
            dropped_at(moment, text, side).await;
        }
    }
}

async fn dropped_at(moment: &str, text: &str, side: Side) {
    let when = format!("dropped at the {side:?} of {moment}");
    let db = Db::new().await;
    let (a, patients) = clinic(&db, POOL).await;
    let (b, others) = clinic(&db, POOL).await;
    let line = Proxy::to(db.url()).await;
    let store = Store::connect_with(line.url(), u32::try_from(POOL).unwrap()).await.unwrap();

    let held = line.hold(text.as_bytes(), side, POOL);
    let requests: Vec<_> = patients.iter().map(|id| tokio::spawn(rename_and_invite(store.clone(), a, *id))).collect();
    held.reached().await;
    // The browsers go away.
    for request in requests {
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled(), "{when}");
    }
    held.release();
    at_rest(&db, &when).await;

    // The whole pool, at once, in another clinic: it sees that clinic alone, and what it writes is kept.
    let together = Arc::new(Barrier::new(POOL));
    let writers: Vec<_> = others
        .iter()
        .map(|id| {
            let (store, together, id, foreign) = (store.clone(), together.clone(), *id, patients[0]);
            tokio::spawn(async move {
                let tx = store.begin(&scope(b)).await?;
                together.wait().await;
                assert!(matches!(patient::find(&tx, foreign).await, Err(StoreError::NotFound)));
                patient::mark_invited(&tx, id, testkit::clock::at("2026-11-22T02:00:00Z")).await?;
                tx.commit().await
            })
        })
        .collect();
    for writer in writers {
        let done = tokio::time::timeout(Duration::from_secs(60), writer).await;
        done.unwrap_or_else(|_| panic!("{when}: a connection is lost")).unwrap().unwrap();
    }
    let kept = format!("select count(*) from patient where clinic_id = '{b}' and invited_at is not null");
    assert_eq!(db.row(&kept).await, POOL.to_string(), "{when}: an acknowledged write is lost");

    // What was dropped is there as a whole or not at all.
    at_rest(&db, &when).await;
    let halves =
        db.rows(&format!("select id from patient where clinic_id = '{a}' and (name = 'Before') <> (invited_at is null)")).await;
    assert!(halves.is_empty(), "{when}: half of it is there: {halves:?}");
    let written = format!("select count(*) from patient where clinic_id = '{a}' and invited_at is not null");
    if moment == "COMMIT" && side == Side::Answer {
        assert_eq!(db.row(&written).await, POOL.to_string(), "{when}: the server had committed");
    }
}

/// What this would see if the store were careless: a pool of sqlx as it is, in which a BEGIN is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_careless_pool_is_found_out() {
    let db = Db::new().await;
    let line = Proxy::to(db.url()).await;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(line.url()).await.unwrap();
    let held = line.hold(b"begin", Side::Answer, 1);
    let careless = pool.clone();
    let request = tokio::spawn(async move {
        let _open = careless.begin().await;
    });
    held.reached().await;
    request.abort();
    held.release();
    for _ in 0..1200 {
        if db.rows(UNDER_WAY).await.iter().any(|state| state.starts_with("idle in transaction")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("sqlx has learned to end a BEGIN that nobody waits for; see the head of store's db/transaction.rs");
}
