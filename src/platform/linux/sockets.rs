//! Which processes hold a port: the kernel's socket tables, then every process's descriptors.
//!
//! Needs root to see processes of others; what cannot be seen is as if it were not there.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::boundary::host::PortHolder;
use crate::domain::port_mapping::Protocol;
use crate::platform::port_table;

/// The process that keeps sockets for others, and has them beside those who use them.
const INIT: u32 = 1;

/// A process that holds the port at any address. Reads all of `/proc`: takes some milliseconds for 1,000 processes.
pub(super) fn holder(proc: &Path, port: u16, protocol: Protocol) -> Option<PortHolder> {
    let tables = match protocol {
        Protocol::Tcp => ["net/tcp", "net/tcp6"],
        Protocol::Udp => ["net/udp", "net/udp6"],
    };
    let inodes = read(proc, tables)
        .iter()
        .flat_map(|table| port_table::holders(table, port))
        .collect();
    let (keepers, users): (Vec<_>, Vec<_>) =
        processes(proc, &inodes).partition(|holder| holder.pid == INIT);
    users.into_iter().chain(keepers).next()
}

/// All processes that have a socket which takes connections to this address: one that listens there, else one that
/// listens at all addresses. Takes as long.
pub(super) fn listeners(proc: &Path, address: SocketAddr) -> Vec<PortHolder> {
    let tables = read(proc, ["net/tcp", "net/tcp6"]);
    let sockets = tables.iter().flat_map(|table| port_table::sockets(table));
    let at_port: Vec<_> = sockets
        .map(|(at, inode)| (at.ip().to_canonical(), at.port(), inode))
        .filter(|(_, port, _)| *port == address.port())
        .collect();
    let ip = address.ip().to_canonical();
    let is_there = at_port.iter().any(|(at, _, _)| *at == ip);
    let inodes = at_port
        .into_iter()
        .filter(|(at, _, _)| {
            if is_there {
                *at == ip
            } else {
                at.is_unspecified()
            }
        })
        .map(|(_, _, inode)| inode)
        .collect();
    processes(proc, &inodes).collect()
}

fn read(proc: &Path, tables: [&str; 2]) -> Vec<String> {
    let texts = tables.map(|table| fs::read_to_string(proc.join(table)).ok());
    texts.into_iter().flatten().collect()
}

/// The processes that have any of these sockets.
fn processes(proc: &Path, inodes: &BTreeSet<u64>) -> impl Iterator<Item = PortHolder> {
    let entries = (!inodes.is_empty()).then(|| fs::read_dir(proc));
    let entries = entries.into_iter().flatten().flatten().flatten();
    entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        if !has_any(&entry.path().join("fd"), inodes) {
            return None;
        }
        let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        Some(PortHolder {
            pid,
            command: command.trim().to_owned(),
        })
    })
}

fn has_any(descriptors: &Path, inodes: &BTreeSet<u64>) -> bool {
    let Ok(entries) = fs::read_dir(descriptors) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let target = fs::read_link(entry.path()).ok();
        let inode = target
            .as_deref()
            .and_then(Path::to_str)
            .and_then(port_table::socket_inode);
        inode.is_some_and(|inode| inodes.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn this_process_is_found_by_its_ports() {
        let proc = Path::new("/proc");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tcp = listener.local_addr().unwrap().port();
        let udp = socket.local_addr().unwrap().port();
        for (port, protocol) in [(tcp, Protocol::Tcp), (udp, Protocol::Udp)] {
            let holder = holder(proc, port, protocol).unwrap();
            assert_eq!(holder.pid, std::process::id(), "{protocol}");
            assert!(!holder.command.is_empty());
        }
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, tcp));
        let pids: Vec<u32> = listeners(proc, here).iter().map(|one| one.pid).collect();
        assert_eq!(pids, [std::process::id()]);
        drop(listener);
        assert_eq!(holder(proc, tcp, Protocol::Tcp), None);
        assert_eq!(listeners(proc, here), []);
    }

    /// Goal: whoever uses a socket is found beside the service manager that keeps it, and nobody who has the same port
    /// of another address.
    #[cfg(target_endian = "little")]
    #[test]
    fn all_who_have_the_socket_at_an_address_are_found_and_no_others() {
        let shown = tempfile::tempdir().unwrap();
        let proc = shown.path();
        let process = |pid: u32, command: &str, inode: u64| {
            let place = proc.join(pid.to_string());
            fs::create_dir_all(place.join("fd")).unwrap();
            fs::write(place.join("comm"), format!("{command}\n")).unwrap();
            let socket = format!("socket:[{inode}]");
            std::os::unix::fs::symlink(socket, place.join("fd/3")).unwrap();
        };
        process(1, "systemd", 10);
        process(70, "berth", 10);
        process(80, "nginx", 20);
        process(90, "apache2", 30);
        let line = |address: &str, inode: u64| {
            format!("0: {address}:0050 00000000:0000 0A 0:0 00:0 0 0 0 {inode}\n")
        };
        let tables = line("02AAFEA9", 10) + &line("0500000A", 20);
        fs::create_dir(proc.join("net")).unwrap();
        fs::write(proc.join("net/tcp"), tables).unwrap();
        let at = |ip: &str| -> Vec<String> {
            let ip: IpAddr = ip.parse().unwrap();
            let mut found = listeners(proc, (ip, 80).into());
            found.sort_by_key(|one| one.pid);
            found.into_iter().map(|one| one.command).collect()
        };
        assert_eq!(at("169.254.170.2"), ["systemd", "berth"]);
        assert_eq!(at("10.0.0.5"), ["nginx"]);
        assert!(at("127.0.0.1").is_empty());
        // One at all addresses, for IPv4 as well.
        fs::write(proc.join("net/tcp6"), line(&"0".repeat(32), 30)).unwrap();
        assert_eq!(at("127.0.0.1"), ["apache2"]);
        assert_eq!(at("10.0.0.5"), ["nginx"]);
        let any = holder(proc, 80, Protocol::Tcp).unwrap();
        assert_ne!(any.command, "systemd", "it only keeps it");
    }
}
