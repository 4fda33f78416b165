//! Taking claims back: whatever can end a patient's mail, or send it elsewhere, does this first, in its own transaction.
//!
//! The worker reads what it has to know about a notice after it has claimed it, and sends only while that claim holds. So it is enough
//! that no claim outlives a change: the notice is claimed anew afterwards, and judged by what is true then, by the same rules as ever.
//!
//! Until the change is committed nothing of the patient's can be claimed: the patient's row is locked first, so no mail can be queued for
//! them beside this transaction (the foreign key waits), and then every open notice is locked, so none can go a step further. Whoever
//! locks reminder rules as well does that before, as planning does.

use domain::{
    ids::{AccountId, PatientId},
    reminder::NoticeSkip,
};
use jiff::Timestamp;
use sea_orm::{FromQueryResult, Value};

use uuid::Uuid;

use crate::{StoreError, Tx, convert::from_instant};

/// Does this with the rights of the mail queue's role, inside the same transaction. The sign-in role may only add mail, and a patient's scope
/// sees none but the patient's own: neither finds the mail of an account.
async fn as_worker<T>(tx: &Tx, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        role: String,
    }
    let unread = || StoreError::Other("the database does not say in which role it works".into());
    let Row { role } = tx.one("select current_user::text as role", []).await?.ok_or_else(unread)?;
    tx.run("select set_config('role', 'homestretch_worker', true)", []).await?;
    // After an error the transaction is rolled back, and the role with it.
    let done = work.await?;
    tx.run("select set_config('role', $1, true)", [role.into()]).await?;
    Ok(done)
}

/// Puts claimed notices back into the queue; `which` says of which notices `n`, by `$1` and on. Those that are waiting or on their way
/// are held until the transaction ends.
async fn take_back(tx: &Tx, which: &str, values: Vec<Value>) -> Result<(), StoreError> {
    tx.run(
        &format!(
            "with held as (
               select n.clinic_id, n.id, n.state from notice n where n.state in ('pending', 'claimed', 'sending') and {which}
               order by n.clinic_id, n.id for update)
             update notice n set state = 'pending', token = null, lease_until = null, attempts = n.attempts - 1
             from held where n.clinic_id = held.clinic_id and n.id = held.id and held.state = 'claimed'"
        ),
        values,
    )
    .await?;
    Ok(())
}

/// Takes back the claims of a patient's mail. From here until the transaction ends none of it can be claimed, and none begins to leave.
///
/// # Errors
/// The store's own.
pub(crate) async fn recall(tx: &Tx, patient: PatientId) -> Result<(), StoreError> {
    let key = || -> Vec<Value> { vec![tx.clinic().0.into(), patient.0.into()] };
    tx.run("select from patient where clinic_id = $1 and id = $2 for update", key()).await?;
    take_back(tx, "n.clinic_id = $1 and n.patient_id = $2", key()).await
}

/// As [`recall`], for a record that is about to be closed: with its account's links to a new password when the account has no other place.
/// These are about the account and name no patient; from here on they are the record's, so they end with it, and are counted with it when
/// they are on their way ([`on_their_way`]).
///
/// # Errors
/// The store's own.
pub(crate) async fn recall_closing(tx: &Tx, patient: PatientId) -> Result<(), StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: Option<Uuid>,
    }
    let key = || -> Vec<Value> { vec![tx.clinic().0.into(), patient.0.into()] };
    let held: Option<Row> = tx.one("select account_id from patient where clinic_id = $1 and id = $2 for update", key()).await?;
    let Some(account) = held.and_then(|held| held.account_id) else {
        return take_back(tx, "n.clinic_id = $1 and n.patient_id = $2", key()).await;
    };
    let values = || -> Vec<Value> { vec![tx.clinic().0.into(), patient.0.into(), account.into()] };
    let work = async {
        let theirs = "n.clinic_id = $1 and n.kind = 'password_reset' and n.account_id = $3
             and not exists (select from patient p where p.account_id = $3 and (p.clinic_id, p.id) <> ($1, $2))
             and not exists (
               select from membership m where m.account_id = $3 and m.joined_at is not null and m.disabled_at is null)";
        // All of them in one statement, in their order: two statements could wait for a worker that waits for this transaction.
        take_back(tx, &format!("(n.clinic_id = $1 and n.patient_id = $2 or {theirs})"), values()).await?;
        tx.run(&format!("update notice n set patient_id = $2 where n.state in ('pending', 'sending') and {theirs}"), values()).await
    };
    as_worker(tx, work).await.map(drop)
}

/// Takes an account's links to a new password out of the queue: the password has been chosen, and a mail that is written later would bring a
/// fresh link. For those on their way the link is made already, and is retired with the others.
///
/// # Errors
/// The store's own.
pub(crate) async fn end_resets(tx: &Tx, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
    let work = tx.run(
        "with held as (
           select n.clinic_id, n.id, n.state from notice n
           where n.state in ('pending', 'claimed') and n.kind = 'password_reset' and n.account_id = $1
           order by n.clinic_id, n.id for update)
         update notice n set state = 'skipped', reason = $2, settled_at = $3, token = null, lease_until = null,
           attempts = n.attempts - case held.state when 'claimed' then 1 else 0 end
         from held where n.clinic_id = held.clinic_id and n.id = held.id",
        [account.0.into(), NoticeSkip::Expired.tag().into(), from_instant(now).into()],
    );
    as_worker(tx, work).await.map(drop)
}

/// Takes back the claims of all reminders of the clinic. The caller holds the clinic's reminder rules, so that none is planned meanwhile.
///
/// # Errors
/// The store's own.
pub(crate) async fn recall_clinic(tx: &Tx) -> Result<(), StoreError> {
    take_back(tx, "n.clinic_id = $1 and n.kind = 'session_reminder'", vec![tx.clinic().0.into()]).await
}

/// Takes back the claims of every mail there is.
///
/// # Errors
/// The store's own.
pub(super) async fn recall_all(tx: &Tx) -> Result<(), StoreError> {
    take_back(tx, "true", Vec::new()).await
}

/// Which mails are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mails {
    /// Reminders alone.
    Reminders,
    /// Mail of every kind.
    All,
}

/// Whether mail of the patient is on its way in this moment, so that it may arrive although what ends it is about to be committed. To be
/// asked in the transaction of that change, after it: then the answer holds.
///
/// # Errors
/// The store's own.
pub async fn on_their_way(tx: &Tx, patient: PatientId, mails: Mails) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        some: bool,
    }
    let row: Option<Row> = tx
        .one(
            "select exists (select from notice where clinic_id = $1 and patient_id = $2 and state = 'sending'
               and (kind = 'session_reminder' or $3)) as some",
            [tx.clinic().0.into(), patient.0.into(), (mails == Mails::All).into()],
        )
        .await?;
    Ok(row.is_some_and(|row| row.some))
}
