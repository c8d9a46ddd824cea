//! A container's use in the shape of Docker's statistics.

use jiff::Timestamp;

use super::snapshot::ContainerUsage;
use super::wire::{
    BlkioEntry, BlkioStats, CpuStats, CpuTimes, Interface, MemoryStats, NetworkRates, PidsStats,
    Sample, StorageStats, Throttling,
};
use crate::domain::ids::UnixMillis;
use crate::domain::usage::{
    CgroupVersion, ContainerSample, InterfaceCounters, IoEntry, MemoryUsage,
};

/// What Docker says of a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Whether rates of the network are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRate {
    /// As soon as there are two readings: metadata version 4.
    Shown,
    /// Never: versions 2 and 3, and Docker itself.
    Hidden,
}

/// The JSON object; `None` until the container was read once.
pub fn docker_stats(usage: &ContainerUsage, rate: NetworkRate) -> Option<Vec<u8>> {
    let latest = usage.latest.as_deref()?;
    let previous = usage.previous.as_deref();
    let rates = usage.rates.filter(|_| rate == NetworkRate::Shown);
    let stats = Sample {
        read: time(latest.at),
        preread: previous.map_or_else(|| NEVER.to_owned(), |previous| time(previous.at)),
        pids_stats: PidsStats {
            current: latest.pids.current,
            limit: latest.pids.limit.unwrap_or(0),
        },
        blkio_stats: blkio(latest),
        num_procs: 0,
        storage_stats: StorageStats {},
        cpu_stats: cpu(latest),
        precpu_stats: previous.map(cpu).unwrap_or_default(),
        memory_stats: memory(&latest.memory),
        name: format!("/{}", usage.docker_name),
        id: usage.docker_id.as_str(),
        networks: latest.network.as_ref().map(|network| {
            let interfaces = network.interfaces.iter();
            interfaces
                .map(|(name, counters)| (&**name, interface(*counters)))
                .collect()
        }),
        network_rate_stats: rates
            .filter(|_| latest.network.is_some())
            .map(|rates| NetworkRates {
                rx_bytes_per_sec: rates.rx_bytes,
                tx_bytes_per_sec: rates.tx_bytes,
            }),
    };
    // Plain data with text keys: it cannot fail.
    serde_json::to_vec(&stats).ok()
}

fn time(at: UnixMillis) -> String {
    let time = Timestamp::from_millisecond(at.0).unwrap_or_default();
    format!("{time:.3}")
}

fn blkio(sample: &ContainerSample) -> BlkioStats<'_> {
    // What v1 could count with schedulers of the past is empty; what v2 never could is null.
    let uncounted = match sample.version {
        CgroupVersion::V1 => Some([]),
        CgroupVersion::V2 => None,
    };
    BlkioStats {
        io_service_bytes_recursive: entries(&sample.io.bytes),
        io_serviced_recursive: entries(&sample.io.operations),
        io_queue_recursive: uncounted,
        io_service_time_recursive: uncounted,
        io_wait_time_recursive: uncounted,
        io_merged_recursive: uncounted,
        io_time_recursive: uncounted,
        sectors_recursive: uncounted,
    }
}

fn entries(list: &[IoEntry]) -> Vec<BlkioEntry<'_>> {
    let entries = list.iter().map(|entry| BlkioEntry {
        major: entry.major,
        minor: entry.minor,
        op: &entry.op,
        value: entry.value,
    });
    entries.collect()
}

fn cpu(sample: &ContainerSample) -> CpuStats<'_> {
    let cpu = &sample.cpu;
    CpuStats {
        cpu_usage: CpuTimes {
            total_usage: cpu.total_ns,
            percpu_usage: &cpu.per_cpu_ns,
            usage_in_kernelmode: cpu.kernel_ns,
            usage_in_usermode: cpu.user_ns,
        },
        system_cpu_usage: sample.host_cpu.total_ns,
        online_cpus: sample.host_cpu.online.into(),
        throttling_data: Throttling {
            periods: cpu.periods,
            throttled_periods: cpu.throttled_periods,
            throttled_time: cpu.throttled_ns,
        },
    }
}

fn memory(memory: &MemoryUsage) -> MemoryStats<'_> {
    let stats = memory.stats.iter();
    MemoryStats {
        usage: memory.usage,
        max_usage: memory.max_usage,
        stats: stats.map(|(key, value)| (&**key, *value)).collect(),
        failcnt: memory.failures,
        limit: memory.limit,
    }
}

fn interface(counters: InterfaceCounters) -> Interface {
    Interface {
        rx_bytes: counters.rx_bytes,
        rx_packets: counters.rx_packets,
        rx_errors: counters.rx_errors,
        rx_dropped: counters.rx_dropped,
        tx_bytes: counters.tx_bytes,
        tx_packets: counters.tx_packets,
        tx_errors: counters.tx_errors,
        tx_dropped: counters.tx_dropped,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::domain::ids::DockerId;
    use crate::domain::usage::{BlockIo, CpuUsage, HostCpu, NetworkUsage, Pids};
    use crate::stats::aggregate::Rates;

    fn sample(version: CgroupVersion, second: u64) -> Arc<ContainerSample> {
        let counters = InterfaceCounters {
            rx_bytes: 626,
            rx_packets: 7,
            ..InterfaceCounters::default()
        };
        Arc::new(ContainerSample {
            at: UnixMillis(1_795_453_000_093).plus(Duration::from_secs(second)),
            taken: Duration::from_secs(second),
            version,
            cpu: CpuUsage {
                total_ns: 110 + second,
                per_cpu_ns: vec![75, 35],
                kernel_ns: 50,
                user_ns: 60,
                ..CpuUsage::default()
            },
            host_cpu: HostCpu {
                total_ns: 5_332,
                busy_ns: 1,
                online: 2,
            },
            memory: MemoryUsage {
                usage: 651_264,
                max_usage: 3_817_472,
                limit: 33_554_432,
                failures: 0,
                stats: vec![("rss".into(), 5), ("cache".into(), 0)],
            },
            io: BlockIo {
                bytes: vec![IoEntry {
                    major: 8,
                    minor: 0,
                    op: "Read".into(),
                    value: 4096,
                }],
                operations: Vec::new(),
            },
            pids: Pids {
                current: 2,
                limit: None,
            },
            network: Some(NetworkUsage {
                namespace: 1,
                interfaces: BTreeMap::from([("eth0".into(), counters)]),
            }),
        })
    }

    fn usage(version: CgroupVersion) -> ContainerUsage {
        ContainerUsage {
            docker_id: DockerId::parse("1b9c").unwrap(),
            docker_name: "ecs-lab-1-main".into(),
            latest: Some(sample(version, 1)),
            previous: Some(sample(version, 0)),
            rates: Some(Rates {
                rx_bytes: 1.5,
                ..Rates::default()
            }),
        }
    }

    fn text(usage: &ContainerUsage, rate: NetworkRate) -> String {
        String::from_utf8(docker_stats(usage, rate).unwrap()).unwrap()
    }

    #[test]
    fn members_are_dockers_in_dockers_order() {
        let expected = concat!(
            r#"{"read":"2026-11-23T16:56:41.093Z","preread":"2026-11-23T16:56:40.093Z","pids_stats":{"current":2},"#,
            r#""blkio_stats":{"io_service_bytes_recursive":[{"major":8,"minor":0,"op":"Read","value":4096}],"#,
            r#""io_serviced_recursive":[],"io_queue_recursive":[],"io_service_time_recursive":[],"#,
            r#""io_wait_time_recursive":[],"io_merged_recursive":[],"io_time_recursive":[],"sectors_recursive":[]},"#,
            r#""num_procs":0,"storage_stats":{},"#,
            r#""cpu_stats":{"cpu_usage":{"total_usage":111,"percpu_usage":[75,35],"usage_in_kernelmode":50,"#,
            r#""usage_in_usermode":60},"system_cpu_usage":5332,"online_cpus":2,"#,
            r#""throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"#,
            r#""precpu_stats":{"cpu_usage":{"total_usage":110,"percpu_usage":[75,35],"usage_in_kernelmode":50,"#,
            r#""usage_in_usermode":60},"system_cpu_usage":5332,"online_cpus":2,"#,
            r#""throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"#,
            r#""memory_stats":{"usage":651264,"max_usage":3817472,"stats":{"cache":0,"rss":5},"limit":33554432},"#,
            r#""name":"/ecs-lab-1-main","id":"1b9c","networks":{"eth0":{"rx_bytes":626,"rx_packets":7,"rx_errors":0,"#,
            r#""rx_dropped":0,"tx_bytes":0,"tx_packets":0,"tx_errors":0,"tx_dropped":0}}"#,
        );
        let usage = usage(CgroupVersion::V1);
        assert_eq!(text(&usage, NetworkRate::Hidden), format!("{expected}}}"));
        assert_eq!(
            text(&usage, NetworkRate::Shown),
            format!(
                r#"{expected},"network_rate_stats":{{"rx_bytes_per_sec":1.5,"tx_bytes_per_sec":0}}}}"#
            )
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut usage = usage(CgroupVersion::V2);
        let first = ContainerSample {
            network: None,
            ..ContainerSample::clone(&sample(CgroupVersion::V2, 0))
        };
        usage.latest = Some(Arc::new(first));
        (usage.previous, usage.rates) = (None, None);
        let text = text(&usage, NetworkRate::Shown);
        assert!(
            text.contains(r#""preread":"0001-01-01T00:00:00Z""#),
            "{text}"
        );
        assert!(text.contains(r#""io_queue_recursive":null"#), "{text}");
        assert!(!text.contains("network"), "{text}");
        usage.latest = None;
        assert_eq!(docker_stats(&usage, NetworkRate::Shown), None);
    }
}
