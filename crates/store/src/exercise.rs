//! The clinic's library of exercises: the starter set, the clinic's own, and what it imported.
//!
//! A new field of an exercise: the column in `migrations/`, the field in [`Exercise`], its line in `COLUMNS`, [`create`],
//! [`update`] and the import; the conversions destructure every field, so the compiler names the places.

mod import;
mod starter;

use std::collections::HashMap;

use domain::{
    dose::Dose,
    ids::{ExerciseId, PatientId},
    pain::Region,
};
use jiff::Timestamp;
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

pub use import::{ImportError, Imported, ListedExercise, MAX_ENTRIES, import, parse_exercise_list};
pub use starter::{Starter, TEMPLATE_NAME, install_starter};

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_instant, to_instant},
    program::{DOSE, DoseColumns, DoseRow},
};

/// The longest name of an exercise, in characters.
pub const MAX_NAME_CHARS: usize = 120;
/// The longest naming of equipment, in characters.
pub const MAX_EQUIPMENT_CHARS: usize = 80;
/// The longest instructions, in characters, line breaks included.
pub const MAX_INSTRUCTIONS_CHARS: usize = 6000;

/// Where an exercise came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Brought along by Homestretch: see [`install_starter`].
    Homestretch,
    /// Written in this clinic.
    Own,
    /// Read from a file: see [`import()`].
    Imported,
}

impl Source {
    /// The stable word for it, as stored.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Homestretch => "homestretch",
            Self::Own => "own",
            Self::Imported => "imported",
        }
    }

    fn from_tag(tag: &str) -> Option<Self> {
        [Self::Homestretch, Self::Own, Self::Imported].into_iter().find(|source| source.tag() == tag)
    }
}

/// One exercise of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exercise {
    /// Its id.
    pub id: ExerciseId,
    /// What it is called, 1–120 characters.
    pub name: String,
    /// The part of the body it is for.
    pub region: Region,
    /// What is needed besides floor and wall; empty for nothing.
    pub equipment: String,
    /// The key of one of our own drawings (`render::figures`), if there is one.
    pub figure: Option<String>,
    /// What to do, one step a line.
    pub instructions: String,
    /// Where it came from.
    pub source: Source,
    /// What the source calls it; the same key is never brought in twice.
    pub source_key: Option<String>,
    /// The usual dose, offered when the exercise is added to a program.
    pub dose: Dose,
    /// When it came into the library.
    pub created_at: Timestamp,
    /// Since when it is no longer offered. Programs that have it keep it.
    pub archived_at: Option<Timestamp>,
}

impl Exercise {
    /// The steps to do, in order, without empty lines.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.instructions.lines().map(str::trim).filter(|step| !step.is_empty())
    }
}

/// What to look for in the library.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Words in the name or the equipment; empty for all.
    pub words: String,
    /// One part of the body only.
    pub region: Option<Region>,
    /// Only what needs no equipment.
    pub no_equipment: bool,
    /// The archived ones instead of those offered.
    pub archived: bool,
    /// How many to leave out before the first.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// A part of the library.
#[derive(Debug, Clone)]
pub struct Found {
    /// The exercises: the clinic's own and the starter set first, then the imported ones, each by name.
    pub exercises: Vec<Exercise>,
    /// How many match, on all pages.
    pub total: u32,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    region: String,
    equipment: String,
    figure: Option<String>,
    instructions: String,
    source: String,
    source_key: Option<String>,
    created_at: At,
    archived_at: Option<At>,
    #[sea_orm(nested)]
    dose: DoseRow,
}

fn columns() -> String {
    format!("id, name, region, equipment, figure, instructions, source, source_key, created_at, archived_at, {DOSE}")
}

impl TryFrom<Row> for Exercise {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row { id, name, region, equipment, figure, instructions, source, source_key, created_at, archived_at, dose } = row;
        Ok(Self {
            id: ExerciseId(id),
            name,
            region: region.parse().map_err(|why| StoreError::corrupt("exercise", "region", id, why))?,
            equipment,
            figure,
            instructions,
            source: Source::from_tag(&source).ok_or_else(|| StoreError::corrupt("exercise", "source", id, &source))?,
            source_key,
            dose: dose.dose("exercise", id)?,
            created_at: to_instant(created_at).ok_or_else(|| StoreError::corrupt("exercise", "created_at", id, "out of range"))?,
            archived_at: archived_at.and_then(to_instant),
        })
    }
}

/// One exercise of the clinic, archived or not.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and for another clinic's alike.
pub async fn find(tx: &Tx, id: ExerciseId) -> Result<Exercise, StoreError> {
    tx.one::<Row>(
        &format!("select {} from exercise where clinic_id = $1 and id = $2", columns()),
        [tx.clinic().0.into(), id.0.into()],
    )
    .await?
    .ok_or(StoreError::NotFound)?
    .try_into()
}

/// Several exercises by id, archived or not; ids that the clinic does not have are left out.
///
/// # Errors
/// The store's own.
pub async fn by_ids(tx: &Tx, ids: &[ExerciseId]) -> Result<HashMap<ExerciseId, Exercise>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    tx.all::<Row>(
        &format!("select {} from exercise where clinic_id = $1 and id = any($2)", columns()),
        [tx.clinic().0.into(), ids.into()],
    )
    .await?
    .into_iter()
    .map(|row| Exercise::try_from(row).map(|exercise| (exercise.id, exercise)))
    .collect()
}

/// Every exercise that was ever prescribed to a patient, archived or not.
///
/// # Errors
/// The store's own.
pub async fn of_patient(tx: &Tx, patient: PatientId) -> Result<HashMap<ExerciseId, Exercise>, StoreError> {
    tx.all::<Row>(
        &format!(
            "select {} from exercise where clinic_id = $1
               and id in (select exercise_id from prescription where clinic_id = $1 and patient_id = $2)",
            columns()
        ),
        [tx.clinic().0.into(), patient.0.into()],
    )
    .await?
    .into_iter()
    .map(|row| Exercise::try_from(row).map(|exercise| (exercise.id, exercise)))
    .collect()
}

/// Every exercise that stands in a template, archived or not.
///
/// # Errors
/// The store's own.
pub async fn in_templates(tx: &Tx) -> Result<HashMap<ExerciseId, Exercise>, StoreError> {
    tx.all::<Row>(
        &format!(
            "select {} from exercise where clinic_id = $1 and id in (select exercise_id from template_item where clinic_id = $1)",
            columns()
        ),
        [tx.clinic().0.into()],
    )
    .await?
    .into_iter()
    .map(|row| Exercise::try_from(row).map(|exercise| (exercise.id, exercise)))
    .collect()
}

/// The part of the library that matches, and how many match in all.
///
/// # Errors
/// The store's own.
pub async fn search(tx: &Tx, search: &Search) -> Result<Found, StoreError> {
    let Search { words, region, no_equipment, archived, offset, limit } = search;
    // Each word has to be somewhere in the name or the equipment; the order of the words does not matter.
    let patterns: Vec<String> = words.split_whitespace().map(contains).collect();
    let filter = "clinic_id = $1 and (archived_at is not null) = $2
        and ($3 = '' or region = $3) and (not $4 or equipment = '')
        and (name || ' ' || equipment) ilike all ($5::text[])";
    let args = || -> Vec<Value> {
        vec![
            tx.clinic().0.into(),
            (*archived).into(),
            region.map(|region| region.tag()).unwrap_or_default().into(),
            (*no_equipment).into(),
            patterns.clone().into(),
        ]
    };
    #[derive(FromQueryResult)]
    struct Count {
        n: i64,
    }
    let mut page = args();
    page.extend([i64::from(*offset).into(), i64::from(*limit).into()]);
    let counted = format!("select count(*) as n from exercise where {filter}");
    let listed = format!(
        "select {} from exercise where {filter} order by source = 'imported', lower(name), id offset $6 limit $7",
        columns()
    );
    let (total, rows) = tokio::try_join!(tx.one::<Count>(&counted, args()), tx.all::<Row>(&listed, page))?;
    Ok(Found {
        exercises: rows.into_iter().map(Exercise::try_from).collect::<Result<_, _>>()?,
        total: total.and_then(|count| u32::try_from(count.n).ok()).unwrap_or_default(),
    })
}

/// How many exercises the library offers.
///
/// # Errors
/// The store's own.
pub async fn count(tx: &Tx) -> Result<u32, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        n: i64,
    }
    let count: Option<Count> =
        tx.one("select count(*) as n from exercise where clinic_id = $1 and archived_at is null", [tx.clinic().0.into()]).await?;
    Ok(count.and_then(|count| u32::try_from(count.n).ok()).unwrap_or_default())
}

/// A pattern for `ilike` that finds `word` anywhere; what is a wildcard there stands for itself.
pub(crate) fn contains(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Adds an exercise to the library.
///
/// # Errors
/// [`StoreError::Conflict`] when the same key of the same source is there already.
pub async fn create(tx: &Tx, exercise: &Exercise) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Library, None);
    insert(tx, std::slice::from_ref(exercise), "").await?;
    Ok(())
}

/// Saves what may be changed: name, region, equipment, instructions and the usual dose. Programs keep their own doses.
///
/// # Errors
/// [`StoreError::NotFound`] when the clinic has no such exercise.
pub async fn update(tx: &Tx, exercise: &Exercise) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Library, None);
    // Where it came from, its drawing and whether it is archived do not change by editing.
    let Exercise {
        id,
        name,
        region,
        equipment,
        figure: _,
        instructions,
        source: _,
        source_key: _,
        dose,
        created_at: _,
        archived_at: _,
    } = exercise;
    let mut values: Vec<Value> = vec![
        tx.clinic().0.into(),
        id.0.into(),
        name.as_str().into(),
        region.tag().into(),
        equipment.as_str().into(),
        instructions.as_str().into(),
    ];
    values.extend(DoseColumns::gather(std::iter::once(dose)).values());
    let touched = tx
        .run(
            "update exercise set name = $3, region = $4, equipment = $5, instructions = $6,
               sets_min = ($7::smallint[])[1], sets_max = ($8::smallint[])[1],
               reps_min = ($9::smallint[])[1], reps_max = ($10::smallint[])[1], breaths = ($11::boolean[])[1],
               hold_min = nullif(($12::smallint[])[1], 0), hold_max = nullif(($13::smallint[])[1], 0),
               each_side = ($14::boolean[])[1], rest_s = nullif(($15::smallint[])[1], -1)
             where clinic_id = $1 and id = $2",
            values,
        )
        .await?;
    if touched == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Stops offering an exercise. Programs and templates that have it keep it.
///
/// # Errors
/// [`StoreError::NotFound`] when the clinic has no such exercise.
pub async fn archive(tx: &Tx, id: ExerciseId, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Library, None);
    set_archived(tx, id, Some(now)).await
}

/// Offers an archived exercise again.
///
/// # Errors
/// [`StoreError::NotFound`] when the clinic has no such exercise.
pub async fn restore(tx: &Tx, id: ExerciseId) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Library, None);
    set_archived(tx, id, None).await
}

async fn set_archived(tx: &Tx, id: ExerciseId, at: Option<Timestamp>) -> Result<(), StoreError> {
    let touched = tx
        .run(
            "update exercise set archived_at = $3 where clinic_id = $1 and id = $2",
            [tx.clinic().0.into(), id.0.into(), at.map(from_instant).into()],
        )
        .await?;
    if touched == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Inserts any number of exercises in one statement and says how many rows that made. `on_conflict` is one of this module's own
/// clauses, never a caller's text.
async fn insert(tx: &Tx, exercises: &[Exercise], on_conflict: &'static str) -> Result<u64, StoreError> {
    let count = exercises.len();
    let mut ids = Vec::with_capacity(count);
    let mut names = Vec::with_capacity(count);
    let mut regions = Vec::with_capacity(count);
    let mut equipments = Vec::with_capacity(count);
    let mut figures = Vec::with_capacity(count);
    let mut texts = Vec::with_capacity(count);
    let mut sources = Vec::with_capacity(count);
    let mut keys = Vec::with_capacity(count);
    let mut created = Vec::with_capacity(count);
    for exercise in exercises {
        // A new exercise is not archived.
        let Exercise { id, name, region, equipment, figure, instructions, source, source_key, dose: _, created_at, archived_at: _ } =
            exercise;
        ids.push(id.0);
        names.push(name.clone());
        regions.push(region.tag().to_owned());
        equipments.push(equipment.clone());
        figures.push(figure.clone().unwrap_or_default());
        texts.push(instructions.clone());
        sources.push(source.tag().to_owned());
        keys.push(source_key.clone().unwrap_or_default());
        created.push(from_instant(*created_at));
    }
    let mut values: Vec<Value> = vec![
        tx.clinic().0.into(),
        ids.into(),
        names.into(),
        regions.into(),
        equipments.into(),
        figures.into(),
        texts.into(),
        sources.into(),
        keys.into(),
        created.into(),
    ];
    values.extend(DoseColumns::gather(exercises.iter().map(|exercise| &exercise.dose)).values());
    tx.run(
        &format!(
            "insert into exercise (clinic_id, id, name, region, equipment, figure, instructions, source, source_key, created_at,
               sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s)
             select $1, e.id, e.name, e.region, e.equipment, nullif(e.figure, ''), e.instructions, e.source,
               nullif(e.source_key, ''), e.created_at, e.sets_min, e.sets_max, e.reps_min, e.reps_max, e.breaths,
               nullif(e.hold_min, 0), nullif(e.hold_max, 0), e.each_side, nullif(e.rest_s, -1)
             from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
               $10::timestamptz[], $11::smallint[], $12::smallint[], $13::smallint[], $14::smallint[], $15::boolean[],
               $16::smallint[], $17::smallint[], $18::boolean[], $19::smallint[])
               as e (id, name, region, equipment, figure, instructions, source, source_key, created_at, sets_min, sets_max,
                 reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s)
             {on_conflict}"
        ),
        values,
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_wildcard_that_was_typed_stands_for_itself() {
        assert_eq!(contains("50%_\\"), r"%50\%\_\\%");
    }
}
