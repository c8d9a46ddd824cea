//! Values of one round as sets: smallest, largest, how many, all together.

use super::wire::{CwStatsSet, ULongStatsSet};

/// What 63 bits hold.
const LIMIT: u64 = i64::MAX.unsigned_abs();

/// The set of values; `None` of none.
pub(super) fn of_values(values: impl IntoIterator<Item = f64>) -> Option<CwStatsSet> {
    let values = values.into_iter().filter(|value| value.is_finite());
    values.fold(None, |set: Option<CwStatsSet>, value| {
        let set = set.unwrap_or(CwStatsSet {
            min: value,
            max: value,
            sample_count: 0,
            sum: 0.0,
        });
        Some(CwStatsSet {
            min: set.min.min(value),
            max: set.max.max(value),
            sample_count: set.sample_count.saturating_add(1),
            sum: set.sum + value,
        })
    })
}

/// The set of counters.
pub(super) fn of_counters(counters: impl IntoIterator<Item = u64>) -> ULongStatsSet {
    let (mut min, mut max, mut sum, mut count) = (u64::MAX, 0, 0_u64, 0_i64);
    for counter in counters {
        min = min.min(counter);
        max = max.max(counter);
        sum = sum.saturating_add(counter);
        count = count.saturating_add(1);
    }
    if count == 0 {
        return ULongStatsSet::default();
    }
    let ((min, overflow_min), (max, overflow_max), (sum, overflow_sum)) =
        (split(min), split(max), split(sum));
    ULongStatsSet {
        min,
        overflow_min,
        max,
        overflow_max,
        sample_count: count,
        sum,
        overflow_sum,
    }
}

/// A value and what of it does not fit (reference agent: the remainder).
fn split(value: u64) -> (i64, i64) {
    match i64::try_from(value) {
        Ok(value) => (value, 0),
        Err(_) => (i64::MAX, i64::try_from(value % LIMIT).unwrap_or(i64::MAX)),
    }
}
