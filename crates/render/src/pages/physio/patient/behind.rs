//! The rows behind the figures of a report: what somebody looks at who has to defend one.

use serde::Serialize;

use crate::charts::DayMark;

/// The rows of a period.
#[derive(Debug, Clone, Serialize)]
pub struct Behind {
    /// One for each day of a program, newest first.
    pub days: Vec<DayRow>,
    /// What they add up to.
    pub total: Total,
    /// The days on which fewer sessions were done than were due, newest first.
    pub missed: Vec<Linked>,
    /// How many more of them there are.
    pub missed_more: usize,
    /// The scores of the first and of the last days with one; empty without a score.
    pub windows: Vec<Scores>,
    /// The months of the period, each as a calendar, oldest first: the last ones, then those before them.
    pub months: Vec<Month>,
    /// Months before those.
    pub earlier: Vec<Month>,
    /// What the signs of the calendar mean.
    pub key: Vec<Sign>,
}

/// A day, with what it adds to each figure.
#[derive(Debug, Clone, Serialize)]
pub struct DayRow {
    /// "2026-11-18", part of the row's id.
    pub day: String,
    /// "Wed 18 Nov".
    pub date: String,
    /// What became of it.
    pub state: DayMark,
    /// The same in a word.
    pub word: String,
    /// Sessions that were due and are over, or logged already; empty on a day on which none were.
    pub due: String,
    /// Sessions that count.
    pub counted: String,
    /// How much of them was done, "80%".
    pub done: String,
    /// Pain before → after, session by session.
    pub pain: String,
    /// Effort, session by session.
    pub effort: String,
    /// "a third session was logged and does not count".
    pub note: Option<String>,
    /// Whether it is today.
    pub today: bool,
}

/// What the days add up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Sessions due.
    pub due: String,
    /// Sessions counted, with the share: "24 · 96%".
    pub counted: String,
    /// "22.1 · 88%".
    pub done: String,
    /// The mean effort and how many it is of.
    pub effort: String,
}

/// A link to a row of this page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Linked {
    /// "Sat 7 Nov".
    pub label: String,
    /// "#day-2026-11-07".
    pub href: String,
}

/// The scores that a mean rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scores {
    /// "First 7 days with a score".
    pub title: String,
    /// "Wed 18 Nov" and "3, 4".
    pub rows: Vec<(String, String)>,
    /// "35 in 7 scores: mean 5.0".
    pub sum: String,
}

/// A calendar month.
#[derive(Debug, Clone, Serialize)]
pub struct Month {
    /// "November 2026".
    pub title: String,
    /// Weeks from Monday to Sunday; `None` before the first and after the last day of the month.
    pub weeks: Vec<Vec<Option<Cell>>>,
}

/// A day of the calendar.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// 18.
    pub number: i8,
    /// What became of it; [`DayMark::Outside`] outside the period and the programs.
    pub state: DayMark,
    /// A letter for it, beside the sign: D, P, M, R, H, O.
    pub letter: &'static str,
    /// "done", "before the program".
    pub word: String,
    /// The day's row; `None` where there is none.
    pub href: Option<String>,
    /// Whether it is today.
    pub today: bool,
}

/// A sign, its letter and its word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// Which.
    pub state: DayMark,
    /// Its letter.
    pub letter: &'static str,
    /// Its word.
    pub word: String,
}

/// The letter of a state in the calendar; nothing outside a program.
pub fn letter(mark: DayMark) -> &'static str {
    match mark {
        DayMark::Done => "D",
        DayMark::Part => "P",
        DayMark::Missed => "M",
        DayMark::Rest => "R",
        DayMark::Paused => "H",
        DayMark::Open => "O",
        DayMark::Outside => "",
    }
}
