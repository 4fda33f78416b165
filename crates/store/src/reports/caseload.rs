//! The caseload: who is on it, and for each patient the sessions that say how they are doing. Three statements for the sessions,
//! the decisions and the names, whatever the number of patients; the programs come from [`crate::program::of_patients`].

use std::collections::HashMap;

use domain::{
    adherence::Logged,
    attention::{Flagged, Question, Scored},
    ids::{LogId, MembershipId, PatientId, ProgramId},
    pain::{PainPoint, Region},
    person::Zone,
    session_log::{PainScore, RedFlag},
};
use jiff::{Timestamp, civil::Date};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{At, from_date, to_date, to_instant},
};

/// A patient as a line of the caseload names them.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The record.
    pub id: PatientId,
    /// The name.
    pub name: String,
    /// The address, if there is one.
    pub email: Option<String>,
    /// The patient's zone.
    pub zone: Zone,
    /// Where it hurts.
    pub region: Region,
    /// When the last invitation was queued.
    pub invited_at: Option<Timestamp>,
    /// When the patient accepted.
    pub joined_at: Option<Timestamp>,
    /// Whose caseload the patient is on, by name.
    pub physiotherapist: Option<String>,
    /// Whether the record is closed: then nothing about it needs anybody.
    pub closed: bool,
}

/// The most patients one caseload lists. Beyond it the search narrows; the page says so.
pub const MOST: i64 = 3000;

/// The patients of the clinic, or of one physiotherapist, by name; `search` is part of a name or an address.
///
/// # Errors
/// The store's own.
pub async fn patients(tx: &Tx, whose: Option<MembershipId>, search: &str) -> Result<Vec<Listed>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
        email: Option<String>,
        zone: String,
        region: String,
        invited_at: Option<At>,
        joined_at: Option<At>,
        physiotherapist: Option<String>,
        closed: bool,
    }
    let rows: Vec<Row> = tx
        .all(
            include_str!("caseload_patients.sql"),
            [tx.clinic().0.into(), whose.map(|id| id.0).into(), pattern(search).into(), MOST.into()],
        )
        .await?;
    rows.into_iter()
        .map(|Row { id, name, email, zone, region, invited_at, joined_at, physiotherapist, closed }| {
            Ok(Listed {
                id: PatientId(id),
                name,
                email,
                zone: Zone::parse(&zone).map_err(|why| StoreError::corrupt("patient", "zone", id, why))?,
                region: region.parse().map_err(|why| StoreError::corrupt("patient", "region", id, why))?,
                invited_at: invited_at.and_then(to_instant),
                joined_at: joined_at.and_then(to_instant),
                physiotherapist,
                closed,
            })
        })
        .collect()
}

/// A LIKE pattern that finds `search` anywhere; what people type is never a wildcard.
pub(crate) fn pattern(search: &str) -> String {
    let search = search.trim().to_lowercase();
    if search.is_empty() {
        return search;
    }
    let escaped = search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// What a patient's sessions say, each list oldest first.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    /// For adherence; without entries.
    pub logs: Vec<Logged>,
    /// Pain before and after each session, where either was given.
    pub pain: Vec<PainPoint>,
    /// Sessions with a score after them.
    pub scores: Vec<Scored>,
    /// Sessions with stop signs.
    pub flagged: Vec<Flagged>,
    /// Sessions with a note, answered or not.
    pub questions: Vec<Question>,
    /// The newest session's date.
    pub last: Option<Date>,
}

/// From when on sessions are read: since the oldest of the programs that had not ended by `ended`, and in any case since `always`, but
/// not from before `never`.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Sessions from this date on are always read.
    pub always: Date,
    /// A program whose last day is before this one is over.
    pub ended: Date,
    /// Sessions from before this date are never read.
    pub never: Date,
}

/// The sessions of some patients within a window.
///
/// # Errors
/// The store's own.
pub async fn sessions(tx: &Tx, patients: &[PatientId], window: Window) -> Result<HashMap<PatientId, Sessions>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        patient_id: Uuid,
        program_id: Uuid,
        date: time::Date,
        performed_at: At,
        completion: f64,
        pain_before: Option<i16>,
        pain_after: Option<i16>,
        red_flags: Vec<String>,
        received_at: At,
        noted: bool,
        answered: bool,
    }
    let ids: Vec<Uuid> = patients.iter().map(|id| id.0).collect();
    let Window { always, ended, never } = window;
    let values = [tx.clinic().0.into(), ids.into(), from_date(always).into(), from_date(ended).into(), from_date(never).into()];
    let mut rows: Vec<Row> = tx.all(include_str!("caseload_sessions.sql"), values).await?;
    rows.sort_unstable_by_key(|row| (row.date, row.performed_at, row.id));
    let mut by_patient: HashMap<PatientId, Sessions> = HashMap::with_capacity(patients.len());
    for row in rows {
        let Row {
            id,
            patient_id,
            program_id,
            date,
            performed_at,
            completion,
            pain_before,
            pain_after,
            red_flags,
            received_at,
            noted,
            answered,
        } = row;
        let corrupt = |column: &'static str| StoreError::corrupt("session_log", column, id, "out of range");
        let pain = |score: Option<i16>, column: &'static str| {
            score.map(|score| PainScore::new(i64::from(score)).map_err(|_| corrupt(column))).transpose()
        };
        let date = to_date(date).ok_or_else(|| corrupt("date"))?;
        let (program, log) = (ProgramId(program_id), LogId(id));
        let (before, after) = (pain(pain_before, "pain_before")?, pain(pain_after, "pain_after")?);
        let facts = by_patient.entry(PatientId(patient_id)).or_default();
        facts.logs.push(Logged { program, date, completion, entries: Vec::new() });
        facts.last = facts.last.max(Some(date));
        if before.is_some() || after.is_some() {
            facts.pain.push(PainPoint { date, before, after });
        }
        if let Some(after) = after {
            let performed_at = to_instant(performed_at).ok_or_else(|| corrupt("performed_at"))?;
            facts.scores.push(Scored { log, date, performed_at, after });
        }
        if !red_flags.is_empty() {
            let flags =
                red_flags.iter().map(|word| word.parse::<RedFlag>().map_err(|_| corrupt("red_flags"))).collect::<Result<_, _>>()?;
            facts.flagged.push(Flagged { log, program, date, flags });
        }
        if noted {
            let at = to_instant(received_at).ok_or_else(|| corrupt("received_at"))?;
            facts.questions.push(Question { id, date, at, answered });
        }
    }
    Ok(by_patient)
}
