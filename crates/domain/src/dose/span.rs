//! One number or a range of two, as people write them: "3", "10–15".

use std::fmt;
use std::ops::RangeInclusive;

/// Why a text is neither a number nor a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Nothing was typed.
    #[error("Please give a number, such as 10, or a range, such as 10–15.")]
    Missing,
    /// A range with one end missing: "10-", "-15".
    #[error("The range is not finished: write both numbers, such as 10–15.")]
    Unfinished,
    /// Letters, a decimal point, three numbers…
    #[error("Please write a whole number, such as 10, or a range, such as 10–15.")]
    NotANumber,
    /// A number below 1.
    #[error("The number must be 1 or more.")]
    Zero,
    /// The larger number first: "15-10".
    #[error("Write the smaller number of the range first.")]
    Backwards,
    /// More than any dose could be (above 65,535).
    #[error("That number is too large.")]
    TooLarge,
}

/// One number or a range `min–max`; both at least 1 and `min <= max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    min: u16,
    max: u16,
}

impl Span {
    /// Exactly one.
    pub const ONE: Span = Span { min: 1, max: 1 };

    /// A range; one number when both ends are the same.
    pub const fn new(min: u16, max: u16) -> Result<Self, SpanError> {
        if min == 0 {
            Err(SpanError::Zero)
        } else if min > max {
            Err(SpanError::Backwards)
        } else {
            Ok(Self { min, max })
        }
    }

    /// A single number (at least 1).
    pub const fn one(n: u16) -> Result<Self, SpanError> {
        Self::new(n, n)
    }

    /// Reads "3", "10-15", "10–15", "10 to 15"; spaces do not matter.
    pub fn parse(typed: &str) -> Result<Self, SpanError> {
        let text = typed.trim();
        if text.is_empty() {
            return Err(SpanError::Missing);
        }
        let ends = text.split_once(is_dash).or_else(|| text.split_once(" to "));
        match ends {
            None => Self::one(number(text)?),
            Some((low, high)) => {
                let (low, high) = (low.trim(), high.trim());
                match (low.is_empty(), high.is_empty()) {
                    (true, true) => Err(SpanError::NotANumber),
                    (true, false) => number(high).and(Err(SpanError::Unfinished)),
                    (false, true) => number(low).and(Err(SpanError::Unfinished)),
                    (false, false) => Self::new(number(low)?, number(high)?),
                }
            }
        }
    }

    /// The lower end.
    pub const fn min(self) -> u16 {
        self.min
    }

    /// The upper end; the same as `min` for a single number.
    pub const fn max(self) -> u16 {
        self.max
    }

    /// Whether both ends lie within the limits.
    pub fn within(self, limits: &RangeInclusive<u16>) -> bool {
        limits.contains(&self.min) && limits.contains(&self.max)
    }
}

/// The dashes that keyboards and phones put between two numbers.
fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Plain ASCII digits only: a number that looks right in another script would
/// print back as something else.
fn number(text: &str) -> Result<u16, SpanError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SpanError::NotANumber);
    }
    text.parse().map_err(|_| SpanError::TooLarge)
}

/// "3" or "10–15", with an en dash.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}–{}", self.min, self.max) }
    }
}

impl std::str::FromStr for Span {
    type Err = SpanError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        Self::parse(typed)
    }
}
