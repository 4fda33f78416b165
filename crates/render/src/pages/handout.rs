//! The program on paper: drawings, doses in words, what to do when it hurts, and a diary to fill in with a pen.

use domain::dose::Dose;
use jiff::civil::Date;
use serde::Serialize;

use crate::{
    Svg,
    figures::{self, Pose},
    formats, qr,
    words::{Language, say},
};

/// One program as a sheet. Its words are in the patient's language, whoever prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Sheet {
    /// The patient's language, as a tag.
    pub lang: &'static str,
    /// The program's name.
    pub program: String,
    /// "For Hannah": what the patient is called, and nothing else about them, since paper lies about.
    pub whose: String,
    /// "12 October to 22 November".
    pub when: String,
    /// "Monday to Saturday · twice a day · about 12 minutes"; `None` when there is nothing to do.
    pub schedule: Option<String>,
    /// What is to be known before anything is done: it is paused, it is over, it begins later.
    pub note: Option<String>,
    /// Whether a stop sign holds it: then it tells of no exercise.
    pub stopped: bool,
    /// That a version planned for later takes its place.
    pub changes: Option<String>,
    /// What to do, in order.
    pub exercises: Vec<SheetExercise>,
    /// The stop signs, in plain words.
    pub signs: Vec<String>,
    /// The letters of the week, Monday first.
    pub letters: Vec<String>,
    /// Weeks to fill in; empty when nothing is due any more.
    pub weeks: Vec<SheetWeek>,
    /// Whether the program goes on after the last of them.
    pub more_weeks: bool,
    /// The way in, for a patient with an address of their own.
    pub scan: Option<Scan>,
    /// "Riverside Physio · sheet of 22 November 2026".
    pub printed: String,
}

/// One exercise.
#[derive(Debug, Clone, Serialize)]
pub struct SheetExercise {
    /// "1."
    pub number: String,
    /// Its name.
    pub name: String,
    /// "3 × 10–12 times, each side".
    pub dose: String,
    /// What to do, step by step.
    pub steps: Vec<String>,
    /// What the physiotherapist added.
    pub note: Option<String>,
    /// Where it begins, and where it ends; none for an exercise without drawings: an empty frame helps nobody on paper.
    pub drawings: Vec<SheetDrawing>,
}

/// One drawing of an exercise.
#[derive(Debug, Clone, Serialize)]
pub struct SheetDrawing {
    /// The drawing.
    pub svg: Svg,
    /// "Start" or "End".
    pub words: String,
}

/// One week of the diary.
#[derive(Debug, Clone, Serialize)]
pub struct SheetWeek {
    /// "23 Nov".
    pub from: String,
    /// Monday to Sunday.
    pub days: Vec<SheetDay>,
}

/// One day of the diary.
#[derive(Debug, Clone, Serialize)]
pub struct SheetDay {
    /// The day of the month; empty for a day that is over or beyond the program.
    pub number: String,
    /// "Monday 23 November", for who cannot see the table.
    pub date: String,
    /// How many sessions are due.
    pub boxes: u8,
}

/// The way in.
#[derive(Debug, Clone, Serialize)]
pub struct Scan {
    /// The code.
    pub qr_svg: Svg,
    /// The same address, to be typed.
    pub address: String,
}

impl Scan {
    /// The way to the sign-in page of the installation at `origin`, and from there to Today. Whoever finds the sheet finds the sign-in page:
    /// a link that opened a record would be as good as the record itself, for as long as the paper lasts.
    pub fn at(origin: &str) -> Option<Self> {
        let svg = qr::svg(&format!("{origin}/sign-in?next=/today"))?;
        let address = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or(origin);
        Some(Self { qr_svg: svg, address: address.to_owned() })
    }
}

impl SheetExercise {
    /// The `at`-th exercise, counted from 0.
    pub fn new<'a>(
        language: Language,
        at: usize,
        name: &str,
        dose: &Dose,
        steps: impl Iterator<Item = &'a str>,
        figure: Option<&str>,
        note: Option<&str>,
    ) -> Self {
        let drawing = |pose, words: &str| {
            let svg = figure.and_then(|key| figures::svg_titled(key, pose, ""))?;
            Some(SheetDrawing { svg, words: say(language, words, &[]) })
        };
        Self {
            number: say(language, "handout-number", &[("n", (at + 1).into())]),
            name: name.to_owned(),
            dose: formats::dose(language, dose),
            steps: steps.map(str::to_owned).collect(),
            note: note.map(|note| say(language, "handout-note", &[("note", note.into())])),
            drawings: [drawing(Pose::Start, "exercise-start"), drawing(Pose::End, "exercise-end")].into_iter().flatten().collect(),
        }
    }
}

impl SheetWeek {
    /// The week that begins on `monday`; `boxes` says how many sessions are due on a day, `None` for one that is not of the diary.
    pub fn new(language: Language, monday: Date, boxes: impl Fn(Date) -> Option<u8>) -> Self {
        let day = |date: Date| SheetDay {
            number: boxes(date).map(|_| date.day().to_string()).unwrap_or_default(),
            date: formats::day_long(language, date),
            boxes: boxes(date).unwrap_or(0),
        };
        let days = monday.series(jiff::Span::new().days(1)).take(7).map(day).collect();
        Self { from: formats::day_short(language, monday), days }
    }

    /// Whether a session is due in it.
    pub fn is_due(&self) -> bool {
        self.days.iter().any(|day| day.boxes > 0)
    }
}

impl Sheet {
    /// Five exercises of three days a week, as samples use them.
    pub(crate) fn sample() -> Self {
        use domain::session_log::RedFlag;
        use jiff::civil::date;

        let language = Language::En;
        let of_form = super::patient::LogForm::sample().exercises;
        let keys = ["seated-thoracic-extension", "cat-cow", "childs-pose-side-stretch", "wall-angels"];
        let exercises = of_form.into_iter().zip(keys).map(|(exercise, key)| {
            let drawing = |pose, words: &str| {
                Some(SheetDrawing { svg: figures::svg_titled(key, pose, "")?, words: say(language, words, &[]) })
            };
            SheetExercise {
                number: say(language, "handout-number", &[("n", exercise.number.into())]),
                name: exercise.name,
                dose: exercise.dose,
                steps: exercise.steps,
                note: exercise.note,
                drawings: [drawing(Pose::Start, "exercise-start"), drawing(Pose::End, "exercise-end")]
                    .into_iter()
                    .flatten()
                    .collect(),
            }
        });
        let due = |day: Date| (day >= date(2026, 11, 25)).then_some(u8::from(day.weekday().to_monday_zero_offset() % 2 == 0));
        Self {
            lang: language.tag(),
            program: "Upper back relief".into(),
            whose: "For Wei Ling".into(),
            when: "25 November to 5 January".into(),
            schedule: Some("Monday to Saturday · once a day · about 12 minutes".into()),
            note: Some("Starts on Wednesday 25 November. Nothing to do before then.".into()),
            stopped: false,
            changes: Some("The program changes on Monday 7 December. Ask for a new sheet then.".into()),
            exercises: exercises.collect(),
            signs: RedFlag::ALL.iter().map(|flag| say(language, &format!("flag-{}", flag.tag()), &[])).collect(),
            letters: (0..7).map(|day| formats::weekday_letter(language, jiff::civil::Weekday::Monday.wrapping_add(day))).collect(),
            weeks: [date(2026, 11, 23), date(2026, 11, 30)].map(|monday| SheetWeek::new(language, monday, due)).into(),
            more_weeks: true,
            scan: Scan::at("https://clinic.example"),
            printed: "Riverside Physio · sheet of 22 November 2026".into(),
        }
    }

    /// The same held by a stop sign, of a patient who has no address.
    pub(crate) fn stopped_sample() -> Self {
        Self {
            schedule: None,
            note: None,
            stopped: true,
            changes: None,
            exercises: Vec::new(),
            weeks: Vec::new(),
            more_weeks: false,
            scan: None,
            ..Self::sample()
        }
    }
}
