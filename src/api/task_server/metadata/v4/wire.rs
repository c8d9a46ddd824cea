//! Objects of version 4: names, order and null rules are those of ECS agents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::beside::Beside;
use super::super::classic::{
    HealthObject, Limits, Port, TaskLimits, Volume, container_type, desired_word, known_word,
    task_word,
};
use super::super::wire::ErrorObject;
use crate::api::view::{SeenContainer, SeenTask};
use crate::api::wire::Trimmed;
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::status::ContainerStatus;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    launch_type: Option<&'a str>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    errors: &'a [ErrorObject],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<Container<'a>>,
    #[serde(rename = "VPCID", skip_serializing_if = "Option::is_none")]
    vpc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<&'a str>,
    fault_injection_enabled: bool,
    #[serde(rename = "AvailabilityZoneID", skip_serializing_if = "Option::is_none")]
    availability_zone_id: Option<&'a str>,
}

impl<'a> Task<'a> {
    pub(super) fn new(task: &'a SeenTask, beside: &'a Beside) -> Self {
        // Those whose image is here and that are not made yet are shown too.
        let shown = task
            .containers
            .iter()
            .filter(|it| it.was_created() || it.known == ContainerStatus::Pulled);
        Self {
            cluster: &task.cluster,
            task_arn: task.arn.as_str(),
            family: &task.family,
            revision: task.revision.to_string(),
            desired_status: desired_word(task.desired),
            known_status: task_word(task.known),
            limits: TaskLimits::new(task),
            pull_started_at: task.pull_started_at.map(Trimmed),
            pull_stopped_at: task.pull_stopped_at.map(Trimmed),
            execution_stopped_at: task.execution_stopped_at.map(Trimmed),
            availability_zone: beside.zone.as_deref(),
            task_tags: beside.task_tags.as_deref(),
            container_instance_tags: beside.instance_tags.as_deref(),
            launch_type: task.launch_type.as_deref(),
            errors: &beside.errors,
            containers: shown.map(Container::from).collect(),
            vpc: beside.place.vpc.as_deref(),
            service_name: task.service_name.as_deref(),
            fault_injection_enabled: task.fault_injection,
            availability_zone_id: beside.place.zone_id.as_deref(),
        }
    }
}

fn slice_is_empty<T>(slice: &&[T]) -> bool {
    slice.is_empty()
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
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthObject<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_driver: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_options: Option<&'a BTreeMap<String, String>>,
    #[serde(rename = "ContainerARN", skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    networks: Vec<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_count: Option<u32>,
}

impl<'a> From<&'a SeenContainer> for Container<'a> {
    fn from(container: &'a SeenContainer) -> Self {
        let log = container.log.as_ref();
        Self {
            docker_id: container.docker_id.as_ref().map_or("", |id| id.as_str()),
            name: container.name.as_str(),
            docker_name: &container.docker_name,
            image: &container.image,
            image_id: &container.image_id,
            ports: Port::all(container, true),
            labels: &container.labels,
            desired_status: desired_word(container.desired),
            known_status: known_word(container),
            exit_code: container.exit_code,
            limits: Limits::new(container),
            created_at: container.created_at.map(Trimmed),
            started_at: container.started_at.map(Trimmed),
            finished_at: container.finished_at.map(Trimmed),
            kind: container_type(container.kind),
            health: container.health.as_ref().map(HealthObject::from),
            volumes: container.mounts.iter().map(Volume::from).collect(),
            log_driver: log.map(|log| log.driver.as_str()),
            log_options: log
                .map(|log| &log.options)
                .filter(|options| !options.is_empty()),
            arn: container.arn.as_deref(),
            networks: container.networks.iter().map(Network::from).collect(),
            restart_count: container.restart_count,
        }
    }
}

/// A network; the address of one without addresses is the empty text.
#[expect(clippy::struct_field_names, reason = "the names are those of ECS")]
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Network<'a> {
    network_mode: &'a str,
    #[serde(rename = "IPv4Addresses")]
    ipv4_addresses: [&'a str; 1],
    #[serde(rename = "IPv6Addresses", skip_serializing_if = "Option::is_none")]
    ipv6_addresses: Option<[&'a str; 1]>,
}

impl<'a> From<&'a ContainerNetwork> for Network<'a> {
    fn from(network: &'a ContainerNetwork) -> Self {
        Self {
            network_mode: &network.name,
            ipv4_addresses: [&network.ipv4],
            ipv6_addresses: Some([network.ipv6.as_str()]).filter(|[address]| !address.is_empty()),
        }
    }
}
