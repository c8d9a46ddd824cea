//! Puts the parts of a spec together, for containers of the definition and for the agent's own.

use std::collections::{BTreeMap, BTreeSet};

use super::label::carries_definition;
use super::{account, environment, gpus, limits, log, mounts, network};
use crate::domain::definition::{
    ContainerDefinition, IpcMode, LinuxParameters, PidMode, TaskDefinition,
};
use crate::domain::host::{HostFacts, OsType};
use crate::domain::ids::ContainerName;
use crate::domain::image::ImageRef;
use crate::domain::layout::{ContainerKind, Layout, PAUSE_IMAGE};
use crate::domain::names::{
    LABEL_ATTEMPT, LABEL_CLUSTER, LABEL_CONTAINER_NAME, LABEL_DEFINITION, LABEL_FAMILY,
    LABEL_INSTANCE, LABEL_REVISION, LABEL_TASK_ARN, container_name,
};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::spec::{ContainerSpec, IpcChoice, NamespaceChoice, NetworkChoice};
use crate::domain::task::{KnownContainer, Task};
use crate::reconcile::settings::EngineSettings;

/// Everything that a spec is a function of.
#[derive(Clone, Copy, Debug)]
pub struct SpecInputs<'a> {
    /// The rows.
    pub task: &'a Task,
    /// `layout(&task.desired)`.
    pub layout: &'a Layout,
    /// The host.
    pub host: &'a HostFacts,
    /// The engine's settings.
    pub settings: &'a EngineSettings,
    /// Content of the label `berth.definition` of the containers that carry it.
    pub definition_label: &'a str,
}

impl SpecInputs<'_> {
    pub(super) fn definition(&self) -> &TaskDefinition {
        &self.task.desired.definition
    }

    pub(super) fn known(&self, container: &ContainerName) -> Option<&KnownContainer> {
        self.task.known.containers.get(container)
    }
}

/// Docker name of the container in its present attempt.
pub fn docker_name(task: &Task, container: &ContainerName) -> String {
    let definition = &task.desired.definition;
    container_name(
        &definition.family,
        definition.revision,
        task.arn().task_id(),
        container,
        attempt(task, container),
    )
}

/// The container as the runtime shall create it.
///
/// # Errors
/// A [`Reason`] that ends the container: a volume, link or port that cannot be resolved, or a parameter that this
/// version does not support.
pub fn container_spec(
    inputs: &SpecInputs<'_>,
    container: &ContainerName,
) -> Result<ContainerSpec, Reason> {
    let missing = || {
        Reason::new(
            ReasonName::CannotCreateContainerError,
            format!("the task has no container {container}"),
        )
    };
    let entry = inputs.layout.get(container).ok_or_else(missing)?;
    match entry.kind {
        ContainerKind::Application(index) => {
            let definition = inputs
                .definition()
                .containers
                .get(index)
                .ok_or_else(missing)?;
            application(inputs, definition)
        }
        ContainerKind::NetworkPause => network_pause(inputs),
        ContainerKind::NamespacePause => namespace_pause(inputs),
    }
}

fn application(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Result<ContainerSpec, Reason> {
    refuse_unsupported(inputs.host.os_type, container)?;
    let choice = network::choose(inputs, container)?;
    let definition = network::without_shared(container, &choice);
    let definition = account::with_account(inputs, definition)?;
    let definition = limits::without_reservation(inputs, definition);
    let definition = without_linux(inputs.host.os_type, definition);
    let mut environment = container.environment.clone();
    let injected = environment::injected(inputs, container);
    let left_to_image = environment::left_to_image(&injected);
    environment.extend(injected);
    let spec = ContainerSpec {
        environment,
        left_to_image,
        pid: pid(inputs),
        ipc: ipc(inputs),
        binds: mounts::binds(inputs, container)?,
        volumes_from: mounts::volumes_from(inputs, container)?,
        links: network::links(inputs, container, &choice)?,
        ports: network::published_ports(inputs, container, &choice)?,
        memory_mib: limits::memory_mib(inputs, container),
        gpus: gpus::choose(inputs, container)?,
        log: log::choose(inputs, container),
        ..bare(inputs, definition, choice)
    };
    let degraded = inputs
        .known(&container.name)
        .is_some_and(|known| known.degraded_log);
    Ok(if degraded {
        log::degraded_log(spec)
    } else {
        spec
    })
}

/// The definition without what has no effect on Windows (`windows.md` 10.2), which Docker there would not take. Limits of
/// swap stay: a container that needs them is refused, in Docker's words.
fn without_linux(os: OsType, mut definition: ContainerDefinition) -> ContainerDefinition {
    if os == OsType::Windows {
        let given = definition.linux_parameters;
        definition.linux_parameters = LinuxParameters {
            max_swap_mib: given.max_swap_mib,
            swappiness: given.swappiness,
            ..LinuxParameters::default()
        };
        definition.system_controls.clear();
        definition.links.clear();
    }
    definition
}

/// Holds the network of all containers: their ports, host name and name resolution are its own.
fn network_pause(inputs: &SpecInputs<'_>) -> Result<ContainerSpec, Reason> {
    let definition = network::with_shared(pause(ContainerName::network_pause())?, inputs);
    Ok(ContainerSpec {
        pause: true,
        ports: network::ports_of_all(inputs)?,
        ..bare(inputs, definition, NetworkChoice::Bridge)
    })
}

/// Holds the PID and IPC namespaces of all containers and has no network (reference agent: internal containers).
fn namespace_pause(inputs: &SpecInputs<'_>) -> Result<ContainerSpec, Reason> {
    let shares_ipc = inputs.definition().ipc_mode == IpcMode::Task;
    let definition = pause(ContainerName::namespace_pause())?;
    Ok(ContainerSpec {
        pause: true,
        ipc: if shares_ipc {
            IpcChoice::Shareable
        } else {
            IpcChoice::Default
        },
        ..bare(inputs, definition, NetworkChoice::None)
    })
}

fn pause(name: ContainerName) -> Result<ContainerDefinition, Reason> {
    let image = ImageRef::parse(PAUSE_IMAGE).map_err(|error| {
        Reason::new(
            ReasonName::CannotCreateContainerError,
            format!("image {PAUSE_IMAGE} {error}"),
        )
    })?;
    Ok(ContainerDefinition::new(name, image))
}

/// What every container has; the rest is empty.
fn bare(
    inputs: &SpecInputs<'_>,
    definition: ContainerDefinition,
    network: NetworkChoice,
) -> ContainerSpec {
    ContainerSpec {
        docker_name: docker_name(inputs.task, &definition.name),
        pause: false,
        environment: BTreeMap::new(),
        left_to_image: BTreeSet::new(),
        labels: labels(inputs, &definition),
        network,
        pid: NamespaceChoice::Private,
        ipc: IpcChoice::Default,
        binds: Vec::new(),
        volumes_from: Vec::new(),
        links: Vec::new(),
        ports: Vec::new(),
        extra_hosts: Vec::new(),
        cgroup_parent: limits::cgroup_parent(inputs),
        memory_mib: None,
        cpu_shares: limits::cpu_shares(inputs, &definition),
        cpu_percent: limits::cpu_percent(inputs, &definition),
        gpus: None,
        log: None,
        definition,
    }
}

/// The user's labels, then the agent's: those win.
fn labels(inputs: &SpecInputs<'_>, container: &ContainerDefinition) -> BTreeMap<String, String> {
    let definition = inputs.definition();
    let mut labels = container.docker_labels.clone();
    labels.extend(
        [
            (LABEL_TASK_ARN, inputs.task.arn().to_string()),
            (LABEL_CONTAINER_NAME, container.name.to_string()),
            (LABEL_FAMILY, definition.family.to_string()),
            (LABEL_REVISION, definition.revision.to_string()),
            (LABEL_CLUSTER, inputs.settings.cluster.clone()),
            (LABEL_INSTANCE, inputs.settings.instance.clone()),
            (
                LABEL_ATTEMPT,
                attempt(inputs.task, &container.name).to_string(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let text = inputs.definition_label;
    if carries_definition(inputs.layout, &container.name, text.len()) {
        labels.insert(LABEL_DEFINITION.to_owned(), text.to_owned());
    } else {
        labels.remove(LABEL_DEFINITION);
    }
    labels
}

fn attempt(task: &Task, container: &ContainerName) -> u32 {
    task.known
        .containers
        .get(container)
        .map_or(0, |known| known.attempt)
}

fn pid(inputs: &SpecInputs<'_>) -> NamespaceChoice {
    match inputs.definition().pid_mode {
        PidMode::Private => NamespaceChoice::Private,
        PidMode::Host => NamespaceChoice::Host,
        PidMode::Task => {
            NamespaceChoice::Container(docker_name(inputs.task, &ContainerName::namespace_pause()))
        }
    }
}

fn ipc(inputs: &SpecInputs<'_>) -> IpcChoice {
    match inputs.definition().ipc_mode {
        IpcMode::Default => IpcChoice::Default,
        IpcMode::Host => IpcChoice::Host,
        IpcMode::None => IpcChoice::None,
        IpcMode::Task => {
            IpcChoice::Container(docker_name(inputs.task, &ContainerName::namespace_pause()))
        }
    }
}

/// What only an AWS service or a later version can resolve. Drivers refuse such tasks before they are put; this
/// holds for the ones that reach the engine all the same.
fn refuse_unsupported(os: OsType, container: &ContainerDefinition) -> Result<(), Reason> {
    let accounts = os == OsType::Linux && !container.credential_specs.is_empty();
    let log = container.log_configuration.as_ref();
    let used = [
        ("environmentFiles", !container.environment_files.is_empty()),
        ("firelensConfiguration", container.firelens.is_some()),
        ("credentialSpecs", accounts),
        (
            "resourceRequirements",
            !container.resource_requirements.is_empty(),
        ),
        (
            "log driver awsfirelens",
            log.is_some_and(|log| log.driver == "awsfirelens"),
        ),
    ];
    match used.iter().find(|(_, used)| *used) {
        None => Ok(()),
        Some((field, _)) => Err(Reason::new(
            ReasonName::UnsupportedError,
            format!(
                "{field} of container {} is not supported yet by this version",
                container.name
            ),
        )),
    }
}
