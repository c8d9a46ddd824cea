//! What the planner asks for and what comes back: plain data.
//!
//! An action is idempotent and may be dropped at any await: its names come from committed rows, so doing it twice is
//! doing it once. An outcome is a fact about the world, never about the engine's intentions.

use std::fmt;
use std::time::Duration;

use crate::boundary::error::ErrorKind;
use crate::boundary::host::{CgroupLimits, PortHolder};
use crate::boundary::images::ReadyImage;
use crate::domain::ids::{ContainerName, DockerId};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::Protocol;
use crate::domain::runtime::{ObservedContainer, VolumeSpec};
use crate::domain::spec::ContainerSpec;
use crate::domain::task::{ResourceKey, Step};

/// What an action works on. There is at most one action under way for a subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A container of the task.
    Container(ContainerName),
    /// A resource of the task.
    Resource(ResourceKey),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) => write!(f, "container {name}"),
            Self::Resource(key) => key.fmt(f),
        }
    }
}

/// One step to take now.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// What it works on.
    pub subject: Subject,
    /// What to do.
    pub verb: Verb,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Make the image available on the host.
    Pull {
        /// Which.
        image: ImageRef,
        /// Whether the task stops without it.
        essential: bool,
    },
    /// Create the container.
    Create {
        /// From what.
        spec: Box<ContainerSpec>,
        /// Id, or where it is not known the Docker name, of an earlier attempt, to be removed first.
        replaces: Option<String>,
    },
    /// Start it and look at it.
    Start {
        /// Which.
        id: DockerId,
        /// Static host ports, to name their holder when the start fails for them.
        ports: Vec<(u16, Protocol)>,
    },
    /// Ask it to end, and look at it.
    Stop {
        /// Which.
        id: DockerId,
        /// From SIGTERM to SIGKILL.
        grace: Duration,
    },
    /// SIGKILL, and look at it.
    Kill {
        /// Which.
        id: DockerId,
    },
    /// Look at it.
    Inspect {
        /// Id or Docker name.
        id_or_name: String,
    },
    /// Remove it, and what earlier attempts may have left.
    Remove {
        /// Ids or Docker names.
        ids_or_names: Vec<String>,
    },
    /// Make the task's cgroup.
    CreateCgroup {
        /// With these limits.
        limits: CgroupLimits,
    },
    /// Remove the task's cgroup.
    RemoveCgroup,
    /// Make a volume, unless it exists.
    CreateVolume {
        /// Which.
        spec: VolumeSpec,
    },
    /// Check that a volume exists that the task does not make.
    ExpectVolume {
        /// Docker name.
        name: String,
    },
    /// Remove a volume.
    RemoveVolume {
        /// Docker name.
        name: String,
    },
}

impl Verb {
    /// The step this is, for rows and words.
    pub fn step(&self) -> Step {
        match self {
            Self::Pull { .. } => Step::Pull,
            Self::Create { .. } => Step::Create,
            Self::Start { .. } => Step::Start,
            Self::Stop { .. } | Self::Kill { .. } => Step::Stop,
            Self::Inspect { .. } => Step::Inspect,
            Self::Remove { .. } => Step::Remove,
            Self::CreateCgroup { .. } | Self::CreateVolume { .. } | Self::ExpectVolume { .. } => {
                Step::SetUp
            }
            Self::RemoveCgroup | Self::RemoveVolume { .. } => Step::TearDown,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verb {
            Verb::Pull { image, .. } => write!(f, "pull {image} for {}", self.subject),
            Verb::Create { spec, .. } => {
                write!(f, "create {} as {}", self.subject, spec.docker_name)
            }
            Verb::Stop { grace, .. } => {
                write!(f, "stop {} within {} s", self.subject, grace.as_secs())
            }
            Verb::Kill { .. } => write!(f, "kill {}", self.subject),
            Verb::Start { .. }
            | Verb::Inspect { .. }
            | Verb::Remove { .. }
            | Verb::CreateCgroup { .. }
            | Verb::RemoveCgroup
            | Verb::CreateVolume { .. }
            | Verb::ExpectVolume { .. }
            | Verb::RemoveVolume { .. } => write!(f, "{} {}", self.verb.step(), self.subject),
        }
    }
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The image is on the host.
    ImageReady(Box<ReadyImage>),
    /// The container exists.
    Created(DockerId),
    /// It was looked at after the step; `None` = it does not exist.
    Seen(Option<Box<ObservedContainer>>),
    /// The container or resource is gone.
    Gone,
    /// The resource exists.
    Ready,
    /// The step failed.
    Failed(Failure),
}

/// A failed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kind.
    pub kind: ErrorKind,
    /// The other side's words.
    pub message: String,
    /// Will fail again until somebody changes something (images decide this themselves).
    pub permanent: bool,
    /// Who holds the host port that was asked for.
    pub port_holder: Option<(u16, PortHolder)>,
}
