//! Whom the barrier lets through, and what is told of it, with a host in memory.

use std::sync::Arc;

use super::*;
use crate::api::observe::probes::CheckStatus;
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::ids::ContainerName;
use crate::domain::task::{KnownContainer, Task};
use crate::reconcile::snapshot::TaskView;
use crate::testing::barrier::FakeBarrier;
use crate::testing::store_contract::desired;

/// A task with one container that is so and has these addresses.
fn task(number: u32, status: ContainerStatus, ipv4: &str, ipv6: &str) -> Arc<TaskView> {
    let mut task = Task::new(desired(&number.to_string(), 1));
    let network = ContainerNetwork {
        ipv4: ipv4.to_owned(),
        ipv6: ipv6.to_owned(),
        ..ContainerNetwork::default()
    };
    let known = KnownContainer {
        status,
        networks: vec![network],
        ..KnownContainer::default()
    };
    let name = ContainerName::parse("app").unwrap();
    task.known.containers.insert(name, known);
    Arc::new(TaskView {
        task,
        in_flight: Vec::new(),
        planned: Vec::new(),
        timeline: Arc::default(),
    })
}

fn keeper(families: &[&str]) -> (Keeper<FakeBarrier>, FakeBarrier, Conditions) {
    let (host, conditions) = (FakeBarrier::default(), Conditions::default());
    let families = families.iter().map(|&family| family.to_owned()).collect();
    let keeper = Keeper::new(host.clone(), families, conditions.clone());
    (keeper, host, conditions)
}

#[test]
fn only_live_containers_of_the_named_families_are_let_through() {
    use ContainerStatus::{Running, Stopped};
    let tasks = [
        task(1, Running, "172.17.0.5", "fd00::5"),
        task(2, Stopped, "172.17.0.6", ""),
        // On the host's network: it has no address of its own.
        task(3, Running, "", ""),
    ];
    let family = tasks[0].task.desired.definition.family.to_string();
    let snapshot = Snapshot {
        tasks: tasks
            .into_iter()
            .map(|view| (view.task.desired.arn.clone(), view))
            .collect(),
        ..Snapshot::default()
    };
    let allowed = |families: &[&str]| -> Vec<String> {
        let allowed = keeper(families).0.allowed(&snapshot);
        allowed.iter().map(ToString::to_string).collect()
    };
    assert_eq!(allowed(&[&family]), ["172.17.0.5", "fd00::5"]);
    assert_eq!(allowed(&["other"]), [""; 0]);
    assert_eq!(allowed(&[]), [""; 0]);
}

#[tokio::test]
async fn a_host_that_can_have_no_barrier_says_so_until_it_can() {
    let (keeper, host, conditions) = keeper(&[]);
    host.can_have_none(true);
    keeper.put_up().await;
    let check = conditions.checks().remove(0);
    assert_eq!(check.status, CheckStatus::Warn);
    assert!(
        check.message.contains("no nf_tables") && check.hint.is_some(),
        "{check:?}"
    );
    host.can_have_none(false);
    keeper.put_up().await;
    assert_eq!(conditions.checks().remove(0).status, CheckStatus::Pass);
    assert_eq!(host.lets_through(), Some(BTreeSet::new()));
}
