//! Where Docker is, whose containers count, and how long each kind of call may take.
//!
//! Not here: how the texts of operators become these values (`crate::config`).

use std::time::Duration;

/// Settings of the adapter.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    /// `DOCKER_HOST`: `unix://`, `tcp://`, `http://` or `npipe://`; `None` = the platform's default.
    pub endpoint: Option<String>,
    /// Value of the label `berth.instance` on containers that `list` and `events` show.
    pub instance: String,
    /// How long each kind of call may take.
    pub deadlines: Deadlines,
}

impl DockerConfig {
    /// The platform's Docker, the reference deadlines.
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            endpoint: None,
            instance: instance.into(),
            deadlines: Deadlines::default(),
        }
    }
}

/// How long each kind of call may take, from the moment it is made to its whole answer. `Default` is the reference
/// agent's table on Linux, except where a comment says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Version and info, each.
    pub info: Duration,
    /// Container list. The reference agent gives it 10 min but hardly uses it; here it is the engine's eye.
    pub list: Duration,
    /// Container inspect, image inspect (the reference agent has no limit there), opening a log.
    pub inspect: Duration,
    /// Container create (`ECS_CONTAINER_CREATE_TIMEOUT`).
    pub create: Duration,
    /// Container start (`ECS_CONTAINER_START_TIMEOUT`).
    pub start: Duration,
    /// On top of the grace time of a stop; a kill has this alone.
    pub stop_margin: Duration,
    /// Container remove, including the wait for a removal that is under way.
    pub remove: Duration,
    /// Each volume call.
    pub volume: Duration,
    /// Image list.
    pub image_list: Duration,
    /// Image load.
    pub image_load: Duration,
    /// Image remove.
    pub image_remove: Duration,
    /// Counting what takes the disk. It is asked beside everything else, and nothing waits for it.
    pub disk_use: Duration,
    /// What a registry says of an image (`ECS_MANIFEST_PULL_TIMEOUT`).
    pub manifest: Duration,
    /// A whole pull (`ECS_IMAGE_PULL_TIMEOUT`).
    pub pull_total: Duration,
    /// From the start of a pull to its first message.
    pub pull_begin: Duration,
    /// Between two messages of a pull (`ECS_IMAGE_PULL_INACTIVITY_TIMEOUT`).
    pub pull_idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            info: Duration::from_secs(10),
            list: Duration::from_secs(30),
            inspect: Duration::from_secs(30),
            create: Duration::from_mins(4),
            start: Duration::from_mins(3),
            stop_margin: Duration::from_mins(2),
            remove: Duration::from_mins(5),
            volume: Duration::from_mins(5),
            image_list: Duration::from_mins(10),
            image_load: Duration::from_mins(2),
            image_remove: Duration::from_mins(3),
            disk_use: Duration::from_mins(10),
            manifest: Duration::from_mins(1),
            pull_total: Duration::from_hours(2),
            pull_begin: Duration::from_mins(5),
            pull_idle: Duration::from_mins(1),
        }
    }
}
