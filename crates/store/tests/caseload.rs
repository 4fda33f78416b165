//! A physiotherapist who is kept to their own caseload: held by the database itself, whatever a statement says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use domain::ids::{MembershipId, PatientId};
use store::{Actor, ClinicContext, StoreError, exercise, patient, template};
use testkit::{Db, people};

/// A clinic with three patients who have a program, a log and reminders: Hannah's, a colleague's, and nobody's; and the colleague.
async fn clinic(db: &Db) -> (people::Clinic, [people::Somebody; 3], MembershipId) {
    let now = testkit::clock::at("2026-03-02T08:00:00+08:00");
    let clinic = people::clinic(db, now).await;
    let colleague = MembershipId::new();
    db.execute(&format!(
        "with a as (insert into account (id, email, created_at) values (gen_random_uuid(), 'mei@riverside.test', now()) returning id)
         insert into membership (clinic_id, id, account_id, role, name, joined_at, created_at)
         select '{}', '{colleague}', id, 'physiotherapist', 'Mei Wong', now(), now() from a",
        clinic.id
    ))
    .await;
    let mut all = Vec::new();
    for name in ["own", "other", "nobodys"] {
        let who = clinic.patient(name, &format!("{name}@home.test")).await;
        clinic.join(&who).await;
        let date = jiff::civil::date(2026, 2, 23);
        let program = clinic.program_for(&who, date, 6).await;
        clinic.log(&who, &program, date, Some(3)).await;
        clinic.remind(&who, &["08:00"], now).await;
        all.push(who);
    }
    let [own, other, nobodys]: [people::Somebody; 3] = all.try_into().unwrap();
    db.execute(&format!("update patient set physiotherapist_id = '{colleague}' where id = '{}'", other.id)).await;
    db.execute(&format!("update patient set physiotherapist_id = null where id = '{}'", nobodys.id)).await;
    // What the usual ways do not fill.
    for who in [&own, &other, &nobodys] {
        db.execute(&format!(
            "insert into program_pause (clinic_id, id, program_id, patient_id, from_date, created_at)
               select clinic_id, gen_random_uuid(), id, patient_id, starts_on, now() from program where patient_id = '{id}';
             insert into log_revision select clinic_id, gen_random_uuid(), id, patient_id, '{{}}', now() from session_log where patient_id = '{id}';
             insert into reply (clinic_id, id, patient_id, log_id, text, written_by, written_at)
               select clinic_id, gen_random_uuid(), patient_id, id, 'x', '{by}', now() from session_log where patient_id = '{id}';
             insert into questionnaire_plan (clinic_id, id, patient_id, program_id, every_weeks, since, set_by, set_at)
               select clinic_id, gen_random_uuid(), patient_id, id, 4, starts_on, '{by}', now() from program where patient_id = '{id}';
             insert into questionnaire_answer (clinic_id, id, patient_id, program_id, date, ability_edition, rating_edition, received_at)
               select clinic_id, gen_random_uuid(), patient_id, id, starts_on, 'psfs-1995', 'groc-11', now() from program where patient_id = '{id}';
             insert into questionnaire_activity (clinic_id, id, patient_id, program_id, position, name, named_in)
               select clinic_id, gen_random_uuid(), patient_id, program_id, 1, 'x', id from questionnaire_answer where patient_id = '{id}';
             insert into questionnaire_score (clinic_id, answer_id, activity_id, patient_id, score)
               select clinic_id, named_in, id, patient_id, 3 from questionnaire_activity where patient_id = '{id}';
             insert into questionnaire_revision (clinic_id, id, answer_id, patient_id, before, replaced_at)
               select clinic_id, gen_random_uuid(), id, patient_id, '{{}}', now() from questionnaire_answer where patient_id = '{id}';
             insert into attention_mark (clinic_id, id, patient_id, kind, fact_key, marked_by, marked_at)
               values ('{clinic}', gen_random_uuid(), '{id}', 'pain_high', 'x', '{by}', now());
             insert into notice (clinic_id, id, kind, patient_id, recipient, dedupe_key, due_at, next_at, created_at)
               values ('{clinic}', gen_random_uuid(), 'test', '{id}', 'x@home.test', 'x{id}', now(), now(), now());
             insert into delivery_attempt (clinic_id, id, notice_id, at, phase, outcome)
               select clinic_id, gen_random_uuid(), id, now(), 'data', 'sent' from notice where dedupe_key = 'x{id}'",
            id = who.id,
            clinic = clinic.id,
            by = clinic.physio.membership
        ))
        .await;
    }
    (clinic, [own, other, nobodys], colleague)
}

async fn find(db: &Db, scope: &ClinicContext, id: PatientId) -> Result<patient::Patient, StoreError> {
    let tx = db.store.begin(scope).await?;
    let found = patient::find(&tx, id).await?;
    tx.commit().await?;
    Ok(found)
}

async fn create(db: &Db, scope: &ClinicContext, record: &patient::Patient) -> Result<(), StoreError> {
    let tx = db.store.begin(scope).await?;
    patient::create(&tx, record).await?;
    tx.commit().await
}

fn scopes(clinic: &people::Clinic) -> (ClinicContext, ClinicContext) {
    let wide = ClinicContext::new(clinic.id, Actor::Staff(clinic.physio.membership));
    (wide.clone(), wide.kept_to(clinic.physio.membership))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_forgets_the_caseload_sees_only_it() {
    let db = Db::new().await;
    let (clinic, [own, other, nobodys], colleague) = clinic(&db).await;
    let seen = async |caseload: &str, sql: &str| {
        db.rows(&format!(
            "begin; set local role homestretch_app; set local app.clinic_id = '{}'; set local app.caseload = '{caseload}'; {sql}; commit",
            clinic.id
        ))
        .await
    };
    let hannah = clinic.physio.membership.to_string();
    let tables = db
        .rows(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'patient_id'
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and has_any_column_privilege('homestretch_app', c.oid, 'select')
               and c.relname not in ('audit_entry', 'breach', 'consent_withdrawal') order by 1",
        )
        .await;
    assert!(tables.len() >= 11, "{tables:?}");
    for table in &tables {
        let sql = format!("select distinct patient_id::text from {table} where patient_id is not null order by 1");
        let mut expected = vec![own.id.to_string(), other.id.to_string(), nobodys.id.to_string()];
        expected.sort();
        assert_eq!(seen("", &sql).await, expected, "{table}, wide");
        expected.retain(|id| *id != other.id.to_string());
        assert_eq!(seen(&hannah, &sql).await, expected, "{table}, kept to the caseload");
        assert!(!seen(&hannah, &sql).await.contains(&other.id.to_string()));
    }
    assert_eq!(seen(&hannah, "select name from patient order by 1").await, ["nobodys", "own"]);
    assert_eq!(seen(&colleague.to_string(), "select name from patient order by 1").await, ["nobodys", "other"]);
    assert_eq!(seen("", "select count(*) from delivery_attempt").await, ["3"]);
    assert_eq!(seen(&hannah, "select count(*) from delivery_attempt").await, ["2"]);

    // Nothing is written beyond it either.
    for write in [
        format!("update patient set name = 'x' where id = '{}'", other.id),
        format!("update reminder_rule set paused_until = '2026-12-01' where patient_id = '{}'", other.id),
        format!("update session_log set note = 'x' where patient_id = '{}'", other.id),
    ] {
        let done = seen(&hannah, &format!("{write}; select 'x' where false")).await;
        assert!(done.is_empty());
    }
    assert_eq!(db.row(&format!("select name from patient where id = '{}'", other.id)).await, "other");
    assert_eq!(db.row("select count(*) from session_log where note = 'x'").await, "0");
    assert_eq!(db.row("select count(*) from reminder_rule where paused_until is not null").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleagues_patient_is_as_unknown_as_nobody() {
    let db = Db::new().await;
    let (clinic, [own, other, nobodys], _) = clinic(&db).await;
    let (wide, kept) = scopes(&clinic);
    for (scope, id, there) in [
        (&wide, other.id, true),
        (&kept, own.id, true),
        (&kept, nobodys.id, true),
        (&kept, other.id, false),
        (&kept, PatientId::new(), false),
    ] {
        match (there, find(&db, scope, id).await) {
            (true, Ok(found)) => assert_eq!(found.id, id),
            (false, Err(StoreError::NotFound)) => {}
            (_, found) => panic!("{found:?}"),
        }
    }
    // Nobody is taken from, or given to, a colleague by somebody who is kept to their own.
    let mut taken = find(&db, &wide, own.id).await.unwrap();
    taken.id = PatientId::new();
    taken.email = None;
    taken.account = None;
    taken.physiotherapist = Some(db.row("select id from membership where name = 'Mei Wong'").await.parse().unwrap());
    assert!(create(&db, &kept, &taken).await.is_err());
    // The library and the templates are the clinic's.
    for scope in [&wide, &kept] {
        let tx = db.store.begin(scope).await.unwrap();
        assert!(exercise::count(&tx).await.unwrap() > 0 && !template::list(&tx).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    }
}
