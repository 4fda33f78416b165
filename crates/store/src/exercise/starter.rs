//! What every clinic starts with: five exercises for the upper back and the program made of them, in our own words.
//!
//! To add an exercise, add an entry to [`EXERCISES`] with a new key and draw its figure under the same key; clinics that exist get
//! it by installing the starter set again, which leaves what they have as it is.

use domain::{
    dose::{Dose, DoseError, RepUnit, Span, SpanError},
    ids::{ExerciseId, TemplateId},
    pain::Region,
    program::Weekdays,
};
use jiff::{Timestamp, civil};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Exercise, Source, insert};
use crate::{
    StoreError, Tx,
    template::{self, Item, Template},
};

/// The name of the starter template.
pub const TEMPLATE_NAME: &str = "Upper back relief";

/// What was installed, or was there before.
#[derive(Debug, Clone)]
pub struct Starter {
    /// The exercises in the order of the template.
    pub exercises: Vec<ExerciseId>,
    /// The template made of them.
    pub template: TemplateId,
}

struct Text {
    /// Names the figure, and the exercise within the source.
    key: &'static str,
    name: &'static str,
    equipment: &'static str,
    steps: &'static [&'static str],
    /// Repetitions, lowest and highest.
    reps: (u16, u16),
    unit: RepUnit,
    /// Seconds, lowest and highest.
    hold: Option<(u16, u16)>,
    each_side: bool,
}

const EXERCISES: [Text; 5] = [
    Text {
        key: "seated-thoracic-extension",
        name: "Seated thoracic extension stretch",
        equipment: "Sturdy chair",
        steps: &[
            "Sit well back on a sturdy chair whose backrest ends below your shoulder blades, both feet flat on the floor.",
            "Put your hands behind your head, fingers interlaced, and let your elbows open wide.",
            "Breathe in. As you breathe out, lift your chest and slowly bend your upper back over the top of the backrest.",
            "Keep your lower back and your head quiet: only the upper back bends, and your hands carry the weight of your head.",
            "Hold there and keep breathing, then come up slowly.",
        ],
        reps: (3, 3),
        unit: RepUnit::Times,
        hold: Some((15, 30)),
        each_side: false,
    },
    Text {
        key: "scapular-retraction",
        name: "Scapular retraction",
        equipment: "",
        steps: &[
            "Stand or sit tall, arms relaxed at your sides, chin level.",
            "Draw your shoulder blades back and together, as if to hold a pencil between them.",
            "Keep your shoulders down, away from your ears, and your ribs from flaring.",
            "Hold while you breathe calmly, then let go slowly.",
            "Too easy? Hold an elastic band in both hands and pull it apart as your shoulder blades come together.",
        ],
        reps: (10, 15),
        unit: RepUnit::Times,
        hold: Some((5, 5)),
        each_side: false,
    },
    Text {
        key: "cat-cow",
        name: "Cat–cow stretch",
        equipment: "",
        steps: &[
            "Come onto your hands and knees, hands under your shoulders, knees under your hips.",
            "As you breathe in, let your belly sink, lift your chest and your tailbone, and look slightly up: the cow.",
            "As you breathe out, push the floor away, round your whole back and let your head hang: the cat.",
            "Move slowly from one to the other, at the pace of your breath. In and out is one breath.",
        ],
        reps: (10, 15),
        unit: RepUnit::Breaths,
        hold: None,
        each_side: false,
    },
    Text {
        key: "wall-angels",
        name: "Wall angels",
        equipment: "",
        steps: &[
            "Stand with your back to a wall, your feet about 15 cm (6 inches) away from it.",
            "Rest your lower back, upper back and head against the wall.",
            "Raise your arms to the sides, elbows bent at a right angle, the backs of your hands on the wall.",
            "Slide your arms slowly up the wall as far as your back and hands stay in touch with it.",
            "Slide them down again until your elbows are at your sides. Up and down is one time.",
        ],
        reps: (10, 12),
        unit: RepUnit::Times,
        hold: None,
        each_side: false,
    },
    Text {
        key: "childs-pose-side-stretch",
        name: "Child’s pose with side stretch",
        equipment: "",
        steps: &[
            "Kneel on the floor, sit back on your heels and reach both arms forward along the floor, forehead down.",
            "Walk both hands over to the right until you feel a stretch along the left side of your back. Hold and breathe into it.",
            "Walk your hands back to the middle.",
            "Walk both hands over to the left and hold, to stretch the right side.",
        ],
        reps: (2, 3),
        unit: RepUnit::Times,
        hold: Some((20, 20)),
        each_side: true,
    },
];

#[derive(Debug, thiserror::Error)]
enum Unsound {
    #[error(transparent)]
    Span(#[from] SpanError),
    #[error(transparent)]
    Dose(#[from] DoseError),
}

impl Text {
    fn dose(&self) -> Result<Dose, Unsound> {
        let span = |(min, max)| Span::new(min, max);
        Ok(Dose::new(Span::ONE, span(self.reps)?, self.unit, self.hold.map(span).transpose()?, self.each_side, None)?)
    }

    fn exercise(&self, now: Timestamp) -> Result<Exercise, StoreError> {
        Ok(Exercise {
            id: ExerciseId::new(),
            name: self.name.to_owned(),
            region: Region::UpperBack,
            equipment: self.equipment.to_owned(),
            figure: Some(self.key.to_owned()),
            instructions: self.steps.join("\n"),
            source: Source::Homestretch,
            source_key: Some(self.key.to_owned()),
            dose: self.dose().map_err(|why| StoreError::Other(format!("the starter exercise {}: {why}", self.key)))?,
            created_at: now,
            archived_at: None,
        })
    }
}

/// Gives the clinic its first library: the five exercises and the template "Upper back relief" (6 weeks, Monday to Saturday, once a
/// day, reminder at 08:00). What is there already is left as it is, so it may be called any number of times.
///
/// # Errors
/// The store's own.
pub async fn install_starter(tx: &Tx, now: Timestamp) -> Result<Starter, StoreError> {
    let exercises = EXERCISES.iter().map(|text| text.exercise(now)).collect::<Result<Vec<_>, _>>()?;
    insert(tx, &exercises, "on conflict (clinic_id, source, source_key) do nothing").await?;

    #[derive(FromQueryResult)]
    struct Kept {
        id: Uuid,
    }
    let keys: Vec<String> = EXERCISES.iter().map(|text| text.key.to_owned()).collect();
    let kept: Vec<Kept> = tx
        .all(
            "select id from exercise where clinic_id = $1 and source = 'homestretch' and source_key = any($2)
             order by array_position($2, source_key)",
            [tx.clinic().0.into(), keys.into()],
        )
        .await?;
    let ids: Vec<ExerciseId> = kept.into_iter().map(|row| ExerciseId(row.id)).collect();

    if let Some(there) = template::by_name(tx, TEMPLATE_NAME).await? {
        return Ok(Starter { exercises: ids, template: there.id });
    }
    let template = Template {
        id: TemplateId::new(),
        name: TEMPLATE_NAME.to_owned(),
        weeks: 6,
        // Monday to Saturday
        weekdays: Weekdays::from_bits(0b011_1111).unwrap_or(Weekdays::all()),
        times_a_day: 1,
        remind_at: Some(civil::time(8, 0, 0, 0)),
        items: ids.iter().zip(&exercises).map(|(id, exercise)| Item { exercise: *id, dose: exercise.dose, note: None }).collect(),
        created_at: now,
        archived_at: None,
    };
    template::create(tx, &template).await?;
    Ok(Starter { exercises: ids, template: template.id })
}

#[cfg(test)]
mod tests {
    use super::EXERCISES;

    #[test]
    fn the_doses_read_as_the_article_has_them() {
        let read: Vec<String> = EXERCISES.iter().map(|text| text.dose().unwrap().to_string()).collect();
        assert_eq!(
            read,
            ["Hold 15–30 s · 3 times", "Hold 5 s · 10–15 times", "10–15 breaths", "10–12 times", "Hold 20 s each side · 2–3 times"]
        );
    }

    #[test]
    fn every_exercise_has_its_steps_and_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<&str> = EXERCISES.iter().map(|text| text.key).collect();
        assert_eq!(keys.len(), EXERCISES.len());
        assert!(EXERCISES.iter().all(|text| text.steps.len() >= 4));
    }
}
