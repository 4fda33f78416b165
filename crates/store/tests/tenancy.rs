//! A clinic's rows stay inside the clinic, a patient's with the patient: held by the database itself, whatever a statement says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use domain::ids::{ClinicId, PatientId};
use store::{Actor, ClinicContext, StoreError, patient};
use testkit::Db;
use tokio::sync::oneshot;

/// Two clinics with a patient each, and a second patient in the first.
async fn two_clinics(db: &Db) -> [(ClinicId, PatientId); 3] {
    let (a, b) = (ClinicId::new(), ClinicId::new());
    let all = [(a, PatientId::new()), (a, PatientId::new()), (b, PatientId::new())];
    for clinic in [a, b] {
        db.execute(&format!("insert into clinic (id, name, created_at) values ('{clinic}', 'Clinic', now())")).await;
    }
    for (clinic, id) in all {
        db.execute(&format!(
            "insert into patient (clinic_id, id, name, zone, created_at) values ('{clinic}', '{id}', 'Somebody', 'Asia/Kuala_Lumpur', now())"
        ))
        .await;
    }
    all
}

async fn find(db: &Db, scope: &ClinicContext, id: PatientId) -> Result<patient::Patient, StoreError> {
    let tx = db.store.begin(scope).await?;
    let found = patient::find(&tx, id).await?;
    tx.commit().await?;
    Ok(found)
}

async fn mark_invited(db: &Db, scope: &ClinicContext, id: PatientId) {
    let tx = db.store.begin(scope).await.unwrap();
    patient::mark_invited(&tx, id, testkit::clock::at("2026-11-22T01:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
}

/// What the app's role sees, with these settings and without a word about clinics in the statement.
async fn seen(db: &Db, clinic: &str, patient: &str, sql: &str) -> String {
    db.rows(&format!(
        "begin; set local role homestretch_app; set local app.clinic_id = '{clinic}'; set local app.patient_id = '{patient}'; {sql}; commit"
    ))
    .await
    .join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_forgets_the_clinic_sees_only_its_own() {
    let db = Db::new().await;
    let [(a, first), (_, second), (b, other)] = two_clinics(&db).await;
    let both = |one: PatientId, two: PatientId| {
        let mut ids = [one.to_string(), two.to_string()];
        ids.sort();
        ids.join(",")
    };
    let all = "select id from patient order by id::text";
    assert_eq!(seen(&db, &a.to_string(), "", all).await, both(first, second));
    assert_eq!(seen(&db, &b.to_string(), "", all).await, other.to_string());
    assert_eq!(seen(&db, "", "", all).await, "", "no clinic, no rows");
    assert_eq!(seen(&db, &a.to_string(), &first.to_string(), all).await, first.to_string(), "a patient sees themselves alone");
    assert_eq!(seen(&db, &b.to_string(), &first.to_string(), all).await, "", "and nobody in another clinic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_sees_whether_their_own_address_is_stopped_and_nobody_elses() {
    let db = Db::new().await;
    let [(a, first), (_, second), _] = two_clinics(&db).await;
    for (id, email) in [(first, "first@home.test"), (second, "second@home.test")] {
        db.execute(&format!("update patient set email = '{email}' where id = '{id}'")).await;
        db.execute(&format!("insert into suppression values ('{a}', '{email}', 'reminders', 'unsubscribed', now())")).await;
    }
    let (clinic, all) = (a.to_string(), "select email from suppression order by 1");
    assert_eq!(seen(&db, &clinic, "", all).await, "first@home.test,second@home.test");
    assert_eq!(seen(&db, &clinic, &first.to_string(), all).await, "first@home.test");
    assert_eq!(seen(&db, &clinic, &first.to_string(), "delete from suppression returning email").await, "first@home.test");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clinics_patient_is_as_unknown_as_nobody() {
    let db = Db::new().await;
    let [(a, first), (_, second), (_, other)] = two_clinics(&db).await;
    let staff = ClinicContext::new(a, Actor::System);
    let own = ClinicContext::new(a, Actor::Patient(first));
    for (scope, id, there) in [
        (&staff, first, true),
        (&staff, second, true),
        (&staff, other, false),
        (&staff, PatientId::new(), false),
        (&own, first, true),
        (&own, second, false),
    ] {
        match (there, find(&db, scope, id).await) {
            (true, Ok(found)) => assert_eq!(found.id, id),
            (false, Err(StoreError::NotFound)) => {}
            (_, found) => panic!("{found:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_into_another_clinic_is_refused_and_changes_nothing() {
    let db = Db::new().await;
    let [(a, _), _, (_, other)] = two_clinics(&db).await;
    let scope = ClinicContext::new(a, Actor::System);
    // An id of the other clinic's, in this clinic's scope: no row is touched.
    mark_invited(&db, &scope, other).await;
    assert_eq!(db.row(&format!("select invited_at from patient where id = '{other}'")).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_dropped_half_way_leaves_no_transaction_and_no_clinic_behind() {
    let db = Db::new().await;
    let [(a, _), _, (b, other)] = two_clinics(&db).await;
    for _ in 0..8 {
        let (begun, has_begun) = oneshot::channel::<()>();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let store = db.store.clone();
        let request = tokio::spawn(async move {
            let tx = store.begin(&ClinicContext::new(a, Actor::System)).await?;
            let _ = begun.send(());
            let _ = may_go_on.await;
            patient::find(&tx, PatientId::new()).await?;
            tx.commit().await
        });
        has_begun.await.unwrap();
        // The browser goes away in the middle of the work.
        request.abort();
        let _ = go_on.send(());
    }
    // Every connection of the pool in turn: none brings the other clinic along, every write is kept.
    for _ in 0..8 {
        mark_invited(&db, &ClinicContext::new(b, Actor::System), other).await;
        assert_ne!(db.row(&format!("select invited_at from patient where id = '{other}'")).await, "");
        db.execute(&format!("update patient set invited_at = null where id = '{other}'")).await;
    }
}
