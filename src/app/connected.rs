//! Connected mode put together from the settings and the engine.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::by_system::reserved_ports;
use super::engine::Engine;
use super::lifecycle::Lifecycle;
use super::place::system;
use super::settings;
use crate::aws::{Imds, host_credentials};
use crate::boundary::InstanceMetadata;
use crate::config::connected::ConnectedSection;
use crate::config::credentials::CredentialsFrom;
use crate::config::ecs_env::{ATTRIBUTES, INSTANCE_TAGS};
use crate::config::{Config, WHOLE_FILE};
use crate::domain::host::OsType;
use crate::ecs::{
    AgentVersion, Ec2Settings, EcsConfig, Features, Network, Outside, StatusHandle, Usage, service,
};
use crate::platform::{SystemIds, cloud_init_result, os_version};

/// Longest call of the ECS API (reference agent).
const CALL_LIMIT: Duration = Duration::from_secs(42);

/// Starts connected mode where the settings ask for it; `None` = they do not. After `leave` it takes no more work.
pub(super) fn start(
    lifecycle: &mut Lifecycle,
    config: &Config,
    engine: &Engine,
    leave: CancellationToken,
) -> Option<StatusHandle> {
    let section = config.connected.as_ref()?;
    let metadata = settings::instance_metadata(&config.instance_metadata);
    let service_of_instance = Imds::new(&metadata);
    let (own, ways, clock) = (
        settings::own(config),
        engine.ways.clone(),
        engine.clock.clone(),
    );
    let outside = Outside {
        engine: engine.handle.clone(),
        runtime: engine.docker.clone(),
        store: engine.instance_store.clone(),
        clock: engine.clock.clone(),
        ids: Arc::new(SystemIds),
        credentials: Box::new(move |region| {
            host_credentials(region, &own, ways.clone(), clock.clone())
        }),
        metadata: service_of_instance.map(shared),
        sent: engine.roles.sent.clone(),
        protection: engine.roles.protection.clone(),
        facts: engine.roles.facts.clone(),
        roles: has_roles(config).then(|| engine.roles.handle.clone()),
        usage: usage(config, engine),
        cloud_init: Arc::new(cloud_init_result),
        os: os_words(config),
        leave,
    };
    let ecs = ecs_config(system(), config, section, engine.network.clone());
    let (service, status) = service(ecs, outside);
    // It is started once.
    let _told = engine.roles.connected.set(status.clone());
    let stop = lifecycle.drivers.stop_token();
    lifecycle.drivers.start("ecs", service.run(stop));
    Some(status)
}

/// The system, and which it is, as calls name it.
fn os_words(config: &Config) -> String {
    let detailed = config.host.detailed_family.clone();
    let detailed = detailed.or_else(|| os_version().distribution);
    let os = std::env::consts::OS;
    detailed.map_or_else(|| os.to_owned(), |detailed| format!("{os}; {detailed}"))
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

/// Whether credentials of roles are had at all, for whomever.
fn has_roles(config: &Config) -> bool {
    config.credentials.source != CredentialsFrom::Off
}

/// Settings that ECS hears of with the first registration only, where something that was given for them is no good; so
/// is a file that may have held them.
fn unread(config: &Config) -> Vec<&'static str> {
    let heard_once = [
        (ATTRIBUTES.name, ATTRIBUTES.name),
        (INSTANCE_TAGS.name, INSTANCE_TAGS.name),
        (
            WHOLE_FILE,
            "a settings file with what may be attributes or tags",
        ),
    ];
    let is_no_good = |name: &str| config.problems.iter().any(|it| it.setting == name);
    let unread = heard_once.into_iter().filter(|(name, _)| is_no_good(name));
    unread.map(|(_, words)| words).collect()
}

fn ecs_config(
    os: OsType,
    config: &Config,
    section: &ConnectedSection,
    network: Network,
) -> EcsConfig {
    let host = &config.host;
    let ports = reserved_ports(os, config);
    EcsConfig {
        cluster: section.cluster.clone(),
        region: section.region.clone(),
        endpoint: section.endpoint.clone(),
        attributes: host.attributes.clone(),
        unread: unread(config),
        log_drivers: section.log_drivers.clone(),
        tags: section.tags.clone(),
        reserved_ports: (ports.into_iter().collect(), host.reserved_ports_udp.clone()),
        features: Features {
            privileged: !config.engine.disable_privileged,
            task_limits: config.engine.task_limits,
            task_roles: config.engine.endpoints.credentials,
            execution_roles: has_roles(config),
            log_roles: config.engine.endpoints.log_roles,
            health_checks: section.health_checks,
            exclude_ipv6_bindings: section.exclude_ipv6_bindings,
        },
        exclude_ipv4_bindings: section.exclude_ipv4_bindings,
        external: section.external,
        hide_zone: section.hide_zone,
        network,
        ec2: Ec2Settings {
            spot_draining: section.spot_draining,
            rebalance_draining: section.rebalance_draining,
            warm_pools: section.warm_pools,
            propagate_tags: section.propagate_tags,
        },
        ec2_endpoint: section.ec2_endpoint.clone(),
        version: AgentVersion {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("BERTH_COMMIT").unwrap_or("00000000").into(),
        },
        call_limit: CALL_LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Origin, Strings};

    /// Otherwise the scheduler places tasks that ask for a port which the agent then refuses.
    #[test]
    fn the_ports_that_are_registered_are_those_that_tasks_may_not_have() {
        for (os, expected) in [
            (OsType::Linux, &[8080][..]),
            (OsType::Windows, &[80, 8080][..]),
        ] {
            let config = Config::of_environment_on(
                os,
                &[
                    ("ECS_CLUSTER", "lab"),
                    ("AWS_DEFAULT_REGION", "eu-west-1"),
                    ("ECS_RESERVED_PORTS", "[8080]"),
                ],
            );
            let section = config.connected.as_ref().expect("a cluster");
            let (ports, _) = ecs_config(os, &config, section, Network::default()).reserved_ports;
            assert_eq!(ports, expected, "{os:?}");
        }
    }

    #[test]
    fn a_file_that_may_have_held_what_ecs_hears_once_is_named_too() {
        let (strings, problems) = Config::add_file(
            Strings::new(),
            Origin::File,
            Path::new("ecs.config.json"),
            r#"{"InstanceAttributes": {"rack": "7"}"#,
        );
        let mut config = Config::read(&strings);
        config.problems.extend(problems);
        let named = unread(&config).join(" and ");
        assert!(named.starts_with("a settings file"), "{named}");
    }

    #[test]
    fn what_ecs_hears_once_is_named_where_it_cannot_be_read() {
        for (pairs, expected) in [
            (
                &[("ECS_INSTANCE_ATTRIBUTES", r#"{"rack": "7"}"#)][..],
                &[][..],
            ),
            (
                &[("ECS_INSTANCE_ATTRIBUTES", r#"{"rack": 7}"#)][..],
                &["ECS_INSTANCE_ATTRIBUTES"][..],
            ),
            (
                &[("ECS_CONTAINER_INSTANCE_TAGS", "rack=7")][..],
                &["ECS_CONTAINER_INSTANCE_TAGS"][..],
            ),
            (&[("ECS_RESERVED_MEMORY", "much")][..], &[][..]),
        ] {
            assert_eq!(
                unread(&Config::of_environment(pairs)),
                expected,
                "{pairs:?}"
            );
        }
    }
}
