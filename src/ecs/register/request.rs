//! The request to register.

use super::attributes::attributes;
use crate::domain::host::HostFacts;
use crate::ecs::api::{Registration, Resources};
use crate::ecs::config::EcsConfig;

/// What this host was to the control plane before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// ARN of the container instance.
    pub instance: Option<String>,
    /// Cluster that it is in.
    pub cluster: Option<String>,
}

/// The request for this host. `token` is the same for all tries of one start.
pub fn registration(
    config: &EcsConfig,
    host: &HostFacts,
    identity: &Identity,
    token: &str,
) -> Registration {
    let (ports, ports_udp) = config.reserved_ports.clone();
    Registration {
        cluster: config.cluster().to_owned(),
        instance: identity.instance.clone(),
        // Where nobody asks the instance metadata service there is none, and the members are there all the same.
        identity: (String::new(), String::new()),
        resources: Resources {
            cpu_units: host.cpu_units,
            memory_mib: host.memory_mib,
            ports,
            ports_udp,
        },
        attributes: attributes(config, host, identity.instance.is_none()),
        tags: config.tags.clone(),
        client_token: token.to_owned(),
    }
}
