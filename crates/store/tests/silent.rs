//! Connections that fall silent while new ones work, at every step of a transaction and in every pool: a step has its time, a connection
//! past it is closed, and the next one works.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{
    ids::{ClinicId, PatientId},
    person::PersonName,
};
use store::{Actor, ClinicContext, Step, Store, StoreError, Timeouts, outbox, patient};
use testkit::{
    Db,
    proxy::{Proxy, Side},
};
use tokio::net::TcpListener;

/// Short, so that the test is; a machine under load still answers a statement within them.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(2), statement: Duration::from_millis(500), commit: Duration::from_secs(2) };

/// Longer than all the limits of one piece of work together: what takes longer has none.
const ENDS: Duration = Duration::from_secs(30);

async fn clinic(db: &Db) -> (ClinicId, PatientId) {
    let clinic = ClinicId::new();
    db.execute(&format!("insert into clinic (id, name, created_at) values ('{clinic}', 'Clinic', now())")).await;
    (clinic, patient_of(db, clinic).await)
}

async fn patient_of(db: &Db, clinic: ClinicId) -> PatientId {
    let id = PatientId::new();
    db.execute(&format!(
        "insert into patient (clinic_id, id, name, zone, created_at) values ('{clinic}', '{id}', 'Before', 'Asia/Kuala_Lumpur', now())"
    ))
    .await;
    id
}

async fn rename(store: &Store, clinic: ClinicId, id: PatientId) -> Result<(), StoreError> {
    let name = PersonName::parse("Farah After").unwrap();
    let work = async {
        let tx = store.begin(&ClinicContext::new(clinic, Actor::System)).await?;
        patient::rename(&tx, id, &name).await?;
        tx.commit().await
    };
    tokio::time::timeout(ENDS, work).await.expect("every await on the wire has a limit")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_a_transaction_ends_in_time_and_the_next_one_works() {
    for side in [Side::Question, Side::Answer] {
        for (text, expected) in [("start transaction", None), ("Farah After", Some("statement")), ("commit", Some("commit"))] {
            let db = Db::new().await;
            let (clinic, id) = clinic(&db).await;
            let other = patient_of(&db, clinic).await;
            let line = Proxy::to(db.url()).await;
            let store = Store::connect_within(line.url(), 2, TIMEOUTS).await.unwrap();
            rename(&store, clinic, id).await.unwrap();

            let held = line.hold(text.as_bytes(), side, 1);
            let outcome = rename(&store, clinic, id).await;
            held.reached().await;
            match (expected, outcome) {
                // Nothing was done yet, so another connection begins in its place.
                (None, Ok(())) => {}
                (Some("statement"), Err(StoreError::TimedOut(Step::Statement))) => {}
                (Some("commit"), Err(StoreError::Unconfirmed(_))) => {}
                (_, outcome) => panic!("{text}, {side:?}: {outcome:?}"),
            }
            // What is held is never let go: the connection is not used again, and the next one does not wait for it. The row itself stays
            // locked until the server ends the transaction that waits.
            rename(&store, clinic, other).await.unwrap_or_else(|error| panic!("after {text}, {side:?}: {error}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pool_works_again_after_all_its_connections_fell_silent() {
    let db = Db::new().await;
    let (clinic, id) = clinic(&db).await;
    let line = Proxy::to(db.url()).await;
    let store = Store::connect_within(line.url(), 3, TIMEOUTS).await.unwrap();
    let scope = ClinicContext::new(clinic, Actor::System);
    let email = "farah@example.test".parse().unwrap();
    let everything = async || {
        let looked = async {
            let tx = store.begin(&scope).await?;
            patient::find(&tx, id).await?;
            tx.commit().await
        };
        tokio::time::timeout(ENDS, looked).await.expect("the pages' pool").unwrap();
        let sign_in = async {
            let tx = store.begin_sign_in().await?;
            store::account::by_email(&tx, &email).await?;
            tx.commit().await
        };
        tokio::time::timeout(ENDS, sign_in).await.expect("the sign-in pool").unwrap();
        let worker = async {
            let tx = store.begin_worker().await?;
            outbox::queue(&tx).await?;
            tx.commit().await
        };
        tokio::time::timeout(ENDS, worker).await.expect("the worker's pool").unwrap();
        let tx = store.autocommit();
        tokio::time::timeout(ENDS, outbox::queue(&tx)).await.expect("the queue's connections").unwrap();
        tokio::time::timeout(ENDS, store.ready()).await.expect("readiness").unwrap();
        tokio::time::timeout(ENDS, store.clock()).await.expect("the clock").unwrap();
    };
    // Several connections in each pool, all of them free.
    tokio::join!(everything(), everything(), everything());
    line.silence();
    // A connection that was used a moment ago is not asked whether it is there; a statement on it waits for its time.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    everything().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_ends_a_statement_that_takes_too_long_and_the_connection_is_kept() {
    let db = Db::new().await;
    let (clinic, id) = clinic(&db).await;
    let line = Proxy::to(db.url()).await;
    let store = Store::connect_within(line.url(), 1, TIMEOUTS).await.unwrap();
    rename(&store, clinic, id).await.unwrap();
    let opened = line.opened();

    let mut blocker =
        sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(db.url()).await.unwrap().begin().await.unwrap();
    sqlx::raw_sql("lock table patient").execute(&mut *blocker).await.unwrap();
    assert!(matches!(rename(&store, clinic, id).await, Err(StoreError::TimedOut(Step::Statement))));
    blocker.rollback().await.unwrap();

    rename(&store, clinic, id).await.unwrap();
    assert_eq!(line.opened(), opened, "the connection was fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_away_until_it_takes_them_again() {
    let db = Db::new().await;
    let (clinic, id) = clinic(&db).await;
    let store = Store::connect_within(db.url(), 2, TIMEOUTS).await.unwrap();
    rename(&store, clinic, id).await.unwrap();
    store.ready().await.unwrap();

    // Connections that are open keep what they had; a standby's would not be let in at all.
    let name = db.row("select current_database()").await;
    db.execute(&format!("alter database {name} set default_transaction_read_only = on")).await;
    let fresh = Store::connect_within(db.url(), 2, TIMEOUTS).await;
    assert!(matches!(fresh, Err(StoreError::ReadOnly)), "{fresh:?}");
    db.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    )
    .await;
    assert!(matches!(store.ready().await, Err(StoreError::ReadOnly)));
    let refused = rename(&store, clinic, id).await.unwrap_err();
    assert!(refused.is_away(), "{refused}");

    db.execute(&format!("start transaction read write; alter database {name} reset default_transaction_read_only; commit")).await;
    store.ready().await.unwrap();
    rename(&store, clinic, id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_waited_for_once_and_the_next_connections_begin_with_the_other() {
    let db = Db::new().await;
    let (clinic, id) = clinic(&db).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = db.url().replacen('@', &format!("@{},", silent.local_addr().unwrap()), 1);
    let reached = Arc::new(AtomicUsize::new(0));
    let counted = reached.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = silent.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            open.push(connection);
        }
    });

    let begun = Instant::now();
    let timeouts = Timeouts { statement: Duration::from_secs(20), ..TIMEOUTS };
    let store = Store::connect_within(&url, 2, timeouts).await.unwrap();
    assert!(begun.elapsed() >= TIMEOUTS.connect, "the first server has its whole limit");
    assert_eq!(reached.load(Ordering::SeqCst), 1);

    // Every pool knows.
    store.check().await.unwrap();
    rename(&store, clinic, id).await.unwrap();
    assert_eq!(reached.load(Ordering::SeqCst), 1, "the others did not ask the silent server");
}
