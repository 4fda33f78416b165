//! The address under which a patient's calendar program fetches the sessions ahead, and what it is told.

use std::collections::HashMap;

use domain::{
    ids::{PatientId, ProgramId},
    person::Language,
    program::Program,
    reminder::ReminderRule,
};
use jiff::{Timestamp, civil::Date};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_date, to_date, to_instant},
    program, reminder,
};

/// When the patient's address was made, to the second; `None` while there is none.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope; the store's own.
pub async fn opened(tx: &Tx, patient: PatientId) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        calendar_opened_at: Option<At>,
    }
    let row: Option<Row> = tx
        .one("select calendar_opened_at from patient where clinic_id = $1 and id = $2", [tx.clinic().0.into(), patient.0.into()])
        .await?;
    Ok(row.ok_or(StoreError::NotFound)?.calendar_opened_at.and_then(to_instant))
}

/// Makes an address; the one before it opens nothing any more.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope, and for a closed record; the store's own.
pub async fn open(tx: &Tx, patient: PatientId, now: Timestamp) -> Result<(), StoreError> {
    // A second press within the second makes the same address, which is no harm.
    let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
    set(tx, patient, Some(second)).await
}

/// Ends the address.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope, and for a closed record; the store's own.
pub async fn end(tx: &Tx, patient: PatientId) -> Result<(), StoreError> {
    set(tx, patient, None).await
}

async fn set(tx: &Tx, patient: PatientId, opened: Option<Timestamp>) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Calendar, Some(patient));
    let found = tx
        .run(
            "update patient set calendar_opened_at = to_timestamp($3) where clinic_id = $1 and id = $2 and closed_at is null",
            [tx.clinic().0.into(), patient.0.into(), opened.map(Timestamp::as_second).into()],
        )
        .await?;
    if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// What a calendar rests on.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The patient's language.
    pub language: Language,
    /// The hours, in the patient's zone.
    pub rule: ReminderRule,
    /// The patient's programs.
    pub programs: Vec<Program>,
    /// The patient's civil date.
    pub today: Date,
    /// Sessions of that date that are logged, by program.
    pub logged: HashMap<ProgramId, u32>,
}

/// What the calendar at the address that was made at `opened` (to the second) is told; `None` when there is no such address any more, or
/// the record is closed. Nothing is noted here: whoever asks for what they know already is shown nothing.
///
/// # Errors
/// The store's own.
pub async fn read(tx: &Tx, patient: PatientId, opened: Timestamp, now: Timestamp) -> Result<Option<Feed>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        language: String,
    }
    #[derive(FromQueryResult)]
    struct Logged {
        program_id: Uuid,
        date: time::Date,
        count: i64,
    }
    // Wherever the patient lives, today is one of these three.
    let utc = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let (first, last) = (utc.yesterday().unwrap_or(utc), utc.tomorrow().unwrap_or(utc));
    let whose = || -> [sea_orm::Value; 2] { [tx.clinic().0.into(), patient.0.into()] };
    let (row, rules, programs, logs) = tokio::try_join!(
        tx.one::<Row>(
            "select language from patient
             where clinic_id = $1 and id = $2 and closed_at is null and calendar_opened_at = to_timestamp($3)",
            [tx.clinic().0.into(), patient.0.into(), opened.as_second().into()],
        ),
        async {
            match reminder::rules_for(tx, patient).await {
                Err(StoreError::NotFound) => Ok(None),
                other => other.map(Some),
            }
        },
        program::of_patient(tx, patient),
        tx.all::<Logged>(
            "select program_id, date, count(*) as count from session_log
             where clinic_id = $1 and patient_id = $2 and date between $3 and $4 group by program_id, date",
            whose().into_iter().chain([from_date(first).into(), from_date(last).into()]),
        ),
    )?;
    let (Some(Row { language }), Some(rules)) = (row, rules) else { return Ok(None) };
    let today = rules.rule.zone.date(now);
    let logged = logs
        .into_iter()
        .filter(|log| to_date(log.date) == Some(today))
        .map(|log| (log.program_id.into(), u32::try_from(log.count).unwrap_or(u32::MAX)))
        .collect();
    let language = language.parse().map_err(|_| StoreError::corrupt("patient", "language", patient, "no language"))?;
    Ok(Some(Feed { language, rule: rules.rule, programs, today, logged }))
}
