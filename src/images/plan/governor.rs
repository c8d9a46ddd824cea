//! How many pulls run at once: climbs while more pulls move more bytes, steps back when they move fewer.
//!
//! One disk and one network are shared by all pulls, so their sum is what counts. The governor looks at it once a
//! [`SAMPLE`], and only a sample in which all slots were busy and somebody waited says anything about the limit.

use std::time::Duration;

/// Length of a sample.
pub const SAMPLE: Duration = Duration::from_secs(5);

/// Pulls at once before anything is known: enough to overlap one pull's network with another's disk.
const START: usize = 3;

/// A change of throughput below this many percent is noise.
const NOISE_PERCENT: u64 = 10;

/// Level samples after which one more pull is tried: what was the limit a while ago need not be it now.
const TRY_AGAIN_AFTER: u8 = 6;

/// What the governor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Governor {
    limit: usize,
    max: usize,
    last_bytes: Option<u64>,
    level_samples: u8,
}

/// What happened in one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Bytes received and unpacked by all pulls.
    pub bytes: u64,
    /// Pulls that held a slot at its end.
    pub running: usize,
    /// Pulls that waited at its end.
    pub waiting: usize,
}

impl Governor {
    /// At most `max` pulls at once; 0 counts as 1.
    pub fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            limit: START.min(max),
            max,
            last_bytes: None,
            level_samples: 0,
        }
    }

    /// Pulls that may run at once, at least 1.
    pub fn limit(self) -> usize {
        self.limit
    }

    /// What it knows after one more sample.
    #[must_use]
    pub fn after(self, sample: Sample) -> Self {
        if sample.running < self.limit || sample.waiting == 0 {
            return Self {
                last_bytes: None,
                level_samples: 0,
                ..self
            };
        }
        let Some(last) = self.last_bytes else {
            return self.remember(sample.bytes).step(Step::Hold);
        };
        let noise = last.saturating_mul(NOISE_PERCENT) / 100;
        let step = if sample.bytes > last.saturating_add(noise) {
            Step::Up
        } else if sample.bytes < last.saturating_sub(noise) {
            Step::Down
        } else if self.level_samples.saturating_add(1) >= TRY_AGAIN_AFTER {
            Step::Up
        } else {
            Step::Hold
        };
        self.remember(sample.bytes).step(step)
    }

    fn remember(self, bytes: u64) -> Self {
        Self {
            last_bytes: Some(bytes),
            ..self
        }
    }

    fn step(self, step: Step) -> Self {
        let (limit, level_samples) = match step {
            Step::Up => (self.limit.saturating_add(1).min(self.max), 0),
            Step::Down => (self.limit.saturating_sub(1).max(1), 0),
            Step::Hold => (self.limit, self.level_samples.saturating_add(1)),
        };
        Self {
            limit,
            level_samples,
            ..self
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    Up,
    Down,
    Hold,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits after each sample in turn, all slots busy and one pull waiting.
    fn limits(max: usize, bytes: &[u64]) -> Vec<usize> {
        let mut governor = Governor::new(max);
        bytes
            .iter()
            .map(|&bytes| {
                governor = governor.after(Sample {
                    bytes,
                    running: governor.limit(),
                    waiting: 1,
                });
                governor.limit()
            })
            .collect()
    }

    #[test]
    fn climbs_while_throughput_grows_and_steps_back_when_it_falls() {
        assert_eq!(limits(8, &[100, 130, 160, 200]), [3, 4, 5, 6]);
        assert_eq!(limits(8, &[100, 130, 80, 40, 10]), [3, 4, 3, 2, 1]);
        assert_eq!(limits(8, &[100, 105, 100, 95]), [3, 3, 3, 3]);
    }

    #[test]
    fn stays_within_its_bounds() {
        assert_eq!(limits(2, &[100, 200, 400]), [2, 2, 2]);
        assert_eq!(limits(0, &[100, 200, 10]), [1, 1, 1]);
        assert_eq!(limits(4, &[100, 200, 400, 800]), [3, 4, 4, 4]);
    }

    #[test]
    fn tries_one_more_after_a_level_while() {
        assert_eq!(limits(8, &[100; 8]), [3, 3, 3, 3, 3, 4, 4, 4]);
    }

    #[test]
    fn learns_nothing_from_idle_slots() {
        let governor = Governor::new(8).after(Sample {
            bytes: 100,
            running: 3,
            waiting: 1,
        });
        let idle = governor.after(Sample {
            bytes: 5,
            running: 1,
            waiting: 0,
        });
        assert_eq!(idle.limit(), 3);
        assert_eq!(idle.last_bytes, None);
    }
}
