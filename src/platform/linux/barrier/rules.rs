//! The table as `nft` reads it: pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Family and name of the table.
pub(super) const TABLE: [&str; 2] = ["inet", "berth"];

/// Where an EC2 instance asks for its metadata and credentials.
const METADATA_V4: &str = "169.254.169.254";

/// The same by IPv6.
const METADATA_V6: &str = "fd00:ec2::254";

/// Told to who asks, so that SDKs go on at once instead of waiting for an answer.
const REFUSAL: &str = "reject with icmpx type admin-prohibited";

/// Puts the whole table in place in one step: there is no moment without it.
pub(super) fn table(allowed: &BTreeSet<IpAddr>) -> String {
    let [family, name] = TABLE;
    let v4 = elements(allowed.iter().filter(|address| address.is_ipv4()));
    let v6 = elements(allowed.iter().filter(|address| address.is_ipv6()));
    let mut text = removal();
    // Writing to a text does not fail. A forwarded packet whose destination somebody has rewritten is not meant.
    let _written = write!(
        text,
        "table {family} {name} {{\n\
         set allowed4 {{ type ipv4_addr; {v4} }}\n\
         set allowed6 {{ type ipv6_addr; {v6} }}\n\
         chain forward {{\n\
         type filter hook forward priority -10; policy accept;\n\
         ip daddr {METADATA_V4} ip saddr != @allowed4 {REFUSAL}\n\
         ip6 daddr {METADATA_V6} ip6 saddr != @allowed6 {REFUSAL}\n\
         }}\n\
         chain input {{\n\
         type filter hook input priority -10; policy accept;\n\
         iifname != \"lo\" ip daddr {METADATA_V4} ip saddr != @allowed4 {REFUSAL}\n\
         iifname != \"lo\" ip6 daddr {METADATA_V6} ip6 saddr != @allowed6 {REFUSAL}\n\
         }}\n\
         }}\n"
    );
    text
}

/// Takes the table away; without one, nothing.
pub(super) fn removal() -> String {
    let [family, name] = TABLE;
    // What is added first is there to be deleted.
    format!("add table {family} {name}\ndelete table {family} {name}\n")
}

fn elements<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> String {
    let listed: Vec<String> = addresses.map(ToString::to_string).collect();
    if listed.is_empty() {
        String::new()
    } else {
        format!("elements = {{ {} }}", listed.join(", "))
    }
}

/// What is missing on this host, from what `nft` says when it fails.
pub(super) fn missing(stderr: &str) -> Option<&'static str> {
    let unsupported = ["not supported", "Unable to initialize Netlink socket"];
    if unsupported.iter().any(|words| stderr.contains(words)) {
        return Some(
            "the kernel has no nf_tables, so that tasks may reach the instance metadata service",
        );
    }
    stderr
        .contains("Operation not permitted")
        .then_some("only root may change rules of nftables")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_who_is_let_through_by_family() {
        let none = table(&BTreeSet::new());
        assert!(!none.contains("elements"), "{none}");
        let allowed = ["172.17.0.5", "fd00::5", "172.17.0.6"];
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        let some = table(&allowed);
        assert!(
            some.contains("allowed4 { type ipv4_addr; elements = { 172.17.0.5, 172.17.0.6 } }")
        );
        assert!(some.contains("allowed6 { type ipv6_addr; elements = { fd00::5 } }"));
        assert!(some.starts_with(&removal()));
    }

    #[test]
    fn what_is_missing_is_told_apart_from_other_trouble() {
        for (stderr, is_known) in [
            (
                "Error: Could not process rule: Operation not supported",
                true,
            ),
            (
                "Unable to initialize Netlink socket: Protocol not supported",
                true,
            ),
            (
                "Error: Could not process rule: Operation not permitted",
                true,
            ),
            ("Error: syntax error, unexpected newline", false),
        ] {
            assert_eq!(missing(stderr).is_some(), is_known, "{stderr}");
        }
    }
}
