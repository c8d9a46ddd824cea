//! The world behind the boundary's traits: each call meets its fault first, then does what Docker would.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::broadcast;

use crate::boundary::runtime::EventStream;
use crate::boundary::{BoundaryError, ContainerRuntime, ErrorKind, RuntimePing, VolumeRuntime};
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::ids::DockerId;
use crate::domain::names;
use crate::domain::port_mapping::PortBinding;
use crate::domain::runtime::{
    ListedContainer, ObservedContainer, OutputChunk, OutputRange, OutputStream, RuntimeEvent,
    RuntimeEventKind, RuntimeInfo, VolumeSpec,
};
use crate::domain::spec::{ContainerSpec, NetworkChoice};
use crate::domain::task::Exit;

use super::faults::{Effect, Operation};
use super::model::{Container, World};

/// How often the event stream lets time pass on processes while nothing is known to be due.
const PULSE: Duration = Duration::from_millis(500);

/// First port that "Docker" chooses.
const FIRST_DYNAMIC_PORT: u16 = 49_153;

impl World {
    /// Does `act` unless a fault says otherwise.
    async fn call<T: Send>(
        &self,
        operation: Operation,
        object: &str,
        act: impl FnOnce() -> Result<T, BoundaryError> + Send,
    ) -> Result<T, BoundaryError> {
        let words = format!("{operation:?} {object}");
        let (down, effect) = self.count(operation, object);
        if down {
            return Err(BoundaryError::new(
                words,
                ErrorKind::Unavailable,
                "connection refused",
            ));
        }
        match effect {
            None => act(),
            Some(Effect::Fail(kind)) => Err(BoundaryError::new(words, kind, "injected failure")),
            Some(Effect::Hang(limit)) => {
                let limit = limit.min(operation.deadline());
                let mut wish = self.releases.subscribe();
                // Cancel-safe: neither holds state.
                let released = tokio::select! {
                    () = tokio::time::sleep(limit) => false,
                    changed = wish.changed() => changed.is_ok(),
                };
                if released {
                    return act();
                }
                Err(BoundaryError::deadline(words, limit))
            }
            Some(Effect::ActThenTimeOut(limit)) => {
                let limit = limit.min(operation.deadline());
                let _acted = act();
                tokio::time::sleep(limit).await;
                Err(BoundaryError::deadline(words, limit))
            }
            Some(Effect::AnswerLate(delay)) => {
                let answer = act();
                tokio::time::sleep(delay).await;
                answer
            }
            Some(Effect::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                act()
            }
        }
    }

    /// The image is on the host.
    pub(in crate::testing) async fn pull(&self, reference: &str) -> Result<(), BoundaryError> {
        self.call(Operation::Pull, reference, || {
            self.add_image(reference);
            Ok(())
        })
        .await
    }

    fn find(&self, id_or_name: &str) -> Option<Container> {
        let inner = self.lock();
        inner
            .containers
            .values()
            .find(|container| {
                container.id.as_str() == id_or_name || container.spec.docker_name == id_or_name
            })
            .cloned()
    }

    fn do_create(&self, spec: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        let words = format!("create container {}", spec.docker_name);
        let (task, name) = Self::identity(spec).ok_or_else(|| {
            BoundaryError::new(words.clone(), ErrorKind::Invalid, "labels are missing")
        })?;
        if let Some(found) = self.find(&spec.docker_name) {
            let instance = |spec: &ContainerSpec| spec.labels.get(names::LABEL_INSTANCE).cloned();
            let same_agent = instance(&found.spec) == instance(spec);
            if found.task == task && found.name == name && same_agent {
                return Ok(found.id);
            }
            return Err(BoundaryError::new(
                words,
                ErrorKind::Conflict,
                "the name is taken",
            ));
        }
        let mut inner = self.lock();
        if !inner.images.contains(spec.definition.image.as_str()) {
            return Err(BoundaryError::new(
                words,
                ErrorKind::NotFound,
                format!("No such image: {}", spec.definition.image),
            ));
        }
        let id_text = format!("{:064x}", inner.next_id);
        inner.next_id = inner.next_id.saturating_add(1);
        let id = DockerId::parse(&id_text)
            .map_err(|error| BoundaryError::new(words, ErrorKind::Invalid, error.to_string()))?;
        inner.look_at_order(&task, spec);
        let container = Container::new(id.clone(), (task, name), spec);
        inner.containers.insert(id_text, container.clone());
        drop(inner);
        self.emit(&container, RuntimeEventKind::Changed);
        Ok(id)
    }

    fn do_start(&self, id: &DockerId) -> Result<(), BoundaryError> {
        let words = format!("start container {id}");
        let Some(container) = self.find(id.as_str()) else {
            return Err(BoundaryError::new(
                words,
                ErrorKind::NotFound,
                "No such container",
            ));
        };
        let wanted: Vec<u16> = container
            .spec
            .ports
            .iter()
            .filter_map(|port| port.host_port)
            .collect();
        let taken = {
            let inner = self.lock();
            let of_others = inner
                .containers
                .values()
                .filter(|other| other.id != *id && other.state.may_live());
            let theirs: Vec<u16> = of_others
                .flat_map(bindings)
                .map(|binding| binding.host_port)
                .collect();
            wanted
                .iter()
                .any(|port| inner.taken_ports.contains(port) || theirs.contains(port))
        };
        if taken {
            return Err(BoundaryError::new(
                words,
                ErrorKind::PortTaken,
                "port is already allocated",
            ));
        }
        self.begin(id.as_str());
        Ok(())
    }

    pub(super) fn signal(&self, container: &Container, code: i64) {
        if container.state.may_live() {
            self.emit(container, RuntimeEventKind::Killed);
            let exit = Exit {
                code: Some(code),
                at: self.clock.now(),
                oom_killed: false,
            };
            self.finish(container.id.as_str(), &exit);
        }
    }

    fn do_remove(&self, id_or_name: &str) {
        if let Some(container) = self.find(id_or_name) {
            self.signal(&container, 137);
            self.lock().containers.remove(container.id.as_str());
            self.emit(&container, RuntimeEventKind::Destroyed);
        }
    }
}

fn label(container: &Container, label: &str) -> Option<String> {
    container.spec.labels.get(label).cloned()
}

fn bindings(container: &Container) -> Vec<PortBinding> {
    if !container.state.may_live() {
        return Vec::new();
    }
    (FIRST_DYNAMIC_PORT..)
        .zip(&container.spec.ports)
        .map(|(dynamic, port)| PortBinding {
            container_port: port.container_port,
            protocol: port.protocol,
            bind_ip: "0.0.0.0".to_owned(),
            host_port: port.host_port.unwrap_or(dynamic),
        })
        .collect()
}

/// Those of one bridge for all, or of the mode's name; one that joins another's network has none of its own.
fn networks(container: &Container) -> Vec<ContainerNetwork> {
    if !container.state.may_live() {
        return Vec::new();
    }
    let named = |name: &str| ContainerNetwork {
        name: name.to_owned(),
        ..ContainerNetwork::default()
    };
    match &container.spec.network {
        NetworkChoice::Bridge | NetworkChoice::Nat => vec![ContainerNetwork {
            ipv4: "172.17.0.2".to_owned(),
            ipv4_prefix: 16,
            ipv4_gateway: "172.17.0.1".to_owned(),
            ..named("bridge")
        }],
        NetworkChoice::Host => vec![named("host")],
        NetworkChoice::None => vec![named("none")],
        NetworkChoice::Container(_) => Vec::new(),
    }
}

fn observed(container: &Container) -> ObservedContainer {
    ObservedContainer {
        id: container.id.clone(),
        docker_name: container.spec.docker_name.clone(),
        labels: container.spec.labels.clone(),
        state: container.state,
        exit: container.exit.clone(),
        error: None,
        created_at: None,
        started_at: container.started_at,
        health: container.health,
        probe: None,
        bindings: bindings(container),
        image_id: format!("sha256:{}", container.spec.definition.image),
        networks: networks(container),
        mounts: Vec::new(),
        pid: container.state.may_live().then_some(1),
    }
}

#[async_trait]
impl RuntimePing for World {
    async fn ping(&self, limit: Duration) -> Result<(), BoundaryError> {
        let answer = self.call(Operation::Ping, "", || Ok(()));
        tokio::time::timeout(limit, answer)
            .await
            .unwrap_or_else(|_| Err(BoundaryError::deadline("ping", limit)))
    }
}

#[async_trait]
impl ContainerRuntime for World {
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError> {
        self.call(Operation::Info, "", || {
            Ok(RuntimeInfo {
                version: "fake".to_owned(),
                api_version: "1.41".to_owned(),
                os_type: "linux".to_owned(),
                architecture: "x86_64".to_owned(),
                cpus: 2,
                memory_bytes: 8 * 1024 * 1024 * 1024,
                cgroup_version: "1".to_owned(),
                cgroup_driver: "cgroupfs".to_owned(),
                log_drivers: vec!["json-file".to_owned(), "none".to_owned()],
                volume_drivers: vec!["local".to_owned()],
                swap_limit: true,
                security_options: Vec::new(),
                root_dir: "/var/lib/docker".to_owned(),
                os_version: None,
                isolation: String::new(),
            })
        })
        .await
    }

    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError> {
        self.call(Operation::List, "", || {
            let all = self.listed();
            Ok(all
                .iter()
                .map(|container| ListedContainer {
                    id: container.id.clone(),
                    docker_name: container.spec.docker_name.clone(),
                    task: container.task.clone(),
                    container: container.name.clone(),
                    attempt: label(container, names::LABEL_ATTEMPT)
                        .and_then(|text| text.parse().ok()),
                    definition: label(container, names::LABEL_DEFINITION),
                    state: container.state,
                    health: container.health,
                    bindings: bindings(container),
                    networks: networks(container),
                })
                .collect())
        })
        .await
    }

    async fn inspect(&self, id_or_name: &str) -> Result<Option<ObservedContainer>, BoundaryError> {
        let name = self
            .find(id_or_name)
            .map_or_else(|| id_or_name.to_owned(), |found| found.spec.docker_name);
        self.call(Operation::Inspect, &name, || {
            Ok(self.find(id_or_name).as_ref().map(observed))
        })
        .await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        self.call(Operation::Create, &spec.docker_name, || {
            self.do_create(spec)
        })
        .await
    }

    async fn start(&self, id: &DockerId) -> Result<(), BoundaryError> {
        let name = self
            .find(id.as_str())
            .map_or_else(|| id.to_string(), |found| found.spec.docker_name);
        self.call(Operation::Start, &name, || self.do_start(id))
            .await
    }

    /// Docker goes on with a stop whose caller is gone.
    async fn stop(&self, id: &DockerId, grace: Duration) -> Result<(), BoundaryError> {
        let name = self
            .find(id.as_str())
            .map_or_else(|| id.to_string(), |found| found.spec.docker_name);
        self.call(Operation::Stop, &name, || {
            self.ask_to_end(id, grace);
            Ok(())
        })
        .await?;
        while let Some(at) = self.find(id.as_str()).and_then(|found| found.killed_at) {
            tokio::time::sleep_until(at).await;
            self.tick();
        }
        Ok(())
    }

    async fn kill(&self, id: &DockerId) -> Result<(), BoundaryError> {
        let name = self
            .find(id.as_str())
            .map_or_else(|| id.to_string(), |found| found.spec.docker_name);
        self.call(Operation::Kill, &name, || {
            if let Some(container) = self.find(id.as_str()) {
                self.signal(&container, 137);
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, id_or_name: &str) -> Result<(), BoundaryError> {
        let name = self
            .find(id_or_name)
            .map_or_else(|| id_or_name.to_owned(), |found| found.spec.docker_name);
        self.call(Operation::Remove, &name, || {
            self.do_remove(id_or_name);
            Ok(())
        })
        .await
    }

    async fn events(&self) -> Result<EventStream, BoundaryError> {
        if self.lock().down {
            return Err(BoundaryError::new(
                "events",
                ErrorKind::Unavailable,
                "connection refused",
            ));
        }
        let receiver = self.events.subscribe();
        Ok(stream::unfold((self.clone(), receiver), next_event).boxed())
    }

    async fn logs(
        &self,
        id: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        let Some(container) = self.find(id.as_str()) else {
            let words = format!("logs of container {id}");
            return Err(BoundaryError::new(
                words,
                ErrorKind::NotFound,
                "No such container",
            ));
        };
        let command = container
            .spec
            .definition
            .command
            .clone()
            .unwrap_or_default();
        let OutputRange { follow, tail, .. } = range;
        let said = if tail == Some(0) || container.starts == 0 && !follow {
            Vec::new()
        } else {
            output(&command)
        };
        let chunks = stream::iter(said.into_iter().map(Ok));
        if !follow {
            return Ok(chunks.boxed());
        }
        let (world, id) = (self.clone(), id.clone());
        let rest = stream::once(async move {
            while world
                .find(id.as_str())
                .is_some_and(|found| found.state.may_live())
            {
                tokio::time::sleep(PULSE).await;
                world.tick();
            }
            stream::empty()
        });
        Ok(chunks.chain(rest.flatten()).boxed())
    }
}

/// What the words `echo WORD` and `echo WORD >&2` of a shell command write.
fn output(command: &[String]) -> Vec<OutputChunk> {
    let text = command.join(" ");
    let echoes = text
        .split(';')
        .filter_map(|part| part.trim().rsplit_once("echo "));
    echoes
        .map(|(_, words)| {
            let (words, stream) = match words.strip_suffix(" >&2") {
                Some(words) => (words, OutputStream::Stderr),
                None => (words, OutputStream::Stdout),
            };
            OutputChunk {
                stream,
                bytes: format!("{words}\n").into_bytes(),
                at: None,
            }
        })
        .collect()
}

type EventSource = (World, broadcast::Receiver<RuntimeEvent>);

/// The next event; lets time pass on processes while there is none. Ends when the engine goes away.
async fn next_event(
    (world, mut receiver): EventSource,
) -> Option<(Result<RuntimeEvent, BoundaryError>, EventSource)> {
    loop {
        if world.lock().down {
            return None;
        }
        let pulse = world.next_tick().map_or(PULSE, |at| {
            at.saturating_duration_since(tokio::time::Instant::now())
                .clamp(Duration::from_millis(1), PULSE)
        });
        match tokio::time::timeout(pulse, receiver.recv()).await {
            Ok(Ok(event)) => return Some((Ok(event), (world, receiver))),
            Ok(Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) => return None,
            Err(_) => world.tick(),
        }
    }
}

fn held_by(found: &VolumeSpec) -> BoundaryError {
    let driver = found.driver.as_deref().unwrap_or_default();
    let words = format!(
        "a volume named {} already exists with the {driver} driver. Choose a different volume name",
        found.name
    );
    let operation = format!("create volume {}", found.name);
    BoundaryError::new(operation, ErrorKind::Conflict, words)
}

#[async_trait]
impl VolumeRuntime for World {
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), BoundaryError> {
        self.call(Operation::CreateVolume, &spec.name, || {
            let driver = Some(spec.driver.clone().unwrap_or_else(|| "local".to_owned()));
            let mut inner = self.lock();
            if let Some(found) = inner.volumes.get(&spec.name) {
                let held = found.driver != driver;
                return if held { Err(held_by(found)) } else { Ok(()) };
            }
            let made = VolumeSpec {
                driver,
                ..spec.clone()
            };
            inner.volumes.insert(spec.name.clone(), made);
            Ok(())
        })
        .await
    }

    async fn inspect_volume(&self, name: &str) -> Result<Option<VolumeSpec>, BoundaryError> {
        Ok(self.lock().volumes.get(name).cloned())
    }

    async fn remove_volume(&self, name: &str) -> Result<(), BoundaryError> {
        self.call(Operation::RemoveVolume, name, || {
            let mut inner = self.lock();
            let used = inner
                .containers
                .values()
                .any(|c| c.spec.binds.iter().any(|bind| bind.source == name));
            if used {
                return Err(BoundaryError::new(
                    format!("remove volume {name}"),
                    ErrorKind::Conflict,
                    "volume is in use",
                ));
            }
            inner.volumes.remove(name);
            Ok(())
        })
        .await
    }
}
