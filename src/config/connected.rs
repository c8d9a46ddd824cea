//! Settings of connected mode: whether there is one, and where its control plane is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::ecs_env as env;
use super::reader::Reader;
use super::source::Origin;

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
    /// IPv6 addresses of published ports are not reported.
    pub exclude_ipv6_bindings: bool,
    /// How ECS is reached.
    pub network: NetworkSection,
    /// A notice of interruption drains the instance.
    pub spot_draining: bool,
    /// Registration waits for the warm pool.
    pub warm_pools: bool,
}

/// How ECS is reached. Proxies may hold passwords, so they are not shown.
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
    pub fips: bool,
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

/// `None` = standalone.
pub(super) fn connected(reader: &mut Reader<'_>) -> Option<ConnectedSection> {
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
        endpoint: reader
            .text(&env::BACKEND_HOST)
            .map(|text| with_scheme(&text)),
        external: reader.truth(&env::EXTERNAL),
        tags: reader.attributes(&env::INSTANCE_TAGS),
        exclude_ipv6_bindings: reader.truth(&env::EXCLUDE_IPV6_BINDINGS),
        network: network(reader),
        spot_draining: reader.truth(&env::SPOT_DRAINING),
        warm_pools: reader.truth(&env::WARM_POOLS),
    };
    connects.then_some(section)
}

fn network(reader: &mut Reader<'_>) -> NetworkSection {
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
        fips: reader.truth(&env::FIPS_ENDPOINT),
        dual_stack: reader.truth(&env::DUAL_STACK_ENDPOINT),
    }
}

/// An address without a scheme is one of TLS (reference agent).
fn with_scheme(text: &str) -> String {
    if text.starts_with("http://") || text.starts_with("https://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
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
        let network = section(&both).unwrap().network;
        assert_eq!(network.https_proxy.as_deref(), Some("http://u:marked@big"));
        assert_eq!(network.no_proxy, "ecs.test");
        assert!(network.fips && !network.dual_stack);
        assert!(!format!("{network:?}").contains("marked"));
        let small = section(&[lab, ("http_proxy", "http://small")]).unwrap();
        assert_eq!(small.network.http_proxy.as_deref(), Some("http://small"));
    }

    #[test]
    fn the_mode_has_the_last_word() {
        let standalone = [("ECS_CLUSTER", "lab"), ("BERTH_MODE", "standalone")];
        assert_eq!(section(&standalone), None);
        let connected = section(&[("BERTH_MODE", "connected")]).unwrap();
        assert_eq!(connected.cluster, None, "the default one, made if need be");
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
