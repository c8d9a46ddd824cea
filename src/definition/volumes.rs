//! Volumes, and what containers mount of them and of each other.

use std::collections::BTreeSet;

use super::container::read_path;
use super::context::Context;
use super::reader::{Cursor, Kind, Object};
use crate::domain::ids::{ContainerName, VolumeName};
use crate::domain::volume::{
    DockerVolume, MountPoint, Volume, VolumeScope, VolumeSource, VolumesFrom,
};

/// Sources that need AWS; the names that [`VolumeSource::Aws`] can hold.
pub(super) const AWS_SOURCES: [&str; 3] = [
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
];

/// The flag of a volume whose source, an EBS volume, comes with the call that runs the task.
pub(super) const AT_LAUNCH: &str = "configuredAtLaunch";

static VOLUME: Kind = Kind {
    name: "a volume",
    fields: &[
        "name",
        "host",
        "dockerVolumeConfiguration",
        "efsVolumeConfiguration",
        "fsxWindowsFileServerVolumeConfiguration",
        "s3filesVolumeConfiguration",
        "configuredAtLaunch",
    ],
    ignored: &[],
    sibling: None,
};

static HOST: Kind = Kind {
    name: "a host volume",
    fields: &["sourcePath"],
    ignored: &[],
    sibling: None,
};

static DOCKER: Kind = Kind {
    name: "a Docker volume configuration",
    fields: &["scope", "autoprovision", "driver", "driverOpts", "labels"],
    ignored: &[],
    sibling: None,
};

static MOUNT_POINT: Kind = Kind {
    name: "a mount point",
    fields: &["sourceVolume", "containerPath", "readOnly"],
    ignored: &[],
    sibling: None,
};

static VOLUMES_FROM: Kind = Kind {
    name: "an entry of volumesFrom",
    fields: &["sourceContainer", "readOnly"],
    ignored: &[],
    sibling: None,
};

/// Reads one entry of `volumes`.
pub(super) fn read_volume(cursor: &Cursor<'_>) -> Option<Volume> {
    let object = cursor.object(&VOLUME)?;
    let name = object.required("name").and_then(read_volume_name);
    let mut sources = Vec::new();
    if let Some(path) = object.get("host").and_then(read_host) {
        sources.push(VolumeSource::HostPath(path));
    }
    if let Some(docker) = object.get("dockerVolumeConfiguration") {
        sources.extend(read_docker(docker).map(VolumeSource::Docker));
    }
    for source in AWS_SOURCES {
        if object.get(source).is_some() {
            sources.push(VolumeSource::Aws(source));
        }
    }
    if object.flag(AT_LAUNCH, false) {
        sources.push(VolumeSource::Aws(AT_LAUNCH));
    }
    if sources.len() > 1 {
        cursor.rule(
            "has more than one source: give one of host, dockerVolumeConfiguration, \
             efsVolumeConfiguration and the like",
        );
    }
    Some(Volume {
        name: name?,
        source: sources.into_iter().next().unwrap_or(VolumeSource::Empty),
    })
}

/// `mountPoints`: one mount a path.
pub(super) fn read_mount_points(container: &Object<'_>, context: &Context) -> Vec<MountPoint> {
    let mut paths = BTreeSet::new();
    container.each("mountPoints", |item| {
        let object = item.object(&MOUNT_POINT)?;
        let source_volume = object.required("sourceVolume").and_then(|cursor| {
            let name = read_volume_name(cursor)?;
            context.volumes.check(cursor, name.as_str(), "volume");
            Some(name)
        });
        let container_path = object.required("containerPath").and_then(read_path);
        let read_only = object.flag("readOnly", false);
        let (source_volume, container_path) = (source_volume?, container_path?);
        if !paths.insert(container_path.clone()) {
            object.rule("containerPath", "is mounted twice in this container");
        }
        Some(MountPoint {
            source_volume,
            container_path,
            read_only,
        })
    })
}

/// Reads one entry of `volumesFrom`.
pub(super) fn read_volumes_from(cursor: &Cursor<'_>, context: &Context) -> Option<VolumesFrom> {
    let object = cursor.object(&VOLUMES_FROM)?;
    let source_container = object
        .required("sourceContainer")
        .and_then(|cursor| read_container_ref(cursor, context));
    let read_only = object.flag("readOnly", false);
    Some(VolumesFrom {
        source_container: source_container?,
        read_only,
    })
}

/// The name of another container of the task.
pub(super) fn read_container_ref(cursor: &Cursor<'_>, context: &Context) -> Option<ContainerName> {
    let text = cursor.text()?;
    let name = ContainerName::parse(&text)
        .map_err(|error| cursor.error(error.to_string()))
        .ok()?;
    context.containers.check(cursor, name.as_str(), "container");
    Some(name)
}

fn read_volume_name(cursor: &Cursor<'_>) -> Option<VolumeName> {
    let text = cursor.text()?;
    VolumeName::parse(&text)
        .map_err(|error| cursor.error(error.to_string()))
        .ok()
}

fn read_host(cursor: &Cursor<'_>) -> Option<String> {
    read_path(cursor.object(&HOST)?.get("sourcePath")?)
}

fn read_docker(cursor: &Cursor<'_>) -> Option<DockerVolume> {
    let object = cursor.object(&DOCKER)?;
    let shared = object.choice("scope", &[("task", false), ("shared", true)]);
    let autoprovision = object.flag("autoprovision", false);
    let scope = if shared.unwrap_or(false) {
        VolumeScope::Shared { autoprovision }
    } else {
        VolumeScope::Task
    };
    if autoprovision && scope == VolumeScope::Task {
        object.rule(
            "autoprovision",
            "goes with scope shared only: a volume of scope task is always made",
        );
    }
    Some(DockerVolume {
        scope,
        driver: object.text("driver"),
        driver_opts: object.map("driverOpts"),
        labels: object.map("labels"),
    })
}
