//! The notation becomes a scene.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::boundary::credentials::RoleReadiness;
use crate::boundary::error::ErrorKind;
use crate::domain::definition::{
    ContainerDefinition, HealthCheck, LogConfiguration, NetworkMode, RestartPolicy,
};
use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::{ContainerName, DockerId, UnixMillis, VolumeName};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::{
    ContainerPorts, PortBinding, PortMapping, PortReservation, Protocol,
};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::RunState;
use crate::domain::sample;
use crate::domain::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};
use crate::domain::task::{
    Cause, DesiredTask, Exit, KnownContainer, KnownResource, ResourceKey, ResourceStatus, Retry,
    Step, StopCause, TaskCondition,
};
use crate::domain::volume::{DockerVolume, MountPoint, Volume, VolumeScope, VolumeSource};
use crate::reconcile::action::Subject;
use crate::reconcile::plan::Flight;
use crate::reconcile::plan::admission::Verdict;

use super::inputs;
use super::scene::{Scene, docker_id};
use super::words::{Words, instant};

pub(super) fn scene(text: &str) -> Scene {
    let mut scene = Scene::of(sample::task(sample::definition(&[])));
    scene.task.known.admitted_at = Some(UnixMillis(0));
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines().filter(|line| is_definition(line)) {
        define(&mut scene.task.desired, Words::of(line));
    }
    for line in lines().filter(|line| !is_definition(line)) {
        set(&mut scene, Words::of(line));
    }
    scene
}

fn is_definition(line: &str) -> bool {
    ["def ", "vol ", "limits", "shared-network"]
        .iter()
        .any(|word| line.starts_with(word))
}

fn define(desired: &mut DesiredTask, mut words: Words<'_>) {
    let definition = Arc::make_mut(&mut desired.definition);
    match words.next() {
        "def" => definition.containers.push(container(&mut words)),
        "vol" => definition.volumes.push(volume(&mut words)),
        "limits" => definition.cpu_units = Some(256),
        _ => {
            definition.network_mode = NetworkMode::Awsvpc;
            desired.options.network_as = Some(NetworkMode::Bridge);
        }
    }
    words.end();
}

fn container(words: &mut Words<'_>) -> ContainerDefinition {
    let name = words.next();
    let mut container = sample::container(name.trim_end_matches('!'));
    container.essential = name.ends_with('!');
    if let Some(image) = words.value("image") {
        container.image = ImageRef::parse(image).unwrap();
    }
    let needs = words
        .value("needs")
        .into_iter()
        .flat_map(|all| all.split(','));
    container.depends_on = needs.map(dependency).collect();
    container.stop_timeout = words.number("stop").map(Duration::from_secs);
    container.start_timeout = words.number("start").map(Duration::from_secs);
    container.restart_policy = words.number("restart").map(|seconds| RestartPolicy {
        ignored_exit_codes: vec![0],
        restart_attempt_period: Duration::from_secs(seconds),
    });
    if words.flag("probe") {
        container.health_check = Some(HealthCheck {
            command: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            retries: 2,
            start_period: Duration::ZERO,
        });
    }
    if let Some(volume) = words.value("mount") {
        container.mount_points.push(MountPoint {
            source_volume: VolumeName::parse(volume).unwrap(),
            container_path: "/mount".to_owned(),
            read_only: false,
        });
    }
    if let Some(port) = words.number("port") {
        let port = u16::try_from(port).unwrap();
        container.port_mappings.push(sample::port(80, Some(port)));
    }
    if let Some((first, last)) = words.value("range").and_then(|text| text.split_once('-')) {
        let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
        container.port_mappings.push(PortMapping {
            container: ContainerPorts::Range { first, last },
            ..sample::port(1, None)
        });
    }
    container.log_configuration = words.value("log").map(|driver| LogConfiguration {
        driver: driver.to_owned(),
        options: BTreeMap::new(),
        secret_options: Vec::new(),
    });
    container
}

fn dependency(text: &str) -> Dependency {
    let (name, condition) = text.split_once(':').unwrap();
    let all = [
        Condition::Create,
        Condition::Start,
        Condition::Complete,
        Condition::Success,
        Condition::Healthy,
    ];
    let condition = all.into_iter().find(|found| found.as_str() == condition);
    Dependency {
        container: sample::name(name),
        condition: condition.unwrap(),
    }
}

fn volume(words: &mut Words<'_>) -> Volume {
    let name = VolumeName::parse(words.next()).unwrap();
    let docker = |scope| {
        VolumeSource::Docker(DockerVolume {
            scope,
            driver: None,
            driver_opts: BTreeMap::new(),
            labels: BTreeMap::new(),
        })
    };
    let source = if words.flag("shared") {
        docker(VolumeScope::Shared {
            autoprovision: true,
        })
    } else if words.flag("found") {
        docker(VolumeScope::Shared {
            autoprovision: false,
        })
    } else {
        VolumeSource::Empty
    };
    Volume { name, source }
}

fn set(scene: &mut Scene, mut words: Words<'_>) {
    match words.next() {
        "at" => scene.now = instant(words.next()),
        "fresh" => scene.task.known.admitted_at = None,
        "task" => scene.task.known.status = TaskStatus::from_text(words.next()).unwrap(),
        "stopped" => scene.task.known.stopped_at = Some(instant(words.next())),
        "want" => want(scene, &mut words),
        "stops" => {
            let at = words.at("at").unwrap_or(UnixMillis(90_000));
            let reason = reason(&words.rest());
            scene.task.known.stop = Some(StopCause { reason, at });
        }
        "known" => {
            let name = sample::name(words.next());
            let known = known(&name, &mut words);
            scene.task.known.containers.insert(name, known);
        }
        "resource" => resource(scene, &mut words),
        "flight" => {
            let subject = subject(words.next());
            let step = Step::from_text(words.next()).unwrap();
            let since = words.at("since").unwrap_or(scene.now);
            scene.flights.insert(subject, Flight { step, since });
        }
        "sure" => drop(scene.hints.sure.insert(sample::name(words.next()))),
        "earlier" => {
            let name = sample::name(words.next());
            let id = DockerId::parse(words.next()).unwrap();
            scene.hints.earlier.insert(name, id);
        }
        "look" => drop(scene.hints.look.insert(sample::name(words.next()))),
        "seems" => {
            let name = sample::name(words.next());
            let state = RunState::from_text(words.next()).unwrap();
            scene.hints.states.insert(name, state);
        }
        "signalled" => {
            let name = sample::name(words.next());
            scene.hints.signalled_at.insert(name, instant(words.next()));
        }
        "docker" => scene.runtime_up = words.next() == "up",
        "host-unknown" => scene.host = None,
        "verdict" => scene.verdict = Some(verdict(&mut words)),
        "refused" => {
            let reason = Reason::new(ReasonName::UnsupportedError, words.rest());
            scene.refusal = Some(reason);
        }
        "role" => scene.role = Some(role(&mut words)),
        "execution-role" => scene.execution_role = Some(role(&mut words)),
        "waited" => scene.task.known.conditions.push(TaskCondition {
            container: None,
            cause: Cause::from_text(words.next()).unwrap(),
            message: String::new(),
            since: words.at("since").unwrap(),
            deadline: None,
            next_action: String::new(),
            next_at: None,
        }),
        "taken" => {
            let port = words.next().parse().unwrap();
            scene.taken_ports.insert((port, Protocol::Tcp));
        }
        other => scene.inputs.push(inputs::read(other, &mut words)),
    }
    words.end();
}

fn role(words: &mut Words<'_>) -> RoleReadiness {
    match words.next() {
        "ready" => RoleReadiness::Ready,
        "fetching" => RoleReadiness::Fetching,
        _ => RoleReadiness::Failing {
            failures: 1,
            kind: ErrorKind::Denied,
            message: words.rest(),
            next_at: UnixMillis(0),
        },
    }
}

fn want(scene: &mut Scene, words: &mut Words<'_>) {
    let desired = &mut scene.task.desired;
    desired.remove = words.next() == "REMOVED";
    desired.status = DesiredStatus::Stopped;
    desired.generation = desired.generation.next();
    desired.stop_reason = Some(Reason::new(ReasonName::UserInitiated, "asked"));
}

fn known(name: &ContainerName, words: &mut Words<'_>) -> KnownContainer {
    let mut known = KnownContainer {
        status: ContainerStatus::from_text(words.next()).unwrap(),
        ..KnownContainer::default()
    };
    if let Some(attempt) = words.number("attempt") {
        known.attempt = u32::try_from(attempt).unwrap();
    }
    if words.flag("id") {
        known.docker_id = Some(docker_id(name, known.attempt));
    }
    if words.flag("image") || known.docker_id.is_some() {
        known.image_id = Some("sha256:image".to_owned());
    }
    known.started_at = words.at("started");
    known.running_since = words.at("since").or(known.started_at);
    known.last_restart_at = words.at("restarted");
    known.stop_requested_at = words.at("asked");
    known.settles_at = words.at("settles");
    known.exit = words.value("exit").map(exit);
    if let Some(health) = words.value("health") {
        known.health = Health::from_text(health).unwrap();
    }
    if let Some(count) = words.number("restarts") {
        known.restart_count = u32::try_from(count).unwrap();
    }
    if let Some(port) = words.number("port") {
        known.bindings.push(binding(u16::try_from(port).unwrap()));
    }
    if let Some((first, count)) = words.value("range").and_then(|text| text.split_once('+')) {
        known.reservations.push(PortReservation {
            mapping: 0,
            first_host_port: first.parse().unwrap(),
            count: count.parse().unwrap(),
            protocol: Protocol::Tcp,
        });
    }
    known.degraded_log = words.flag("degraded");
    known.removed = words.flag("removed");
    let retry = words.value("retry");
    let rest = words.rest();
    let why = (!rest.is_empty()).then(|| reason(&rest));
    known.retry = retry.map(|text| read_retry(text, why.clone()));
    known.reason = why.filter(|_| known.retry.is_none());
    known
}

/// `STEP:FAILURES@NOT_BEFORE`.
fn read_retry(text: &str, why: Option<Reason>) -> Retry {
    let (step, rest) = text.split_once(':').unwrap();
    let (failures, at) = rest.split_once('@').unwrap();
    Retry {
        step: Step::from_text(step).unwrap(),
        failures: failures.parse().unwrap(),
        not_before: instant(at),
        reason: why.unwrap_or_else(|| Reason::new(ReasonName::DockerStateError, "x")),
    }
}

/// `CODE@AT`, `?@AT` where nobody knows the code.
pub(super) fn exit(text: &str) -> Exit {
    let (code, at) = text.split_once('@').unwrap();
    Exit {
        code: code.parse().ok(),
        at: instant(at),
        oom_killed: false,
    }
}

/// `Name: words`.
fn reason(text: &str) -> Reason {
    let (name, message) = text.split_once(": ").unwrap();
    Reason::new(ReasonName::from_text(name).unwrap(), message)
}

pub(super) fn binding(host_port: u16) -> PortBinding {
    PortBinding {
        container_port: 80,
        protocol: Protocol::Tcp,
        bind_ip: "0.0.0.0".to_owned(),
        host_port,
    }
}

fn resource(scene: &mut Scene, words: &mut Words<'_>) {
    let key = resource_key(words.next());
    let status = ResourceStatus::from_text(words.next()).unwrap();
    let retry = words.value("retry").map(|text| read_retry(text, None));
    let known = KnownResource { status, retry };
    scene.task.known.resources.insert(key, known);
}

fn resource_key(text: &str) -> ResourceKey {
    match text.strip_prefix("volume:") {
        Some(name) => ResourceKey::Volume(VolumeName::parse(name).unwrap()),
        None => ResourceKey::Cgroup,
    }
}

/// A container's name, or `cgroup`, or `volume:NAME`.
pub(super) fn subject(text: &str) -> Subject {
    if text == "cgroup" || text.starts_with("volume:") {
        Subject::Resource(resource_key(text))
    } else {
        Subject::Container(sample::name(text))
    }
}

fn verdict(words: &mut Words<'_>) -> Verdict {
    match words.next() {
        "admitted" => Verdict::Admitted,
        "draining" => Verdict::Draining(words.rest()),
        "impossible" => Verdict::Impossible(words.rest()),
        "port" => Verdict::Waiting {
            port: Some((8080, Protocol::Tcp, sample::arn("other"))),
            for_what: words.rest(),
        },
        _ => Verdict::Waiting {
            port: None,
            for_what: words.rest(),
        },
    }
}
