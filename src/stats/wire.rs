//! The JSON of Docker's statistics, as task metadata shows it.
//!
//! Members, their order, and which of them are left out at 0 are those of Docker's API 1.30, which ECS agents show.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// One container.
#[derive(Debug, Serialize)]
pub(super) struct Sample<'a> {
    pub(super) read: String,
    pub(super) preread: String,
    pub(super) pids_stats: PidsStats,
    pub(super) blkio_stats: BlkioStats<'a>,
    pub(super) num_procs: u32,
    pub(super) storage_stats: StorageStats,
    pub(super) cpu_stats: CpuStats<'a>,
    pub(super) precpu_stats: CpuStats<'a>,
    pub(super) memory_stats: MemoryStats<'a>,
    pub(super) name: String,
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) networks: Option<BTreeMap<&'a str, Interface>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_rate_stats: Option<NetworkRates>,
}

/// Processes.
#[derive(Debug, Serialize)]
pub(super) struct PidsStats {
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) current: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) limit: u64,
}

/// Block devices: `null` where the kernel does not count (v2), a list where it does.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "Docker's names")]
pub(super) struct BlkioStats<'a> {
    pub(super) io_service_bytes_recursive: Vec<BlkioEntry<'a>>,
    pub(super) io_serviced_recursive: Vec<BlkioEntry<'a>>,
    pub(super) io_queue_recursive: Option<[u8; 0]>,
    pub(super) io_service_time_recursive: Option<[u8; 0]>,
    pub(super) io_wait_time_recursive: Option<[u8; 0]>,
    pub(super) io_merged_recursive: Option<[u8; 0]>,
    pub(super) io_time_recursive: Option<[u8; 0]>,
    pub(super) sectors_recursive: Option<[u8; 0]>,
}

/// One counter.
#[derive(Debug, Serialize)]
pub(super) struct BlkioEntry<'a> {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) op: &'a str,
    pub(super) value: u64,
}

/// Windows fills it.
#[derive(Debug, Default, Serialize)]
pub(super) struct StorageStats {}

/// CPU.
#[derive(Debug, Default, Serialize)]
pub(super) struct CpuStats<'a> {
    pub(super) cpu_usage: CpuTimes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) system_cpu_usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) online_cpus: u64,
    pub(super) throttling_data: Throttling,
}

/// CPU times in nanoseconds.
#[derive(Debug, Default, Serialize)]
pub(super) struct CpuTimes<'a> {
    pub(super) total_usage: u64,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    pub(super) percpu_usage: &'a [u64],
    pub(super) usage_in_kernelmode: u64,
    pub(super) usage_in_usermode: u64,
}

/// Quota.
#[derive(Debug, Default, Serialize)]
pub(super) struct Throttling {
    pub(super) periods: u64,
    pub(super) throttled_periods: u64,
    pub(super) throttled_time: u64,
}

/// Memory.
#[derive(Debug, Serialize)]
pub(super) struct MemoryStats<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) max_usage: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) stats: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) failcnt: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) limit: u64,
}

/// One interface.
#[derive(Debug, Serialize)]
pub(super) struct Interface {
    pub(super) rx_bytes: u64,
    pub(super) rx_packets: u64,
    pub(super) rx_errors: u64,
    pub(super) rx_dropped: u64,
    pub(super) tx_bytes: u64,
    pub(super) tx_packets: u64,
    pub(super) tx_errors: u64,
    pub(super) tx_dropped: u64,
}

/// Rates, version 4 only.
#[derive(Debug, Serialize)]
pub(super) struct NetworkRates {
    #[serde(serialize_with = "as_go")]
    pub(super) rx_bytes_per_sec: f64,
    #[serde(serialize_with = "as_go")]
    pub(super) tx_bytes_per_sec: f64,
}

/// As Go writes it: without a fraction that is zero.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn as_go<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match value.to_string().parse::<u64>() {
        Ok(whole) => serializer.serialize_u64(whole),
        Err(_) => serializer.serialize_f64(*value),
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
