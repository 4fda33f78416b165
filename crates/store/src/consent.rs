//! What patients agreed to, word for word, and when they took it back. Rows are only ever added.

use domain::ids::PatientId;
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    account::Consent,
    audit::{AuditAction, AuditResource},
    convert::{At, from_instant, to_instant},
};

/// One time a patient agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The wording as it was shown, with its version.
    pub to: Consent,
    /// When.
    pub at: Timestamp,
    /// When it was taken back, if it was.
    pub withdrawn_at: Option<Timestamp>,
}

/// How a patient's consent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is recorded: not joined yet, or cared for on paper.
    None,
    /// Agreed to the version named, and did not take it back.
    Given {
        /// The version of the wording.
        version: String,
        /// When.
        at: Timestamp,
    },
    /// Took it back.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
}

/// The most that are listed: wordings change rarely, and agreeing again to the same one is refused.
const MOST: i64 = 100;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    version: String,
    wording: String,
    agreed_at: At,
    withdrawn_at: Option<At>,
}

/// Everything the patient agreed to, newest first; at most a hundred.
///
/// # Errors
/// The store's own.
pub async fn of(tx: &Tx, patient: PatientId) -> Result<Vec<Agreed>, StoreError> {
    let rows: Vec<Row> = tx
        .all(
            "select c.id, c.version, c.wording, c.agreed_at, (select min(w.withdrawn_at) from consent_withdrawal w
                where w.clinic_id = c.clinic_id and w.patient_id = c.patient_id and w.withdrawn_at >= c.agreed_at) as withdrawn_at
             from consent c where c.clinic_id = $1 and c.patient_id = $2 order by c.agreed_at desc, c.id desc limit $3",
            [tx.clinic().0.into(), patient.0.into(), MOST.into()],
        )
        .await?;
    rows.into_iter()
        .map(|Row { id, version, wording, agreed_at, withdrawn_at }| {
            Ok(Agreed {
                to: Consent { version, wording },
                at: to_instant(agreed_at).ok_or_else(|| StoreError::corrupt("consent", "agreed_at", id, "out of range"))?,
                withdrawn_at: withdrawn_at.and_then(to_instant),
            })
        })
        .collect()
}

/// How the patient's consent stands now.
///
/// # Errors
/// The store's own.
pub async fn standing(tx: &Tx, patient: PatientId) -> Result<Standing, StoreError> {
    #[derive(FromQueryResult)]
    struct Latest {
        version: Option<String>,
        agreed_at: Option<At>,
        withdrawn_at: Option<At>,
    }
    let latest: Option<Latest> = tx
        .one(
            "select c.version, c.agreed_at, w.withdrawn_at
             from (select 1) as one
             left join lateral (select version, agreed_at from consent where clinic_id = $1 and patient_id = $2
               order by agreed_at desc, id desc limit 1) c on true
             left join lateral (select withdrawn_at from consent_withdrawal where clinic_id = $1 and patient_id = $2
               order by withdrawn_at desc limit 1) w on true",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    let Some(Latest { version, agreed_at, withdrawn_at }) = latest else { return Ok(Standing::None) };
    let (agreed, withdrawn) = (version.zip(agreed_at.and_then(to_instant)), withdrawn_at.and_then(to_instant));
    Ok(match (agreed, withdrawn) {
        (Some((version, at)), withdrawn) if withdrawn.is_none_or(|withdrawn| withdrawn < at) => Standing::Given { version, at },
        (_, Some(at)) => Standing::Withdrawn { at },
        _ => Standing::None,
    })
}

/// Keeps word for word what the patient agreed to.
///
/// # Errors
/// The store's own.
pub async fn agree(tx: &Tx, patient: PatientId, to: &Consent, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "insert into consent (clinic_id, id, patient_id, version, wording, agreed_at) values ($1, $2, $3, $4, $5, $6)",
        [
            tx.clinic().0.into(),
            Uuid::now_v7().into(),
            patient.0.into(),
            to.version.as_str().into(),
            to.wording.as_str().into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    tx.note(AuditAction::Wrote, AuditResource::Consent, Some(patient));
    Ok(())
}

/// The patient takes back what they agreed to. What was done until now stays right; the caller closes the record
/// ([`crate::closure::close`]), since nothing may be done with it from now on.
///
/// # Errors
/// The store's own.
pub async fn withdraw(tx: &Tx, patient: PatientId, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "insert into consent_withdrawal (clinic_id, id, patient_id, withdrawn_at) values ($1, $2, $3, $4)",
        [tx.clinic().0.into(), Uuid::now_v7().into(), patient.0.into(), from_instant(now).into()],
    )
    .await?;
    tx.note(AuditAction::Wrote, AuditResource::Consent, Some(patient));
    Ok(())
}
