//! Who is at the other end of a connection to the task server, as far as the host can tell.

use super::ids::TaskArn;

/// The other end of a connection. It is found out once a connection and holds for all its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A process of a container of this task.
    Task(TaskArn),
    /// A process of the host that is in no container.
    Host(HostProcess),
    /// In a container that is of no task of this agent, or on another machine: what is known of it, in words.
    Foreign(String),
    /// It could not be told.
    Unknown(Doubt),
}

/// A process of the host, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostProcess {
    /// Process id.
    pub pid: Option<u32>,
    /// Its command name.
    pub command: Option<String>,
}

/// Why a caller could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// This host cannot tell callers apart: its system, its network set-up, or the listener's.
    Unsupported,
    /// This host can, and has not found this one: a container whose address is not known yet, or a process that has
    /// ended. Another try may find it.
    NotFound,
}

impl Caller {
    /// The task, if it is one.
    pub fn task(&self) -> Option<&TaskArn> {
        match self {
            Self::Task(arn) => Some(arn),
            Self::Host(_) | Self::Foreign(_) | Self::Unknown(_) => None,
        }
    }

    /// Word for logs and labels: a bounded set.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Task(_) => "task",
            Self::Host(_) => "host",
            Self::Foreign(_) => "foreign",
            Self::Unknown(Doubt::Unsupported) => "unsupported",
            Self::Unknown(Doubt::NotFound) => "not-found",
        }
    }
}
