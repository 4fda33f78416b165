//! What patients see: Today, the session and its log, progress, reminders.
//!
//! To add a question to the log form: a field in [`LogForm`], its place in `components/session_form.html`, its name in
//! `web::patient::answers`.

mod answers;
mod form;
mod handout;
mod history;
mod privacy;
mod questions;
mod reminders;
mod today;

pub use answers::{AnswerCard, Answered};
pub use form::{EFFORTS, ExerciseView, LogForm, Session, Sign};
pub use handout::Handout;
pub use history::{Fact, Log, LogLine, Progress};
pub use privacy::{Agreement, Close, Consent, Offer, Opened, OpenedDay, OpenedLine};
pub use questions::{KnownActivity, NewActivity, QuestionCard, Questions, signed};
pub use reminders::{DayChoice, PreviewDay, Reminders};
pub use today::{DayTile, LateDay, ProgramCard, Saved, Today, TodayExercise};

use domain::adherence::Day;
use jiff::civil::Date;

use crate::{
    Svg,
    charts::DayMark,
    figures::{self, Pose},
    formats,
    words::{Language, say},
};

/// The drawing for an exercise, or the calm placeholder. The words beside it tell the same, so screen readers pass over it.
pub fn picture(figure: Option<&str>, pose: Pose) -> Svg {
    figure.and_then(|key| figures::svg_titled(key, pose, "")).unwrap_or_else(figures::placeholder)
}

/// The tile of one day of an adherence.
pub fn day_tile(language: Language, day: &Day, today: Date) -> DayTile {
    let mark = DayMark::from(day.state);
    let args = [("date", formats::day_long(language, day.date).into()), ("state", mark.word(language).into())];
    DayTile {
        letter: formats::weekday_letter(language, day.date.weekday()),
        number: day.date.day(),
        state: mark,
        label: say(language, if day.date == today { "today-day-today" } else { "today-day" }, &args),
        today: day.date == today,
    }
}
