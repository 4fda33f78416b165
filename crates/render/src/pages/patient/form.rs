//! The session: the log form, and the page that shows it.

use domain::dose::{Dose, RepUnit};
use serde::Serialize;

use super::picture;
use crate::{
    Field, Page, Svg,
    figures::Pose,
    formats,
    forms::Choice,
    words::{Language, say},
};

/// The five buttons of effort: the values of Borg's CR10 scale that they stand for.
pub const EFFORTS: [u8; 5] = [1, 2, 3, 5, 7];

/// The log of one session as a form, new or filled in.
#[derive(Debug, Clone, Serialize)]
pub struct LogForm {
    /// The log's id: made for a new form, so that sending it twice is one log.
    pub log_id: String,
    /// The civil date it is for, as `2026-11-22`.
    pub date: String,
    /// When it was done, as the device says (RFC 3339); empty where no script fills it in.
    pub performed_at: String,
    /// The exercises of that day, in order.
    pub exercises: Vec<ExerciseView>,
    /// The reasons for skipping.
    pub reasons: Vec<Choice>,
    /// "" for untouched, "none" for rather not, or "0" … "10".
    pub pain_before: Field,
    /// Likewise, after the session.
    pub pain_after: Field,
    /// "" or one of [`EFFORTS`].
    pub effort: Field,
    /// The five buttons.
    pub efforts: Vec<Choice>,
    /// In the patient's words.
    pub note: Field,
    /// The stop signs.
    pub signs: Vec<Sign>,
    /// Whether one is ticked, so that the part stands open.
    pub signs_open: bool,
    /// The physiotherapist's given name; `None` when nobody in particular looks after the patient.
    pub therapist: Option<String>,
}

/// A stop sign to tick.
#[derive(Debug, Clone, Serialize)]
pub struct Sign {
    /// What the form sends.
    pub value: String,
    /// In plain words.
    pub label: String,
    /// Ticked.
    pub on: bool,
}

/// One exercise of the form.
#[derive(Debug, Clone, Serialize)]
pub struct ExerciseView {
    /// The prescription's id, which the names of its fields end in.
    pub id: String,
    /// Its place, from 1.
    pub number: usize,
    /// The exercise's name.
    pub name: String,
    /// "Hold 15–30 s · 3 times".
    pub dose: String,
    /// What to do, step by step.
    pub steps: Vec<String>,
    /// What the physiotherapist added.
    pub note: Option<String>,
    /// Where it begins.
    pub start_svg: Svg,
    /// Where it ends.
    pub end_svg: Svg,
    /// The motion between the two.
    pub moving_svg: Svg,
    /// "times" or "breaths".
    pub unit: String,
    /// 2 when each side is done, else 1.
    pub sides: u8,
    /// Sets prescribed.
    pub sets_min: u16,
    /// Sets prescribed, at most.
    pub sets_max: u16,
    /// Repetitions or breaths in a set.
    pub reps_min: u16,
    /// Likewise, at most.
    pub reps_max: u16,
    /// Seconds held; 0 for no hold.
    pub hold_min: u16,
    /// Likewise, at most.
    pub hold_max: u16,
    /// Seconds of rest between sets.
    pub rest: u16,
    /// Whether more than one set is prescribed, so that sets are asked for.
    pub asks_sets: bool,
    /// "", "done", "some" or "skipped".
    pub outcome: Field,
    /// Sets done.
    pub sets: Field,
    /// Repetitions or breaths done in a set.
    pub reps: Field,
    /// Seconds held.
    pub hold: Field,
    /// Why it was skipped: a skip reason's tag, or "".
    pub reason: Field,
}

impl ExerciseView {
    /// An exercise nobody answered yet, without a note. `instructions` is one step a line; `figure` names one of our drawings.
    pub fn new(
        language: Language,
        id: String,
        number: usize,
        name: &str,
        dose: &Dose,
        instructions: &str,
        figure: Option<&str>,
    ) -> Self {
        let hold = dose.hold();
        Self {
            id,
            number,
            name: name.to_owned(),
            dose: formats::dose(language, dose),
            steps: instructions.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            note: None,
            start_svg: picture(figure, Pose::Start),
            end_svg: picture(figure, Pose::End),
            moving_svg: picture(figure, Pose::Moving),
            unit: match dose.unit() {
                RepUnit::Times => "times".to_owned(),
                RepUnit::Breaths => "breaths".to_owned(),
            },
            sides: if dose.each_side() { 2 } else { 1 },
            sets_min: dose.sets().min(),
            sets_max: dose.sets().max(),
            reps_min: dose.reps().min(),
            reps_max: dose.reps().max(),
            hold_min: hold.map_or(0, |hold| hold.min()),
            hold_max: hold.map_or(0, |hold| hold.max()),
            rest: dose.rest().unwrap_or(15),
            asks_sets: dose.sets().max() > 1,
            outcome: Field::default(),
            sets: Field::default(),
            reps: Field::default(),
            hold: Field::default(),
            reason: Field::default(),
        }
    }
}

impl LogForm {
    /// An empty form: nothing is chosen beforehand. `signs` are the tags of the stop signs and `reasons` of the reasons for
    /// skipping, in the order of the domain.
    pub fn empty(
        language: Language,
        log_id: String,
        date: String,
        exercises: Vec<ExerciseView>,
        reasons: &[&str],
        signs: &[&str],
        therapist: Option<String>,
    ) -> Self {
        Self {
            log_id,
            date,
            performed_at: String::new(),
            exercises,
            reasons: reasons.iter().map(|tag| Choice::new(*tag, say(language, &format!("skip-{tag}"), &[]))).collect(),
            pain_before: Field::default(),
            pain_after: Field::default(),
            effort: Field::default(),
            efforts: EFFORTS.iter().map(|n| Choice::new(n.to_string(), say(language, &format!("effort-{n}"), &[]))).collect(),
            note: Field::default(),
            signs: signs
                .iter()
                .map(|tag| Sign { value: (*tag).to_owned(), label: say(language, &format!("flag-{tag}"), &[]), on: false })
                .collect(),
            signs_open: false,
            therapist,
        }
    }

    /// Two exercises, as samples use them.
    pub(crate) fn sample() -> Self {
        use domain::{
            dose::Span,
            session_log::{RedFlag, SkipReason},
        };
        let dose = |reps: &str, unit, hold: Option<&str>, sets: &str, each_side| {
            let span = |text: &str| Span::parse(text).unwrap_or(Span::ONE);
            Dose::new(span(sets), span(reps), unit, hold.map(span), each_side, None).ok()
        };
        let exercises = [
            (
                "Seated thoracic extension stretch",
                "seated-thoracic-extension",
                dose("3", RepUnit::Times, Some("15–30"), "1", false),
            ),
            ("Cat–cow stretch", "cat-cow", dose("10–15", RepUnit::Breaths, None, "1", false)),
            ("Child’s pose with side stretch", "childs-pose-side-stretch", dose("2–3", RepUnit::Times, Some("20"), "1", true)),
            ("Wall angels", "wall-angels", dose("10–12", RepUnit::Times, None, "3", false)),
        ];
        let views = exercises
            .iter()
            .enumerate()
            .filter_map(|(at, (name, figure, dose))| {
                let note = (at == 0).then_some("Only as far as is comfortable.");
                let steps = "Sit tall on a sturdy chair, feet flat.\nHands behind your head, elbows wide.";
                let id = format!("00000000-0000-0000-0000-00000000000{at}");
                let view = ExerciseView::new(Language::En, id, at + 1, name, dose.as_ref()?, steps, Some(figure));
                Some(ExerciseView { note: note.map(str::to_owned), ..view })
            })
            .collect();
        let reasons: Vec<&str> = SkipReason::ALL.iter().map(|reason| reason.tag()).collect();
        let signs: Vec<&str> = RedFlag::ALL.iter().map(|flag| flag.tag()).collect();
        let id = "01936f00-0000-7000-8000-000000000001".to_owned();
        Self::empty(Language::En, id, "2026-11-22".into(), views, &reasons, &signs, Some("Hannah".into()))
    }
}

/// `/session/{program_id}`.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// The program's name.
    pub program: String,
    /// The program's id.
    pub program_id: String,
    /// "Sunday 22 November".
    pub day: String,
    /// Whether that day has passed.
    pub late: bool,
    /// About how long it takes.
    pub minutes: u32,
    /// Why nothing was saved; `None` for a new form.
    pub problem: Option<String>,
    /// The form.
    pub form: LogForm,
}

impl Page for Session {
    const TEMPLATE: &'static str = "pages/patient/session.html";

    fn samples() -> Vec<Self> {
        let open = Self {
            program: "Upper back relief".into(),
            program_id: "01936f00-0000-7000-8000-0000000000aa".into(),
            day: "Sunday 22 November".into(),
            late: false,
            minutes: 12,
            problem: None,
            form: LogForm::sample(),
        };
        let mut alone = open.clone();
        alone.late = true;
        alone.form.therapist = None;
        let mut refused = open.clone();
        refused.problem = Some("Nothing was saved yet. Please look at what is marked below.".into());
        refused.form.pain_after = Field::refused("11", "Pain is a number from 0 to 10.");
        refused.form.pain_before = Field::holding("none");
        refused.form.effort = Field::holding("3");
        refused.form.note = Field::refused("A long note", "The note is too long.");
        refused.form.signs_open = true;
        if let Some(sign) = refused.form.signs.first_mut() {
            sign.on = true;
        }
        for (at, exercise) in refused.form.exercises.iter_mut().enumerate() {
            match at {
                0 => exercise.outcome = Field::refused("", "Say how this one went."),
                1 => {
                    exercise.outcome = Field::holding("some");
                    exercise.reps = Field::refused("1000", "That is more than three times what was prescribed.");
                }
                2 => {
                    exercise.outcome = Field::holding("skipped");
                    exercise.reason = Field::refused("", "Choose why you skipped it.");
                }
                _ => exercise.outcome = Field::holding("done"),
            }
        }
        vec![open, alone, refused]
    }
}
