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
    audit::{AuditAction, AuditResource},
    convert::{At, from_date, from_instant, to_date, to_instant},
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

/// A decision as the clinic reads it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// About which kind of finding.
    pub kind: AttentionKind,
    /// What was decided.
    pub state: MarkState,
    /// For the clinic, as it was typed.
    pub note: Option<String>,
    /// The name of who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The newest decisions about a patient, newest first and at most `limit` of them. A decision about facts that were decided about before
/// has taken that one's place.
///
/// # Errors
/// The store's own.
pub async fn decided(tx: &Tx, patient: PatientId, limit: u32) -> Result<Vec<Decided>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        kind: String,
        note: Option<String>,
        snoozed_until: Option<time::Date>,
        name: String,
        marked_at: At,
    }
    let rows: Vec<Row> = tx
        .all(
            "select a.id, a.kind, a.note, a.snoozed_until, m.name, a.marked_at
             from attention_mark a join membership m on m.clinic_id = a.clinic_id and m.id = a.marked_by
             where a.clinic_id = $1 and a.patient_id = $2 order by a.marked_at desc, a.id desc limit $3",
            [tx.clinic().0.into(), patient.0.into(), i64::from(limit).into()],
        )
        .await?;
    let decided = |Row { id, kind, note, snoozed_until, name, marked_at }| {
        let corrupt = |column, why: String| StoreError::corrupt("attention_mark", column, id, why);
        Ok(Decided {
            kind: kind.parse().map_err(|why: domain::UnknownTag| corrupt("kind", why.to_string()))?,
            state: snoozed_until.and_then(to_date).map_or(MarkState::Acknowledged, MarkState::SnoozedUntil),
            note,
            by: name,
            at: to_instant(marked_at).ok_or_else(|| corrupt("marked_at", "out of range".to_owned()))?,
        })
    };
    rows.into_iter().map(decided).collect()
}

/// Keeps a decision; a later one about the same facts replaces it.
///
/// # Errors
/// The store's own; [`StoreError::Refused`] outside a member of staff's scope.
pub async fn decide(tx: &Tx, patient: PatientId, mark: &Mark, note: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Attention, Some(patient));
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
