//! Shares of the host, from a snapshot. Pure.

use std::collections::BTreeSet;

use super::shares::shares;
use super::wire::{Amount, Disk, HeldPort, Holder, HostPort, Ports, Resources, Waiting};
use crate::boundary::images::Inventory;
use crate::domain::host::ResourceDemand;
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::domain::port_mapping::Protocol;
use crate::domain::task::Task;
use crate::reconcile::plan::admission::{self, Verdict};
use crate::reconcile::snapshot::Snapshot;

/// What the host has, who holds it and who waits.
pub(super) fn resources(snapshot: &Snapshot, inventory: &Inventory, now: UnixMillis) -> Resources {
    let host = snapshot.engine.host.as_deref();
    let tasks = || snapshot.tasks.values().map(|view| &view.task);
    let mut holding: Vec<&Task> = tasks().filter(|task| admission::holds(task)).collect();
    holding.sort_by_key(|task| (task.known.admitted_at, task.arn().clone()));
    let mut waiting: Vec<&Task> = tasks().filter(|task| admission::waits(task)).collect();
    waiting.sort_by_key(|task| (task.desired.arrived_at, task.arn().clone()));
    let demands = |tasks: &[&Task]| -> Vec<(TaskArn, ResourceDemand)> {
        let each = tasks.iter();
        each.map(|task| (task.arn().clone(), admission::demand(task)))
            .collect()
    };
    let (held, wanted) = (demands(&holding), demands(&waiting));
    let draining = snapshot.engine.draining.as_ref();
    let decide =
        |host| admission::unless_draining(admission::decide(host, &held, &wanted), draining);
    let verdicts = host.map(decide);
    let short_of = |arn: &TaskArn| match verdicts.as_ref()?.get(arn)? {
        Verdict::Admitted => None,
        Verdict::Waiting { for_what, .. } => Some(for_what.clone()),
        Verdict::Draining(why) | Verdict::Impossible(why) => Some(why.clone()),
    };
    let sum = |part: fn(&ResourceDemand) -> u32| {
        let parts = held.iter().map(|(_, demand)| part(demand));
        parts.fold(0_u32, u32::saturating_add)
    };
    Resources {
        now: now.into(),
        cpu: amount(
            host.map(|host| host.cpu_units),
            sum(|demand| demand.cpu_units),
        ),
        memory: amount(
            host.map(|host| host.memory_mib),
            sum(|demand| demand.memory_mib),
        ),
        ports: Ports {
            kept_for_host: ports(
                &host
                    .map(|host| host.reserved_ports.clone())
                    .unwrap_or_default(),
            ),
            held: held.iter().flat_map(held_ports).collect(),
        },
        disk: disk(snapshot, inventory),
        holders: holding
            .iter()
            .zip(&held)
            .map(|(task, (_, demand))| holder(task, demand))
            .collect(),
        waiting: waiting
            .iter()
            .zip(&wanted)
            .enumerate()
            .map(|(index, (task, (arn, demand)))| Waiting {
                position: index.saturating_add(1),
                short_of: short_of(arn),
                ..waiter(task, demand)
            })
            .collect(),
    }
}

fn amount(total: Option<u32>, reserved: u32) -> Amount {
    Amount {
        total,
        reserved,
        free: total.map(|total| total.saturating_sub(reserved)),
    }
}

fn ports(ports: &BTreeSet<(u16, Protocol)>) -> Vec<HostPort> {
    let each = ports.iter().map(|(port, protocol)| HostPort {
        port: *port,
        protocol: protocol.to_string(),
    });
    each.collect()
}

fn held_ports((arn, demand): &(TaskArn, ResourceDemand)) -> Vec<HeldPort> {
    let each = ports(&demand.ports).into_iter().map(|held| HeldPort {
        port: held.port,
        protocol: held.protocol,
        task_arn: arn.to_string(),
    });
    each.collect()
}

fn disk(snapshot: &Snapshot, inventory: &Inventory) -> Option<Disk> {
    let disk = inventory.disk.as_ref()?;
    let sizes = inventory.images.iter().map(|image| image.size_bytes);
    Some(Disk {
        path: disk.path.clone(),
        total_bytes: disk.space.total_bytes,
        free_bytes: disk.space.free_bytes,
        checked_at: disk.at.into(),
        image_bytes: sizes.fold(0, u64::saturating_add),
        usage: inventory.disk_use.as_ref().map(|seen| {
            shares(seen, |arn| {
                let view = snapshot.tasks.get(arn)?;
                Some(view.task.desired.definition.family.to_string())
            })
        }),
    })
}

fn holder(task: &Task, demand: &ResourceDemand) -> Holder {
    let arn = task.arn();
    Holder {
        task_arn: arn.to_string(),
        task_id: arn.task_id().to_string(),
        family: task.desired.definition.family.to_string(),
        cpu_units: demand.cpu_units,
        memory_mib: demand.memory_mib,
        ports: ports(&demand.ports),
        gpus: demand.gpus.iter().cloned().collect(),
        since: task.known.admitted_at.unwrap_or_default().into(),
    }
}

fn waiter(task: &Task, demand: &ResourceDemand) -> Waiting {
    let arn = task.arn();
    Waiting {
        position: 0,
        task_arn: arn.to_string(),
        task_id: arn.task_id().to_string(),
        family: task.desired.definition.family.to_string(),
        cpu_units: demand.cpu_units,
        memory_mib: demand.memory_mib,
        ports: ports(&demand.ports),
        gpus: demand.gpus.iter().cloned().collect(),
        since: task.desired.arrived_at.into(),
        short_of: None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::admin::testing::{NOW, ago, running, snapshot_of, task};
    use crate::boundary::host::DiskSpace;
    use crate::boundary::images::{ImageEntry, InventoryDisk};
    use crate::domain::sample;
    use crate::reconcile::snapshot::TaskView;

    fn wants(mut view: TaskView, cpu_units: u32, port: u16) -> TaskView {
        let definition = Arc::make_mut(&mut view.task.desired.definition);
        definition.cpu_units = Some(cpu_units);
        definition.memory_mib = Some(64);
        definition.containers[0].port_mappings = vec![sample::port(80, Some(port))];
        view
    }

    fn admitted(view: TaskView) -> TaskView {
        let mut view = view;
        view.task.known.admitted_at = Some(ago(60));
        view
    }

    #[test]
    fn holders_and_the_queue_add_up_to_the_host() {
        let total = sample::host().cpu_units;
        let holder = admitted(wants(running("a"), total - 100, 8080));
        let mut late = wants(task("b"), 200, 8080);
        late.task.desired.arrived_at = ago(5);
        let early = wants(task("c"), 50, 9090);
        let snapshot = snapshot_of([holder, late, early]);
        let shown = resources(&snapshot, &Inventory::default(), NOW);
        let cpu = shown.cpu;
        assert_eq!(
            (cpu.total, cpu.reserved, cpu.free),
            (Some(total), total - 100, Some(100))
        );
        assert_eq!(shown.ports.held[0].port, 8080);
        let queue: Vec<_> = shown
            .waiting
            .iter()
            .map(|waiting| {
                (
                    waiting.position,
                    waiting.task_id.as_str(),
                    waiting.short_of.as_deref(),
                )
            })
            .collect();
        let held = "200 CPU units (50 free); port 8080/tcp, held by task \
                    arn:aws:ecs:local:000000000000:task/default/a";
        assert_eq!(queue, [(1, "c", None), (2, "b", Some(held))]);
    }

    #[test]
    fn without_docker_there_are_no_totals_and_nothing_is_made_up() {
        let shown = resources(&Snapshot::default(), &Inventory::default(), NOW);
        assert_eq!((shown.cpu.total, shown.cpu.free), (None, None));
        assert_eq!(shown.disk, None);
    }

    #[test]
    fn the_disk_is_shown_with_what_images_take() {
        let inventory = Inventory {
            disk: Some(InventoryDisk {
                path: "/var/lib/docker".to_owned(),
                space: DiskSpace {
                    free_bytes: 30,
                    total_bytes: 100,
                },
                at: ago(9),
            }),
            images: vec![ImageEntry {
                size_bytes: 7,
                ..ImageEntry::default()
            }],
            ..Inventory::default()
        };
        let disk = resources(&Snapshot::default(), &inventory, NOW).disk;
        let disk = disk.expect("a disk");
        assert_eq!((disk.free_bytes, disk.image_bytes), (30, 7));
    }
}
