//! Templates: programs to use again, made of exercises of the library with their doses.

use std::collections::HashMap;

use domain::{
    dose::Dose,
    ids::{ExerciseId, TemplateId},
    program::Weekdays,
};
use jiff::{Timestamp, civil};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_instant, from_time, to_instant, to_time},
    program::{DOSE, DoseColumns, DoseRow, notes},
};

/// The index that lets no two templates in use have one name, whatever the letter case.
pub const NAME_TAKEN: &str = "template_name";

/// A program to use again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// What it is called, 1–120 characters; the programs made of it are called the same.
    pub name: String,
    /// How long a program made of it lasts, 1–52.
    pub weeks: u8,
    /// On which weekdays it is done.
    pub weekdays: Weekdays,
    /// Sessions on each of these days, 1–6.
    pub times_a_day: u8,
    /// The reminder's hour in the patient's own zone, if there is to be one.
    pub remind_at: Option<civil::Time>,
    /// The exercises in order.
    pub items: Vec<Item>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is no longer offered.
    pub archived_at: Option<Timestamp>,
}

/// One exercise of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The exercise of the library.
    pub exercise: ExerciseId,
    /// How much of it in one session.
    pub dose: Dose,
    /// A word to the patient.
    pub note: Option<String>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    weeks: i16,
    weekdays: i16,
    times_a_day: i16,
    remind_at: Option<time::Time>,
    created_at: At,
    archived_at: Option<At>,
}

const COLUMNS: &str = "id, name, weeks, weekdays, times_a_day, remind_at, created_at, archived_at";

impl Row {
    fn template(self, items: Vec<Item>) -> Result<Template, StoreError> {
        let Self { id, name, weeks, weekdays, times_a_day, remind_at, created_at, archived_at } = self;
        let out = |column: &'static str| move || StoreError::corrupt("template", column, id, "out of range");
        Ok(Template {
            id: TemplateId(id),
            name,
            weeks: u8::try_from(weeks).map_err(|_| out("weeks")())?,
            weekdays: u8::try_from(weekdays).ok().and_then(Weekdays::from_bits).ok_or_else(out("weekdays"))?,
            times_a_day: u8::try_from(times_a_day).map_err(|_| out("times_a_day")())?,
            remind_at: remind_at.map(to_time),
            items,
            created_at: to_instant(created_at).ok_or_else(out("created_at"))?,
            archived_at: archived_at.and_then(to_instant),
        })
    }
}

#[derive(FromQueryResult)]
struct ItemRow {
    id: Uuid,
    template_id: Uuid,
    exercise_id: Uuid,
    note: Option<String>,
    #[sea_orm(nested)]
    dose: DoseRow,
}

/// The templates in use, by name.
///
/// # Errors
/// The store's own.
pub async fn list(tx: &Tx) -> Result<Vec<Template>, StoreError> {
    load(tx, "archived_at is null", None).await
}

/// The archived ones, by name.
///
/// # Errors
/// The store's own.
pub async fn archived(tx: &Tx) -> Result<Vec<Template>, StoreError> {
    load(tx, "archived_at is not null", None).await
}

/// One template, archived or not.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and for another clinic's alike.
pub async fn find(tx: &Tx, id: TemplateId) -> Result<Template, StoreError> {
    load(tx, "id = $2", Some(id.0.into())).await?.pop().ok_or(StoreError::NotFound)
}

/// The template in use of that name, whatever the letter case.
///
/// # Errors
/// The store's own.
pub async fn by_name(tx: &Tx, name: &str) -> Result<Option<Template>, StoreError> {
    Ok(load(tx, "archived_at is null and lower(name) = lower($2)", Some(name.into())).await?.pop())
}

/// `which` is one of the conditions above, never a caller's text. Two statements, however many templates.
async fn load(tx: &Tx, which: &'static str, key: Option<Value>) -> Result<Vec<Template>, StoreError> {
    let args: Vec<Value> = std::iter::once(tx.clinic().0.into()).chain(key).collect();
    let templates = format!("select {COLUMNS} from template where clinic_id = $1 and {which} order by lower(name), id");
    let items = format!(
        "select id, template_id, exercise_id, note, {DOSE} from template_item
         where clinic_id = $1 and template_id in (select id from template where clinic_id = $1 and {which})
         order by template_id, position"
    );
    let (rows, items) = tokio::try_join!(tx.all::<Row>(&templates, args.clone()), tx.all::<ItemRow>(&items, args))?;
    let mut of: HashMap<Uuid, Vec<Item>> = HashMap::with_capacity(rows.len());
    for ItemRow { id, template_id, exercise_id, note, dose } in items {
        let dose = dose.dose("template_item", id)?;
        of.entry(template_id).or_default().push(Item { exercise: ExerciseId(exercise_id), dose, note });
    }
    rows.into_iter()
        .map(|row| {
            let items = of.remove(&row.id).unwrap_or_default();
            row.template(items)
        })
        .collect()
}

/// Saves a new template.
///
/// # Errors
/// [`StoreError::Conflict`] with [`NAME_TAKEN`] when one in use has the name.
pub async fn create(tx: &Tx, template: &Template) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Library, None);
    let Template { id, name, weeks, weekdays, times_a_day, remind_at, items, created_at, archived_at } = template;
    tx.run(
        "insert into template (clinic_id, id, name, weeks, weekdays, times_a_day, remind_at, created_at, archived_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            tx.clinic().0.into(),
            id.0.into(),
            name.as_str().into(),
            i16::from(*weeks).into(),
            i16::from(weekdays.bits()).into(),
            i16::from(*times_a_day).into(),
            remind_at.map(from_time).into(),
            from_instant(*created_at).into(),
            archived_at.map(from_instant).into(),
        ],
    )
    .await?;
    insert_items(tx, *id, items).await
}

/// Saves a template as it stands now; programs made of it keep what they have.
///
/// # Errors
/// [`StoreError::NotFound`] when the clinic has no such template; [`StoreError::Conflict`] with [`NAME_TAKEN`].
pub async fn update(tx: &Tx, template: &Template) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Library, None);
    let Template { id, name, weeks, weekdays, times_a_day, remind_at, items, created_at: _, archived_at } = template;
    let touched = tx
        .run(
            "update template set name = $3, weeks = $4, weekdays = $5, times_a_day = $6, remind_at = $7, archived_at = $8
             where clinic_id = $1 and id = $2",
            [
                tx.clinic().0.into(),
                id.0.into(),
                name.as_str().into(),
                i16::from(*weeks).into(),
                i16::from(weekdays.bits()).into(),
                i16::from(*times_a_day).into(),
                remind_at.map(from_time).into(),
                archived_at.map(from_instant).into(),
            ],
        )
        .await?;
    if touched == 0 {
        return Err(StoreError::NotFound);
    }
    tx.run("delete from template_item where clinic_id = $1 and template_id = $2", [tx.clinic().0.into(), id.0.into()]).await?;
    insert_items(tx, *id, items).await
}

async fn insert_items(tx: &Tx, template: TemplateId, items: &[Item]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = items.iter().map(|_| Uuid::now_v7()).collect();
    let mut values: Vec<Value> = vec![
        tx.clinic().0.into(),
        template.0.into(),
        ids.into(),
        items.iter().map(|item| item.exercise.0).collect::<Vec<_>>().into(),
        notes(items.iter().map(|item| item.note.as_deref())),
    ];
    values.extend(DoseColumns::gather(items.iter().map(|item| &item.dose)).values());
    tx.run(
        "insert into template_item (clinic_id, template_id, position, id, exercise_id, note,
           sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s)
         select $1, $2, i.position, i.id, i.exercise_id, nullif(i.note, ''),
           i.sets_min, i.sets_max, i.reps_min, i.reps_max, i.breaths, nullif(i.hold_min, 0), nullif(i.hold_max, 0), i.each_side,
           nullif(i.rest_s, -1)
         from unnest($3::uuid[], $4::uuid[], $5::text[], $6::smallint[], $7::smallint[], $8::smallint[], $9::smallint[],
           $10::boolean[], $11::smallint[], $12::smallint[], $13::boolean[], $14::smallint[])
           with ordinality as i (id, exercise_id, note, sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max,
             each_side, rest_s, position)",
        values,
    )
    .await?;
    Ok(())
}
