//! Charts as SVG drawn here, on the server: no script, no inline style, every colour a class in
//! `components.css`. Each says in words what it shows (`role="img"` with a label), and no state is told by
//! colour alone: height, outline or dashes say it too.

mod day_by_day;
mod sparkline;
mod strip;
mod weeks;

use domain::adherence::DayState;
use serde::Serialize;

pub use day_by_day::{Change, ChartDay, DayByDay, DayRow, Weeks, day_by_day};
pub use sparkline::sparkline;
pub use strip::{legend, strip};
pub use weeks::{ByWeek, WeekRow, by_week};

use crate::words::{Language, say};

/// What became of one day of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DayMark {
    /// Every session of the day was done in full.
    Done,
    /// Something was done, not all.
    Part,
    /// Sessions were due, the day is over, nothing was logged.
    Missed,
    /// No session was due on this weekday.
    Rest,
    /// The program was paused.
    Paused,
    /// Before the program began or after it ended.
    Outside,
    /// Today, with a session still to do.
    Open,
}

impl From<DayState> for DayMark {
    fn from(state: DayState) -> Self {
        match state {
            DayState::Outside => Self::Outside,
            DayState::Rest => Self::Rest,
            DayState::Paused => Self::Paused,
            DayState::Done => Self::Done,
            DayState::Part => Self::Part,
            DayState::Missed => Self::Missed,
            DayState::Open => Self::Open,
        }
    }
}

impl DayMark {
    /// The word for it, as people read it.
    pub fn word(self, language: Language) -> String {
        let key = match self {
            Self::Done => "day-done",
            Self::Part => "day-part",
            Self::Missed => "day-missed",
            Self::Rest => "day-rest",
            Self::Paused => "day-paused",
            Self::Outside => "day-outside",
            Self::Open => "day-open",
        };
        say(language, key, &[])
    }
}

/// "20 done, 2 part, 3 missed, 3 rest days": what a chart of days says aloud. Empty when nothing was due.
fn counts(language: Language, days: impl Iterator<Item = DayMark> + Clone) -> String {
    let parts = [
        (DayMark::Done, "count-done"),
        (DayMark::Part, "count-part"),
        (DayMark::Missed, "count-missed"),
        (DayMark::Open, "count-open"),
        (DayMark::Paused, "count-paused"),
        (DayMark::Rest, "count-rest"),
    ];
    let said: Vec<String> = parts
        .into_iter()
        .filter_map(|(mark, key)| {
            let n = days.clone().filter(|day| *day == mark).count();
            (n > 0).then(|| say(language, key, &[("n", n.into())]))
        })
        .collect();
    said.join(", ")
}

/// A coordinate with at most one decimal, without a trailing zero.
fn at(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded.fract() == 0.0 { format!("{rounded:.0}") } else { format!("{rounded:.1}") }
}
