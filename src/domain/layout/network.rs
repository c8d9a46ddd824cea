//! The network mode that a task really gets, and what moves to the container that holds a shared one.
//!
//! Docker refuses host name, name servers, host entries, links and ports on a container that joins another one's
//! network, and shares the holder's files for them; so they are set on the holder (Docker Engine, `container:` mode).

use crate::domain::definition::{NetworkMode, TaskDefinition};
use crate::domain::task::TaskOptions;

/// What the holder of a shared network namespace takes over from the containers that join it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedNetwork {
    /// The host name, if all containers that ask for one ask for the same.
    pub hostname: Option<String>,
    /// Name servers of all, each once, in order.
    pub dns_servers: Vec<String>,
    /// Search domains of all, each once, in order.
    pub dns_search_domains: Vec<String>,
    /// Host entries of all, each once, in order.
    pub extra_hosts: Vec<(String, String)>,
}

/// The network mode that the task gets here; `Awsvpc` only if the options do not say how to run it.
pub fn effective_network_mode(definition: &TaskDefinition, options: &TaskOptions) -> NetworkMode {
    match (definition.network_mode, options.network_as) {
        (NetworkMode::Awsvpc, Some(instead)) => instead,
        (mode, _) => mode,
    }
}

/// Whether the containers join one network namespace: `awsvpc` run as bridge.
pub fn shares_network(definition: &TaskDefinition, options: &TaskOptions) -> bool {
    definition.network_mode == NetworkMode::Awsvpc
        && options.network_as == Some(NetworkMode::Bridge)
}

/// Gathers what the holder takes over. A container without network (`disableNetworking`) does not join.
pub fn shared_network(definition: &TaskDefinition) -> SharedNetwork {
    let mut shared = SharedNetwork::default();
    let mut hostnames: Vec<&String> = Vec::new();
    for container in definition
        .containers
        .iter()
        .filter(|container| !container.disable_networking)
    {
        extend_once(&mut shared.dns_servers, &container.dns_servers);
        extend_once(
            &mut shared.dns_search_domains,
            &container.dns_search_domains,
        );
        extend_once(&mut shared.extra_hosts, &container.extra_hosts);
        hostnames.extend(&container.hostname);
    }
    hostnames.dedup();
    if let [only] = hostnames.as_slice() {
        shared.hostname = Some((*only).clone());
    }
    shared
}

fn extend_once<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample;

    #[test]
    fn options_replace_awsvpc_and_nothing_else() {
        let mut definition = sample::definition(&["app"]);
        let options = TaskOptions {
            network_as: Some(NetworkMode::Host),
            ..TaskOptions::default()
        };
        for (mode, expected) in [
            (NetworkMode::Bridge, NetworkMode::Bridge),
            (NetworkMode::None, NetworkMode::None),
            (NetworkMode::Awsvpc, NetworkMode::Host),
        ] {
            definition.network_mode = mode;
            assert_eq!(effective_network_mode(&definition, &options), expected);
        }
        assert_eq!(
            effective_network_mode(&definition, &TaskOptions::default()),
            NetworkMode::Awsvpc
        );
    }

    #[test]
    fn the_holder_takes_over_each_entry_once() {
        let mut definition = sample::definition(&["a", "b", "alone"]);
        for (index, container) in definition.containers.iter_mut().enumerate() {
            container.dns_servers = vec!["10.0.0.2".to_owned(), format!("10.0.1.{index}")];
            container.extra_hosts = vec![("db".to_owned(), "10.0.0.9".to_owned())];
        }
        definition.containers[1].dns_search_domains = vec!["local".to_owned()];
        definition.containers[2].disable_networking = true;
        assert_eq!(
            shared_network(&definition),
            SharedNetwork {
                hostname: None,
                dns_servers: ["10.0.0.2", "10.0.1.0", "10.0.1.1"]
                    .map(str::to_owned)
                    .to_vec(),
                dns_search_domains: vec!["local".to_owned()],
                extra_hosts: vec![("db".to_owned(), "10.0.0.9".to_owned())],
            }
        );
    }

    #[test]
    fn the_host_name_moves_only_if_nobody_disagrees() {
        for (names, expected) in [
            ([None, None], None),
            ([Some("one"), None], Some("one")),
            ([Some("one"), Some("one")], Some("one")),
            ([Some("one"), Some("two")], None),
        ] {
            let mut definition = sample::definition(&["a", "b"]);
            for (container, name) in definition.containers.iter_mut().zip(names) {
                container.hostname = name.map(str::to_owned);
            }
            assert_eq!(shared_network(&definition).hostname.as_deref(), expected);
        }
    }
}
