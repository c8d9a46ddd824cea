//! Settings whose usual values are others on Windows, and what goes on top of what operators say there. Pure: the
//! system is an argument.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use crate::boundary::host::PortHolder;
use crate::config::ecs_env::{PULL_INACTIVITY, RESERVED_PORTS, START_TIMEOUT, Setting};
use crate::config::{Config, Origin};
use crate::domain::host::OsType;

/// What Windows itself listens on, Docker, and the agent (`windows.md` 8).
const WINDOWS_PORTS: [u16; 11] = [
    53, 135, 139, 445, 2375, 2376, 3389, 5985, 5986, 51678, 51679,
];

/// The task server of containers has it: no task can (`windows.md` 15.4).
const TASK_SERVER_PORT: u16 = 80;

/// A container of Windows starts more slowly.
const WINDOWS_START_TIMEOUT: Duration = Duration::from_mins(8);

/// Layers are some GiB, and unpacking one says nothing meanwhile.
const WINDOWS_PULL_INACTIVITY: Duration = Duration::from_mins(3);

/// TCP ports of the host that no task may have.
pub(super) fn reserved_ports(os: OsType, config: &Config) -> BTreeSet<u16> {
    let given = &config.host.reserved_ports;
    if os == OsType::Linux {
        return given.iter().copied().collect();
    }
    let mut ports: BTreeSet<u16> = if is_default(config, &RESERVED_PORTS) {
        WINDOWS_PORTS.into()
    } else {
        given.iter().copied().collect()
    };
    if config.listen.task_address {
        ports.insert(TASK_SERVER_PORT);
    }
    ports
}

/// How long the start of a container may take.
pub(super) fn start_timeout(os: OsType, config: &Config) -> Duration {
    match os {
        OsType::Windows if is_default(config, &START_TIMEOUT) => WINDOWS_START_TIMEOUT,
        OsType::Windows | OsType::Linux => config.docker.start_timeout,
    }
}

/// How long a pull may say nothing.
pub(super) fn pull_inactivity(os: OsType, config: &Config) -> Duration {
    match os {
        OsType::Windows if is_default(config, &PULL_INACTIVITY) => WINDOWS_PULL_INACTIVITY,
        OsType::Windows | OsType::Linux => config.images.pull_inactivity,
    }
}

/// What helps where an address cannot be had, beside the system's own words.
pub(super) fn bind_advice(
    os: OsType,
    kind: io::ErrorKind,
    holder: Option<&PortHolder>,
) -> Option<String> {
    if let Some(holder) = holder {
        let name = match holder.command.as_str() {
            "" => String::new(),
            name => format!(", {name}"),
        };
        return Some(format!("process {}{name}, has the port", holder.pid));
    }
    (os == OsType::Windows && kind == io::ErrorKind::PermissionDenied).then(|| {
        "Windows may keep the port in a range of its own: see `netsh interface ipv4 show excludedportrange tcp`".to_owned()
    })
}

/// Whether nobody has said anything, or nothing that can be used.
fn is_default(config: &Config, setting: &Setting) -> bool {
    let mut effective = config.effective.iter();
    effective.any(|one| one.setting == setting.name && one.origin == Origin::Default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_reserves_its_own_ports_and_80_also_beside_those_of_the_operator() {
        for (os, pairs, expected) in [
            (OsType::Linux, &[][..], "22 2375 2376 51678 51679"),
            (
                OsType::Windows,
                &[][..],
                "53 80 135 139 445 2375 2376 3389 5985 5986 51678 51679",
            ),
            (
                OsType::Windows,
                &[("ECS_RESERVED_PORTS", "[8080]")][..],
                "80 8080",
            ),
            (OsType::Windows, &[("ECS_RESERVED_PORTS", "[80]")][..], "80"),
            (
                OsType::Windows,
                &[
                    ("ECS_RESERVED_PORTS", "[8080]"),
                    ("BERTH_TASK_ADDRESS", "False"),
                ][..],
                "8080",
            ),
            (
                OsType::Linux,
                &[("ECS_RESERVED_PORTS", "[8080]")][..],
                "8080",
            ),
        ] {
            let ports = reserved_ports(os, &Config::of_environment(pairs));
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            assert_eq!(ports.join(" "), expected, "{os:?} {pairs:?}");
        }
    }

    #[test]
    fn who_has_a_port_is_named_and_so_is_a_range_of_windows() {
        let named = |pid, command: &str| PortHolder {
            pid,
            command: command.to_owned(),
        };
        let (iis, nameless) = (named(4, "HTTP service of Windows"), named(7, ""));
        for (os, kind, holder, words) in [
            (
                OsType::Windows,
                io::ErrorKind::AddrInUse,
                Some(&iis),
                Some("process 4, HTTP service of Windows, has the port"),
            ),
            (
                OsType::Linux,
                io::ErrorKind::AddrInUse,
                Some(&nameless),
                Some("process 7, has the port"),
            ),
            (OsType::Linux, io::ErrorKind::PermissionDenied, None, None),
            (OsType::Windows, io::ErrorKind::AddrInUse, None, None),
        ] {
            assert_eq!(bind_advice(os, kind, holder).as_deref(), words);
        }
        let range = bind_advice(OsType::Windows, io::ErrorKind::PermissionDenied, None);
        assert!(range.is_some_and(|words| words.contains("excludedportrange")));
    }

    #[test]
    fn windows_has_more_patience_unless_the_operator_has_less() {
        let usual = Config::of_environment(&[]);
        let minutes = Duration::from_mins;
        assert_eq!(start_timeout(OsType::Windows, &usual), minutes(8));
        assert_eq!(pull_inactivity(OsType::Windows, &usual), minutes(3));
        assert_eq!(start_timeout(OsType::Linux, &usual), minutes(3));
        assert_eq!(pull_inactivity(OsType::Linux, &usual), minutes(1));
        let said = Config::of_environment(&[
            ("ECS_CONTAINER_START_TIMEOUT", "4m"),
            ("ECS_IMAGE_PULL_INACTIVITY_TIMEOUT", "2m"),
        ]);
        assert_eq!(start_timeout(OsType::Windows, &said), minutes(4));
        assert_eq!(pull_inactivity(OsType::Windows, &said), minutes(2));
    }
}
