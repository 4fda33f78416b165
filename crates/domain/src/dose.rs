//! How much of an exercise: sets, repetitions or breath cycles, a hold, each
//! side, a rest. Each number may be a range, as physiotherapists write it.
//!
//! `Dose` holds only valid doses; `DoseDraft` is what a form carries and says
//! per field what is wrong with it.

mod draft;
mod span;

pub use draft::{DoseDraft, DoseFieldError, DoseFieldErrors};
pub use span::{Span, SpanError};

use crate::tags::tagged;
use std::fmt;
use std::ops::RangeInclusive;

/// Sets in one session.
pub const SETS: RangeInclusive<u16> = 1..=20;
/// Repetitions (or breath cycles) in one set.
pub const REPS: RangeInclusive<u16> = 1..=200;
/// Seconds a repetition is held.
pub const HOLD: RangeInclusive<u16> = 1..=600;
/// Seconds of rest between sets.
pub const REST: RangeInclusive<u16> = 0..=600;

/// Seconds one repetition takes to move, beside its hold.
const REPETITION_SECONDS: u64 = 3;
/// Seconds one breath cycle takes.
const BREATH_SECONDS: u64 = 6;
/// Seconds of rest between sets when none is given.
const DEFAULT_REST_SECONDS: u64 = 15;

tagged! {
    /// What is counted.
    "unit"
    pub enum RepUnit {
        /// Repetitions.
        Times = "times",
        /// Breath cycles: in and out is one.
        Breaths = "breaths",
    }
}

/// Why numbers make no dose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DoseError {
    /// Sets outside 1–20.
    #[error("Sets must be from 1 to 20.")]
    Sets,
    /// Repetitions outside 1–200.
    #[error("Repetitions must be from 1 to 200.")]
    Reps,
    /// Hold outside 1–600 seconds.
    #[error("A hold lasts from 1 to 600 seconds. Leave it empty if there is none.")]
    Hold,
    /// Rest above 600 seconds.
    #[error("Rest between sets is from 0 to 600 seconds.")]
    Rest,
}

/// A valid dose of one exercise in one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dose {
    sets: Span,
    reps: Span,
    unit: RepUnit,
    hold: Option<Span>,
    each_side: bool,
    rest: Option<u16>,
}

impl Dose {
    /// A dose within the limits: sets 1–20, repetitions 1–200, hold 1–600 s,
    /// rest 0–600 s. "Hold 15–30 s, 3 times" is one set of three repetitions,
    /// each held.
    pub fn new(
        sets: Span,
        reps: Span,
        unit: RepUnit,
        hold: Option<Span>,
        each_side: bool,
        rest: Option<u16>,
    ) -> Result<Self, DoseError> {
        if !sets.within(&SETS) {
            return Err(DoseError::Sets);
        }
        if !reps.within(&REPS) {
            return Err(DoseError::Reps);
        }
        if hold.is_some_and(|hold| !hold.within(&HOLD)) {
            return Err(DoseError::Hold);
        }
        if rest.is_some_and(|rest| !REST.contains(&rest)) {
            return Err(DoseError::Rest);
        }
        Ok(Self { sets, reps, unit, hold, each_side, rest })
    }

    /// Sets in a session.
    pub const fn sets(&self) -> Span {
        self.sets
    }

    /// Repetitions or breath cycles in a set (on one side, if each side).
    pub const fn reps(&self) -> Span {
        self.reps
    }

    /// What `reps` counts.
    pub const fn unit(&self) -> RepUnit {
        self.unit
    }

    /// Seconds each repetition is held.
    pub const fn hold(&self) -> Option<Span> {
        self.hold
    }

    /// Whether the whole is done on the left and again on the right.
    pub const fn each_side(&self) -> bool {
        self.each_side
    }

    /// Seconds of rest between sets, if the physiotherapist gave one.
    pub const fn rest(&self) -> Option<u16> {
        self.rest
    }

    /// The least that counts as doing all of it, in the unit of [`Dose::work`]:
    /// every range at its lower end.
    pub fn lower_bound(&self) -> u64 {
        self.work(self.sets.min(), self.reps.min(), self.hold.map(|hold| hold.min()))
    }

    /// The most that was prescribed, in the unit of [`Dose::work`]: every
    /// range at its upper end.
    pub fn upper_bound(&self) -> u64 {
        self.work(self.sets.max(), self.reps.max(), self.hold.map(|hold| hold.max()))
    }

    /// How much work so many sets, repetitions and seconds are for this dose:
    /// repetitions, or seconds held when a hold is prescribed; doubled when
    /// each side is. A hold that was not recorded is taken as held for the
    /// lower bound prescribed, since nobody said otherwise; a hold recorded
    /// where none is prescribed changes nothing.
    pub fn work(&self, sets: u16, reps: u16, hold: Option<u16>) -> u64 {
        let held = match self.hold {
            Some(prescribed) => u64::from(hold.unwrap_or(prescribed.min())),
            None => 1,
        };
        u64::from(sets) * u64::from(reps) * held * self.sides()
    }

    /// About how many seconds the dose takes, ranges taken at their middle: a
    /// repetition 3 s and its hold, a breath cycle 6 s (and its hold), rest
    /// between sets as given, else 15 s.
    pub fn seconds(&self) -> u32 {
        // In quarter seconds squared ranges stay whole: each middle is a half.
        let sets2 = u64::from(self.sets.min()) + u64::from(self.sets.max());
        let reps2 = u64::from(self.reps.min()) + u64::from(self.reps.max());
        let hold2 = self.hold.map_or(0, |hold| u64::from(hold.min()) + u64::from(hold.max()));
        let move_seconds = match self.unit {
            RepUnit::Times => REPETITION_SECONDS,
            RepUnit::Breaths => BREATH_SECONDS,
        };
        let rest = self.rest.map_or(DEFAULT_REST_SECONDS, u64::from);
        let work8 = sets2 * reps2 * (2 * move_seconds + hold2) * self.sides();
        let rest8 = (sets2 - 2) * 4 * rest;
        // At most 20 sets × 200 repetitions × 606 s × 2 sides, far below u32::MAX.
        u32::try_from((work8 + rest8).div_ceil(8)).unwrap_or(u32::MAX)
    }

    const fn sides(&self) -> u64 {
        if self.each_side { 2 } else { 1 }
    }
}

/// About how many minutes a session of these doses takes, rounded up; 0 for no
/// doses.
pub fn minutes(doses: &[Dose]) -> u32 {
    doses.iter().fold(0u32, |sum, dose| sum.saturating_add(dose.seconds())).div_ceil(60)
}

/// English, as people write it: "Hold 15–30 s · 3 times", "10–15 breaths",
/// "Hold 20 s each side · 2–3 times", "3 × 10–12".
impl fmt::Display for Dose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(hold) = self.hold {
            write!(f, "Hold {hold} s")?;
            if self.each_side {
                f.write_str(" each side")?;
            }
            f.write_str(" · ")?;
        }
        let one_set = self.sets == Span::ONE;
        if !one_set {
            write!(f, "{} × ", self.sets)?;
        }
        write!(f, "{}", self.reps)?;
        match (self.unit, self.reps == Span::ONE) {
            (RepUnit::Times, _) if !one_set => {}
            (RepUnit::Times, true) => f.write_str(" time")?,
            (RepUnit::Times, false) => f.write_str(" times")?,
            (RepUnit::Breaths, true) => f.write_str(" breath")?,
            (RepUnit::Breaths, false) => f.write_str(" breaths")?,
        }
        if self.each_side && self.hold.is_none() {
            f.write_str(" each side")?;
        }
        match self.rest {
            Some(rest) if self.sets.max() > 1 => write!(f, " · rest {rest} s"),
            _ => Ok(()),
        }
    }
}
