//! What every task store must do: the same suite runs on the fake and on SQLite. The values it stores have every
//! field set, so that one that is lost is missed.

#![expect(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::boundary::store::{Change, ImageRecord, Loaded, MAX_EVENTS_PER_TASK};
use crate::boundary::{InstanceStore, TaskStore};
use crate::domain::container_facts::{ContainerMount, ContainerNetwork, ProbeResult};
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::{ContainerDefinition, NetworkMode, TaskDefinition};
use crate::domain::draining::Draining;
use crate::domain::ids::{
    ContainerName, DockerId, Family, Generation, TaskArn, UnixMillis, VolumeName,
};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::{PortBinding, PortReservation, Protocol};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};
use crate::domain::task::{
    Cause, DesiredTask, EcsFacts, Exit, KnownContainer, KnownResource, KnownTask, Origin, Reported,
    ResourceKey, ResourceStatus, Retry, Step, StopCause, Task, TaskCondition, TaskEvent,
    TaskOptions,
};
use crate::domain::task_ids::{EndpointId, TaskIds};

/// What the control plane's driver keeps: on a store that has none of it.
///
/// # Panics
/// If a promise of the boundary is broken.
pub async fn instance_store(store: &dyn InstanceStore) {
    let facts = async || store.facts().await.expect("facts can be read");
    assert_eq!(facts().await, BTreeMap::new());
    let first = [("arn", "a"), ("cluster", "c")];
    store.keep(&first).await.expect("facts can be kept");
    store
        .keep(&[("arn", "b"), ("sequence", "")])
        .await
        .expect("facts can be kept");
    let expected = [("arn", "b"), ("cluster", "c"), ("sequence", "")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(facts().await, BTreeMap::from(expected));
}

/// The whole suite, on a store with nothing in it. It is left with nothing but events.
///
/// # Panics
/// If a promise of the boundary is broken.
pub async fn task_store(store: &dyn TaskStore) {
    assert_eq!(load(store).await, Loaded::default(), "a new store");
    desired_state_is_given_back(store).await;
    known_state_is_given_back_whole(store).await;
    known_state_of_nobody_is_left_out(store).await;
    a_forgotten_task_leaves_its_events(store).await;
    one_commit_may_hold_a_whole_life(store).await;
    images_are_remembered(store).await;
    draining_is_given_back_until_it_ends(store).await;
    events_are_numbered_and_found(store).await;
    a_timeline_has_a_bound(store).await;
    what_is_not_flushed_is_there_in_order(store).await;
    the_ends_of_timelines_are_those_of_tasks_that_are_there(store).await;
    let nothing = Loaded::default();
    assert_eq!(load(store).await, nothing, "after everything is forgotten");
}

async fn desired_state_is_given_back(store: &dyn TaskStore) {
    let (first, second) = (desired("a", 1), full_desired("b"));
    let changes = [
        Change::Desired(second.clone()),
        Change::Desired(first.clone()),
    ];
    assert_eq!(commit(store, &changes).await, 0, "no event was written");
    let tasks = [Task::new(first.clone()), Task::new(second.clone())];
    assert_eq!(load(store).await.tasks, tasks, "in the order of ARNs");

    let stopping = DesiredTask {
        status: DesiredStatus::Stopped,
        generation: Generation(2),
        ..first
    };
    commit(store, &[Change::Desired(stopping.clone())]).await;
    let tasks = [Task::new(stopping), Task::new(second)];
    assert_eq!(load(store).await.tasks, tasks, "the last write counts");
    forget(store, &["a", "b"]).await;
}

async fn known_state_is_given_back_whole(store: &dyn TaskStore) {
    let mut task = Task {
        desired: desired("a", 1),
        known: full_known(),
    };
    let changes = [
        Change::Desired(task.desired.clone()),
        Change::Known(arn("a"), task.known.clone()),
    ];
    commit(store, &changes).await;
    assert_eq!(load(store).await.tasks, [task.clone()], "every field");

    task.desired.generation = Generation(2);
    commit(store, &[Change::Desired(task.desired.clone())]).await;
    let tasks = load(store).await.tasks;
    assert_eq!(tasks, [task.clone()], "desired state leaves it alone");

    task.known.conditions.clear();
    task.known.resources.clear();
    task.known.containers.remove(&name("app"));
    commit(store, &[Change::Known(arn("a"), task.known.clone())]).await;
    assert_eq!(load(store).await.tasks, [task], "what is gone is gone");
    forget(store, &["a"]).await;
}

async fn known_state_of_nobody_is_left_out(store: &dyn TaskStore) {
    commit(store, &[Change::Known(arn("nobody"), full_known())]).await;
    assert_eq!(load(store).await.tasks, []);
}

async fn a_forgotten_task_leaves_its_events(store: &dyn TaskStore) {
    let changes = [
        Change::Desired(desired("a", 1)),
        Change::Known(arn("a"), full_known()),
        Change::Event(event("a", "Kept")),
    ];
    let last = commit(store, &changes).await;
    forget(store, &["a"]).await;
    forget(store, &["a"]).await;
    assert_eq!(load(store).await.tasks, []);
    let events = events(store, Some("a"), last - 1, 10).await;
    assert_eq!(events, [(last, "Kept".to_owned())]);

    commit(store, &[Change::Desired(desired("a", 1))]).await;
    let tasks = load(store).await.tasks;
    let known: Vec<&KnownTask> = tasks.iter().map(|task| &task.known).collect();
    assert_eq!(known, [&KnownTask::default()], "it is a new task");
    forget(store, &["a"]).await;
}

async fn one_commit_may_hold_a_whole_life(store: &dyn TaskStore) {
    let changes = [
        Change::Desired(desired("a", 1)),
        Change::Known(arn("a"), full_known()),
        Change::Forget(arn("a")),
        Change::Known(arn("a"), full_known()),
    ];
    commit(store, &changes).await;
    assert_eq!(load(store).await.tasks, []);
}

async fn images_are_remembered(store: &dyn TaskStore) {
    let image = ImageRecord {
        reference: "busybox:1".to_owned(),
        image_id: "sha256:1".to_owned(),
        pulled_at: Some(UnixMillis(1)),
        last_used_at: UnixMillis(2),
        size_bytes: 3,
    };
    let found = ImageRecord {
        reference: "alpine:3".to_owned(),
        pulled_at: None,
        ..image.clone()
    };
    let changes = [Change::Image(image.clone()), Change::Image(found.clone())];
    commit(store, &changes).await;
    assert_eq!(load(store).await.images, [found.clone(), image.clone()]);

    let used = ImageRecord {
        last_used_at: UnixMillis(9),
        ..image
    };
    let changes = [
        Change::Image(used.clone()),
        Change::ForgetImage(found.reference),
    ];
    commit(store, &changes).await;
    let reference = used.reference.clone();
    assert_eq!(load(store).await.images, [used]);
    commit(store, &[Change::ForgetImage(reference)]).await;
}

async fn draining_is_given_back_until_it_ends(store: &dyn TaskStore) {
    let state = |reason: &str| {
        Some(Draining {
            since: UnixMillis(5),
            reason: reason.to_owned(),
        })
    };
    commit(store, &[Change::Draining(state("a new kernel"))]).await;
    assert_eq!(load(store).await.draining, state("a new kernel"));
    commit(store, &[Change::Draining(state(""))]).await;
    assert_eq!(load(store).await.draining, state(""), "the last one counts");
    commit(store, &[Change::Draining(None)]).await;
    assert_eq!(load(store).await.draining, None);
}

async fn events_are_numbered_and_found(store: &dyn TaskStore) {
    let changes = ["One", "Two", "Three"].map(|kind| {
        let task = if kind == "Two" { "b" } else { "a" };
        Change::Event(event(task, kind))
    });
    let last = commit(store, &changes).await;
    assert!(last >= 3, "{last}");
    let (one, two) = ((last - 2, "One".to_owned()), (last - 1, "Two".to_owned()));
    let three = (last, "Three".to_owned());
    let all = [one.clone(), two.clone(), three.clone()];
    assert_eq!(events(store, None, last - 3, 10).await, all);
    assert_eq!(events(store, None, last - 3, 2).await, [one.clone(), two]);
    assert_eq!(events(store, Some("a"), last - 3, 10).await, [one, three]);
    assert_eq!(events(store, None, last, 10).await, []);
    assert_eq!(commit(store, &[]).await, 0, "nothing was written");

    let whole = TaskEvent {
        container: Some(name("app")),
        ..event("a", "Whole")
    };
    let last = commit(store, &[Change::Event(whole.clone())]).await;
    let found = store.events_after(None, last - 1, 1).await.expect("events");
    let found: Vec<TaskEvent> = found.into_iter().map(|stored| stored.event).collect();
    assert_eq!(found, [whole]);
}

async fn a_timeline_has_a_bound(store: &dyn TaskStore) {
    let quiet = commit(store, &[Change::Event(event("quiet", "Old"))]).await;
    let changes: Vec<Change> = (0..MAX_EVENTS_PER_TASK + 20)
        .map(|_| Change::Event(event("chatty", "More")))
        .collect();
    let last = commit(store, &changes).await;
    let kept = events(store, Some("chatty"), 0, u32::MAX).await;
    let sequences: Vec<i64> = kept.iter().map(|(sequence, _)| *sequence).collect();
    let first_kept = last + 1 - i64::from(MAX_EVENTS_PER_TASK);
    let expected: Vec<i64> = (first_kept..=last).collect();
    assert_eq!(sequences, expected, "the oldest are gone");
    let others = events(store, Some("quiet"), 0, 10).await;
    assert_eq!(others, [(quiet, "Old".to_owned())]);

    let gone = async |task: Option<&str>, sequence| {
        let task = task.map(arn);
        let found = store.events_gone_after(task.as_ref(), sequence).await;
        found.expect("an answer").is_some()
    };
    assert!(gone(None, quiet).await, "what followed it is gone");
    assert!(gone(Some("chatty"), quiet).await, "of the task itself");
    assert!(
        !gone(Some("quiet"), quiet).await,
        "of another task nothing is"
    );
    assert!(!gone(None, first_kept - 1).await, "the rest is whole");
    assert!(!gone(None, last).await, "there is nothing after the last");
    assert!(gone(None, last + 1).await, "this log has not come so far");
    let chatty = gone(Some("chatty"), last + 1).await;
    assert!(chatty, "whichever task is asked for");
}

async fn the_ends_of_timelines_are_those_of_tasks_that_are_there(store: &dyn TaskStore) {
    let tasks = ["ends-a", "ends-b"].map(|id| Change::Desired(desired(id, 1)));
    commit(store, &tasks).await;
    let told = ["ends-a", "ends-a", "ends-b", "ends-gone", "ends-a"];
    let told = told.map(|id| Change::Event(event(id, "Told")));
    let last = commit(store, &told).await;
    let ends = async |per_task| {
        let found = store.recent_events(per_task).await.expect("events");
        found
            .iter()
            .map(|stored| stored.sequence)
            .collect::<Vec<i64>>()
    };
    assert_eq!(ends(2).await, [last - 3, last - 2, last], "two of each");
    assert_eq!(ends(9).await, [last - 4, last - 3, last - 2, last], "all");
    assert_eq!(ends(0).await, [0_i64; 0], "none");
    forget(store, &["ends-a", "ends-b"]).await;
}

/// Between commits that are flushed, and seen at once; what power loss leaves is each store's own matter.
async fn what_is_not_flushed_is_there_in_order(store: &dyn TaskStore) {
    let known = |status| KnownTask {
        status,
        ..KnownTask::default()
    };
    let first = [
        Change::Desired(desired("seen", 1)),
        Change::Event(event("seen", "First")),
    ];
    let first = commit(store, &first).await;
    for (status, number) in [(TaskStatus::Running, 1), (TaskStatus::Stopped, 2)] {
        let seen = [
            Change::Known(arn("seen"), known(status)),
            Change::Event(event("seen", "Seen")),
        ];
        let last = store.commit_unflushed(&seen).await.expect("commit");
        assert_eq!(last, first + number, "numbers go on");
        store.flush().await.expect("flush");
        let tasks = load(store).await.tasks;
        let found = tasks.iter().find(|task| *task.arn() == arn("seen"));
        assert_eq!(found.expect("the task").known, known(status));
    }
    let last = commit(store, &[Change::Event(event("seen", "Last"))]).await;
    let expected = ["First", "Seen", "Seen", "Last"].map(str::to_owned);
    let told = events(store, Some("seen"), first - 1, 9).await;
    assert_eq!(told, (first..).zip(expected).collect::<Vec<_>>());
    assert_eq!(last, first + 3);
    forget(store, &["seen"]).await;
}

async fn load(store: &dyn TaskStore) -> Loaded {
    store.load().await.expect("load")
}

async fn commit(store: &dyn TaskStore, changes: &[Change]) -> i64 {
    store.commit(changes).await.expect("commit")
}

async fn forget(store: &dyn TaskStore, tasks: &[&str]) {
    let changes: Vec<Change> = tasks.iter().map(|id| Change::Forget(arn(id))).collect();
    commit(store, &changes).await;
}

/// Sequence and kind of each.
async fn events(
    store: &dyn TaskStore,
    task: Option<&str>,
    sequence: i64,
    limit: u32,
) -> Vec<(i64, String)> {
    let found = store
        .events_after(task.map(arn).as_ref(), sequence, limit)
        .await
        .expect("events");
    found
        .into_iter()
        .map(|stored| (stored.sequence, stored.event.kind))
        .collect()
}

/// A task ARN of the cluster `default`.
///
/// # Panics
/// If the text is no task id.
pub fn arn(id: &str) -> TaskArn {
    TaskArn::parse(&format!("arn:aws:ecs:local:000000000000:task/default/{id}")).expect("a task id")
}

fn name(text: &str) -> ContainerName {
    ContainerName::parse(text).expect("a container name")
}

/// A task of one container that somebody asked for.
///
/// # Panics
/// If the text is no task id.
pub fn desired(id: &str, generation: u64) -> DesiredTask {
    let image = ImageRef::parse("busybox:1").expect("an image reference");
    DesiredTask {
        arn: arn(id),
        generation: Generation(generation),
        definition: Arc::new(TaskDefinition::new(
            Family::parse("web").expect("a family"),
            vec![ContainerDefinition::new(name("app"), image)],
        )),
        options: TaskOptions::default(),
        ids: TaskIds::default(),
        origin: Origin::Api,
        ecs: EcsFacts::default(),
        status: DesiredStatus::Running,
        stop_reason: None,
        remove: false,
        arrived_at: UnixMillis(1),
    }
}

/// A task with no field left at its default.
///
/// # Panics
/// If the text is no task id.
pub fn full_desired(id: &str) -> DesiredTask {
    DesiredTask {
        options: TaskOptions {
            network_as: Some(NetworkMode::Host),
            ignore_compatibilities: true,
        },
        ids: TaskIds {
            task_role: Some(CredentialsId::parse("a19d-1").expect("an id")),
            execution_role: Some(CredentialsId::parse("a19d-2").expect("an id")),
            endpoints: ["app", "side"]
                .into_iter()
                .zip(1..)
                .map(|(container, bits)| (name(container), EndpointId::from_random(bits)))
                .collect(),
        },
        origin: Origin::File("web".to_owned()),
        ecs: EcsFacts {
            launch_type: Some("EXTERNAL".to_owned()),
            service_name: Some("a service's name".to_owned()),
            container_arns: [(name("app"), "arn:aws:ecs:r:1:container/lab/t/c".to_owned())].into(),
        },
        status: DesiredStatus::Stopped,
        stop_reason: Some(reason()),
        remove: true,
        arrived_at: UnixMillis(2),
        ..desired(id, 7)
    }
}

fn reason() -> Reason {
    Reason::new(
        ReasonName::UserInitiated,
        "somebody's \"words\" — ünd more\n",
    )
}

fn retry(step: Step) -> Retry {
    Retry {
        step,
        failures: 2,
        not_before: UnixMillis(30),
        reason: reason(),
    }
}

/// Known state with no field left at its default.
///
/// # Panics
/// Never: its fixed names are good ones.
pub fn full_known() -> KnownTask {
    let volume = ResourceKey::Volume(VolumeName::parse("data").expect("a volume name"));
    let cgroup = KnownResource {
        status: ResourceStatus::Created,
        retry: None,
    };
    let waiting = KnownResource {
        status: ResourceStatus::Registered,
        retry: Some(retry(Step::SetUp)),
    };
    KnownTask {
        status: TaskStatus::Running,
        observed_generation: Generation(6),
        admitted_at: Some(UnixMillis(10)),
        stop: Some(StopCause {
            reason: reason(),
            at: UnixMillis(11),
        }),
        pull_started_at: Some(UnixMillis(12)),
        pull_stopped_at: Some(UnixMillis(13)),
        started_at: Some(UnixMillis(14)),
        execution_stopped_at: Some(UnixMillis(15)),
        stopped_at: Some(UnixMillis(16)),
        containers: BTreeMap::from([
            (name("app"), full_container()),
            (name("side"), KnownContainer::default()),
            (ContainerName::network_pause(), full_container()),
        ]),
        resources: BTreeMap::from([(ResourceKey::Cgroup, cgroup), (volume, waiting)]),
        conditions: vec![condition(Some(name("side"))), condition(None)],
        reported: Reported {
            status: Some(TaskStatus::Pending),
            containers: BTreeMap::from([(name("app"), ContainerStatus::Pulled)]),
        },
    }
}

fn condition(container: Option<ContainerName>) -> TaskCondition {
    TaskCondition {
        container,
        cause: Cause::WaitingForDependency,
        message: "waits for app".to_owned(),
        since: UnixMillis(17),
        deadline: Some(UnixMillis(18)),
        next_action: "start it".to_owned(),
        next_at: Some(UnixMillis(19)),
    }
}

fn full_container() -> KnownContainer {
    let binding = |host_port| PortBinding {
        container_port: 80,
        protocol: Protocol::Udp,
        bind_ip: "::".to_owned(),
        host_port,
    };
    let network = |name: &str| ContainerNetwork {
        name: name.to_owned(),
        ipv4: "172.17.0.2".to_owned(),
        ipv4_prefix: 16,
        ipv4_gateway: "172.17.0.1".to_owned(),
        ipv6: "fd00::2".to_owned(),
        ipv6_prefix: 64,
        ipv6_gateway: "fd00::1".to_owned(),
        mac: "02:42:ac:11:00:02".to_owned(),
    };
    KnownContainer {
        status: ContainerStatus::Stopped,
        attempt: 1,
        docker_id: Some(DockerId::parse(&"ab".repeat(32)).expect("a Docker id")),
        image_id: Some("sha256:1".to_owned()),
        image_digest: Some("sha256:2".to_owned()),
        created_at: Some(UnixMillis(19)),
        started_at: Some(UnixMillis(20)),
        running_since: Some(UnixMillis(21)),
        exit: Some(Exit {
            code: Some(-1),
            at: UnixMillis(22),
            oom_killed: true,
        }),
        reason: Some(reason()),
        health: Health::Unhealthy,
        health_since: Some(UnixMillis(23)),
        probe: Some(ProbeResult {
            exit_code: 1,
            output: "no\n".to_owned(),
        }),
        restart_count: 3,
        last_restart_at: Some(UnixMillis(24)),
        stop_requested_at: Some(UnixMillis(25)),
        bindings: vec![binding(8081), binding(8080)],
        networks: vec![network("bridge"), network("a")],
        mounts: vec![ContainerMount {
            name: "v".to_owned(),
            source: "/s".to_owned(),
            destination: "/d".to_owned(),
        }],
        reservations: vec![PortReservation {
            mapping: 1,
            first_host_port: 50_000,
            count: 5,
            protocol: Protocol::Tcp,
        }],
        degraded_log: true,
        settles_at: Some(UnixMillis(26)),
        retry: Some(retry(Step::Pull)),
        removed: true,
    }
}

/// An event of a task.
///
/// # Panics
/// If the text is no task id.
pub fn event(task: &str, kind: &str) -> TaskEvent {
    TaskEvent {
        arn: arn(task),
        at: UnixMillis(40),
        container: None,
        kind: kind.to_owned(),
        message: format!("{kind} happened"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory_store::MemoryStore;
    use super::*;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contract() {
        task_store(&MemoryStore::default()).await;
    }

    #[tokio::test]
    async fn the_memory_store_fails_before_or_after_acting() {
        let store = MemoryStore::default();
        let changes = [Change::Desired(desired("a", 1))];
        store.fail_next(1);
        store.commit(&changes).await.unwrap_err();
        assert_eq!(store.tasks().len(), 0);
        store.lose_next_answers(1);
        store.commit(&changes).await.unwrap_err();
        assert_eq!(store.tasks().len(), 1);
        store.commit(&changes).await.unwrap();
    }

    #[tokio::test]
    async fn the_memory_store_loses_what_was_not_flushed() {
        let store = MemoryStore::default();
        let tasks = |ids: &[&str]| {
            let changes = ids.iter().map(|id| Change::Desired(desired(id, 1)));
            changes.collect::<Vec<Change>>()
        };
        store.commit_unflushed(&tasks(&["a"])).await.unwrap();
        store.commit(&tasks(&["b"])).await.unwrap();
        store.lose_power();
        assert_eq!(
            store.tasks().len(),
            2,
            "a flush takes along what was before"
        );
        store.commit_unflushed(&tasks(&["c"])).await.unwrap();
        store.commit_unflushed(&tasks(&["d"])).await.unwrap();
        assert_eq!(store.tasks().len(), 4);
        store.lose_power();
        assert_eq!(store.tasks().len(), 2);
    }
}
