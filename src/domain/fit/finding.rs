//! Findings, and the one function that runs every rule.

use std::fmt;

use super::{
    eligible, gpus, limits, logs, network, paths, secrets, security, unsupported, windows,
};
use crate::domain::definition::{ContainerDefinition, NetworkMode, TaskDefinition};
use crate::domain::host::HostFacts;
use crate::domain::layout::effective_network_mode;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::task::TaskOptions;

/// One field and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FitFinding {
    /// The field: `containerDefinitions[1].secrets`.
    pub path: String,
    /// What becomes of it.
    pub effect: Effect,
    /// Why, and what to do, in words.
    pub message: String,
    /// The words are those that Docker would refuse the container with, were it asked.
    pub is_dockers: bool,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It takes effect in another way than on ECS.
    Changed,
    /// It has no effect; the task runs without it.
    Ignored,
    /// The task cannot run here as it is.
    Refused,
}

impl Effect {
    /// Word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for FitFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.path, self.effect, self.message)
    }
}

/// What the operator allows.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FitPolicy {
    /// `privileged` is refused (`ECS_DISABLE_PRIVILEGED`).
    pub disable_privileged: bool,
    /// Limits of the task as a whole become a cgroup (`ECS_ENABLE_TASK_CPU_MEM_LIMIT`).
    pub task_limits: bool,
    /// Credentials of task roles are served to containers.
    pub credentials: bool,
    /// Credentials of execution roles can be had (`BERTH_CREDENTIALS`).
    pub execution_roles: bool,
    /// On Windows, `memoryReservation` alone is no limit (`ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND`).
    pub memory_unbounded: bool,
}

/// What a rule reads.
pub(super) struct Case<'a> {
    pub(super) definition: &'a TaskDefinition,
    pub(super) options: &'a TaskOptions,
    pub(super) host: &'a HostFacts,
    pub(super) policy: &'a FitPolicy,
    /// The network mode the task gets here.
    pub(super) network: NetworkMode,
}

impl Case<'_> {
    /// Containers with the path of each.
    pub(super) fn containers(&self) -> impl Iterator<Item = (String, &ContainerDefinition)> {
        self.definition
            .containers
            .iter()
            .enumerate()
            .map(|(index, container)| (format!("containerDefinitions[{index}]"), container))
    }
}

/// What rules write to.
#[derive(Default)]
pub(super) struct Findings(Vec<FitFinding>);

impl Findings {
    pub(super) fn changed(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.push(Effect::Changed, path.into(), message.into());
    }

    pub(super) fn ignored(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.push(Effect::Ignored, path.into(), message.into());
    }

    pub(super) fn refused(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.push(Effect::Refused, path.into(), message.into());
    }

    /// In the words of Docker, which would refuse the container.
    pub(super) fn refused_as_docker(&mut self, path: impl Into<String>, message: &str) {
        self.0.push(FitFinding {
            path: path.into(),
            effect: Effect::Refused,
            message: message.to_owned(),
            is_dockers: true,
        });
    }

    fn push(&mut self, effect: Effect, path: String, message: String) {
        self.0.push(FitFinding {
            path,
            effect,
            message,
            is_dockers: false,
        });
    }
}

type Rule = fn(&Case<'_>, &mut Findings);

const RULES: [Rule; 31] = [
    eligible::compatibilities,
    eligible::runtime_platform,
    eligible::placement_constraints,
    eligible::required_attributes,
    unsupported::task_parameters,
    unsupported::container_parameters,
    unsupported::volumes,
    gpus::chosen,
    secrets::places_and_roles,
    unsupported::roles,
    network::awsvpc,
    network::links,
    network::host_names,
    network::name_resolution,
    network::port_mappings,
    network::reserved_ports,
    network::ports_wanted_twice,
    limits::memory,
    limits::cpu,
    limits::smallest_memory,
    limits::task_limits,
    limits::swap,
    logs::driver,
    logs::policy,
    security::privileged,
    security::options,
    security::kernel_parameters,
    windows::task,
    windows::containers,
    windows::paths,
    paths::linux,
];

/// Every field of the definition that is changed, ignored or refused on this host; empty if it runs as on ECS.
pub fn fit(
    definition: &TaskDefinition,
    options: &TaskOptions,
    host: &HostFacts,
    policy: &FitPolicy,
) -> Vec<FitFinding> {
    let case = Case {
        definition,
        options,
        host,
        policy,
        network: effective_network_mode(definition, options),
    };
    let mut findings = Findings::default();
    for rule in RULES {
        rule(&case, &mut findings);
    }
    findings.0
}

/// Why a task with these findings is stopped before anything is made; `None` = it is not. What only Docker would refuse
/// reads as if it had been asked, whatever the version of the engine.
pub fn refusal(findings: &[FitFinding]) -> Option<Reason> {
    let refused = findings
        .iter()
        .filter(|finding| finding.effect == Effect::Refused);
    let refused: Vec<&FitFinding> = refused.collect();
    let by_docker = refused.iter().all(|finding| finding.is_dockers);
    let mut words: Vec<String> = Vec::new();
    for finding in refused {
        let said = if by_docker {
            finding.message.clone()
        } else {
            format!("{}: {}", finding.path, finding.message)
        };
        // Docker's words name no container: those for the second are the same.
        if !words.contains(&said) {
            words.push(said);
        }
    }
    let name = if by_docker {
        ReasonName::CannotCreateContainerError
    } else {
        ReasonName::UnsupportedError
    };
    (!words.is_empty()).then(|| Reason::new(name, words.join("; ")))
}
