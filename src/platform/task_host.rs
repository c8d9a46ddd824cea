//! What `berth host setup` does on Windows: which programs are run with which arguments, and what their words mean.
//! Pure, so that it is tested where there is no Windows.
//!
//! Containers of Docker's network `nat` reach this host at the gateway of that network, an address of the host's own
//! adapter of it. The address of the task server is given to the same adapter: the agent itself listens there, and no
//! proxy is needed. Neither the address nor the rule lasts beyond a restart of the host, so both are looked at whenever
//! the agent runs.

use std::net::Ipv4Addr;

/// Adapter of the host in Docker's network `nat`.
pub const ADAPTER: &str = "vEthernet (nat)";

/// Where every SDK asks.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// Port of the task server there.
pub const PORT: u16 = 80;

/// Name of our rule of the firewall.
pub const RULE: &str = "berth task server";

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Name in the search path.
    pub program: &'static str,
    /// Arguments.
    pub args: Vec<String>,
    /// It is no matter if it says that there was nothing to do.
    pub may_fail: bool,
}

fn netsh(words: &[&str], may_fail: bool) -> Step {
    Step {
        program: "netsh",
        args: words.iter().map(|&word| word.to_owned()).collect(),
        may_fail,
    }
}

fn name_of_rule() -> String {
    format!("name={RULE}")
}

/// Takes the address and the rule away; what is not there is no matter.
pub fn clean() -> Vec<Step> {
    let (adapter, address) = (format!("name={ADAPTER}"), format!("address={ADDRESS}"));
    let rule = name_of_rule();
    vec![
        netsh(
            &["interface", "ipv4", "delete", "address", &adapter, &address],
            true,
        ),
        netsh(&["advfirewall", "firewall", "delete", "rule", &rule], true),
    ]
}

/// Gives the adapter the address and lets containers through to it. Rules with one name add up, so an older one goes
/// first.
pub fn set_up() -> Vec<Step> {
    let (adapter, address) = (format!("name={ADAPTER}"), format!("address={ADDRESS}"));
    let (rule, ip, port) = (
        name_of_rule(),
        format!("localip={ADDRESS}"),
        format!("localport={PORT}"),
    );
    vec![
        netsh(
            &[
                "interface",
                "ipv4",
                "add",
                "address",
                &adapter,
                &address,
                "mask=255.255.255.255",
                "skipassource=true",
                "store=active",
            ],
            false,
        ),
        netsh(&["advfirewall", "firewall", "delete", "rule", &rule], true),
        netsh(
            &[
                "advfirewall",
                "firewall",
                "add",
                "rule",
                &rule,
                "dir=in",
                "action=allow",
                "protocol=TCP",
                &ip,
                &port,
            ],
            false,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: &Step) -> String {
        format!("{} {}", step.program, step.args.join(" "))
    }

    #[test]
    fn the_set_up_gives_the_address_and_opens_the_firewall_for_it_alone() {
        let lines: Vec<String> = set_up().iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "netsh interface ipv4 add address name=vEthernet (nat) address=169.254.170.2 \
                 mask=255.255.255.255 skipassource=true store=active",
                "netsh advfirewall firewall delete rule name=berth task server",
                "netsh advfirewall firewall add rule name=berth task server dir=in action=allow \
                 protocol=TCP localip=169.254.170.2 localport=80",
            ]
        );
    }

    #[test]
    fn the_clean_up_undoes_it_and_bears_that_there_is_nothing() {
        let steps = clean();
        assert!(steps.iter().all(|step| step.may_fail));
        let lines: Vec<String> = steps.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "netsh interface ipv4 delete address name=vEthernet (nat) address=169.254.170.2",
                "netsh advfirewall firewall delete rule name=berth task server",
            ]
        );
    }
}
