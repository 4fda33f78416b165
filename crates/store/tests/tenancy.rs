//! A clinic's rows stay inside the clinic, a patient's with the patient: held by the database itself, whatever a statement says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use domain::ids::{ClinicId, PatientId};
use store::{Actor, Scope, StoreError, patient};
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

/// What the app's role sees, with these settings and without a word about clinics in the statement.
async fn seen(db: &Db, clinic: &str, patient: &str, sql: &str) -> String {
    db.rows(&format!(
        "begin; set local role homestretch_app; set local app.clinic_id = '{clinic}'; set local app.patient_id = '{patient}'; {sql}; commit"
    ))
    .await
    .join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_a_clinic_is_held_by_forced_policies() {
    let db = Db::new().await;
    let open = db
        .rows(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'public' and c.relkind in ('r', 'p') and c.relname <> '_sqlx_migrations'
               and not (c.relrowsecurity and c.relforcerowsecurity)",
        )
        .await;
    assert_eq!(open, Vec::<String>::new(), "without forced row-level security");
    let keyless = db
        .rows(
            "select t.relname from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attname = 'clinic_id'
             join pg_constraint k on k.conrelid = t.oid and k.contype = 'p'
             where t.relkind = 'r' and t.relname not in ('session', 'link') and not a.attnum = any (k.conkey)",
        )
        .await;
    assert_eq!(keyless, Vec::<String>::new(), "whose key does not begin with the clinic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_cannot_point_at_another_clinics() {
    let db = Db::new().await;
    // Between two tables that both have a clinic_id, every foreign key carries it.
    let loose = db
        .rows(
            "select k.conname from pg_constraint k
             join pg_attribute a on a.attrelid = k.conrelid and a.attname = 'clinic_id'
             join pg_attribute b on b.attrelid = k.confrelid and b.attname = 'clinic_id'
             where k.contype = 'f' and not (a.attnum = any (k.conkey) and b.attnum = any (k.confkey))",
        )
        .await;
    assert_eq!(loose, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_roles_own_nothing_and_pass_no_policy() {
    let db = Db::new().await;
    let roles = db
        .rows(
            "select rolname, rolsuper, rolbypassrls, rolcanlogin, (select count(*) from pg_class where relowner = pg_roles.oid)
             from pg_roles where rolname like 'homestretch\\_%' order by 1",
        )
        .await;
    assert_eq!(
        roles,
        ["homestretch_app|f|f|f|0", "homestretch_audit|f|f|f|0", "homestretch_signin|f|f|f|0", "homestretch_worker|f|f|f|0"]
    );
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
async fn another_clinics_patient_is_as_unknown_as_nobody() {
    let db = Db::new().await;
    let [(a, first), (_, second), (_, other)] = two_clinics(&db).await;
    let staff = Scope::new(a, Actor::System);
    let own = Scope::new(a, Actor::Patient(first));
    for (scope, id, there) in [
        (staff.clone(), first, true),
        (staff.clone(), second, true),
        (staff.clone(), other, false),
        (staff.clone(), PatientId::new(), false),
        (own.clone(), first, true),
        (own.clone(), second, false),
    ] {
        let found = db.store.tenant(&scope, move |tx| async move { patient::find(&tx, id).await }).await;
        match (there, found) {
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
    let scope = Scope::new(a, Actor::System);
    let now = testkit::clock::at("2026-11-22T01:00:00Z");
    // An id of the other clinic's, in this clinic's scope: no row is touched.
    db.store.tenant(&scope, move |tx| async move { patient::mark_invited(&tx, other, now).await }).await.unwrap();
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
            store
                .tenant(Scope::new(a, Actor::System), move |tx| async move {
                    let _ = begun.send(());
                    let _ = may_go_on.await;
                    patient::find(&tx, PatientId::new()).await.map(|_| ())
                })
                .await
        });
        has_begun.await.unwrap();
        // The browser goes away in the middle of the work.
        request.abort();
        let _ = go_on.send(());
    }
    // Every connection of the pool in turn: none brings the other clinic along, every write is kept.
    let now = testkit::clock::at("2026-11-22T01:00:00Z");
    for _ in 0..8 {
        let scope = Scope::new(b, Actor::System);
        db.store.tenant(&scope, move |tx| async move { patient::mark_invited(&tx, other, now).await }).await.unwrap();
        assert_ne!(db.row(&format!("select invited_at from patient where id = '{other}'")).await, "");
        db.execute(&format!("update patient set invited_at = null where id = '{other}'")).await;
    }
}
