//! A dose as a form carries it: text in, a `Dose` or a sentence per field out.

use super::{Dose, DoseError, HOLD, REPS, REST, RepUnit, SETS, Span, SpanError};

/// What was typed into the fields of a dose. An empty `sets` means one set, an
/// empty `hold` none, an empty `unit` repetitions, an empty `rest` the usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoseDraft {
    /// "3", "2-3", or empty for one set.
    pub sets: String,
    /// "10-15", "12 times".
    pub reps: String,
    /// "times" or "breaths".
    pub unit: String,
    /// "15-30 s", "20s", "20 sec", or empty.
    pub hold: String,
    /// A checkbox: empty, "no", "off", "false" or "0" is no; anything a browser sends for a tick is yes.
    pub each_side: String,
    /// "60", "60 s", or empty.
    pub rest: String,
}

/// What is wrong with one field, as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DoseFieldError {
    /// It could not be read.
    #[error(transparent)]
    Unreadable(#[from] SpanError),
    /// It could be read and lies outside the limits.
    #[error(transparent)]
    OutOfRange(#[from] DoseError),
    /// The unit is neither times nor breaths.
    #[error("Choose whether to count times or breaths.")]
    Unit,
    /// The rest is not one number of seconds.
    #[error("Give the rest as a number of seconds, such as 30.")]
    Rest,
}

/// The errors of a draft, one place per field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DoseFieldErrors {
    /// About the sets.
    pub sets: Option<DoseFieldError>,
    /// About the repetitions.
    pub reps: Option<DoseFieldError>,
    /// About the unit.
    pub unit: Option<DoseFieldError>,
    /// About the hold.
    pub hold: Option<DoseFieldError>,
    /// About the rest.
    pub rest: Option<DoseFieldError>,
}

impl DoseFieldErrors {
    /// Each error with the name of its form field, in the order of the form.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, DoseFieldError)> {
        [("sets", self.sets), ("reps", self.reps), ("unit", self.unit), ("hold", self.hold), ("rest", self.rest)]
            .into_iter()
            .filter_map(|(field, error)| error.map(|error| (field, error)))
    }

    fn is_empty(&self) -> bool {
        self.each().next().is_none()
    }
}

impl std::fmt::Display for DoseFieldErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (_, error)) in self.each().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DoseFieldErrors {}

impl DoseDraft {
    /// The dose, or what is wrong with each field.
    pub fn parse(&self) -> Result<Dose, DoseFieldErrors> {
        let sets = if self.sets.trim().is_empty() {
            Ok(Span::ONE)
        } else {
            field(&self.sets, &["sets", "set", "x", "×"], &SETS, DoseError::Sets)
        };
        let reps = field(
            &self.reps,
            &[
                "repetitions",
                "repetition",
                "times",
                "time",
                "reps",
                "rep",
                "breaths",
                "breath",
                "breath cycles",
                "cycles",
                "x",
                "×",
            ],
            &REPS,
            DoseError::Reps,
        );
        let hold =
            if self.hold.trim().is_empty() { Ok(None) } else { field(&self.hold, SECONDS, &HOLD, DoseError::Hold).map(Some) };
        let unit = match self.unit.trim() {
            "" => Ok(RepUnit::Times),
            word => word.parse().map_err(|_| DoseFieldError::Unit),
        };
        let rest = self.parse_rest();
        let each_side = !matches!(self.each_side.trim().to_lowercase().as_str(), "" | "no" | "off" | "false" | "0");

        let mut errors =
            DoseFieldErrors { sets: sets.err(), reps: reps.err(), unit: unit.err(), hold: hold.err(), rest: rest.err() };
        match (sets, reps, unit, hold, rest) {
            (Ok(sets), Ok(reps), Ok(unit), Ok(hold), Ok(rest)) => {
                Dose::new(sets, reps, unit, hold, each_side, rest).map_err(|error| {
                    // Each field was held to the same limits above; should they
                    // ever differ, the sentence still reaches the right field.
                    let place = match error {
                        DoseError::Sets => &mut errors.sets,
                        DoseError::Reps => &mut errors.reps,
                        DoseError::Hold => &mut errors.hold,
                        DoseError::Rest => &mut errors.rest,
                    };
                    *place = Some(error.into());
                    debug_assert!(!errors.is_empty());
                    errors
                })
            }
            _ => Err(errors),
        }
    }

    fn parse_rest(&self) -> Result<Option<u16>, DoseFieldError> {
        let text = without_unit(&self.rest, SECONDS);
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DoseFieldError::Rest);
        }
        match text.parse::<u16>() {
            Ok(seconds) if REST.contains(&seconds) => Ok(Some(seconds)),
            _ => Err(DoseError::Rest.into()),
        }
    }
}

/// The draft that fills a form with this dose; it parses back to the same.
impl From<&Dose> for DoseDraft {
    fn from(dose: &Dose) -> Self {
        Self {
            sets: dose.sets().to_string(),
            reps: dose.reps().to_string(),
            unit: dose.unit().tag().to_owned(),
            hold: dose.hold().map(|hold| hold.to_string()).unwrap_or_default(),
            each_side: if dose.each_side() { "yes" } else { "" }.to_owned(),
            rest: dose.rest().map(|rest| rest.to_string()).unwrap_or_default(),
        }
    }
}

const SECONDS: &[&str] = &["seconds", "second", "secs", "sec", "s"];

fn field(typed: &str, units: &[&str], limits: &std::ops::RangeInclusive<u16>, outside: DoseError) -> Result<Span, DoseFieldError> {
    match Span::parse(&without_unit(typed, units)) {
        Ok(span) if span.within(limits) => Ok(span),
        // Too much or nothing at all is about the limits, not about writing.
        Ok(_) | Err(SpanError::Zero | SpanError::TooLarge) => Err(outside.into()),
        Err(error) => Err(error.into()),
    }
}

/// The text without a unit that people write behind a number: "20 sec" → "20".
fn without_unit(typed: &str, units: &[&str]) -> String {
    let text = typed.trim().to_lowercase();
    let text = text.trim_end_matches('.');
    units
        .iter()
        .filter_map(|unit| text.strip_suffix(unit))
        .map(str::trim_end)
        // "times" must not be left as "time": the shortest rest is the longest unit.
        .min_by_key(|rest| rest.len())
        .unwrap_or(text)
        .trim()
        .to_owned()
}
