//! What the host has, and who the agent is on it.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::platform::facts::Capacity;
use crate::platform::os_family::OsVersion;
use crate::platform::port_table;

/// CPUs that the agent may use, and the memory of the host. What cannot be read is 0.
pub fn capacity() -> Capacity {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    Capacity {
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
        memory_bytes: memory_bytes(&read("/proc/meminfo")),
    }
}

/// First and last port that the kernel draws from when nobody asks for a number, less what the host reserves.
pub fn dynamic_ports() -> (u16, u16) {
    let settings = Path::new("/proc/sys/net/ipv4");
    let range = read(settings.join("ip_local_port_range"));
    let reserved = read(settings.join("ip_local_reserved_ports"));
    port_table::dynamic_range(&range, &reserved)
}

/// What the agent does without here: nothing.
pub fn missing_here() -> &'static [&'static str] {
    &[]
}

/// Which distribution this is.
pub fn os_version() -> OsVersion {
    OsVersion::of_release(&read("/etc/os-release"))
}

/// Whether the kernel is in FIPS mode.
pub fn in_fips_mode() -> bool {
    read("/proc/sys/crypto/fips_enabled").trim() == "1"
}

/// What cloud-init says of this boot, JSON; empty where it says nothing. Its result comes when it has ended, which may be
/// after the agent has begun; where it looks is in its status as soon as there is a network.
pub fn cloud_init_result() -> String {
    let result = read("/var/lib/cloud/data/result.json");
    if result.is_empty() {
        read("/run/cloud-init/status.json")
    } else {
        result
    }
}

/// Whoever may write where the system's files lie is root.
///
/// # Errors
/// None.
pub fn is_of_administrators(_file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Whether the agent runs as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Files of the kernel are small and answer at once. One that is not there is as good as empty.
fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// `MemTotal` of `/proc/meminfo`, which counts in kibibytes.
fn memory_bytes(meminfo: &str) -> u64 {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_bytes() {
        let meminfo = "MemTotal:       16316412 kB\nMemFree:         1234 kB\n";
        assert_eq!(memory_bytes(meminfo), 16_316_412 * 1024);
        assert_eq!(memory_bytes("MemFree: 1 kB"), 0);
        assert_eq!(memory_bytes("MemTotal: x"), 0);
    }

    #[test]
    fn this_host_has_something() {
        let capacity = capacity();
        assert!(capacity.cpus > 0 && capacity.memory_bytes > 0);
        let (first, last) = dynamic_ports();
        assert!(0 < first && first <= last);
    }
}
