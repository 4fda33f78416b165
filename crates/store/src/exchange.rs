//! A patient's record in the domain's words, for other programs: see [`domain::record`].
//!
//! What was prescribed is read at once; sessions, answers and replies come through cursors a few hundred at a time, so a record of any
//! size needs the memory of one batch.

use std::collections::HashSet;

use domain::{
    ids::{ActivityId, AnswerId, ExerciseId, LogId, MembershipId, PatientId, PrescriptionId, ProgramId, ReplyId},
    questionnaire::{Ability, Activity, ActivityName, Answer, Rating, Scored},
    record::{Made, Opening, Part, Reply, Session, Whose},
    session_log::{Effort, Entry, Outcome, PainScore, SessionLog},
};
use sea_orm::{FromQueryResult, Value};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{At, to_date, to_instant},
    patient, program,
};

/// How many rows are read at a time.
const BATCH: u32 = 500;

const SESSIONS: &str = "
    select l.id, l.program_id, l.date, l.performed_at, l.received_at, l.corrected_at, l.pain_before, l.pain_after, l.effort, l.note,
      l.red_flags, l.logged_by,
      (select coalesce(jsonb_agg(jsonb_build_array(e.prescription_id, e.sets, e.reps, e.hold_s, e.skipped) order by s.position, s.id), '[]')
       from log_entry e join prescription s on s.clinic_id = e.clinic_id and s.id = e.prescription_id
       where e.clinic_id = l.clinic_id and e.log_id = l.id) as entries
    from session_log l where l.clinic_id = :clinic and l.patient_id = :patient order by l.date, l.received_at, l.id";

const ANSWERS: &str = "
    select a.id, a.program_id, a.date, a.rating, a.received_at, a.corrected_at,
      (select coalesce(jsonb_agg(jsonb_build_array(v.id, v.name, s.score) order by v.position), '[]')
       from questionnaire_score s join questionnaire_activity v on v.clinic_id = s.clinic_id and v.id = s.activity_id
       where s.clinic_id = a.clinic_id and s.answer_id = a.id) as scores
    from questionnaire_answer a where a.clinic_id = :clinic and a.patient_id = :patient order by a.date, a.received_at, a.id";

const REPLIES: &str = "
    select id, log_id, text, written_by, written_at, read_at
    from reply where clinic_id = :clinic and patient_id = :patient order by written_at, id";

/// Reads a patient's record and hands it on part by part. When nobody takes the parts any more, it stops.
///
/// What is logged while it is read for a program or a version made meanwhile belongs to the next time: it is left out, so that nothing
/// handed on refers to what was not.
///
/// # Errors
/// [`StoreError::NotFound`] for a patient outside the scope; [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn read(tx: &Tx, patient: PatientId, to: &Sender<Part>) -> Result<(), StoreError> {
    let opening = opening(tx, patient).await?;
    let programs: HashSet<ProgramId> = opening.programs.iter().map(|program| program.id).collect();
    let prescriptions: HashSet<PrescriptionId> = opening
        .programs
        .iter()
        .flat_map(|program| &program.versions)
        .flat_map(|version| &version.prescriptions)
        .map(|prescription| prescription.id)
        .collect();
    let mut logs: HashSet<LogId> = HashSet::new();
    hand(to, Part::Opening(Box::new(opening))).await?;

    let sessions = Cursor::open(tx, "exchange_sessions", SESSIONS, patient).await?;
    while let Some(rows) = sessions.next::<SessionRow>().await? {
        let mut batch = rows.into_iter().map(session).collect::<Result<Vec<_>, _>>()?;
        batch.retain(|session| {
            let Session { log, .. } = session;
            programs.contains(&log.program) && log.entries.iter().all(|entry| prescriptions.contains(&entry.prescription))
        });
        logs.extend(batch.iter().map(|session| session.log.id));
        hand(to, Part::Sessions(batch)).await?;
    }
    let answers = Cursor::open(tx, "exchange_answers", ANSWERS, patient).await?;
    while let Some(rows) = answers.next::<AnswerRow>().await? {
        let mut batch = rows.into_iter().map(|row| answer(row, patient)).collect::<Result<Vec<_>, _>>()?;
        batch.retain(|answer| programs.contains(&answer.program));
        hand(to, Part::Answers(batch)).await?;
    }
    let replies = Cursor::open(tx, "exchange_replies", REPLIES, patient).await?;
    while let Some(rows) = replies.next::<ReplyRow>().await? {
        let mut batch = rows.into_iter().map(reply).collect::<Result<Vec<_>, _>>()?;
        batch.retain(|reply| logs.contains(&reply.log));
        hand(to, Part::Replies(batch)).await?;
    }
    Ok(())
}

async fn hand(to: &Sender<Part>, part: Part) -> Result<(), StoreError> {
    to.send(part).await.map_err(|_| StoreError::Other("the export was given up".to_owned()))
}

async fn opening(tx: &Tx, patient: PatientId) -> Result<Opening, StoreError> {
    #[derive(FromQueryResult)]
    struct MadeRow {
        program_id: Uuid,
        number: i32,
        created_by: Option<Uuid>,
        created_at: At,
    }
    #[derive(FromQueryResult)]
    struct Named {
        id: Uuid,
        name: String,
    }
    let args = || -> [Value; 2] { [tx.clinic().0.into(), patient.0.into()] };
    let (record, programs, made, exercises, staff) = tokio::try_join!(
        patient::find(tx, patient),
        program::of_patient(tx, patient),
        tx.all::<MadeRow>(
            "select program_id, number, created_by, created_at from program_version where clinic_id = $1 and patient_id = $2",
            args(),
        ),
        tx.all::<Named>(
            "select e.id, e.name from exercise e where e.clinic_id = $1
               and e.id in (select exercise_id from prescription where clinic_id = $1 and patient_id = $2)",
            args(),
        ),
        tx.all::<Named>(
            "select m.id, m.name from membership m where m.clinic_id = $1 and m.id in (
               select created_by from program_version where clinic_id = $1 and patient_id = $2
               union select logged_by from session_log where clinic_id = $1 and patient_id = $2
               union select written_by from reply where clinic_id = $1 and patient_id = $2) order by m.id",
            args(),
        ),
    )?;
    let made = made.into_iter().map(|MadeRow { program_id, number, created_by, created_at }| {
        let corrupt = |column| StoreError::corrupt("program_version", column, program_id, "out of range");
        let number = u32::try_from(number).map_err(|_| corrupt("number"))?;
        let at = to_instant(created_at).ok_or_else(|| corrupt("created_at"))?;
        Ok(((ProgramId(program_id), number), Made { by: created_by.map(MembershipId), at }))
    });
    let patient::Patient { id, name, email, language, zone, closed, .. } = record;
    Ok(Opening {
        whose: Whose { id, name, email, language, zone, open: closed.is_none() },
        programs,
        made: made.collect::<Result<_, StoreError>>()?,
        exercises: exercises.into_iter().map(|Named { id, name }| (ExerciseId(id), name)).collect(),
        staff: staff.into_iter().map(|Named { id, name }| (MembershipId(id), name)).collect(),
    })
}

/// The rows of a statement, batch by batch.
struct Cursor<'a> {
    tx: &'a Tx,
    fetch: String,
}

impl<'a> Cursor<'a> {
    /// It is gone with the transaction.
    async fn open(tx: &'a Tx, name: &'static str, sql: &'static str, patient: PatientId) -> Result<Self, StoreError> {
        // A cursor's statement takes no parameters. What is put in their place is the text of two UUIDs, never what anybody typed.
        let sql = sql.replace(":clinic", &format!("'{}'", tx.clinic())).replace(":patient", &format!("'{patient}'"));
        tx.run(&format!("declare {name} no scroll cursor for {sql}"), []).await?;
        Ok(Self { tx, fetch: format!("fetch {BATCH} from {name}") })
    }

    /// `None` when there are no more.
    async fn next<R: FromQueryResult + Send + Sync>(&self) -> Result<Option<Vec<R>>, StoreError> {
        let rows: Vec<R> = self.tx.all(&self.fetch, []).await?;
        Ok((!rows.is_empty()).then_some(rows))
    }
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
    logged_by: Option<Uuid>,
    entries: serde_json::Value,
}

/// Prescription, sets, repetitions, seconds held, why it was skipped.
type EntryRow = (Uuid, Option<u16>, Option<u16>, Option<u16>, Option<String>);

fn session(row: SessionRow) -> Result<Session, StoreError> {
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
        logged_by,
        entries,
    } = row;
    let corrupt = |column: &'static str| StoreError::corrupt("session_log", column, id, "out of range");
    let pain = |score: Option<i16>, column: &'static str| {
        score.map(|score| PainScore::new(i64::from(score)).map_err(|_| corrupt(column))).transpose()
    };
    let entries = list::<EntryRow>(entries, "log_entry", id)?.into_iter().map(|(prescription, sets, reps, hold, skipped)| {
        let wrong = |column: &'static str| StoreError::corrupt("log_entry", column, id, "absent or unknown");
        let outcome = match skipped {
            Some(word) => Outcome::Skipped(word.parse().map_err(|_| wrong("skipped"))?),
            None => Outcome::Did { sets: sets.ok_or_else(|| wrong("sets"))?, reps: reps.ok_or_else(|| wrong("reps"))?, hold },
        };
        Ok(Entry { prescription: PrescriptionId(prescription), outcome })
    });
    Ok(Session {
        log: SessionLog {
            id: LogId(id),
            program: ProgramId(program_id),
            date: to_date(date).ok_or_else(|| corrupt("date"))?,
            performed_at: to_instant(performed_at).ok_or_else(|| corrupt("performed_at"))?,
            received_at: to_instant(received_at).ok_or_else(|| corrupt("received_at"))?,
            entries: entries.collect::<Result<_, StoreError>>()?,
            pain_before: pain(pain_before, "pain_before")?,
            pain_after: pain(pain_after, "pain_after")?,
            effort: effort.map(|value| Effort::new(i64::from(value)).map_err(|_| corrupt("effort"))).transpose()?,
            note,
            red_flags: red_flags.iter().map(|word| word.parse().map_err(|_| corrupt("red_flags"))).collect::<Result<_, _>>()?,
        },
        corrected_at: corrected_at.and_then(to_instant),
        entered_by: logged_by.map(MembershipId),
    })
}

#[derive(FromQueryResult)]
struct AnswerRow {
    id: Uuid,
    program_id: Uuid,
    date: time::Date,
    rating: Option<i16>,
    received_at: At,
    corrected_at: Option<At>,
    scores: serde_json::Value,
}

/// Activity, its name, its score.
type ScoreRow = (Uuid, String, Option<i64>);

fn answer(row: AnswerRow, patient: PatientId) -> Result<Answer, StoreError> {
    let AnswerRow { id, program_id, date, rating, received_at, corrected_at, scores } = row;
    let corrupt = |column: &'static str| StoreError::corrupt("questionnaire_answer", column, id, "out of range");
    let activities = list::<ScoreRow>(scores, "questionnaire_score", id)?.into_iter().map(|(activity, name, score)| {
        let name =
            ActivityName::parse(&name).map_err(|why| StoreError::corrupt("questionnaire_activity", "name", activity, why))?;
        let score =
            score.map(|score| Ability::new(score).map_err(|why| StoreError::corrupt("questionnaire_score", "score", id, why)));
        Ok(Scored { activity: Activity { id: ActivityId(activity), name }, score: score.transpose()? })
    });
    Ok(Answer {
        id: AnswerId(id),
        patient,
        program: ProgramId(program_id),
        date: to_date(date).ok_or_else(|| corrupt("date"))?,
        received_at: to_instant(received_at).ok_or_else(|| corrupt("received_at"))?,
        corrected_at: corrected_at.and_then(to_instant),
        activities: activities.collect::<Result<_, StoreError>>()?,
        rating: rating.map(|rating| Rating::new(i64::from(rating)).map_err(|_| corrupt("rating"))).transpose()?,
    })
}

#[derive(FromQueryResult)]
struct ReplyRow {
    id: Uuid,
    log_id: Uuid,
    text: String,
    written_by: Uuid,
    written_at: At,
    read_at: Option<At>,
}

fn reply(row: ReplyRow) -> Result<Reply, StoreError> {
    let ReplyRow { id, log_id, text, written_by, written_at, read_at } = row;
    Ok(Reply {
        id: ReplyId(id),
        log: LogId(log_id),
        text,
        by: MembershipId(written_by),
        written_at: to_instant(written_at).ok_or_else(|| StoreError::corrupt("reply", "written_at", id, "out of range"))?,
        read_at: read_at.and_then(to_instant),
    })
}

fn list<T: DeserializeOwned>(value: serde_json::Value, table: &'static str, id: Uuid) -> Result<Vec<T>, StoreError> {
    serde_json::from_value(value).map_err(|why| StoreError::corrupt(table, "row", id, why))
}
