//! Who has a port, of what `netstat` and `tasklist` of Windows print. Pure.

use super::task_host::ADDRESS;
use crate::domain::port_mapping::Protocol;

/// Windows itself: its HTTP service listens in the name of this process, for IIS and others.
const SYSTEM_PROCESS: u32 = 4;

/// Arguments of `netstat` that list sockets with numbers and processes.
pub(super) fn netstat_args(protocol: Protocol) -> Vec<String> {
    let name = match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    ["-a", "-n", "-o", "-p", name].map(str::to_owned).into()
}

/// Arguments of `tasklist` that show one process as a line of texts in quotes.
pub(super) fn tasklist_args(pid: u32) -> Vec<String> {
    let filter = format!("PID eq {pid}");
    ["/FI", &filter, "/FO", "CSV", "/NH"]
        .map(str::to_owned)
        .into()
}

/// Process that listens at the port: of several the one at the address of the task server, else one at all addresses,
/// else any. The word for the state is in the language of the host, so who listens is told by the other end, which has
/// no port.
pub(super) fn process_of_port(printed: &str, port: u16, protocol: Protocol) -> Option<u32> {
    let end = format!(":{port}");
    let listeners = printed.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, foreign, .., process] = fields.as_slice() else {
            return None;
        };
        let listens = match protocol {
            Protocol::Tcp => foreign.ends_with(":0"),
            Protocol::Udp => *foreign == "*:*",
        };
        let address = local.strip_suffix(&end).filter(|_| listens)?;
        Some((distance(address), process.parse().ok()?))
    });
    listeners
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, process)| process)
}

/// How far from the address of the task server somebody listens.
fn distance(address: &str) -> u8 {
    if address == ADDRESS.to_string() {
        0
    } else if ["0.0.0.0", "[::]"].contains(&address) {
        1
    } else {
        2
    }
}

/// Name of the process, for people.
pub(super) fn name_of_process(printed: &str, pid: u32) -> Option<String> {
    if pid == SYSTEM_PROCESS {
        return Some("HTTP service of Windows".to_owned());
    }
    let number = format!("\"{pid}\"");
    let line = printed.lines().find(|line| line.contains(&number))?;
    let name = line.split('"').nth(1)?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\r\nActive Connections\r\n\r\n  \
        Proto  Local Address          Foreign Address        State           PID\r\n  \
        TCP    0.0.0.0:80             0.0.0.0:0              LISTENING       4\r\n  \
        TCP    10.0.0.1:8080          10.0.0.9:51000         ESTABLISHED     5\r\n  \
        TCP    127.0.0.1:51678        0.0.0.0:0              ABHÖREN         77\r\n  \
        UDP    0.0.0.0:53             *:*                                    9\r\n";

    #[test]
    fn who_listens_is_told_in_any_language() {
        for (port, protocol, process) in [
            (80, Protocol::Tcp, Some(4)),
            (51678, Protocol::Tcp, Some(77)),
            (53, Protocol::Udp, Some(9)),
            (8080, Protocol::Tcp, None),
            (0, Protocol::Tcp, None),
            (53, Protocol::Tcp, None),
        ] {
            assert_eq!(process_of_port(PRINTED, port, protocol), process, "{port}");
        }
        assert_eq!(netstat_args(Protocol::Udp).join(" "), "-a -n -o -p UDP");
    }

    /// A web server at another address of the host does not keep the agent from its own.
    #[test]
    fn of_several_the_one_in_the_way_of_the_task_server_is_told() {
        let line = |address: &str, process: u32| {
            format!("  TCP    {address}:80    0.0.0.0:0    LISTENING    {process}\r\n")
        };
        let (other, all) = (line("10.0.0.1", 5), line("0.0.0.0", 4));
        let (ours, longer) = (line("169.254.170.2", 7), line("1169.254.170.2", 6));
        for (printed, process) in [
            (format!("{other}{all}{ours}"), 7),
            (format!("{longer}{all}{other}"), 4),
            (format!("{longer}{other}"), 6),
        ] {
            let found = process_of_port(&printed, 80, Protocol::Tcp);
            assert_eq!(found, Some(process), "{printed}");
        }
    }

    #[test]
    fn a_process_is_named_and_windows_itself_by_what_it_does() {
        let printed = "\"nginx.exe\",\"77\",\"Services\",\"0\",\"9,000 K\"\r\n";
        assert_eq!(name_of_process(printed, 77).as_deref(), Some("nginx.exe"));
        assert_eq!(name_of_process("INFO: No tasks\r\n", 77), None);
        assert!(name_of_process("", 4).unwrap().contains("HTTP service"));
        assert_eq!(tasklist_args(7).join(" "), "/FI PID eq 7 /FO CSV /NH");
    }
}
