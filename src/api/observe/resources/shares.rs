//! Who has how much of a disk, from one look at it. Pure.
//!
//! **Invariant.** The parts that are on the disk add up to what was in use on it, unless what was counted is more.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::wire::{DiskUsage, TaskDisk};
use crate::boundary::images::InventoryUse;
use crate::domain::ids::TaskArn;

/// The shares. `family`: of a task that the agent has.
pub(super) fn shares(
    seen: &InventoryUse,
    family: impl Fn(&TaskArn) -> Option<String>,
) -> DiskUsage {
    let mut tasks: BTreeMap<&TaskArn, (u64, u64)> = BTreeMap::new();
    let mut users: BTreeMap<&str, BTreeSet<&TaskArn>> = BTreeMap::new();
    let mut other_containers = 0;
    for container in &seen.engine.containers {
        let Some(task) = &container.task else {
            add(&mut other_containers, container.writable_bytes);
            continue;
        };
        add(
            &mut tasks.entry(task).or_default().0,
            container.writable_bytes,
        );
        for volume in &container.volumes {
            users.entry(volume).or_default().insert(task);
        }
    }
    let (mut shared, mut other_volumes) = (0, 0);
    for volume in &seen.engine.volumes {
        let users = users.get(volume.name.as_str());
        let place = match users.and_then(|users| users.first().filter(|_| users.len() == 1)) {
            Some(only) => &mut tasks.entry(only).or_default().1,
            None if users.is_some() => &mut shared,
            None => &mut other_volumes,
        };
        add(place, volume.bytes);
    }
    let mut of_tasks: Vec<TaskDisk> = tasks
        .into_iter()
        .map(|(arn, (writable_bytes, volume_bytes))| TaskDisk {
            task_arn: arn.to_string(),
            task_id: arn.task_id().to_string(),
            family: family(arn),
            writable_bytes,
            volume_bytes,
        })
        .collect();
    of_tasks.sort_by_key(|task| Reverse(of_task(task)));
    let own = seen.own;
    let here = own.filter(|own| own.same_disk).map(|own| own.bytes);
    let parts = [seen.engine.image_bytes, shared, other_containers];
    let known = parts.into_iter().chain([other_volumes]).chain(here);
    let known = known
        .chain(of_tasks.iter().map(of_task))
        .fold(0, u64::saturating_add);
    let used = seen.space.total_bytes.saturating_sub(seen.space.free_bytes);
    DiskUsage {
        checked_at: seen.at.into(),
        took_ms: u64::try_from(seen.took.as_millis()).unwrap_or(u64::MAX),
        image_bytes: seen.engine.image_bytes,
        tasks: of_tasks,
        shared_volume_bytes: shared,
        other_container_bytes: other_containers,
        other_volume_bytes: other_volumes,
        agent_bytes: own.map_or(0, |own| own.bytes),
        agent_on_this_disk: here.is_some(),
        other_bytes: used.saturating_sub(known),
    }
}

fn of_task(task: &TaskDisk) -> u64 {
    task.writable_bytes.saturating_add(task.volume_bytes)
}

fn add(to: &mut u64, bytes: u64) {
    *to = to.saturating_add(bytes);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::admin::testing::{NOW, arn};
    use crate::boundary::host::DiskSpace;
    use crate::boundary::images::OwnFiles;
    use crate::domain::disk::{ContainerDisk, DiskUse, VolumeDisk};

    fn container(task: Option<&str>, writable_bytes: u64, volumes: &[&str]) -> ContainerDisk {
        ContainerDisk {
            task: task.map(arn),
            writable_bytes,
            volumes: volumes.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn volume((name, bytes): (&str, u64)) -> VolumeDisk {
        VolumeDisk {
            name: name.to_owned(),
            bytes,
        }
    }

    fn seen(own: Option<OwnFiles>) -> InventoryUse {
        InventoryUse {
            engine: DiskUse {
                image_bytes: 1000,
                containers: vec![
                    container(Some("a"), 5, &["of-a", "both"]),
                    container(Some("a"), 2, &["of-a"]),
                    container(Some("b"), 1, &["both", "elsewhere"]),
                    container(None, 30, &["strange"]),
                ],
                volumes: [("of-a", 10), ("both", 200), ("strange", 40), ("idle", 3)]
                    .map(volume)
                    .into(),
            },
            own,
            space: DiskSpace {
                free_bytes: 8000,
                total_bytes: 10_000,
            },
            at: NOW,
            took: Duration::from_millis(12),
        }
    }

    #[test]
    fn each_byte_has_one_owner() {
        let own = OwnFiles {
            bytes: 9,
            same_disk: true,
        };
        let family = |task: &TaskArn| (*task == arn("a")).then(|| "web".to_owned());
        let shown = shares(&seen(Some(own)), family);
        let tasks: Vec<_> = shown
            .tasks
            .iter()
            .map(|task| {
                let bytes = (task.writable_bytes, task.volume_bytes);
                (task.task_id.as_str(), task.family.as_deref(), bytes)
            })
            .collect();
        assert_eq!(
            tasks,
            [("a", Some("web"), (7, 10)), ("b", None, (1, 0))],
            "the largest first"
        );
        assert_eq!(shown.shared_volume_bytes, 200);
        assert_eq!(shown.other_container_bytes, 30);
        assert_eq!(shown.other_volume_bytes, 43);
        assert_eq!(shown.agent_bytes, 9);
        let known = 1000 + 7 + 10 + 1 + 200 + 30 + 43 + 9;
        assert_eq!(shown.other_bytes, 2000 - known);
    }

    #[test]
    fn what_the_agent_keeps_on_another_disk_is_no_part_of_this_one() {
        let own = OwnFiles {
            bytes: 9,
            same_disk: false,
        };
        let shown = shares(&seen(Some(own)), |_| None);
        let unknown = shares(&seen(None), |_| None);
        assert_eq!((shown.agent_bytes, shown.agent_on_this_disk), (9, false));
        assert_eq!(shown.other_bytes, unknown.other_bytes);
    }

    #[test]
    fn more_counted_than_in_use_leaves_nothing_for_others() {
        let mut seen = seen(None);
        seen.engine.image_bytes = u64::MAX;
        assert_eq!(shares(&seen, |_| None).other_bytes, 0);
    }
}
