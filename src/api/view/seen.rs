//! One task as endpoints show it, in words of the domain: pure.

use std::collections::BTreeMap;

use crate::domain::container_facts::{ContainerMount, ContainerNetwork, ProbeResult};
use crate::domain::definition::{ContainerDefinition, LogConfiguration};
use crate::domain::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use crate::domain::layout::{ContainerKind, LayoutContainer, PAUSE_IMAGE, layout};
use crate::domain::names::{
    LABEL_CLUSTER, LABEL_CONTAINER_NAME, LABEL_FAMILY, LABEL_REVISION, LABEL_TASK_ARN,
};
use crate::domain::port_mapping::{PortBinding, PortMapping};
use crate::domain::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};
use crate::domain::task::{KnownContainer, Task};

/// Shares that Docker takes for "none given" (reference agent).
const LEAST_CPU_SHARES: u32 = 2;

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenTask {
    /// Key.
    pub arn: TaskArn,
    /// Cluster as configured.
    pub cluster: String,
    /// Family.
    pub family: String,
    /// Revision.
    pub revision: u32,
    /// What is wanted, the engine's own causes to stop included.
    pub desired: DesiredStatus,
    /// What is known.
    pub known: TaskStatus,
    /// In the order of the task: the agent's own first, then those of the definition.
    pub containers: Vec<SeenContainer>,
    /// CPU units of the task.
    pub cpu_units: Option<u32>,
    /// Memory of the task in MiB.
    pub memory_mib: Option<u32>,
    /// First pull began.
    pub pull_started_at: Option<UnixMillis>,
    /// Last pull ended.
    pub pull_stopped_at: Option<UnixMillis>,
    /// First time an essential container was seen stopped.
    pub execution_stopped_at: Option<UnixMillis>,
    /// Whether faults may be injected.
    pub fault_injection: bool,
    /// How ECS launched it.
    pub launch_type: Option<String>,
    /// The service that it belongs to.
    pub service_name: Option<String>,
    /// Tags of the definition.
    pub tags: BTreeMap<String, String>,
}

/// A container.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenContainer {
    /// Name in the task.
    pub name: ContainerName,
    /// Where it comes from.
    pub kind: ContainerKind,
    /// Docker's id, while Docker has it.
    pub docker_id: Option<DockerId>,
    /// Docker name; empty while it was never created.
    pub docker_name: String,
    /// Image as the definition gives it.
    pub image: String,
    /// Image id; empty while unknown.
    pub image_id: String,
    /// Published ports.
    pub bindings: Vec<PortBinding>,
    /// What the definition asks to publish.
    pub requested_ports: Vec<PortMapping>,
    /// Labels of the user and of ECS.
    pub labels: BTreeMap<String, String>,
    /// What is wanted.
    pub desired: DesiredStatus,
    /// What is known.
    pub known: ContainerStatus,
    /// Exit code.
    pub exit_code: Option<i64>,
    /// CPU shares.
    pub cpu_shares: u32,
    /// Memory limit in MiB; 0 = none.
    pub memory_mib: u32,
    /// Made by Docker.
    pub created_at: Option<UnixMillis>,
    /// First start.
    pub started_at: Option<UnixMillis>,
    /// End of the last run.
    pub finished_at: Option<UnixMillis>,
    /// Networks: those of the container whose network it shares, if it shares one.
    pub networks: Vec<ContainerNetwork>,
    /// Health, if it has a check.
    pub health: Option<SeenHealth>,
    /// Mounts.
    pub mounts: Vec<ContainerMount>,
    /// Log driver and options.
    pub log: Option<LogConfiguration>,
    /// Restarts by its policy, if it has one.
    pub restart_count: Option<u32>,
    /// ARN of ECS.
    pub arn: Option<String>,
}

/// Health of a container that has a check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenHealth {
    /// The verdict.
    pub status: Health,
    /// Since when.
    pub since: Option<UnixMillis>,
    /// The last probe.
    pub probe: Option<ProbeResult>,
}

impl SeenTask {
    /// The task of these rows.
    pub fn new(task: &Task, cluster: &str) -> Self {
        let (desired, known) = (&task.desired, &task.known);
        let definition = &desired.definition;
        let containers = layout(desired).containers;
        let containers = containers
            .iter()
            .map(|entry| SeenContainer::new(task, entry, cluster));
        Self {
            arn: desired.arn.clone(),
            cluster: cluster.to_owned(),
            family: definition.family.to_string(),
            revision: definition.revision,
            desired: task.effective_desired(),
            known: known.status,
            containers: containers.collect(),
            cpu_units: definition.cpu_units,
            memory_mib: definition.memory_mib,
            pull_started_at: known.pull_started_at,
            pull_stopped_at: known.pull_stopped_at,
            execution_stopped_at: known.execution_stopped_at,
            fault_injection: definition.enable_fault_injection,
            launch_type: desired.ecs.launch_type.clone(),
            service_name: desired.ecs.service_name.clone(),
            tags: definition.tags.clone(),
        }
    }

    /// One of its containers.
    pub fn container(&self, name: &ContainerName) -> Option<&SeenContainer> {
        self.containers
            .iter()
            .find(|container| container.name == *name)
    }
}

impl SeenContainer {
    fn new(task: &Task, entry: &LayoutContainer, cluster: &str) -> Self {
        let nothing = KnownContainer::default();
        let known = task.known.containers.get(&entry.name).unwrap_or(&nothing);
        let definition = task.desired.definition.container(&entry.name);
        let was_created = known.docker_id.is_some() || known.created_at.is_some();
        let docker_name = if was_created {
            task.desired.docker_name(&entry.name, known.attempt)
        } else {
            String::new()
        };
        let desired = if known.status == ContainerStatus::Stopped {
            DesiredStatus::Stopped
        } else {
            task.effective_desired()
        };
        let image = definition.map_or(PAUSE_IMAGE, |container| container.image.as_str());
        Self {
            name: entry.name.clone(),
            kind: entry.kind,
            docker_id: known.docker_id.clone(),
            docker_name,
            image: image.to_owned(),
            image_id: known.image_id.clone().unwrap_or_default(),
            bindings: known.bindings.clone(),
            requested_ports: definition.map_or_else(Vec::new, |it| it.port_mappings.clone()),
            labels: labels(task, &entry.name, definition, cluster),
            desired,
            known: known.status,
            exit_code: known.exit.as_ref().and_then(|exit| exit.code),
            cpu_shares: definition
                .map_or(0, |container| container.cpu_units)
                .max(LEAST_CPU_SHARES),
            memory_mib: definition
                .and_then(|container| container.memory_mib)
                .unwrap_or(0),
            created_at: known.created_at,
            started_at: known.started_at,
            finished_at: known.exit.as_ref().map(|exit| exit.at),
            networks: networks(task, known, definition),
            health: definition
                .and_then(|container| container.health_check.as_ref())
                .map(|_| health(known)),
            mounts: known.mounts.clone(),
            log: definition.and_then(|container| container.log_configuration.clone()),
            restart_count: definition
                .and_then(|container| container.restart_policy.as_ref())
                .map(|_| known.restart_count),
            arn: task.desired.ecs.container_arns.get(&entry.name).cloned(),
        }
    }

    /// Whether Docker has made it, as far as is known.
    pub fn was_created(&self) -> bool {
        !self.docker_name.is_empty()
    }
}

/// One that joins the network of the task's holder has that one's. One that has stopped has no address any more: it may
/// be another's by now.
fn networks(
    task: &Task,
    known: &KnownContainer,
    definition: Option<&ContainerDefinition>,
) -> Vec<ContainerNetwork> {
    let isolated = definition.is_some_and(|container| container.disable_networking);
    let holder = task.known.containers.get(&ContainerName::network_pause());
    let mut networks = match holder {
        Some(holder) if known.networks.is_empty() && !isolated && known.docker_id.is_some() => {
            holder.networks.clone()
        }
        Some(_) | None => known.networks.clone(),
    };
    if known.status == ContainerStatus::Stopped {
        for network in &mut networks {
            network.ipv4.clear();
            network.ipv6.clear();
        }
    }
    networks
}

fn health(known: &KnownContainer) -> SeenHealth {
    if known.health == Health::Unknown {
        return SeenHealth::default();
    }
    SeenHealth {
        status: known.health,
        since: known.health_since,
        probe: known.probe.clone(),
    }
}

/// The user's and those that every ECS agent sets; ours hold what is nobody's business.
fn labels(
    task: &Task,
    name: &ContainerName,
    definition: Option<&ContainerDefinition>,
    cluster: &str,
) -> BTreeMap<String, String> {
    let of = &task.desired.definition;
    let mut labels = definition.map_or_else(BTreeMap::new, |it| it.docker_labels.clone());
    labels.extend(
        [
            (LABEL_CLUSTER, cluster.to_owned()),
            (LABEL_CONTAINER_NAME, name.to_string()),
            (LABEL_TASK_ARN, task.desired.arn.to_string()),
            (LABEL_FAMILY, of.family.to_string()),
            (LABEL_REVISION, of.revision.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    labels
}
