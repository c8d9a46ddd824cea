//! Small definitions, tasks and a plain Linux host, for the tables of this crate's unit tests.
//!
//! Everything is at its ECS default and deterministic; a test changes the one field that it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::definition::{ContainerDefinition, TaskDefinition};
use super::host::{CgroupSupport, HostFacts, OsType};
use super::ids::{ClusterName, ContainerName, Family, Generation, TaskArn, TaskId, UnixMillis};
use super::image::ImageRef;
use super::port_mapping::{ContainerPorts, PortMapping, Protocol};
use super::status::DesiredStatus;
use super::task::{DesiredTask, EcsFacts, Origin, Task, TaskOptions};
use super::task_ids::TaskIds;

/// A container name.
pub(crate) fn name(text: &str) -> ContainerName {
    ContainerName::parse(text).unwrap()
}

/// An essential container of image `busybox:1`.
pub(crate) fn container(text: &str) -> ContainerDefinition {
    ContainerDefinition::new(name(text), ImageRef::parse("busybox:1").unwrap())
}

/// A definition of family `web` with these containers.
pub(crate) fn definition(containers: &[&str]) -> TaskDefinition {
    TaskDefinition::new(
        Family::parse("web").unwrap(),
        containers.iter().map(|text| container(text)).collect(),
    )
}

/// A task ARN of the cluster `default`.
pub(crate) fn arn(id: &str) -> TaskArn {
    TaskArn::standalone(
        &ClusterName::parse("default").unwrap(),
        &TaskId::parse(id).unwrap(),
    )
}

/// What was asked, with the task id `abc`.
pub(crate) fn desired(definition: TaskDefinition, options: TaskOptions) -> DesiredTask {
    DesiredTask {
        arn: arn("abc"),
        generation: Generation(1),
        definition: Arc::new(definition),
        options,
        ids: TaskIds::default(),
        origin: Origin::Api,
        ecs: EcsFacts::default(),
        status: DesiredStatus::Running,
        stop_reason: None,
        remove: false,
        arrived_at: UnixMillis(1_000),
    }
}

/// A task that has just arrived.
pub(crate) fn task(definition: TaskDefinition) -> Task {
    Task::new(desired(definition, TaskOptions::default()))
}

/// A TCP mapping of one port.
pub(crate) fn port(container: u16, host: Option<u16>) -> PortMapping {
    PortMapping {
        container: ContainerPorts::Single(container),
        host_port: host,
        protocol: Protocol::Tcp,
        name: None,
        app_protocol: None,
    }
}

/// Two CPUs, 4 GiB, Docker on cgroup v1, the usual drivers.
pub(crate) fn host() -> HostFacts {
    let words =
        |list: &[&str]| -> BTreeSet<String> { list.iter().map(|&word| word.to_owned()).collect() };
    HostFacts {
        os_type: OsType::Linux,
        cpu_architecture: "X86_64".to_owned(),
        cpu_units: 2048,
        memory_mib: 4096,
        reserved_ports: BTreeSet::from([(22, Protocol::Tcp), (2375, Protocol::Tcp)]),
        front_port: None,
        dynamic_ports: (49153, 65535),
        cgroups: CgroupSupport::V1,
        log_drivers: words(&["json-file", "local", "syslog", "journald", "awslogs"]),
        volume_drivers: words(&["local"]),
        swap_limit: true,
        selinux: false,
        apparmor: true,
        runtime_version: "20.10.24".to_owned(),
        gpus: None,
        attributes: BTreeMap::from([
            ("ecs.os-type".to_owned(), "linux".to_owned()),
            ("ecs.cpu-architecture".to_owned(), "x86_64".to_owned()),
            ("stack".to_owned(), "prod".to_owned()),
            ("rack".to_owned(), "12".to_owned()),
        ]),
    }
}
