//! What `berth host setup` does on Windows, and what is looked at when containers do not get there: which programs are
//! run with which arguments, and what their words mean. Pure but for [`look`], so that it is tested where there is no
//! Windows.
//!
//! Containers of Docker's network `nat` reach this host at the gateway of that network, an address of the host's own
//! adapter of it. The address of the task server is given to the same adapter: the agent itself listens there, and no
//! proxy is needed. The rule of the firewall stays, the address is gone after a restart of the host: so it is looked at
//! as long as the agent runs.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::command::{Command, CommandError};
use crate::domain::host::OsType;

/// Longest run of a program that shows something.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// Adapter of the host in Docker's network `nat`.
pub const ADAPTER: &str = "vEthernet (nat)";

/// The same on Server 2016.
const ADAPTER_OF_2016: &str = "vEthernet (HNS Internal NIC)";

/// Build of Server 2016.
const BUILD_OF_2016: u32 = 14393;

/// Names that the adapter may have, the likely one first.
pub fn adapters(build: Option<u32>) -> [&'static str; 2] {
    match build {
        Some(BUILD_OF_2016) => [ADAPTER_OF_2016, ADAPTER],
        _ => [ADAPTER, ADAPTER_OF_2016],
    }
}

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
    let (address, rule) = (format!("address={ADDRESS}"), name_of_rule());
    let delete = |adapter: &str| {
        let adapter = format!("name={adapter}");
        netsh(
            &["interface", "ipv4", "delete", "address", &adapter, &address],
            true,
        )
    };
    let mut steps: Vec<Step> = adapters(None).map(delete).into();
    steps.push(netsh(
        &["advfirewall", "firewall", "delete", "rule", &rule],
        true,
    ));
    steps
}

/// Gives the adapter of that name the address.
pub fn give_address(adapter: &str) -> Step {
    let (adapter, address) = (format!("name={adapter}"), format!("address={ADDRESS}"));
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
    )
}

/// Lets containers through to it. Rules with one name add up, so an older one goes first.
pub fn let_through() -> Vec<Step> {
    let (rule, ip, port) = (
        name_of_rule(),
        format!("localip={ADDRESS}"),
        format!("localport={PORT}"),
    );
    vec![
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

/// The way of containers to the task server as programs of this host show it; `None` = they do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Whether the adapter of Docker's network is there.
    pub adapter: Option<bool>,
    /// Where a port proxy leads what is asked at our address and port.
    pub proxy: Option<String>,
    /// Whether the firewall has our rule.
    pub rule: Option<bool>,
}

/// What a program has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It did well and printed this.
    Well(String),
    /// It ended with an error: what it was asked for is not there.
    Ill,
    /// It could not be asked.
    Nothing,
}

/// Shows the adapter under either name, the port proxies and our rule.
pub fn look_steps() -> [Step; 4] {
    let [likely, other] = adapters(None).map(|adapter| {
        let adapter = format!("name={adapter}");
        netsh(&["interface", "ipv4", "show", "addresses", &adapter], true)
    });
    [
        likely,
        other,
        netsh(&["interface", "portproxy", "show", "v4tov4"], true),
        netsh(
            &["advfirewall", "firewall", "show", "rule", &name_of_rule()],
            true,
        ),
    ]
}

/// What the answers to [`look_steps`] mean. Their words are in the language of the host, so that only names and numbers
/// count: a program that says nothing and ends well has said nothing.
pub fn way_of([likely, other, proxies, rule]: &[Said; 4]) -> Way {
    let adapter = match (names(likely, ADAPTER), names(other, ADAPTER_OF_2016)) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        (None, _) | (_, None) => None,
    };
    Way {
        adapter,
        proxy: match proxies {
            Said::Well(printed) => printed.lines().find_map(proxy),
            Said::Ill | Said::Nothing => None,
        },
        rule: names(rule, RULE),
    }
}

fn names(said: &Said, name: &str) -> Option<bool> {
    match said {
        Said::Well(printed) => printed.contains(name).then_some(true),
        Said::Ill => Some(false),
        Said::Nothing => None,
    }
}

/// Where a line of the table of port proxies leads, if it is about our address and port.
fn proxy(line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [address, port, to, to_port] = fields.as_slice() else {
        return None;
    };
    let ours = ADDRESS.to_string();
    let at_ours = [ours.as_str(), "*", "0.0.0.0"].contains(address);
    (at_ours && *port == PORT.to_string()).then(|| format!("{to}:{to_port}"))
}

/// Looks, on Windows; there is nothing of that elsewhere.
pub async fn look(os: OsType) -> Way {
    if os != OsType::Windows {
        return Way::default();
    }
    let [likely, other, proxies, rule] = look_steps();
    // Each has its own limit.
    let said = tokio::join!(show(&likely), show(&other), show(&proxies), show(&rule));
    way_of(&said.into())
}

async fn show(step: &Step) -> Said {
    let command = Command::new(step.program, LOOK_LIMIT).args(&step.args);
    match command.run().await {
        Ok(output) => Said::Well(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(CommandError::Failed { .. }) => Said::Ill,
        Err(_) => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: &str = "\r\nKonfiguration der Schnittstelle \"vEthernet (nat)\"\r\n    IP-Adresse:    172.20.0.1\r\n";
    const ADDRESSES_OF_2016: &str =
        "\r\nConfiguration for interface \"vEthernet (HNS Internal NIC)\"\r\n";
    const PROXIES: &str = "\r\nListen on ipv4:             Connect to ipv4:\r\n\r\n\
        Address         Port        Address         Port\r\n\
        --------------- ----------  --------------- ----------\r\n\
        10.0.0.1        80          10.0.0.2        8080\r\n\
        169.254.170.2   80          127.0.0.1       51679\r\n";
    const RULES: &str = "\r\nRegelname:  berth task server\r\nAktiviert:  Ja\r\n";

    #[test]
    fn the_way_of_containers_is_read_in_any_language() {
        let well = |text: &str| Said::Well(text.to_owned());
        let way = |adapter, proxy: Option<&str>, rule| Way {
            adapter,
            proxy: proxy.map(str::to_owned),
            rule,
        };
        for (said, expected) in [
            (
                [well(ADDRESSES), Said::Ill, well(PROXIES), well(RULES)],
                way(Some(true), Some("127.0.0.1:51679"), Some(true)),
            ),
            (
                [Said::Ill, Said::Ill, well(""), Said::Ill],
                way(Some(false), None, Some(false)),
            ),
            // Server 2016.
            (
                [Said::Ill, well(ADDRESSES_OF_2016), well(""), well(RULES)],
                way(Some(true), None, Some(true)),
            ),
            (
                [Said::Ill, Said::Nothing, well(""), well(RULES)],
                way(None, None, Some(true)),
            ),
            // Programs that only pretend.
            (
                [well(""), well(""), well(""), well("")],
                way(None, None, None),
            ),
            (
                [Said::Nothing, Said::Nothing, Said::Nothing, Said::Nothing],
                way(None, None, None),
            ),
            (
                [
                    well(ADDRESSES),
                    Said::Ill,
                    well("* 80 10.0.0.2 81"),
                    well(RULES),
                ],
                way(Some(true), Some("10.0.0.2:81"), Some(true)),
            ),
            (
                [
                    well(ADDRESSES),
                    Said::Ill,
                    well("169.254.170.2 8080 10.0.0.2 81"),
                    Said::Ill,
                ],
                way(Some(true), None, Some(false)),
            ),
        ] {
            assert_eq!(way_of(&said), expected, "{said:?}");
        }
    }

    #[test]
    fn a_look_changes_nothing() {
        let lines: Vec<String> = look_steps().iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "netsh interface ipv4 show addresses name=vEthernet (nat)",
                "netsh interface ipv4 show addresses name=vEthernet (HNS Internal NIC)",
                "netsh interface portproxy show v4tov4",
                "netsh advfirewall firewall show rule name=berth task server",
            ]
        );
    }

    #[test]
    fn the_adapter_of_server_2016_has_another_name() {
        let likely = |build| adapters(build)[0];
        assert_eq!(likely(Some(14393)), "vEthernet (HNS Internal NIC)");
        for build in [None, Some(17763), Some(26100)] {
            assert_eq!(likely(build), "vEthernet (nat)", "{build:?}");
        }
    }

    fn line(step: &Step) -> String {
        format!("{} {}", step.program, step.args.join(" "))
    }

    #[test]
    fn the_set_up_gives_the_address_and_opens_the_firewall_for_it_alone() {
        let steps = [vec![give_address(ADAPTER)], let_through()].concat();
        let lines: Vec<String> = steps.iter().map(line).collect();
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
                "netsh interface ipv4 delete address name=vEthernet (HNS Internal NIC) address=169.254.170.2",
                "netsh advfirewall firewall delete rule name=berth task server",
            ]
        );
    }
}
