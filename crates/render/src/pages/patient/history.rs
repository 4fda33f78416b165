//! What was logged: the list with its figures, and one log.

use jiff::{ToSpan, civil::date};
use serde::Serialize;

use super::{Answered, DayTile, LogForm};
use crate::{
    Page,
    charts::{self, ChartDay, DayByDay, DayMark, Weeks},
    forms::Choice,
    words::Language,
};

/// `/progress`.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// "23 of 26 sessions"; `None` before the first was due.
    pub count: Option<String>,
    /// Since when that was counted; `None` where it is all there is.
    pub since: Option<String>,
    /// A warm line about it.
    pub warm: String,
    /// "M" … "S", above the tiles.
    pub letters: Vec<String>,
    /// The last weeks, each from Monday to Sunday, oldest first; empty when there is no program.
    pub weeks: Vec<Vec<DayTile>>,
    /// What the signs mean: a state and its word.
    pub key: Vec<Choice>,
    /// Pain before and after, day by day; `None` while no score was given.
    pub chart: Option<DayByDay>,
    /// What it says, in a sentence.
    pub pain: Option<String>,
    /// Newest first.
    pub logs: Vec<LogLine>,
    /// Set when older pages are shown.
    pub older_than: Option<String>,
    /// The address of older ones.
    pub next: Option<String>,
}

/// One log in the list.
#[derive(Debug, Clone, Serialize)]
pub struct LogLine {
    /// The log's id.
    pub id: String,
    /// "Saturday 21 November".
    pub day: String,
    /// Done, part or (nothing done) missed.
    pub state: DayMark,
    /// The same in words.
    pub said: String,
    /// The program's name.
    pub program: String,
    /// "Pain 3 before, 2 after · Easy · with a note"; "" when nothing was given.
    pub facts: String,
    /// The note, where it was answered.
    pub note: Option<String>,
    /// What the clinic answered, oldest first.
    pub answers: Vec<Answered>,
}

impl Page for Progress {
    const TEMPLATE: &'static str = "pages/patient/progress.html";

    fn samples() -> Vec<Self> {
        let marks = [DayMark::Done, DayMark::Part, DayMark::Missed, DayMark::Rest, DayMark::Paused, DayMark::Done, DayMark::Open];
        let start = date(2026, 11, 16);
        let weeks = vec![
            marks
                .iter()
                .zip(16i8..)
                .map(|(mark, number)| DayTile {
                    letter: "M".into(),
                    number,
                    state: *mark,
                    label: format!("{number} November: {}", mark.word(Language::En)),
                    today: number == 22,
                })
                .collect(),
        ];
        let days: Vec<ChartDay> = marks
            .iter()
            .zip(0i64..)
            .map(|(mark, at)| ChartDay {
                date: start.checked_add(at.days()).unwrap_or(start),
                mark: *mark,
                completion: 0.6,
                before: (at % 2 == 0).then_some(5.0),
                after: (at % 2 == 0).then_some(4.0 - at as f64 / 3.0),
            })
            .collect();
        let full = Self {
            count: Some("23 of 26 sessions".into()),
            since: Some("in this program, since 19 October 2026".into()),
            warm: "You have kept this up well.".into(),
            letters: ["M", "T", "W", "T", "F", "S", "S"].map(String::from).into(),
            weeks,
            key: vec![Choice::new("done", "done"), Choice::new("missed", "missed")],
            chart: Some(charts::day_by_day(Language::En, &days, &[], Weeks::Dates)),
            pain: Some("On average 5.4 at first, 2 in the last days.".into()),
            logs: vec![
                LogLine {
                    id: "01936f00-0000-7000-8000-000000000001".into(),
                    day: "Saturday 21 November".into(),
                    state: DayMark::Done,
                    said: "done".into(),
                    program: "Upper back relief".into(),
                    facts: "Pain 3 before, 2 after · Easy · with a note".into(),
                    note: Some("Is it right that it pulls between the shoulder blades?".into()),
                    answers: vec![Answered::sample()],
                },
                LogLine {
                    id: "01936f00-0000-7000-8000-000000000002".into(),
                    day: "Friday 20 November".into(),
                    state: DayMark::Part,
                    said: "part done".into(),
                    program: "Upper back relief".into(),
                    facts: String::new(),
                    note: None,
                    answers: Vec::new(),
                },
            ],
            older_than: None,
            next: Some("/progress?before=x".into()),
        };
        let empty = Self {
            count: None,
            since: None,
            weeks: Vec::new(),
            chart: None,
            pain: None,
            logs: Vec::new(),
            next: None,
            ..full.clone()
        };
        vec![
            full.clone(),
            empty,
            Self { older_than: Some("x".into()), next: None, ..full.clone() },
            Self { chart: None, pain: None, ..full.clone() },
            Self { pain: None, key: Vec::new(), ..full },
        ]
    }
}

/// `/logs/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct Log {
    /// "Saturday 21 November".
    pub day: String,
    /// The program's name.
    pub program: String,
    /// "Logged Saturday 21 November at 08:12".
    pub logged: String,
    /// When it was corrected last, if it was.
    pub corrected: Option<String>,
    /// Until when it can be corrected; `None` when that is over.
    pub until: Option<String>,
    /// Why the correction was not saved.
    pub problem: Option<String>,
    /// The form, filled in with the log.
    pub form: LogForm,
    /// The exercises in words, for a log that can no longer be corrected.
    pub entries: Vec<Fact>,
    /// Pain and effort in words, likewise.
    pub scores: Vec<Fact>,
    /// The note, likewise.
    pub note: Option<String>,
    /// What the clinic answered, oldest first.
    pub answers: Vec<Answered>,
}

/// A name and what was said of it.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// "Wall angels".
    pub name: String,
    /// "Skipped: no time".
    pub text: String,
}

impl Page for Log {
    const TEMPLATE: &'static str = "pages/patient/log.html";

    fn samples() -> Vec<Self> {
        let fact = |name: &str, text: &str| Fact { name: name.into(), text: text.into() };
        let open = Self {
            day: "Saturday 21 November".into(),
            program: "Upper back relief".into(),
            logged: "Logged Saturday 21 November at 08:12".into(),
            corrected: None,
            until: Some("Saturday 28 November".into()),
            problem: None,
            form: LogForm::sample(),
            entries: Vec::new(),
            scores: Vec::new(),
            note: None,
            answers: Vec::new(),
        };
        let over = Self {
            until: None,
            entries: vec![fact("Wall angels", "Skipped: no time"), fact("Cat–cow stretch", "Done as prescribed")],
            scores: vec![fact("Pain after", "2 of 10")],
            note: Some("Better today.".into()),
            ..open.clone()
        };
        let mut clinic = over.clone();
        clinic.form.therapist = None;
        vec![
            open.clone(),
            Self { corrected: Some("Sunday 22 November".into()), ..open.clone() },
            Self { problem: Some("Nothing was saved yet.".into()), ..open.clone() },
            Self { answers: vec![Answered::sample()], ..open },
            over.clone(),
            Self { note: None, entries: Vec::new(), ..over },
            clinic,
        ]
    }
}
