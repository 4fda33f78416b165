//! How things are, in the patient's own words: the Patient-Specific Functional
//! Scale (activities that are hard, each scored 0–10) and the Global Rating of
//! Change (−5 to +5), asked now and then on the phone.
//!
//! A score that was not given is `None` and never 0; 0 is a real answer, the
//! lowest ability or "about the same". When they are asked is in `schedule`,
//! what a change means in `change`.
//!
//! The activities' scale is the original one (Stratford 1995): 0 is unable, 10
//! is as well as before the problem. The version called 2.0 turns it round, so
//! every answer says which edition it was given on.

mod change;
mod schedule;

pub use change::{
    AbilityChange, AbilityThresholds, GROC_MIC, GROC_SOURCE, Mean, ability_change, ability_thresholds, rating_reading, read_ability,
};
pub use schedule::{Asking, CLOSING_DAYS, Every, Round, RoundKind, due, rounds};

use crate::ids::{ActivityId, AnswerId, PatientId, ProgramId};
use crate::tags::tagged;
use crate::text::is_blank;
use jiff::{Timestamp, ToSpan, civil::Date};

/// The most activities in one program. The scale asks for 3; up to 5 are taken.
pub const MAX_ACTIVITIES: usize = 5;
/// How many activities the page asks for.
pub const ASKED_ACTIVITIES: usize = 3;
/// The longest name of an activity, in characters.
pub const MAX_ACTIVITY_CHARS: usize = 80;
/// For how many days an answer can be corrected.
pub const CORRECTION_DAYS: i32 = 7;

tagged! {
    /// A questionnaire, in one edition of its scale.
    "questionnaire"
    pub enum Edition {
        /// Patient-Specific Functional Scale as published in 1995: 0 unable, 10 as before the problem.
        Psfs1995 = "psfs-1995",
        /// Global Rating of Change with 11 points, −5 to +5 (Kamper 2009).
        Groc11 = "groc-11",
    }
}

/// Why an answer, or a part of one, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AnswerError {
    /// A score outside 0–10.
    #[error("An activity is scored from 0 to 10.")]
    Ability,
    /// A rating outside −5..=5.
    #[error("The change is rated from −5 to +5.")]
    Rating,
    /// No name.
    #[error("Say which activity this is.")]
    NameMissing,
    /// A name above 80 characters.
    #[error("The name of the activity is too long: 80 characters at most.")]
    NameTooLong,
    /// Two activities of the same name.
    #[error("This activity is there already.")]
    NamedTwice,
    /// More than 5 activities.
    #[error("5 activities at most.")]
    TooMany,
    /// Nothing was answered.
    #[error("Nothing was answered yet.")]
    Empty,
    /// Not asked on that day.
    #[error("There is nothing to answer at present.")]
    NotAsked,
    /// A correction more than 7 days after the answer.
    #[error("An answer can be corrected for 7 days, and those have passed.")]
    TooLate,
}

/// How well an activity goes, as the patient says: 0 unable to do it, 10 as
/// well as before the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ability(u8);

impl Ability {
    /// A score from 0 to 10.
    ///
    /// # Errors
    /// [`AnswerError::Ability`] for anything else.
    pub fn new(score: i64) -> Result<Self, AnswerError> {
        match u8::try_from(score) {
            Ok(score) if score <= 10 => Ok(Self(score)),
            _ => Err(AnswerError::Ability),
        }
    }

    /// The number, 0–10.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// How things are compared with the beginning, as the patient says: −5 very
/// much worse, 0 about the same, 5 completely recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rating(i8);

impl Rating {
    /// A rating from −5 to 5.
    ///
    /// # Errors
    /// [`AnswerError::Rating`] for anything else.
    pub fn new(rating: i64) -> Result<Self, AnswerError> {
        match i8::try_from(rating) {
            Ok(rating) if (-5..=5).contains(&rating) => Ok(Self(rating)),
            _ => Err(AnswerError::Rating),
        }
    }

    /// The number, −5 to 5.
    pub const fn get(self) -> i8 {
        self.0
    }
}

/// What an activity is called: 1–80 characters on one line, as the patient wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActivityName(String);

impl ActivityName {
    /// Reads what was typed; blanks around it go, and any run of blanks or
    /// line breaks inside becomes one blank.
    ///
    /// # Errors
    /// [`AnswerError::NameMissing`], [`AnswerError::NameTooLong`].
    pub fn parse(typed: &str) -> Result<Self, AnswerError> {
        let name = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        match name.chars().count() {
            _ if is_blank(&name) => Err(AnswerError::NameMissing),
            n if n > MAX_ACTIVITY_CHARS => Err(AnswerError::NameTooLong),
            _ => Ok(Self(name)),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same activity to a reader.
    pub fn same(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

/// An activity that is hard because of the problem. Once named it is never
/// renamed, so that its scores stay scores of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Its id: scores refer to it.
    pub id: ActivityId,
    /// What it is called.
    pub name: ActivityName,
}

/// An activity as it was scored in one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scored {
    /// Which activity.
    pub activity: Activity,
    /// How well it goes; `None` when it was asked and not given.
    pub score: Option<Ability>,
}

/// What a patient answered on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its id, made by the device that answers: sending twice is one answer.
    pub id: AnswerId,
    /// Whose it is.
    pub patient: PatientId,
    /// The program it was asked in.
    pub program: ProgramId,
    /// The patient's civil date.
    pub date: Date,
    /// When it came in.
    pub received_at: Timestamp,
    /// When it was corrected last.
    pub corrected_at: Option<Timestamp>,
    /// The activities that were asked, in the order they were named.
    pub activities: Vec<Scored>,
    /// The change since the program began; `None` when it was not asked or not given.
    pub rating: Option<Rating>,
}

impl Answer {
    /// The edition of the scale that activities are scored on.
    pub const ABILITY: Edition = Edition::Psfs1995;
    /// The edition of the scale that change is rated on.
    pub const RATING: Edition = Edition::Groc11;

    /// Whether it can be kept: something was answered, at most
    /// [`MAX_ACTIVITIES`] activities, no two of one name.
    ///
    /// # Errors
    /// [`AnswerError::Empty`], [`AnswerError::TooMany`], [`AnswerError::NamedTwice`].
    pub fn check(&self) -> Result<(), AnswerError> {
        if self.rating.is_none() && self.activities.iter().all(|scored| scored.score.is_none()) {
            return Err(AnswerError::Empty);
        }
        if self.activities.len() > MAX_ACTIVITIES {
            return Err(AnswerError::TooMany);
        }
        let twice = |(at, scored): (usize, &Scored)| {
            self.activities[..at].iter().any(|earlier| earlier.activity.name.same(&scored.activity.name))
        };
        if self.activities.iter().enumerate().any(twice) { Err(AnswerError::NamedTwice) } else { Ok(()) }
    }

    /// The last day on which it can be corrected, given the patient's civil date on which it came in.
    pub fn correctable_until(received_on: Date) -> Date {
        received_on.saturating_add(CORRECTION_DAYS.days())
    }

    /// The mean of the scores that were given, and how many they are; `None` without any.
    pub fn mean(&self) -> Option<Mean> {
        change::mean(self, |_| true)
    }
}
