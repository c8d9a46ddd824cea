//! Who a connection is of, with connections and news of the engine as the test says; paused time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::app::task_address::TASK_SERVER;
use crate::domain::caller::HostProcess;
use crate::domain::ids::ContainerName;
use crate::reconcile::snapshot::TaskView;
use crate::testing::connections::FakeConnections;
use crate::testing::store_contract::desired;

const ADDRESS: &str = "172.17.0.5";

/// A task's container: its number, state, address; empty = on the host's network.
type Is = (u32, ContainerStatus, &'static str);

fn arn(number: u32) -> TaskArn {
    desired(&number.to_string(), 1).arn
}

fn id(number: u32) -> DockerId {
    DockerId::parse(&format!("{number:064x}")).unwrap()
}

/// Tasks by number, each with one container.
fn snapshot(tasks: &[Is]) -> Snapshot {
    let view = |&(number, status, ipv4): &Is| {
        let mut task = Task::new(desired(&number.to_string(), 1));
        let arn = task.desired.arn.clone();
        let network = ContainerNetwork {
            ipv4: ipv4.to_owned(),
            ..ContainerNetwork::default()
        };
        let known = KnownContainer {
            status,
            docker_id: Some(id(number)),
            networks: vec![network],
            ..KnownContainer::default()
        };
        let name = ContainerName::parse("app").unwrap();
        task.known.containers.insert(name, known);
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

struct Rig {
    callers: TaskCallers,
    connections: Arc<FakeConnections>,
    news: watch::Sender<u64>,
    published: Arc<Mutex<Arc<Snapshot>>>,
}

impl Rig {
    fn new(tasks: &[Is]) -> Self {
        let connections = Arc::new(FakeConnections::default());
        let published = Arc::new(Mutex::new(Arc::new(snapshot(tasks))));
        let (news, changes) = watch::channel(0);
        let shown = Arc::clone(&published);
        let callers = TaskCallers {
            snapshot: Box::new(move || Arc::clone(&shown.lock().unwrap())),
            changes,
            connections: connections.clone(),
            alias: None,
        };
        Self {
            callers,
            connections,
            news,
            published,
        }
    }

    fn publish(&self, tasks: &[Is]) {
        *self.published.lock().unwrap() = Arc::new(snapshot(tasks));
        self.news.send_modify(|count| *count += 1);
    }

    async fn who(&self, peer: &str) -> Caller {
        let peer: IpAddr = peer.parse().unwrap();
        self.callers
            .identify((peer, 4000).into(), TASK_SERVER)
            .await
    }

    /// A connection from a program on the host's network.
    fn local(&self, peer: &str, holder: Holder) {
        let peer: IpAddr = peer.parse().unwrap();
        self.connections
            .open((peer, 4000).into(), TASK_SERVER, holder);
    }
}

const NOT_FOUND: Caller = Caller::Unknown(Doubt::NotFound);

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
        let found = at_address(&snapshot(tasks), ADDRESS.parse().unwrap());
        let found = found.map(|(arn, target)| (arn, target.id));
        let expected = expected.map(|number| (arn(number), id(number)));
        assert_eq!(found, expected, "{tasks:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_is_of_a_task_only_while_its_container_has_it() {
    use ContainerStatus::{Running, Stopped};
    let rig = Rig::new(&[(1, Running, ADDRESS)]);
    let address = [ADDRESS.parse().unwrap()];
    rig.connections.runs(&id(1), &address);
    assert_eq!(rig.who(ADDRESS).await, Caller::Task(arn(1)));
    // Docker has given the address to somebody else, and the engine does not know yet.
    rig.connections.ends(&id(1));
    assert_eq!(rig.who(ADDRESS).await, NOT_FOUND);
    // It is told while the caller waits.
    rig.connections.runs(&id(2), &address);
    let news = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.publish(&[(1, Stopped, ADDRESS), (2, Running, ADDRESS)]);
    };
    let (found, ()) = tokio::join!(rig.who(ADDRESS), news);
    assert_eq!(found, Caller::Task(arn(2)));
    // A host that does not show containers leaves what the engine knows.
    rig.connections.go_blind();
    assert_eq!(rig.who(ADDRESS).await, Caller::Task(arn(2)));
}

#[tokio::test(start_paused = true)]
async fn a_program_on_the_hosts_network_is_of_its_containers_task() {
    use ContainerStatus::{Running, Stopped};
    let tasks = [(1, Running, ""), (2, Running, ADDRESS), (3, Stopped, "")];
    let process = HostProcess {
        pid: Some(7),
        command: Some("curl".to_owned()),
    };
    let container = |numbers: &[u32]| Holder::Container(numbers.iter().copied().map(id).collect());
    let foreign = |number: u32| {
        let id = id(number);
        Caller::Foreign(format!("container {}", id.as_str().get(..12).unwrap()))
    };
    for (holder, expected) in [
        (container(&[1]), Caller::Task(arn(1))),
        // It has an address of its own, and a process that has gone to the host's network.
        (container(&[2]), Caller::Task(arn(2))),
        (container(&[3]), foreign(3)),
        (container(&[9]), foreign(9)),
        // A container in a task's container is the task's, and one in a stranger's is a stranger.
        (container(&[1, 9]), Caller::Task(arn(1))),
        (container(&[9, 1]), foreign(9)),
        (Holder::Process(process.clone()), Caller::Host(process)),
        (Holder::Gone, NOT_FOUND),
        (Holder::Elsewhere, NOT_FOUND),
        (Holder::Unseen, Caller::Unknown(Doubt::Unsupported)),
    ] {
        for peer in ["127.0.0.1", "169.254.170.2", "::ffff:169.254.170.2"] {
            let rig = Rig::new(&tasks);
            let plain: IpAddr = peer.parse().unwrap();
            rig.local(&plain.to_canonical().to_string(), holder.clone());
            assert_eq!(rig.who(peer).await, expected, "{holder:?} from {peer}");
        }
        // It may have bound its end to any address that the host has.
        let rig = Rig::new(&tasks);
        rig.local("10.0.0.5", holder.clone());
        let found = rig.who("10.0.0.5").await;
        if holder == Holder::Unseen {
            assert_eq!(found, NOT_FOUND);
        } else {
            assert_eq!(found, expected, "{holder:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_in_a_cgroup_that_only_bears_a_containers_id_is_a_stranger() {
    let rig = Rig::new(&[(1, ContainerStatus::Running, "")]);
    rig.local("127.0.0.1", Holder::Container(vec![id(1)]));
    rig.connections.forges(&id(1));
    let short = id(1).as_str().get(..12).unwrap().to_owned();
    let stranger = Caller::Foreign(format!("container {short}"));
    assert_eq!(rig.who("127.0.0.1").await, stranger);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_not_known_yet_is_waited_for_and_not_longer_than_an_sdk_waits() {
    let rig = Rig::new(&[]);
    rig.local("127.0.0.1", Holder::Container(vec![id(1)]));
    let began = tokio::time::Instant::now();
    let news = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        rig.publish(&[(1, ContainerStatus::Running, "")]);
    };
    let (found, ()) = tokio::join!(rig.who("127.0.0.1"), news);
    assert_eq!(found, Caller::Task(arn(1)));
    assert_eq!(began.elapsed(), Duration::from_millis(300));
    let began = tokio::time::Instant::now();
    assert_eq!(rig.who("172.17.0.9").await, NOT_FOUND);
    assert_eq!(began.elapsed(), PATIENCE);
}
