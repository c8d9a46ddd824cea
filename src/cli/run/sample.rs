//! Tasks for the tests of this folder: two essential containers, `app` and `web`.

use std::sync::Arc;

use crate::domain::definition::{ContainerDefinition, TaskDefinition};
use crate::domain::ids::{
    ClusterName, ContainerName, Family, Generation, TaskArn, TaskId, UnixMillis,
};
use crate::domain::image::ImageRef;
use crate::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::domain::task::{DesiredTask, EcsFacts, Exit, KnownContainer, Origin, Task, TaskOptions};
use crate::domain::task_ids::TaskIds;

const NAMES: [&str; 2] = ["app", "web"];

/// A container name.
pub(super) fn name(text: &str) -> ContainerName {
    ContainerName::parse(text).expect("a name")
}

/// A task that has just arrived.
pub(super) fn task() -> Task {
    let containers = NAMES.map(|text| {
        ContainerDefinition::new(name(text), ImageRef::parse("busybox").expect("an image"))
    });
    let definition = TaskDefinition::new(
        Family::parse("sample").expect("a family"),
        containers.to_vec(),
    );
    let cluster = ClusterName::parse("default").expect("a cluster");
    let id = TaskId::parse("t1").expect("an id");
    Task::new(DesiredTask {
        arn: TaskArn::standalone(&cluster, &id),
        generation: Generation(1),
        definition: Arc::new(definition),
        options: TaskOptions::default(),
        ids: TaskIds::default(),
        origin: Origin::Run,
        ecs: EcsFacts::default(),
        status: DesiredStatus::Running,
        stop_reason: None,
        remove: false,
        arrived_at: UnixMillis(0),
    })
}

/// A stopped task whose containers ended with these codes at these instants, or never ran.
pub(super) fn ended(exits: &[Option<(i64, i64)>]) -> Task {
    let mut task = task();
    task.known.status = TaskStatus::Stopped;
    for (text, exit) in NAMES.iter().zip(exits) {
        let known = KnownContainer {
            status: ContainerStatus::Stopped,
            started_at: exit.map(|_| UnixMillis(1)),
            exit: exit.map(|(code, at)| Exit {
                code: Some(code),
                at: UnixMillis(at),
                oom_killed: false,
            }),
            ..KnownContainer::default()
        };
        task.known.containers.insert(name(text), known);
    }
    task
}
