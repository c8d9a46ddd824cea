//! What the host and its Docker Engine can do, probed once and handed to decisions as data.

use std::collections::{BTreeMap, BTreeSet};

use super::port_mapping::Protocol;

/// Log drivers that ECS knows by name.
pub const ECS_LOG_DRIVERS: [&str; 10] = [
    "awslogs",
    "fluentd",
    "gelf",
    "journald",
    "json-file",
    "logentries",
    "none",
    "splunk",
    "sumologic",
    "syslog",
];

/// The one of them that Docker on Windows does not have, whatever it says of itself.
pub const LOG_DRIVER_OF_LINUX: &str = "journald";

/// Facts about the host. All that a pure function may know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// `linux` or `windows`: `ecs.os-type`.
    pub os_type: OsType,
    /// CPU architecture as ECS spells it: `X86_64` or `ARM64`.
    pub cpu_architecture: String,
    /// CPU units: 1024 a core.
    pub cpu_units: u32,
    /// Memory in MiB after `ECS_RESERVED_MEMORY`.
    pub memory_mib: u32,
    /// Host ports that no task may have.
    pub reserved_ports: BTreeSet<(u16, Protocol)>,
    /// The TCP port among them at which the agent answers containers.
    pub front_port: Option<u16>,
    /// Range from which the agent draws host ports for ranges: first and last.
    pub dynamic_ports: (u16, u16),
    /// What cgroups are there.
    pub cgroups: CgroupSupport,
    /// Log drivers that Docker reports.
    pub log_drivers: BTreeSet<String>,
    /// Volume drivers that Docker reports.
    pub volume_drivers: BTreeSet<String>,
    /// Whether Docker can limit swap.
    pub swap_limit: bool,
    /// Whether Docker reports SELinux.
    pub selinux: bool,
    /// Whether Docker reports AppArmor.
    pub apparmor: bool,
    /// Docker Engine version, for people.
    pub runtime_version: String,
    /// GPUs that tasks may have; `None` = tasks get none here, which is another thing than an empty list.
    pub gpus: Option<Gpus>,
    /// Attributes for placement constraints: name to value, `ecs.os-type` and the like included.
    pub attributes: BTreeMap<String, String>,
}

/// GPUs of NVIDIA, as the list says that the set-up of their driver leaves on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gpus {
    /// Version of the driver; `None` = the list does not say.
    pub driver_version: Option<String>,
    /// Their ids.
    pub ids: BTreeSet<String>,
}

impl HostFacts {
    /// Whom a reserved port is for, in words.
    pub fn reserved_for(&self, port: u16, protocol: Protocol) -> &'static str {
        if protocol == Protocol::Tcp && self.front_port == Some(port) {
            "the agent, which answers containers there (`berth doctor` says why)"
        } else {
            "the host itself"
        }
    }
}

/// Operating system of the containers that the host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OsType {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

impl OsType {
    /// The system that this program was built for.
    pub fn of_build() -> Self {
        match std::env::consts::OS {
            "windows" => Self::Windows,
            _ => Self::Linux,
        }
    }

    /// `ecs.os-type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
        }
    }
}

/// How a task's limits are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupSupport {
    /// cgroup v1: `/ecs/<taskid>` in each controller.
    V1,
    /// cgroup v2 with Docker's systemd driver: `ecstasks-<taskid>.slice`.
    V2Systemd,
    /// cgroup v2 with Docker's cgroupfs driver: `/ecs/<taskid>`.
    V2Cgroupfs,
    /// Cannot be set here: no cgroups, not root, or another system.
    None,
}

/// What the host has of one resource and what a task wants of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceDemand {
    /// CPU units.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Host ports.
    pub ports: BTreeSet<(u16, Protocol)>,
    /// Ids of GPUs.
    pub gpus: BTreeSet<String>,
}
