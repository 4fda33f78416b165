//! When a patient is asked how things are: worked out from the program and the
//! clock, like slots; nothing is stored until something is answered.

use crate::program::{Program, ProgramStatus};
use crate::tags::tagged;
use jiff::{ToSpan, civil::Date};

/// The last round opens so many days before the program is over, its last day
/// counted: a finished program asks nothing any more.
pub const CLOSING_DAYS: i32 = 7;

tagged! {
    /// How often, between the first time and the last.
    "interval"
    pub enum Every {
        /// Every 2 weeks
        TwoWeeks = "2",
        /// Every 4 weeks
        FourWeeks = "4",
        /// Every 6 weeks
        SixWeeks = "6",
    }
}

impl Every {
    /// What is chosen unless somebody says otherwise.
    pub const USUAL: Every = Every::FourWeeks;

    /// The number of weeks.
    pub const fn weeks(self) -> u8 {
        match self {
            Every::TwoWeeks => 2,
            Every::FourWeeks => 4,
            Every::SixWeeks => 6,
        }
    }

    /// The interval of so many weeks.
    pub fn of_weeks(weeks: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|every| i64::from(every.weeks()) == weeks)
    }
}

/// The physiotherapist's choice for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// How often.
    pub every: Every,
    /// The day it was switched on, the patient's civil date.
    pub since: Date,
}

/// Which of the times it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoundKind {
    /// The first: how things are to begin with. Change is not asked.
    First,
    /// One in between.
    Later,
    /// The one before the program is over.
    Closing,
}

/// A time at which the patient is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Which of the times it is.
    pub kind: RoundKind,
    /// The first day on which it can be answered.
    pub from: Date,
    /// The last day: the one before the next round, or the program's last.
    pub until: Date,
}

impl Round {
    /// Whether it can be answered on a date.
    pub fn contains(&self, date: Date) -> bool {
        (self.from..=self.until).contains(&date)
    }

    /// Whether change is asked too: there is something to compare with only after the first time.
    pub fn asks_change(&self) -> bool {
        self.kind != RoundKind::First
    }
}

/// Every round of a program, in order: one at the start, one every so many
/// weeks, one in its last week. They follow each other without gaps from the
/// first day to the last; none of them is shorter than a week, unless the
/// program is.
pub fn rounds(program: &Program, asking: Asking) -> Vec<Round> {
    let (start, last) = (program.start.max(asking.since), program.last_day());
    if start > last {
        return Vec::new();
    }
    let week = |date: Date| date.saturating_add(7.days());
    let mut opens = vec![(RoundKind::First, start)];
    let closing = last.saturating_sub((CLOSING_DAYS - 1).days());
    if closing >= week(start) {
        let step = (i32::from(asking.every.weeks()) * 7).days();
        let mut next = start.saturating_add(step);
        while week(next) <= closing {
            opens.push((RoundKind::Later, next));
            next = next.saturating_add(step);
        }
        opens.push((RoundKind::Closing, closing));
    }
    let ends = opens.iter().skip(1).map(|(_, from)| from.yesterday().unwrap_or(*from)).chain([last]);
    opens.iter().zip(ends).map(|((kind, from), until)| Round { kind: *kind, from: *from, until }).collect()
}

/// What a patient is asked today: the round of today, unless one of the dates
/// on which the program's questions were answered lies in it. A program that
/// is paused, finished or still to come asks nothing.
pub fn due(program: &Program, asking: Asking, answered: &[Date], today: Date) -> Option<Round> {
    if program.status(today) != ProgramStatus::Active {
        return None;
    }
    let round = rounds(program, asking).into_iter().find(|round| round.contains(today))?;
    (!answered.iter().any(|date| round.contains(*date))).then_some(round)
}
