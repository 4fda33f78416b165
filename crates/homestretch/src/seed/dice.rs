//! Chance that comes out the same each time: SplitMix64, seeded by what it is thrown for, so that one patient's life does not depend on
//! how many others there are.

use jiff::Timestamp;
use uuid::Uuid;

/// A row of numbers.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// For one thing, by the numbers that name it.
    pub(super) fn of(names: &[u64]) -> Self {
        let mut dice = Self(0x9E37_79B9_7F4A_7C15);
        for name in names {
            dice.0 ^= *name;
            dice.0 = dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `n - 1`; 0 for an `n` of 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        // The bias of a remainder is far below what anybody could see in made-up lives.
        self.next().checked_rem(n).unwrap_or(0)
    }

    /// Whether it comes to pass, in so many of a hundred times.
    pub(super) fn in_hundred(&mut self, times: u64) -> bool {
        self.below(100) < times
    }

    /// One of them; they are never empty.
    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap_or(0)]
    }

    /// An id as the program makes them, of that moment: index pages fill as they would have.
    pub(super) fn id(&mut self, at: Timestamp) -> Uuid {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.next().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next().to_le_bytes()[..2]);
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}
