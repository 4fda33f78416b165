//! What the demo clinic has in its library beside the starter set: exercises for neck, low back and shoulder in its own words, and
//! the templates made of them.

use anyhow::{Context as _, Result, anyhow};
use domain::{
    dose::{Dose, RepUnit, Span},
    ids::{ExerciseId, TemplateId},
    pain::Region,
    program::Weekdays,
};
use jiff::{Timestamp, civil};
use store::{
    StoreError, Tx,
    exercise::{self, Exercise, Source},
    template::{self, Item, Template},
};

/// The starter's exercises by the short names that templates use below, in the starter's order.
const STARTER: [&str; 5] = ["thoracic", "retraction", "cat-cow", "wall-angels", "childs-pose"];

struct Text {
    /// How templates name it below.
    short: &'static str,
    name: &'static str,
    region: Region,
    equipment: &'static str,
    dose: Amount,
    steps: &'static [&'static str],
}

/// A dose as people write it.
#[derive(Clone, Copy)]
struct Amount {
    sets: &'static str,
    reps: &'static str,
    hold: Option<&'static str>,
    each_side: bool,
}

const fn times(sets: &'static str, reps: &'static str) -> Amount {
    Amount { sets, reps, hold: None, each_side: false }
}

const fn hold(seconds: &'static str, reps: &'static str) -> Amount {
    Amount { sets: "1", reps, hold: Some(seconds), each_side: false }
}

const fn hold_each_side(seconds: &'static str, reps: &'static str) -> Amount {
    Amount { sets: "1", reps, hold: Some(seconds), each_side: true }
}

impl Amount {
    fn dose(self) -> Result<Dose> {
        let Self { sets, reps, hold, each_side } = self;
        let hold = hold.map(Span::parse).transpose()?;
        Ok(Dose::new(Span::parse(sets)?, Span::parse(reps)?, RepUnit::Times, hold, each_side, None)?)
    }
}

const EXERCISES: [Text; 10] = [
    Text {
        short: "chin-tuck",
        name: "Chin tuck",
        region: Region::Neck,
        equipment: "",
        dose: hold("5", "8-10"),
        steps: &[
            "Sit or stand tall and look straight ahead.",
            "Slide your chin straight back, as if making a double chin. Do not tip your head up or down.",
            "You should feel the back of your neck grow long. Hold, keep breathing, and let go.",
        ],
    },
    Text {
        short: "neck-rotation",
        name: "Neck rotation",
        region: Region::Neck,
        equipment: "",
        dose: hold_each_side("5", "5-8"),
        steps: &[
            "Sit tall with your shoulders relaxed.",
            "Turn your head slowly to one side, as far as is comfortable, and hold there.",
            "Come back to the middle and turn to the other side. Move without forcing.",
        ],
    },
    Text {
        short: "trapezius",
        name: "Upper trapezius stretch",
        region: Region::Neck,
        equipment: "Chair",
        dose: hold_each_side("20-30", "2-3"),
        steps: &[
            "Sit on a chair and hold the edge of the seat with one hand.",
            "Tilt your head away from that hand, ear towards the other shoulder, until you feel a gentle stretch at the side of your neck.",
            "Hold and breathe. Come up slowly and change sides.",
        ],
    },
    Text {
        short: "pelvic-tilt",
        name: "Pelvic tilt",
        region: Region::LowerBack,
        equipment: "",
        dose: hold("5", "10-12"),
        steps: &[
            "Lie on your back with your knees bent and your feet flat on the floor.",
            "Tighten your lower belly and press the small of your back gently into the floor.",
            "Hold while you breathe, then let your back come up to where it was.",
        ],
    },
    Text {
        short: "knee-to-chest",
        name: "Knee to chest",
        region: Region::LowerBack,
        equipment: "",
        dose: hold_each_side("20-30", "2-3"),
        steps: &[
            "Lie on your back with both knees bent.",
            "Hold one thigh behind the knee and draw it towards your chest until you feel a gentle stretch in your lower back.",
            "Keep the other foot on the floor. Hold, let go slowly, and change legs.",
        ],
    },
    Text {
        short: "bridge",
        name: "Bridge",
        region: Region::LowerBack,
        equipment: "",
        dose: times("2", "8-12"),
        steps: &[
            "Lie on your back, knees bent, feet flat and as wide as your hips.",
            "Squeeze your buttocks and lift your hips until shoulders, hips and knees are in one line.",
            "Stay for a breath and come down slowly. Your lower back should not arch.",
        ],
    },
    Text {
        short: "bird-dog",
        name: "Bird dog",
        region: Region::LowerBack,
        equipment: "",
        dose: hold_each_side("5", "6-8"),
        steps: &[
            "Come onto your hands and knees with your back flat.",
            "Reach one arm forward and the opposite leg back, no higher than your back.",
            "Hold without letting your hips turn. Come back and change sides.",
        ],
    },
    Text {
        short: "pendulum",
        name: "Pendulum",
        region: Region::Shoulder,
        equipment: "Table",
        dose: times("1", "15-20"),
        steps: &[
            "Stand beside a table, rest your good hand on it and lean forward. Let the sore arm hang.",
            "Rock your body gently so that the arm swings by itself in small circles.",
            "Keep the shoulder loose; the arm does no work. One circle is one time.",
        ],
    },
    Text {
        short: "wall-slide",
        name: "Wall slide",
        region: Region::Shoulder,
        equipment: "",
        dose: times("2", "8-12"),
        steps: &[
            "Stand facing a wall, forearms on it at shoulder height, thumbs towards you.",
            "Slide your forearms up the wall as far as is comfortable, leaning in a little.",
            "Slide down again slowly, shoulders away from your ears.",
        ],
    },
    Text {
        short: "rotation-band",
        name: "External rotation with band",
        region: Region::Shoulder,
        equipment: "Elastic band",
        dose: times("2", "10-15"),
        steps: &[
            "Hold a band in both hands, elbows bent at a right angle and tucked against your sides.",
            "Turn both forearms outwards against the band without letting your elbows leave your sides.",
            "Come back slowly. Choose a band that lets you finish without pain.",
        ],
    },
];

struct Reusable {
    name: &'static str,
    weeks: u8,
    times_a_day: u8,
    items: &'static [(&'static str, Option<Amount>, Option<&'static str>)],
}

/// For the neck and the shoulders.
pub const NECK: &str = "Neck and shoulder";
/// For the low back, to begin with.
pub const LOW_BACK: &str = "Low back basics";
/// For the low back, the step after.
pub const LOW_BACK_NEXT: &str = "Low back strength";
/// For a stiff shoulder.
pub const SHOULDER: &str = "Shoulder mobility";

const TEMPLATES: [Reusable; 4] = [
    Reusable {
        name: NECK,
        weeks: 6,
        times_a_day: 1,
        items: &[
            ("chin-tuck", None, None),
            ("neck-rotation", None, None),
            ("trapezius", None, None),
            ("retraction", None, Some("Without the band for now.")),
        ],
    },
    Reusable {
        name: LOW_BACK,
        weeks: 6,
        times_a_day: 1,
        items: &[("pelvic-tilt", None, None), ("knee-to-chest", None, None), ("cat-cow", None, None), ("bridge", None, None)],
    },
    Reusable {
        name: LOW_BACK_NEXT,
        weeks: 6,
        times_a_day: 1,
        items: &[
            ("cat-cow", None, None),
            ("bridge", Some(times("3", "10-12")), Some("One set more than before; rest as long as you need.")),
            ("bird-dog", None, None),
        ],
    },
    Reusable {
        name: SHOULDER,
        weeks: 8,
        times_a_day: 2,
        items: &[
            ("pendulum", None, None),
            ("wall-slide", None, None),
            ("rotation-band", None, Some("Start with the lightest band.")),
        ],
    },
];

/// Monday to Saturday, as the starter template has it.
pub const MONDAY_TO_SATURDAY: u8 = 0b011_1111;

/// The exercises and templates ready to be added to a clinic, beside its starter set.
pub struct Library {
    exercises: Vec<(&'static str, Exercise)>,
}

impl Library {
    /// Reads the texts above.
    ///
    /// # Errors
    /// When a dose above is not sound.
    pub fn new(now: Timestamp) -> Result<Self> {
        let exercises = EXERCISES.iter().map(|text| {
            let exercise = Exercise {
                id: ExerciseId::new(),
                name: text.name.to_owned(),
                region: text.region,
                equipment: text.equipment.to_owned(),
                figure: None,
                instructions: text.steps.join("\n"),
                source: Source::Own,
                source_key: None,
                dose: text.dose.dose().with_context(|| text.name)?,
                created_at: now,
                archived_at: None,
            };
            Ok((text.short, exercise))
        });
        Ok(Self { exercises: exercises.collect::<Result<_>>()? })
    }

    /// Adds everything, the starter set first, and gives the clinic's templates.
    ///
    /// # Errors
    /// The store's own.
    pub async fn install(self, tx: &Tx, now: Timestamp) -> Result<Vec<Template>, StoreError> {
        let starter = exercise::install_starter(tx, now).await?;
        let known = exercise::by_ids(tx, &starter.exercises).await?;
        let mut doses: Vec<(&str, ExerciseId, Dose)> =
            STARTER.iter().zip(&starter.exercises).filter_map(|(short, id)| Some((*short, *id, known.get(id)?.dose))).collect();
        for (short, exercise) in &self.exercises {
            exercise::create(tx, exercise).await?;
            doses.push((short, exercise.id, exercise.dose));
        }
        for reusable in &TEMPLATES {
            let template = reusable.template(&doses, now).map_err(|error| StoreError::Other(format!("{error:#}")))?;
            template::create(tx, &template).await?;
        }
        template::list(tx).await
    }
}

impl Reusable {
    fn template(&self, doses: &[(&str, ExerciseId, Dose)], now: Timestamp) -> Result<Template> {
        let items = self.items.iter().map(|(short, amount, note)| {
            let (_, exercise, usual) =
                doses.iter().find(|(known, _, _)| known == short).ok_or_else(|| anyhow!("there is no exercise “{short}”"))?;
            let dose = amount.map(Amount::dose).transpose()?.unwrap_or(*usual);
            Ok(Item { exercise: *exercise, dose, note: note.map(str::to_owned) })
        });
        Ok(Template {
            id: TemplateId::new(),
            name: self.name.to_owned(),
            weeks: self.weeks,
            weekdays: Weekdays::from_bits(MONDAY_TO_SATURDAY).unwrap_or(Weekdays::all()),
            times_a_day: self.times_a_day,
            remind_at: Some(civil::time(8, 0, 0, 0)),
            items: items.collect::<Result<_>>()?,
            created_at: now,
            archived_at: None,
        })
    }
}
