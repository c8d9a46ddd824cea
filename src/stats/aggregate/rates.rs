//! What happens in a second, from two readings of the same run.

use std::time::Duration;

use super::totals::{Totals, counters};
use crate::domain::usage::{ContainerSample, HostSample};

/// Rates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// CPUs in use, as a number: 1.5 = one and a half.
    pub cpus: f64,
    /// Bytes received in a second; 0 without a network of its own.
    pub rx_bytes: f64,
    /// Bytes sent in a second.
    pub tx_bytes: f64,
    /// Bytes read from block devices in a second.
    pub read_bytes: f64,
    /// Bytes written to block devices in a second.
    pub written_bytes: f64,
}

impl Rates {
    /// Rates between two readings; `None` if no time lies between them or they are not of the same run.
    pub fn between(earlier: &ContainerSample, later: &ContainerSample) -> Option<Self> {
        if !is_same_run(earlier, later) {
            return None;
        }
        let elapsed = later.taken.checked_sub(earlier.taken)?;
        Self::of(counters(later).grown_since(counters(earlier)), elapsed)
    }

    /// Rates of what was counted within a time; `None` if that is none.
    pub(super) fn of(counted: Totals, elapsed: Duration) -> Option<Self> {
        let seconds = elapsed.as_secs_f64();
        (seconds > 0.0).then(|| Self {
            cpus: to_f64(counted.cpu_ns) / 1e9 / seconds,
            rx_bytes: to_f64(counted.rx_bytes) / seconds,
            tx_bytes: to_f64(counted.tx_bytes) / seconds,
            read_bytes: to_f64(counted.read_bytes) / seconds,
            written_bytes: to_f64(counted.written_bytes) / seconds,
        })
    }
}

/// CPUs of the host that were busy between two readings.
pub(super) fn busy_cpus(earlier: &HostSample, later: &HostSample) -> Option<f64> {
    let busy = later.cpu.busy_ns.checked_sub(earlier.cpu.busy_ns)?;
    let total = later.cpu.total_ns.checked_sub(earlier.cpu.total_ns)?;
    let online = f64::from(later.cpu.online);
    (total > 0).then(|| to_f64(busy) / to_f64(total) * online)
}

/// CPU time falls only where a run ended and another began.
pub(super) fn is_same_run(earlier: &ContainerSample, later: &ContainerSample) -> bool {
    earlier.version == later.version && later.cpu.total_ns >= earlier.cpu.total_ns
}

/// The nearest float.
fn to_f64(value: u64) -> f64 {
    let [high, low] = [value >> 32, value & 0xffff_ffff];
    let half = |value: u64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    half(high) * 4_294_967_296.0 + half(low)
}
