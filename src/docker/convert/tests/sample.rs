//! A plain spec, its labels, and a reader of JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::definition::ContainerDefinition;
use crate::domain::ids::ContainerName;
use crate::domain::image::ImageRef;
use crate::domain::names::{LABEL_CONTAINER_NAME, LABEL_INSTANCE, LABEL_TASK_ARN};
use crate::domain::spec::{ContainerSpec, IpcChoice, NamespaceChoice, NetworkChoice};

pub(super) const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(super) const ARN: &str = "arn:aws:ecs:local:000000000000:task/default/t1";

pub(super) fn spec() -> ContainerSpec {
    let name = ContainerName::parse("app").unwrap();
    let image = ImageRef::parse("web:1").unwrap();
    ContainerSpec {
        docker_name: "ecs-web-1-app-00".to_owned(),
        definition: ContainerDefinition::new(name, image),
        pause: false,
        environment: BTreeMap::new(),
        labels: labels(&[]),
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
    }
}

pub(super) fn labels(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    [
        (LABEL_INSTANCE, "i1"),
        (LABEL_TASK_ARN, ARN),
        (LABEL_CONTAINER_NAME, "app"),
    ]
    .iter()
    .chain(more)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect()
}

pub(super) fn read<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}
