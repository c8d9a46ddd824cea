//! What takes the disk, as Docker counts it.

use super::super::wire;
use super::container::owner;
use crate::domain::disk::{ContainerDisk, DiskUse, VolumeDisk};
use crate::domain::names::LABEL_INSTANCE;

/// Containers count as a task's if they carry the labels of the agent `instance`.
pub(in super::super) fn used(said: wire::DiskUse, instance: &str) -> DiskUse {
    let images = said.image_usage.map(|usage| usage.total_size);
    let containers = said.containers.into_iter();
    let volumes = said.volumes.into_iter();
    DiskUse {
        image_bytes: bytes(images.unwrap_or(said.layers_size)),
        containers: containers
            .chain(said.container_usage.items)
            .map(|container| of_container(container, instance))
            .collect(),
        volumes: volumes
            .chain(said.volume_usage.items)
            .map(|volume| VolumeDisk {
                name: volume.name,
                bytes: bytes(volume.usage_data.size),
            })
            .collect(),
    }
}

fn of_container(container: wire::DiskContainer, instance: &str) -> ContainerDisk {
    let labels = &container.labels;
    let ours = labels.get(LABEL_INSTANCE).map(String::as_str) == Some(instance);
    let mounts = container.mounts.into_iter().map(|mount| mount.name);
    ContainerDisk {
        task: owner(labels).filter(|_| ours).map(|(task, _)| task),
        writable_bytes: bytes(container.size_rw),
        volumes: mounts.filter(|name| !name.is_empty()).collect(),
    }
}

/// Docker writes -1 for what it does not know.
fn bytes(said: i64) -> u64 {
    u64::try_from(said).unwrap_or(0)
}
