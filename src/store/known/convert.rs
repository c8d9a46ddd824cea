//! Known state to rows and back.
//!
//! **Invariant.** Rows made from a value turn back into an equal value.

use std::collections::BTreeMap;

use super::rows::{
    BindingRow, ConditionRow, ContainerRow, KnownRow, KnownRows, MountRow, NetworkRow,
    ReservationRow, ResourceRow,
};
use crate::domain::container_facts::{ContainerMount, ContainerNetwork, ProbeResult};
use crate::domain::ids::{ContainerName, DockerId, Generation, IdError, UnixMillis, VolumeName};
use crate::domain::port_mapping::{PortBinding, PortReservation};
use crate::domain::status::{ContainerStatus, Health, TaskStatus};
use crate::domain::task::{
    Cause, Exit, KnownContainer, KnownResource, KnownTask, Reported, ResourceKey, ResourceStatus,
    StopCause, TaskCondition,
};
use crate::store::error::RowError;
use crate::store::fields::{RetryColumns, capped, instant, millis, number, protocol, reason, word};

impl From<&KnownTask> for KnownRows {
    fn from(task: &KnownTask) -> Self {
        let lists = || task.containers.iter();
        Self {
            task: KnownRow::from(task),
            containers: lists().map(container_row).collect(),
            bindings: lists()
                .flat_map(|(name, container)| {
                    numbered(&container.bindings).map(move |(at, it)| binding_row(name, at, it))
                })
                .collect(),
            reservations: lists()
                .flat_map(|(name, container)| {
                    numbered(&container.reservations)
                        .map(move |(at, it)| reservation_row(name, at, *it))
                })
                .collect(),
            resources: resource_rows(&task.resources),
            conditions: numbered(&task.conditions)
                .map(|(at, condition)| condition_row(at, condition))
                .collect(),
            networks: lists()
                .flat_map(|(name, container)| {
                    numbered(&container.networks).map(move |(at, it)| network_row(name, at, it))
                })
                .collect(),
            mounts: lists()
                .flat_map(|(name, container)| {
                    numbered(&container.mounts).map(move |(at, it)| mount_row(name, at, it))
                })
                .collect(),
        }
    }
}

impl TryFrom<KnownRows> for KnownTask {
    type Error = RowError;

    fn try_from(rows: KnownRows) -> Result<Self, RowError> {
        let mut task = Self::try_from(rows.task)?;
        for row in rows.containers {
            let (name, container) = container(row)?;
            task.containers.insert(name, container);
        }
        for row in rows.bindings {
            let (name, binding) = binding(row)?;
            owner(&mut task, &name)?.bindings.push(binding);
        }
        for row in &rows.reservations {
            let (name, reservation) = reservation(row)?;
            owner(&mut task, &name)?.reservations.push(reservation);
        }
        for row in rows.networks {
            let (name, network) = network(row)?;
            owner(&mut task, &name)?.networks.push(network);
        }
        for row in rows.mounts {
            let (name, mount) = mount(row)?;
            owner(&mut task, &name)?.mounts.push(mount);
        }
        for row in rows.resources {
            let (key, resource) = resource(row)?;
            task.resources.insert(key, resource);
        }
        for row in rows.conditions {
            task.conditions.push(condition(row)?);
        }
        Ok(task)
    }
}

fn owner<'a>(
    task: &'a mut KnownTask,
    name: &ContainerName,
) -> Result<&'a mut KnownContainer, RowError> {
    task.containers.get_mut(name).ok_or(RowError::Missing {
        table: "containers",
    })
}

fn numbered<T>(list: &[T]) -> impl Iterator<Item = (i64, &T)> {
    (0..).zip(list)
}

fn container_name(text: &str) -> Result<ContainerName, RowError> {
    ContainerName::parse(text).map_err(id("container"))
}

fn id(column: &'static str) -> impl FnOnce(IdError) -> RowError {
    move |source| RowError::Id { column, source }
}

impl From<&KnownTask> for KnownRow {
    fn from(task: &KnownTask) -> Self {
        let stop = task.stop.as_ref();
        Self {
            status: task.status.to_string(),
            observed_generation: capped(task.observed_generation.0),
            admitted_at: millis(task.admitted_at),
            stop_name: stop.map(|stop| stop.reason.name.to_string()),
            stop_message: stop.map(|stop| stop.reason.message.clone()),
            stop_at: stop.map(|stop| stop.at.0),
            pull_started_at: millis(task.pull_started_at),
            pull_stopped_at: millis(task.pull_stopped_at),
            started_at: millis(task.started_at),
            execution_stopped_at: millis(task.execution_stopped_at),
            stopped_at: millis(task.stopped_at),
            reported: task.reported.status.map(|status| status.to_string()),
            reported_containers: reported_text(&task.reported.containers),
        }
    }
}

/// `container=status`, separated by blanks; neither part can hold a blank or `=`.
fn reported_text(containers: &BTreeMap<ContainerName, ContainerStatus>) -> Option<String> {
    let pairs: Vec<String> = containers
        .iter()
        .map(|(container, status)| format!("{container}={status}"))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join(" "))
}

fn reported(status: Option<&str>, containers: Option<&str>) -> Result<Reported, RowError> {
    let pairs = containers.unwrap_or_default().split_ascii_whitespace();
    let containers = pairs.map(|pair| {
        let unreadable = || RowError::unknown("reported_containers", pair);
        let (container, status) = pair.split_once('=').ok_or_else(unreadable)?;
        let status = ContainerStatus::from_text(status).ok_or_else(unreadable)?;
        Ok((container_name(container)?, status))
    });
    Ok(Reported {
        status: status
            .map(|text| word("reported", text, TaskStatus::from_text))
            .transpose()?,
        containers: containers.collect::<Result<_, RowError>>()?,
    })
}

impl TryFrom<KnownRow> for KnownTask {
    type Error = RowError;

    fn try_from(row: KnownRow) -> Result<Self, RowError> {
        let stop = match (reason(row.stop_name, row.stop_message)?, row.stop_at) {
            (None, None) => None,
            (Some(reason), Some(at)) => Some(StopCause {
                reason,
                at: UnixMillis(at),
            }),
            _ => return Err(RowError::Incomplete { what: "a stop" }),
        };
        Ok(Self {
            status: word("status", &row.status, TaskStatus::from_text)?,
            observed_generation: Generation(number(
                "observed_generation",
                row.observed_generation,
            )?),
            admitted_at: instant(row.admitted_at),
            stop,
            pull_started_at: instant(row.pull_started_at),
            pull_stopped_at: instant(row.pull_stopped_at),
            started_at: instant(row.started_at),
            execution_stopped_at: instant(row.execution_stopped_at),
            stopped_at: instant(row.stopped_at),
            containers: BTreeMap::new(),
            resources: BTreeMap::new(),
            conditions: Vec::new(),
            reported: reported(row.reported.as_deref(), row.reported_containers.as_deref())?,
        })
    }
}

fn container_row((name, container): (&ContainerName, &KnownContainer)) -> ContainerRow {
    let exit = container.exit.as_ref();
    let reason = container.reason.as_ref();
    let retry = RetryColumns::from(container.retry.as_ref());
    let probe = container.probe.as_ref();
    ContainerRow {
        name: name.to_string(),
        status: container.status.to_string(),
        attempt: i64::from(container.attempt),
        docker_id: container.docker_id.as_ref().map(ToString::to_string),
        image_id: container.image_id.clone(),
        image_digest: container.image_digest.clone(),
        started_at: millis(container.started_at),
        running_since: millis(container.running_since),
        exit_at: exit.map(|exit| exit.at.0),
        exit_code: exit.and_then(|exit| exit.code),
        exit_oom_killed: exit.map(|exit| exit.oom_killed),
        reason_name: reason.map(|reason| reason.name.to_string()),
        reason_message: reason.map(|reason| reason.message.clone()),
        health: container.health.to_string(),
        health_since: millis(container.health_since),
        restart_count: i64::from(container.restart_count),
        last_restart_at: millis(container.last_restart_at),
        stop_requested_at: millis(container.stop_requested_at),
        degraded_log: container.degraded_log,
        settles_at: millis(container.settles_at),
        retry_step: retry.step,
        retry_failures: retry.failures,
        retry_not_before: retry.not_before,
        retry_reason_name: retry.reason_name,
        retry_reason_message: retry.reason_message,
        removed: container.removed,
        created_at: millis(container.created_at),
        probe_exit_code: probe.map(|probe| probe.exit_code),
        probe_output: probe.map(|probe| probe.output.clone()),
    }
}

fn container(row: ContainerRow) -> Result<(ContainerName, KnownContainer), RowError> {
    let exit = match (row.exit_at, row.exit_oom_killed, row.exit_code) {
        (None, None, None) => None,
        (Some(at), Some(oom_killed), code) => Some(Exit {
            code,
            at: UnixMillis(at),
            oom_killed,
        }),
        _ => return Err(RowError::Incomplete { what: "an exit" }),
    };
    let retry = RetryColumns {
        step: row.retry_step,
        failures: row.retry_failures,
        not_before: row.retry_not_before,
        reason_name: row.retry_reason_name,
        reason_message: row.retry_reason_message,
    };
    let probe = match (row.probe_exit_code, row.probe_output) {
        (None, None) => None,
        (Some(exit_code), Some(output)) => Some(ProbeResult { exit_code, output }),
        _ => return Err(RowError::Incomplete { what: "a probe" }),
    };
    let container = KnownContainer {
        status: word("status", &row.status, ContainerStatus::from_text)?,
        attempt: number("attempt", row.attempt)?,
        docker_id: row
            .docker_id
            .map(|text| DockerId::parse(&text).map_err(id("docker_id")))
            .transpose()?,
        image_id: row.image_id,
        image_digest: row.image_digest,
        created_at: instant(row.created_at),
        started_at: instant(row.started_at),
        running_since: instant(row.running_since),
        exit,
        reason: reason(row.reason_name, row.reason_message)?,
        health: word("health", &row.health, Health::from_text)?,
        health_since: instant(row.health_since),
        probe,
        restart_count: number("restart_count", row.restart_count)?,
        last_restart_at: instant(row.last_restart_at),
        stop_requested_at: instant(row.stop_requested_at),
        bindings: Vec::new(),
        networks: Vec::new(),
        mounts: Vec::new(),
        reservations: Vec::new(),
        degraded_log: row.degraded_log,
        settles_at: instant(row.settles_at),
        retry: retry.try_into()?,
        removed: row.removed,
    };
    Ok((container_name(&row.name)?, container))
}

fn binding_row(container: &ContainerName, position: i64, binding: &PortBinding) -> BindingRow {
    BindingRow {
        container: container.to_string(),
        position,
        container_port: i64::from(binding.container_port),
        protocol: binding.protocol.to_string(),
        bind_ip: binding.bind_ip.clone(),
        host_port: i64::from(binding.host_port),
    }
}

fn binding(row: BindingRow) -> Result<(ContainerName, PortBinding), RowError> {
    let binding = PortBinding {
        container_port: number("container_port", row.container_port)?,
        protocol: protocol(&row.protocol)?,
        bind_ip: row.bind_ip,
        host_port: number("host_port", row.host_port)?,
    };
    Ok((container_name(&row.container)?, binding))
}

fn network_row(container: &ContainerName, position: i64, network: &ContainerNetwork) -> NetworkRow {
    NetworkRow {
        container: container.to_string(),
        position,
        name: network.name.clone(),
        ipv4: network.ipv4.clone(),
        ipv4_prefix: i64::from(network.ipv4_prefix),
        ipv4_gateway: network.ipv4_gateway.clone(),
        ipv6: network.ipv6.clone(),
        ipv6_prefix: i64::from(network.ipv6_prefix),
        ipv6_gateway: network.ipv6_gateway.clone(),
        mac: network.mac.clone(),
    }
}

fn network(row: NetworkRow) -> Result<(ContainerName, ContainerNetwork), RowError> {
    let network = ContainerNetwork {
        name: row.name,
        ipv4: row.ipv4,
        ipv4_prefix: number("ipv4_prefix", row.ipv4_prefix)?,
        ipv4_gateway: row.ipv4_gateway,
        ipv6: row.ipv6,
        ipv6_prefix: number("ipv6_prefix", row.ipv6_prefix)?,
        ipv6_gateway: row.ipv6_gateway,
        mac: row.mac,
    };
    Ok((container_name(&row.container)?, network))
}

fn mount_row(container: &ContainerName, position: i64, mount: &ContainerMount) -> MountRow {
    MountRow {
        container: container.to_string(),
        position,
        name: mount.name.clone(),
        source: mount.source.clone(),
        destination: mount.destination.clone(),
    }
}

fn mount(row: MountRow) -> Result<(ContainerName, ContainerMount), RowError> {
    let mount = ContainerMount {
        name: row.name,
        source: row.source,
        destination: row.destination,
    };
    Ok((container_name(&row.container)?, mount))
}

fn reservation_row(
    container: &ContainerName,
    position: i64,
    reservation: PortReservation,
) -> ReservationRow {
    ReservationRow {
        container: container.to_string(),
        position,
        mapping: capped(reservation.mapping),
        first_host_port: i64::from(reservation.first_host_port),
        count: i64::from(reservation.count),
        protocol: reservation.protocol.to_string(),
    }
}

fn reservation(row: &ReservationRow) -> Result<(ContainerName, PortReservation), RowError> {
    let reservation = PortReservation {
        mapping: number("mapping", row.mapping)?,
        first_host_port: number("first_host_port", row.first_host_port)?,
        count: number("count", row.count)?,
        protocol: protocol(&row.protocol)?,
    };
    Ok((container_name(&row.container)?, reservation))
}

/// Sorted as the table is, by the text of the key.
fn resource_rows(resources: &BTreeMap<ResourceKey, KnownResource>) -> Vec<ResourceRow> {
    let mut rows: Vec<ResourceRow> = resources.iter().map(resource_row).collect();
    rows.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    rows
}

fn resource_row((key, resource): (&ResourceKey, &KnownResource)) -> ResourceRow {
    let (kind, name) = match key {
        ResourceKey::Cgroup => ("CGROUP", ""),
        ResourceKey::Volume(name) => ("VOLUME", name.as_str()),
    };
    let retry = RetryColumns::from(resource.retry.as_ref());
    ResourceRow {
        kind: kind.to_owned(),
        name: name.to_owned(),
        status: resource.status.as_str().to_owned(),
        retry_step: retry.step,
        retry_failures: retry.failures,
        retry_not_before: retry.not_before,
        retry_reason_name: retry.reason_name,
        retry_reason_message: retry.reason_message,
    }
}

fn resource(row: ResourceRow) -> Result<(ResourceKey, KnownResource), RowError> {
    let key = match (row.kind.as_str(), row.name.as_str()) {
        ("CGROUP", "") => ResourceKey::Cgroup,
        ("VOLUME", name) => ResourceKey::Volume(VolumeName::parse(name).map_err(id("name"))?),
        (kind, _) => return Err(RowError::unknown("kind", kind)),
    };
    let retry = RetryColumns {
        step: row.retry_step,
        failures: row.retry_failures,
        not_before: row.retry_not_before,
        reason_name: row.retry_reason_name,
        reason_message: row.retry_reason_message,
    };
    let resource = KnownResource {
        status: word("status", &row.status, ResourceStatus::from_text)?,
        retry: retry.try_into()?,
    };
    Ok((key, resource))
}

fn condition_row(position: i64, condition: &TaskCondition) -> ConditionRow {
    ConditionRow {
        position,
        container: condition.container.as_ref().map(ToString::to_string),
        cause: condition.cause.to_string(),
        message: condition.message.clone(),
        since: condition.since.0,
        deadline: millis(condition.deadline),
        next_action: condition.next_action.clone(),
        next_at: millis(condition.next_at),
    }
}

fn condition(row: ConditionRow) -> Result<TaskCondition, RowError> {
    Ok(TaskCondition {
        container: row
            .container
            .map(|text| container_name(&text))
            .transpose()?,
        cause: word("cause", &row.cause, Cause::from_text)?,
        message: row.message,
        since: UnixMillis(row.since),
        deadline: instant(row.deadline),
        next_action: row.next_action,
        next_at: instant(row.next_at),
    })
}
