//! Reads the kernel's tables of sockets and its settings of ports: text in, values out.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// State of a TCP socket that listens, as the table writes it.
const LISTENS: &str = "0A";

/// State of a UDP socket that is bound.
const BOUND: &str = "07";

/// Range in use where the kernel does not say (`engine.md` 3.13).
const FALLBACK: (u16, u16) = (49153, 65535);

/// Inodes of sockets that hold the port, from a table such as `/proc/net/tcp6`.
pub(super) fn holders(table: &str, port: u16) -> BTreeSet<u64> {
    let at_port = sockets(table).filter(|(address, _)| address.port() == port);
    at_port.map(|(_, inode)| inode).collect()
}

/// Where sockets of such a table listen or are bound, with their inodes. Lines that do not parse are left out.
pub(super) fn sockets(table: &str) -> impl Iterator<Item = (SocketAddr, u64)> {
    table.lines().filter_map(|line| {
        // sl local_address rem_address st queues timer retransmits uid timeout inode …
        let mut fields = line.split_ascii_whitespace();
        let (address, port) = fields.nth(1)?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        let at = SocketAddr::new(local(address)?, u16::from_str_radix(port, 16).ok()?);
        (state == LISTENS || state == BOUND).then_some((at, inode))
    })
}

/// An address as the kernel prints it: words of 32 bits, each the number that its four bytes are on this machine.
fn local(digits: &str) -> Option<IpAddr> {
    let word = |from: usize| {
        let digits = digits.get(from..from.checked_add(8)?)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match digits.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}

/// The inode that a link such as `socket:[123]` names.
pub(super) fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// The range from which host ports are drawn: the kernel's `ip_local_port_range`, without what
/// `ip_local_reserved_ports` sets aside: the longest part in which nothing is reserved.
pub(super) fn dynamic_range(range: &str, reserved: &str) -> (u16, u16) {
    let mut ends = range.split_ascii_whitespace().map(str::parse::<u16>);
    let (first, last) = match (ends.next(), ends.next()) {
        (Some(Ok(first)), Some(Ok(last))) if 0 < first && first <= last => (first, last),
        _ => FALLBACK,
    };
    let mut reserved: Vec<(u16, u16)> = reserved.split(',').filter_map(reserved_range).collect();
    reserved.sort_unstable();
    longest_gap((u32::from(first), u32::from(last)), &reserved).unwrap_or((first, last))
}

fn reserved_range(text: &str) -> Option<(u16, u16)> {
    let text = text.trim();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Counts in `u32`, where one past the last port is a number too.
fn longest_gap((first, last): (u32, u32), reserved: &[(u16, u16)]) -> Option<(u16, u16)> {
    let mut gaps = Vec::new();
    let mut begin = first;
    for &(taken_first, taken_last) in reserved {
        let (taken_first, taken_last) = (u32::from(taken_first), u32::from(taken_last));
        gaps.push((begin, taken_first.saturating_sub(1).min(last)));
        begin = begin.max(taken_last.saturating_add(1));
    }
    gaps.push((begin, last));
    gaps.retain(|&(from, to)| from <= to);
    // Of equally long ones the first: `max_by_key` takes the last of a reversed list.
    let longest = gaps
        .into_iter()
        .rev()
        .max_by_key(|&(from, to)| to.saturating_sub(from));
    let (from, to) = longest?;
    Some((u16::try_from(from).ok()?, u16::try_from(to).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0
   3: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1 0
   4: 00000000000000000000000000000000:1F90 0:0 07 0:0 00:0 0     0        0 555 1 0
   5: damaged
";

    #[test]
    fn listeners_of_a_port_are_found_by_their_inode() {
        assert_eq!(holders(TABLE, 8080), [111, 222, 555].into());
        assert_eq!(holders(TABLE, 80), [444].into());
        assert_eq!(holders(TABLE, 81), [].into());
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_are_read_in_the_order_of_the_machine() {
        for (digits, expected) in [
            ("0100007F", Some("127.0.0.1")),
            ("02AAFEA9", Some("169.254.170.2")),
            ("00000000000000000000000001000000", Some("::1")),
            ("C20E00FD000000000000000054020000", Some("fd00:ec2::254")),
            (
                "0000000000000000FFFF000002AAFEA9",
                Some("::ffff:169.254.170.2"),
            ),
            ("0100007", None),
            ("0100007G", None),
            ("", None),
        ] {
            let expected: Option<IpAddr> = expected.map(|text| text.parse().unwrap());
            assert_eq!(local(digits), expected, "{digits}");
        }
    }

    #[test]
    fn a_link_to_a_socket_names_its_inode() {
        for (link, inode) in [
            ("socket:[123]", Some(123)),
            ("pipe:[123]", None),
            ("socket:[x]", None),
            ("/dev/null", None),
        ] {
            assert_eq!(socket_inode(link), inode, "{link}");
        }
    }

    #[test]
    fn the_dynamic_range_leaves_out_what_is_reserved() {
        for (range, reserved, expected) in [
            ("32768\t60999\n", "", (32768, 60999)),
            ("32768 60999", "\n", (32768, 60999)),
            ("32768 60999", "8080,40000-40010\n", (40011, 60999)),
            ("32768 60999", "60000", (32768, 59999)),
            ("100 200", "90-120,110-130", (131, 200)),
            ("100 200", "150", (100, 149)),
            ("100 200", "1-65535", (100, 200)),
            ("1 65535", "65535,1", (2, 65534)),
            ("", "", FALLBACK),
            ("60999 32768", "", FALLBACK),
            ("0 9", "", FALLBACK),
            ("a b", "", FALLBACK),
        ] {
            assert_eq!(
                dynamic_range(range, reserved),
                expected,
                "{range:?} {reserved:?}"
            );
        }
    }
}
