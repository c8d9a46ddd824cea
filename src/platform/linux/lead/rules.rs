//! The table as `nft` reads and lists it: pure.

use crate::platform::linux::nftables::Table;

/// Family and name of the table.
pub(super) const TABLE: Table = ["ip", "berth"];

/// Where containers ask.
const ASKED: &str = "169.254.170.2";

/// Before the rules that Docker has for published ports (`dstnat` is -100): the first one that fits counts.
const PRIORITY: &str = "priority -110";

/// What is in the table: chains for what comes from containers, and for what programs of this host ask. Kernels before
/// 4.18 write answers back only where there are chains for them too.
pub(super) fn content(port: u16) -> String {
    let lead = format!("ip daddr {ASKED} tcp dport 80 dnat to {ASKED}:{port}");
    format!(
        "chain prerouting {{\n\
         type nat hook prerouting {PRIORITY}; policy accept;\n\
         {lead}\n\
         }}\n\
         chain output {{\n\
         type nat hook output {PRIORITY}; policy accept;\n\
         {lead}\n\
         }}\n\
         chain input {{\n\
         type nat hook input priority 100; policy accept;\n\
         }}\n\
         chain postrouting {{\n\
         type nat hook postrouting priority 100; policy accept;\n\
         }}\n"
    )
}

/// Where a table that is listed so leads.
pub(super) fn leads_to(listing: &str) -> Option<u16> {
    let (_, after) = listing.split_once(&format!("dnat to {ASKED}:"))?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_place_is_read_back() {
        assert_eq!(leads_to(&content(51679)), Some(51679));
        let listed = "table ip berth {\n\tchain output {\n\t\tip daddr 169.254.170.2 tcp dport 80 dnat to 169.254.170.2:8\n\t}\n}\n";
        assert_eq!(leads_to(listed), Some(8));
        for other in [
            "table ip berth {\n}\n",
            "dnat to 169.254.170.2:http",
            "dnat to 10.0.0.1:80",
        ] {
            assert_eq!(leads_to(other), None, "{other}");
        }
    }
}
