//! Addresses that were given up because a mail server refused them: looked at, and written to again at somebody's wish.

use domain::{ids::PatientId, person::Email};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, to_instant},
};

/// The most that a page lists.
const MOST: i64 = 500;

/// An address that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAddress {
    /// The address.
    pub address: Email,
    /// The patient it belongs to at present, with name.
    pub patient: Option<(PatientId, String)>,
    /// The mail server's words.
    pub words: String,
    /// Since when.
    pub since: Timestamp,
}

/// The clinic's addresses that were given up, the newest first.
///
/// # Errors
/// The store's own.
pub async fn refused(tx: &Tx) -> Result<Vec<RefusedAddress>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        email: String,
        patient_id: Option<Uuid>,
        name: Option<String>,
        reason: String,
        created_at: At,
    }
    let rows: Vec<Row> = tx
        .all(
            "select s.email, p.id as patient_id, p.name, s.reason, s.created_at from suppression s
             left join patient p on p.clinic_id = s.clinic_id and p.email = s.email
             where s.clinic_id = $1 and s.scope = 'all' order by s.created_at desc, s.email limit $2",
            [tx.clinic().0.into(), MOST.into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = |column, why: String| StoreError::corrupt("suppression", column, &row.email, why);
            Ok(RefusedAddress {
                address: Email::parse(&row.email).map_err(|why| corrupt("email", why.to_string()))?,
                patient: row.patient_id.map(PatientId).zip(row.name.clone()),
                words: row.reason.clone(),
                since: to_instant(row.created_at).ok_or_else(|| corrupt("created_at", "out of range".to_owned()))?,
            })
        })
        .collect()
}

/// Writes to these addresses again: reminders come at their next time. What was refused is not sent again by itself. Says how many there
/// were.
///
/// # Errors
/// [`StoreError::Refused`] for anybody but the staff; the store's own.
pub async fn write_again(tx: &Tx, addresses: &[String]) -> Result<usize, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        patient_id: Option<Uuid>,
    }
    tx.staff().ok_or_else(|| StoreError::Refused("Only the clinic's staff can write to an address again.".to_owned()))?;
    let rows: Vec<Row> = tx
        .all(
            "with back as (
               delete from suppression where clinic_id = $1 and scope = 'all' and email = any($2) returning clinic_id, email)
             select p.id as patient_id from back left join patient p on p.clinic_id = back.clinic_id and p.email = back.email",
            [tx.clinic().0.into(), addresses.to_vec().into()],
        )
        .await?;
    for row in &rows {
        tx.note(AuditAction::Wrote, AuditResource::Notices, row.patient_id.map(PatientId));
    }
    Ok(rows.len())
}
