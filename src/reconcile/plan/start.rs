//! Towards RUNNING: admission, then each container one step further where nothing holds it.

use crate::domain::credentials::RoleKind;
use crate::domain::depends_on::Dependency;
use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::image::ImageRef;
use crate::domain::layout::{ContainerKind, LayoutContainer, PAUSE_IMAGE};
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::registry::RegistryAccess;
use crate::domain::runtime::RunState;
use crate::domain::status::{ContainerStatus, DesiredStatus, Health};
use crate::domain::task::{Cause, Exit, KnownContainer, Task};
use crate::reconcile::action::{Action, Subject, Verb};
use crate::reconcile::backoff;
use crate::reconcile::draft::Draft;

use super::admission::Verdict;
use super::gates::{Dependee, Gate, evaluate, waits_for};
use super::spec::SpecInputs;
use super::stop::Order;
use super::waits::Wait;
use super::{Planner, spec};

/// Exit code of a container that could never start because of its order (reference agent).
const NEVER_STARTED_EXIT_CODE: i64 = 143;

impl Planner<'_, '_> {
    pub(super) fn plan_start(&mut self) {
        if !self.admit() {
            return;
        }
        self.plan_resources();
        let layout = self.input.layout;
        for container in &layout.containers {
            self.start_one(container);
            if self.desired() == DesiredStatus::Stopped {
                return;
            }
        }
    }

    /// Whether the task has the host's resources; asks for them if not.
    fn admit(&mut self) -> bool {
        if self.draft.known.admitted_at.is_some() {
            return true;
        }
        if self.input.host.is_none() {
            self.waits.add(Wait {
                container: None,
                cause: Cause::RuntimeUnavailable,
                message: "Docker has not answered yet, so it is not known what this host can do"
                    .to_owned(),
                then: "start when Docker answers".to_owned(),
            });
            return false;
        }
        if let Some(refusal) = self.input.refusal {
            self.draft.stop_task(refusal.clone());
            return false;
        }
        match self.input.verdict {
            Some(Verdict::Admitted) => {
                self.draft.known.admitted_at = Some(self.input.now);
                true
            }
            Some(Verdict::Waiting { for_what, port }) => {
                let cause = if port.is_some() {
                    Cause::WaitingForPort
                } else {
                    Cause::WaitingForResources
                };
                self.waits.add(Wait {
                    container: None,
                    cause,
                    message: for_what.clone(),
                    then: "start when they are free, in order of arrival".to_owned(),
                });
                false
            }
            Some(Verdict::Draining(why)) => {
                self.waits.add(Wait {
                    container: None,
                    cause: Cause::InstanceDraining,
                    message: why.clone(),
                    then: "start when the draining ends, in order of arrival".to_owned(),
                });
                false
            }
            Some(Verdict::Impossible(why)) => {
                self.draft
                    .stop_task(Reason::new(ReasonName::HostResourceError, why.clone()));
                false
            }
            None => false,
        }
    }

    fn start_one(&mut self, container: &LayoutContainer) {
        let name = &container.name;
        let known = self
            .draft
            .known
            .containers
            .get(name)
            .cloned()
            .unwrap_or_default();
        if known.stop_requested_at.is_some() {
            // The container was given up, not the task.
            self.stop_one(container, Order::AtOnce);
            return;
        }
        if known.status == ContainerStatus::Stopped
            || self.wait_for_flight(name)
            || self.wait_for_retry(name)
        {
            return;
        }
        if known.status < ContainerStatus::Running && self.draft.hints.look.contains(name) {
            // Something of that name may exist and even run; nothing is decided about it unseen.
            self.look(name);
            return;
        }
        match known.status {
            ContainerStatus::None => self.pull(container),
            ContainerStatus::Pulled | ContainerStatus::Created if known.docker_id.is_none() => {
                if known.image_id.is_none() {
                    self.pull(container);
                } else if self.gates_open(container)
                    && self.resources_ready(container)
                    && self.role_ready(container)
                    && self.secrets_ready(container)
                {
                    self.create(container);
                }
            }
            ContainerStatus::Pulled | ContainerStatus::Created if self.role_ready(container) => {
                if self.draft.hints.sure.contains(name) {
                    self.start(container, &known);
                } else {
                    // Docker may still be busy with the start that an earlier agent asked for.
                    self.look(name);
                }
            }
            ContainerStatus::Pulled | ContainerStatus::Created => {}
            ContainerStatus::Running if known.exit.is_some() && known.settles_at.is_none() => {
                if self.draft.hints.sure.contains(name) {
                    self.start(container, &known);
                } else {
                    // An earlier agent may have begun the next run, and that run may be over as well.
                    self.look(name);
                }
            }
            ContainerStatus::Running | ContainerStatus::Stopped => self.watch(name, &known),
        }
    }

    fn pull(&mut self, container: &LayoutContainer) {
        self.draft.container(&container.name);
        let Some((image, access)) = self.image(container) else {
            return;
        };
        if access.role().is_some() && !self.credentials_ready(RoleKind::Execution) {
            return;
        }
        let verb = Verb::Pull {
            image,
            access,
            essential: container.essential,
        };
        self.act(&container.name, verb);
    }

    fn image(&self, container: &LayoutContainer) -> Option<(ImageRef, RegistryAccess)> {
        let definition = &self.draft.desired.definition;
        match container.kind {
            ContainerKind::Application(index) => {
                let found = definition.containers.get(index)?;
                let roles = self.input.settings.execution_roles;
                let access = RegistryAccess::of(found, self.draft.desired, roles);
                Some((found.image.clone(), access))
            }
            ContainerKind::NetworkPause | ContainerKind::NamespacePause => {
                let image = ImageRef::parse(PAUSE_IMAGE).ok()?;
                Some((image, RegistryAccess::Operator))
            }
        }
    }

    /// Whether every container that this one waits for has done its part.
    fn gates_open(&mut self, container: &LayoutContainer) -> bool {
        for edge in &container.dependencies {
            match self.gate(container, edge) {
                Gate::Open => {}
                Gate::Closed { words, deadline } => {
                    let wait = Wait {
                        container: Some(&container.name),
                        cause: Cause::WaitingForDependency,
                        message: words,
                        then: format!("create {} when it is", container.name),
                    };
                    match deadline {
                        Some(at) => self.waits.with_deadline(wait, at),
                        None => self.waits.add(wait),
                    }
                    return false;
                }
                Gate::Never(words) => {
                    let exit = Exit {
                        code: Some(NEVER_STARTED_EXIT_CODE),
                        at: self.input.now,
                        oom_killed: false,
                    };
                    let reason = Reason::new(ReasonName::CannotStartContainerError, words);
                    self.draft
                        .stop_container(&container.name, Some(exit), Some(reason));
                    return false;
                }
            }
        }
        true
    }

    fn gate(&self, container: &LayoutContainer, edge: &Dependency) -> Gate {
        let nothing = KnownContainer::default();
        let known = self.draft.known.containers.get(&edge.container);
        let known = known.unwrap_or(&nothing);
        let dependee = Dependee {
            known,
            deadline: self.start_deadline(&container.name, &edge.container, known),
            stopping: self.desired() == DesiredStatus::Stopped,
        };
        evaluate(&container.name, edge, &dependee, self.input.now)
    }

    /// The end of a dependency's `startTimeout`, which counts from its first start. Docker told of that by the clock as
    /// it was then; the deadline of the same wait at the pass before, of whichever agent, was set along with the clock.
    fn start_deadline(
        &self,
        target: &ContainerName,
        dependency: &ContainerName,
        known: &KnownContainer,
    ) -> Option<UnixMillis> {
        let Draft {
            desired,
            known: task,
            hints,
            ..
        } = &self.draft;
        let found = desired.definition.container(dependency)?;
        let timeout = found.start_timeout?;
        let mut waits = task.conditions.iter().filter(|wait| {
            wait.cause == Cause::WaitingForDependency
                && wait.container.as_ref() == Some(target)
                && waits_for(&wait.message, dependency)
        });
        waits.find_map(|wait| wait.deadline).or_else(|| {
            let began = hints.began.get(dependency).copied();
            Some(began.or(known.started_at)?.plus(timeout))
        })
    }

    fn create(&mut self, container: &LayoutContainer) {
        let Some(host) = self.input.host else {
            return;
        };
        if !self.reserve_ports(container, host) {
            return;
        }
        let task = Task {
            desired: self.draft.desired.clone(),
            known: self.draft.known.clone(),
        };
        let inputs = SpecInputs {
            task: &task,
            layout: self.input.layout,
            host,
            settings: self.input.settings,
            definition_label: self.input.label,
        };
        match spec::container_spec(&inputs, &container.name) {
            Ok(spec) => {
                let known = self.draft.container(&container.name);
                let spec = if known.degraded_log {
                    spec::degraded_log(spec)
                } else {
                    spec
                };
                let earlier = known.attempt.checked_sub(1);
                let by_id = self.draft.hints.earlier.get(&container.name);
                let replaces = earlier.map(|attempt| match by_id {
                    Some(id) => id.to_string(),
                    None => self.draft.desired.docker_name(&container.name, attempt),
                });
                self.act(
                    &container.name,
                    Verb::Create {
                        spec: Box::new(spec),
                        replaces,
                    },
                );
            }
            Err(reason) => self
                .draft
                .stop_container(&container.name, None, Some(reason)),
        }
    }

    fn start(&mut self, container: &LayoutContainer, known: &KnownContainer) {
        let Some(id) = known.docker_id.clone() else {
            return;
        };
        let ports = static_ports(self.draft.desired, container);
        self.act(&container.name, Verb::Start { id, ports });
    }

    /// What a running container may be waited for.
    fn watch(&mut self, name: &ContainerName, known: &KnownContainer) {
        if known.settles_at.is_some() {
            self.waits.for_next_run(name);
        } else if self.draft.hints.states.get(name) == Some(&RunState::Paused) {
            self.waits.add(Wait {
                container: Some(name),
                cause: Cause::Paused,
                message: "paused by somebody else".to_owned(),
                then: "go on when it is unpaused".to_owned(),
            });
        } else if known.health == Health::Unhealthy {
            self.waits.add(Wait {
                container: Some(name),
                cause: Cause::Unhealthy,
                message: format!("the health check of {name} fails"),
                then: "go on; whoever asked for the task decides".to_owned(),
            });
        }
    }

    pub(super) fn act(&mut self, name: &ContainerName, verb: Verb) {
        self.take_step(Action {
            subject: Subject::Container(name.clone()),
            verb,
        });
    }

    /// Whether a step is under way, and says so.
    pub(super) fn wait_for_flight(&mut self, name: &ContainerName) -> bool {
        let Some(flight) = self.flight(name) else {
            return false;
        };
        let subject = Subject::Container(name.clone());
        self.wait_for_step(&subject, flight.step, flight.since);
        true
    }

    /// Whether a failed step backs off, and says so.
    pub(super) fn wait_for_retry(&mut self, name: &ContainerName) -> bool {
        let Some(retry) = self
            .draft
            .known
            .containers
            .get(name)
            .and_then(|known| known.retry.clone())
        else {
            return false;
        };
        if backoff::is_due(retry.not_before, self.input.now, backoff::LONGEST) {
            return false;
        }
        let since = self.draft.hints.failing_since.get(name).copied();
        let container = self.draft.desired.definition.container(name);
        let image = container.map(|container| &container.image);
        let subject = Subject::Container(name.clone());
        self.waits.for_retry(&subject, image, &retry, since);
        true
    }
}

/// Static host ports that the container asks for, so that a failed start can name their holder.
fn static_ports(
    desired: &crate::domain::task::DesiredTask,
    container: &LayoutContainer,
) -> Vec<(u16, Protocol)> {
    let mappings = match container.kind {
        ContainerKind::Application(_) => desired
            .definition
            .container(&container.name)
            .map(|found| found.port_mappings.clone())
            .unwrap_or_default(),
        ContainerKind::NetworkPause => desired
            .definition
            .containers
            .iter()
            .flat_map(|found| found.port_mappings.clone())
            .collect(),
        ContainerKind::NamespacePause => Vec::new(),
    };
    mappings
        .iter()
        .filter_map(|mapping| Some((mapping.host_port?, mapping.protocol)))
        .collect()
}
