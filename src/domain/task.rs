//! One task as the store holds it: what was asked ([`DesiredTask`]) and what was observed ([`KnownTask`]).
//!
//! **Invariants.** Nothing here says what is in flight; that lives with the worker and is found again by looking.
//! Deadlines are instants, so a restart neither forgets nor restarts them. A field that explains a state
//! (`reason`, `exit`) is written with that state and cleared when a later step succeeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::container_facts::{ContainerMount, ContainerNetwork, ProbeResult};
use super::definition::{NetworkMode, TaskDefinition};
use super::ids::{ContainerName, DockerId, Generation, TaskArn, UnixMillis, VolumeName};
use super::port_mapping::{PortBinding, PortReservation};
use super::reason::Reason;
use super::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};
use super::task_ids::TaskIds;

/// Everything durable about one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What was asked.
    pub desired: DesiredTask,
    /// What was observed.
    pub known: KnownTask,
}

impl Task {
    /// A task that has just arrived.
    pub fn new(desired: DesiredTask) -> Self {
        Self {
            desired,
            known: KnownTask::default(),
        }
    }

    /// The key.
    pub fn arn(&self) -> &TaskArn {
        &self.desired.arn
    }

    /// Whether it is the control plane's.
    pub fn is_of_ecs(&self) -> bool {
        self.desired.origin == Origin::Ecs
    }

    /// What is asked once the engine's own causes to stop are taken in.
    pub fn effective_desired(&self) -> DesiredStatus {
        if self.known.stop.is_some() {
            DesiredStatus::Stopped
        } else {
            self.desired.status
        }
    }
}

/// What somebody asked for. Written by the reconciler's handle only; every write bumps `generation`.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredTask {
    /// The key.
    pub arn: TaskArn,
    /// Counts writes of this struct.
    pub generation: Generation,
    /// What shall run, overrides already applied.
    pub definition: Arc<TaskDefinition>,
    /// How to run it here.
    pub options: TaskOptions,
    /// What its containers ask the agent with.
    pub ids: TaskIds,
    /// Who asked.
    pub origin: Origin,
    /// What ECS says of it beside its definition.
    pub ecs: EcsFacts,
    /// Run or stop.
    pub status: DesiredStatus,
    /// Why somebody asked for the stop.
    pub stop_reason: Option<Reason>,
    /// Remove everything of the task as soon as it has stopped, instead of after the cleanup wait.
    pub remove: bool,
    /// When the task arrived: the order of admission.
    pub arrived_at: UnixMillis,
}

impl DesiredTask {
    /// Docker name of an attempt at a container.
    pub fn docker_name(&self, container: &ContainerName, attempt: u32) -> String {
        let (family, revision) = (&self.definition.family, self.definition.revision);
        super::names::container_name(family, revision, self.arn.task_id(), container, attempt)
    }
}

/// How a task is to be run where the definition leaves it to the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskOptions {
    /// Run `awsvpc` as this mode: `Bridge` (one shared network namespace behind a pause container) or `Host`.
    pub network_as: Option<NetworkMode>,
    /// Run a definition that requires Fargate or other compatibilities this host does not have.
    pub ignore_compatibilities: bool,
}

/// What ECS says of a task for its containers to read. It decides nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EcsFacts {
    /// `launchType`: `EC2`, `EXTERNAL`.
    pub launch_type: Option<String>,
    /// `serviceName`.
    pub service_name: Option<String>,
    /// ARNs of its containers.
    pub container_arns: BTreeMap<ContainerName, String>,
}

/// Who asked for a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The admin API.
    Api,
    /// `berth run`.
    Run,
    /// A file of the watched directory: its name without the extension.
    File(String),
    /// Amazon ECS.
    Ecs,
    /// Containers found on the host whose rows were lost.
    Adopted,
}

/// What was observed. Written by the worker only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownTask {
    /// Derived from the containers; only moves forward.
    pub status: TaskStatus,
    /// Generation of the desired state that this was decided for.
    pub observed_generation: Generation,
    /// When the host's resources were granted.
    pub admitted_at: Option<UnixMillis>,
    /// First cause of a stop that the engine itself found.
    pub stop: Option<StopCause>,
    /// First pull began.
    pub pull_started_at: Option<UnixMillis>,
    /// Last pull ended.
    pub pull_stopped_at: Option<UnixMillis>,
    /// First time `RUNNING`.
    pub started_at: Option<UnixMillis>,
    /// First time an essential container was seen stopped.
    pub execution_stopped_at: Option<UnixMillis>,
    /// When the task became `STOPPED`.
    pub stopped_at: Option<UnixMillis>,
    /// By name, the internal ones included; an entry appears with the first fact about a container.
    pub containers: BTreeMap<ContainerName, KnownContainer>,
    /// Task resources that were registered for clean-up, by what they are.
    pub resources: BTreeMap<ResourceKey, KnownResource>,
    /// What the task waits for now.
    pub conditions: Vec<TaskCondition>,
    /// What the control plane has acknowledged of it.
    pub reported: Reported,
}

/// What the control plane has acknowledged of a task: nothing of it is told again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Of the task; `Pending` stands for everything before it ran.
    pub status: Option<TaskStatus>,
    /// Of its containers; `Pulled` stands for a digest that was told before the container ran.
    pub containers: BTreeMap<ContainerName, ContainerStatus>,
}

impl Reported {
    /// This and that: acknowledgements may be written down in another order than they came.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.status = self.status.max(other.status);
        for (name, status) in other.containers {
            let known = self.containers.entry(name).or_default();
            *known = status.max(*known);
        }
        self
    }
}

/// Why and when the engine decided that a task stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopCause {
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: UnixMillis,
}

/// What is known of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownContainer {
    /// Only moves forward.
    pub status: ContainerStatus,
    /// Which creation this is, from 0: part of the Docker name, counts up when a container must be made anew.
    pub attempt: u32,
    /// Docker's id once known.
    pub docker_id: Option<DockerId>,
    /// Image id that the container uses, `sha256:…`.
    pub image_id: Option<String>,
    /// Repository digest of the image, `sha256:…`.
    pub image_digest: Option<String>,
    /// When Docker made it, by Docker's clock; until it is looked at, when it was known to be made.
    pub created_at: Option<UnixMillis>,
    /// First start, by Docker's clock.
    pub started_at: Option<UnixMillis>,
    /// Start of the present or last run, by Docker's clock.
    pub running_since: Option<UnixMillis>,
    /// How it ended; set with `Stopped` and with each restart.
    pub exit: Option<Exit>,
    /// What went wrong on the way to the present status.
    pub reason: Option<Reason>,
    /// Last health.
    pub health: Health,
    /// When `health` became what it is.
    pub health_since: Option<UnixMillis>,
    /// The last probe when it was looked at last, which it is when `health` changes.
    pub probe: Option<ProbeResult>,
    /// How often the restart policy restarted it.
    pub restart_count: u32,
    /// When it did so last.
    pub last_restart_at: Option<UnixMillis>,
    /// When it was first asked to stop.
    pub stop_requested_at: Option<UnixMillis>,
    /// Published ports.
    pub bindings: Vec<PortBinding>,
    /// Networks it is in, or was in when it ran; in order of their names.
    pub networks: Vec<ContainerNetwork>,
    /// What is mounted into it; in order.
    pub mounts: Vec<ContainerMount>,
    /// Host ports chosen for ranges.
    pub reservations: Vec<PortReservation>,
    /// It runs with the fallback log driver because its own refused to start.
    pub degraded_log: bool,
    /// Its end was seen, but may be half of a restart by somebody else; final at this instant.
    pub settles_at: Option<UnixMillis>,
    /// A step that failed and will be tried again.
    pub retry: Option<Retry>,
    /// Its removal from Docker is confirmed.
    pub removed: bool,
}

/// How a container's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; `None` if nobody can know it any more.
    pub code: Option<i64>,
    /// When it ended, by Docker's clock.
    pub at: UnixMillis,
    /// Killed by the kernel for its memory use.
    pub oom_killed: bool,
}

/// A step that failed in a way that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Which step, in the words of `why`.
    pub step: Step,
    /// How often it failed in a row, from 1.
    pub failures: u32,
    /// Not before this instant.
    pub not_before: UnixMillis,
    /// What happened last.
    pub reason: Reason,
}

/// A step on a container or resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Make the image available.
    Pull,
    /// Create the container.
    Create,
    /// Start it, also for a restart.
    Start,
    /// Stop it.
    Stop,
    /// Look at it.
    Inspect,
    /// Remove it.
    Remove,
    /// Set up a resource.
    SetUp,
    /// Take a resource down.
    TearDown,
}

impl Step {
    /// Word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Inspect => "inspect",
            Self::Remove => "remove",
            Self::SetUp => "set-up",
            Self::TearDown => "tear-down",
        }
    }

    /// Reads the word back.
    pub fn from_text(text: &str) -> Option<Self> {
        [
            Self::Pull,
            Self::Create,
            Self::Start,
            Self::Stop,
            Self::Inspect,
            Self::Remove,
            Self::SetUp,
            Self::TearDown,
        ]
        .into_iter()
        .find(|step| step.as_str() == text)
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A task resource by what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKey {
    /// The task's cgroup.
    Cgroup,
    /// A volume of the definition that lives in Docker.
    Volume(VolumeName),
}

impl std::fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cgroup => f.write_str("cgroup"),
            Self::Volume(name) => write!(f, "volume {name}"),
        }
    }
}

/// What is known of a task resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownResource {
    /// Where it stands.
    pub status: ResourceStatus,
    /// A step that failed and will be tried again.
    pub retry: Option<Retry>,
}

/// Status of a task resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceStatus {
    /// Registered for clean-up; may or may not exist.
    Registered,
    /// Exists.
    Created,
    /// Its absence is confirmed.
    Removed,
}

impl ResourceStatus {
    /// The text stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "REGISTERED",
            Self::Created => "CREATED",
            Self::Removed => "REMOVED",
        }
    }

    /// Reads the text back.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Registered, Self::Created, Self::Removed]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// One thing a task waits for: what `why` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCondition {
    /// Container it concerns; `None` = the task.
    pub container: Option<ContainerName>,
    /// Cause as one `PascalCase` word for programs.
    pub cause: Cause,
    /// Cause in words.
    pub message: String,
    /// Since when.
    pub since: UnixMillis,
    /// When the agent gives up or escalates, if it does.
    pub deadline: Option<UnixMillis>,
    /// What happens next, in words.
    pub next_action: String,
    /// When it happens at the latest; `None` = when the awaited thing changes.
    pub next_at: Option<UnixMillis>,
}

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident),+ $(,)?) => {
        /// What a task can wait for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($(#[$doc])* $variant),+ }

        impl Cause {
            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// Reads the word back.
            pub fn from_text(text: &str) -> Option<Self> {
                $(if text == stringify!($variant) { return Some(Self::$variant); })+
                None
            }
        }
    };
}

causes! {
    /// Docker does not answer.
    RuntimeUnavailable,
    /// Rows cannot be written.
    StoreUnavailable,
    /// Not enough CPU or memory is free.
    WaitingForResources,
    /// A host port is held by another task.
    WaitingForPort,
    /// The instance drains: no new task starts on it.
    InstanceDraining,
    /// The image is being pulled.
    Pulling,
    /// The pull waits for its turn.
    WaitingForPull,
    /// A Docker call is outstanding.
    CallOutstanding,
    /// A step failed and will be tried again.
    BackingOff,
    /// The container waits for another one.
    WaitingForDependency,
    /// A task resource is being set up.
    WaitingForResource,
    /// The credentials of the task's role cannot be served yet.
    WaitingForCredentials,
    /// The container waits for those that depend on it to stop.
    WaitingForDependents,
    /// The process was asked to end and has not.
    Stopping,
    /// Docker's calls for this container hang; it is looked at now and then.
    Quarantined,
    /// The container was paused behind the agent's back.
    Paused,
    /// The container's health check fails.
    Unhealthy,
    /// The control plane has not acknowledged yet that the task stopped.
    WaitingForReport,
    /// The task has stopped and is kept for a while.
    WaitingForCleanup,
    /// What the task left behind is being removed.
    CleaningUp,
    /// The task's stored state could not be read and was set aside.
    StateDamaged,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry of a task's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEvent {
    /// Task it belongs to.
    pub arn: TaskArn,
    /// When.
    pub at: UnixMillis,
    /// Container it concerns; `None` = the task.
    pub container: Option<ContainerName>,
    /// What happened as one `PascalCase` word for programs: `Pulled`, `Started`, `Exited`, …
    pub kind: String,
    /// What happened in words.
    pub message: String,
}

/// Kinds that somebody else goes by.
impl TaskEvent {
    /// The task was put.
    pub const RECEIVED: &str = "Received";
    /// Somebody asked for its end; the words begin with the name of the reason.
    pub const STOP_WANTED: &str = "StopWanted";
    /// It has ended.
    pub const TASK_STOPPED: &str = "TaskStopped";
    /// Every container that shall run does.
    pub const RUNNING: &str = "Running";
    /// A container has ended for good; where its exit code is known the words begin with [`Self::EXITED`] and the code.
    pub const STOPPED: &str = "Stopped";
    /// In front of an exit code.
    pub const EXITED: &str = "exited with code ";

    /// The exit code in the words of a container's end.
    pub fn exit_code(&self) -> Option<i64> {
        let rest = self.message.strip_prefix(Self::EXITED)?;
        rest.split(':').next()?.parse().ok()
    }
}
