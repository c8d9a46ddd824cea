//! The file's members, in the reference agent's order.

use serde::Serialize;

/// The file.
#[derive(Default, Serialize)]
pub(super) struct File<'a> {
    #[serde(rename = "Cluster", skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<&'a str>,
    #[serde(
        rename = "ContainerInstanceARN",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) container_instance: Option<&'a str>,
    #[serde(rename = "TaskARN", skip_serializing_if = "Option::is_none")]
    pub(super) task_arn: Option<&'a str>,
    #[serde(
        rename = "TaskDefinitionFamily",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) family: Option<&'a str>,
    /// A number, written as a text.
    #[serde(
        rename = "TaskDefinitionRevision",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) revision: Option<String>,
    #[serde(rename = "ContainerID", skip_serializing_if = "Option::is_none")]
    pub(super) container_id: Option<&'a str>,
    #[serde(rename = "ContainerName", skip_serializing_if = "Option::is_none")]
    pub(super) container_name: Option<&'a str>,
    #[serde(
        rename = "DockerContainerName",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) docker_name: Option<String>,
    #[serde(rename = "ImageID", skip_serializing_if = "Option::is_none")]
    pub(super) image_id: Option<&'a str>,
    #[serde(rename = "ImageName", skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<&'a str>,
    #[serde(rename = "PortMappings", skip_serializing_if = "Vec::is_empty")]
    pub(super) ports: Vec<Published<'a>>,
    #[serde(rename = "Networks", skip_serializing_if = "Vec::is_empty")]
    pub(super) networks: Vec<Network<'a>>,
    #[serde(rename = "MetadataFileStatus", skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
    #[serde(rename = "AvailabilityZone", skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<&'a str>,
    #[serde(
        rename = "HostPrivateIPv4Address",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) private_ipv4: Option<&'a str>,
    #[serde(
        rename = "HostPublicIPv4Address",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) public_ipv4: Option<&'a str>,
    #[serde(rename = "HostIPv6Address", skip_serializing_if = "Option::is_none")]
    pub(super) ipv6: Option<&'a str>,
}

/// A published port.
#[derive(Serialize)]
pub(super) struct Published<'a> {
    #[serde(rename = "ContainerPort")]
    pub(super) container_port: u16,
    #[serde(rename = "HostPort")]
    pub(super) host_port: u16,
    #[serde(rename = "BindIp", skip_serializing_if = "Option::is_none")]
    pub(super) bind_ip: Option<&'a str>,
    #[serde(rename = "Protocol")]
    pub(super) protocol: &'static str,
}

/// A network.
#[derive(Serialize)]
pub(super) struct Network<'a> {
    #[serde(rename = "NetworkMode")]
    pub(super) mode: &'a str,
    #[serde(rename = "IPv4Addresses", skip_serializing_if = "Vec::is_empty")]
    pub(super) ipv4: Vec<&'a str>,
    #[serde(rename = "IPv6Addresses", skip_serializing_if = "Vec::is_empty")]
    pub(super) ipv6: Vec<&'a str>,
}
