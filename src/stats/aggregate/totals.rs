//! Counters that do not fall.

use crate::domain::usage::{ContainerSample, NetworkUsage};

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes read from block devices.
    pub read_bytes: u64,
    /// Bytes written to block devices.
    pub written_bytes: u64,
}

impl Totals {
    /// What has come since `earlier`. A counter that fell has begun anew, so all of it has come since.
    #[must_use]
    pub fn grown_since(self, earlier: Self) -> Self {
        let grown = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        self.with(earlier, grown)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// Without the network's counters.
    #[must_use]
    pub(super) fn without_network(self) -> Self {
        Self {
            rx_bytes: 0,
            tx_bytes: 0,
            ..self
        }
    }

    fn with(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            cpu_ns: join(self.cpu_ns, other.cpu_ns),
            rx_bytes: join(self.rx_bytes, other.rx_bytes),
            tx_bytes: join(self.tx_bytes, other.tx_bytes),
            read_bytes: join(self.read_bytes, other.read_bytes),
            written_bytes: join(self.written_bytes, other.written_bytes),
        }
    }
}

/// The counters of a reading.
pub(super) fn counters(sample: &ContainerSample) -> Totals {
    let network = sample.network.as_ref();
    Totals {
        cpu_ns: sample.cpu.total_ns,
        rx_bytes: network.map_or(0, NetworkUsage::received_bytes),
        tx_bytes: network.map_or(0, NetworkUsage::sent_bytes),
        read_bytes: sample.io.read_bytes(),
        written_bytes: sample.io.written_bytes(),
    }
}
