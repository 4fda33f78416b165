//! What physiotherapists decided about attentions: acknowledged or snoozed, each bound to the facts it was made on.

use std::collections::HashMap;

use domain::{
    attention::{AttentionKind, Mark, MarkState, Settings},
    ids::{AttentionId, PatientId},
};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{Deed, Subject},
    convert::{from_date, from_instant, to_date},
};

/// From when on this clinic wants to look.
///
/// # Errors
/// [`StoreError::NotFound`] outside a clinic; the store's own.
pub async fn settings(tx: &Tx) -> Result<Settings, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        pain_high: i16,
        missed_run: i16,
    }
    let row: Option<Row> = tx.one("select pain_high, missed_run from clinic where id = $1", [tx.clinic().0.into()]).await?;
    let Row { pain_high, missed_run } = row.ok_or(StoreError::NotFound)?;
    let corrupt = |column: &'static str| StoreError::corrupt("clinic", column, tx.clinic(), "out of range");
    Ok(Settings {
        pain_high: u8::try_from(pain_high).map_err(|_| corrupt("pain_high"))?,
        missed_run: u32::try_from(missed_run).map_err(|_| corrupt("missed_run"))?,
    })
}

/// The decisions about some patients.
///
/// # Errors
/// The store's own.
pub async fn marks(tx: &Tx, patients: &[PatientId]) -> Result<HashMap<PatientId, Vec<Mark>>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        patient_id: Uuid,
        kind: String,
        fact_key: String,
        snoozed_until: Option<time::Date>,
    }
    let ids: Vec<Uuid> = patients.iter().map(|id| id.0).collect();
    let rows: Vec<Row> = tx
        .all(
            "select id, patient_id, kind, fact_key, snoozed_until from attention_mark where clinic_id = $1 and patient_id = any($2)",
            [tx.clinic().0.into(), ids.into()],
        )
        .await?;
    let mut by_patient: HashMap<PatientId, Vec<Mark>> = HashMap::new();
    for Row { id, patient_id, kind, fact_key, snoozed_until } in rows {
        let kind: AttentionKind = kind.parse().map_err(|why| StoreError::corrupt("attention_mark", "kind", id, why))?;
        let state = snoozed_until.and_then(to_date).map_or(MarkState::Acknowledged, MarkState::SnoozedUntil);
        by_patient.entry(PatientId(patient_id)).or_default().push(Mark { kind, key: fact_key, state });
    }
    Ok(by_patient)
}

/// Keeps a decision; a later one about the same facts replaces it.
///
/// # Errors
/// The store's own; [`StoreError::Refused`] outside a member of staff's scope.
pub async fn decide(tx: &Tx, patient: PatientId, mark: &Mark, note: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
    tx.note(Deed::Wrote, Subject::Attention, Some(patient));
    let staff = tx.staff().ok_or_else(|| StoreError::Refused("Only the clinic's staff can do this.".to_owned()))?;
    let Mark { kind, key, state } = mark;
    let until = match state {
        MarkState::Acknowledged => None,
        MarkState::SnoozedUntil(date) => Some(from_date(*date)),
    };
    tx.run(
        "insert into attention_mark (clinic_id, id, patient_id, kind, fact_key, note, snoozed_until, marked_by, marked_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (clinic_id, patient_id, kind, fact_key) do update
         set note = excluded.note, snoozed_until = excluded.snoozed_until, marked_by = excluded.marked_by, marked_at = excluded.marked_at",
        [
            tx.clinic().0.into(),
            AttentionId::new().0.into(),
            patient.0.into(),
            kind.tag().into(),
            key.as_str().into(),
            note.map(str::to_owned).into(),
            until.into(),
            staff.0.into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    Ok(())
}
