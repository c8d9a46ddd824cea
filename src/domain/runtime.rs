//! What a container runtime shows: containers, volumes and images as they are, never as they should be.

use std::collections::BTreeMap;

use super::container_facts::{ContainerMount, ContainerNetwork, ProbeResult};
use super::ids::{ContainerName, DockerId, TaskArn, UnixMillis};
use super::names;
use super::port_mapping::PortBinding;
use super::status::Health;
use super::task::Exit;

/// One container as the list shows it. Cheap; lacks exit and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedContainer {
    /// Docker's id.
    pub id: DockerId,
    /// Docker name without the leading slash.
    pub docker_name: String,
    /// From the label `com.amazonaws.ecs.task-arn`.
    pub task: TaskArn,
    /// From the label `com.amazonaws.ecs.container-name`.
    pub container: ContainerName,
    /// Which creation of the container it is, from the label `berth.attempt`.
    pub attempt: Option<u32>,
    /// The label `berth.definition`: what its task is rebuilt from when its rows are gone.
    pub definition: Option<String>,
    /// What it does.
    pub state: RunState,
    /// Health, from the status text.
    pub health: Health,
    /// Published ports.
    pub bindings: Vec<PortBinding>,
    /// Networks, in order of their names.
    pub networks: Vec<ContainerNetwork>,
}

/// One container as inspect shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedContainer {
    /// Docker's id.
    pub id: DockerId,
    /// Docker name without the leading slash.
    pub docker_name: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// What it does. `Running` decides: flags such as `OOMKilled` only explain an exit (engine.md W30).
    pub state: RunState,
    /// How its last run ended; `None` while it runs or before its first start.
    pub exit: Option<Exit>,
    /// Docker's own error text for the last run or start.
    pub error: Option<String>,
    /// When it was made.
    pub created_at: Option<UnixMillis>,
    /// Start of the present or last run.
    pub started_at: Option<UnixMillis>,
    /// Health.
    pub health: Health,
    /// The last probe.
    pub probe: Option<ProbeResult>,
    /// Published ports.
    pub bindings: Vec<PortBinding>,
    /// Image id.
    pub image_id: String,
    /// Networks, in order of their names.
    pub networks: Vec<ContainerNetwork>,
    /// What is mounted, in order.
    pub mounts: Vec<ContainerMount>,
    /// Process id on the host while it runs.
    pub pid: Option<u32>,
}

/// One creation of one container of a task of one agent: what labels say and a rename leaves as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creation<'a> {
    /// Which agent.
    pub instance: &'a str,
    /// Which task.
    pub task: &'a TaskArn,
    /// Which container.
    pub container: &'a ContainerName,
    /// Which creation of it.
    pub attempt: u32,
}

impl ObservedContainer {
    /// Whether this is that creation, whatever it is called.
    pub fn is(&self, creation: Creation<'_>) -> bool {
        let attempt = creation.attempt.to_string();
        [
            (names::LABEL_INSTANCE, creation.instance),
            (names::LABEL_TASK_ARN, creation.task.as_str()),
            (names::LABEL_CONTAINER_NAME, creation.container.as_str()),
            (names::LABEL_ATTEMPT, attempt.as_str()),
        ]
        .into_iter()
        .all(|(label, value)| self.labels.get(label).map(String::as_str) == Some(value))
    }
}

/// What a container does, in Docker's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Exists and was never started.
    Created,
    /// Its process runs.
    Running,
    /// Its process is frozen.
    Paused,
    /// Docker is between two runs.
    Restarting,
    /// Docker is removing it.
    Removing,
    /// Its process has ended.
    Exited,
    /// Docker failed to take it down.
    Dead,
}

impl RunState {
    /// Whether a process of the container may be alive.
    pub fn may_live(self) -> bool {
        match self {
            Self::Running | Self::Paused | Self::Restarting => true,
            Self::Created | Self::Removing | Self::Exited | Self::Dead => false,
        }
    }

    /// Docker's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// Reads Docker's word.
    pub fn from_text(text: &str) -> Option<Self> {
        [
            Self::Created,
            Self::Running,
            Self::Paused,
            Self::Restarting,
            Self::Removing,
            Self::Exited,
            Self::Dead,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// One event of the runtime about a labelled container. A hint, never a fact by itself, except that `Died` carries
/// the exit code of a run that ended at `at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeEvent {
    /// Docker's id.
    pub id: DockerId,
    /// From the labels.
    pub task: TaskArn,
    /// From the labels.
    pub container: ContainerName,
    /// When, by Docker's clock.
    pub at: UnixMillis,
    /// What.
    pub kind: RuntimeEventKind,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeEventKind {
    /// The process ended.
    Died {
        /// Exit code, if the event carries one.
        exit_code: Option<i64>,
    },
    /// The container was removed.
    Destroyed,
    /// The probe decided.
    Health(Health),
    /// Somebody sent it a signal through the runtime: an end that follows may be half of a restart.
    Killed,
    /// Anything else that may have changed its state: create, start, pause, unpause, oom, rename, update.
    Changed,
}

/// What the runtime says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeInfo {
    /// Engine version.
    pub version: String,
    /// Negotiated API version.
    pub api_version: String,
    /// `linux` or `windows`.
    pub os_type: String,
    /// As Docker spells it: `x86_64`, `aarch64`.
    pub architecture: String,
    /// Logical CPUs.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// `cgroupfs`, `systemd` or `none`.
    pub cgroup_driver: String,
    /// Log drivers.
    pub log_drivers: Vec<String>,
    /// Volume drivers.
    pub volume_drivers: Vec<String>,
    /// Whether swap can be limited.
    pub swap_limit: bool,
    /// Security options: `apparmor`, `seccomp`, `selinux`, …
    pub security_options: Vec<String>,
    /// Docker's data directory.
    pub root_dir: String,
    /// Version of the operating system; on Windows `10.0.20348`.
    pub os_version: Option<String>,
    /// How containers are kept apart unless they say otherwise, Windows only: `process` or `hyperv`.
    pub isolation: String,
}

/// A volume to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Docker name.
    pub name: String,
    /// Driver; `None` = `local`.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An image on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalImage {
    /// `sha256:…`.
    pub id: String,
    /// `repository:tag` names.
    pub tags: Vec<String>,
    /// `repository@sha256:…` names.
    pub digests: Vec<String>,
    /// Bytes on disk, shared layers included.
    pub size_bytes: u64,
    /// When it was built.
    pub created_at: UnixMillis,
    /// `linux`, `windows`.
    pub os: String,
    /// As image configurations spell it: `amd64`, `arm64`.
    pub architecture: String,
    /// Version of the system that it is made for; images of Windows have one: `10.0.20348.1906`.
    pub os_version: Option<String>,
}

/// What the registry says of an image without pulling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteManifest {
    /// `sha256:…` of the manifest or index.
    pub digest: String,
    /// Media type of the descriptor.
    pub media_type: String,
    /// Platforms it holds; empty if it does not say.
    pub platforms: Vec<ImagePlatform>,
}

/// One platform of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePlatform {
    /// `linux`, `windows`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `os.version`, Windows only.
    pub os_version: Option<String>,
}

/// Progress of a pull: one message of the runtime, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes received so far.
    pub downloaded_bytes: u64,
    /// Bytes to receive, as far as layers have said.
    pub download_total_bytes: u64,
    /// Bytes unpacked so far.
    pub extracted_bytes: u64,
    /// Seconds that layers have been unpacked for, where the runtime counts these instead of bytes.
    pub extracting_secs: u64,
    /// Layers that are complete.
    pub layers_done: u32,
    /// Layers seen.
    pub layers_total: u32,
}

/// Where a line of container output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output, and everything of a pseudo terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Which part of a container's output is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputRange {
    /// Go on while the container runs.
    pub follow: bool,
    /// Only the last lines; `None` = all.
    pub tail: Option<u32>,
    /// Only what was written from then on, by Docker's clock.
    pub since: Option<UnixMillis>,
}

impl OutputRange {
    /// Everything, going on while the container runs.
    pub const FOLLOW: Self = Self {
        follow: true,
        tail: None,
        since: None,
    };

    /// Everything there is.
    pub const ALL: Self = Self {
        follow: false,
        ..Self::FOLLOW
    };
}

/// A piece of container output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChunk {
    /// Which stream.
    pub stream: OutputStream,
    /// Bytes as written; not necessarily whole lines.
    pub bytes: Vec<u8>,
    /// When Docker got them; `None` = it does not say, as for a pseudo terminal.
    pub at: Option<UnixMillis>,
}
