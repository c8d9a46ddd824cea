//! Volumes of a task and how containers mount them.

use std::collections::BTreeMap;

use super::ids::{ContainerName, VolumeName};

/// `volumes[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// `name`.
    pub name: VolumeName,
    /// Where its content lives.
    pub source: VolumeSource,
}

impl Volume {
    /// Whether it is kept after the task and is for every task that names it.
    pub fn is_shared(&self) -> bool {
        match &self.source {
            VolumeSource::Docker(docker) => docker.scope != VolumeScope::Task,
            VolumeSource::HostPath(_) | VolumeSource::Empty | VolumeSource::Aws(_) => false,
        }
    }
}

/// Where a volume's content lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// `host.sourcePath`: a path of the host.
    HostPath(String),
    /// No source: a Docker `local` volume that lives as long as the task.
    Empty,
    /// `dockerVolumeConfiguration`.
    Docker(DockerVolume),
    /// A source that needs AWS: EFS, FSx, S3 files, EBS configured at launch. Holds the name of its parameter.
    Aws(&'static str),
}

/// `dockerVolumeConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerVolume {
    /// `scope`.
    pub scope: VolumeScope,
    /// `driver`; Docker's default is `local`.
    pub driver: Option<String>,
    /// `driverOpts`.
    pub driver_opts: BTreeMap<String, String>,
    /// `labels`.
    pub labels: BTreeMap<String, String>,
}

/// `dockerVolumeConfiguration.scope`, with what `autoprovision` adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeScope {
    /// Made for the task and removed with it.
    Task,
    /// Kept after the task.
    Shared {
        /// Whether it is made when it does not exist.
        autoprovision: bool,
    },
}

/// `mountPoints[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// `sourceVolume`.
    pub source_volume: VolumeName,
    /// `containerPath`.
    pub container_path: String,
    /// `readOnly`.
    pub read_only: bool,
}

/// `volumesFrom[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumesFrom {
    /// `sourceContainer`.
    pub source_container: ContainerName,
    /// `readOnly`.
    pub read_only: bool,
}
