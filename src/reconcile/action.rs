//! What the planner asks for and what comes back: plain data.
//!
//! An action is idempotent and may be dropped at any await: its names come from committed rows, so doing it twice is
//! doing it once. An outcome is a fact about the world, never about the engine's intentions.

use std::fmt;
use std::time::Duration;

use crate::boundary::error::ErrorKind;
use crate::boundary::host::{CgroupLimits, PortHolder};
use crate::boundary::images::ReadyImage;
use crate::boundary::secrets::{SecretValues, SecretsWish};
use crate::domain::confidential::conceal;
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{ContainerName, DockerId};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::ReasonName;
use crate::domain::registry::RegistryAccess;
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
        /// As whom.
        access: RegistryAccess,
        /// Whether the task stops without it.
        essential: bool,
    },
    /// Have the values that it gets from outside its definition.
    FetchSecrets {
        /// Which, and as whom.
        wish: SecretsWish,
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
        /// What becomes of one that exists.
        existing: Existing,
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

/// What becomes of a volume of the wanted name that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is the task's own, made by an earlier try: making it again is success.
    Own,
    /// It is used as it is, whoever made it.
    Used,
    /// It is used if its labels and options are those that are asked for.
    Matched,
}

impl Verb {
    /// Whether nothing is changed by it: it is done again as well where its row is lost.
    pub fn only_looks(&self) -> bool {
        match self {
            Self::Inspect { .. } | Self::ExpectVolume { .. } => true,
            Self::Pull { .. }
            | Self::FetchSecrets { .. }
            | Self::Create { .. }
            | Self::Start { .. }
            | Self::Stop { .. }
            | Self::Kill { .. }
            | Self::Remove { .. }
            | Self::CreateCgroup { .. }
            | Self::RemoveCgroup
            | Self::CreateVolume { .. }
            | Self::RemoveVolume { .. } => false,
        }
    }

    /// The step this is, for rows and words.
    pub fn step(&self) -> Step {
        match self {
            Self::Pull { .. } => Step::Pull,
            Self::Create { .. } => Step::Create,
            Self::Start { .. } => Step::Start,
            Self::Stop { .. } | Self::Kill { .. } => Step::Stop,
            Self::Inspect { .. } => Step::Inspect,
            Self::Remove { .. } => Step::Remove,
            Self::FetchSecrets { .. }
            | Self::CreateCgroup { .. }
            | Self::CreateVolume { .. }
            | Self::ExpectVolume { .. } => Step::SetUp,
            Self::RemoveCgroup | Self::RemoveVolume { .. } => Step::TearDown,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verb {
            Verb::Pull { image, .. } => write!(f, "pull {image} for {}", self.subject),
            Verb::FetchSecrets { .. } => write!(f, "get secrets of {}", self.subject),
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

impl Outcome {
    /// The same without what the other side repeats of the definition's confidential values, and of values that
    /// containers were given beside it.
    #[must_use]
    pub fn concealed(mut self, definition: &TaskDefinition, given: &SecretValues) -> Self {
        let conceal = |text: &str| {
            let secrets = given.0.values().map(|value| value.expose().as_str());
            conceal(definition, secrets, text)
        };
        match &mut self {
            Self::Failed(failure) => failure.message = conceal(&failure.message),
            Self::Seen(Some(seen)) => {
                let probe = seen.probe.as_mut().map(|probe| &mut probe.output);
                for words in seen.error.iter_mut().chain(probe) {
                    *words = conceal(words);
                }
            }
            Self::ImageReady(ready) => {
                if let Some(warning) = &mut ready.warning {
                    *warning = conceal(warning);
                }
            }
            Self::Seen(None) | Self::Created(_) | Self::Gone | Self::Ready => {}
        }
        self
    }
}

/// A failed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kind.
    pub kind: ErrorKind,
    /// Its name, where whoever made it gave one; `None` = that of the step.
    pub name: Option<ReasonName>,
    /// The other side's words.
    pub message: String,
    /// Will fail again until somebody changes something (images decide this themselves).
    pub permanent: bool,
    /// Who holds the host port that was asked for.
    pub port_holder: Option<(u16, PortHolder)>,
}
