//! Since when it is known who opened a patient's record.

use domain::ids::PatientId;
use jiff::Timestamp;
use sea_orm::FromQueryResult;

use crate::{
    StoreError, Tx,
    convert::{At, to_instant},
};

/// When the first thing was noted about this patient's record; `None` when nothing was yet.
///
/// # Errors
/// The store's own.
pub async fn since(tx: &Tx, patient: PatientId) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        since: Option<At>,
    }
    let row: Option<Row> = tx
        .one(
            "select (select at from audit_entry where clinic_id = $1 and patient_id = $2 order by seq limit 1) as since",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    Ok(row.and_then(|row| row.since).and_then(to_instant))
}
