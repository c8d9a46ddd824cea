//! Whether a network has an address, from the kernel's tables of it: pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a table such as `/proc/<pid>/net/fib_trie` has the address as one of the network's own.
pub(super) fn has_ipv4(table: &str, address: Ipv4Addr) -> bool {
    let mut inside = false;
    table.lines().any(|line| {
        let line = line.trim_start();
        // A node's address, then its routes.
        if let Some(node) = line.strip_prefix("|-- ") {
            inside = node.trim_end().parse() == Ok(address);
            return false;
        }
        inside && line.trim_end() == "/32 host LOCAL"
    })
}

/// Whether a table such as `/proc/<pid>/net/if_inet6` has the address.
pub(super) fn has_ipv6(table: &str, address: Ipv6Addr) -> bool {
    table.lines().any(|line| {
        let digits = line.split_ascii_whitespace().next().unwrap_or_default();
        digits.len() == 32 && u128::from_str_radix(digits, 16) == Ok(u128::from(address))
    })
}

/// The table of a process's network that has addresses of that family.
pub(super) fn table_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "net/fib_trie",
        IpAddr::V6(_) => "net/if_inet6",
    }
}

/// Whether that table has the address.
pub(super) fn has(table: &str, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => has_ipv4(table, address),
        IpAddr::V6(address) => has_ipv6(table, address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 172.17.0.0/16 2 0 2
        |-- 172.17.0.0
           /16 link UNICAST
        |-- 172.17.0.9
           /32 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 172.17.0.0
        /16 link UNICAST
     |-- 172.17.0.5
        /32 host LOCAL
     |-- 172.17.255.255
        /32 link BROADCAST
";

    #[test]
    fn only_the_networks_own_addresses_count() {
        for (address, expected) in [
            ("172.17.0.5", true),
            ("172.17.0.9", false),
            ("172.17.255.255", false),
            ("172.17.0.0", false),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(has(TRIE, address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn addresses_of_version_six_are_read() {
        let table = "\
fd000ec2000000000000000000000254 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
damaged
";
        for (address, expected) in [("fd00:ec2::254", true), ("::1", true), ("::2", false)] {
            assert_eq!(has(table, address.parse().unwrap()), expected, "{address}");
        }
    }
}
