//! Who connects to the task server: by the address that the connection comes from, or by the process that has it.
//!
//! ```text
//! address of a task's container? ──yes──► the container runs and has it now? ──yes──► that task
//!        │ no                                        └── no ──► wait for news of the engine, look again
//!        ▼
//! a socket of the host's network? ──yes──► its process ──► named after a container of a task, of nobody, or none
//!        │                                                      └──► in that container's own cgroup? ──yes──► that task
//!        └── no ──► wait for news of the engine, look again
//! ```
//!
//! **Invariants.** The address of a connection inside this host cannot be another container's: Docker gives each its
//! own, and a packet with a wrong one gets no answer. Docker gives an address anew when a container has ended, maybe
//! before the engine knows of the end: so the container is looked at when somebody connects, and a connection does not
//! outlive its container. What is found out holds for one connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::boundary::Connections;
use crate::boundary::callers::Callers;
use crate::boundary::connections::{Ends, Holder};
use crate::boundary::usage::UsageTarget;
use crate::domain::caller::{Caller, Doubt};
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::ids::{DockerId, TaskArn};
use crate::domain::status::ContainerStatus;
use crate::domain::task::{KnownContainer, Task};
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::snapshot::Snapshot;

/// Longest search for a caller, with the wait for a container that is not known yet: its first instruction may come before the look that follows its
/// start. Less than the 1.5 s that an SDK waits for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Digits of a container's id that people know it by.
const SHORT_ID: usize = 12;

/// Knows containers by what the engine has published of them, and what the host shows.
pub(super) struct TaskCallers {
    snapshot: Box<dyn Fn() -> Arc<Snapshot> + Send + Sync>,
    changes: watch::Receiver<u64>,
    connections: Arc<dyn Connections>,
    alias: Option<SocketAddr>,
}

impl TaskCallers {
    /// Callers of the tasks of that engine; `alias` is what they ask for where the host redirects it.
    pub(super) fn new(
        engine: ReconcilerHandle,
        connections: Arc<dyn Connections>,
        alias: Option<SocketAddr>,
    ) -> Self {
        Self {
            changes: engine.changes(),
            snapshot: Box::new(move || engine.snapshot()),
            connections,
            alias,
        }
    }

    /// The caller as soon as the engine knows it, if that is by then.
    async fn wait_for(&self, sought: Sought<'_>, deadline: Instant) -> Option<Caller> {
        let known = async {
            let mut changes = self.changes.clone();
            loop {
                changes.borrow_and_update();
                let snapshot = (self.snapshot)();
                if let Some(found) = self.look_for(&snapshot, sought).await {
                    return Some(found);
                }
                // An engine that has ended publishes nothing more.
                changes.changed().await.ok()?;
            }
        };
        timeout_at(deadline, known).await.ok()?
    }

    async fn look_for(&self, snapshot: &Snapshot, sought: Sought<'_>) -> Option<Caller> {
        match sought {
            Sought::Holder(ends, ids) => {
                let (arn, container) = of_container(snapshot, ids)?;
                let inside = self.connections.is_inside(ends, container).await;
                // As with an address.
                inside.unwrap_or(true).then_some(Caller::Task(arn))
            }
            Sought::Address(address) => {
                let (arn, container) = at_address(snapshot, address)?;
                let has_it = self.connections.has_address(container, address).await;
                // A host that does not show it leaves what the engine knows.
                has_it.unwrap_or(true).then_some(Caller::Task(arn))
            }
        }
    }

    /// Who it is, by then.
    async fn identify_ends(&self, ends: Ends, deadline: Instant) -> Caller {
        let address = ends.client.ip();
        let snapshot = (self.snapshot)();
        let sought = Sought::Address(address);
        let known = timeout_at(deadline, self.look_for(&snapshot, sought)).await;
        if let Ok(Some(caller)) = known {
            return caller;
        }
        let likely = without_address(&snapshot);
        let holder = timeout_at(deadline, self.connections.holder(ends, likely)).await;
        // A host that takes so long to tell may be quicker the next time.
        let found = match holder.unwrap_or(Holder::Gone) {
            Holder::Process(process) => return Caller::Host(process),
            Holder::Container(ids) => {
                let known = self.wait_for(Sought::Holder(ends, &ids), deadline).await;
                return known.unwrap_or_else(|| Caller::Foreign(stranger(&ids)));
            }
            // Where nothing is shown, only an address of the host's own tells that it is one of its programs.
            Holder::Unseen if address.is_loopback() || address == ends.server.ip() => {
                return Caller::Unknown(Doubt::Unsupported);
            }
            Holder::Gone => None,
            Holder::Elsewhere if address.is_loopback() => None,
            Holder::Elsewhere | Holder::Unseen => self.wait_for(sought, deadline).await,
        };
        found.unwrap_or(Caller::Unknown(Doubt::NotFound))
    }
}

/// How a container is looked for.
#[derive(Clone, Copy)]
enum Sought<'a> {
    Address(IpAddr),
    Holder(Ends, &'a [DockerId]),
}

#[async_trait]
impl Callers for TaskCallers {
    async fn identify(&self, peer: SocketAddr, local: SocketAddr) -> Caller {
        let ends = Ends {
            client: peer,
            server: local,
            alias: self.alias,
        };
        let deadline = Instant::now() + PATIENCE;
        self.identify_ends(ends.canonical(), deadline).await
    }
}

/// A container that nobody here has put, in words.
fn stranger(ids: &[DockerId]) -> String {
    let id = ids.first().map_or("", DockerId::as_str);
    format!("container {}", id.get(..SHORT_ID).unwrap_or(id))
}

/// Live containers of all tasks.
fn containers(snapshot: &Snapshot) -> impl Iterator<Item = (&Task, &KnownContainer)> {
    snapshot.tasks.values().flat_map(|view| {
        let known = view.task.known.containers.values();
        let live = known.filter(|container| container.status != ContainerStatus::Stopped);
        live.map(|container| (&view.task, container))
    })
}

/// The task of the outermost of these containers, and the container: what is in a stranger's is a stranger's.
fn of_container(snapshot: &Snapshot, ids: &[DockerId]) -> Option<(TaskArn, UsageTarget)> {
    let id = ids.first()?;
    let mut all = containers(snapshot);
    let (task, container) = all.find(|(_, container)| container.docker_id.as_ref() == Some(id))?;
    let target = target(task, container)?;
    Some((task.desired.arn.clone(), target))
}

/// Containers on the host's network: those that may hold sockets there.
fn without_address(snapshot: &Snapshot) -> Vec<UsageTarget> {
    let without = containers(snapshot).filter(|(_, container)| {
        let has_none =
            |network: &ContainerNetwork| network.ipv4.is_empty() && network.ipv6.is_empty();
        container.networks.iter().all(has_none)
    });
    without
        .filter_map(|(task, container)| target(task, container))
        .collect()
}

fn target(task: &Task, container: &KnownContainer) -> Option<UsageTarget> {
    Some(UsageTarget {
        id: container.docker_id.clone()?,
        task: task.desired.arn.task_id().clone(),
    })
}

/// The one task with a live container at that address, and the container.
fn at_address(snapshot: &Snapshot, address: IpAddr) -> Option<(TaskArn, UsageTarget)> {
    let mut holders = containers(snapshot).filter(|(_, container)| {
        let mut networks = container.networks.iter();
        networks.any(|network| is(network, address))
    });
    let (task, container) = holders.next()?;
    // Two tasks cannot have one address; where that is what is known, it is known too late of one of them.
    let alone = holders.all(|(other, _)| other.desired.arn == task.desired.arn);
    let target = target(task, container).filter(|_| alone)?;
    Some((task.desired.arn.clone(), target))
}

fn is(network: &ContainerNetwork, address: IpAddr) -> bool {
    [&network.ipv4, &network.ipv6]
        .into_iter()
        .any(|text| text.parse() == Ok(address))
}

#[cfg(test)]
#[path = "callers_tests.rs"]
mod tests;
