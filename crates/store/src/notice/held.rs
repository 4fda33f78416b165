//! A clinic's account mail that was queued before a restore: it may have been sent since the backup was made, so staff decide what becomes
//! of it. See [`crate::outbox::hold`].

use domain::{
    ids::{NoticeId, PatientId},
    person::Email,
};
use jiff::Timestamp;
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_instant, to_instant},
    outbox::{
        Kind,
        hold::{Choice, WAITING},
    },
};

/// The most that a page lists.
const MOST: i64 = 500;

/// A mail that waits to be decided upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMail {
    /// The notice.
    pub id: NoticeId,
    /// What it is.
    pub kind: Kind,
    /// Where it goes.
    pub recipient: Email,
    /// The patient's name, when it is about one.
    pub patient: Option<String>,
    /// When it was queued, or last asked for.
    pub queued: Timestamp,
}

/// The clinic's mail that waits to be decided upon, oldest first.
///
/// # Errors
/// The store's own.
pub async fn held(tx: &Tx) -> Result<Vec<HeldMail>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        kind: String,
        recipient: String,
        name: Option<String>,
        queued: At,
    }
    let rows: Vec<Row> = tx
        .all(
            &format!(
                "select n.id, n.kind, n.recipient, p.name, coalesce(n.resent_at, n.created_at) as queued
                 from (select * from notice where clinic_id = $1 and {WAITING}) n
                 left join patient p on p.clinic_id = n.clinic_id and p.id = n.patient_id
                 order by queued, n.id limit $2"
            ),
            [tx.clinic().0.into(), MOST.into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = |column, why: String| StoreError::corrupt("notice", column, row.id, why);
            Ok(HeldMail {
                id: NoticeId(row.id),
                kind: Kind::ALL
                    .into_iter()
                    .find(|kind| kind.tag() == row.kind)
                    .ok_or_else(|| corrupt("kind", format!("{} is no kind", row.kind)))?,
                recipient: Email::parse(&row.recipient).map_err(|why| corrupt("recipient", why.to_string()))?,
                patient: row.name.clone(),
                queued: to_instant(row.queued).ok_or_else(|| corrupt("created_at", "out of range".to_owned()))?,
            })
        })
        .collect()
}

/// Decides upon these mails, as far as they still wait. Says how many that were.
///
/// # Errors
/// [`StoreError::Refused`] for anybody but the staff; the store's own.
pub async fn decide(tx: &Tx, ids: &[NoticeId], choice: Choice, now: Timestamp) -> Result<usize, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        patient_id: Option<Uuid>,
    }
    let by = tx.staff().ok_or_else(|| StoreError::Refused("Only the clinic's staff can decide what is sent.".to_owned()))?;
    let mut values: Vec<Value> =
        vec![tx.clinic().0.into(), ids.iter().map(|id| id.0).collect::<Vec<_>>().into(), from_instant(now).into()];
    let change = match choice {
        Choice::Send => {
            values.push(by.0.into());
            "state = 'pending', resent_at = $3, resent_by = $4, next_at = $3"
        }
        Choice::LeaveOut => "state = 'skipped', reason = 'left_out', settled_at = $3",
    };
    let rows: Vec<Row> = tx
        .all(
            &format!(
                "update notice set {change}, token = null, lease_until = null
                 where clinic_id = $1 and id = any($2) and {WAITING} returning patient_id"
            ),
            values,
        )
        .await?;
    for row in &rows {
        tx.note(AuditAction::Wrote, AuditResource::Notices, row.patient_id.map(PatientId));
    }
    Ok(rows.len())
}
