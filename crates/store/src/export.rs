//! Everything a clinic holds about one patient, as tables of plain rows: what the patient takes away.
//!
//! Rows are read a few hundred at a time through a cursor and handed on through a channel, so a record of any size needs the memory of
//! one batch. To add a table: one line in [`TABLES`]; its statement gives each row as a JSON array in the order of the columns.

use domain::ids::PatientId;
use sea_orm::FromQueryResult;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use crate::{StoreError, Tx};

/// A table of the export.
#[derive(Debug)]
pub struct Table {
    /// Its name, that of its file too. Once released it never changes.
    pub name: &'static str,
    /// The names of its columns, in order. Columns are only ever added at the end.
    pub columns: &'static [&'static str],
    sql: &'static str,
}

/// A piece of the export, in order: a table's beginning, then its rows, then the next table's.
#[derive(Debug)]
pub enum Piece {
    /// A table begins.
    Table(&'static Table),
    /// Some of its rows, each with one value a column: text, a number, true or false, null, or an array of texts.
    Rows(Vec<Vec<Value>>),
}

/// How many rows are read at a time.
const BATCH: u32 = 500;

/// `:clinic` and `:patient` stand for the two ids. Instants are UTC, dates the patient's own.
pub static TABLES: &[Table] = &[
    Table {
        name: "you",
        columns: &["name", "email", "time_zone", "language", "region", "physiotherapist", "invited_at", "joined_at", "record_made_at", "closed_at"],
        sql: "select jsonb_build_array(p.name, p.email, p.zone, p.language, p.region, m.name, p.invited_at, p.joined_at, p.created_at,
                p.closed_at)
              from patient p left join membership m on m.clinic_id = p.clinic_id and m.id = p.physiotherapist_id
              where p.clinic_id = :clinic and p.id = :patient",
    },
    Table {
        name: "programs",
        columns: &["program", "name", "first_day", "last_day", "ended_on", "made_by", "made_at"],
        sql: "select jsonb_build_array(g.id, g.name, g.starts_on, g.ends_on, g.finished_on, m.name, g.created_at)
              from program g left join membership m on m.clinic_id = g.clinic_id and m.id = g.created_by
              where g.clinic_id = :clinic and g.patient_id = :patient order by g.starts_on, g.id",
    },
    Table {
        name: "program_versions",
        columns: &["program", "version", "from", "days", "times_a_day", "made_by", "made_at"],
        sql: "select jsonb_build_array(v.program_id, v.number, v.from_date,
                (select jsonb_agg(d.name order by d.bit) from (values (0, 'Mon'), (1, 'Tue'), (2, 'Wed'), (3, 'Thu'), (4, 'Fri'), (5, 'Sat'),
                   (6, 'Sun')) as d (bit, name) where v.weekdays & (1 << d.bit) <> 0),
                v.times_a_day, m.name, v.created_at)
              from program_version v left join membership m on m.clinic_id = v.clinic_id and m.id = v.created_by
              where v.clinic_id = :clinic and v.patient_id = :patient order by v.program_id, v.number",
    },
    Table {
        name: "prescriptions",
        columns: &[
            "program", "version", "position", "prescription", "exercise", "sets_from", "sets_to", "repetitions_from", "repetitions_to",
            "counted_in", "hold_seconds_from", "hold_seconds_to", "each_side", "rest_seconds", "note", "instructions",
        ],
        sql: "select jsonb_build_array(s.program_id, v.number, s.position, s.id, e.name, s.sets_min, s.sets_max, s.reps_min, s.reps_max,
                case when s.breaths then 'breaths' else 'times' end, s.hold_min, s.hold_max, s.each_side, s.rest_s, s.note, e.instructions)
              from prescription s
              join program_version v on v.clinic_id = s.clinic_id and v.id = s.version_id
              join exercise e on e.clinic_id = s.clinic_id and e.id = s.exercise_id
              where s.clinic_id = :clinic and s.patient_id = :patient order by s.program_id, v.number, s.position",
    },
    Table {
        name: "pauses",
        columns: &["program", "from", "until", "reason", "by_a_stop_sign", "resumed_because", "made_at"],
        sql: "select jsonb_build_array(p.program_id, p.from_date, p.until_date, p.reason, p.needs_physiotherapist, p.resume_reason,
                p.created_at)
              from program_pause p where p.clinic_id = :clinic and p.patient_id = :patient order by p.program_id, p.from_date, p.id",
    },
    Table {
        name: "sessions",
        columns: &[
            "session", "date", "program", "version", "performed_at", "received_at", "corrected_at", "pain_before", "pain_after", "effort",
            "completion", "stop_signs", "note", "entered_by",
        ],
        sql: "select jsonb_build_array(l.id, l.date, l.program_id, v.number, l.performed_at, l.received_at, l.corrected_at, l.pain_before,
                l.pain_after, l.effort, l.completion, to_jsonb(l.red_flags), l.note, coalesce(m.name, 'the patient'))
              from session_log l
              join program_version v on v.clinic_id = l.clinic_id and v.id = l.version_id
              left join membership m on m.clinic_id = l.clinic_id and m.id = l.logged_by
              where l.clinic_id = :clinic and l.patient_id = :patient order by l.date, l.received_at, l.id",
    },
    Table {
        name: "session_exercises",
        columns: &["session", "prescription", "exercise", "sets", "repetitions", "hold_seconds", "skipped_because", "completion"],
        sql: "select jsonb_build_array(n.log_id, n.prescription_id, e.name, n.sets, n.reps, n.hold_s, n.skipped, n.completion)
              from log_entry n
              join session_log l on l.clinic_id = n.clinic_id and l.id = n.log_id
              join prescription s on s.clinic_id = n.clinic_id and s.id = n.prescription_id
              join exercise e on e.clinic_id = s.clinic_id and e.id = s.exercise_id
              where n.clinic_id = :clinic and n.patient_id = :patient order by l.date, l.received_at, l.id, s.position, s.id",
    },
    Table {
        name: "corrections",
        columns: &["session", "replaced_at", "before"],
        sql: "select jsonb_build_array(r.log_id, r.replaced_at, r.before::text)
              from log_revision r where r.clinic_id = :clinic and r.patient_id = :patient order by r.replaced_at, r.id",
    },
    Table {
        name: "questions_asked",
        columns: &["program", "every_weeks", "since", "stopped_at", "chosen_by", "chosen_at"],
        sql: "select jsonb_build_array(q.program_id, q.every_weeks, q.since, q.stopped_at, m.name, q.set_at)
              from questionnaire_plan q left join membership m on m.clinic_id = q.clinic_id and m.id = q.set_by
              where q.clinic_id = :clinic and q.patient_id = :patient order by q.since, q.program_id",
    },
    Table {
        name: "how_things_are",
        columns: &["questions", "date", "program", "change_since_the_start", "change_scale", "received_at", "corrected_at"],
        sql: "select jsonb_build_array(a.id, a.date, a.program_id, a.rating, a.rating_edition, a.received_at, a.corrected_at)
              from questionnaire_answer a where a.clinic_id = :clinic and a.patient_id = :patient order by a.date, a.received_at, a.id",
    },
    Table {
        name: "activities",
        columns: &["questions", "date", "position", "activity", "score", "scale"],
        sql: "select jsonb_build_array(a.id, a.date, v.position, v.name, s.score, a.ability_edition)
              from questionnaire_score s
              join questionnaire_answer a on a.clinic_id = s.clinic_id and a.id = s.answer_id
              join questionnaire_activity v on v.clinic_id = s.clinic_id and v.id = s.activity_id
              where s.clinic_id = :clinic and s.patient_id = :patient order by a.date, a.received_at, a.id, v.position",
    },
    Table {
        name: "corrected_questions",
        columns: &["questions", "replaced_at", "before"],
        sql: "select jsonb_build_array(r.answer_id, r.replaced_at, r.before::text)
              from questionnaire_revision r where r.clinic_id = :clinic and r.patient_id = :patient order by r.replaced_at, r.id",
    },
    Table {
        name: "answers",
        columns: &["session", "your_note", "answer", "by", "written_at", "read_at"],
        sql: "select jsonb_build_array(r.log_id, r.note, r.text, m.name, r.written_at, r.read_at)
              from reply r join membership m on m.clinic_id = r.clinic_id and m.id = r.written_by
              where r.clinic_id = :clinic and r.patient_id = :patient order by r.written_at, r.id",
    },
    Table {
        name: "reminder_times",
        columns: &["time", "days", "time_zone", "paused_until"],
        sql: "select jsonb_build_array(r.local_time,
                (select jsonb_agg(d.name order by d.bit) from (values (0, 'Mon'), (1, 'Tue'), (2, 'Wed'), (3, 'Thu'), (4, 'Fri'), (5, 'Sat'),
                   (6, 'Sun')) as d (bit, name) where r.weekdays & (1 << d.bit) <> 0),
                r.zone, r.paused_until)
              from reminder_rule r where r.clinic_id = :clinic and r.patient_id = :patient order by r.local_time, r.id",
    },
    Table {
        name: "emails",
        columns: &["kind", "to", "for_day", "for_time", "due_at", "outcome", "why_not", "settled_at"],
        sql: "select jsonb_build_array(n.kind, n.recipient, n.civil_date, n.civil_time, n.due_at, n.state, n.reason, n.settled_at)
              from notice n where n.clinic_id = :clinic and n.patient_id = :patient order by n.due_at, n.id",
    },
    Table {
        name: "consents",
        columns: &["version", "agreed_at", "withdrawn_at", "wording"],
        sql: "select jsonb_build_array(c.version, c.agreed_at, (select min(w.withdrawn_at) from consent_withdrawal w
                where w.clinic_id = c.clinic_id and w.patient_id = c.patient_id and w.withdrawn_at >= c.agreed_at), c.wording)
              from consent c where c.clinic_id = :clinic and c.patient_id = :patient order by c.agreed_at, c.id",
    },
    Table {
        name: "who_opened",
        columns: &["at", "who", "role", "did", "what"],
        sql: "select jsonb_build_array(e.at, coalesce(m.name, case when e.actor_patient_id is not null then 'the patient' end), m.role, e.deed,
                e.subject)
              from audit_entry e left join membership m on m.clinic_id = e.clinic_id and m.id = e.membership_id
              where e.clinic_id = :clinic and e.patient_id = :patient order by e.seq",
    },
];

/// How long the server waits for the next statement of a file that its client takes slowly, before it ends the transaction, in
/// milliseconds. Between two statements lie 500 rows on their way to the client, and the connection of one that takes nothing ends after half a
/// minute.
const PAUSE_MS: u32 = 600_000;

/// Lets this transaction stand still for as long as a slow client takes for what was read.
///
/// # Errors
/// The store's own.
pub async fn allow_pauses(tx: &Tx) -> Result<(), StoreError> {
    tx.run(&format!("select set_config('idle_in_transaction_session_timeout', '{PAUSE_MS}', true)"), []).await?;
    Ok(())
}

/// Reads a patient's record and hands it on piece by piece; that it is taken away is for the caller to note. When nobody takes the pieces any more, it stops.
///
/// # Errors
/// [`StoreError::NotFound`] for a patient outside the scope; the store's own.
pub async fn read(tx: &Tx, patient: PatientId, to: &Sender<Piece>) -> Result<(), StoreError> {
    crate::patient::find(tx, patient).await?;
    for table in TABLES {
        if to.send(Piece::Table(table)).await.is_err() || !rows(tx, table, patient, to).await? {
            return Err(StoreError::Other("the export was given up".to_owned()));
        }
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Row {
    jsonb_build_array: Value,
}

/// Says whether somebody still takes them.
async fn rows(tx: &Tx, table: &Table, patient: PatientId, to: &Sender<Piece>) -> Result<bool, StoreError> {
    // A cursor's statement takes no parameters. What is put in its place is the text of two UUIDs, never what anybody typed.
    let sql = table.sql.replace(":clinic", &format!("'{}'", tx.clinic())).replace(":patient", &format!("'{patient}'"));
    tx.run(&format!("declare export no scroll cursor for {sql}"), []).await?;
    loop {
        let batch: Vec<Row> = tx.all(&format!("fetch {BATCH} from export"), []).await?;
        if batch.is_empty() {
            break;
        }
        let mut rows = Vec::with_capacity(batch.len());
        for Row { jsonb_build_array } in batch {
            match jsonb_build_array {
                Value::Array(values) if values.len() == table.columns.len() => rows.push(values),
                _ => return Err(StoreError::corrupt(table.name, "row", patient, "not one value a column")),
            }
        }
        if to.send(Piece::Rows(rows)).await.is_err() {
            return Ok(false);
        }
    }
    tx.run("close export", []).await?;
    Ok(true)
}
