//! The days of the week on which something is asked.

use jiff::civil::Weekday;

/// A set of weekdays; bit 0 is Monday, bit 6 Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// No day.
    pub const NONE: Weekdays = Weekdays(0);

    /// All seven days.
    pub const fn all() -> Self {
        Self(0x7f)
    }

    /// From the bitmask; `None` when a bit above Sunday is set.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits <= 0x7f { Some(Self(bits)) } else { None }
    }

    /// The bitmask: bit 0 is Monday.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// These and one day more.
    #[must_use]
    pub const fn with(self, day: Weekday) -> Self {
        Self(self.0 | 1 << day.to_monday_zero_offset())
    }

    /// Whether the day is one of them.
    pub const fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.to_monday_zero_offset()) != 0
    }

    /// How many days.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is no day at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The days, Monday first.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        Weekday::Monday.cycle_forward().take(7).filter(move |day| self.contains(*day))
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<I: IntoIterator<Item = Weekday>>(days: I) -> Self {
        days.into_iter().fold(Self::NONE, Self::with)
    }
}
