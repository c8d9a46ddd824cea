//! What the container engine keeps on its disk, and for which task.

use super::ids::TaskArn;

/// What images, containers and volumes take, as the engine counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes of all images, each layer once.
    pub image_bytes: u64,
    /// Containers, running or not.
    pub containers: Vec<ContainerDisk>,
    /// Volumes that the engine keeps itself.
    pub volumes: Vec<VolumeDisk>,
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerDisk {
    /// Task of this agent that it belongs to; `None` = somebody else's.
    pub task: Option<TaskArn>,
    /// Bytes of what was written over its image. Its output is kept elsewhere and not in it.
    pub writable_bytes: u64,
    /// Names of the volumes that are mounted into it.
    pub volumes: Vec<String>,
}

/// One volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeDisk {
    /// Docker's name of it.
    pub name: String,
    /// Bytes in it; 0 where its driver does not say.
    pub bytes: u64,
}
