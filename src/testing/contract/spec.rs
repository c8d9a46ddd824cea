//! Containers of the suite: what they run, in words that a fake can read, and how they are labelled.

#![expect(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, as tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::definition::ContainerDefinition;
use crate::domain::ids::{ContainerName, TaskArn};
use crate::domain::image::ImageRef;
use crate::domain::names::{LABEL_CONTAINER_NAME, LABEL_INSTANCE, LABEL_TASK_ARN};
use crate::domain::spec::{ContainerSpec, IpcChoice, NamespaceChoice, NetworkChoice};

/// Ends at once with code 3.
pub const EXIT_3: &str = "exit 3";

/// Runs until SIGTERM, then ends with code 0. Says [`READY`] once it would.
pub const UNTIL_TERM: &str = "trap 'exit 0' TERM; echo ready; sleep 1000 & wait";

/// What [`UNTIL_TERM`] says when SIGTERM would end it.
pub(super) const READY: &[u8] = b"ready\n";

/// Runs on whatever SIGTERM says: the first process of a container ignores signals that it has no handler for.
pub const STUBBORN: &str = "sleep 1000";

/// Writes `out` to standard output and `err` to standard error, each as a line, and ends with code 0.
pub const TALK: &str = "echo out; echo err >&2";

/// Longest wait for a state or an event.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A container of that Docker name that runs the command in a shell, without labels and network.
///
/// # Panics
/// Never: its fixed name is a good one.
pub fn container(docker_name: &str, image: &ImageRef, command: &str) -> ContainerSpec {
    let name = ContainerName::parse("app").expect("a container name");
    let mut definition = ContainerDefinition::new(name, image.clone());
    definition.command = Some(["/bin/sh", "-c", command].map(str::to_owned).to_vec());
    ContainerSpec {
        docker_name: docker_name.to_owned(),
        definition,
        pause: false,
        environment: BTreeMap::new(),
        labels: BTreeMap::new(),
        network: NetworkChoice::None,
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

/// The labels by which a container is found to be of that task and of the agent `instance`.
pub fn labels(instance: &str, task: &TaskArn) -> BTreeMap<String, String> {
    [
        (LABEL_INSTANCE, instance),
        (LABEL_TASK_ARN, task.as_str()),
        (LABEL_CONTAINER_NAME, "app"),
    ]
    .map(|(label, value)| (label.to_owned(), value.to_owned()))
    .into()
}
