//! Findings, and the one function that runs every rule.

use std::fmt;

use super::{eligible, limits, logs, network, security, unsupported, windows};
use crate::domain::definition::{ContainerDefinition, NetworkMode, TaskDefinition};
use crate::domain::host::HostFacts;
use crate::domain::layout::effective_network_mode;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FitPolicy {
    /// `privileged` is refused (`ECS_DISABLE_PRIVILEGED`).
    pub disable_privileged: bool,
    /// Limits of the task as a whole become a cgroup (`ECS_ENABLE_TASK_CPU_MEM_LIMIT`).
    pub task_limits: bool,
    /// Credentials of task roles are served to containers.
    pub credentials: bool,
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

    fn push(&mut self, effect: Effect, path: String, message: String) {
        self.0.push(FitFinding {
            path,
            effect,
            message,
        });
    }
}

type Rule = fn(&Case<'_>, &mut Findings);

const RULES: [Rule; 27] = [
    eligible::compatibilities,
    eligible::runtime_platform,
    eligible::placement_constraints,
    eligible::required_attributes,
    unsupported::task_parameters,
    unsupported::container_parameters,
    unsupported::volumes,
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
