//! The clinic's report over a period: its programs, and their sessions from a covering index, a row for each program. Five statements,
//! or seven with what was done of each exercise, whatever the number of patients.

use std::collections::{HashMap, HashSet};

use domain::{
    adherence::Logged,
    cohort::Followed,
    ids::{ExerciseId, MembershipId, PatientId, PrescriptionId, ProgramId},
    pain::PainPoint,
    person::Zone,
    program::{Pause, Prescription, Program, Version, Weekdays},
    session_log::{PainScore, SkipReason},
};
use jiff::{Timestamp, ToSpan, civil::Date};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{from_date, to_date},
    program::DoseRow,
};

/// The most programs that one report reads.
pub const MOST_PROGRAMS: usize = 10_000;
/// The most sessions that one report reads: a clinic of 3,000 patients for two months, of 500 for a year.
pub const MOST_SESSIONS: usize = 150_000;
/// The most sessions that one report reads exercise by exercise: each of them is several rows.
pub const MOST_BY_EXERCISE: usize = 30_000;

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Sessions.
    Sessions,
    /// Sessions with what was done of each exercise.
    Exercises,
}

impl Depth {
    /// The most sessions that are read.
    pub fn most(self) -> usize {
        match self {
            Self::Sessions => MOST_SESSIONS,
            Self::Exercises => MOST_BY_EXERCISE,
        }
    }
}

/// What the report of a period rests on.
#[derive(Debug)]
pub enum Found {
    /// Every program that had a day in the period, with its sessions in it; and the names of their exercises, where these were asked
    /// for.
    All(Vec<Followed>, HashMap<ExerciseId, String>),
    /// More than is read at once, so nothing is told.
    TooMuch,
}

/// The programs that had a day between two civil dates, with their sessions between them.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn read(tx: &Tx, from: Date, to: Date, depth: Depth, now: Timestamp) -> Result<Found, StoreError> {
    let limit = |most: usize| Value::from(i64::try_from(most + 1).unwrap_or(i64::MAX));
    let days = || -> [Value; 3] { [tx.clinic().0.into(), from_date(from).into(), from_date(to).into()] };
    let clinic = || -> [Value; 1] { [tx.clinic().0.into()] };
    let up_to = |most: usize| days().into_iter().chain([limit(most)]);
    let sessions = async || match depth {
        Depth::Sessions => {
            let rows = tx.all::<SessionsRow>(include_str!("clinic_sessions.sql"), up_to(depth.most())).await?;
            Ok::<_, StoreError>((rows, Vec::new(), Vec::new(), Vec::new()))
        }
        Depth::Exercises => {
            let (prescriptions, exercises, entries) = tokio::try_join!(
                tx.all::<PrescriptionRow>(include_str!("clinic_prescriptions.sql"), days()),
                tx.all::<ExerciseRow>(include_str!("clinic_exercises.sql"), clinic()),
                tx.all::<EntriesRow>(include_str!("clinic_entries.sql"), up_to(depth.most())),
            )?;
            Ok((Vec::new(), prescriptions, exercises, entries))
        }
    };
    let (programs, patients, versions, pauses, (sessions, prescriptions, names, entries)) = tokio::try_join!(
        tx.all::<ProgramRow>(include_str!("clinic_programs.sql"), up_to(MOST_PROGRAMS)),
        tx.all::<PatientRow>(include_str!("clinic_patients.sql"), clinic()),
        tx.all::<VersionRow>(include_str!("clinic_versions.sql"), clinic()),
        tx.all::<PauseRow>(include_str!("clinic_pauses.sql"), clinic()),
        sessions(),
    )?;
    let count = sessions.iter().map(|row| row.days.len()).sum::<usize>().max(entries.len());
    if programs.len() > MOST_PROGRAMS || count > depth.most() {
        return Ok(Found::TooMuch);
    }
    let exercises: HashMap<Uuid, ExerciseId> = prescriptions.iter().map(|row| (row.id, ExerciseId(row.exercise_id))).collect();
    let prescribed: HashSet<Uuid> = prescriptions.iter().map(|row| row.exercise_id).collect();
    let names = names.into_iter().filter(|row| prescribed.contains(&row.id)).map(|row| (ExerciseId(row.id), row.name)).collect();
    let mut plans = Plans::of(versions, pauses, prescriptions)?;
    let mut logs = Logs { from, by_program: HashMap::with_capacity(programs.len()) };
    for row in sessions {
        logs.add_program(row)?;
    }
    for row in entries {
        logs.add_session(row, &exercises)?;
    }
    let patients: HashMap<Uuid, PatientRow> = patients.into_iter().map(|row| (row.id, row)).collect();
    let followed = programs.into_iter().map(|row| {
        let (id, patient) = (row.id, row.patient_id);
        // The key of the schema says that there is one, and both are under the same policies.
        let PatientRow { id: _, zone, region, physiotherapist_id } =
            patients.get(&patient).ok_or_else(|| StoreError::corrupt("program", "patient_id", id, "unknown"))?;
        let zone = Zone::parse(zone).map_err(|why| StoreError::corrupt("patient", "zone", patient, why))?;
        let region = region.parse().map_err(|why| StoreError::corrupt("patient", "region", patient, why))?;
        let (logs, pain) = logs.by_program.remove(&id).unwrap_or_default();
        Ok(Followed {
            patient: PatientId(patient),
            physiotherapist: physiotherapist_id.map(MembershipId),
            region,
            today: zone.date(now),
            program: plans.program(row)?,
            logs,
            pain,
        })
    });
    Ok(Found::All(followed.collect::<Result<_, StoreError>>()?, names))
}

/// The names of the clinic's staff.
///
/// # Errors
/// The store's own.
pub async fn staff_names(tx: &Tx) -> Result<HashMap<MembershipId, String>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
    }
    let rows: Vec<Row> = tx.all("select id, name from membership where clinic_id = $1", [tx.clinic().0.into()]).await?;
    Ok(rows.into_iter().map(|Row { id, name }| (MembershipId(id), name)).collect())
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
struct PatientRow {
    id: Uuid,
    zone: String,
    region: String,
    physiotherapist_id: Option<Uuid>,
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
struct PauseRow {
    program_id: Uuid,
    from_date: time::Date,
    until_date: Option<time::Date>,
}

#[derive(FromQueryResult)]
struct PrescriptionRow {
    id: Uuid,
    version_id: Uuid,
    exercise_id: Uuid,
    #[sea_orm(nested)]
    dose: DoseRow,
}

#[derive(FromQueryResult)]
struct ExerciseRow {
    id: Uuid,
    name: String,
}

#[derive(FromQueryResult)]
struct SessionsRow {
    program_id: Uuid,
    days: Vec<i16>,
    completions: Vec<f64>,
    pains: Vec<i16>,
}

#[derive(FromQueryResult)]
struct EntriesRow {
    program_id: Uuid,
    day: i16,
    completion: f64,
    pain: i16,
    prescriptions: Vec<Uuid>,
    completions: Vec<f64>,
    skipped: Vec<String>,
}

/// The versions and pauses, waiting for their programs.
struct Plans {
    versions: HashMap<Uuid, Vec<Version>>,
    pauses: HashMap<Uuid, Vec<Pause>>,
}

impl Plans {
    fn of(versions: Vec<VersionRow>, pauses: Vec<PauseRow>, prescriptions: Vec<PrescriptionRow>) -> Result<Self, StoreError> {
        let mut by_version: HashMap<Uuid, Vec<Prescription>> = HashMap::new();
        for PrescriptionRow { id, version_id, exercise_id, dose } in prescriptions {
            let dose = dose.dose("prescription", id)?;
            let prescription = Prescription { id: PrescriptionId(id), exercise: ExerciseId(exercise_id), dose, note: None };
            by_version.entry(version_id).or_default().push(prescription);
        }
        let mut of = Self { versions: HashMap::with_capacity(versions.len()), pauses: HashMap::new() };
        for VersionRow { id, program_id, number, from_date, weekdays, times_a_day } in versions {
            let corrupt = |column: &'static str| StoreError::corrupt("program_version", column, id, "out of range");
            of.versions.entry(program_id).or_default().push(Version {
                number: u32::try_from(number).map_err(|_| corrupt("number"))?,
                from: to_date(from_date).ok_or_else(|| corrupt("from_date"))?,
                weekdays: u8::try_from(weekdays).ok().and_then(Weekdays::from_bits).ok_or_else(|| corrupt("weekdays"))?,
                times_a_day: u8::try_from(times_a_day).map_err(|_| corrupt("times_a_day"))?,
                prescriptions: by_version.remove(&id).unwrap_or_default(),
            });
        }
        for PauseRow { program_id, from_date, until_date } in pauses {
            let from =
                to_date(from_date).ok_or_else(|| StoreError::corrupt("program_pause", "from_date", program_id, "out of range"))?;
            // Why it was paused is nobody's business here.
            let pause = Pause {
                from,
                until: until_date.and_then(to_date),
                reason: String::new(),
                needs_physiotherapist: false,
                resumed: None,
            };
            of.pauses.entry(program_id).or_default().push(pause);
        }
        Ok(of)
    }

    fn program(&mut self, row: ProgramRow) -> Result<Program, StoreError> {
        let ProgramRow { id, patient_id, name, starts_on, ends_on, finished_on } = row;
        let day =
            |date, column: &'static str| to_date(date).ok_or_else(|| StoreError::corrupt("program", column, id, "out of range"));
        Ok(Program {
            id: ProgramId(id),
            patient: PatientId(patient_id),
            name,
            start: day(starts_on, "starts_on")?,
            end: day(ends_on, "ends_on")?,
            versions: self.versions.remove(&id).unwrap_or_default(),
            pauses: self.pauses.remove(&id).unwrap_or_default(),
            finished_on: finished_on.map(|date| day(date, "finished_on")).transpose()?,
        })
    }
}

/// The sessions, waiting for their programs.
struct Logs {
    from: Date,
    by_program: HashMap<Uuid, (Vec<Logged>, Vec<PainPoint>)>,
}

impl Logs {
    fn add_program(&mut self, row: SessionsRow) -> Result<(), StoreError> {
        let SessionsRow { program_id, days, completions, pains } = row;
        for ((day, completion), pain) in days.into_iter().zip(completions).zip(pains) {
            self.add(program_id, day, completion, pain, Vec::new())?;
        }
        Ok(())
    }

    fn add_session(&mut self, row: EntriesRow, exercises: &HashMap<Uuid, ExerciseId>) -> Result<(), StoreError> {
        let EntriesRow { program_id, day, completion, pain, prescriptions, completions, skipped } = row;
        let mut entries = Vec::with_capacity(prescriptions.len());
        for ((prescription, done), skipped) in prescriptions.into_iter().zip(completions).zip(skipped) {
            let Some(exercise) = exercises.get(&prescription) else { continue };
            let skipped: Option<SkipReason> = match skipped.as_str() {
                "" => None,
                word => Some(word.parse().map_err(|why| StoreError::corrupt("log_entry", "skipped", prescription, why))?),
            };
            entries.push((*exercise, done, skipped));
        }
        self.add(program_id, day, completion, pain, entries)
    }

    fn add(
        &mut self,
        program: Uuid,
        day: i16,
        completion: f64,
        pain: i16,
        entries: Vec<(ExerciseId, f64, Option<SkipReason>)>,
    ) -> Result<(), StoreError> {
        let corrupt = |column: &'static str| StoreError::corrupt("session_log", column, program, "out of range");
        let date = self.from.checked_add(i32::from(day).days()).map_err(|_| corrupt("date"))?;
        let (logs, points) = self.by_program.entry(program).or_default();
        logs.push(Logged { program: ProgramId(program), date, completion, entries });
        if pain >= 0 {
            let after = PainScore::new(i64::from(pain)).map_err(|_| corrupt("pain_after"))?;
            points.push(PainPoint { date, before: None, after: Some(after) });
        }
        Ok(())
    }
}
