//! Which resources of the host a task needs made for it, and what its volumes are called in Docker.
//!
//! Not here: making them (`crate::reconcile`) and the limits of the cgroup.

use crate::domain::definition::TaskDefinition;
use crate::domain::host::CgroupSupport;
use crate::domain::ids::{TaskId, VolumeName};
use crate::domain::names::volume_name;
use crate::domain::task::{DesiredTask, ResourceKey};
use crate::domain::volume::{Volume, VolumeScope, VolumeSource};

/// Resources to make before the first container, in order. `cgroups` is [`CgroupSupport::None`] where task limits
/// are switched off.
pub fn task_resources(desired: &DesiredTask, cgroups: CgroupSupport) -> Vec<ResourceKey> {
    let definition = &desired.definition;
    let volumes = definition
        .volumes
        .iter()
        .filter(|volume| is_made(volume))
        .map(|volume| ResourceKey::Volume(volume.name.clone()));
    wants_cgroup(definition, cgroups)
        .then_some(ResourceKey::Cgroup)
        .into_iter()
        .chain(volumes)
        .collect()
}

/// Whether the task has limits of its own and the host can enforce them.
pub fn wants_cgroup(definition: &TaskDefinition, cgroups: CgroupSupport) -> bool {
    cgroups != CgroupSupport::None
        && (definition.cpu_units.is_some() || definition.memory_mib.is_some())
}

/// Shared volumes that must exist already. Docker itself would make them at the first mount, so they have to be
/// looked for (reference agent: `autoprovision` false).
pub fn shared_volumes_to_find(definition: &TaskDefinition) -> Vec<VolumeName> {
    definition
        .volumes
        .iter()
        .filter(|volume| match &volume.source {
            VolumeSource::Docker(docker) => {
                docker.scope
                    == VolumeScope::Shared {
                        autoprovision: false,
                    }
            }
            VolumeSource::HostPath(_) | VolumeSource::Empty | VolumeSource::Aws(_) => false,
        })
        .map(|volume| volume.name.clone())
        .collect()
}

/// Name of the volume in Docker; `None` if it is not a Docker volume. Shared volumes keep their plain name.
pub fn volume_docker_name(
    definition: &TaskDefinition,
    task: &TaskId,
    volume: &Volume,
) -> Option<String> {
    let of_task = || volume_name(&definition.family, definition.revision, task, &volume.name);
    match &volume.source {
        VolumeSource::HostPath(_) | VolumeSource::Aws(_) => None,
        VolumeSource::Empty => Some(of_task()),
        VolumeSource::Docker(docker) => Some(match docker.scope {
            VolumeScope::Task => of_task(),
            VolumeScope::Shared { .. } => volume.name.as_str().to_owned(),
        }),
    }
}

fn is_made(volume: &Volume) -> bool {
    match &volume.source {
        VolumeSource::HostPath(_) | VolumeSource::Aws(_) => false,
        VolumeSource::Empty => true,
        VolumeSource::Docker(docker) => match docker.scope {
            VolumeScope::Task => true,
            VolumeScope::Shared { autoprovision } => autoprovision,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::sample;
    use crate::domain::task::TaskOptions;
    use crate::domain::volume::DockerVolume;

    fn volume(name: &str, source: VolumeSource) -> Volume {
        Volume {
            name: VolumeName::parse(name).unwrap(),
            source,
        }
    }

    fn docker(scope: VolumeScope) -> VolumeSource {
        VolumeSource::Docker(DockerVolume {
            scope,
            driver: None,
            driver_opts: BTreeMap::new(),
            labels: BTreeMap::new(),
        })
    }

    fn with_every_volume() -> TaskDefinition {
        let mut definition = sample::definition(&["app"]);
        definition.volumes = vec![
            volume("path", VolumeSource::HostPath("/srv".to_owned())),
            volume("empty", VolumeSource::Empty),
            volume("own", docker(VolumeScope::Task)),
            volume(
                "made",
                docker(VolumeScope::Shared {
                    autoprovision: true,
                }),
            ),
            volume(
                "found",
                docker(VolumeScope::Shared {
                    autoprovision: false,
                }),
            ),
            volume("efs", VolumeSource::Aws("efsVolumeConfiguration")),
        ];
        definition
    }

    #[test]
    fn volumes_are_made_found_or_mounted_as_they_are() {
        let definition = with_every_volume();
        let task = TaskId::parse("abc").unwrap();
        let names: Vec<Option<String>> = definition
            .volumes
            .iter()
            .map(|volume| volume_docker_name(&definition, &task, volume))
            .collect();
        assert_eq!(names[0], None);
        assert!(names[1].as_ref().unwrap().starts_with("ecs-web-0-empty-"));
        assert!(names[2].as_ref().unwrap().starts_with("ecs-web-0-own-"));
        assert_eq!(names[3].as_deref(), Some("made"));
        assert_eq!(names[4].as_deref(), Some("found"));
        assert_eq!(names[5], None);
        assert_eq!(
            shared_volumes_to_find(&definition),
            [VolumeName::parse("found").unwrap()]
        );
        let resources = task_resources(
            &sample::desired(definition, TaskOptions::default()),
            CgroupSupport::V1,
        );
        let shown: Vec<String> = resources.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["volume empty", "volume own", "volume made"]);
    }

    #[test]
    fn a_cgroup_needs_a_limit_and_a_host_that_enforces_it() {
        for (cpu, memory, cgroups, expected) in [
            (None, None, CgroupSupport::V1, false),
            (Some(256), None, CgroupSupport::V1, true),
            (None, Some(512), CgroupSupport::V2Systemd, true),
            (Some(256), Some(512), CgroupSupport::None, false),
        ] {
            let mut definition = sample::definition(&["app"]);
            definition.cpu_units = cpu;
            definition.memory_mib = memory;
            let resources = task_resources(
                &sample::desired(definition, TaskOptions::default()),
                cgroups,
            );
            assert_eq!(resources == [ResourceKey::Cgroup], expected, "{cpu:?}");
        }
    }
}
