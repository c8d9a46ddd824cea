//! Bodies of the classic paths: names, order and null rules are those of ECS agents.

use serde::Serialize;

use crate::api::view::{SeenContainer, SeenTask};
use crate::api::wire::Trimmed;
use crate::domain::container_facts::ContainerMount;
use crate::domain::status::{DesiredStatus, TaskStatus};

/// `/v1/metadata`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metadata<'a> {
    pub(super) cluster: &'a str,
    pub(super) container_instance_arn: Option<&'a str>,
    pub(super) version: &'a str,
}

/// `/v1/tasks`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tasks<'a> {
    pub(super) tasks: Vec<Task<'a>>,
}

/// A task; its default is the body of errors.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Task<'a> {
    arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    desired_status: Option<&'static str>,
    known_status: &'static str,
    family: &'a str,
    version: String,
    containers: Option<Vec<Container<'a>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Container<'a> {
    docker_id: &'a str,
    docker_name: &'a str,
    name: &'a str,
    image: &'a str,
    #[serde(rename = "ImageID")]
    image_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Trimmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Trimmed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<Port>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_count: Option<u32>,
}

#[expect(clippy::struct_field_names, reason = "the names are those of ECS")]
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Port {
    container_port: u16,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_port: Option<u16>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Volume<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    docker_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    destination: &'a str,
}

impl<'a> From<&'a SeenTask> for Task<'a> {
    fn from(task: &'a SeenTask) -> Self {
        let containers = task
            .containers
            .iter()
            .filter(|container| !container.kind.is_pause() && container.was_created());
        Self {
            arn: task.arn.as_str(),
            desired_status: match (task.desired, task.known) {
                (DesiredStatus::Running, TaskStatus::Stopped) => None,
                (DesiredStatus::Running, _) => Some("RUNNING"),
                (DesiredStatus::Stopped, _) => Some("STOPPED"),
            },
            known_status: match task.known {
                TaskStatus::Pending | TaskStatus::Created => "PENDING",
                TaskStatus::Running => "RUNNING",
                TaskStatus::Stopped => "STOPPED",
            },
            family: &task.family,
            version: task.revision.to_string(),
            containers: Some(containers.map(Container::from).collect()),
        }
    }
}

impl<'a> From<&'a SeenContainer> for Container<'a> {
    fn from(container: &'a SeenContainer) -> Self {
        Self {
            docker_id: container.docker_id.as_ref().map_or("", |id| id.as_str()),
            docker_name: &container.docker_name,
            name: container.name.as_str(),
            image: &container.image,
            image_id: &container.image_id,
            created_at: container.created_at.map(Trimmed),
            started_at: container.started_at.map(Trimmed),
            ports: ports(container),
            volumes: container.mounts.iter().map(Volume::from).collect(),
            restart_count: container.restart_count,
        }
    }
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

/// Those that Docker reported, else the requested ones.
fn ports(container: &SeenContainer) -> Vec<Port> {
    if container.bindings.is_empty() {
        let single = container.requested_ports.iter().filter_map(|mapping| {
            let crate::domain::port_mapping::ContainerPorts::Single(port) = mapping.container
            else {
                return None;
            };
            Some(Port {
                container_port: port,
                protocol: mapping.protocol.as_str(),
                host_port: mapping.host_port.filter(|port| *port != 0),
            })
        });
        return single.collect();
    }
    let known = container.bindings.iter().map(|binding| Port {
        container_port: binding.container_port,
        protocol: binding.protocol.as_str(),
        host_port: Some(binding.host_port),
    });
    known.collect()
}
