//! Containers as Docker lists and inspects them.
//!
//! **Invariant.** Whether it runs decides (engine.md W30): flags and exit codes that Docker keeps beside a running
//! process explain nothing and are left out.

use std::net::IpAddr;

use jiff::Timestamp;

use super::super::wire;
use crate::domain::container_facts::{ContainerMount, ContainerNetwork, ProbeResult};
use crate::domain::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::names::{
    LABEL_ATTEMPT, LABEL_CONTAINER_NAME, LABEL_DEFINITION, LABEL_INSTANCE, LABEL_TASK_ARN,
};
use crate::domain::port_mapping::{PortBinding, Protocol};
use crate::domain::runtime::{ListedContainer, ObservedContainer, RunState};
use crate::domain::spec::ContainerSpec;
use crate::domain::status::Health;
use crate::domain::task::Exit;

/// Longest probe output kept, in bytes (reference agent).
const MAX_PROBE_OUTPUT_BYTES: usize = 1024;

/// A list entry; `None` if its id, state or our labels cannot be read.
pub(in super::super) fn listed(mut summary: wire::Summary) -> Option<ListedContainer> {
    let (task, container) = owner(&summary.labels)?;
    let attempt = summary.labels.get(LABEL_ATTEMPT);
    let attempt = attempt.and_then(|text| text.parse().ok());
    let definition = summary.labels.remove(LABEL_DEFINITION);
    let name = summary.names.iter().find(|name| is_own_name(name))?;
    let mut bindings: Vec<PortBinding> = summary.ports.iter().filter_map(listed_port).collect();
    bindings.sort();
    let health = match &summary.health {
        Some(health) => health_of(&health.status),
        None => health_in(&summary.status),
    };
    Some(ListedContainer {
        id: DockerId::parse(&summary.id).ok()?,
        docker_name: bare_name(name),
        task,
        container,
        attempt,
        definition,
        state: word_to_state(&summary.state)?,
        health,
        bindings,
        networks: networks(&summary.network_settings.networks),
    })
}

/// An inspect answer; `None` if its id or state cannot be read.
pub(in super::super) fn observed(inspect: wire::Inspect) -> Option<ObservedContainer> {
    let state = state_of(&inspect.state)?;
    let said = inspect.state;
    let alive = state.may_live();
    let exit = instant(&said.finished_at)
        .filter(|_| !alive)
        .map(|at| Exit {
            code: said.exit_code,
            at,
            oom_killed: said.oom_killed,
        });
    let (health, probe) = match said.health {
        Some(health) => (health_of(&health.status), last_probe(health.log)),
        None => (Health::Unknown, None),
    };
    let mut bindings: Vec<PortBinding> = inspect
        .network_settings
        .ports
        .iter()
        .flat_map(|(key, hosts)| {
            let hosts = hosts.iter().flatten();
            hosts.filter_map(|host| inspected_port(key, host))
        })
        .collect();
    bindings.sort();
    Some(ObservedContainer {
        id: DockerId::parse(&inspect.id).ok()?,
        docker_name: bare_name(&inspect.name),
        labels: inspect.config.labels,
        state,
        exit,
        error: Some(said.error).filter(|text| !text.is_empty()),
        created_at: instant(&inspect.created),
        started_at: instant(&said.started_at),
        health,
        probe,
        bindings,
        image_id: inspect.image,
        networks: networks(&inspect.network_settings.networks),
        mounts: mounts(inspect.mounts),
        pid: Some(said.pid).filter(|pid| alive && *pid != 0),
    })
}

/// The task and container that labels name.
pub(in super::super) fn owner(
    labels: &std::collections::BTreeMap<String, String>,
) -> Option<(TaskArn, ContainerName)> {
    let task = TaskArn::parse(labels.get(LABEL_TASK_ARN)?).ok()?;
    let container = ContainerName::parse(labels.get(LABEL_CONTAINER_NAME)?).ok()?;
    Some((task, container))
}

/// Whether a container that has a spec's name was made from that spec of the same task by the same agent: the name
/// holds the attempt, the labels the rest. A spec without our labels owns nothing.
pub(in super::super) fn is_of_spec(spec: &ContainerSpec, found: &ObservedContainer) -> bool {
    [LABEL_INSTANCE, LABEL_TASK_ARN, LABEL_CONTAINER_NAME]
        .into_iter()
        .all(|label| {
            let wanted = spec.labels.get(label);
            wanted.is_some() && wanted == found.labels.get(label)
        })
}

/// Who holds a name, for people.
pub(in super::super) fn holder(found: &ObservedContainer) -> String {
    let id = found.id.as_str();
    let short = id.get(..12).unwrap_or(id);
    let label = |name: &str| found.labels.get(name).map_or("", String::as_str);
    match (label(LABEL_TASK_ARN), label(LABEL_INSTANCE)) {
        ("", _) => format!("container {short}, which is not of ECS"),
        (task, "") => format!("container {short} of task {task}, made by another agent"),
        (task, instance) => format!("container {short} of task {task}, agent {instance}"),
    }
}

fn state_of(state: &wire::State) -> Option<RunState> {
    // Podman has more words; the flags say what they mean.
    let known = word_to_state(&state.status);
    let flagged = [
        (state.restarting, RunState::Restarting),
        (state.paused, RunState::Paused),
        (state.running, RunState::Running),
        (state.dead, RunState::Dead),
    ]
    .into_iter()
    .find_map(|(flag, meaning)| flag.then_some(meaning));
    match (known, flagged) {
        (Some(known), Some(flagged)) if flagged.may_live() && !known.may_live() => Some(flagged),
        (Some(known), _) => Some(known),
        (None, Some(flagged)) => Some(flagged),
        (None, None) if !state.status.is_empty() => None,
        (None, None) if instant(&state.started_at).is_none() => Some(RunState::Created),
        (None, None) => Some(RunState::Exited),
    }
}

/// Docker's words, and Podman's for the same.
fn word_to_state(word: &str) -> Option<RunState> {
    match word {
        "stopping" => Some(RunState::Running),
        "configured" | "initialized" => Some(RunState::Created),
        "stopped" => Some(RunState::Exited),
        word => RunState::from_text(word),
    }
}

/// Docker's word for health.
pub(in super::super) fn health_of(word: &str) -> Health {
    match word {
        "healthy" => Health::Healthy,
        "unhealthy" => Health::Unhealthy,
        _ => Health::Unknown,
    }
}

/// `Up 5 minutes (healthy)`, `Up 2 seconds (health: starting)`.
fn health_in(status: &str) -> Health {
    let word = status
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once('('))
        .map_or("", |(_, word)| word);
    health_of(word)
}

fn last_probe(mut log: Vec<wire::Probe>) -> Option<ProbeResult> {
    let wire::Probe {
        exit_code,
        mut output,
    } = log.pop()?;
    output.truncate(output.floor_char_boundary(MAX_PROBE_OUTPUT_BYTES));
    Some(ProbeResult { exit_code, output })
}

/// In order of their names, as the map has them.
fn networks(
    networks: &std::collections::BTreeMap<String, Option<wire::Endpoint>>,
) -> Vec<ContainerNetwork> {
    networks
        .iter()
        .filter_map(|(name, endpoint)| {
            let endpoint = endpoint.as_ref()?;
            Some(ContainerNetwork {
                name: name.clone(),
                ipv4: endpoint.ip_address.clone(),
                ipv4_prefix: endpoint.ip_prefix_len,
                ipv4_gateway: endpoint.gateway.clone(),
                ipv6: endpoint.global_ipv6_address.clone(),
                ipv6_prefix: endpoint.global_ipv6_prefix_len,
                ipv6_gateway: endpoint.ipv6_gateway.clone(),
                mac: endpoint.mac_address.clone(),
            })
        })
        .collect()
}

/// Sorted: Docker's own order changes from answer to answer.
fn mounts(mounts: Vec<wire::Mount>) -> Vec<ContainerMount> {
    let mut mounts: Vec<ContainerMount> = mounts
        .into_iter()
        .map(|mount| ContainerMount {
            name: mount.name,
            source: mount.source,
            destination: mount.destination,
        })
        .collect();
    mounts.sort_by(|a, b| a.destination.cmp(&b.destination));
    mounts
}

/// Milliseconds of an RFC 3339 time; Docker's zero time lies before 1970 and means never.
pub(in super::super) fn instant(text: &str) -> Option<UnixMillis> {
    let timestamp: Timestamp = text.parse().ok()?;
    let millis = timestamp.as_millisecond();
    (millis > 0).then_some(UnixMillis(millis))
}

fn protocol(word: &str) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .find(|protocol| protocol.as_str() == word)
}

fn listed_port(port: &wire::SummaryPort) -> Option<PortBinding> {
    Some(PortBinding {
        container_port: port.private_port,
        protocol: protocol(&port.protocol)?,
        bind_ip: bind_ip(port.ip.as_deref().unwrap_or_default()),
        host_port: port.public_port.filter(|port| *port != 0)?,
    })
}

fn inspected_port(key: &str, host: &wire::HostBinding) -> Option<PortBinding> {
    let (port, word) = key.split_once('/')?;
    Some(PortBinding {
        container_port: port.parse().ok()?,
        protocol: protocol(word)?,
        bind_ip: bind_ip(&host.host_ip),
        host_port: host.host_port.parse().ok().filter(|port| *port != 0)?,
    })
}

/// An empty address means all of them; Windows writes it so.
fn bind_ip(text: &str) -> String {
    text.parse::<IpAddr>()
        .map_or_else(|_| "0.0.0.0".to_owned(), |address| address.to_string())
}

fn bare_name(name: &str) -> String {
    name.trim_start_matches('/').to_owned()
}

/// Links give a container further names, `/other/alias`.
fn is_own_name(name: &str) -> bool {
    !name.trim_start_matches('/').contains('/')
}
