//! Ports and words that depend on the system. Pure: the system is an argument.

use std::collections::BTreeSet;
use std::io;

use super::task_address::TASK_SERVER;
use crate::boundary::host::PortHolder;
use crate::config::Config;
use crate::config::sections::Front;
use crate::domain::host::OsType;

/// TCP ports of the host that no task may have.
pub(super) fn reserved_ports(os: OsType, config: &Config) -> BTreeSet<u16> {
    let given = config.host.reserved_ports.iter().copied();
    given.chain(front_port(os, config)).collect()
}

/// The port of the host at which the agent itself answers containers, so that no task can have it (`windows.md` 15.4).
pub(super) fn front_port(os: OsType, config: &Config) -> Option<u16> {
    let listen = config.listen;
    let is_own = os == OsType::Windows || listen.front == Front::Own;
    (listen.at_address() && is_own).then_some(TASK_SERVER.port())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_80_is_reserved_where_the_agent_listens_there() {
        for (os, front, redirect, expected) in [
            (OsType::Windows, Front::Led, "false", Some(80)),
            (OsType::Windows, Front::Own, "true", None),
            (OsType::Linux, Front::Led, "false", None),
            (OsType::Linux, Front::Own, "false", Some(80)),
            (OsType::Linux, Front::Own, "true", None),
        ] {
            let given = [
                ("ECS_RESERVED_PORTS", "[8080]"),
                ("BERTH_TASK_REDIRECT", redirect),
            ];
            let mut config = Config::of_environment_on(os, &given);
            config.listen.front = front;
            let ports = reserved_ports(os, &config);
            let seen = (front_port(os, &config), ports.contains(&80));
            let expected = (expected, expected.is_some());
            assert_eq!(seen, expected, "{os:?} {front:?} {redirect}");
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
}
