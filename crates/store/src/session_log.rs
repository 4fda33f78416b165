//! Session logs: what patients did, its corrections, and the narrow reading that adherence needs.

use std::collections::HashMap;

use domain::{
    adherence::Logged,
    ids::{ExerciseId, LogId, PatientId, PrescriptionId, ProgramId},
    pain::PainPoint,
    program::{Program, Version, stop_all},
    session_log::{self, Effort, Entry, Outcome, PainScore, RedFlag, SessionLog, SkipReason},
};
use jiff::{Timestamp, civil::Date};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_date, from_instant, to_date, to_instant},
    outbox::recall,
    patient, program,
};

/// What saving a log did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// The log is new and now kept.
    New,
    /// A log with this id is there already (the device sent it twice); nothing was changed.
    Known,
}

/// Saves a log that [`SessionLog::check`] has accepted, with its entries, in one statement. A reminder that a worker has claimed is taken
/// back before: the session may be what it asks for. With stop signs in it, the patient's programs are stopped in the same transaction,
/// from the day the log was received.
///
/// # Errors
/// [`StoreError::Refused`] when no version of the program is in effect on the log's date.
pub async fn insert(tx: &Tx, program: &Program, log: &SessionLog) -> Result<Saved, StoreError> {
    let version = version(program, log)?;
    recall(tx, program.patient).await?;
    let mut values = log_values(tx, program, version, log);
    values.extend(entry_values(version, &log.entries));
    #[derive(FromQueryResult)]
    struct Added {
        added: i64,
    }
    let row: Option<Added> = tx
        .one(
            "with log as (
               insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at,
                 pain_before, pain_after, effort, note, red_flags, completion, logged_by)
               select $1, $2, $3, $4, v.id, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
               from program_version v where v.clinic_id = $1 and v.program_id = $4 and v.number = $5
               on conflict (clinic_id, id) do nothing
               returning clinic_id, id, patient_id),
             entries as (insert into log_entry (clinic_id, log_id, patient_id, prescription_id, sets, reps, hold_s, skipped, completion)
             select log.clinic_id, log.id, log.patient_id, e.prescription_id,
               case when e.skipped = '' then e.sets end, case when e.skipped = '' then e.reps end,
               case when e.skipped = '' then nullif(e.hold_s, -1) end, nullif(e.skipped, ''), e.completion
             from log, unnest($16::uuid[], $17::smallint[], $18::smallint[], $19::smallint[], $20::text[], $21::float8[])
               as e (prescription_id, sets, reps, hold_s, skipped, completion))
             select count(*) as added from log",
            values,
        )
        .await?;
    if row.is_none_or(|row| row.added == 0) {
        return Ok(Saved::Known);
    }
    tx.note(AuditAction::Wrote, AuditResource::Log, Some(program.patient));
    heed_stop_signs(tx, program.patient, log, None, log.received_at).await?;
    Ok(Saved::New)
}

/// Stops the patient's programs if [`SessionLog::stops_programs`], from the patient's civil date at `now`. [`insert`] and [`correct`] do
/// it for every log they keep; a page calls it for one that is refused, because stopping comes first, whatever else is wrong.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such patient; the store's own.
pub async fn heed_stop_signs(
    tx: &Tx,
    patient: PatientId,
    log: &SessionLog,
    earlier: Option<&[RedFlag]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !log.stops_programs(earlier) {
        return Ok(());
    }
    let today = patient::find(tx, patient).await?.zone.date(now);
    for program in stop_all(program::of_patient_for_update(tx, patient).await?, today) {
        program::save_state(tx, &program, now).await?;
    }
    Ok(())
}

/// Replaces a log by its correction, keeping the whole of the earlier one. Other stop signs than before stop the patient's programs, as in
/// [`insert`], from the day of the correction.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such log; [`StoreError::Refused`] as for [`insert`].
pub async fn correct(tx: &Tx, program: &Program, log: &SessionLog, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Log, Some(program.patient));
    let version = version(program, log)?;
    recall(tx, program.patient).await?;
    #[derive(FromQueryResult)]
    struct Earlier {
        red_flags: Vec<String>,
    }
    let earlier: Option<Earlier> = tx
        .one(
            "with kept as (
               insert into log_revision (clinic_id, id, log_id, patient_id, before, replaced_at)
               select l.clinic_id, $3, l.id, l.patient_id,
                 to_jsonb(l) || jsonb_build_object('entries', (select coalesce(jsonb_agg(to_jsonb(e)), '[]'::jsonb) from log_entry e
                   where e.clinic_id = l.clinic_id and e.log_id = l.id)), $4
               from session_log l where l.clinic_id = $1 and l.id = $2
               returning clinic_id, log_id)
             select l.red_flags from kept join session_log l on l.clinic_id = kept.clinic_id and l.id = kept.log_id",
            [tx.clinic().0.into(), log.id.0.into(), Uuid::now_v7().into(), from_instant(now).into()],
        )
        .await?;
    let earlier = red_flags(&earlier.ok_or(StoreError::NotFound)?.red_flags, log.id.0)?;
    tx.run("delete from log_entry where clinic_id = $1 and log_id = $2", [tx.clinic().0.into(), log.id.0.into()]).await?;
    let mut values = log_values(tx, program, version, log);
    values.extend(entry_values(version, &log.entries));
    values.push(from_instant(now).into());
    tx.run(
        "with log as (
           update session_log set version_id = v.id, date = $6, performed_at = $7, pain_before = $9, pain_after = $10,
             effort = $11, note = $12, red_flags = $13, completion = $14, corrected_at = $22,
             logged_by = coalesce($15, logged_by), received_at = least(received_at, $8), program_id = $4, patient_id = $3
           from program_version v
           where session_log.clinic_id = $1 and session_log.id = $2
             and v.clinic_id = $1 and v.program_id = $4 and v.number = $5
           returning session_log.clinic_id, session_log.id, session_log.patient_id)
         insert into log_entry (clinic_id, log_id, patient_id, prescription_id, sets, reps, hold_s, skipped, completion)
         select log.clinic_id, log.id, log.patient_id, e.prescription_id,
           case when e.skipped = '' then e.sets end, case when e.skipped = '' then e.reps end,
           case when e.skipped = '' then nullif(e.hold_s, -1) end, nullif(e.skipped, ''), e.completion
         from log, unnest($16::uuid[], $17::smallint[], $18::smallint[], $19::smallint[], $20::text[], $21::float8[])
           as e (prescription_id, sets, reps, hold_s, skipped, completion)",
        values,
    )
    .await?;
    heed_stop_signs(tx, program.patient, log, Some(&earlier), now).await
}

/// One log within the scope.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and for somebody else's alike.
pub async fn find(tx: &Tx, id: LogId) -> Result<SessionLog, StoreError> {
    read(tx, "l.id = $2", vec![id.0.into()]).await?.pop().ok_or(StoreError::NotFound)
}

/// Whether the log was corrected, and when last.
///
/// # Errors
/// The store's own.
pub async fn corrected_at(tx: &Tx, id: LogId) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        corrected_at: Option<At>,
    }
    let row: Option<Row> = tx
        .one("select corrected_at from session_log where clinic_id = $1 and id = $2", [tx.clinic().0.into(), id.0.into()])
        .await?;
    Ok(row.and_then(|row| row.corrected_at).and_then(to_instant))
}

/// A patient's logs between two civil dates (inclusive), oldest first, with their entries. Two statements.
///
/// # Errors
/// The store's own.
pub async fn of_patient(tx: &Tx, patient: PatientId, from: Date, to: Date) -> Result<Vec<SessionLog>, StoreError> {
    read(tx, "l.patient_id = $2 and l.date between $3 and $4", vec![patient.0.into(), from_date(from).into(), from_date(to).into()])
        .await
}

/// A page of a patient's logs, newest first: those before `before` (date and id of the last one seen), at most `limit`.
///
/// # Errors
/// The store's own.
pub async fn page(tx: &Tx, patient: PatientId, before: Option<(Date, LogId)>, limit: u16) -> Result<Vec<SessionLog>, StoreError> {
    let (date, id) = before.unwrap_or((Date::constant(9999, 12, 31), LogId(Uuid::max())));
    let mut logs = read(
        tx,
        "l.clinic_id = $1 and l.id in (select id from session_log where clinic_id = $1 and patient_id = $2
           and (date, id) < ($3, $4) order by date desc, id desc limit $5)",
        vec![patient.0.into(), from_date(date).into(), id.0.into(), i64::from(limit).into()],
    )
    .await?;
    logs.reverse();
    Ok(logs)
}

/// A session of a patient's own history: what was done of it, and how it felt.
#[derive(Debug, Clone, PartialEq)]
pub struct Felt {
    /// How much was done. By exercise is left out.
    pub logged: Logged,
    /// The pain.
    pub pain: PainPoint,
}

/// A patient's sessions since the newest program that has begun by `today`, and those of the eight weeks up to `today` in any case,
/// oldest first. However long somebody has been with a clinic, no more than the longest program is read.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn felt(tx: &Tx, patient: PatientId, today: Date) -> Result<Vec<Felt>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        program_id: Uuid,
        date: time::Date,
        completion: f64,
        pain_before: Option<i16>,
        pain_after: Option<i16>,
    }
    let rows: Vec<Row> = tx
        .all(
            "select id, program_id, date, completion, pain_before, pain_after from session_log
             where clinic_id = $1 and patient_id = $2 and date <= $3
               and date >= least($3 - 55, (select max(starts_on) from program where clinic_id = $1 and patient_id = $2 and starts_on <= $3))
             order by date, received_at, id",
            [tx.clinic().0.into(), patient.0.into(), from_date(today).into()],
        )
        .await?;
    rows.into_iter()
        .map(|Row { id, program_id, date, completion, pain_before, pain_after }| {
            let date = to_date(date).ok_or_else(|| StoreError::corrupt("session_log", "date", id, "out of range"))?;
            let (before, after) = (pain_from(pain_before, "pain_before", id)?, pain_from(pain_after, "pain_after", id)?);
            Ok(Felt {
                logged: Logged { program: ProgramId(program_id), date, completion, entries: Vec::new() },
                pain: PainPoint { date, before, after },
            })
        })
        .collect()
}

/// What adherence needs of some patients' logs between two dates: two statements, whatever the number of patients.
///
/// # Errors
/// The store's own.
pub async fn logged(tx: &Tx, patients: &[PatientId], from: Date, to: Date) -> Result<HashMap<PatientId, Vec<Logged>>, StoreError> {
    #[derive(FromQueryResult)]
    struct LogRow {
        id: Uuid,
        patient_id: Uuid,
        program_id: Uuid,
        date: time::Date,
        completion: f64,
    }
    #[derive(FromQueryResult)]
    struct EntryRow {
        log_id: Uuid,
        exercise_id: Uuid,
        completion: f64,
        skipped: Option<String>,
    }
    let ids: Vec<Uuid> = patients.iter().map(|id| id.0).collect();
    let args = || -> [Value; 4] { [tx.clinic().0.into(), ids.clone().into(), from_date(from).into(), from_date(to).into()] };
    let (logs, entries) = tokio::try_join!(
        tx.all::<LogRow>(
            "select id, patient_id, program_id, date, completion from session_log
             where clinic_id = $1 and patient_id = any($2) and date between $3 and $4 order by date, received_at, id",
            args(),
        ),
        tx.all::<EntryRow>(
            "select e.log_id, p.exercise_id, e.completion, e.skipped
             from session_log l
             join log_entry e on e.clinic_id = l.clinic_id and e.log_id = l.id
             join prescription p on p.clinic_id = e.clinic_id and p.id = e.prescription_id
             where l.clinic_id = $1 and l.patient_id = any($2) and l.date between $3 and $4",
            args(),
        ),
    )?;
    let mut entries_of: HashMap<Uuid, Vec<(ExerciseId, f64, Option<SkipReason>)>> = HashMap::new();
    for EntryRow { log_id, exercise_id, completion, skipped } in entries {
        let skipped = skipped.as_deref().map(|word| skip_from(word, log_id)).transpose()?;
        entries_of.entry(log_id).or_default().push((ExerciseId(exercise_id), completion, skipped));
    }
    let mut by_patient: HashMap<PatientId, Vec<Logged>> = HashMap::new();
    for LogRow { id, patient_id, program_id, date, completion } in logs {
        by_patient.entry(PatientId(patient_id)).or_default().push(Logged {
            program: ProgramId(program_id),
            date: to_date(date).ok_or_else(|| StoreError::corrupt("session_log", "date", id, "out of range"))?,
            completion,
            entries: entries_of.remove(&id).unwrap_or_default(),
        });
    }
    Ok(by_patient)
}

fn version<'a>(program: &'a Program, log: &SessionLog) -> Result<&'a Version, StoreError> {
    log.version(program).ok_or_else(|| StoreError::Refused("The program had not started on that day.".to_owned()))
}

/// `$1` to `$15` of the statements above.
fn log_values(tx: &Tx, program: &Program, version: &Version, log: &SessionLog) -> Vec<Value> {
    let SessionLog {
        id,
        program: _,
        date,
        performed_at,
        received_at,
        entries: _,
        pain_before,
        pain_after,
        effort,
        note,
        red_flags,
    } = log;
    let pain = |score: Option<PainScore>| score.map(|score| i16::from(score.get()));
    vec![
        tx.clinic().0.into(),
        id.0.into(),
        program.patient.0.into(),
        program.id.0.into(),
        i32::try_from(version.number).unwrap_or(i32::MAX).into(),
        from_date(*date).into(),
        from_instant(*performed_at).into(),
        from_instant(*received_at).into(),
        pain(*pain_before).into(),
        pain(*pain_after).into(),
        effort.map(|effort| i16::from(effort.get())).into(),
        note.clone().into(),
        red_flags.iter().map(|flag| flag.tag().to_owned()).collect::<Vec<String>>().into(),
        session_log::completion(log, version).into(),
        tx.staff().map(|id| id.0).into(),
    ]
}

/// `$16` to `$21`: the entries as arrays (no nulls: an absent hold is -1, an entry that was not skipped has '').
fn entry_values(version: &Version, entries: &[Entry]) -> Vec<Value> {
    let small = |value: u16| i16::try_from(value).unwrap_or(i16::MAX);
    let (mut sets, mut reps, mut holds, mut skipped, mut completions) = (vec![], vec![], vec![], vec![], vec![]);
    for entry in entries {
        match entry.outcome {
            Outcome::Did { sets: s, reps: r, hold } => {
                sets.push(small(s));
                reps.push(small(r));
                holds.push(hold.map_or(-1, small));
                skipped.push(String::new());
            }
            Outcome::Skipped(reason) => {
                sets.push(0);
                reps.push(0);
                holds.push(-1);
                skipped.push(reason.tag().to_owned());
            }
        }
        let prescription = version.prescriptions.iter().find(|prescription| prescription.id == entry.prescription);
        completions.push(prescription.map_or(0.0, |prescription| session_log::entry_completion(entry.outcome, prescription)));
    }
    vec![
        entries.iter().map(|entry| entry.prescription.0).collect::<Vec<_>>().into(),
        sets.into(),
        reps.into(),
        holds.into(),
        skipped.into(),
        completions.into(),
    ]
}

fn pain_from(score: Option<i16>, column: &'static str, id: Uuid) -> Result<Option<PainScore>, StoreError> {
    let parse = |score| PainScore::new(i64::from(score)).map_err(|why| StoreError::corrupt("session_log", column, id, why));
    score.map(parse).transpose()
}

fn skip_from(word: &str, id: Uuid) -> Result<SkipReason, StoreError> {
    word.parse().map_err(|_| StoreError::corrupt("log_entry", "skipped", id, "unknown reason"))
}

fn red_flags(words: &[String], id: Uuid) -> Result<Vec<RedFlag>, StoreError> {
    words.iter().map(|word| word.parse().map_err(|_| StoreError::corrupt("session_log", "red_flags", id, "unknown sign"))).collect()
}

/// `which` is one of the constants above, with parameters from `$2`.
async fn read(tx: &Tx, which: &'static str, args: Vec<Value>) -> Result<Vec<SessionLog>, StoreError> {
    #[derive(FromQueryResult)]
    struct LogRow {
        id: Uuid,
        program_id: Uuid,
        date: time::Date,
        performed_at: At,
        received_at: At,
        pain_before: Option<i16>,
        pain_after: Option<i16>,
        effort: Option<i16>,
        note: Option<String>,
        red_flags: Vec<String>,
    }
    #[derive(FromQueryResult)]
    struct EntryRow {
        log_id: Uuid,
        prescription_id: Uuid,
        sets: Option<i16>,
        reps: Option<i16>,
        hold_s: Option<i16>,
        skipped: Option<String>,
    }
    let values = || std::iter::once(Value::from(tx.clinic().0)).chain(args.iter().cloned());
    let logs = format!(
        "select l.id, l.program_id, l.date, l.performed_at, l.received_at, l.pain_before, l.pain_after, l.effort, l.note, l.red_flags
         from session_log l where l.clinic_id = $1 and {which} order by l.date, l.id"
    );
    let entries = format!(
        "select e.log_id, e.prescription_id, e.sets, e.reps, e.hold_s, e.skipped
         from session_log l
         join log_entry e on e.clinic_id = l.clinic_id and e.log_id = l.id
         join prescription p on p.clinic_id = e.clinic_id and p.id = e.prescription_id
         where l.clinic_id = $1 and {which} order by e.log_id, p.position"
    );
    let (logs, entries) = tokio::try_join!(tx.all::<LogRow>(&logs, values()), tx.all::<EntryRow>(&entries, values()))?;
    let mut entries_of: HashMap<Uuid, Vec<Entry>> = HashMap::new();
    for EntryRow { log_id, prescription_id, sets, reps, hold_s, skipped } in entries {
        let count = |value: Option<i16>| value.and_then(|value| u16::try_from(value).ok());
        let outcome = match skipped {
            Some(word) => Outcome::Skipped(skip_from(&word, log_id)?),
            None => Outcome::Did {
                sets: count(sets).ok_or_else(|| StoreError::corrupt("log_entry", "sets", log_id, "absent"))?,
                reps: count(reps).ok_or_else(|| StoreError::corrupt("log_entry", "reps", log_id, "absent"))?,
                hold: count(hold_s),
            },
        };
        entries_of.entry(log_id).or_default().push(Entry { prescription: PrescriptionId(prescription_id), outcome });
    }
    logs.into_iter()
        .map(|row| {
            let LogRow { id, program_id, date, performed_at, received_at, pain_before, pain_after, effort, note, red_flags } = row;
            let corrupt = |column: &'static str| move || StoreError::corrupt("session_log", column, id, "out of range");
            Ok(SessionLog {
                id: LogId(id),
                program: ProgramId(program_id),
                date: to_date(date).ok_or_else(corrupt("date"))?,
                performed_at: to_instant(performed_at).ok_or_else(corrupt("performed_at"))?,
                received_at: to_instant(received_at).ok_or_else(corrupt("received_at"))?,
                entries: entries_of.remove(&id).unwrap_or_default(),
                pain_before: pain_from(pain_before, "pain_before", id)?,
                pain_after: pain_from(pain_after, "pain_after", id)?,
                effort: effort
                    .map(|value| Effort::new(i64::from(value)).map_err(|why| StoreError::corrupt("session_log", "effort", id, why)))
                    .transpose()?,
                note,
                red_flags: self::red_flags(&red_flags, id)?,
            })
        })
        .collect()
}
