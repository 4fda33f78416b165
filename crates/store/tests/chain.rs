//! The audit's chain: sixteen at once make one, and whatever a superuser does to it afterwards is found.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use domain::ids::ClinicId;
use store::{
    Actor, ClinicContext,
    audit::{AuditAction, AuditResource},
    keep::{Chains, Head, Snapshot},
};
use testkit::{
    Db,
    clock::at,
    people::{self, Clinic},
};

/// A clinic with entries 1 to 40 at least; its neighbour has a chain of its own.
async fn clinic_with_entries(db: &Db) -> Clinic {
    let now = at("2026-03-02T08:00:00+08:00");
    let clinic = people::clinic(db, now).await;
    let neighbour = people::clinic_called(db, "Hillside Physio", "hillside.test", now).await;
    let farah = clinic.patient("Farah Aziz", "farah@example.test").await;
    append(db, &clinic, 40, Some(farah.id)).await;
    append(db, &neighbour, 5, None).await;
    clinic
}

async fn append(db: &Db, clinic: &Clinic, times: u32, patient: Option<domain::ids::PatientId>) {
    for _ in 0..times {
        let scope = ClinicContext::new(clinic.id, Actor::Staff(clinic.physio.membership));
        let tx = db.store.begin(&scope).await.unwrap();
        tx.note(AuditAction::Read, AuditResource::Record, patient);
        tx.commit().await.unwrap();
    }
}

async fn follow(db: &Db, only: Option<ClinicId>, anchors: &[Head]) -> Chains {
    let mut snapshot = Snapshot::open(db.url()).await.unwrap();
    let chains = snapshot.follow_audit(only, anchors, |_, _| ()).await.unwrap();
    snapshot.close().await;
    chains
}

/// "seq: what" of each fault; all of them must be the clinic's own.
async fn faults(db: &Db, clinic: &Clinic, anchors: &[Head]) -> Vec<String> {
    let chains = follow(db, None, anchors).await;
    assert!(chains.faults.iter().all(|fault| fault.clinic == clinic.id.0), "{:?}", chains.faults);
    assert_eq!(chains.heads.len(), if chains.faults.is_empty() { 2 } else { 1 }, "the neighbour's chain is whole");
    chains.faults.iter().map(|fault| format!("{}: {}", fault.seq, fault.what)).collect()
}

/// Makes the chain hang together again from an entry on, with the database's own function, as somebody who knows it would.
async fn write_anew(db: &Db, from: i64) {
    db.execute(&format!(
        "do $$ declare e audit_entry; before bytea; begin
           for e in select * from audit_entry a where a.clinic_id = (select id from clinic where name = 'Riverside Physio') and a.seq >= {from} order by a.seq loop
             select coalesce((select p.hash from audit_entry p where p.clinic_id = e.clinic_id and p.seq = e.seq - 1), decode(repeat('00', 32), 'hex')) into before;
             update audit_entry u set hash = audit_digest(before, e.clinic_id, e.seq, e.at, e.account_id, e.membership_id, e.actor_patient_id,
               e.deed, e.subject, e.patient_id, e.request_id, e.address, e.detail) where u.clinic_id = e.clinic_id and u.seq = e.seq;
           end loop;
           update audit_head h set (seq, hash) = (select l.seq, l.hash from audit_entry l where l.clinic_id = h.clinic_id order by l.seq desc limit 1);
         end $$"
    ))
    .await;
}

const RIVERSIDE: &str = "clinic_id = (select id from clinic where name = 'Riverside Physio')";

#[tokio::test]
async fn what_was_written_is_whole_and_its_head_is_an_anchor() {
    let db = Db::new().await;
    let clinic = clinic_with_entries(&db).await;
    let first = follow(&db, None, &[]).await;
    assert_eq!((first.faults.len(), first.heads.len()), (0, 2));
    append(&db, &clinic, 3, None).await;
    let later = follow(&db, None, &first.heads).await;
    assert_eq!(later.faults, []);
    let [one, two] = [&first, &later].map(|chains| chains.heads.iter().find(|head| head.clinic == clinic.id.0).unwrap().seq);
    assert_eq!(two - one, 3);
    let own = follow(&db, Some(clinic.id), &[]).await;
    assert_eq!(own.heads, [later.heads.iter().find(|head| head.clinic == clinic.id.0).unwrap().clone()]);
}

#[tokio::test]
async fn an_edit_is_found() {
    let db = Db::new().await;
    let clinic = clinic_with_entries(&db).await;
    for change in [
        "deed = 'exported'",
        "at = at + interval '1 microsecond'",
        "patient_id = null",
        "address = '10.0.0.1'",
        "membership_id = null",
        "subject = 'log'",
        "detail = ''",
        "account_id = gen_random_uuid()",
        "request_id = gen_random_uuid()",
        "hash = sha256('x')",
    ] {
        let kept = db.row(&format!("select row_to_json(e) from audit_entry e where {RIVERSIDE} and seq = 7")).await;
        db.execute(&format!("update audit_entry set {change} where {RIVERSIDE} and seq = 7")).await;
        let found = faults(&db, &clinic, &[]).await;
        assert!(found.iter().any(|fault| fault.starts_with("7: the entry is not what was written")), "{change}: {found:?}");
        db.execute(&format!("delete from audit_entry where {RIVERSIDE} and seq = 7")).await;
        db.execute(&format!("insert into audit_entry select * from json_populate_record(null::audit_entry, '{kept}')")).await;
        assert_eq!(faults(&db, &clinic, &[]).await, Vec::<String>::new(), "put back after {change}");
    }
    // Somebody who makes the changed entry's own digest right again breaks the next one.
    db.execute(&format!("update audit_entry set deed = 'exported' where {RIVERSIDE} and seq = 7")).await;
    db.execute(&format!(
        "update audit_entry e set hash = audit_digest(p.hash, e.clinic_id, e.seq, e.at, e.account_id, e.membership_id, e.actor_patient_id, e.deed,
           e.subject, e.patient_id, e.request_id, e.address, e.detail) from audit_entry p
         where e.{RIVERSIDE} and e.seq = 7 and p.clinic_id = e.clinic_id and p.seq = 6"
    ))
    .await;
    assert_eq!(faults(&db, &clinic, &[]).await, ["8: the entry is not what was written, or does not follow entry 7"]);
}

#[tokio::test]
async fn a_deletion_is_found() {
    let db = Db::new().await;
    let clinic = clinic_with_entries(&db).await;
    db.execute(&format!("delete from audit_entry where {RIVERSIDE} and seq = 7")).await;
    assert_eq!(faults(&db, &clinic, &[]).await, ["7: entry 7 is missing"]);
    db.execute(&format!("delete from audit_entry where {RIVERSIDE} and seq between 1 and 3")).await;
    assert_eq!(faults(&db, &clinic, &[]).await, ["1: entries 1 to 3 are missing", "7: entry 7 is missing"]);
    // Closing the gap by numbering anew does not hide it.
    db.execute(&format!("update audit_entry set seq = -seq + 1000000 where {RIVERSIDE} and seq > 7")).await;
    db.execute(&format!("update audit_entry set seq = 1000000 - seq - 1 where {RIVERSIDE} and seq > 7")).await;
    let found = faults(&db, &clinic, &[]).await;
    assert!(found.contains(&"7: the entry is not what was written, or does not follow entry 6".to_owned()), "{found:?}");
}

#[tokio::test]
async fn a_cut_tail_is_found() {
    let db = Db::new().await;
    let clinic = clinic_with_entries(&db).await;
    let kept = follow(&db, None, &[]).await.heads;
    let last = kept.iter().find(|head| head.clinic == clinic.id.0).unwrap().seq;
    db.execute(&format!("delete from audit_entry where {RIVERSIDE} and seq > {}", last - 2)).await;
    let cut = format!("{}: the tail is cut: entries {} to {last} are missing", last - 1, last - 1);
    assert_eq!(faults(&db, &clinic, &[]).await, [cut]);
    // With the head turned back only somebody who remembers it can tell.
    write_anew(&db, last - 3).await;
    assert_eq!(faults(&db, &clinic, &[]).await, Vec::<String>::new());
    let found = faults(&db, &clinic, &kept).await;
    assert_eq!(found, [format!("{}: the tail is cut and the head turned back: the anchor knows entries up to {last}", last - 1)]);
}

#[tokio::test]
async fn an_inserted_entry_is_found() {
    let db = Db::new().await;
    let clinic = clinic_with_entries(&db).await;
    let last = follow(&db, Some(clinic.id), &[]).await.heads[0].seq;
    db.execute(&format!(
        "insert into audit_entry (clinic_id, seq, at, deed, subject, hash)
         select clinic_id, seq + 1, at, deed, subject, sha256('x') from audit_entry where {RIVERSIDE} and seq = {last}"
    ))
    .await;
    let found = faults(&db, &clinic, &[]).await;
    assert!(found.contains(&format!("{}: entries after {last} were put in: the head does not know them", last + 1)), "{found:?}");
    // In the middle the others have to move.
    db.execute(&format!("delete from audit_entry where {RIVERSIDE} and seq > {last}")).await;
    db.execute(&format!("update audit_entry set seq = 1000000 - seq where {RIVERSIDE} and seq > 7")).await;
    db.execute(&format!("update audit_entry set seq = 1000000 - seq + 1 where {RIVERSIDE} and seq > 7")).await;
    db.execute(&format!(
        "insert into audit_entry (clinic_id, seq, at, deed, subject, hash)
         select clinic_id, 8, at, deed, subject, sha256('x') from audit_entry where {RIVERSIDE} and seq = 7"
    ))
    .await;
    let found = faults(&db, &clinic, &[]).await;
    assert!(found[0].starts_with("8: the entry is not what was written") && found.len() > 1, "{found:?}");
    assert!(found.len() <= 21, "more of the same is counted, not listed: {}", found.len());
}

#[tokio::test]
async fn a_chain_written_anew_is_found_by_an_anchor() {
    let db = Db::new().await;
    let clinic = clinic_with_entries(&db).await;
    let kept = follow(&db, None, &[]).await.heads;
    db.execute(&format!("update audit_entry set deed = 'wrote' where {RIVERSIDE} and seq = 7")).await;
    write_anew(&db, 7).await;
    assert_eq!(faults(&db, &clinic, &[]).await, Vec::<String>::new(), "it hangs together");
    let last = kept.iter().find(|head| head.clinic == clinic.id.0).unwrap().seq;
    assert_eq!(
        faults(&db, &clinic, &kept).await,
        [format!("{last}: the entry is another than the anchor knows: the chain was written anew")]
    );
}

#[tokio::test]
async fn a_head_that_is_gone_or_wrong_is_found() {
    let db = Db::new().await;
    let clinic = clinic_with_entries(&db).await;
    let last = follow(&db, Some(clinic.id), &[]).await.heads[0].seq;
    db.execute(&format!("update audit_head set hash = sha256('x') where {RIVERSIDE}")).await;
    assert_eq!(faults(&db, &clinic, &[]).await, [format!("{last}: the head is not that of the last entry")]);
    db.execute(&format!("delete from audit_head where {RIVERSIDE}")).await;
    assert_eq!(faults(&db, &clinic, &[]).await, [format!("{last}: the head is missing")]);
}

#[tokio::test]
async fn sixteen_at_once_make_one_chain() {
    let db = Db::new().await;
    let now = at("2026-03-02T08:00:00+08:00");
    let clinic = people::clinic(&db, now).await;
    let before = follow(&db, Some(clinic.id), &[]).await;
    let before = before.heads.first().map_or(0, |head| head.seq);
    let url = db.url().to_owned();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (url, scope) = (url.clone(), ClinicContext::new(clinic.id, Actor::Staff(clinic.physio.membership)));
            tokio::spawn(async move {
                // As sixteen processes would, each with connections of its own.
                let store = store::Store::connect_with(&url, 1).await.unwrap();
                for _ in 0..30 {
                    let tx = store.begin(&scope).await.unwrap();
                    tx.note(AuditAction::Read, AuditResource::Caseload, None);
                    tx.commit().await.unwrap();
                }
                store.close().await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let after = follow(&db, Some(clinic.id), &[]).await;
    assert_eq!(after.faults, []);
    assert_eq!(after.heads[0].seq - before, 480);
    assert_eq!(db.row("select count(*) = count(distinct hash) and count(*) = max(seq) from audit_entry").await, "t");
}
