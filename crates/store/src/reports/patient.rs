//! One patient's report: the sessions of a period with all that was said in them. Two statements, whatever the period; the figures
//! are worked out from these rows by `domain::adherence` and `domain::pain`.

use std::collections::HashMap;

use domain::{
    adherence::Logged,
    ids::{ExerciseId, LogId, PatientId, ProgramId},
    pain::PainPoint,
    session_log::{Effort, PainScore, RedFlag, SkipReason},
};
use jiff::{Timestamp, civil::Date};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use super::caseload::Listed;
use crate::{
    StoreError, Tx,
    convert::{At, from_date, to_date, to_instant},
    patient::Patient,
};

/// The most sessions one report reads: two years of six a day, and some. A page that reaches it says so.
pub const MOST: usize = 5000;

/// The longest period of a report, in days: as long as the longest program.
pub const LONGEST_DAYS: i32 = domain::program::MAX_DAYS;

/// One exercise of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Done {
    /// Which.
    pub exercise: ExerciseId,
    /// How much of what was prescribed, 0 to 1.
    pub completion: f64,
    /// Why it was skipped, if it was.
    pub skipped: Option<SkipReason>,
}

/// One session as the patient logged it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The log.
    pub log: LogId,
    /// Its program.
    pub program: ProgramId,
    /// The patient's civil date it counts for.
    pub date: Date,
    /// When it was performed, as the device said.
    pub performed_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// When it was last corrected.
    pub corrected_at: Option<Timestamp>,
    /// Pain before, if given.
    pub pain_before: Option<PainScore>,
    /// Pain after, if given.
    pub pain_after: Option<PainScore>,
    /// Effort, if given.
    pub effort: Option<Effort>,
    /// In the patient's words.
    pub note: Option<String>,
    /// The stop signs that were ticked.
    pub red_flags: Vec<RedFlag>,
    /// How much of the session was done, 0 to 1.
    pub completion: f64,
    /// Whether somebody of the clinic entered it for the patient.
    pub by_staff: bool,
    /// Exercise by exercise, in the program's order.
    pub entries: Vec<Done>,
}

impl Session {
    /// As adherence needs it.
    pub fn logged(&self) -> Logged {
        Logged {
            program: self.program,
            date: self.date,
            completion: self.completion,
            entries: self.entries.iter().map(|done| (done.exercise, done.completion, done.skipped)).collect(),
        }
    }

    /// As the reading of pain needs it.
    pub fn pain(&self) -> PainPoint {
        PainPoint { date: self.date, before: self.pain_before, after: self.pain_after }
    }
}

/// The patient as a line of the caseload has them, so that the page and the caseload judge by the same.
pub fn listed(patient: &Patient) -> Listed {
    let Patient { id, name, email, zone, region, invited_at, joined_at, closed, .. } = patient.clone();
    Listed {
        id,
        name: name.as_str().to_owned(),
        email: email.map(|email| email.as_str().to_owned()),
        zone,
        region,
        invited_at,
        joined_at,
        physiotherapist: None,
        closed: closed.is_some(),
    }
}

/// A patient's sessions between two civil dates (inclusive), newest first, at most [`MOST`].
///
/// # Errors
/// [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn sessions(tx: &Tx, patient: PatientId, from: Date, to: Date) -> Result<Vec<Session>, StoreError> {
    let limit = i64::try_from(MOST).unwrap_or(i64::MAX);
    let args =
        || -> [Value; 5] { [tx.clinic().0.into(), patient.0.into(), from_date(from).into(), from_date(to).into(), limit.into()] };
    let (rows, entries) = tokio::try_join!(
        tx.all::<SessionRow>(include_str!("patient_sessions.sql"), args()),
        tx.all::<EntryRow>(include_str!("patient_entries.sql"), args()),
    )?;
    let mut entries_of: HashMap<Uuid, Vec<Done>> = HashMap::with_capacity(rows.len());
    for EntryRow { log_id, exercise_id, completion, skipped } in entries {
        let skipped =
            skipped.map(|word| word.parse().map_err(|why| StoreError::corrupt("log_entry", "skipped", log_id, why))).transpose()?;
        entries_of.entry(log_id).or_default().push(Done { exercise: ExerciseId(exercise_id), completion, skipped });
    }
    rows.into_iter()
        .map(|row| {
            let entries = entries_of.remove(&row.id).unwrap_or_default();
            session(row, entries)
        })
        .collect()
}

#[derive(FromQueryResult)]
struct SessionRow {
    id: Uuid,
    program_id: Uuid,
    date: time::Date,
    performed_at: At,
    received_at: At,
    corrected_at: Option<At>,
    pain_before: Option<i16>,
    pain_after: Option<i16>,
    effort: Option<i16>,
    note: Option<String>,
    red_flags: Vec<String>,
    completion: f64,
    by_staff: bool,
}

#[derive(FromQueryResult)]
struct EntryRow {
    log_id: Uuid,
    exercise_id: Uuid,
    completion: f64,
    skipped: Option<String>,
}

fn session(row: SessionRow, entries: Vec<Done>) -> Result<Session, StoreError> {
    let SessionRow {
        id,
        program_id,
        date,
        performed_at,
        received_at,
        corrected_at,
        pain_before,
        pain_after,
        effort,
        note,
        red_flags,
        completion,
        by_staff,
    } = row;
    let corrupt = |column: &'static str| StoreError::corrupt("session_log", column, id, "out of range");
    let pain = |score: Option<i16>, column: &'static str| {
        score.map(|score| PainScore::new(i64::from(score)).map_err(|_| corrupt(column))).transpose()
    };
    Ok(Session {
        log: LogId(id),
        program: ProgramId(program_id),
        date: to_date(date).ok_or_else(|| corrupt("date"))?,
        performed_at: to_instant(performed_at).ok_or_else(|| corrupt("performed_at"))?,
        received_at: to_instant(received_at).ok_or_else(|| corrupt("received_at"))?,
        corrected_at: corrected_at.and_then(to_instant),
        pain_before: pain(pain_before, "pain_before")?,
        pain_after: pain(pain_after, "pain_after")?,
        effort: effort.map(|value| Effort::new(i64::from(value)).map_err(|_| corrupt("effort"))).transpose()?,
        note: note.filter(|note| !note.trim().is_empty()),
        red_flags: red_flags.iter().map(|word| word.parse().map_err(|_| corrupt("red_flags"))).collect::<Result<_, _>>()?,
        completion,
        by_staff,
        entries,
    })
}
