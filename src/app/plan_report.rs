//! `berth plan`: what would be done for a task on this host, call by call, and what of it differs from ECS.
//!
//! **Invariants.** Pure: the same functions that the engine runs resolve every name and body, so the report shows
//! what would be sent (promise 7). Steps are in the order in which they can begin; each names what it waits for.
//!
//! Not here: what the host is busy with; nothing is asked of Docker.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::plan_from_outside;
use crate::docker::create_body;
use crate::domain::definition::ContainerDefinition;
use crate::domain::fit::{Effect, FitFinding, fit};
use crate::domain::host::{HostFacts, OsType};
use crate::domain::ids::ContainerName;
use crate::domain::image::ImageRef;
use crate::domain::layout::{ContainerKind, Layout, LayoutContainer, layout, task_resources};
use crate::domain::names::task_cgroup;
use crate::domain::port_mapping::{ContainerPorts, PortReservation};
use crate::domain::reason::Reason;
use crate::domain::task::{DesiredTask, ResourceKey, Task};
use crate::reconcile::plan::spec::{
    SpecInputs, cgroup_limits, container_spec, docker_name, enforced_cgroups, volume_spec,
};
use crate::reconcile::settings::{EngineSettings, PullBehavior};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The task as it would be put.
    pub desired: DesiredTask,
    /// What the reader of the definition had to say: path and message.
    pub warnings: Vec<(String, String)>,
    /// The host.
    pub host: &'a HostFacts,
    /// Where the facts about it come from.
    pub source: HostSource,
    /// The engine's settings.
    pub settings: &'a EngineSettings,
    /// Content of the label `berth.definition`.
    pub definition_label: &'a str,
}

/// Where the facts about the host come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSource {
    /// This host and its Docker Engine.
    Asked,
    /// Docker did not answer; a plain host of that system is assumed.
    Assumed(OsType),
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// `family:revision`.
    pub definition: String,
    /// Where the facts about the host come from.
    pub source: HostSource,
    /// Why Docker could not be asked.
    pub trouble: Option<String>,
    /// What somebody should look at.
    pub warnings: Vec<(String, String)>,
    /// Fields that take effect otherwise than on ECS.
    pub findings: Vec<FitFinding>,
    /// What would be done; empty if the task is refused.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Container it is for; `None` = the task.
    pub container: Option<String>,
    /// What must hold before, one line each.
    pub after: Vec<String>,
    /// The call, as `METHOD path`, or what is done without one.
    pub call: String,
    /// When it is left out or what else there is to know.
    pub note: Option<String>,
    /// Its body.
    pub body: Option<Value>,
}

impl Step {
    pub(super) fn new(container: Option<&ContainerName>, call: impl Into<String>) -> Self {
        Self {
            container: container.map(ToString::to_string),
            after: Vec::new(),
            call: call.into(),
            note: None,
            body: None,
        }
    }
}

impl Report {
    /// Whether the task cannot run here.
    pub fn is_refused(&self) -> bool {
        let refused = |finding: &FitFinding| finding.effect == Effect::Refused;
        self.findings.iter().any(refused)
    }
}

/// Answers.
pub fn report(question: &Question<'_>) -> Report {
    let definition = &question.desired.definition;
    let policy = question.settings.fit_policy();
    let findings = fit(
        definition,
        &question.desired.options,
        question.host,
        &policy,
    );
    let mut report = Report {
        definition: format!("{}:{}", definition.family, definition.revision),
        source: question.source,
        trouble: None,
        warnings: question.warnings.clone(),
        findings,
        steps: Vec::new(),
    };
    if !report.is_refused() {
        report.steps = steps(question);
    }
    report
}

fn steps(question: &Question<'_>) -> Vec<Step> {
    let layout = layout(&question.desired);
    let mut task = Task::new(question.desired.clone());
    reserve_ports(&mut task, question.host);
    let inputs = SpecInputs {
        task: &task,
        layout: &layout,
        host: question.host,
        settings: question.settings,
        definition_label: question.definition_label,
    };
    let mut steps = resources(question);
    for container in in_start_order(&layout) {
        steps.extend(container_steps(question, &inputs, container));
    }
    steps
}

/// Ports that the agent would choose for ranges, as if none of its range were taken.
fn reserve_ports(task: &mut Task, host: &HostFacts) {
    let (mut next, _) = host.dynamic_ports;
    let definition = std::sync::Arc::clone(&task.desired.definition);
    for container in &definition.containers {
        for (index, mapping) in container.port_mappings.iter().enumerate() {
            let is_range = matches!(mapping.container, ContainerPorts::Range { .. });
            if !is_range || mapping.host_port.is_some() {
                continue;
            }
            let known = task.known.containers.entry(container.name.clone());
            known.or_default().reservations.push(PortReservation {
                mapping: index,
                first_host_port: next,
                count: mapping.container.count(),
                protocol: mapping.protocol,
            });
            next = next.saturating_add(mapping.container.count());
        }
    }
}

fn resources(question: &Question<'_>) -> Vec<Step> {
    let desired = &question.desired;
    let cgroups = enforced_cgroups(question.host, question.settings);
    let step = |key: ResourceKey| match key {
        ResourceKey::Cgroup => {
            let name = task_cgroup(desired.arn.task_id(), cgroups)?;
            let limits = cgroup_limits(&desired.definition);
            let cpu = limits.cpu_millis.map(|millis| format!("{millis}/1000 CPU"));
            let memory = limits
                .memory_bytes
                .map(|bytes| format!("{bytes} bytes of memory"));
            let parts: Vec<String> = cpu.into_iter().chain(memory).collect();
            Some(Step {
                note: Some(format!("limits: {}", parts.join(", "))),
                ..Step::new(None, format!("make cgroup {name}"))
            })
        }
        ResourceKey::Volume(name) => {
            let spec = volume_spec(desired, question.settings, &name)?;
            let shared = desired
                .definition
                .volume(&name)
                .filter(|volume| volume.is_shared());
            Some(Step {
                note: shared.map(|_| "unless there is one of that name".to_owned()),
                body: Some(json!({
                    "Name": spec.name,
                    "Driver": spec.driver.as_deref().unwrap_or("local"),
                    "DriverOpts": spec.driver_opts,
                    "Labels": spec.labels,
                })),
                ..Step::new(None, "POST /volumes/create")
            })
        }
    };
    task_resources(desired, cgroups)
        .into_iter()
        .filter_map(step)
        .collect()
}

/// Containers so that each comes after those it depends on, otherwise as they are in the definition.
fn in_start_order(layout: &Layout) -> Vec<&LayoutContainer> {
    let mut left: Vec<&LayoutContainer> = layout.containers.iter().collect();
    let mut ordered = Vec::new();
    let mut done: BTreeSet<&ContainerName> = BTreeSet::new();
    while !left.is_empty() {
        let ready = |one: &&LayoutContainer| {
            let mut names = one.dependencies.iter().map(|edge| &edge.container);
            names.all(|name| done.contains(name))
        };
        // The reader refuses circles; should one come through, it is shown in the order of the definition.
        let next = left.iter().position(ready).unwrap_or_default();
        let container = left.remove(next);
        done.insert(&container.name);
        ordered.push(container);
    }
    ordered
}

fn container_steps(
    question: &Question<'_>,
    inputs: &SpecInputs<'_>,
    container: &LayoutContainer,
) -> Vec<Step> {
    let name = &container.name;
    let spec = match container_spec(inputs, name) {
        Ok(spec) => spec,
        Err(reason) => return vec![impossible(name, &reason)],
    };
    let docker_name = docker_name(inputs.task, name);
    let found = match container.kind {
        ContainerKind::Application(index) => question.desired.definition.containers.get(index),
        ContainerKind::NetworkPause | ContainerKind::NamespacePause => None,
    };
    let image = if container.kind.is_pause() {
        Step {
            note: Some("only if it is not on the host; the image is built in".to_owned()),
            ..Step::new(Some(name), "POST /images/load")
        }
    } else {
        pull(
            name,
            &spec.definition.image,
            question.settings.pull_behavior,
        )
    };
    let create = Step {
        after: container
            .dependencies
            .iter()
            .map(|edge| format!("{} is {}", edge.container, edge.condition))
            .collect(),
        note: port_note(inputs, container),
        body: Some(create_body(&plan_from_outside::with_stand_ins(&spec))),
        ..Step::new(
            Some(name),
            format!("POST /containers/create?name={docker_name}"),
        )
    };
    let start = Step::new(Some(name), format!("POST /containers/{docker_name}/start"));
    let login = found.and_then(|found| plan_from_outside::login(question, found));
    let values = found.and_then(|found| plan_from_outside::values(question, found));
    let mut steps: Vec<Step> = login.into_iter().chain([image]).collect();
    steps.extend(values);
    steps.extend([create, start]);
    steps
}

fn impossible(name: &ContainerName, reason: &Reason) -> Step {
    Step {
        note: Some(reason.to_string()),
        ..Step::new(Some(name), "cannot be created")
    }
}

fn pull(name: &ContainerName, image: &ImageRef, behavior: PullBehavior) -> Step {
    let note = match behavior {
        PullBehavior::Default => "if that fails, the image on the host is used",
        PullBehavior::Always => "if that fails, the task fails",
        PullBehavior::Once => {
            "unless it was pulled for a task before; if that fails, the task fails"
        }
        PullBehavior::PreferCached => "unless it is on the host",
    };
    let tag = image.digest().or(image.pull_tag()).unwrap_or("latest");
    let repository = image.repository();
    Step {
        note: Some(note.to_owned()),
        ..Step::new(
            Some(name),
            format!("POST /images/create?fromImage={repository}&tag={tag}"),
        )
    }
}

fn port_note(inputs: &SpecInputs<'_>, container: &LayoutContainer) -> Option<String> {
    let ContainerKind::Application(index) = container.kind else {
        return None;
    };
    let definition = inputs.task.desired.definition.containers.get(index)?;
    let chooses = |one: &ContainerDefinition| {
        let mut ranges = one.port_mappings.iter();
        ranges.any(|mapping| {
            mapping.host_port.is_none() && matches!(mapping.container, ContainerPorts::Range { .. })
        })
    };
    chooses(definition)
        .then(|| "host ports of ranges are chosen at the start; shown are the first".to_owned())
}

#[cfg(test)]
#[path = "plan_report_tests.rs"]
mod tests;
