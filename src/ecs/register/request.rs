//! The request to register.

use std::collections::BTreeMap;

use super::attributes::attributes;
use crate::domain::host::{Gpus, HostFacts, OsType};
use crate::ecs::api::{Registration, Resources};
use crate::ecs::config::EcsConfig;

/// What this host was to the control plane before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// ARN of the container instance.
    pub instance: Option<String>,
    /// Cluster that it is in.
    pub cluster: Option<String>,
    /// What it is to EC2.
    pub ec2: Ec2Identity,
}

/// What this host is to EC2; empty where it is none of its instances, or nobody says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ec2Identity {
    /// The identity document as it stands: its text is signed.
    pub document: String,
    /// Its signature.
    pub signature: String,
    /// The Outpost that the instance runs on.
    pub outpost: Option<String>,
    /// Tags that EC2 has of it, where they are asked for.
    pub tags: BTreeMap<String, String>,
}

/// The request for this host. `token` is the same for all tries of one start.
pub fn registration(
    config: &EcsConfig,
    host: &HostFacts,
    identity: &Identity,
    token: &str,
) -> Registration {
    let (ports, ports_udp) = config.reserved_ports.clone();
    // The operator's count before those of EC2.
    let mut tags = identity.ec2.tags.clone();
    tags.extend(config.tags.clone());
    Registration {
        cluster: config.cluster().to_owned(),
        instance: identity.instance.clone(),
        // The members are there also where there is no such thing.
        identity: (
            identity.ec2.document.clone(),
            identity.ec2.signature.clone(),
        ),
        resources: Resources {
            cpu_units: host.cpu_units,
            memory_mib: host.memory_mib,
            ports,
            ports_udp,
        },
        gpus: gpus(host).map(|gpus| gpus.ids.iter().cloned().collect()),
        attributes: attributes(config, host, identity),
        tags,
        client_token: token.to_owned(),
    }
}

/// GPUs that ECS is told of; never on Windows (reference agent).
pub(super) fn gpus(host: &HostFacts) -> Option<&Gpus> {
    let gpus = host.gpus.as_ref();
    gpus.filter(|_| host.os_type == OsType::Linux)
}
