//! Every stop reason and error name shown to users and to ECS.
//!
//! Names and texts are the reference agent's where it has one (`engine.md` 2.13), since tools and people match on
//! them. A reason belongs to the state it explains: a later success clears it.

use std::fmt;

/// Longest reason ECS accepts, in bytes; longer ones are cut (reference agent: 1024).
pub const MAX_REASON_BYTES: usize = 1024;

/// Why something failed: a name for programs and a message for people. `Display` is `<Name>: <message>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which kind.
    pub name: ReasonName,
    /// Words, in full.
    pub message: String,
}

macro_rules! reason_names {
    ($($(#[$doc:meta])* $variant:ident),+ $(,)?) => {
        /// Name of a reason, in the reference agent's spelling.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonName { $($(#[$doc])* $variant),+ }

        impl ReasonName {
            /// The text shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// Reads the text back.
            pub fn from_text(text: &str) -> Option<Self> {
                $(if text == stringify!($variant) { return Some(Self::$variant); })+
                None
            }
        }
    };
}

reason_names! {
    /// Pull failed.
    CannotPullContainerError,
    /// No login of a private registry could be had for the pull.
    CannotPullContainerAuthError,
    /// No token of ECR could be had for the pull.
    CannotPullECRContainerError,
    /// The registry's answer about the image says that it cannot be pulled.
    CannotPullImageManifestError,
    /// Docker refused to create the container.
    CannotCreateContainerError,
    /// Docker could not start the container, or its order can never be satisfied.
    CannotStartContainerError,
    /// Docker could not stop the container.
    CannotStopContainerError,
    /// Inspect failed after an action.
    CannotInspectContainerError,
    /// Docker refused to make a volume.
    CannotCreateVolumeError,
    /// Docker refused to remove a volume.
    CannotRemoveVolumeError,
    /// Docker refused to remove a container.
    CannotRemoveContainerError,
    /// A Docker call passed its deadline.
    DockerTimeoutError,
    /// The kernel killed the container for its memory use.
    OutOfMemoryError,
    /// Docker reports an error in the container's state.
    DockerStateError,
    /// A container that was known is gone.
    ContainerVanishedError,
    /// The network of a pause container could not be made.
    ContainerNetworkingError,
    /// The definition cannot become a Docker host configuration.
    HostConfigError,
    /// A resource of the task could not be made ready.
    ResourceInitializationError,
    /// The order of the containers cannot be satisfied.
    TaskDependencyError,
    /// The host cannot give what the task needs.
    HostResourceError,
    /// The task needs something this host or this version does not have.
    UnsupportedError,
    /// An essential container exited. ECS words this itself; standalone mode needs the name.
    EssentialContainerExited,
    /// The container ran and exited by itself.
    ContainerExited,
    /// Somebody asked for the stop.
    UserInitiated,
    /// The host goes down.
    HostShutdown,
    /// The desired state that named the task is gone or newer.
    Replaced,
    /// The task's stored state could not be read.
    StateError,
    /// The reference agent's text for a cgroup that could not be made.
    CgroupError,
    /// The reference agent's text for a volume that could not be made.
    VolumeError,
}

impl fmt::Display for ReasonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reason {
    /// A reason of that name and words.
    pub fn new(name: ReasonName, message: impl Into<String>) -> Self {
        Self {
            name,
            message: message.into(),
        }
    }

    /// `<Name>: <message>`, cut to [`MAX_REASON_BYTES`] at a character boundary.
    pub fn wire(&self) -> String {
        let mut text = self.to_string();
        if text.len() > MAX_REASON_BYTES {
            let cut = (0..=MAX_REASON_BYTES)
                .rev()
                .find(|&at| text.is_char_boundary(at))
                .unwrap_or(0);
            text.truncate(cut);
        }
        text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason = Reason::new(ReasonName::DockerStateError, "ä".repeat(2000));
        let wire = reason.wire();
        assert!(wire.len() <= MAX_REASON_BYTES && wire.len() >= MAX_REASON_BYTES - 3);
        assert!(wire.starts_with("DockerStateError: ä"));
    }
}
