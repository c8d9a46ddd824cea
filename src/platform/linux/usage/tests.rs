//! Files as kernels write them, below a root of the test's own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::{UsageOptions, UsageOs};
use crate::boundary::usage::UsageTarget;
use crate::boundary::{BoundaryError, ErrorKind, UsageSource};
use crate::domain::ids::{DockerId, TaskId};
use crate::domain::usage::{CgroupVersion, ContainerSample, InterfaceCounters, IoEntry};

const ID: &str = "348413d97bd853745a172e08444cd6feca579ff3da08c8d6128d976870697085";
const MIB: u64 = 1024 * 1024;

/// A host's trees.
struct Host {
    dir: TempDir,
    usage: UsageOs,
}

impl Host {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let usage = UsageOs::new(UsageOptions {
            cgroup_root: dir.path().join("cgroup"),
            proc_root: dir.path().join("proc"),
        });
        let host = Self { dir, usage };
        host.file(
            "proc/stat",
            "cpu  100 10 50 800 30 4 6 999 7 0\ncpu0 50 5 25 400 15 2 3 0 0 0\ncpu1 50 5 25 400 15 2 3 0 0 0\nintr 5\n",
        );
        host.file(
            "proc/meminfo",
            "MemTotal:       1048576 kB\nMemFree:         1000 kB\nMemAvailable:     524288 kB\n",
        );
        host.process(1, 4_026_531_840, "");
        host
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn process(&self, pid: u32, namespace: u64, interfaces: &str) {
        self.file(
            &format!("proc/{pid}/net/dev"),
            &format!("Inter-|   Receive\n face |bytes\n{interfaces}"),
        );
        let ns = self.dir.path().join(format!("proc/{pid}/ns"));
        fs::create_dir_all(&ns).unwrap();
        symlink(format!("net:[{namespace}]"), ns.join("net")).unwrap();
    }

    /// A container of v1 at that place, as a kernel of version 6.18 shows it.
    fn v1(&self, place: &str) {
        for (file, text) in [
            ("cpuacct/P/cpuacct.usage", "28271447\n"),
            ("cpuacct/P/cpuacct.usage_percpu", "1438555 26832892 \n"),
            ("cpuacct/P/cpuacct.stat", "user 1\nsystem 3\n"),
            (
                "cpu/P/cpu.stat",
                "nr_periods 9\nnr_throttled 2\nthrottled_time 700\nnr_bursts 0\nburst_time 0\n",
            ),
            ("memory/P/memory.usage_in_bytes", "2445312\n"),
            ("memory/P/memory.max_usage_in_bytes", "3825664\n"),
            ("memory/P/memory.failcnt", "5\n"),
            (
                "memory/P/memory.stat",
                "cache 1507328\nrss 57344\nhierarchical_memory_limit 67108864\ntotal_cache 1507328\n",
            ),
            ("memory/P/cgroup.procs", "25356\n25400\n"),
            (
                "blkio/P/blkio.throttle.io_service_bytes_recursive",
                "254:0 Read 4096\n254:0 Write 8192\n254:0 Total 12288\nTotal 12288\n",
            ),
            (
                "blkio/P/blkio.throttle.io_serviced_recursive",
                "254:0 Read 1\n",
            ),
            ("pids/P/pids.current", "2\n"),
            ("pids/P/pids.max", "max\n"),
        ] {
            self.file(&format!("cgroup/{}", file.replace('P', place)), text);
        }
    }

    /// A container of v2 at that place.
    fn v2(&self, place: &str) {
        self.file("cgroup/cgroup.controllers", "cpu io memory pids\n");
        for (file, text) in [
            (
                "cpu.stat",
                "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 4\nnr_throttled 1\nthrottled_usec 6\n",
            ),
            ("memory.current", "3145728\n"),
            ("memory.max", "max\n"),
            ("memory.stat", "anon 1048576\ninactive_file 1048576\n"),
            ("memory.events", "low 0\nhigh 0\nmax 7\noom 0\n"),
            (
                "io.stat",
                "8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1\n",
            ),
            ("pids.current", "3\n"),
            ("pids.max", "100\n"),
            ("cgroup.procs", "77\n"),
        ] {
            self.file(&format!("cgroup/{place}/{file}"), text);
        }
    }

    fn read(&self) -> Result<ContainerSample, BoundaryError> {
        let target = target();
        let mut round = self.usage.read(std::slice::from_ref(&target));
        round.containers.remove(&target.id).unwrap()
    }
}

fn target() -> UsageTarget {
    UsageTarget {
        id: DockerId::parse(ID).unwrap(),
        task: TaskId::parse("t1").unwrap(),
    }
}

const ETH0: &str = "    lo:  9 9 0 0 0 0 0 0  9 9 0 0 0 0 0 0\n tunl0:  0 0 0 0 0 0 0 0  0 0 0 0 0 0 0 0\n  eth0: 1000 10 1 2 0 0 0 0 500 5 3 4 0 0 0 0\n";

#[test]
fn a_container_of_v1_is_read() {
    let host = Host::new();
    host.v1(&format!("docker/{ID}"));
    host.process(25356, 42, ETH0);
    let sample = host.read().unwrap();
    assert_eq!(sample.version, CgroupVersion::V1);
    let cpu = &sample.cpu;
    assert_eq!(cpu.total_ns, 28_271_447);
    assert_eq!(cpu.per_cpu_ns, [1_438_555, 26_832_892]);
    assert_eq!((cpu.user_ns, cpu.kernel_ns), (10_000_000, 30_000_000));
    assert_eq!(
        (cpu.periods, cpu.throttled_periods, cpu.throttled_ns),
        (9, 2, 700)
    );
    let memory = &sample.memory;
    assert_eq!((memory.usage, memory.max_usage), (2_445_312, 3_825_664));
    assert_eq!((memory.limit, memory.failures), (64 * MIB, 5));
    assert_eq!(memory.stat("rss"), Some(57_344));
    assert_eq!(memory.working_set(sample.version), 2_445_312 - 1_507_328);
    assert_eq!(
        (sample.io.read_bytes(), sample.io.written_bytes()),
        (4096, 8192)
    );
    assert_eq!(sample.io.bytes.len(), 3, "the total names no device");
    assert_eq!(sample.io.operations.len(), 1);
    assert_eq!((sample.pids.current, sample.pids.limit), (2, None));
    let network = sample.network.unwrap();
    assert_eq!(network.namespace, 42);
    let names: Vec<&str> = network.interfaces.keys().map(|name| &**name).collect();
    assert_eq!(names, ["eth0"]);
    assert_eq!(
        network.interfaces["eth0"],
        InterfaceCounters {
            rx_bytes: 1000,
            rx_packets: 10,
            rx_errors: 1,
            rx_dropped: 2,
            tx_bytes: 500,
            tx_packets: 5,
            tx_errors: 3,
            tx_dropped: 4,
        }
    );
}

#[test]
fn a_container_of_v2_is_read() {
    let host = Host::new();
    host.v2(&format!("docker/{ID}"));
    host.process(77, 42, ETH0);
    let sample = host.read().unwrap();
    assert_eq!(sample.version, CgroupVersion::V2);
    assert_eq!(sample.cpu.total_ns, 5_000_000);
    assert!(sample.cpu.per_cpu_ns.is_empty());
    assert_eq!(
        (sample.cpu.user_ns, sample.cpu.kernel_ns),
        (3_000_000, 2_000_000)
    );
    assert_eq!(
        (sample.cpu.throttled_periods, sample.cpu.throttled_ns),
        (1, 6000)
    );
    assert_eq!(sample.memory.working_set(sample.version), 2 * MIB);
    assert_eq!(
        sample.memory.limit,
        1024 * MIB,
        "no limit: the host's memory"
    );
    assert_eq!(sample.memory.failures, 7);
    assert_eq!(
        (sample.io.read_bytes(), sample.io.written_bytes()),
        (101, 200)
    );
    assert_eq!(
        sample.io.operations.last(),
        Some(&IoEntry {
            major: 8,
            minor: 0,
            op: "write".into(),
            value: 2
        })
    );
    assert_eq!((sample.pids.current, sample.pids.limit), (3, Some(100)));
    assert_eq!(sample.network.unwrap().received_bytes(), 1000);
}

#[test]
fn a_container_is_found_wherever_engines_put_it() {
    for place in [
        format!("ecs/t1/{ID}"),
        format!("docker/{ID}"),
        format!("system.slice/docker-{ID}.scope"),
        format!("ecstasks.slice/ecstasks-t1.slice/docker-{ID}.scope"),
        // Nobody's convention: found by a search.
        format!("kube/pods/x/{ID}"),
        format!("user.slice/some-{ID}.scope"),
    ] {
        let (old, new) = (Host::new(), Host::new());
        old.v1(&place);
        new.v2(&place);
        assert_eq!(old.read().unwrap().cpu.total_ns, 28_271_447, "{place}");
        assert_eq!(new.read().unwrap().cpu.total_ns, 5_000_000, "{place}");
    }
}

#[test]
fn the_smallest_limit_above_holds() {
    let host = Host::new();
    host.v2(&format!("ecs/t1/{ID}"));
    host.file("cgroup/ecs/t1/memory.max", &(128 * MIB).to_string());
    assert_eq!(host.read().unwrap().memory.limit, 128 * MIB);
}

#[test]
fn the_hosts_network_is_not_the_containers() {
    let host = Host::new();
    host.v1(&format!("docker/{ID}"));
    host.process(25356, 4_026_531_840, ETH0);
    assert_eq!(host.read().unwrap().network, None);
}

#[test]
fn processes_may_lie_in_cgroups_below() {
    let host = Host::new();
    host.v2(&format!("docker/{ID}"));
    host.file(&format!("cgroup/docker/{ID}/cgroup.procs"), "");
    host.file(&format!("cgroup/docker/{ID}/init/cgroup.procs"), "78\n");
    host.process(78, 43, ETH0);
    assert_eq!(host.read().unwrap().network.unwrap().namespace, 43);
}

#[test]
fn a_container_that_does_not_run_is_not_found_and_another_run_is() {
    let host = Host::new();
    assert_eq!(host.read().unwrap_err().kind, ErrorKind::NotFound);
    let place = format!("docker/{ID}");
    host.v2(&place);
    assert!(host.read().is_ok());
    fs::remove_dir_all(host.dir.path().join("cgroup").join(&place)).unwrap();
    assert_eq!(host.read().unwrap_err().kind, ErrorKind::NotFound);
    // The task's cgroup is there now: the new run is in it.
    host.v2(&format!("ecs/t1/{ID}"));
    assert!(host.read().is_ok());
}

#[test]
fn rubbish_counts_as_nothing() {
    let host = Host::new();
    let place = format!("docker/{ID}");
    host.v2(&place);
    for file in ["cpu.stat", "memory.current", "memory.stat", "io.stat"] {
        host.file(
            &format!("cgroup/{place}/{file}"),
            "a\n8:x b=c\n\n: 1\n8:0 q\n",
        );
    }
    host.process(77, 42, "eth0 without a colon\neth1: 1 2\n");
    let sample = host.read().unwrap();
    assert_eq!((sample.cpu.total_ns, sample.memory.usage), (0, 0));
    assert!(sample.io.bytes.is_empty() && sample.network.unwrap().interfaces.is_empty());
}

#[test]
fn the_host_is_read() {
    let host = Host::new();
    let round = host.usage.read(&[]);
    let sample = round.host.unwrap();
    assert_eq!(sample.cpu.online, 2);
    assert_eq!(sample.cpu.total_ns, 1000 * 10_000_000);
    assert_eq!(sample.cpu.busy_ns, 170 * 10_000_000);
    assert_eq!(
        (sample.memory_total, sample.memory_available),
        (1024 * MIB, 512 * MIB)
    );
    fs::remove_file(host.dir.path().join("proc/stat")).unwrap();
    assert_eq!(host.usage.read(&[]).host, None);
}

#[test]
fn this_host_tells_of_itself() {
    let usage = UsageOs::new(UsageOptions::default());
    let round = usage.read(&[]);
    let host = round.host.unwrap();
    assert!(host.cpu.online > 0 && host.cpu.total_ns >= host.cpu.busy_ns);
    assert!(host.memory_total >= host.memory_available);
    assert!(Path::new("/proc/self/net/dev").is_file());
}
