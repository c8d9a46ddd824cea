//! Settings of connected mode: whether there is one, and where its control plane is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::ecs_env as env;
use super::reader::Reader;
use super::source::Origin;
use crate::domain::endpoint::endpoint;
use crate::domain::fips::FipsEndpoints;
use crate::domain::host::{ECS_LOG_DRIVERS, LOG_DRIVER_OF_LINUX, OsType};

/// Where the kernel of Linux says whether it is in FIPS mode.
pub(super) const FIPS_MODE: &str = "/proc/sys/crypto/fips_enabled";

/// Where it says by which routes IPv6 leaves the host.
pub(super) const IPV6_ROUTES: &str = "/proc/net/ipv6_route";

/// Connected mode.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedSection {
    /// Cluster as given, by name or ARN; `None` = the default one, made if need be.
    pub cluster: Option<String>,
    /// Region; `None` = nobody gave one, and without it there is no control plane.
    pub region: Option<String>,
    /// Address of the ECS API; `None` = the region's.
    pub endpoint: Option<String>,
    /// An external instance.
    pub external: bool,
    /// Tags of the container instance.
    pub tags: BTreeMap<String, String>,
    /// Log drivers that ECS is told of; empty = all that Docker has.
    pub log_drivers: BTreeSet<String>,
    /// IPv6 addresses of published ports are not reported.
    pub exclude_ipv6_bindings: bool,
    /// Nor are those of IPv4: the host has none that others reach.
    pub exclude_ipv4_bindings: bool,
    /// Task metadata does not name the zone.
    pub hide_zone: bool,
    /// The instance does health checks.
    pub health_checks: bool,
    /// A notice of interruption drains the instance.
    pub spot_draining: bool,
    /// A recommendation to rebalance does too.
    pub rebalance_draining: bool,
    /// Registration waits for the warm pool.
    pub warm_pools: bool,
    /// Tags of the EC2 instance become those of the container instance.
    pub propagate_tags: bool,
    /// Address of the EC2 API; `None` = the region's.
    pub ec2_endpoint: Option<String>,
}

/// How AWS is reached. Proxies may hold passwords, so they are not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NetworkSection {
    /// For clear text.
    pub http_proxy: Option<String>,
    /// For TLS.
    pub https_proxy: Option<String>,
    /// Who is reached without.
    pub no_proxy: String,
    /// File of authorities.
    pub ca_bundle: Option<PathBuf>,
    /// Endpoints that are validated for FIPS.
    pub fips: FipsEndpoints,
    /// Endpoints that have IPv6 too.
    pub dual_stack: bool,
}

impl fmt::Debug for NetworkSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkSection")
            .field("no_proxy", &self.no_proxy)
            .field("ca_bundle", &self.ca_bundle)
            .finish_non_exhaustive()
    }
}

/// Whether this host reaches others over IPv6 alone.
pub(super) fn is_ipv6_only(reader: &mut Reader<'_>) -> bool {
    let word = reader.word(&env::IP_COMPATIBILITY);
    if reader.os == OsType::Windows && !word.is_empty() {
        reader.set_aside(&env::IP_COMPATIBILITY, "has no effect on Windows");
        return false;
    }
    word == "ipv6"
}

/// `None` = standalone.
pub(super) fn connected(reader: &mut Reader<'_>, ipv6_only: bool) -> Option<ConnectedSection> {
    // As it counts: one that is no cluster was set aside.
    let counts = reader
        .effective
        .iter()
        .find(|it| it.setting == env::CLUSTER.name);
    let cluster = counts
        .filter(|it| it.origin != Origin::Default)
        .map(|it| it.value.clone());
    let named = cluster.is_some();
    let connects = match reader.word(&env::MODE) {
        "connected" => true,
        "standalone" => false,
        _ => named,
    };
    let section = ConnectedSection {
        cluster,
        region: reader.text(&env::REGION),
        endpoint: reader.parsed(&env::BACKEND_HOST, |text| {
            endpoint(text).ok_or_else(|| "is no address of a service".to_owned())
        }),
        external: reader.truth(&env::EXTERNAL),
        tags: reader.attributes(&env::INSTANCE_TAGS),
        exclude_ipv6_bindings: reader.truth_or(&env::EXCLUDE_IPV6_BINDINGS, !ipv6_only),
        exclude_ipv4_bindings: ipv6_only,
        log_drivers: log_drivers(reader),
        hide_zone: reader.truth(&env::HIDE_ZONE),
        health_checks: !reader.truth(&env::NO_HEALTH_CHECKS),
        spot_draining: reader.truth(&env::SPOT_DRAINING),
        rebalance_draining: reader.truth(&env::REBALANCE_DRAINING),
        warm_pools: reader.truth(&env::WARM_POOLS),
        propagate_tags: reader.word(&env::PROPAGATE_TAGS) == "ec2_instance",
        ec2_endpoint: reader.text(&env::EC2_ENDPOINT),
    };
    connects.then_some(section)
}

/// Names that nothing comes of are told, and the others count. `awsfirelens` is one that ECS agents take and say
/// nothing of.
fn log_drivers(reader: &mut Reader<'_>) -> BTreeSet<String> {
    const SETTING: &env::Setting = &env::LOG_DRIVERS;
    let (os, given) = (reader.os, reader.list(SETTING));
    let is_known = |name: &str| ECS_LOG_DRIVERS.contains(&name) || name == "awsfirelens";
    let is_missing = |name: &str| os == OsType::Windows && name == LOG_DRIVER_OF_LINUX;
    let strange = given.iter().find(|name| !is_known(name));
    let missing = given.iter().find(|name| is_missing(name));
    let why = match (strange, missing) {
        (Some(name), _) => Some(format!("names {name}, which is no log driver of ECS")),
        (None, Some(name)) => Some(format!(
            "names {name}, which Docker on Windows does not have"
        )),
        (None, None) => None,
    };
    let counts = given
        .iter()
        .filter(|name| is_known(name) && !is_missing(name));
    let counts: BTreeSet<String> = counts.cloned().collect();
    match why {
        Some(why) if counts.is_empty() => reader.set_aside(SETTING, &why),
        Some(why) => {
            let rest: Vec<&str> = counts.iter().map(String::as_str).collect();
            reader.replace(SETTING, &why, &rest.join(","));
        }
        None => {}
    }
    counts
}

pub(super) fn network(reader: &mut Reader<'_>, ipv6_only: bool) -> NetworkSection {
    let large = [&env::HTTP_PROXY, &env::HTTPS_PROXY].map(|it| reader.secret(it));
    let except = reader.text(&env::NO_PROXY);
    let small = [&env::HTTP_PROXY_SMALL, &env::HTTPS_PROXY_SMALL].map(|it| reader.secret(it));
    let except_small = reader.text(&env::NO_PROXY_SMALL);
    let ([http, https], [plain, tls]) = (large, small);
    NetworkSection {
        http_proxy: http.or(plain),
        https_proxy: https.or(tls),
        no_proxy: except.or(except_small).unwrap_or_default(),
        ca_bundle: reader.path(&env::CA_BUNDLE),
        fips: fips(reader),
        dual_stack: reader.truth_or(&env::DUAL_STACK_ENDPOINT, ipv6_only),
    }
}

fn fips(reader: &mut Reader<'_>) -> FipsEndpoints {
    if !reader.truth(&env::FIPS_ENDPOINT) {
        FipsEndpoints::Off
    } else if reader.origin(&env::FIPS_ENDPOINT) == Origin::Host(FIPS_MODE) {
        FipsEndpoints::WhereThereAre
    } else {
        FipsEndpoints::Always
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Strings};
    use super::*;

    fn section(pairs: &[(&str, &str)]) -> Option<ConnectedSection> {
        let config = Config::of_environment(pairs);
        assert_eq!(config.problems, []);
        config.connected
    }

    #[test]
    fn a_cluster_that_is_given_connects() {
        assert_eq!(section(&[]), None);
        let lab = section(&[("ECS_CLUSTER", "lab")]).unwrap();
        assert_eq!(lab.cluster.as_deref(), Some("lab"));
        assert!(lab.exclude_ipv6_bindings && !lab.external);
    }

    #[test]
    fn proxies_may_be_written_small_and_are_not_shown() {
        let lab = ("ECS_CLUSTER", "lab");
        let both = [
            lab,
            ("https_proxy", "http://small"),
            ("HTTPS_PROXY", "http://u:marked@big"),
            ("no_proxy", "ecs.test"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ];
        let network = Config::of_environment(&both).network;
        assert_eq!(network.https_proxy.as_deref(), Some("http://u:marked@big"));
        assert_eq!(network.no_proxy, "ecs.test");
        assert_eq!(network.fips, FipsEndpoints::Always);
        assert!(!network.dual_stack);
        assert!(!format!("{network:?}").contains("marked"));
        let small = Config::of_environment(&[("http_proxy", "http://small")]);
        assert_eq!(small.network.http_proxy.as_deref(), Some("http://small"));
    }

    #[test]
    fn the_fips_mode_of_the_host_counts_unless_the_operator_says_otherwise() {
        for (pairs, expected, origin) in [
            (
                &[][..],
                FipsEndpoints::WhereThereAre,
                Origin::Host(FIPS_MODE),
            ),
            (
                &[("AWS_USE_FIPS_ENDPOINT", "false")][..],
                FipsEndpoints::Off,
                Origin::Environment,
            ),
            (
                &[("AWS_USE_FIPS_ENDPOINT", "true")][..],
                FipsEndpoints::Always,
                Origin::Environment,
            ),
        ] {
            let given = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            let strings = Strings::new().below(Origin::Environment, given);
            let config = Config::read(&Config::add_fips_mode(strings));
            assert_eq!(config.problems, []);
            assert_eq!(config.network.fips, expected, "{pairs:?}");
            let shown = config
                .effective
                .iter()
                .find(|it| it.setting == env::FIPS_ENDPOINT.name);
            assert_eq!(shown.map(|it| it.origin), Some(origin), "{pairs:?}");
        }
    }

    #[test]
    fn check_113_without_ipv4_its_addresses_are_left_out_and_endpoints_have_ipv6() {
        let word = |word| ("ECS_INSTANCE_IP_COMPATIBILITY", word);
        let own = [
            ("ECS_EXCLUDE_IPV6_PORTBINDING", "true"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
        ];
        for (found, pairs, ipv4, ipv6, dual_stack) in [
            (false, &[][..], false, true, false),
            (true, &[][..], true, false, true),
            (true, &[word("IPv4")][..], false, true, false),
            (false, &[word("ipv6")][..], true, false, true),
            (true, &own[..], true, true, false),
        ] {
            let mode = [("ECS_CLUSTER", "lab")];
            let given = mode.iter().chain(pairs);
            let given = given.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            let mut strings = Strings::new().below(Origin::Environment, given);
            if found {
                strings = Config::add_ipv6_only(strings);
            }
            let config = Config::read_on(OsType::Linux, &strings);
            assert_eq!(config.problems, []);
            let lab = config.connected.unwrap();
            let excluded = (lab.exclude_ipv4_bindings, lab.exclude_ipv6_bindings);
            assert_eq!(excluded, (ipv4, ipv6), "{found} {pairs:?}");
            assert_eq!(config.network.dual_stack, dual_stack, "{found} {pairs:?}");
        }
        let windows = Config::of_environment_on(OsType::Windows, &[word("ipv6")]);
        assert!(!windows.network.dual_stack);
        assert_eq!(windows.problems.len(), 1);
    }

    #[test]
    fn the_mode_has_the_last_word() {
        let standalone = [("ECS_CLUSTER", "lab"), ("BERTH_MODE", "standalone")];
        assert_eq!(section(&standalone), None);
        let connected = section(&[("BERTH_MODE", "connected")]).unwrap();
        assert_eq!(connected.cluster, None, "the default one, made if need be");
    }

    #[test]
    fn log_drivers_that_nobody_has_are_told_and_the_others_count() {
        for (os, given, counts, problem) in [
            (
                OsType::Linux,
                r#"["json-file", "none"]"#,
                "json-file none",
                None,
            ),
            (OsType::Linux, "awslogs,journald", "awslogs journald", None),
            (OsType::Linux, "[]", "", None),
            (OsType::Linux, r#"["awsfirelens"]"#, "awsfirelens", None),
            (
                OsType::Linux,
                r#"["syslog","etwlogs"]"#,
                "syslog",
                Some("names etwlogs, which is no log driver of ECS; syslog counts"),
            ),
            (
                OsType::Linux,
                "etwlogs",
                "",
                Some("names etwlogs, which is no log driver of ECS; it counts as not given"),
            ),
            (
                OsType::Windows,
                "journald,awslogs",
                "awslogs",
                Some("names journald, which Docker on Windows does not have; awslogs counts"),
            ),
        ] {
            let texts = [
                ("ECS_CLUSTER", "lab"),
                ("ECS_AVAILABLE_LOGGING_DRIVERS", given),
            ];
            let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
            let strings = Strings::new().below(Origin::Environment, texts);
            let config = Config::read_on(os, &strings);
            let drivers = config.connected.unwrap().log_drivers;
            let drivers: Vec<&str> = drivers.iter().map(String::as_str).collect();
            assert_eq!(drivers.join(" "), counts, "{given}");
            let said = config.problems.first().map(|it| it.message.as_str());
            let as_expected = match (said, problem) {
                (Some(said), Some(problem)) => said.ends_with(problem),
                (said, problem) => said == problem,
            };
            assert!(as_expected, "{given}: {said:?}");
        }
    }

    #[test]
    fn check_003_an_address_without_a_scheme_is_one_of_tls() {
        for (given, expected) in [
            ("ecs.test", "https://ecs.test"),
            ("http://127.0.0.1:8443", "http://127.0.0.1:8443"),
            ("https://ecs.test/", "https://ecs.test/"),
        ] {
            let section = section(&[("ECS_CLUSTER", "lab"), ("ECS_BACKEND_HOST", given)]);
            assert_eq!(section.unwrap().endpoint.as_deref(), Some(expected));
        }
    }
}
