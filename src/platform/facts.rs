//! What the engine may know of the host, put together from what Docker, the system and the operator say. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::os_family::OsVersion;
use crate::domain::host::{CgroupSupport, Gpus, HostFacts, OsType};
use crate::domain::port_mapping::Protocol;
use crate::domain::runtime::RuntimeInfo;

/// CPU units of one core.
const UNITS_PER_CPU: u32 = 1024;

/// Bytes of one MiB.
const MIB: u64 = 1024 * 1024;

/// What the operating system says the host has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Logical CPUs.
    pub cpus: u32,
    /// Memory in bytes; 0 if it is not known.
    pub memory_bytes: u64,
}

/// What the operator says about the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactSettings {
    /// `ECS_RESERVED_MEMORY`, in MiB.
    pub reserved_memory_mib: u32,
    /// `ECS_RESERVED_PORTS`.
    pub reserved_ports: BTreeSet<u16>,
    /// The one of them at which the agent answers containers.
    pub front_port: Option<u16>,
    /// `ECS_RESERVED_PORTS_UDP`.
    pub reserved_ports_udp: BTreeSet<u16>,
    /// `ECS_DYNAMIC_HOST_PORT_RANGE`; `None` = the system's.
    pub dynamic_ports: Option<(u16, u16)>,
    /// `ECS_DETAILED_OS_FAMILY`; `None` = as the system says.
    pub detailed_family: Option<String>,
    /// The file that lists the GPUs which tasks may have (`ECS_ENABLE_GPU_SUPPORT`); `None` = tasks get none.
    pub gpu_list: Option<PathBuf>,
    /// `ECS_INSTANCE_ATTRIBUTES`.
    pub attributes: BTreeMap<String, String>,
}

/// Everything that facts are made of.
#[derive(Clone, Copy, Debug)]
pub struct RawFacts<'a> {
    /// What Docker says of itself.
    pub info: &'a RuntimeInfo,
    /// What the system says; counts where Docker does not say.
    pub capacity: Capacity,
    /// Which Windows this is.
    pub os_version: &'a OsVersion,
    /// What the probe of the cgroups found.
    pub cgroups: CgroupSupport,
    /// The system's range for ports that nobody asked for by number.
    pub dynamic_ports: (u16, u16),
    /// What the list of GPUs says, where tasks get any.
    pub gpus: Option<&'a Gpus>,
    /// What the operator says.
    pub settings: &'a FactSettings,
}

/// Puts the facts together.
pub fn host_facts(raw: RawFacts<'_>) -> HostFacts {
    let RawFacts { info, settings, .. } = raw;
    let os_type = match info.os_type.as_str() {
        "windows" => OsType::Windows,
        _ => OsType::Linux,
    };
    let architecture = architecture(&info.architecture);
    let said_or = |said: u64, known: u64| if said > 0 { said } else { known };
    let memory_bytes = said_or(info.memory_bytes, raw.capacity.memory_bytes);
    let memory_mib = u32::try_from(memory_bytes / MIB).unwrap_or(u32::MAX);
    let cpus = cpus(os_type, info.cpus, raw.capacity.cpus);
    HostFacts {
        os_type,
        cpu_architecture: architecture.to_uppercase(),
        cpu_units: cpus.saturating_mul(UNITS_PER_CPU),
        memory_mib: memory_mib.saturating_sub(settings.reserved_memory_mib),
        reserved_ports: reserved_ports(settings),
        front_port: settings.front_port,
        dynamic_ports: settings.dynamic_ports.unwrap_or(raw.dynamic_ports),
        cgroups: raw.cgroups,
        log_drivers: info.log_drivers.iter().cloned().collect(),
        volume_drivers: info.volume_drivers.iter().cloned().collect(),
        swap_limit: info.swap_limit,
        selinux: has_security_option(info, "selinux"),
        apparmor: has_security_option(info, "apparmor"),
        runtime_version: info.version.clone(),
        gpus: raw.gpus.cloned(),
        attributes: attributes(os_type, architecture, raw),
    }
}

/// What Docker says before what the system says. On Windows Docker counts the CPUs of one group of processors, 64 at
/// most, and the system those of all (`windows.md` 11.1).
fn cpus(os_type: OsType, docker: u32, system: u32) -> u32 {
    match os_type {
        OsType::Windows => docker.max(system),
        OsType::Linux if docker > 0 => docker,
        OsType::Linux => system,
    }
}

/// Docker's word in the spelling of the attribute `ecs.cpu-architecture`. `runtimePlatform` has it in capitals.
fn architecture(docker: &str) -> &str {
    match docker {
        "amd64" => "x86_64",
        "aarch64" => "arm64",
        "i686" | "386" => "i386",
        other => other,
    }
}

fn reserved_ports(settings: &FactSettings) -> BTreeSet<(u16, Protocol)> {
    let tcp = settings
        .reserved_ports
        .iter()
        .map(|&port| (port, Protocol::Tcp));
    let udp = settings
        .reserved_ports_udp
        .iter()
        .map(|&port| (port, Protocol::Udp));
    tcp.chain(udp).collect()
}

/// Docker lists `name=selinux` or `name=seccomp,profile=default`; older engines the bare word.
fn has_security_option(info: &RuntimeInfo, name: &str) -> bool {
    let mut options = info.security_options.iter();
    options.any(|option| {
        let first = option.split(',').next().unwrap_or_default();
        first.strip_prefix("name=").unwrap_or(first) == name
    })
}

/// The agent's own attributes win over the operator's. What only ECS or the cloud knows (`ecs.instance-type`,
/// `ecs.availability-zone`) is not there.
fn attributes(os_type: OsType, architecture: &str, raw: RawFacts<'_>) -> BTreeMap<String, String> {
    let family = match os_type {
        OsType::Linux => "LINUX".to_owned(),
        OsType::Windows => raw.os_version.family(),
    };
    let said = raw.settings.detailed_family.as_ref();
    let said = said.or(raw.os_version.distribution.as_ref());
    let detailed = match os_type {
        OsType::Linux => said.unwrap_or(&family),
        OsType::Windows => &family,
    };
    let own = [
        ("ecs.os-type", os_type.as_str()),
        ("ecs.os-family", &family),
        ("ecs.os-type-detailed", detailed),
        ("ecs.cpu-architecture", architecture),
    ];
    let mut attributes = raw.settings.attributes.clone();
    attributes.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> RuntimeInfo {
        RuntimeInfo {
            version: "20.10.24".to_owned(),
            api_version: "1.41".to_owned(),
            os_type: "linux".to_owned(),
            architecture: "aarch64".to_owned(),
            cpus: 2,
            memory_bytes: 4096 * MIB,
            cgroup_version: "1".to_owned(),
            cgroup_driver: "cgroupfs".to_owned(),
            log_drivers: vec!["json-file".to_owned()],
            volume_drivers: vec!["local".to_owned()],
            swap_limit: true,
            security_options: vec![
                "name=apparmor".to_owned(),
                "name=seccomp,profile=default".to_owned(),
            ],
            root_dir: "/var/lib/docker".to_owned(),
            os_version: None,
            isolation: String::new(),
        }
    }

    fn facts(info: &RuntimeInfo, settings: &FactSettings) -> HostFacts {
        host_facts(RawFacts {
            info,
            capacity: Capacity {
                cpus: 8,
                memory_bytes: 1024 * MIB,
            },
            os_version: &OsVersion {
                build: Some(20348),
                installation: Some("Server Core".to_owned()),
                distribution: Some("debian_12".to_owned()),
            },
            cgroups: CgroupSupport::V1,
            dynamic_ports: (32768, 60999),
            gpus: None,
            settings,
        })
    }

    #[test]
    fn docker_counts_before_the_system_and_reserves_are_taken_off() {
        let settings = FactSettings {
            reserved_memory_mib: 96,
            reserved_ports: [22].into(),
            reserved_ports_udp: [53].into(),
            ..FactSettings::default()
        };
        let facts = facts(&info(), &settings);
        assert_eq!((facts.cpu_units, facts.memory_mib), (2048, 4000));
        assert_eq!(
            facts.reserved_ports,
            [(22, Protocol::Tcp), (53, Protocol::Udp)].into()
        );
        assert_eq!(facts.dynamic_ports, (32768, 60999));
        assert_eq!(
            (facts.selinux, facts.apparmor, facts.swap_limit),
            (false, true, true)
        );
    }

    #[test]
    fn what_docker_does_not_say_the_system_does() {
        let silent = RuntimeInfo {
            cpus: 0,
            memory_bytes: 0,
            ..info()
        };
        let settings = FactSettings {
            reserved_memory_mib: 5000,
            dynamic_ports: Some((40000, 41000)),
            ..FactSettings::default()
        };
        let facts = facts(&silent, &settings);
        assert_eq!((facts.cpu_units, facts.memory_mib), (8192, 0));
        assert_eq!(facts.dynamic_ports, (40000, 41000));
    }

    #[test]
    fn attributes_are_spelt_as_ecs_does_and_cannot_be_overridden() {
        let settings = FactSettings {
            attributes: [("stack", "prod"), ("ecs.os-type", "windows")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..FactSettings::default()
        };
        let facts = facts(&info(), &settings);
        let attributes: Vec<_> = facts
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            attributes,
            [
                ("ecs.cpu-architecture", "arm64"),
                ("ecs.os-family", "LINUX"),
                ("ecs.os-type", "linux"),
                ("ecs.os-type-detailed", "debian_12"),
                ("stack", "prod"),
            ]
        );
        assert_eq!(facts.cpu_architecture, "ARM64");
        let settings = FactSettings {
            detailed_family: Some("mine".to_owned()),
            ..FactSettings::default()
        };
        let facts = super::tests::facts(&info(), &settings);
        assert_eq!(facts.attributes["ecs.os-type-detailed"], "mine");
    }

    #[test]
    fn a_host_of_windows_containers_says_which_windows_it_is() {
        let windows = RuntimeInfo {
            os_type: "windows".to_owned(),
            architecture: "x86_64".to_owned(),
            ..info()
        };
        let facts = facts(&windows, &FactSettings::default());
        let value = |name: &str| facts.attributes.get(name).map(String::as_str);
        assert_eq!(value("ecs.os-type"), Some("windows"));
        assert_eq!(value("ecs.os-family"), Some("WINDOWS_SERVER_2022_CORE"));
        assert_eq!(value("ecs.os-type-detailed"), value("ecs.os-family"));
    }

    #[test]
    fn all_cpus_of_windows_count_and_those_that_docker_has_elsewhere() {
        for (os_type, docker, system, counts) in [
            (OsType::Linux, 2, 8, 2),
            (OsType::Linux, 0, 8, 8),
            // Two groups, and a system that does not say.
            (OsType::Windows, 64, 96, 96),
            (OsType::Windows, 48, 0, 48),
            (OsType::Windows, 0, 4, 4),
        ] {
            assert_eq!(cpus(os_type, docker, system), counts, "{os_type:?}");
        }
    }

    #[test]
    fn architectures_have_ecs_names() {
        for (docker, ecs) in [("x86_64", "x86_64"), ("aarch64", "arm64"), ("i686", "i386")] {
            assert_eq!(architecture(docker), ecs);
        }
    }
}
