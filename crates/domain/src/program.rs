//! A program assigned to one patient: what is due on which civil date.
//!
//! It is revised in versions that take effect from a date, so that the past
//! keeps the doses it was lived with; it can be paused, resumed and finished.
//! Nothing here is stored per slot: what was due is always worked out from the
//! versions and the pauses.

mod weekdays;

pub use weekdays::Weekdays;

use crate::dose::Dose;
use crate::ids::{ExerciseId, PatientId, PrescriptionId, ProgramId};
use crate::person::Role;
use crate::text::is_blank;
use jiff::ToSpan;
use jiff::civil::Date;

/// More exercises than this show the physiotherapist a note: the literature
/// advises 2–4 to help adherence. It never blocks.
pub const ADVISED_EXERCISES: usize = 4;
/// The longest program, in days (two years).
pub const MAX_DAYS: i32 = 731;
/// The most exercises in one program.
pub const MAX_EXERCISES: usize = 40;
/// Sessions a day, from 1 to this.
pub const MAX_TIMES_A_DAY: u8 = 6;
/// The longest name of a program, in characters.
pub const MAX_NAME_CHARS: usize = 120;

/// One exercise in a program, with its dose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prescription {
    /// Its own id: a session log's entries refer to it.
    pub id: PrescriptionId,
    /// The exercise of the library.
    pub exercise: ExerciseId,
    /// How much of it in one session.
    pub dose: Dose,
    /// A word from the physiotherapist to the patient.
    pub note: Option<String>,
}

/// What a program asks for: the part that a revision replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// On which weekdays.
    pub weekdays: Weekdays,
    /// Sessions on each of these days, 1–6.
    pub times_a_day: u8,
    /// The exercises in order.
    pub prescriptions: Vec<Prescription>,
}

/// A plan in effect from a date on, until a later version takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// 1, 2, 3… in the order they were made.
    pub number: u32,
    /// The first civil date it holds for.
    pub from: Date,
    /// On which weekdays.
    pub weekdays: Weekdays,
    /// Sessions on each of these days, 1–6.
    pub times_a_day: u8,
    /// The exercises in order.
    pub prescriptions: Vec<Prescription>,
}

/// Civil dates on which nothing is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The first paused day.
    pub from: Date,
    /// The last paused day, inclusive; `None` until somebody resumes. The day
    /// before `from` when it was paused and resumed on the same day.
    pub until: Option<Date>,
    /// Why it was paused, in the words of who did.
    pub reason: String,
    /// A stop sign paused it: only a physiotherapist resumes it.
    pub needs_physiotherapist: bool,
    /// Why it was resumed, if somebody ended it by hand.
    pub resumed: Option<String>,
}

impl Pause {
    /// Whether the date is paused by it.
    pub fn covers(&self, date: Date) -> bool {
        self.from <= date && self.until.is_none_or(|until| date <= until)
    }
}

/// Where a program stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgramStatus {
    /// It starts later.
    Upcoming,
    /// It runs.
    Active,
    /// It is paused on that day.
    Paused,
    /// Its end has passed, or it was finished by hand.
    Finished,
}

/// What a civil date is to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DayKind {
    /// Before the start or after the end.
    Outside,
    /// Not one of its weekdays.
    Rest,
    /// Paused.
    Paused,
    /// So many sessions are due (1–6).
    Due(u8),
}

/// Why a program cannot be assigned or changed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// No name.
    #[error("Give the program a name.")]
    NameMissing,
    /// A name above 120 characters.
    #[error("The program's name is too long: 120 characters at most.")]
    NameTooLong,
    /// The end lies before the start.
    #[error("The program ends before it starts. Choose a later end.")]
    EndBeforeStart,
    /// More than two years.
    #[error("A program lasts two years at most.")]
    TooLong,
    /// No prescriptions.
    #[error("The program has no exercises yet. Add at least one.")]
    NoExercises,
    /// More than 40 prescriptions.
    #[error("A program holds 40 exercises at most.")]
    TooManyExercises,
    /// No weekday.
    #[error("Choose at least one day of the week.")]
    NoWeekdays,
    /// Times a day outside 1–6.
    #[error("A program is done 1 to 6 times a day.")]
    TimesADay,
    /// A revision that would change the past.
    #[error("A change takes effect today or later; earlier days keep what was prescribed.")]
    RevisesThePast,
    /// A revision after the last day.
    #[error("The program is over by then. Assign a new one instead.")]
    RevisesAfterTheEnd,
    /// A pause that would change the past.
    #[error("A pause starts today or later.")]
    PausesThePast,
    /// A pause after the last day.
    #[error("The program is over by then, so there is nothing to pause.")]
    PausesAfterTheEnd,
    /// A pause that ends before it starts.
    #[error("The pause ends before it starts. Choose a later end.")]
    PauseEndsBeforeStart,
    /// Pausing or resuming without saying why.
    #[error("Please say why.")]
    ReasonMissing,
    /// Resuming what is not paused.
    #[error("The program is not paused.")]
    NotPaused,
    /// A patient resuming after a stop sign.
    #[error("Your physiotherapist needs to speak with you before the program goes on.")]
    NeedsPhysiotherapist,
    /// Changing what is finished or has ended.
    #[error("The program is already finished.")]
    Finished,
}

/// A program of one patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its id.
    pub id: ProgramId,
    /// Whose it is.
    pub patient: PatientId,
    /// What it is called.
    pub name: String,
    /// The first day.
    pub start: Date,
    /// The last day, inclusive.
    pub end: Date,
    /// Its versions, in the order they were made (ascending `number`).
    pub versions: Vec<Version>,
    /// Its pauses, in the order they were made.
    pub pauses: Vec<Pause>,
    /// The first day on which nothing is due any more because somebody
    /// finished it by hand.
    pub finished_on: Option<Date>,
}

impl Program {
    /// A new program with its first version.
    pub fn assign(id: ProgramId, patient: PatientId, name: &str, start: Date, end: Date, plan: Plan) -> Result<Self, ProgramError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(ProgramError::NameMissing);
        }
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(ProgramError::NameTooLong);
        }
        if end < start {
            return Err(ProgramError::EndBeforeStart);
        }
        if days_between(start, end) >= MAX_DAYS {
            return Err(ProgramError::TooLong);
        }
        let first = plan.into_version(1, start)?;
        Ok(Self { id, patient, name: name.to_owned(), start, end, versions: vec![first], pauses: Vec::new(), finished_on: None })
    }

    /// The last day of so many weeks from `start`; `None` for 0 weeks or more
    /// than a program may last.
    pub fn end_after_weeks(start: Date, weeks: u32) -> Option<Date> {
        let days = i32::try_from(weeks).ok()?.checked_mul(7)?;
        if !(1..=MAX_DAYS).contains(&days) {
            return None;
        }
        start.checked_add((days - 1).days()).ok()
    }

    /// A new version from `from` on (today or later). Days before it keep what
    /// they had; from it on this version holds, also where another had been
    /// planned for later.
    pub fn revise(&mut self, plan: Plan, from: Date, today: Date) -> Result<&Version, ProgramError> {
        if self.status(today) == ProgramStatus::Finished {
            return Err(ProgramError::Finished);
        }
        if from < today {
            return Err(ProgramError::RevisesThePast);
        }
        if from > self.end {
            return Err(ProgramError::RevisesAfterTheEnd);
        }
        let number = self.versions.iter().map(|version| version.number).max().unwrap_or(0) + 1;
        let version = plan.into_version(number, from.max(self.start))?;
        let at = self.versions.len();
        self.versions.push(version);
        Ok(&self.versions[at])
    }

    /// Pauses from a day (today or later) to a last paused day, or until resumed.
    pub fn pause(&mut self, from: Date, until: Option<Date>, reason: &str, today: Date) -> Result<&Pause, ProgramError> {
        if self.status(today) == ProgramStatus::Finished {
            return Err(ProgramError::Finished);
        }
        if from < today {
            return Err(ProgramError::PausesThePast);
        }
        if from > self.last_day() {
            return Err(ProgramError::PausesAfterTheEnd);
        }
        if until.is_some_and(|until| until < from) {
            return Err(ProgramError::PauseEndsBeforeStart);
        }
        let reason = reason.trim();
        if is_blank(reason) {
            return Err(ProgramError::ReasonMissing);
        }
        Ok(self.add_pause(from, until, reason, false))
    }

    /// Pauses at once because the patient ticked a stop sign, until a
    /// physiotherapist resumes. Does nothing to a program that is finished or
    /// stopped already, and returns whether it paused.
    pub fn stop(&mut self, today: Date) -> bool {
        if self.status(today) == ProgramStatus::Finished || self.is_stopped() {
            return false;
        }
        self.add_pause(today, None, "The patient reported a stop sign.", true);
        true
    }

    /// Whether a stop sign holds the program until a physiotherapist resumes it.
    pub fn is_stopped(&self) -> bool {
        self.pauses.iter().any(|pause| pause.needs_physiotherapist && pause.until.is_none())
    }

    /// Goes on from a day: every pause that covers it ends the day before.
    /// After a stop sign only staff may, and must say why.
    pub fn resume(&mut self, on: Date, by: Role, reason: &str) -> Result<(), ProgramError> {
        if self.finished_on.is_some() || on > self.end {
            return Err(ProgramError::Finished);
        }
        let reason = reason.trim();
        let mut covering = self.pauses.iter().filter(|pause| pause.covers(on)).peekable();
        if covering.peek().is_none() {
            return Err(ProgramError::NotPaused);
        }
        if covering.any(|pause| pause.needs_physiotherapist) {
            if !by.is_staff() {
                return Err(ProgramError::NeedsPhysiotherapist);
            }
            if is_blank(reason) {
                return Err(ProgramError::ReasonMissing);
            }
        }
        let last_paused = on.yesterday().unwrap_or(Date::MIN);
        for pause in self.pauses.iter_mut().filter(|pause| pause.covers(on)) {
            pause.until = Some(last_paused);
            pause.resumed = Some(reason.to_owned());
        }
        Ok(())
    }

    /// Finishes it: from that day on nothing is due.
    pub fn finish(&mut self, on: Date) -> Result<(), ProgramError> {
        if self.finished_on.is_some() || on > self.end {
            return Err(ProgramError::Finished);
        }
        self.finished_on = Some(on);
        Ok(())
    }

    /// The last day on which anything can be due; before `start` when it was
    /// finished before it began.
    pub fn last_day(&self) -> Date {
        match self.finished_on {
            Some(on) => self.end.min(on.yesterday().unwrap_or(Date::MIN)),
            None => self.end,
        }
    }

    /// Whether the date lies between the first and the last day.
    pub fn contains(&self, date: Date) -> bool {
        self.start <= date && date <= self.last_day()
    }

    /// The version in effect on a date of the program: the newest of those
    /// that have taken effect by then.
    pub fn version_on(&self, date: Date) -> Option<&Version> {
        if date < self.start || date > self.end {
            return None;
        }
        self.versions.iter().filter(|version| version.from <= date).max_by_key(|version| version.number)
    }

    /// The first and the last day on which a version holds, within the program's days; `None` when a later one took its place before it
    /// began, or the program ended.
    pub fn in_effect(&self, version: &Version) -> Option<(Date, Date)> {
        let later = self.versions.iter().filter(|other| other.number > version.number).map(|other| other.from).min();
        let from = version.from.max(self.start);
        let to = match later {
            Some(next) => next.yesterday().ok()?.min(self.last_day()),
            None => self.last_day(),
        };
        (from <= to).then_some((from, to))
    }

    /// The version a log of that date was made under, known by the
    /// prescriptions it names: the newest in effect on the date that has all of
    /// them. On the day of a revision that may be the one before it, since the
    /// morning's session was done by the old plan. `None` when no version of
    /// that date has them all.
    pub fn version_with(&self, date: Date, prescriptions: impl Iterator<Item = PrescriptionId> + Clone) -> Option<&Version> {
        let mut newest = self.version_on(date)?;
        loop {
            if prescriptions.clone().all(|id| newest.prescription(id).is_some()) {
                return Some(newest);
            }
            if newest.from < date {
                return None;
            }
            let before = newest.number;
            newest = self
                .versions
                .iter()
                .filter(|version| version.from <= date && version.number < before)
                .max_by_key(|version| version.number)?;
        }
    }

    /// The newest version, whenever it takes effect: what a revision starts from.
    pub fn newest(&self) -> Option<&Version> {
        self.versions.iter().max_by_key(|version| version.number)
    }

    /// Where it stands on a day.
    pub fn status(&self, today: Date) -> ProgramStatus {
        if today > self.end || self.finished_on.is_some_and(|on| on <= today) {
            ProgramStatus::Finished
        } else if self.is_paused_on(today) {
            ProgramStatus::Paused
        } else if today < self.start {
            ProgramStatus::Upcoming
        } else {
            ProgramStatus::Active
        }
    }

    /// What a date is to the program.
    pub fn day_kind(&self, date: Date) -> DayKind {
        if !self.contains(date) {
            return DayKind::Outside;
        }
        if self.is_paused_on(date) {
            return DayKind::Paused;
        }
        match self.version_on(date) {
            Some(version) if version.weekdays.contains(date.weekday()) => DayKind::Due(version.times_a_day),
            _ => DayKind::Rest,
        }
    }

    /// How many sessions are due on a date.
    pub fn slots_on(&self, date: Date) -> u8 {
        match self.day_kind(date) {
            DayKind::Due(slots) => slots,
            DayKind::Outside | DayKind::Rest | DayKind::Paused => 0,
        }
    }

    /// Which week of the program a date lies in, counted from the start: (3, 6)
    /// is week 3 of 6.
    pub fn week_on(&self, date: Date) -> Option<(u32, u32)> {
        if date < self.start || date > self.end {
            return None;
        }
        let week = |to: Date| u32::try_from(days_between(self.start, to) / 7 + 1).ok();
        Some((week(date)?, week(self.end)?))
    }

    fn is_paused_on(&self, date: Date) -> bool {
        self.pauses.iter().any(|pause| pause.covers(date))
    }

    fn add_pause(&mut self, from: Date, until: Option<Date>, reason: &str, needs_physiotherapist: bool) -> &Pause {
        let at = self.pauses.len();
        self.pauses.push(Pause { from, until, reason: reason.to_owned(), needs_physiotherapist, resumed: None });
        &self.pauses[at]
    }
}

/// What a stop sign does: it is about the patient and not about one program, so it stops every one of them. Gives those that were
/// not stopped or finished before, to be saved.
pub fn stop_all(programs: Vec<Program>, today: Date) -> Vec<Program> {
    programs.into_iter().filter_map(|mut program| program.stop(today).then_some(program)).collect()
}

impl Plan {
    /// Checks the plan by itself, as a template's form needs it.
    pub fn check(&self) -> Result<(), ProgramError> {
        if self.prescriptions.is_empty() {
            Err(ProgramError::NoExercises)
        } else if self.prescriptions.len() > MAX_EXERCISES {
            Err(ProgramError::TooManyExercises)
        } else if self.weekdays.is_empty() {
            Err(ProgramError::NoWeekdays)
        } else if !(1..=MAX_TIMES_A_DAY).contains(&self.times_a_day) {
            Err(ProgramError::TimesADay)
        } else {
            Ok(())
        }
    }

    fn into_version(self, number: u32, from: Date) -> Result<Version, ProgramError> {
        self.check()?;
        Ok(Version { number, from, weekdays: self.weekdays, times_a_day: self.times_a_day, prescriptions: self.prescriptions })
    }
}

impl Version {
    /// The prescription with that id, if this version has it.
    pub fn prescription(&self, id: PrescriptionId) -> Option<&Prescription> {
        self.prescriptions.iter().find(|prescription| prescription.id == id)
    }

    /// About how many minutes one session takes.
    pub fn minutes(&self) -> u32 {
        let doses: Vec<Dose> = self.prescriptions.iter().map(|p| p.dose).collect();
        crate::dose::minutes(&doses)
    }
}

/// Whole days from one date to another; negative when `to` is the earlier.
pub(crate) fn days_between(from: Date, to: Date) -> i32 {
    // Two jiff dates are at most 7.3 million days apart.
    (to - from).get_days()
}
