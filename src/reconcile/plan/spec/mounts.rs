//! Mounts of a container, and the volumes to make for them. Error texts are the reference agent's (`engine.md` 4.4).

use super::container::{SpecInputs, docker_name};
use crate::domain::definition::ContainerDefinition;
use crate::domain::host::OsType;
use crate::domain::ids::VolumeName;
use crate::domain::layout::volume_docker_name;
use crate::domain::names::{
    LABEL_CLUSTER, LABEL_INSTANCE, LABEL_TASK_ARN, metadata_directory, metadata_mount,
};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::VolumeSpec;
use crate::domain::spec::Bind;
use crate::domain::task::DesiredTask;
use crate::domain::volume::{DockerVolume, VolumeScope, VolumeSource};
use crate::domain::windows_path::canonical;
use crate::reconcile::settings::EngineSettings;

/// `mountPoints` with Docker volume names and host paths, and the metadata file.
///
/// # Errors
/// A volume that the task does not have or that only AWS can attach; an empty path.
pub(super) fn binds(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Result<Vec<Bind>, Reason> {
    let metadata = metadata_file(inputs, container).map(Ok);
    let volumes = container.mount_points.iter().map(|mount| {
        let source = source(inputs, &mount.source_volume)?;
        if source.is_empty() || mount.container_path.is_empty() {
            return Err(host_config(format!(
                "Unable to resolve volume mounts; invalid path: {} {source}:{}",
                mount.source_volume, mount.container_path
            )));
        }
        Ok(Bind {
            source,
            target: on_host(inputs, &mount.container_path),
            read_only: mount.read_only,
        })
    });
    volumes.chain(metadata).collect()
}

/// The directory with the container's metadata file, where containers get one. Read-only: what writes there is the
/// agent, which a link in it could lead elsewhere.
pub(super) fn metadata_file(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Option<Bind> {
    let root = inputs.settings.endpoints.metadata_files.as_ref()?;
    let id = inputs.task.desired.ids.endpoints.get(&container.name)?;
    let (cluster, task) = (&inputs.settings.cluster, inputs.task.arn().task_id());
    Some(Bind {
        source: metadata_directory(root, cluster, task, &container.name),
        target: metadata_mount(inputs.host.os_type, id.expose()),
        read_only: true,
    })
}

/// A path as the host's system writes it.
fn on_host(inputs: &SpecInputs<'_>, path: &str) -> String {
    match inputs.host.os_type {
        OsType::Linux => path.to_owned(),
        OsType::Windows => canonical(path),
    }
}

fn source(inputs: &SpecInputs<'_>, name: &VolumeName) -> Result<String, Reason> {
    let definition = inputs.definition();
    let volume = definition
        .volume(name)
        .ok_or_else(|| host_config(format!("Invalid volume referenced: {name}")))?;
    match &volume.source {
        VolumeSource::HostPath(path) => Ok(on_host(inputs, path)),
        VolumeSource::Aws(parameter) => Err(Reason::new(
            ReasonName::UnsupportedError,
            format!("{parameter} of volume {name} is not supported yet by this version"),
        )),
        VolumeSource::Empty | VolumeSource::Docker(_) => {
            volume_docker_name(definition, inputs.task.arn().task_id(), volume)
                .ok_or_else(|| host_config(format!("Invalid volume referenced: {name}")))
        }
    }
}

/// `volumesFrom` with Docker names.
///
/// # Errors
/// A container that the task does not have.
pub(super) fn volumes_from(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Result<Vec<(String, bool)>, Reason> {
    container
        .volumes_from
        .iter()
        .map(
            |from| match inputs.definition().container(&from.source_container) {
                Some(_) => Ok((
                    docker_name(inputs.task, &from.source_container),
                    from.read_only,
                )),
                None => Err(host_config(format!(
                    "Volume target not available: {}",
                    from.source_container
                ))),
            },
        )
        .collect()
}

/// The Docker volume behind a volume of the definition; `None` if it is not a Docker volume.
///
/// A volume of the task carries labels by which it is found again. A shared one carries only what the definition
/// says, since others compare its labels with theirs.
pub fn volume_spec(
    desired: &DesiredTask,
    settings: &EngineSettings,
    name: &VolumeName,
) -> Option<VolumeSpec> {
    let definition = &desired.definition;
    let volume = definition.volume(name)?;
    let docker = match &volume.source {
        VolumeSource::HostPath(_) | VolumeSource::Aws(_) => return None,
        VolumeSource::Empty => DockerVolume {
            scope: VolumeScope::Task,
            driver: None,
            driver_opts: [].into(),
            labels: [].into(),
        },
        VolumeSource::Docker(docker) => docker.clone(),
    };
    let mut labels = docker.labels;
    if docker.scope == VolumeScope::Task {
        labels.extend([
            (LABEL_TASK_ARN.to_owned(), desired.arn.to_string()),
            (LABEL_CLUSTER.to_owned(), settings.cluster.clone()),
            (LABEL_INSTANCE.to_owned(), settings.instance.clone()),
        ]);
    }
    Some(VolumeSpec {
        name: volume_docker_name(definition, desired.arn.task_id(), volume)?,
        driver: docker.driver,
        driver_opts: docker.driver_opts,
        labels,
    })
}

fn host_config(message: String) -> Reason {
    Reason::new(ReasonName::HostConfigError, message)
}
