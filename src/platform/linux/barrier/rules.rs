//! The table as `nft` reads it: pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::platform::linux::nftables::Table;

/// Family and name of the table.
pub(super) const TABLE: Table = ["inet", "berth"];

/// Where an EC2 instance asks for its metadata and credentials.
const METADATA_V4: &str = "169.254.169.254";

/// The same by IPv6.
const METADATA_V6: &str = "fd00:ec2::254";

/// Told to who asks, so that SDKs go on at once instead of waiting for an answer.
const REFUSAL: &str = "reject with icmpx type admin-prohibited";

/// How long an address is let through after the agent has last said so: its container may end and another have its
/// address while there is no agent to hear of it.
const ALLOWANCE: &str = "flags timeout; timeout 60s;";

/// What is in the table.
pub(super) fn content(allowed: &BTreeSet<IpAddr>) -> String {
    let v4 = elements(allowed.iter().filter(|address| address.is_ipv4()));
    let v6 = elements(allowed.iter().filter(|address| address.is_ipv6()));
    // A forwarded packet whose destination somebody has rewritten is not meant.
    format!(
        "set allowed4 {{ type ipv4_addr; {ALLOWANCE} {v4} }}\n\
         set allowed6 {{ type ipv6_addr; {ALLOWANCE} {v6} }}\n\
         chain forward {{\n\
         type filter hook forward priority -10; policy accept;\n\
         ip daddr {METADATA_V4} ip saddr != @allowed4 {REFUSAL}\n\
         ip6 daddr {METADATA_V6} ip6 saddr != @allowed6 {REFUSAL}\n\
         }}\n\
         chain input {{\n\
         type filter hook input priority -10; policy accept;\n\
         iifname != \"lo\" ip daddr {METADATA_V4} ip saddr != @allowed4 {REFUSAL}\n\
         iifname != \"lo\" ip6 daddr {METADATA_V6} ip6 saddr != @allowed6 {REFUSAL}\n\
         }}\n"
    )
}

fn elements<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> String {
    let listed: Vec<String> = addresses.map(ToString::to_string).collect();
    if listed.is_empty() {
        String::new()
    } else {
        format!("elements = {{ {} }}", listed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_who_is_let_through_by_family() {
        let none = content(&BTreeSet::new());
        assert!(!none.contains("elements"), "{none}");
        let allowed = ["172.17.0.5", "fd00::5", "172.17.0.6"];
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        let some = content(&allowed);
        assert!(some.contains("timeout 60s; elements = { 172.17.0.5, 172.17.0.6 } }"));
        assert!(some.contains("timeout 60s; elements = { fd00::5 } }"));
    }
}
