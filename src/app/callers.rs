//! Who connects to the task server, by the address that the connection comes from.
//!
//! **Invariant.** The address of a connection inside this host cannot be another container's: Docker gives each its
//! own, and a packet with a wrong one gets no answer. Programs in the host's network have the host's addresses, and
//! cannot be told apart by them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;

use crate::boundary::callers::Callers;
use crate::domain::caller::{Caller, Doubt};
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::ids::TaskArn;
use crate::domain::status::ContainerStatus;
use crate::domain::task::Task;
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::snapshot::Snapshot;

/// Longest wait for a container whose address is not known yet: its first instruction may come before the look that
/// follows its start. Less than the 1.5 s that an SDK waits for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Knows containers by what the engine has published of them.
pub(super) struct AddressCallers {
    engine: ReconcilerHandle,
}

impl AddressCallers {
    /// Callers of the tasks of that engine.
    pub(super) fn new(engine: ReconcilerHandle) -> Self {
        Self { engine }
    }

    async fn task_at(&self, address: IpAddr) -> Option<TaskArn> {
        let mut changes = self.engine.changes();
        loop {
            changes.borrow_and_update();
            if let Some(arn) = holder(&self.engine.snapshot(), address) {
                return Some(arn);
            }
            // An engine that has ended publishes nothing more.
            changes.changed().await.ok()?;
        }
    }
}

#[async_trait]
impl Callers for AddressCallers {
    async fn identify(&self, peer: SocketAddr, local: SocketAddr) -> Caller {
        let address = peer.ip().to_canonical();
        if address.is_loopback() || address == local.ip().to_canonical() {
            return Caller::Unknown(Doubt::Unsupported);
        }
        match tokio::time::timeout(PATIENCE, self.task_at(address)).await {
            Ok(Some(arn)) => Caller::Task(arn),
            Ok(None) | Err(_) => Caller::Unknown(Doubt::NotFound),
        }
    }
}

/// The one task with a live container at that address.
fn holder(snapshot: &Snapshot, address: IpAddr) -> Option<TaskArn> {
    let mut holders = snapshot
        .tasks
        .values()
        .filter(|view| has(&view.task, address));
    let holder = holders.next()?;
    // Two cannot have one address; where that is what is known, it is known too late of one of them.
    holders
        .next()
        .is_none()
        .then(|| holder.task.desired.arn.clone())
}

fn has(task: &Task, address: IpAddr) -> bool {
    task.known.containers.values().any(|container| {
        container.status != ContainerStatus::Stopped
            && container
                .networks
                .iter()
                .any(|network| is(network, address))
    })
}

fn is(network: &ContainerNetwork, address: IpAddr) -> bool {
    [&network.ipv4, &network.ipv6]
        .into_iter()
        .any(|text| text.parse() == Ok(address))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::ids::ContainerName;
    use crate::domain::task::KnownContainer;
    use crate::reconcile::snapshot::TaskView;
    use crate::testing::store_contract::desired;

    const ADDRESS: &str = "172.17.0.5";

    /// Tasks by number, each with one container that is so far and has that address.
    fn snapshot(tasks: &[(u32, ContainerStatus, &str)]) -> Snapshot {
        let view = |&(number, status, ipv4): &(u32, ContainerStatus, &str)| {
            let mut task = Task::new(desired(&number.to_string(), 1));
            let arn = task.desired.arn.clone();
            let network = ContainerNetwork {
                ipv4: ipv4.to_owned(),
                ..ContainerNetwork::default()
            };
            let known = KnownContainer {
                status,
                networks: vec![network],
                ..KnownContainer::default()
            };
            task.known
                .containers
                .insert(ContainerName::parse("app").unwrap(), known);
            let view = TaskView {
                task,
                in_flight: Vec::new(),
                planned: Vec::new(),
                timeline: Arc::default(),
            };
            (arn, Arc::new(view))
        };
        Snapshot {
            tasks: tasks.iter().map(view).collect::<BTreeMap<_, _>>(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn an_address_is_of_the_one_task_whose_live_container_has_it() {
        use ContainerStatus::{Created, Running, Stopped};
        for (tasks, expected) in [
            (&[(1, Running, ADDRESS)][..], Some(1)),
            (&[(1, Created, ADDRESS)], Some(1)),
            (&[(1, Running, "172.17.0.6")], None),
            (&[(1, Running, "")], None),
            (&[(1, Stopped, ADDRESS)], None),
            (&[(1, Stopped, ADDRESS), (2, Running, ADDRESS)], Some(2)),
            (&[(1, Running, ADDRESS), (2, Running, ADDRESS)], None),
        ] {
            let found = holder(&snapshot(tasks), ADDRESS.parse().unwrap());
            let expected = expected.map(|number: u32| desired(&number.to_string(), 1).arn);
            assert_eq!(found, expected, "{tasks:?}");
        }
    }
}
