//! Connected mode put together from the settings and the engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::engine::Engine;
use super::lifecycle::Lifecycle;
use super::settings;
use crate::aws::{Imds, host_credentials};
use crate::boundary::InstanceMetadata;
use crate::config::Config;
use crate::config::connected::{ConnectedSection, NetworkSection};
use crate::config::credentials::CredentialsFrom;
use crate::ecs::{
    AgentVersion, Authorities, Ec2Settings, EcsConfig, EndpointKinds, Features, Network, Outside,
    Proxies, Proxy, StatusHandle, Usage, service,
};
use crate::platform::SystemIds;

/// Longest call of the ECS API (reference agent).
const CALL_LIMIT: Duration = Duration::from_secs(42);

/// Starts connected mode where the settings ask for it; `None` = they do not.
pub(super) fn start(
    lifecycle: &mut Lifecycle,
    config: &Config,
    engine: &Engine,
) -> Option<StatusHandle> {
    let section = config.connected.as_ref()?;
    let metadata = settings::instance_metadata(&config.instance_metadata);
    let service_of_instance = Imds::new(&metadata);
    let clock = engine.clock.clone();
    let outside = Outside {
        engine: engine.handle.clone(),
        store: engine.instance_store.clone(),
        clock: engine.clock.clone(),
        ids: Arc::new(SystemIds),
        credentials: Box::new(move |region| host_credentials(region, &metadata, clock.clone())),
        metadata: service_of_instance.map(shared),
        sent: engine.roles.sent.clone(),
        protection: engine.roles.protection.clone(),
        roles: serves_roles(config).then(|| engine.roles.handle.clone()),
        usage: usage(config, engine),
        os: std::env::consts::OS,
    };
    let ecs = ecs_config(config, section);
    let (service, status) = service(ecs, outside);
    let stop = lifecycle.drivers.stop_token();
    lifecycle.drivers.start("ecs", service.run(stop));
    Some(status)
}

/// What cannot be used is named and left out: a connection that needs it says so too.
fn network(section: &NetworkSection) -> Network {
    Network {
        proxies: Proxies {
            http: proxy(section.http_proxy.as_deref(), "HTTP_PROXY"),
            https: proxy(section.https_proxy.as_deref(), "HTTPS_PROXY"),
            except: section.no_proxy.clone(),
        },
        authorities: authorities(section.ca_bundle.as_deref()),
        endpoints: EndpointKinds {
            fips: section.fips,
            dual_stack: section.dual_stack,
        },
    }
}

fn proxy(text: Option<&str>, setting: &str) -> Option<Proxy> {
    let proxy = Proxy::parse(text?);
    if proxy.is_none() {
        warn!(
            event = "proxy-unusable",
            setting, "{setting} is no address of an HTTP proxy; none is used"
        );
    }
    proxy
}

fn authorities(file: Option<&Path>) -> Authorities {
    let Some(file) = file else {
        return Authorities::default();
    };
    match std::fs::read(file) {
        Ok(pem) => {
            let (authorities, bad) = Authorities::read(&pem);
            if bad > 0 || authorities.is_empty() {
                let good = authorities.len();
                warn!(event = "ca-bundle-unusable", file = %file.display(), good, bad, "AWS_CA_BUNDLE has texts that are no certificates of authorities");
            }
            authorities
        }
        Err(error) => {
            warn!(event = "ca-bundle-unusable", file = %file.display(), %error, "AWS_CA_BUNDLE cannot be read");
            Authorities::default()
        }
    }
}

/// As the driver takes it.
fn shared(imds: Imds) -> Arc<dyn InstanceMetadata> {
    Arc::new(imds)
}

fn usage(config: &Config, engine: &Engine) -> Option<Usage> {
    let stats = engine.stats.clone();
    let usage: Usage = Arc::new(move || stats.latest());
    config.usage.enabled.then_some(usage)
}

fn serves_roles(config: &Config) -> bool {
    config.credentials.source != CredentialsFrom::Off
}

fn ecs_config(config: &Config, section: &ConnectedSection) -> EcsConfig {
    let host = &config.host;
    EcsConfig {
        cluster: section.cluster.clone(),
        region: section.region.clone(),
        endpoint: section.endpoint.clone(),
        attributes: host.attributes.clone(),
        tags: section.tags.clone(),
        reserved_ports: (host.reserved_ports.clone(), host.reserved_ports_udp.clone()),
        features: Features {
            privileged: !config.engine.disable_privileged,
            task_limits: config.engine.task_limits,
            task_roles: serves_roles(config),
            exclude_ipv6_bindings: section.exclude_ipv6_bindings,
        },
        external: section.external,
        network: network(&section.network),
        ec2: Ec2Settings {
            spot_draining: section.spot_draining,
            warm_pools: section.warm_pools,
        },
        version: AgentVersion {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("BERTH_COMMIT").unwrap_or("00000000").into(),
        },
        call_limit: CALL_LIMIT,
    }
}
