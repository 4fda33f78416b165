//! What a patient did: per prescription done or skipped and why, pain, effort,
//! a note. What was not given is absent, never 0.

use crate::ids::{LogId, PrescriptionId, ProgramId};
use crate::program::{Prescription, Program, Version, days_between};
use crate::tags::tagged;
use crate::text::is_blank;
use jiff::Timestamp;
use jiff::civil::Date;

/// How many days back a patient may log, and for how many days a log may be
/// corrected.
pub const LOG_BACK_DAYS: i32 = 7;
/// The longest note, in characters.
pub const MAX_NOTE_CHARS: usize = 2000;
/// A logged dose may be this many times the prescribed maximum, no more.
pub const MAX_TIMES_PRESCRIBED: u64 = 3;

/// A number that is no score of its scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// Pain outside 0–10.
    #[error("Pain is scored from 0 (none) to 10 (worst). Leave it out if you would rather not say.")]
    Pain,
    /// Effort outside 0–10.
    #[error("Effort is scored from 0 (none) to 10 (extremely strong).")]
    Effort,
}

/// A pain score given by the patient: NPRS, 0–10. Absent scores are `None`,
/// never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PainScore(u8);

impl PainScore {
    /// A score from 0 (none) to 10 (worst).
    pub fn new(score: i64) -> Result<Self, ScoreError> {
        match u8::try_from(score) {
            Ok(score) if score <= 10 => Ok(Self(score)),
            _ => Err(ScoreError::Pain),
        }
    }

    /// The number, 0–10.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// How hard it was: Borg CR10 in whole numbers, 0–10. The page offers five
/// buttons, each of which is one value of the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Effort(u8);

impl Effort {
    /// "Very easy": 1, very weak.
    pub const VERY_EASY: Effort = Effort(1);
    /// "Easy": 2, weak.
    pub const EASY: Effort = Effort(2);
    /// "OK": 3, moderate.
    pub const OK: Effort = Effort(3);
    /// "Hard": 5, strong.
    pub const HARD: Effort = Effort(5);
    /// "Very hard": 7, very strong.
    pub const VERY_HARD: Effort = Effort(7);
    /// The five buttons, easiest first.
    pub const BUTTONS: [Effort; 5] = [Effort::VERY_EASY, Effort::EASY, Effort::OK, Effort::HARD, Effort::VERY_HARD];

    /// A value of the scale, 0–10.
    pub fn new(value: i64) -> Result<Self, ScoreError> {
        match u8::try_from(value) {
            Ok(value) if value <= 10 => Ok(Self(value)),
            _ => Err(ScoreError::Effort),
        }
    }

    /// The value, 0–10.
    pub const fn get(self) -> u8 {
        self.0
    }
}

tagged! {
    /// Why an exercise was not done.
    "reason for skipping"
    pub enum SkipReason {
        /// It hurt.
        Pain = "pain",
        /// No time.
        NoTime = "no_time",
        /// Not sure how to do it.
        NotSureHow = "not_sure_how",
        /// The equipment is missing.
        NoEquipment = "no_equipment",
        /// Something else.
        Other = "other",
    }
}

tagged! {
    /// Signs to stop for, as the patient ticks them. They are put to a human;
    /// nothing here scores them or names a diagnosis.
    "stop sign"
    pub enum RedFlag {
        /// Numbness or weakness in a limb.
        NumbnessOrWeakness = "numbness_or_weakness",
        /// Unsteady walking.
        UnsteadyWalking = "unsteady_walking",
        /// Loss of bladder or bowel control.
        BladderOrBowel = "bladder_or_bowel",
        /// Fever or unexplained weight loss.
        FeverOrWeightLoss = "fever_or_weight_loss",
        /// Chest pain or breathlessness.
        ChestPainOrBreathlessness = "chest_pain_or_breathlessness",
        /// A recent fall or blow.
        FallOrBlow = "fall_or_blow",
    }
}

/// What became of one exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done, wholly or in part.
    Did {
        /// Sets done.
        sets: u16,
        /// Repetitions (or breaths) in each set; per side if each side.
        reps: u16,
        /// Seconds held, if recorded.
        hold: Option<u16>,
    },
    /// Not done, and why.
    Skipped(SkipReason),
}

/// One exercise of a session log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Which prescription of the version in effect on the log's date.
    pub prescription: PrescriptionId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What the patient did in one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLog {
    /// Made by the device: the same id twice is one log.
    pub id: LogId,
    /// The program it belongs to.
    pub program: ProgramId,
    /// The patient's civil date it counts for.
    pub date: Date,
    /// When it was performed.
    pub performed_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Per prescription; a prescription without an entry was not done.
    pub entries: Vec<Entry>,
    /// Pain before, if given.
    pub pain_before: Option<PainScore>,
    /// Pain after, if given.
    pub pain_after: Option<PainScore>,
    /// Effort, if given.
    pub effort: Option<Effort>,
    /// In the patient's words.
    pub note: Option<String>,
    /// The stop signs the patient ticked.
    pub red_flags: Vec<RedFlag>,
}

/// Why a log is not taken, as the patient reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// For another program.
    #[error("This log belongs to another program.")]
    OtherProgram,
    /// A date after today.
    #[error("That day has not come yet. You can log today and the 7 days before.")]
    Future,
    /// More than 7 days back.
    #[error("That day is too long ago. You can log today and the 7 days before.")]
    TooLongAgo,
    /// Another day than today, where only today's session is open.
    #[error("The link in a reminder opens today’s session only. Sign in to log another day.")]
    NotToday,
    /// Before the start or after the end.
    #[error("Your program does not include that day.")]
    OutsideProgram,
    /// An entry for an exercise that was not prescribed on that date.
    #[error("One of these exercises is not part of your program on that day. Please open the session again.")]
    UnknownExercise,
    /// Two entries for the same exercise.
    #[error("One of these exercises is logged twice.")]
    ExerciseTwice,
    /// Above three times the prescribed maximum.
    #[error("That is more than three times what was prescribed. Please check the numbers.")]
    TooMuch,
    /// Nothing at all was filled in.
    #[error("There is nothing to save yet. Mark at least one exercise as done or skipped.")]
    Empty,
    /// A note above 2,000 characters.
    #[error("The note is too long: 2,000 characters at most.")]
    NoteTooLong,
    /// A correction more than 7 days after the log.
    #[error("A log can be corrected for 7 days, and those have passed. Please tell your physiotherapist.")]
    CorrectedTooLate,
    /// A correction that moves the log to another day or program.
    #[error("A correction stays on the day it was logged for.")]
    CorrectsAnotherDay,
}

impl SessionLog {
    /// Whether a patient may log this today (the patient's civil date).
    pub fn check(&self, program: &Program, today: Date) -> Result<(), LogError> {
        if self.program != program.id {
            return Err(LogError::OtherProgram);
        }
        if self.date > today {
            return Err(LogError::Future);
        }
        if days_between(self.date, today) > LOG_BACK_DAYS {
            return Err(LogError::TooLongAgo);
        }
        if !program.contains(self.date) {
            return Err(LogError::OutsideProgram);
        }
        self.check_content(program)
    }

    /// As [`SessionLog::check`], where only today's session is open.
    pub fn check_today(&self, program: &Program, today: Date) -> Result<(), LogError> {
        if self.date != today {
            return Err(LogError::NotToday);
        }
        self.check(program, today)
    }

    /// Whether a patient may replace `earlier` by this today. `logged_on` is
    /// the civil date on which the first of its versions was received.
    pub fn check_correction(&self, earlier: &SessionLog, program: &Program, logged_on: Date, today: Date) -> Result<(), LogError> {
        if self.program != program.id || earlier.program != program.id {
            return Err(LogError::OtherProgram);
        }
        if self.date != earlier.date {
            return Err(LogError::CorrectsAnotherDay);
        }
        if days_between(logged_on, today) > LOG_BACK_DAYS {
            return Err(LogError::CorrectedTooLate);
        }
        self.check_content(program)
    }

    /// Whether keeping this log stops the patient's programs ([`crate::program::stop_all`]): it has stop signs, and, where it corrects
    /// a log, not the same as `earlier`. Taking signs back resumes nothing.
    pub fn stops_programs(&self, earlier: Option<&[RedFlag]>) -> bool {
        !self.red_flags.is_empty() && earlier != Some(self.red_flags.as_slice())
    }

    /// The version of the program this log was made under.
    pub fn version<'a>(&self, program: &'a Program) -> Option<&'a Version> {
        program.version_with(self.date, self.entries.iter().map(|entry| entry.prescription))
    }

    fn check_content(&self, program: &Program) -> Result<(), LogError> {
        let said_something = !self.entries.is_empty()
            || !self.red_flags.is_empty()
            || self.pain_before.is_some()
            || self.pain_after.is_some()
            || self.effort.is_some()
            || self.note.as_ref().is_some_and(|note| !is_blank(note));
        if !said_something {
            return Err(LogError::Empty);
        }
        if self.note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
            return Err(LogError::NoteTooLong);
        }
        let version = self.version(program).ok_or(LogError::UnknownExercise)?;
        for (i, entry) in self.entries.iter().enumerate() {
            let prescription = version.prescription(entry.prescription).ok_or(LogError::UnknownExercise)?;
            if self.entries[..i].iter().any(|other| other.prescription == entry.prescription) {
                return Err(LogError::ExerciseTwice);
            }
            if is_too_much(prescription, entry.outcome) {
                return Err(LogError::TooMuch);
            }
        }
        Ok(())
    }
}

/// Whether any number, or all of them together, is past three times the
/// prescribed maximum.
fn is_too_much(prescription: &Prescription, outcome: Outcome) -> bool {
    let Outcome::Did { sets, reps, hold } = outcome else {
        return false;
    };
    let dose = &prescription.dose;
    let past = |done: u16, max: u16| u64::from(done) > MAX_TIMES_PRESCRIBED * u64::from(max);
    past(sets, dose.sets().max())
        || past(reps, dose.reps().max())
        || match (hold, dose.hold()) {
            (Some(done), Some(prescribed)) => past(done, prescribed.max()),
            _ => false,
        }
        || dose.work(sets, reps, hold) > MAX_TIMES_PRESCRIBED * dose.upper_bound()
}

/// How much of one exercise was done: `min(1, done / lower bound prescribed)`,
/// in 0..=1. Doing less than the range is less; doing more is not more.
pub fn entry_completion(outcome: Outcome, prescription: &Prescription) -> f64 {
    match outcome {
        Outcome::Skipped(_) => 0.0,
        Outcome::Did { sets, reps, hold } => {
            let done = prescription.dose.work(sets, reps, hold);
            let least = prescription.dose.lower_bound();
            // Both are far below 2^53: exact as f64. `least` is at least 1.
            (done as f64 / least as f64).min(1.0)
        }
    }
}

/// How much of the session was done: the mean over the prescriptions of the
/// version, in 0..=1. A prescription without an entry counts 0.
pub fn completion(log: &SessionLog, version: &Version) -> f64 {
    if version.prescriptions.is_empty() {
        return 0.0;
    }
    let sum: f64 = version
        .prescriptions
        .iter()
        .filter_map(|prescription| {
            log.entries
                .iter()
                .find(|entry| entry.prescription == prescription.id)
                .map(|entry| entry_completion(entry.outcome, prescription))
        })
        .sum();
    (sum / version.prescriptions.len() as f64).clamp(0.0, 1.0)
}
