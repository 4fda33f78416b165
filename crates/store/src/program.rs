//! Programs with their versions, prescriptions and pauses, as the domain's aggregate.

use std::collections::HashMap;

use domain::{
    dose::{Dose, RepUnit, Span},
    ids::{ClinicId, ExerciseId, PatientId, PrescriptionId, ProgramId},
    program::{Pause, Prescription, Program, Version, Weekdays},
};
use jiff::Timestamp;
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_date, from_instant, to_date, to_instant},
    outbox::recall,
};

/// All programs of some patients, each patient's by start. Four statements, whatever the number of patients.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn of_patients(tx: &Tx, patients: &[PatientId]) -> Result<HashMap<PatientId, Vec<Program>>, StoreError> {
    let ids: Vec<Uuid> = patients.iter().map(|id| id.0).collect();
    let programs = load(tx, "clinic_id = $1 and patient_id = any($2)", [tx.clinic().0.into(), ids.into()]).await?;
    let mut by_patient: HashMap<PatientId, Vec<Program>> = HashMap::with_capacity(patients.len());
    for program in programs {
        by_patient.entry(program.patient).or_default().push(program);
    }
    Ok(by_patient)
}

/// As [`of_patients`], for patients of any clinics, in [`crate::Store::begin_worker`].
///
/// # Errors
/// As [`of_patients`].
pub(crate) async fn of_patients_anywhere(
    tx: &Tx,
    patients: &[(ClinicId, PatientId)],
) -> Result<HashMap<PatientId, Vec<Program>>, StoreError> {
    let clinics: Vec<Uuid> = patients.iter().map(|(clinic, _)| clinic.0).collect();
    let ids: Vec<Uuid> = patients.iter().map(|(_, id)| id.0).collect();
    let which = "(clinic_id, patient_id) in (select * from unnest($1::uuid[], $2::uuid[]))";
    let programs = load(tx, which, [clinics.into(), ids.into()]).await?;
    let mut by_patient: HashMap<PatientId, Vec<Program>> = HashMap::with_capacity(patients.len());
    for program in programs {
        by_patient.entry(program.patient).or_default().push(program);
    }
    Ok(by_patient)
}

/// All programs of one patient, by start.
///
/// # Errors
/// As [`of_patients`].
pub async fn of_patient(tx: &Tx, patient: PatientId) -> Result<Vec<Program>, StoreError> {
    load(tx, "clinic_id = $1 and patient_id = $2", [tx.clinic().0.into(), patient.0.into()]).await
}

/// One program within the scope.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id, another clinic's, and in a patient's scope another patient's alike.
pub async fn find(tx: &Tx, id: ProgramId) -> Result<Program, StoreError> {
    let found = load(tx, "clinic_id = $1 and program_id = $2", [tx.clinic().0.into(), id.0.into()]).await?;
    found.into_iter().next_back().ok_or(StoreError::NotFound)
}

/// As [`of_patient`], holding the programs' rows until the transaction ends.
pub(crate) async fn of_patient_for_update(tx: &Tx, patient: PatientId) -> Result<Vec<Program>, StoreError> {
    tx.run(
        "select 1 from program where clinic_id = $1 and patient_id = $2 order by id for update",
        [tx.clinic().0.into(), patient.0.into()],
    )
    .await?;
    of_patient(tx, patient).await
}

/// Who made a version of a program, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The version's number.
    pub number: u32,
    /// By name; `None` for what nobody on the staff made (an import).
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Who made the versions of a program, by number.
///
/// # Errors
/// The store's own.
pub async fn made(tx: &Tx, id: ProgramId) -> Result<Vec<Made>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        number: i32,
        name: Option<String>,
        created_at: At,
    }
    let rows: Vec<Row> = tx
        .all(
            "select v.number, m.name, v.created_at from program_version v
             left join membership m on m.clinic_id = v.clinic_id and m.id = v.created_by
             where v.clinic_id = $1 and v.program_id = $2 order by v.number",
            [tx.clinic().0.into(), id.0.into()],
        )
        .await?;
    rows.into_iter()
        .map(|Row { number, name, created_at }| {
            let corrupt = |column: &'static str| StoreError::corrupt("program_version", column, id, "out of range");
            Ok(Made {
                number: u32::try_from(number).map_err(|_| corrupt("number"))?,
                by: name,
                at: to_instant(created_at).ok_or_else(|| corrupt("created_at"))?,
            })
        })
        .collect()
}

/// As [`find`], holding the program's row until the transaction ends, so that two people cannot change it at once. The patient's row is
/// held before it: what changes a program takes back mail ([`crate::outbox`]) and may change the patient's other programs too.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(tx: &Tx, id: ProgramId) -> Result<Program, StoreError> {
    let key = || [tx.clinic().0.into(), id.0.into()];
    tx.run(
        "select from patient where clinic_id = $1 and id = (select patient_id from program where clinic_id = $1 and id = $2) for update",
        key(),
    )
    .await?;
    tx.run("select 1 from program where clinic_id = $1 and id = $2 for update", key()).await?;
    find(tx, id).await
}

/// The constraint that [`insert`] meets when the clinic has a program with this id already.
pub const ID_TAKEN: &str = "program_pkey";

/// Saves a newly assigned program with its first version.
///
/// # Errors
/// [`StoreError::Conflict`] with [`ID_TAKEN`]; the store's own.
pub async fn insert(tx: &Tx, program: &Program, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Program, Some(program.patient));
    let Program { id, patient, name, start, end, versions, pauses, finished_on } = program;
    tx.run(
        "insert into program (clinic_id, id, patient_id, name, starts_on, ends_on, finished_on, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            tx.clinic().0.into(),
            id.0.into(),
            patient.0.into(),
            name.as_str().into(),
            from_date(*start).into(),
            from_date(*end).into(),
            finished_on.map(from_date).into(),
            tx.staff().map(|id| id.0).into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    for version in versions {
        insert_version(tx, program, version, now).await?;
    }
    for pause in pauses {
        insert_pause(tx, program, pause, now).await?;
    }
    Ok(())
}

/// Saves a version that revising made. A reminder that a worker has claimed is taken back: today may be free now.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else made a version of that number meanwhile.
pub async fn add_version(tx: &Tx, program: &Program, version: &Version, now: Timestamp) -> Result<(), StoreError> {
    recall(tx, program.patient).await?;
    tx.note(AuditAction::Wrote, AuditResource::Program, Some(program.patient));
    insert_version(tx, program, version, now).await
}

async fn insert_version(tx: &Tx, program: &Program, version: &Version, now: Timestamp) -> Result<(), StoreError> {
    let Version { number, from, weekdays, times_a_day, prescriptions } = version;
    let version_id = Uuid::now_v7();
    tx.run(
        "insert into program_version (clinic_id, id, program_id, patient_id, number, from_date, weekdays, times_a_day, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            tx.clinic().0.into(),
            version_id.into(),
            program.id.0.into(),
            program.patient.0.into(),
            i32::try_from(*number).unwrap_or(i32::MAX).into(),
            from_date(*from).into(),
            i16::from(weekdays.bits()).into(),
            i16::from(*times_a_day).into(),
            tx.staff().map(|id| id.0).into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    let doses = DoseColumns::gather(prescriptions.iter().map(|prescription| &prescription.dose));
    let mut values: Vec<Value> = vec![
        tx.clinic().0.into(),
        version_id.into(),
        program.id.0.into(),
        program.patient.0.into(),
        prescriptions.iter().map(|prescription| prescription.id.0).collect::<Vec<_>>().into(),
        prescriptions.iter().map(|prescription| prescription.exercise.0).collect::<Vec<_>>().into(),
        notes(prescriptions.iter().map(|prescription| prescription.note.as_deref())),
    ];
    values.extend(doses.values());
    tx.run(
        "insert into prescription (clinic_id, version_id, program_id, patient_id, position, id, exercise_id, note,
           sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s)
         select $1, $2, $3, $4, p.position, p.id, p.exercise_id, nullif(p.note, ''),
           p.sets_min, p.sets_max, p.reps_min, p.reps_max, p.breaths, nullif(p.hold_min, 0), nullif(p.hold_max, 0), p.each_side,
           nullif(p.rest_s, -1)
         from unnest($5::uuid[], $6::uuid[], $7::text[], $8::smallint[], $9::smallint[], $10::smallint[], $11::smallint[],
           $12::boolean[], $13::smallint[], $14::smallint[], $15::boolean[], $16::smallint[])
           with ordinality as p (id, exercise_id, note, sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max,
             each_side, rest_s, position)",
        values,
    )
    .await?;
    Ok(())
}

/// Saves the program's pauses and its end as they stand now: a new pause is added, an ended one gets its last day. A reminder that a worker
/// has claimed is taken back: nothing may be due any more.
///
/// # Errors
/// The store's own.
pub async fn save_state(tx: &Tx, program: &Program, now: Timestamp) -> Result<(), StoreError> {
    recall(tx, program.patient).await?;
    tx.note(AuditAction::Wrote, AuditResource::Program, Some(program.patient));
    tx.run(
        "update program set finished_on = $3, ends_on = $4 where clinic_id = $1 and id = $2",
        [tx.clinic().0.into(), program.id.0.into(), program.finished_on.map(from_date).into(), from_date(program.end).into()],
    )
    .await?;
    #[derive(FromQueryResult)]
    struct Kept {
        id: Uuid,
        until_date: Option<time::Date>,
    }
    let kept: Vec<Kept> = tx
        .all(
            "select id, until_date from program_pause where clinic_id = $1 and program_id = $2 order by created_at, id",
            [tx.clinic().0.into(), program.id.0.into()],
        )
        .await?;
    // The domain keeps pauses in order and only ever appends, so they match up by position.
    for (pause, kept) in program.pauses.iter().zip(&kept) {
        if pause.until.map(from_date) != kept.until_date {
            tx.run(
                "update program_pause set until_date = $3, resume_reason = $4 where clinic_id = $1 and id = $2",
                [tx.clinic().0.into(), kept.id.into(), pause.until.map(from_date).into(), pause.resumed.clone().into()],
            )
            .await?;
        }
    }
    for pause in program.pauses.iter().skip(kept.len()) {
        insert_pause(tx, program, pause, now).await?;
    }
    Ok(())
}

async fn insert_pause(tx: &Tx, program: &Program, pause: &Pause, now: Timestamp) -> Result<(), StoreError> {
    let Pause { from, until, reason, needs_physiotherapist, resumed } = pause;
    tx.run(
        "insert into program_pause (clinic_id, id, program_id, patient_id, from_date, until_date, reason, needs_physiotherapist, resume_reason, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            tx.clinic().0.into(),
            Uuid::now_v7().into(),
            program.id.0.into(),
            program.patient.0.into(),
            from_date(*from).into(),
            until.map(from_date).into(),
            reason.as_str().into(),
            (*needs_physiotherapist).into(),
            resumed.clone().into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct ProgramRow {
    id: Uuid,
    patient_id: Uuid,
    name: String,
    starts_on: time::Date,
    ends_on: time::Date,
    finished_on: Option<time::Date>,
}

#[derive(FromQueryResult)]
struct VersionRow {
    id: Uuid,
    program_id: Uuid,
    number: i32,
    from_date: time::Date,
    weekdays: i16,
    times_a_day: i16,
}

#[derive(FromQueryResult)]
struct PrescriptionRow {
    id: Uuid,
    version_id: Uuid,
    exercise_id: Uuid,
    note: Option<String>,
    #[sea_orm(nested)]
    dose: DoseRow,
}

#[derive(FromQueryResult)]
struct PauseRow {
    program_id: Uuid,
    from_date: time::Date,
    until_date: Option<time::Date>,
    reason: String,
    needs_physiotherapist: bool,
    resume_reason: Option<String>,
}

/// A dose as the schema keeps it; the same columns in `exercise`, `template_item` and `prescription`.
#[derive(FromQueryResult)]
pub(crate) struct DoseRow {
    pub(crate) sets_min: i16,
    pub(crate) sets_max: i16,
    pub(crate) reps_min: i16,
    pub(crate) reps_max: i16,
    pub(crate) breaths: bool,
    pub(crate) hold_min: Option<i16>,
    pub(crate) hold_max: Option<i16>,
    pub(crate) each_side: bool,
    pub(crate) rest_s: Option<i16>,
}

/// The columns of [`DoseRow`], for a select list.
pub(crate) const DOSE: &str = "sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s";

impl DoseRow {
    /// The domain's dose; `table` and `id` name the row if it is corrupt.
    pub(crate) fn dose(self, table: &'static str, id: Uuid) -> Result<Dose, StoreError> {
        let Self { sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s } = self;
        let span = |min: i16, max: i16, column: &'static str| -> Result<Span, StoreError> {
            let part = |value: i16| u16::try_from(value).map_err(|why| StoreError::corrupt(table, column, id, why));
            Span::new(part(min)?, part(max)?).map_err(|why| StoreError::corrupt(table, column, id, why))
        };
        let hold = match (hold_min, hold_max) {
            (Some(min), Some(max)) => Some(span(min, max, "hold_min")?),
            (Some(min), None) => Some(span(min, min, "hold_min")?),
            (None, _) => None,
        };
        let rest =
            rest_s.map(|value| u16::try_from(value).map_err(|why| StoreError::corrupt(table, "rest_s", id, why))).transpose()?;
        Dose::new(
            span(sets_min, sets_max, "sets_min")?,
            span(reps_min, reps_max, "reps_min")?,
            if breaths { RepUnit::Breaths } else { RepUnit::Times },
            hold,
            each_side,
            rest,
        )
        .map_err(|why| StoreError::corrupt(table, "dose", id, why))
    }
}

/// Many doses as one array a column, for `unnest`. Postgres arrays of our driver hold no nulls: an absent hold is 0, an absent
/// rest -1, an absent note ''.
#[derive(Default)]
pub(crate) struct DoseColumns {
    sets_min: Vec<i16>,
    sets_max: Vec<i16>,
    reps_min: Vec<i16>,
    reps_max: Vec<i16>,
    breaths: Vec<bool>,
    hold_min: Vec<i16>,
    hold_max: Vec<i16>,
    each_side: Vec<bool>,
    rest_s: Vec<i16>,
}

impl DoseColumns {
    pub(crate) fn gather<'a>(doses: impl Iterator<Item = &'a Dose>) -> Self {
        // The domain's limits (at most 600) keep every number within a smallint.
        let small = |value: u16| i16::try_from(value).unwrap_or(i16::MAX);
        let mut columns = Self::default();
        for dose in doses {
            columns.sets_min.push(small(dose.sets().min()));
            columns.sets_max.push(small(dose.sets().max()));
            columns.reps_min.push(small(dose.reps().min()));
            columns.reps_max.push(small(dose.reps().max()));
            columns.breaths.push(dose.unit() == RepUnit::Breaths);
            columns.hold_min.push(dose.hold().map_or(0, |hold| small(hold.min())));
            columns.hold_max.push(dose.hold().map_or(0, |hold| small(hold.max())));
            columns.each_side.push(dose.each_side());
            columns.rest_s.push(dose.rest().map_or(-1, small));
        }
        columns
    }

    /// The arrays in the order of [`DOSE`].
    pub(crate) fn values(self) -> Vec<Value> {
        let Self { sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s } = self;
        vec![
            sets_min.into(),
            sets_max.into(),
            reps_min.into(),
            reps_max.into(),
            breaths.into(),
            hold_min.into(),
            hold_max.into(),
            each_side.into(),
            rest_s.into(),
        ]
    }
}

/// Optional texts as an array for `unnest`; absent is ''.
pub(crate) fn notes<'a>(notes: impl Iterator<Item = Option<&'a str>>) -> Value {
    notes.map(|note| note.unwrap_or_default().to_owned()).collect::<Vec<String>>().into()
}

/// `which` narrows by `clinic_id` and by `patient_id` or `program_id`, with `$1` and `$2`; it is one of the constants above, never a
/// caller's text.
async fn load(tx: &Tx, which: &'static str, keys: [Value; 2]) -> Result<Vec<Program>, StoreError> {
    let of_program = which.replace("program_id", "id");
    let programs = format!(
        "select id, patient_id, name, starts_on, ends_on, finished_on from program where {of_program} order by patient_id, starts_on, id"
    );
    let versions = format!(
        "select id, program_id, number, from_date, weekdays, times_a_day from program_version where {which} order by number"
    );
    let prescriptions =
        format!("select id, version_id, exercise_id, note, {DOSE} from prescription where {which} order by version_id, position");
    let pauses = format!(
        "select program_id, from_date, until_date, reason, needs_physiotherapist, resume_reason from program_pause
         where {which} order by created_at, id"
    );
    let (programs, versions, prescriptions, pauses) = tokio::try_join!(
        tx.all::<ProgramRow>(&programs, keys.clone()),
        tx.all::<VersionRow>(&versions, keys.clone()),
        tx.all::<PrescriptionRow>(&prescriptions, keys.clone()),
        tx.all::<PauseRow>(&pauses, keys.clone()),
    )?;

    let mut by_version: HashMap<Uuid, Vec<Prescription>> = HashMap::new();
    for PrescriptionRow { id, version_id, exercise_id, note, dose } in prescriptions {
        by_version.entry(version_id).or_default().push(Prescription {
            id: PrescriptionId(id),
            exercise: ExerciseId(exercise_id),
            dose: dose.dose("prescription", id)?,
            note,
        });
    }
    let mut versions_of: HashMap<Uuid, Vec<Version>> = HashMap::new();
    for VersionRow { id, program_id, number, from_date, weekdays, times_a_day } in versions {
        let corrupt = |column: &'static str, why: &str| StoreError::corrupt("program_version", column, id, why);
        versions_of.entry(program_id).or_default().push(Version {
            number: u32::try_from(number).map_err(|_| corrupt("number", "negative"))?,
            from: to_date(from_date).ok_or_else(|| corrupt("from_date", "out of range"))?,
            weekdays: u8::try_from(weekdays)
                .ok()
                .and_then(Weekdays::from_bits)
                .ok_or_else(|| corrupt("weekdays", "not a set of weekdays"))?,
            times_a_day: u8::try_from(times_a_day).map_err(|_| corrupt("times_a_day", "out of range"))?,
            prescriptions: by_version.remove(&id).unwrap_or_default(),
        });
    }
    let mut pauses_of: HashMap<Uuid, Vec<Pause>> = HashMap::new();
    for PauseRow { program_id, from_date, until_date, reason, needs_physiotherapist, resume_reason } in pauses {
        pauses_of.entry(program_id).or_default().push(Pause {
            from: to_date(from_date)
                .ok_or_else(|| StoreError::corrupt("program_pause", "from_date", program_id, "out of range"))?,
            until: until_date.and_then(to_date),
            reason,
            needs_physiotherapist,
            resumed: resume_reason,
        });
    }
    programs
        .into_iter()
        .map(|ProgramRow { id, patient_id, name, starts_on, ends_on, finished_on }| {
            let out = |column: &'static str| move || StoreError::corrupt("program", column, id, "out of range");
            Ok(Program {
                id: ProgramId(id),
                patient: PatientId(patient_id),
                name,
                start: to_date(starts_on).ok_or_else(out("starts_on"))?,
                end: to_date(ends_on).ok_or_else(out("ends_on"))?,
                versions: versions_of.remove(&id).unwrap_or_default(),
                pauses: pauses_of.remove(&id).unwrap_or_default(),
                finished_on: finished_on.and_then(to_date),
            })
        })
        .collect()
}
