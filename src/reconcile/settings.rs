//! What operators may set of the engine.

use std::time::Duration;

use crate::domain::fit::FitPolicy;
use crate::domain::ids::TaskId;
pub use crate::domain::image::PullBehavior;

/// Limits and waits of the engine. `Default` is the reference agent's where it has one (`engine.md` 9).
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Cluster name in ARNs and labels (`ECS_CLUSTER`).
    pub cluster: String,
    /// Marks containers of this data directory: label `berth.instance`.
    pub instance: String,
    /// From SIGTERM to SIGKILL where the container does not say (`ECS_CONTAINER_STOP_TIMEOUT`).
    pub stop_timeout: Duration,
    /// How long a stopped task is kept (`ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION`).
    pub cleanup_wait: Duration,
    /// What is added to that at most, another for each task (`ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER`).
    pub cleanup_jitter: Duration,
    /// When images are pulled (`ECS_IMAGE_PULL_BEHAVIOR`).
    pub pull_behavior: PullBehavior,
    /// Whether task limits become a cgroup (`ECS_ENABLE_TASK_CPU_MEM_LIMIT`).
    pub task_limits: bool,
    /// Whether `privileged` is refused (`ECS_DISABLE_PRIVILEGED`).
    pub disable_privileged: bool,
    /// What happens when a log backend is down (users.md A24).
    pub log_failure: LogFailurePolicy,
    /// Gives each container without `memory` the task's memory as its own limit
    /// (`ECS_PROPAGATE_TASK_MEMORY_LIMIT_CGROUPV2`).
    pub propagate_task_memory: bool,
    /// On Windows, `cpu` of 0 is no limit (`ECS_ENABLE_CPU_UNBOUNDED_WINDOWS_WORKAROUND`).
    pub cpu_unbounded: bool,
    /// On Windows, `memoryReservation` alone is no limit (`ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND`).
    pub memory_unbounded: bool,
    /// Compare labels and options of a shared volume that exists (`ECS_SHARED_VOLUME_MATCH_FULL_CONFIG`).
    pub match_shared_volume: bool,
    /// What containers are told of the agent's endpoints.
    pub endpoints: Endpoints,
    /// How Docker is told of the GPUs of a container.
    pub gpus: GpuAccess,
    /// Whether credentials of execution roles can be had (`BERTH_CREDENTIALS`).
    pub execution_roles: bool,
    /// How long a task waits for the credentials of its role before it is given up (`BERTH_CREDENTIALS_WAIT`).
    pub credentials_wait: Duration,
    /// How many containers may be created or started at once.
    pub parallel_starts: usize,
    /// How many containers may be stopped or removed at once.
    pub parallel_stops: usize,
    /// Full list of containers while something is under way.
    pub relist_busy: Duration,
    /// Full list of containers while nothing is.
    pub relist_idle: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            cluster: "default".to_owned(),
            instance: "default".to_owned(),
            stop_timeout: Duration::from_secs(30),
            cleanup_wait: Duration::from_hours(3),
            cleanup_jitter: Duration::ZERO,
            pull_behavior: PullBehavior::Default,
            task_limits: true,
            disable_privileged: false,
            log_failure: LogFailurePolicy::Degrade,
            propagate_task_memory: false,
            cpu_unbounded: false,
            memory_unbounded: false,
            match_shared_volume: false,
            endpoints: Endpoints::default(),
            gpus: GpuAccess::default(),
            execution_roles: true,
            credentials_wait: Duration::from_mins(5),
            parallel_starts: 16,
            // A stop mostly waits for its container's grace: few places would make strangers wait for each other.
            parallel_stops: 256,
            relist_busy: Duration::from_secs(1),
            relist_idle: Duration::from_secs(5),
        }
    }
}

impl EngineSettings {
    /// What the operator lets a task do.
    pub fn fit_policy(&self) -> FitPolicy {
        FitPolicy {
            disable_privileged: self.disable_privileged,
            task_limits: self.task_limits,
            credentials: self.endpoints.credentials,
            execution_roles: self.execution_roles,
            memory_unbounded: self.memory_unbounded,
        }
    }

    /// How long that task is kept once it has stopped. A function of its id, so that a restart draws nothing anew.
    pub fn kept_for(&self, task: &TaskId) -> Duration {
        /// Steps of the spread.
        const STEPS: u32 = 1000;
        // FNV-1a, whose upper bits differ also where ids hardly do.
        let hash = task.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let more = self.cleanup_jitter / STEPS * ((hash >> 8) % STEPS);
        self.cleanup_wait.saturating_add(more)
    }
}

/// What containers are told of the agent's endpoints, in their environment. Nothing by default: an address that
/// nobody answers at is worse than none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Whether the task metadata endpoints are served.
    pub metadata: bool,
    /// Whether credentials of task roles are served.
    pub credentials: bool,
    /// Whether Docker's log driver for `CloudWatch` can ask here for credentials of execution roles.
    pub log_roles: bool,
    /// Region of the agent, for containers that set none: as it is set, else as it is found while the agent runs.
    /// Tasks of ECS know theirs without it.
    pub region: Option<String>,
    /// Directory of the metadata files of all containers, if they get one (`ECS_ENABLE_CONTAINER_METADATA`).
    pub metadata_files: Option<String>,
}

/// How Docker is told of the GPUs of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuAccess {
    /// By the runtime of that name (`ECS_NVIDIA_RUNTIME`).
    Runtime(String),
    /// As devices, which is how external instances do it.
    Devices,
}

impl Default for GpuAccess {
    fn default() -> Self {
        Self::Runtime("nvidia".to_owned())
    }
}

/// What happens to a container whose log backend does not answer when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFailurePolicy {
    /// Start with Docker's `json-file` driver, capped, and say so.
    #[default]
    Degrade,
    /// Fail the container, as the reference agent does.
    Fail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_stopped_together_are_kept_for_times_of_their_own() {
        let hour = Duration::from_hours(1);
        let settings = EngineSettings {
            cleanup_wait: hour,
            cleanup_jitter: hour,
            ..EngineSettings::default()
        };
        let kept = |number: u32| {
            let task = TaskId::parse(&format!("t{number}")).unwrap();
            settings.kept_for(&task)
        };
        let all: Vec<Duration> = (0..100).map(kept).collect();
        assert!(all.iter().all(|kept| (hour..2 * hour).contains(kept)));
        let late = all.iter().filter(|kept| **kept > hour * 3 / 2).count();
        assert!((25..75).contains(&late), "{late} of 100 in the later half");
        assert_eq!(kept(7), kept(7));
        let usual = EngineSettings::default();
        let task = TaskId::parse("t1").unwrap();
        assert_eq!(usual.kept_for(&task), usual.cleanup_wait);
    }
}
