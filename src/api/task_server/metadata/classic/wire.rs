//! Objects of versions 2 and 3: names, order and null rules are those of ECS agents.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::super::beside::Beside;
use crate::api::view::seen::SeenHealth;
use crate::api::view::{SeenContainer, SeenTask};
use crate::api::wire::Trimmed;
use crate::domain::container_facts::{ContainerMount, ContainerNetwork};
use crate::domain::layout::ContainerKind;
use crate::domain::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};

/// A task.
#[expect(clippy::struct_field_names, reason = "the names are those of ECS")]
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Task<'a> {
    cluster: &'a str,
    #[serde(rename = "TaskARN")]
    task_arn: &'a str,
    family: &'a str,
    revision: String,
    desired_status: &'static str,
    known_status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<Container<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<TaskLimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_started_at: Option<Trimmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_stopped_at: Option<Trimmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_stopped_at: Option<Trimmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_tags: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_instance_tags: Option<&'a BTreeMap<String, String>>,
}

/// Whether networks are shown: version 2 shows those of elastic network interfaces only, which there are none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Networks {
    /// Version 3.
    Shown,
    /// Version 2.
    Left,
}

impl<'a> Task<'a> {
    pub(super) fn new(task: &'a SeenTask, networks: Networks, beside: &'a Beside) -> Self {
        let made = task.containers.iter().filter(|it| it.was_created());
        Self {
            cluster: &task.cluster,
            task_arn: task.arn.as_str(),
            family: &task.family,
            revision: task.revision.to_string(),
            desired_status: desired_word(task.desired),
            known_status: task_word(task.known),
            containers: made.map(|it| Container::new(it, networks)).collect(),
            limits: TaskLimits::new(task),
            pull_started_at: task.pull_started_at.map(Trimmed),
            pull_stopped_at: task.pull_stopped_at.map(Trimmed),
            execution_stopped_at: task.execution_stopped_at.map(Trimmed),
            availability_zone: beside.zone.as_deref(),
            task_tags: beside.task_tags.as_deref(),
            container_instance_tags: beside.instance_tags.as_deref(),
        }
    }
}

/// A container.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container<'a> {
    docker_id: &'a str,
    name: &'a str,
    docker_name: &'a str,
    image: &'a str,
    #[serde(rename = "ImageID")]
    image_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<Port<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    desired_status: &'static str,
    known_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Trimmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Trimmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Trimmed>,
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    networks: Vec<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthObject<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume<'a>>,
}

impl<'a> Container<'a> {
    pub(super) fn new(container: &'a SeenContainer, networks: Networks) -> Self {
        let shown = container
            .networks
            .iter()
            .filter(|_| networks == Networks::Shown);
        Self {
            docker_id: container.docker_id.as_ref().map_or("", |id| id.as_str()),
            name: container.name.as_str(),
            docker_name: &container.docker_name,
            image: &container.image,
            image_id: &container.image_id,
            ports: Port::all(container, false),
            labels: &container.labels,
            desired_status: desired_word(container.desired),
            known_status: known_word(container),
            exit_code: container.exit_code,
            limits: Limits::new(container),
            created_at: container.created_at.map(Trimmed),
            started_at: container.started_at.map(Trimmed),
            finished_at: container.finished_at.map(Trimmed),
            kind: container_type(container.kind),
            networks: shown.map(Network::from).collect(),
            health: container.health.as_ref().map(HealthObject::from),
            volumes: container.mounts.iter().map(Volume::from).collect(),
        }
    }
}

/// A network; the address of one without addresses is the empty text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Network<'a> {
    network_mode: &'a str,
    #[serde(rename = "IPv4Addresses")]
    ipv4_addresses: [&'a str; 1],
}

impl<'a> From<&'a ContainerNetwork> for Network<'a> {
    fn from(network: &'a ContainerNetwork) -> Self {
        Self {
            network_mode: &network.name,
            ipv4_addresses: [&network.ipv4],
        }
    }
}

/// A published port.
#[expect(clippy::struct_field_names, reason = "the names are those of ECS")]
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Port<'a> {
    container_port: u16,
    protocol: &'static str,
    host_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_ip: Option<&'a str>,
}

impl<'a> Port<'a> {
    pub(in super::super) fn all(container: &'a SeenContainer, with_host_ip: bool) -> Vec<Self> {
        let ports = container.bindings.iter().map(|binding| Self {
            container_port: binding.container_port,
            protocol: binding.protocol.as_str(),
            host_port: binding.host_port,
            host_ip: Some(binding.bind_ip.as_str()).filter(|_| with_host_ip),
        });
        ports.collect()
    }
}

/// CPU shares and MiB; none is 2 and 0.
#[derive(Debug, Serialize)]
pub(in super::super) struct Limits {
    #[serde(rename = "CPU")]
    cpu: u32,
    #[serde(rename = "Memory")]
    memory: u32,
}

impl Limits {
    pub(in super::super) fn new(container: &SeenContainer) -> Self {
        Self {
            cpu: container.cpu_shares,
            memory: container.memory_mib,
        }
    }
}

/// vCPUs and MiB of a task.
#[derive(Debug, Serialize)]
pub(in super::super) struct TaskLimits {
    #[serde(rename = "CPU", skip_serializing_if = "Option::is_none")]
    cpu: Option<VirtualCpus>,
    #[serde(rename = "Memory", skip_serializing_if = "Option::is_none")]
    memory: Option<u32>,
}

impl TaskLimits {
    pub(in super::super) fn new(task: &SeenTask) -> Option<Self> {
        let given = |value: Option<u32>| value.filter(|value| *value > 0);
        let (cpu, memory) = (given(task.cpu_units), given(task.memory_mib));
        (cpu.is_some() || memory.is_some()).then_some(Self {
            cpu: cpu.map(VirtualCpus),
            memory,
        })
    }
}

/// CPU units, written as a number of CPUs: whole ones without a fraction, as strict readers want them.
#[derive(Clone, Copy, Debug)]
struct VirtualCpus(u32);

impl Serialize for VirtualCpus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const UNITS: u32 = 1024;
        if self.0.is_multiple_of(UNITS) {
            serializer.serialize_u32(self.0 / UNITS)
        } else {
            serializer.serialize_f64(f64::from(self.0) / f64::from(UNITS))
        }
    }
}

/// Health of a container that has a check; nothing of it while unknown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct HealthObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_since: Option<Trimmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
}

impl<'a> From<&'a SeenHealth> for HealthObject<'a> {
    fn from(health: &'a SeenHealth) -> Self {
        let probe = health.probe.as_ref();
        Self {
            status: match health.status {
                Health::Unknown => None,
                Health::Healthy => Some("HEALTHY"),
                Health::Unhealthy => Some("UNHEALTHY"),
            },
            status_since: health.since.map(Trimmed),
            exit_code: probe.map(|probe| probe.exit_code).filter(|code| *code != 0),
            output: probe
                .map(|probe| probe.output.as_str())
                .filter(|output| !output.is_empty()),
        }
    }
}

/// A mount.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Volume<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    docker_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    destination: &'a str,
}

impl<'a> From<&'a ContainerMount> for Volume<'a> {
    fn from(mount: &'a ContainerMount) -> Self {
        Self {
            docker_name: &mount.name,
            source: &mount.source,
            destination: &mount.destination,
        }
    }
}

/// Kind of a container in ECS' words.
pub(in super::super) fn container_type(kind: ContainerKind) -> &'static str {
    match kind {
        ContainerKind::Application(_) => "NORMAL",
        ContainerKind::NetworkPause => "CNI_PAUSE",
        ContainerKind::NamespacePause => "NAMESPACE_PAUSE",
    }
}

/// What is wanted, in ECS' words.
pub(in super::super) fn desired_word(status: DesiredStatus) -> &'static str {
    match status {
        DesiredStatus::Running => "RUNNING",
        DesiredStatus::Stopped => "STOPPED",
    }
}

/// What is known of a container, in ECS' words: the network of a pause container exists once it runs.
pub(in super::super) fn known_word(container: &SeenContainer) -> &'static str {
    match (container.known, container.kind) {
        (ContainerStatus::None, _) => "NONE",
        (ContainerStatus::Pulled, _) => "PULLED",
        (ContainerStatus::Created, _) => "CREATED",
        (ContainerStatus::Running, ContainerKind::NetworkPause) => "RESOURCES_PROVISIONED",
        (
            ContainerStatus::Running,
            ContainerKind::Application(_) | ContainerKind::NamespacePause,
        ) => "RUNNING",
        (ContainerStatus::Stopped, _) => "STOPPED",
    }
}

/// What is known of a task, in the metadata's words.
pub(in super::super) fn task_word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Pending => "NONE",
        TaskStatus::Created => "CREATED",
        TaskStatus::Running => "RUNNING",
        TaskStatus::Stopped => "STOPPED",
    }
}
