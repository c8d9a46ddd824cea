//! Desired and known status of tasks and containers, and their only transitions.
//!
//! **Invariants.** Known status only moves forward; `Stopped` is final ([`ContainerStatus::advance`],
//! [`TaskStatus::advance`]). A task's status is derived from its containers and never set by hand.

/// What somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DesiredStatus {
    /// The task shall run.
    Running,
    /// The task shall stop; never taken back.
    Stopped,
}

/// Known status of a container. The order is that of the reference agent; `RESOURCES_PROVISIONED` and
/// `MANIFEST_PULLED` have no counterpart because the network of a pause container exists once it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerStatus {
    /// Received.
    #[default]
    None,
    /// Its image is on the host.
    Pulled,
    /// The container exists in Docker.
    Created,
    /// Its process was started.
    Running,
    /// Its process has ended for good, or it will never have one.
    Stopped,
}

/// Known status of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskStatus {
    /// Received, or on its way.
    #[default]
    Pending,
    /// Every container exists.
    Created,
    /// Every container runs or has done its work.
    Running,
    /// Every container has stopped.
    Stopped,
}

/// A status that would move back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status cannot move back from {from} to {to}")]
pub struct BackwardStatus {
    /// Where it is.
    pub from: &'static str,
    /// Where it was asked to go.
    pub to: &'static str,
}

macro_rules! status {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// The text shown to people and to ECS.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the text back.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

status!(DesiredStatus { Running = "RUNNING", Stopped = "STOPPED" });
status!(ContainerStatus {
    None = "NONE",
    Pulled = "PULLED",
    Created = "CREATED",
    Running = "RUNNING",
    Stopped = "STOPPED",
});
status!(TaskStatus { Pending = "PENDING", Created = "CREATED", Running = "RUNNING", Stopped = "STOPPED" });

impl ContainerStatus {
    /// The status after an observation: `to`, if that is not a step back.
    ///
    /// # Errors
    /// [`BackwardStatus`] if it is.
    pub fn advance(self, to: Self) -> Result<Self, BackwardStatus> {
        if to < self {
            return Err(BackwardStatus {
                from: self.as_str(),
                to: to.as_str(),
            });
        }
        Ok(to)
    }
}

impl TaskStatus {
    /// The status after an observation: `to`, if that is not a step back.
    ///
    /// # Errors
    /// [`BackwardStatus`] if it is.
    pub fn advance(self, to: Self) -> Result<Self, BackwardStatus> {
        if to < self {
            return Err(BackwardStatus {
                from: self.as_str(),
                to: to.as_str(),
            });
        }
        Ok(to)
    }

    /// Status of a task whose containers have these statuses, before the rule that a dying task never shows a
    /// false `RUNNING` (reference agent: minimum over containers).
    pub fn of_containers(statuses: impl IntoIterator<Item = ContainerStatus>) -> Self {
        statuses
            .into_iter()
            .map(|status| match status {
                ContainerStatus::None | ContainerStatus::Pulled => Self::Pending,
                ContainerStatus::Created => Self::Created,
                ContainerStatus::Running => Self::Running,
                ContainerStatus::Stopped => Self::Stopped,
            })
            .min()
            .unwrap_or_default()
    }

    /// What goes on the wire to ECS: only `PENDING`, `RUNNING` and `STOPPED` exist there.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Pending | Self::Created => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Health as Docker's probe sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// No health check, or it has not decided yet.
    #[default]
    Unknown,
    /// The last probe succeeded.
    Healthy,
    /// As many probes failed as the check allows.
    Unhealthy,
}

status!(Health { Unknown = "UNKNOWN", Healthy = "HEALTHY", Unhealthy = "UNHEALTHY" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_never_moves_back() {
        use ContainerStatus::{Created, None, Pulled, Running, Stopped};
        let all = [None, Pulled, Created, Running, Stopped];
        for from in all {
            for to in all {
                assert_eq!(from.advance(to).is_ok(), to >= from, "{from} to {to}");
            }
        }
    }

    #[test]
    fn task_status_is_the_least_advanced_container() {
        use ContainerStatus::{Created, None, Running, Stopped};
        assert_eq!(
            TaskStatus::of_containers([Running, None]),
            TaskStatus::Pending
        );
        assert_eq!(
            TaskStatus::of_containers([Running, Created]),
            TaskStatus::Created
        );
        assert_eq!(
            TaskStatus::of_containers([Running, Stopped]),
            TaskStatus::Running
        );
        assert_eq!(
            TaskStatus::of_containers([Stopped, Stopped]),
            TaskStatus::Stopped
        );
        assert_eq!(TaskStatus::of_containers([]), TaskStatus::Pending);
    }
}
