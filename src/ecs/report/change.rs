//! One state change as it is submitted: values, cut to what ECS takes.

use crate::domain::ids::{TaskArn, UnixMillis};

/// Longest `runtimeId` and `imageDigest`, in bytes.
const MAX_ID_BYTES: usize = 255;

/// Longest reason, in bytes.
const MAX_REASON_BYTES: usize = 1024;

/// A change of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskChange {
    /// Task.
    pub task: TaskArn,
    /// `PENDING`, `RUNNING` or `STOPPED`.
    pub status: &'static str,
    /// Why; may be empty.
    pub reason: String,
    /// Containers that have news.
    pub containers: Vec<ContainerChange>,
    /// First pull began.
    pub pull_started_at: Option<UnixMillis>,
    /// Last pull ended.
    pub pull_stopped_at: Option<UnixMillis>,
    /// An essential container was first seen stopped.
    pub execution_stopped_at: Option<UnixMillis>,
}

/// A change of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerChange {
    /// Name in the definition.
    pub name: String,
    /// `PENDING`, `RUNNING` or `STOPPED`.
    pub status: &'static str,
    /// Docker's id.
    pub runtime_id: Option<String>,
    /// Exit code.
    pub exit_code: Option<i32>,
    /// Why; `None` = nothing to say.
    pub reason: Option<String>,
    /// Digest of the image.
    pub image_digest: Option<String>,
    /// Published ports.
    pub network_bindings: Vec<NetworkBinding>,
}

/// A published port, or a range of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkBinding {
    /// Address.
    pub bind_ip: String,
    /// Which.
    pub ports: PortsReported,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
}

/// One port, or a range as ECS writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortsReported {
    /// Port of the container and of the host.
    One(u16, u16),
    /// `first-last` of the container and of the host.
    Range(String, String),
}

/// The text, cut to a reason that ECS takes.
pub(super) fn reason(text: &str) -> String {
    cut(text, MAX_REASON_BYTES)
}

/// The text, cut to an id that ECS takes.
pub(super) fn id(text: &str) -> String {
    cut(text, MAX_ID_BYTES)
}

/// At most so many bytes, ending with a whole character.
fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}
