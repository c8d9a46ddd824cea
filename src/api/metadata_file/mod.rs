//! The container metadata file (`http-endpoints.md` 6): what a container reads about itself instead of asking.
//!
//! Before the container is made the file says what is known of its task; when it runs, everything, and that it is
//! `READY`. Members that are not known are left out.

mod wire;

use std::sync::Arc;

use wire::{File, Network, Published};

use super::view::{SeenContainer, SeenTask};
use crate::boundary::EcsFactsSource;
use crate::boundary::ecs_facts::InstancePlace;
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::ids::DockerId;
use crate::domain::names::{
    LABEL_CLUSTER, LABEL_CONTAINER_NAME, LABEL_FAMILY, LABEL_REVISION, LABEL_TASK_ARN,
};
use crate::domain::port_mapping::PortBinding;
use crate::domain::spec::ContainerSpec;

/// What is known of the host to ECS and EC2; nothing where there is no control plane.
#[derive(Clone, Debug, Default)]
pub struct Here {
    instance: Option<Arc<str>>,
    zone: Option<Arc<str>>,
    place: Option<Arc<InstancePlace>>,
}

impl Here {
    /// As it is known now.
    pub fn of(ecs: &dyn EcsFactsSource) -> Self {
        Self {
            instance: ecs.container_instance(),
            zone: ecs.availability_zone(),
            place: ecs.place(),
        }
    }

    fn file(&self) -> File<'_> {
        let place = self.place.as_deref();
        let of_place = |part: fn(&InstancePlace) -> Option<&str>| place.and_then(part);
        File {
            container_instance: self.instance.as_deref(),
            zone: self.zone.as_deref(),
            private_ipv4: of_place(|place| place.private_ipv4.as_deref()),
            public_ipv4: of_place(|place| place.public_ipv4.as_deref()),
            ipv6: of_place(|place| place.ipv6.as_deref()),
            ..File::default()
        }
    }
}

/// What the file says before the container is made.
pub fn initial(spec: &ContainerSpec, here: &Here) -> Vec<u8> {
    let label = |name: &str| spec.labels.get(name).map(String::as_str);
    written(&File {
        cluster: label(LABEL_CLUSTER),
        task_arn: label(LABEL_TASK_ARN),
        family: label(LABEL_FAMILY),
        revision: label(LABEL_REVISION).map(str::to_owned),
        container_name: label(LABEL_CONTAINER_NAME),
        ..here.file()
    })
}

/// What it says of a container that runs.
pub fn ready(task: &SeenTask, container: &SeenContainer, here: &Here) -> Vec<u8> {
    written(&File {
        cluster: some(&task.cluster),
        task_arn: Some(task.arn.as_str()),
        family: some(&task.family),
        revision: Some(task.revision.to_string()),
        container_id: container.docker_id.as_ref().map(DockerId::as_str),
        container_name: Some(container.name.as_str()),
        docker_name: some(&container.docker_name).map(|name| format!("/{name}")),
        image_id: some(&container.image_id),
        image: some(&container.image),
        ports: container.bindings.iter().map(port).collect(),
        networks: container.networks.iter().map(network).collect(),
        status: Some("READY"),
        ..here.file()
    })
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn port(binding: &PortBinding) -> Published<'_> {
    Published {
        container_port: binding.container_port,
        host_port: binding.host_port,
        bind_ip: some(&binding.bind_ip),
        protocol: binding.protocol.as_str(),
    }
}

fn network(network: &ContainerNetwork) -> Network<'_> {
    Network {
        mode: &network.name,
        ipv4: some(&network.ipv4).into_iter().collect(),
        ipv6: some(&network.ipv6).into_iter().collect(),
    }
}

/// JSON indented with tabs, as the reference agent writes it.
fn written(file: &File<'_>) -> Vec<u8> {
    use serde::Serialize as _;
    let mut bytes = Vec::new();
    let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, tabs);
    // Texts and numbers in memory can be written.
    let _written = file.serialize(&mut serializer);
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::api::view::sample::{ARN, MAIN_ID, docker_name, lab};
    use crate::domain::definition::ContainerDefinition;
    use crate::domain::ids::ContainerName;
    use crate::domain::image::ImageRef;
    use crate::domain::spec::{IpcChoice, NamespaceChoice, NetworkChoice};

    #[test]
    fn a_running_container_reads_everything_in_the_reference_agents_form() {
        let seen = SeenTask::new(&lab(), "lab");
        let name = ContainerName::parse("main").unwrap();
        let text = String::from_utf8(ready(
            &seen,
            seen.container(&name).unwrap(),
            &Here::default(),
        ))
        .unwrap();
        let docker = docker_name("main");
        let expected = format!(
            "{{\n\t\"Cluster\": \"lab\",\n\t\"TaskARN\": \"{ARN}\",\n\t\"TaskDefinitionFamily\": \"lab\",\n\t\
             \"TaskDefinitionRevision\": \"1\",\n\t\"ContainerID\": \"{MAIN_ID}\",\n\t\"ContainerName\": \"main\",\n\t\
             \"DockerContainerName\": \"/{docker}\",\n\t\
             \"ImageID\": \"sha256:938dc22bc37c9a94bd89f6af8bc7a0e9cc98adbf1874f799c4ffeaa4c1e6876b\",\n\t\
             \"ImageName\": \"busybox:local\",\n\t\"PortMappings\": [\n\t\t{{\n\t\t\t\"ContainerPort\": 80,\n\t\t\t\
             \"HostPort\": 32775,\n\t\t\t\"BindIp\": \"0.0.0.0\",\n\t\t\t\"Protocol\": \"tcp\"\n\t\t}},\n\t\t{{\n\t\t\t\
             \"ContainerPort\": 80,\n\t\t\t\"HostPort\": 32775,\n\t\t\t\"BindIp\": \"::\",\n\t\t\t\
             \"Protocol\": \"tcp\"\n\t\t}}\n\t],\n\t\"Networks\": [\n\t\t{{\n\t\t\t\"NetworkMode\": \"bridge\",\n\t\t\t\
             \"IPv4Addresses\": [\n\t\t\t\t\"172.17.0.3\"\n\t\t\t]\n\t\t}}\n\t],\n\t\
             \"MetadataFileStatus\": \"READY\"\n}}"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn before_it_is_made_a_container_reads_of_its_task_and_no_status() {
        let name = ContainerName::parse("main").unwrap();
        let image = ImageRef::parse("busybox").unwrap();
        let labels = [
            (LABEL_CLUSTER, "lab"),
            (LABEL_TASK_ARN, ARN),
            (LABEL_FAMILY, "web"),
            (LABEL_REVISION, "7"),
            (LABEL_CONTAINER_NAME, "main"),
        ];
        let spec = ContainerSpec {
            docker_name: "x".to_owned(),
            definition: ContainerDefinition::new(name, image),
            pause: false,
            environment: BTreeMap::new(),
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            network: NetworkChoice::Bridge,
            pid: NamespaceChoice::Private,
            ipc: IpcChoice::Default,
            binds: Vec::new(),
            volumes_from: Vec::new(),
            links: Vec::new(),
            ports: Vec::new(),
            left_to_image: BTreeSet::new(),
            extra_hosts: Vec::new(),
            cgroup_parent: None,
            memory_mib: None,
            cpu_shares: 2,
            cpu_percent: None,
            gpus: None,
            log: None,
        };
        let text = String::from_utf8(initial(&spec, &Here::default())).unwrap();
        let expected = format!(
            "{{\n\t\"Cluster\": \"lab\",\n\t\"TaskARN\": \"{ARN}\",\n\t\"TaskDefinitionFamily\": \"web\",\n\t\
             \"TaskDefinitionRevision\": \"7\",\n\t\"ContainerName\": \"main\"\n}}"
        );
        assert_eq!(text, expected);
        let here = Here {
            instance: Some("arn:i".into()),
            zone: Some("us-west-2a".into()),
            place: Some(Arc::new(InstancePlace {
                private_ipv4: Some("10.0.0.9".to_owned()),
                public_ipv4: Some("192.0.2.9".to_owned()),
                ipv6: Some("fd00::9".to_owned()),
                ..InstancePlace::default()
            })),
        };
        let text = String::from_utf8(initial(&spec, &here)).unwrap();
        let expected = format!(
            "{{\n\t\"Cluster\": \"lab\",\n\t\"ContainerInstanceARN\": \"arn:i\",\n\t\"TaskARN\": \"{ARN}\",\n\t\
             \"TaskDefinitionFamily\": \"web\",\n\t\"TaskDefinitionRevision\": \"7\",\n\t\
             \"ContainerName\": \"main\",\n\t\"AvailabilityZone\": \"us-west-2a\",\n\t\
             \"HostPrivateIPv4Address\": \"10.0.0.9\",\n\t\"HostPublicIPv4Address\": \"192.0.2.9\",\n\t\
             \"HostIPv6Address\": \"fd00::9\"\n}}"
        );
        assert_eq!(text, expected);
    }
}
