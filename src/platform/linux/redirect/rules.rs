//! The rules as arguments of `iptables`: pure.

use std::net::SocketAddr;

/// Where containers ask.
const ASKED: &str = "169.254.170.2";

/// Where a rule goes in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind what is there.
    Last,
    /// Before it.
    First,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) table: &'static str,
    pub(super) chain: &'static str,
    pub(super) place: Place,
    /// What it matches and does.
    pub(super) words: Vec<String>,
}

/// What is done with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Succeeds if it is there.
    Check,
    Add,
    Delete,
}

impl Rule {
    fn new(table: &'static str, chain: &'static str, place: Place, words: &str) -> Self {
        Self {
            table,
            chain,
            place,
            words: words.split(' ').map(str::to_owned).collect(),
        }
    }

    /// Arguments of `iptables`. It waits for others who change rules.
    pub(super) fn args(&self, verb: Verb) -> Vec<String> {
        let verb = match (verb, self.place) {
            (Verb::Check, _) => "-C",
            (Verb::Add, Place::Last) => "-A",
            (Verb::Add, Place::First) => "-I",
            (Verb::Delete, _) => "-D",
        };
        let head = ["-w", "3", "-t", self.table, verb, self.chain];
        let head = head.iter().map(|word| (*word).to_owned());
        head.chain(self.words.iter().cloned()).collect()
    }
}

/// The rules that lead to a task server at that address, in the order in which they are set. With `filter`, packets for
/// loopback that come from outside are dropped: the setting that lets the first rule work would let them in.
pub(super) fn rules(server: SocketAddr, filter: bool) -> Vec<Rule> {
    let port = server.port();
    let foreign = Rule::new(
        "filter",
        "INPUT",
        Place::First,
        "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    );
    let containers = format!("-d {ASKED} -p tcp --dport 80 -j DNAT --to-destination {server}");
    let programs = format!("-d {ASKED} -p tcp --dport 80 -j REDIRECT --to-ports {port}");
    let redirects = [
        Rule::new("nat", "PREROUTING", Place::Last, &containers),
        Rule::new("nat", "OUTPUT", Place::Last, &programs),
    ];
    filter
        .then_some(foreign)
        .into_iter()
        .chain(redirects)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_of_the_reference_agent() {
        let server = "127.0.0.1:51679".parse().unwrap();
        let lines = |filter| -> Vec<String> {
            let rules = rules(server, filter);
            rules
                .iter()
                .map(|rule| rule.args(Verb::Add).join(" "))
                .collect()
        };
        let dnat = "-w 3 -t nat -A PREROUTING -d 169.254.170.2 -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:51679";
        let redirect =
            "-w 3 -t nat -A OUTPUT -d 169.254.170.2 -p tcp --dport 80 -j REDIRECT --to-ports 51679";
        let filter = "-w 3 -t filter -I INPUT ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack \
                      ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP";
        assert_eq!(lines(true), [filter, dnat, redirect]);
        assert_eq!(lines(false), [dnat, redirect]);
    }
}
