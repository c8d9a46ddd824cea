//! Which process holds a port: the kernel's socket tables, then every process's descriptors.
//!
//! Needs root to see processes of others; what cannot be seen is as if it were not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::boundary::host::PortHolder;
use crate::domain::port_mapping::Protocol;
use crate::platform::port_table;

/// The first process found that holds the port. Reads all of `/proc`: takes some milliseconds for 1,000 processes.
pub(super) fn holder(proc: &Path, port: u16, protocol: Protocol) -> Option<PortHolder> {
    let tables = match protocol {
        Protocol::Tcp => ["net/tcp", "net/tcp6"],
        Protocol::Udp => ["net/udp", "net/udp6"],
    };
    let inodes: BTreeSet<u64> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(proc.join(table)).ok())
        .flat_map(|table| port_table::holders(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = fs::read_dir(proc).ok()?.flatten();
    processes.into_iter().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        if !has_any(&entry.path().join("fd"), &inodes) {
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
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};

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
        drop(listener);
        assert_eq!(holder(proc, tcp, Protocol::Tcp), None);
    }
}
