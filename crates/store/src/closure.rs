//! Closing a patient's record, and opening it again. A closed record stays with the clinic, which reads it as before; nobody signs in
//! to it and no mail goes out for it.
//!
//! Closing lets the account go, so every look-up that starts from an account (sessions, signing in, a new password) finds nothing from
//! the moment it is committed. [`tidy`] then removes what has become useless.

use domain::ids::{AccountId, ClinicId, PatientId};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx, account,
    audit::{AuditAction, AuditResource},
    convert::from_instant,
    link,
    outbox::{self, Owed, recall_closing},
    patient, reminder,
};

/// What [`close`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Whether the record was open until now.
    pub was_open: bool,
    /// The account that was let go, if there was one.
    pub account: Option<AccountId>,
}

/// Closes a record: its sessions end, the account is let go, reminders end, mail that waits is not sent. Whoever is at work closes it: the patient
/// themselves or somebody of the staff. A record that is closed already stays as it is.
///
/// After the commit no mail of the patient begins to leave, a link to a new password included unless the account has another place, which it
/// may be for. A notice that a worker has claimed is taken back here; one about the record that is queued meanwhile waits for this
/// transaction (its foreign key does) and is then found to be a closed record's; one about the account finds no person to write to. What is
/// on its way already may still arrive ([`outbox::on_their_way`]).
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope; the store's own.
pub async fn close(tx: &Tx, id: PatientId, now: Timestamp) -> Result<Closing, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: Option<Uuid>,
        closed: bool,
    }
    let key = || [tx.clinic().0.into(), id.0.into()];
    // Sessions are locked before records: a write in progress in one of them is committed before the record is closed, or refused.
    tx.run("select end_sessions_of($1)", [id.0.into()]).await?;
    // Rules before the record, as planning takes its locks.
    reminder::hold(tx, id).await?;
    recall_closing(tx, id).await?;
    let row: Row = tx
        .one("select account_id, closed_at is not null as closed from patient where clinic_id = $1 and id = $2", key())
        .await?
        .ok_or(StoreError::NotFound)?;
    if row.closed {
        return Ok(Closing { was_open: false, account: None });
    }
    tx.run("delete from reminder_rule where clinic_id = $1 and patient_id = $2", key()).await?;
    tx.run(
        "update patient set account_id = null, closed_at = $3, closed_by_member = $4,
           closed_by = case when $4::uuid is null then 'patient' else 'clinic' end
         where clinic_id = $1 and id = $2",
        [tx.clinic().0.into(), id.0.into(), from_instant(now).into(), tx.staff().map(|member| member.0).into()],
    )
    .await?;
    tx.run(
        "update notice set state = 'skipped', reason = 'closed', settled_at = $3
         where clinic_id = $1 and patient_id = $2 and state = 'pending'",
        [tx.clinic().0.into(), id.0.into(), from_instant(now).into()],
    )
    .await?;
    tx.note(AuditAction::Wrote, AuditResource::Closure, Some(id));
    Ok(Closing { was_open: true, account: row.account_id.map(AccountId) })
}

/// Removes the sessions and uses up the links of a record that is closed, in [`crate::Store::begin_sign_in`]. They lead nowhere already; this
/// is so that they do not come back to life when the record is opened again, so it is done before that too. Nothing is changed when the record
/// is open, and links to a new password stay while the account has another place.
///
/// # Errors
/// The store's own.
pub async fn tidy(
    tx: &Tx,
    (clinic, id): (ClinicId, PatientId),
    account: Option<AccountId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.run(
        "select pg_advisory_xact_lock(gate) from (
           select distinct session_gate(account_id) as gate from session where clinic_id = $1 and patient_id = $2 order by 1) gates",
        [clinic.0.into(), id.0.into()],
    )
    .await?;
    tx.run(
        "delete from session where id in (
           select id from session where clinic_id = $1 and patient_id = $2
             and exists (select from patient p where p.clinic_id = $1 and p.id = $2 and p.closed_at is not null) order by id for update)",
        [clinic.0.into(), id.0.into()],
    )
    .await?;
    tx.run(
        "update link set used_at = $3 where clinic_id = $1 and patient_id = $2 and used_at is null
           and exists (select from patient p where p.clinic_id = $1 and p.id = $2 and p.closed_at is not null)",
        [clinic.0.into(), id.0.into(), from_instant(now).into()],
    )
    .await?;
    match account {
        Some(account) if account::places(tx, account).await?.is_empty() => link::retire_reset_links(tx, account, now).await,
        _ => Ok(()),
    }
}

/// Opens a closed record again, as one that nobody has joined: with an address, the patient is invited anew and agrees anew. Says
/// whether it was closed. The caller has run [`tidy`] before.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope; the store's own.
pub async fn reopen(tx: &Tx, id: PatientId, now: Timestamp) -> Result<bool, StoreError> {
    let found = patient::find(tx, id).await?;
    let opened = tx
        .run(
            "update patient set closed_at = null, closed_by = null, closed_by_member = null, account_id = null, joined_at = null,
               invited_at = case when email is null then invited_at else $3 end
             where clinic_id = $1 and id = $2 and closed_at is not null",
            [tx.clinic().0.into(), id.0.into(), from_instant(now).into()],
        )
        .await?;
    if opened == 0 {
        return Ok(false);
    }
    tx.note(AuditAction::Wrote, AuditResource::Closure, Some(id));
    if let Some(email) = &found.email {
        outbox::enqueue(tx, tx.clinic(), Owed::PatientInvitation(id), email, now).await?;
    }
    Ok(true)
}
