//! A draw, handed to decisions as data so that they stay pure.

use std::time::Duration;

/// A draw from zero up to but without one, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(u16);

impl Chance {
    /// The least.
    #[cfg(test)]
    pub const ZERO: Self = Self(0);

    /// The most.
    #[cfg(test)]
    pub const MOST: Self = Self(999);

    /// The part of 1,000; more counts as 999.
    pub fn per_mille(part: u16) -> Self {
        Self(part.min(999))
    }

    /// That part of a duration.
    pub fn of(self, whole: Duration) -> Duration {
        whole.saturating_mul(u32::from(self.0)) / 1000
    }
}
