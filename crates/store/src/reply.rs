//! What physiotherapists answer to a patient's note or stop signs: written once, never changed, read by the patient.

use domain::ids::{LogId, PatientId, ReplyId};
use jiff::{SignedDuration, Timestamp, civil::Date};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_date, from_instant, to_date, to_instant},
};

/// The longest reply, in characters.
pub const MAX_CHARS: usize = 1000;

/// The most replies one page reads.
pub const MOST: i64 = 200;

/// Answers that wait unread share one mail for this long.
const ONE_MAIL: SignedDuration = SignedDuration::from_hours(24);

/// An answer to what a patient said with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The reply.
    pub id: ReplyId,
    /// The session log it answers.
    pub log: LogId,
    /// The civil date that the session counts for.
    pub date: Date,
    /// The patient's words as they stood then; `None` when only stop signs were ticked.
    pub note: Option<String>,
    /// The answer.
    pub text: String,
    /// Who wrote it, by name.
    pub by: String,
    /// When.
    pub written_at: Timestamp,
    /// When the patient said that they had read it.
    pub read_at: Option<Timestamp>,
}

/// What keeping a reply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Whose note it answers.
    pub patient: PatientId,
    /// Whether it is new; the same words to the same note are kept once.
    pub new: bool,
}

/// Whose session log it is.
///
/// # Errors
/// [`StoreError::NotFound`] for a log outside the scope; the store's own.
pub async fn patient_of(tx: &Tx, log: LogId) -> Result<PatientId, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        patient_id: Uuid,
    }
    let row: Option<Row> =
        tx.one("select patient_id from session_log where clinic_id = $1 and id = $2", [tx.clinic().0.into(), log.0.into()]).await?;
    row.map(|row| PatientId(row.patient_id)).ok_or(StoreError::NotFound)
}

/// Keeps a reply to what a patient said with a session. `text` has 1 to [`MAX_CHARS`] characters.
///
/// # Errors
/// [`StoreError::NotFound`] for a log outside the scope and for one in which nothing was said; [`StoreError::Refused`] outside a member
/// of staff's scope; the store's own.
pub async fn write(tx: &Tx, log: LogId, text: &str, now: Timestamp) -> Result<Written, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        patient_id: Uuid,
        added: i64,
    }
    let staff = tx.staff().ok_or_else(|| StoreError::Refused("Only the clinic's staff can do this.".to_owned()))?;
    let row: Option<Row> = tx
        .one(
            "with log as (
               select id, patient_id, note from session_log
               where clinic_id = $1 and id = $2 and (coalesce(note, '') <> '' or red_flags <> '{}')),
             added as (
               insert into reply (clinic_id, id, patient_id, log_id, note, text, written_by, written_at)
               select $1, $3, patient_id, id, nullif(note, ''), $4, $5, $6 from log
               on conflict (clinic_id, log_id, md5(text)) do nothing returning id)
             select log.patient_id, (select count(*) from added) as added from log",
            [tx.clinic().0.into(), log.0.into(), ReplyId::new().0.into(), text.into(), staff.0.into(), from_instant(now).into()],
        )
        .await?;
    let Row { patient_id, added } = row.ok_or(StoreError::NotFound)?;
    let written = Written { patient: PatientId(patient_id), new: added > 0 };
    if written.new {
        tx.note(AuditAction::Wrote, AuditResource::Reply, Some(written.patient));
    }
    Ok(written)
}

/// The reply that a mail about all those that wait names: the oldest one unread of the last day. One mail is owed for it, so a patient
/// who has not looked yet gets no second one that day, and who has looked is told of the next.
///
/// # Errors
/// The store's own.
pub async fn to_tell(tx: &Tx, patient: PatientId, now: Timestamp) -> Result<Option<ReplyId>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let row: Option<Row> = tx
        .one(
            "select id from reply where clinic_id = $1 and patient_id = $2 and read_at is null and written_at > $3
             order by written_at, id limit 1",
            [tx.clinic().0.into(), patient.0.into(), from_instant(now - ONE_MAIL).into()],
        )
        .await?;
    Ok(row.map(|row| ReplyId(row.id)))
}

/// The replies to a patient's sessions between two civil dates (inclusive), newest session first and the oldest reply to it first, at
/// most [`MOST`].
///
/// # Errors
/// The store's own.
pub async fn between(tx: &Tx, patient: PatientId, from: Date, to: Date) -> Result<Vec<Reply>, StoreError> {
    let bounds = [from_date(from).into(), from_date(to).into()];
    read(tx, patient, "l.date between $4 and $5", bounds, "l.date desc, l.id, r.written_at, r.id").await
}

/// The replies to one of a patient's sessions, oldest first.
///
/// # Errors
/// The store's own.
pub async fn to_log(tx: &Tx, patient: PatientId, log: LogId) -> Result<Vec<Reply>, StoreError> {
    read(tx, patient, "r.log_id = $4", [log.0.into()], "r.written_at, r.id").await
}

/// A patient's newest replies, newest first, at most [`MOST`].
///
/// # Errors
/// The store's own.
pub async fn newest(tx: &Tx, patient: PatientId) -> Result<Vec<Reply>, StoreError> {
    read(tx, patient, "true", [], "r.written_at desc, r.id desc").await
}

/// What a patient has not said to have read, oldest first, at most [`MOST`].
///
/// # Errors
/// The store's own.
pub async fn unread(tx: &Tx, patient: PatientId) -> Result<Vec<Reply>, StoreError> {
    read(tx, patient, "r.read_at is null", [], "r.written_at, r.id").await
}

/// The patient has read the replies to a session.
///
/// # Errors
/// [`StoreError::NotFound`] when the session has none; the store's own.
pub async fn mark_read(tx: &Tx, patient: PatientId, log: LogId, now: Timestamp) -> Result<(), StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        all: i64,
        marked: i64,
    }
    let row: Option<Row> = tx
        .one(
            "with marked as (
               update reply set read_at = $4 where clinic_id = $1 and patient_id = $2 and log_id = $3 and read_at is null returning id)
             select (select count(*) from reply where clinic_id = $1 and patient_id = $2 and log_id = $3) as \"all\",
               (select count(*) from marked) as marked",
            [tx.clinic().0.into(), patient.0.into(), log.0.into(), from_instant(now).into()],
        )
        .await?;
    match row {
        Some(Row { all, marked }) if all > 0 => {
            if marked > 0 {
                tx.note(AuditAction::Wrote, AuditResource::Reply, Some(patient));
            }
            Ok(())
        }
        _ => Err(StoreError::NotFound),
    }
}

/// `of` and `order` are ours; `values` are the parameters from `$4` on.
async fn read<const N: usize>(
    tx: &Tx,
    patient: PatientId,
    of: &str,
    values: [Value; N],
    order: &str,
) -> Result<Vec<Reply>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        log_id: Uuid,
        date: time::Date,
        note: Option<String>,
        text: String,
        by: String,
        written_at: At,
        read_at: Option<At>,
    }
    let mut parameters: Vec<Value> = vec![tx.clinic().0.into(), patient.0.into(), MOST.into()];
    parameters.extend(values);
    let rows: Vec<Row> = tx
        .all(
            &format!(
                "select r.id, r.log_id, l.date, r.note, r.text, m.name as by, r.written_at, r.read_at
                 from reply r
                 join session_log l on l.clinic_id = r.clinic_id and l.id = r.log_id
                 join membership m on m.clinic_id = r.clinic_id and m.id = r.written_by
                 where r.clinic_id = $1 and r.patient_id = $2 and {of} order by {order} limit $3"
            ),
            parameters,
        )
        .await?;
    rows.into_iter()
        .map(|Row { id, log_id, date, note, text, by, written_at, read_at }| {
            let corrupt = |column: &'static str| StoreError::corrupt("reply", column, id, "out of range");
            Ok(Reply {
                id: ReplyId(id),
                log: LogId(log_id),
                date: to_date(date).ok_or_else(|| corrupt("log_id"))?,
                note,
                text,
                by,
                written_at: to_instant(written_at).ok_or_else(|| corrupt("written_at"))?,
                read_at: read_at.and_then(to_instant),
            })
        })
        .collect()
}
