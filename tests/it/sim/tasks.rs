//! Tasks and questions that the simulator's scripts share.

use berth::domain::definition::TaskDefinition;
use berth::domain::depends_on::{Condition, Dependency};
use berth::domain::ids::{ContainerName, TaskArn, VolumeName};
use berth::domain::status::TaskStatus;
use berth::domain::volume::{MountPoint, Volume, VolumeSource};
use berth::reconcile::snapshot::Snapshot;
use berth::testing::sim::{SERVE, shell, task};

/// Whether the task has that status.
pub(super) fn is(arn: &TaskArn, status: TaskStatus) -> impl Fn(&Snapshot) -> bool + use<> {
    let arn = arn.clone();
    move |snapshot| {
        let view = snapshot.tasks.get(&arn);
        view.is_some_and(|view| view.task.known.status == status)
    }
}

/// Whether the agent knows no such task.
pub(super) fn gone(arn: &TaskArn) -> impl Fn(&Snapshot) -> bool + use<> {
    let arn = arn.clone();
    move |snapshot| !snapshot.tasks.contains_key(&arn)
}

/// Two containers, one after the other, with a volume and a cgroup.
pub(super) fn web_and_database() -> TaskDefinition {
    let mut web = shell("web", "image", SERVE);
    web.depends_on = vec![Dependency {
        container: ContainerName::parse("db").unwrap(),
        condition: Condition::Start,
    }];
    let mut db = shell("db", "image", SERVE);
    let volume = VolumeName::parse("data").unwrap();
    db.mount_points = vec![MountPoint {
        source_volume: volume.clone(),
        container_path: "/data".to_owned(),
        read_only: false,
    }];
    let mut definition = task(vec![web, db]);
    definition.cpu_units = Some(256);
    definition.volumes = vec![Volume {
        name: volume,
        source: VolumeSource::Empty,
    }];
    definition
}
