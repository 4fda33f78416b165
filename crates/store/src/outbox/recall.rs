//! Taking claims back: whatever can end a patient's mail, or send it elsewhere, does this first, in its own transaction.
//!
//! The worker reads what it has to know about a notice after it has claimed it, and sends only while that claim holds. So it is enough
//! that no claim outlives a change: the notice is claimed anew afterwards, and judged by what is true then, by the same rules as ever.
//!
//! Until the change is committed nothing of the patient's can be claimed: the patient's row is locked first, so no mail can be queued for
//! them beside this transaction (the foreign key waits), and then every open notice is locked, so none can go a step further. Whoever
//! locks reminder rules as well does that before, as planning does.

use domain::ids::PatientId;
use sea_orm::{FromQueryResult, Value};

use crate::{StoreError, Tx};

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
