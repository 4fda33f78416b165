//! The caseload: who is on it, and for each patient the sessions that say how they are doing. Three statements for the sessions,
//! the decisions and the names, whatever the number of patients; the programs come from [`crate::program::of_patients`].

use std::collections::HashMap;

use domain::{
    adherence::Logged,
    attention::{Flagged, Question, Scored},
    ids::{LogId, MembershipId, PatientId, ProgramId},
    pain::Region,
    person::Zone,
    session_log::{PainScore, RedFlag, ScoreError},
};
use jiff::{Timestamp, ToSpan as _, civil::Date};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{At, from_date, to_instant},
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
    let ids: Vec<Uuid> = patients.iter().map(|id| id.0).collect();
    let Window { always, ended, never } = window;
    let values = [tx.clinic().0.into(), ids.into(), from_date(always).into(), from_date(ended).into(), from_date(never).into()];
    let rows: Vec<SessionsRow> = tx.all(include_str!("caseload_sessions.sql"), values).await?;
    rows.into_iter().map(|row| Ok((PatientId(row.patient_id), row.sessions(never)?))).collect()
}

/// One patient's sessions: arrays of the same length, and shorter ones for what few sessions have.
#[derive(FromQueryResult)]
struct SessionsRow {
    patient_id: Uuid,
    ids: Vec<Uuid>,
    programs: Vec<Uuid>,
    /// Since the window's first day.
    days: Vec<i16>,
    /// In microseconds since 1970.
    performed: Vec<i64>,
    completions: Vec<f64>,
    /// −1 where it was not given.
    afters: Vec<i16>,
    flagged: Vec<Uuid>,
    flags: Vec<String>,
    noted: Vec<Uuid>,
    received: Vec<i64>,
    answered: Vec<bool>,
}

/// A session as the arrays tell it.
struct One {
    date: Date,
    performed_at: Timestamp,
    id: Uuid,
    program: ProgramId,
    completion: f64,
    after: Option<PainScore>,
}

impl SessionsRow {
    fn sessions(self, from: Date) -> Result<Sessions, StoreError> {
        let all = self.oldest_first(from)?;
        let of: HashMap<Uuid, &One> = all.iter().map(|one| (one.id, one)).collect();
        let mut sessions = Sessions { last: all.last().map(|one| one.date), ..Sessions::default() };
        for One { date, performed_at, id, program, completion, after } in &all {
            let (date, log) = (*date, LogId(*id));
            sessions.logs.push(Logged { program: *program, date, completion: *completion, entries: Vec::new() });
            if let Some(after) = *after {
                sessions.scores.push(Scored { log, date, performed_at: *performed_at, after });
            }
        }
        for (id, words) in self.flagged.iter().zip(&self.flags) {
            let Some(One { date, program, .. }) = of.get(id) else { continue };
            let flags = words.split(' ').map(|word| word.parse::<RedFlag>().map_err(|_| corrupt("red_flags", *id)));
            let flags = flags.collect::<Result<_, _>>()?;
            sessions.flagged.push(Flagged { log: LogId(*id), program: *program, date: *date, flags });
        }
        for ((id, received), answered) in self.noted.iter().zip(&self.received).zip(&self.answered) {
            let Some(One { date, .. }) = of.get(id) else { continue };
            let at = Timestamp::from_microsecond(*received).map_err(|_| corrupt("received_at", *id))?;
            sessions.questions.push(Question { id: *id, date: *date, at, answered: *answered });
        }
        sessions.flagged.sort_unstable_by_key(|flagged| (flagged.date, flagged.log));
        sessions.questions.sort_unstable_by_key(|question| (question.date, question.at, question.id));
        Ok(sessions)
    }

    fn oldest_first(&self, from: Date) -> Result<Vec<One>, StoreError> {
        let Self { ids, programs, days, performed, completions, afters, .. } = self;
        let mut all = Vec::with_capacity(ids.len());
        let times = days.iter().zip(performed);
        let facts = programs.iter().zip(completions).zip(afters);
        for ((id, (day, performed)), ((program, completion), after)) in ids.iter().zip(times).zip(facts) {
            all.push(One {
                date: from.checked_add(i32::from(*day).days()).map_err(|_| corrupt("date", *id))?,
                performed_at: Timestamp::from_microsecond(*performed).map_err(|_| corrupt("performed_at", *id))?,
                id: *id,
                program: ProgramId(*program),
                completion: *completion,
                after: score(*after).map_err(|_| corrupt("pain_after", *id))?,
            });
        }
        all.sort_unstable_by_key(|one| (one.date, one.performed_at, one.id));
        Ok(all)
    }
}

/// A score, or none for −1.
fn score(value: i16) -> Result<Option<PainScore>, ScoreError> {
    if value < 0 { Ok(None) } else { PainScore::new(i64::from(value)).map(Some) }
}

fn corrupt(column: &'static str, id: Uuid) -> StoreError {
    StoreError::corrupt("session_log", column, id, "out of range")
}
