//! Which way the host reaches others, by the kernel's tables of routes.

use std::fs::File;
use std::io::{BufRead as _, BufReader};

/// A route that is in use (`RTF_UP`), and one that only refuses (`RTF_REJECT`).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// Whether there is a default route of IPv6 and none of IPv4. Where that cannot be read it is not so.
pub fn is_ipv6_only() -> bool {
    // The usual host has one of IPv4 among its first routes, and the other table is not read at all.
    any("/proc/net/route", is_default_of_ipv4) == Some(false)
        && any("/proc/net/ipv6_route", is_default_of_ipv6) == Some(true)
}

/// Whether some line of the file is such; `None` = it cannot be read.
fn any(path: &str, is_such: fn(&str) -> bool) -> Option<bool> {
    for line in BufReader::new(File::open(path).ok()?).lines() {
        if is_such(&line.ok()?) {
            return Some(true);
        }
    }
    Some(false)
}

/// Device, destination, gateway, flags, two counts, metric, mask, all but the first as hexadecimal numbers.
fn is_default_of_ipv4(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let (destination, flags) = (words.nth(1), words.nth(1));
    let mask = words.nth(3);
    [destination, mask] == [Some("00000000"); 2] && leads(flags)
}

/// Destination and the length of its prefix, the same of the source, gateway, metric, two counts, flags, device.
fn is_default_of_ipv6(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let everywhere = words
        .next()
        .is_some_and(|word| word.bytes().all(|byte| byte == b'0'));
    let prefix = words.next();
    let flags = words.nth(6);
    let device = words.next();
    everywhere && prefix == Some("00") && device.is_some_and(|it| it != "lo") && leads(flags)
}

fn leads(flags: Option<&str>) -> bool {
    let flags = flags.and_then(|flags| u32::from_str_radix(flags, 16).ok());
    flags.is_some_and(|flags| flags & UP != 0 && flags & REJECT == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_told_from_others() {
        for (line, expected) in [
            (
                "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT",
                false,
            ),
            ("ens5 00000000 0102A8C0 0003 0 0 100 00000000 0 0 0", true),
            ("ens5 0000A8C0 00000000 0001 0 0 100 00FFFFFF 0 0 0", false),
            ("ens5 00000000 0102A8C0 0003 0 0 100 00000080 0 0 0", false),
            ("*    00000000 00000000 0200 0 0 100 00000000 0 0 0", false),
            ("", false),
        ] {
            assert_eq!(is_default_of_ipv4(line), expected, "{line}");
        }
        let zero = "0".repeat(32);
        let gateway = "fe80000000000000000000000000dead";
        let rest = "00000400 00000001 00000000";
        for (line, expected) in [
            (
                format!("{zero} 00 {zero} 00 {gateway} {rest} 00450003 ens5"),
                true,
            ),
            (
                format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo"),
                false,
            ),
            (
                format!("{zero} 00 {zero} 00 {zero} {rest} 00000201 ens5"),
                false,
            ),
            (
                format!(
                    "2600{} 40 {zero} 00 {zero} {rest} 00000001 ens5",
                    "0".repeat(28)
                ),
                false,
            ),
            (
                format!("{zero} 03 {zero} 00 {gateway} {rest} 00000003 ens5"),
                false,
            ),
        ] {
            assert_eq!(is_default_of_ipv6(&line), expected, "{line}");
        }
    }

    #[test]
    fn the_tables_of_this_host_can_be_read() {
        assert!(any("/proc/net/route", |_| false).is_some());
        assert_eq!(any("/proc/net/none", |_| true), None);
    }
}
