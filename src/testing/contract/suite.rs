//! The suite itself. Each function checks the postconditions of one or two methods and leaves nothing behind when it
//! succeeds; the caller removes what a failed one left. Nothing is waited for by sleeping a fixed time: a state is
//! looked for until it is there, up to [`PATIENCE`].

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a contract suite fails by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::spec::{EXIT_3, PATIENCE, READY, STUBBORN, TALK, UNTIL_TERM, container, labels};
use crate::boundary::{
    BoundaryError, ContainerRuntime, ErrorKind, EventStream, RuntimePing, VolumeRuntime,
};
use crate::domain::ids::{ClusterName, DockerId, TaskArn, TaskId};
use crate::domain::image::ImageRef;
use crate::domain::names::{LABEL_CONTAINER_NAME, LABEL_INSTANCE, LABEL_TASK_ARN};
use crate::domain::port_mapping::Protocol;
use crate::domain::runtime::{
    ObservedContainer, OutputRange, OutputStream, RunState, RuntimeEventKind, VolumeSpec,
};
use crate::domain::spec::{Bind, ContainerSpec, NetworkChoice, PublishedPort};

/// Grace of stops that shall end in SIGKILL.
const SHORT_GRACE: Duration = Duration::from_secs(1);

/// Pause between two looks at a container.
const POLL: Duration = Duration::from_millis(20);

/// Exit code of a process that SIGKILL ended: 128 + 9.
const KILLED: i64 = 137;

/// The whole suite. `image` has a shell at `/bin/sh`; `instance` is the one that `runtime` was made for, and nobody
/// else's, so that runs at the same time on one Docker do not see each other.
///
/// # Panics
/// If a promise of the boundary is broken.
pub async fn container_runtime(
    runtime: Arc<dyn ContainerRuntime>,
    volumes: Arc<dyn VolumeRuntime>,
    image: &str,
    instance: &str,
) {
    let suite = Suite {
        runtime,
        image: ImageRef::parse(image).expect("an image reference"),
        instance: instance.to_owned(),
        run: rand::random(),
    };
    suite.create_finds_what_it_made().await;
    suite.create_refuses_a_strangers_name().await;
    suite.create_refuses_a_missing_image().await;
    suite.start_and_stop_can_be_repeated().await;
    suite.stop_kills_after_the_grace().await;
    suite.kill_ends_a_container().await;
    suite.an_end_shows_its_code().await;
    suite.what_is_missing_is_gone().await;
    suite.list_shows_own_containers().await;
    suite.a_taken_port_is_told_apart().await;
    suite.output_is_told_apart_by_stream().await;
    suite.output_is_followed_to_the_end().await;
    suite.events_arrive().await;
    suite.a_volume_in_use_stays(volumes.as_ref()).await;
    volume_runtime(volumes.as_ref(), &suite.name("volume")).await;
}

struct Suite {
    runtime: Arc<dyn ContainerRuntime>,
    image: ImageRef,
    instance: String,
    run: u64,
}

impl Suite {
    fn name(&self, purpose: &str) -> String {
        format!("berth-contract-{:016x}-{purpose}", self.run)
    }

    fn spec(&self, purpose: &str, command: &str) -> ContainerSpec {
        let mut spec = container(&self.name(purpose), &self.image, command);
        spec.labels = labels(&self.instance, &self.task(purpose));
        spec
    }

    fn task(&self, purpose: &str) -> TaskArn {
        let cluster = ClusterName::parse("contract").expect("a cluster name");
        let id = TaskId::parse(&format!("{:016x}-{purpose}", self.run)).expect("a task id");
        TaskArn::standalone(&cluster, &id)
    }

    async fn create(&self, purpose: &str, command: &str) -> DockerId {
        let spec = self.spec(purpose, command);
        self.runtime.create(&spec).await.expect("create")
    }

    async fn run(&self, purpose: &str, command: &str) -> DockerId {
        let id = self.create(purpose, command).await;
        self.runtime.start(&id).await.expect("start");
        if command == UNTIL_TERM {
            self.is_ready(&id).await;
        }
        id
    }

    /// Waits until the shell has set its trap: as first process of its container it ignores SIGTERM before.
    async fn is_ready(&self, id: &DockerId) {
        let mut logs = self
            .runtime
            .logs(id, OutputRange::FOLLOW)
            .await
            .expect("logs");
        let mut said = Vec::new();
        within("the shell to be ready", async {
            while !said.ends_with(READY) {
                let chunk = logs.next().await.expect("more output");
                said.extend(chunk.expect("a chunk").bytes);
            }
        })
        .await;
    }

    async fn look(&self, id: &DockerId) -> ObservedContainer {
        let found = self.runtime.inspect(id.as_str()).await.expect("inspect");
        found.expect("the container exists")
    }

    async fn ended(&self, id: &DockerId) -> ObservedContainer {
        within("the container to end", async {
            loop {
                let found = self.look(id).await;
                if found.exit.is_some() {
                    return found;
                }
                tokio::time::sleep(POLL).await;
            }
        })
        .await
    }

    async fn remove(&self, id: &DockerId) {
        self.runtime.remove(id.as_str()).await.expect("remove");
        let found = self.runtime.inspect(id.as_str()).await.expect("inspect");
        assert_eq!(found, None, "a removed container is gone");
    }

    async fn create_finds_what_it_made(&self) {
        let id = self.create("twice", UNTIL_TERM).await;
        assert_eq!(self.create("twice", UNTIL_TERM).await, id, "same name");
        let found = self.look(&id).await;
        assert_eq!(found.state, RunState::Created);
        assert_eq!(found.docker_name, self.name("twice"));
        assert_eq!(
            (found.exit, found.started_at, found.pid),
            (None, None, None)
        );
        for (label, value) in labels(&self.instance, &self.task("twice")) {
            assert_eq!(found.labels.get(&label), Some(&value), "{label}");
        }
        let by_name = self.runtime.inspect(&self.name("twice")).await;
        assert_eq!(by_name.expect("inspect").expect("by name").id, id);
        self.runtime.start(&id).await.expect("start");
        assert_eq!(self.create("twice", UNTIL_TERM).await, id, "also running");
        self.remove(&id).await;
    }

    async fn create_refuses_a_strangers_name(&self) {
        let id = self.create("name", UNTIL_TERM).await;
        for label in [LABEL_INSTANCE, LABEL_TASK_ARN, LABEL_CONTAINER_NAME] {
            let mut stranger = self.spec("name", UNTIL_TERM);
            let value = match label {
                LABEL_TASK_ARN => self.task("other").to_string(),
                _ => "other".to_owned(),
            };
            stranger.labels.insert(label.to_owned(), value);
            let error = self.runtime.create(&stranger).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{label}: {error}");
        }
        self.remove(&id).await;
    }

    async fn create_refuses_a_missing_image(&self) {
        let mut spec = self.spec("image", UNTIL_TERM);
        let reference = format!("berth-contract/missing:{:x}", self.run);
        spec.definition.image = ImageRef::parse(&reference).expect("an image reference");
        let error = self.runtime.create(&spec).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(&reference), "{error}");
    }

    async fn start_and_stop_can_be_repeated(&self) {
        let id = self.run("repeat", UNTIL_TERM).await;
        let found = self.look(&id).await;
        assert_eq!(found.state, RunState::Running);
        assert_eq!(found.exit, None);
        assert!(found.started_at.is_some());
        self.runtime.start(&id).await.expect("start of a started");
        assert_eq!(self.look(&id).await.started_at, found.started_at);
        self.runtime.stop(&id, PATIENCE).await.expect("stop");
        let exit = self.look(&id).await.exit.expect("it has ended");
        assert_eq!(exit.code, Some(0), "it could end by itself");
        assert!(!exit.oom_killed);
        let again = self.runtime.stop(&id, PATIENCE).await;
        again.expect("stop of a stopped");
        self.runtime.kill(&id).await.expect("kill of a stopped");
        self.remove(&id).await;

        let id = self.create("unstarted", UNTIL_TERM).await;
        let stop = self.runtime.stop(&id, PATIENCE).await;
        stop.expect("stop of what never ran");
        self.remove(&id).await;
    }

    async fn stop_kills_after_the_grace(&self) {
        let id = self.run("stubborn", STUBBORN).await;
        self.runtime.stop(&id, SHORT_GRACE).await.expect("stop");
        let found = self.look(&id).await;
        assert!(!found.state.may_live(), "{:?}", found.state);
        assert_eq!(found.exit.expect("it has ended").code, Some(KILLED));
        self.remove(&id).await;
    }

    async fn kill_ends_a_container(&self) {
        let id = self.run("kill", UNTIL_TERM).await;
        self.runtime.kill(&id).await.expect("kill");
        let found = self.ended(&id).await;
        let exit = found.exit.expect("it has ended");
        assert_eq!(exit.code, Some(KILLED));
        // Docker notes both apart, so only one that was seen to run is certain to end after its start.
        assert!(exit.at >= found.started_at.expect("it was started"));
        self.remove(&id).await;
    }

    async fn an_end_shows_its_code(&self) {
        let id = self.run("exit", EXIT_3).await;
        let found = self.ended(&id).await;
        assert_eq!(found.state, RunState::Exited);
        assert_eq!(found.pid, None);
        let exit = found.exit.expect("it has ended");
        assert_eq!(exit.code, Some(3));
        self.remove(&id).await;
    }

    async fn what_is_missing_is_gone(&self) {
        let id = self.create("gone", UNTIL_TERM).await;
        self.remove(&id).await;
        let runtime = &self.runtime;
        runtime.remove(id.as_str()).await.expect("remove again");
        runtime.remove(&self.name("gone")).await.expect("by name");
        runtime.stop(&id, SHORT_GRACE).await.expect("stop");
        runtime.kill(&id).await.expect("kill");
        kind_is(runtime.start(&id).await, ErrorKind::NotFound);
        let running = self.run("running", STUBBORN).await;
        self.remove(&running).await;
    }

    async fn list_shows_own_containers(&self) {
        let id = self.run("listed", UNTIL_TERM).await;
        let mut other = self.spec("other-agent", UNTIL_TERM);
        let instance = format!("{}-other", self.instance);
        other.labels.insert(LABEL_INSTANCE.to_owned(), instance);
        let other = self.runtime.create(&other).await.expect("create");
        let list = self.runtime.list().await.expect("list");
        let entry = list.iter().find(|entry| entry.id == id);
        let entry = entry.expect("the list shows it");
        assert_eq!(entry.docker_name, self.name("listed"));
        assert_eq!(entry.task, self.task("listed"));
        assert_eq!(entry.container.as_str(), "app");
        assert_eq!(entry.state, RunState::Running);
        let others = list.iter().filter(|entry| entry.id == other).count();
        assert_eq!(others, 0, "another agent's container is not shown");
        self.runtime.kill(&id).await.expect("kill");
        self.ended(&id).await;
        let list = self.runtime.list().await.expect("list");
        let entry = list.iter().find(|entry| entry.id == id);
        assert_eq!(entry.map(|entry| entry.state), Some(RunState::Exited));
        self.remove(&id).await;
        self.remove(&other).await;
    }

    async fn a_taken_port_is_told_apart(&self) {
        let published = |purpose: &str, host_port| {
            let mut spec = self.spec(purpose, UNTIL_TERM);
            spec.network = NetworkChoice::Bridge;
            spec.ports = vec![PublishedPort {
                container_port: 80,
                protocol: Protocol::Tcp,
                host_port,
            }];
            spec
        };
        let create = async |spec: ContainerSpec| self.runtime.create(&spec).await.expect("create");
        let holder = create(published("holder", None)).await;
        self.runtime.start(&holder).await.expect("start");
        let bindings = self.look(&holder).await.bindings;
        let binding = bindings.first().expect("a port was chosen").clone();
        assert_eq!(binding.container_port, 80);
        let list = self.runtime.list().await.expect("list");
        let entry = list.iter().find(|entry| entry.id == holder);
        let listed = &entry.expect("the list shows it").bindings;
        assert!(listed.contains(&binding), "{listed:?}");

        let second = create(published("second", Some(binding.host_port))).await;
        kind_is(self.runtime.start(&second).await, ErrorKind::PortTaken);
        self.remove(&holder).await;
        let start = self.runtime.start(&second).await;
        start.expect("the port is free again");
        self.remove(&second).await;
    }

    async fn output_is_told_apart_by_stream(&self) {
        let id = self.run("talk", TALK).await;
        self.ended(&id).await;
        let logs = self
            .runtime
            .logs(&id, OutputRange::ALL)
            .await
            .expect("logs");
        let chunks: Vec<_> = logs.collect().await;
        let text = |wanted: OutputStream| {
            let chunks = chunks.iter().map(|chunk| chunk.as_ref().expect("a chunk"));
            let bytes = chunks.filter(|chunk| chunk.stream == wanted);
            let bytes: Vec<u8> = bytes.flat_map(|chunk| chunk.bytes.clone()).collect();
            String::from_utf8(bytes).expect("text")
        };
        assert_eq!(text(OutputStream::Stdout), "out\n");
        assert_eq!(text(OutputStream::Stderr), "err\n");
        let last = self
            .runtime
            .logs(
                &id,
                OutputRange {
                    tail: Some(0),
                    ..OutputRange::ALL
                },
            )
            .await
            .expect("logs");
        assert_eq!(last.count().await, 0, "no lines were asked for");
        self.remove(&id).await;
        let logs = self.runtime.logs(&id, OutputRange::ALL).await;
        kind_is(logs.map(drop), ErrorKind::NotFound);
    }

    async fn output_is_followed_to_the_end(&self) {
        let id = self.create("follow", TALK).await;
        self.runtime.start(&id).await.expect("start");
        let logs = self
            .runtime
            .logs(&id, OutputRange::FOLLOW)
            .await
            .expect("logs");
        let chunks: Vec<_> = within("the output to end", logs.collect()).await;
        let bytes = chunks.into_iter().flat_map(|chunk| chunk.unwrap().bytes);
        assert_eq!(bytes.count(), "out\nerr\n".len());
        self.remove(&id).await;
    }

    async fn events_arrive(&self) {
        let mut events = self.runtime.events().await.expect("events");
        let id = self.run("events", EXIT_3).await;
        let died = RuntimeEventKind::Died { exit_code: Some(3) };
        self.event(&mut events, &id, &died).await;
        self.remove(&id).await;
        self.event(&mut events, &id, &RuntimeEventKind::Destroyed)
            .await;
        let id = self.run("killed", UNTIL_TERM).await;
        self.runtime.kill(&id).await.expect("kill");
        self.event(&mut events, &id, &RuntimeEventKind::Killed)
            .await;
        self.remove(&id).await;
    }

    async fn event(&self, events: &mut EventStream, id: &DockerId, kind: &RuntimeEventKind) {
        within("an event", async {
            loop {
                let event = events.next().await.expect("the stream goes on");
                let event = event.expect("an event");
                if event.id == *id && event.kind == *kind {
                    assert_eq!(event.container.as_str(), "app");
                    return;
                }
            }
        })
        .await;
    }

    async fn a_volume_in_use_stays(&self, volumes: &dyn VolumeRuntime) {
        let name = self.name("used");
        let volume = volume(&name);
        volumes.create_volume(&volume).await.expect("create volume");
        let mut spec = self.spec("user", UNTIL_TERM);
        spec.binds = vec![Bind {
            source: name.clone(),
            target: "/data".to_owned(),
            read_only: false,
        }];
        let id = self.runtime.create(&spec).await.expect("create");
        let error = volumes.remove_volume(&name).await;
        kind_is(error, ErrorKind::Conflict);
        self.remove(&id).await;
        let found = volumes.inspect_volume(&name).await.expect("inspect");
        assert!(found.is_some(), "named volumes outlive their containers");
        volumes.remove_volume(&name).await.expect("remove volume");
    }
}

/// An engine that is there answers.
///
/// # Panics
/// If a promise of the boundary is broken.
pub async fn runtime_ping(runtime: &dyn RuntimePing) {
    runtime.ping(PATIENCE).await.expect("an answer");
}

/// Volumes that no container uses. `name` is free and is free again at the end.
///
/// # Panics
/// If a promise of the boundary is broken.
pub async fn volume_runtime(volumes: &dyn VolumeRuntime, name: &str) {
    let spec = volume(name);
    assert_eq!(volumes.inspect_volume(name).await.expect("inspect"), None);
    volumes.create_volume(&spec).await.expect("create volume");
    volumes.create_volume(&spec).await.expect("create again");
    let found = volumes.inspect_volume(name).await.expect("inspect");
    let found = found.expect("the volume exists");
    assert_eq!((&found.name, &found.labels), (&spec.name, &spec.labels));
    assert_eq!(found.driver.as_deref(), Some("local"));
    volumes.remove_volume(name).await.expect("remove volume");
    volumes.remove_volume(name).await.expect("remove again");
    assert_eq!(volumes.inspect_volume(name).await.expect("inspect"), None);
}

fn volume(name: &str) -> VolumeSpec {
    VolumeSpec {
        name: name.to_owned(),
        driver: None,
        driver_opts: BTreeMap::new(),
        labels: BTreeMap::from([("purpose".to_owned(), "contract".to_owned())]),
    }
}

fn kind_is(done: Result<(), BoundaryError>, expected: ErrorKind) {
    let error = done.expect_err("it must be refused");
    assert_eq!(error.kind, expected, "{error}");
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.map_err(|_elapsed| what).expect("in time")
}
