//! Today: what is due, what was done, what comes next.

use serde::Serialize;

use super::{AnswerCard, QuestionCard, picture};
use crate::{Page, Svg, charts::DayMark, figures::Pose};

/// `/today`.
#[derive(Debug, Clone, Serialize)]
pub struct Today {
    /// "Sunday 22 November", the patient's.
    pub date: String,
    /// "Good morning, Wei Ling", by the patient's hour.
    pub greeting: String,
    /// The seven days up to today; empty when there is no program.
    pub week: Vec<DayTile>,
    /// The patient's programs: those of now first, then one to come, then the last one finished.
    pub programs: Vec<ProgramCard>,
    /// Said where there is no program.
    pub none_text: String,
    /// The physiotherapist's given name.
    pub therapist: Option<String>,
    /// The log that was just saved.
    pub saved: Option<Saved>,
    /// Answers that wait to be read, the oldest first; none for a one-tap link.
    pub answers: Vec<AnswerCard>,
    /// "2 more answers are in Progress.", when not all stand here.
    pub answers_more: Option<String>,
    /// How things are: asked, or answered a few days ago.
    pub questions: Option<QuestionCard>,
    /// Whether a stop sign paused a program: then the page begins with what to do.
    pub stopped: bool,
    /// The stop signs told last, in words; empty when none.
    pub signs: Vec<String>,
    /// Whether the wording about the patient's data changed since they agreed to it.
    pub ask_consent: bool,
}

/// One day as a small tile.
#[derive(Debug, Clone, Serialize)]
pub struct DayTile {
    /// "S".
    pub letter: String,
    /// 22.
    pub number: i8,
    /// What became of it.
    pub state: DayMark,
    /// "Sunday 22 November: done", for screen readers.
    pub label: String,
    /// Whether it is today.
    pub today: bool,
}

/// One program on Today.
#[derive(Debug, Clone, Serialize)]
pub struct ProgramCard {
    /// The program's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// About how long a session takes.
    pub minutes: u32,
    /// "Week 5 of 6" while it runs.
    pub week: Option<String>,
    /// "open", "again", "done", "rest", "paused", "stopped", "upcoming" or "finished".
    pub state: &'static str,
    /// Sessions logged for today.
    pub done: usize,
    /// Sessions due today.
    pub of: usize,
    /// The next day with a session; for an upcoming program its first day.
    pub next: Option<String>,
    /// The last paused day, or the last day of a finished program.
    pub until: Option<String>,
    /// Why it is paused, in the clinic's words.
    pub reason: Option<String>,
    /// The address of today's last log, to look at or correct.
    pub log: Option<String>,
    /// Days of the last week with a session that was not logged, newest first.
    pub late: Vec<LateDay>,
    /// The exercises of today (or of the first day to come).
    pub exercises: Vec<TodayExercise>,
}

/// A day that can still be logged.
#[derive(Debug, Clone, Serialize)]
pub struct LateDay {
    /// "Log yesterday".
    pub label: String,
    /// The form for that day.
    pub href: String,
}

/// One exercise of the list.
#[derive(Debug, Clone, Serialize)]
pub struct TodayExercise {
    /// Its name.
    pub name: String,
    /// "Hold 15–30 s · 3 times".
    pub dose: String,
    /// "open", "done", "part" or "skipped" today.
    pub state: &'static str,
    /// The same in words, for screen readers.
    pub said: String,
    /// Its start.
    pub figure_svg: Svg,
}

impl TodayExercise {
    /// One row; `figure` names one of our drawings.
    pub fn new(name: String, dose: String, state: &'static str, said: String, figure: Option<&str>) -> Self {
        Self { name, dose, state, said, figure_svg: picture(figure, Pose::Start) }
    }
}

/// What was just saved.
#[derive(Debug, Clone, Serialize)]
pub struct Saved {
    /// "Saturday 21 November" when it was for an earlier day.
    pub day: Option<String>,
    /// Exercises of which something was done.
    pub done: usize,
    /// Exercises prescribed.
    pub of: usize,
    /// Whether a note was written.
    pub note: bool,
    /// Until when it can be corrected; `None` where this browser may not (a one-tap link).
    pub until: Option<String>,
    /// The log's address.
    pub href: String,
}

impl Page for Today {
    const TEMPLATE: &'static str = "pages/patient/today.html";

    fn samples() -> Vec<Self> {
        let day = |number: i8, letter: &str, state: DayMark, word: &str| DayTile {
            letter: letter.into(),
            number,
            state,
            label: format!("{number} November: {word}"),
            today: number == 22,
        };
        let exercise = |name: &str, dose: &str, state: &'static str, figure: &str| {
            TodayExercise::new(name.into(), dose.into(), state, format!("({state})"), Some(figure))
        };
        let card = ProgramCard {
            id: "01936f00-0000-7000-8000-0000000000aa".into(),
            name: "Upper back relief".into(),
            minutes: 12,
            week: Some("Week 5 of 6".into()),
            state: "open",
            done: 0,
            of: 1,
            next: None,
            until: None,
            reason: None,
            log: None,
            late: Vec::new(),
            exercises: vec![
                exercise("Seated thoracic extension stretch", "Hold 15–30 s · 3 times", "open", "seated-thoracic-extension"),
                exercise("Scapular retraction", "Hold 5 s · 10–15 times", "open", "scapular-retraction"),
                exercise("Cat–cow stretch", "10–15 breaths", "open", "cat-cow"),
                exercise("Wall angels", "10–12 times", "open", "wall-angels"),
                exercise("Child’s pose with side stretch", "Hold 20 s each side · 2–3 times", "open", "childs-pose-side-stretch"),
            ],
        };
        let open = Self {
            date: "Sunday 22 November".into(),
            greeting: "Good morning, Wei Ling".into(),
            week: vec![
                day(16, "M", DayMark::Done, "done"),
                day(17, "T", DayMark::Part, "part done"),
                day(18, "W", DayMark::Missed, "missed"),
                day(19, "T", DayMark::Rest, "rest day"),
                day(20, "F", DayMark::Paused, "paused"),
                day(21, "S", DayMark::Outside, "outside the program"),
                day(22, "S", DayMark::Open, "not done yet"),
            ],
            programs: vec![card.clone()],
            none_text: "Hannah has not given you a program yet.".into(),
            therapist: Some("Hannah".into()),
            saved: None,
            answers: Vec::new(),
            answers_more: None,
            questions: None,
            stopped: false,
            signs: Vec::new(),
            ask_consent: false,
        };
        let with = |change: &dyn Fn(&mut ProgramCard)| {
            let mut page = open.clone();
            page.programs.iter_mut().for_each(change);
            page
        };
        let saved = |day: Option<&str>, done: usize, note: bool, until: Option<&str>| {
            let mut page = with(&|card| {
                card.state = "done";
                card.done = 1;
                card.next = Some("Monday 23 November".into());
                card.log = Some("/logs/01936f00-0000-7000-8000-000000000001".into());
                for (at, exercise) in card.exercises.iter_mut().enumerate() {
                    exercise.state = ["done", "done", "part", "skipped", "open"][at % 5];
                }
            });
            page.saved = Some(Saved {
                day: day.map(str::to_owned),
                done,
                of: 5,
                note,
                until: until.map(str::to_owned),
                href: "/logs/01936f00-0000-7000-8000-000000000001".into(),
            });
            page
        };
        vec![
            open.clone(),
            Self { week: Vec::new(), programs: Vec::new(), ..open.clone() },
            Self { therapist: None, ..saved(None, 3, true, None) },
            saved(Some("Saturday 21 November"), 5, false, Some("Sunday 29 November")),
            saved(None, 0, true, Some("Sunday 29 November")),
            with(&|card| {
                card.of = 2;
                card.late = vec![
                    LateDay { label: "Log yesterday".into(), href: "/session/x?date=2026-11-21".into() },
                    LateDay { label: "Log Wednesday 18 November".into(), href: "/session/x?date=2026-11-18".into() },
                ];
            }),
            with(&|card| (card.state, card.done, card.of) = ("again", 1, 2)),
            with(&|card| (card.state, card.done, card.next) = ("done", 1, None)),
            with(&|card| (card.state, card.of, card.next) = ("rest", 0, Some("Monday 23 November".into()))),
            with(&|card| (card.state, card.of) = ("rest", 0)),
            with(&|card| {
                (card.state, card.until, card.reason) = ("paused", Some("Friday 27 November".into()), Some("Travelling".into()))
            }),
            with(&|card| card.state = "paused"),
            Self { ask_consent: true, ..with(&|_| {}) },
            Self { questions: Some(QuestionCard { href: "/questions/0199".into(), done: None }), ..open.clone() },
            Self {
                questions: Some(QuestionCard {
                    href: "/answers/0199".into(),
                    done: Some("You told us on Monday 16 November how things are.".into()),
                }),
                ..open.clone()
            },
            Self { answers: vec![AnswerCard::sample()], ..open.clone() },
            Self {
                answers: vec![AnswerCard {
                    note: None,
                    about: "You told us about a stop sign on Wednesday 18 November.".into(),
                    ..AnswerCard::sample()
                }],
                answers_more: Some("2 more answers are in Progress.".into()),
                ..open.clone()
            },
            Self { stopped: true, signs: vec!["Unsteady when walking".into()], ..with(&|card| card.state = "stopped") },
            with(&|card| (card.state, card.next, card.week) = ("upcoming", Some("Monday 23 November".into()), None)),
            with(&|card| (card.state, card.until, card.week) = ("finished", Some("Saturday 21 November".into()), None)),
        ]
    }
}
