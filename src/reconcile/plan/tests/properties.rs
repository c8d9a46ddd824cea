//! What holds of every decision about every task: drawn definitions are run against a pure model of Docker, with
//! steps that fail, processes that end and wishes that change, one decision after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::boundary::error::ErrorKind;
use crate::boundary::images::ReadyImage;
use crate::boundary::store::ImageRecord;
use crate::domain::definition::{HealthCheck, RestartPolicy, TaskDefinition};
use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::{ContainerName, DockerId, UnixMillis, VolumeName};
use crate::domain::layout::layout;
use crate::domain::runtime::{ObservedContainer, RunState};
use crate::domain::sample;
use crate::domain::spec::ContainerSpec;
use crate::domain::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};
use crate::domain::task::{Exit, KnownTask, ResourceStatus};
use crate::domain::volume::{MountPoint, Volume, VolumeSource};
use crate::reconcile::action::{Action, Failure, Outcome, Subject, Verb};
use crate::reconcile::desired;
use crate::reconcile::notation::Scene;
use crate::reconcile::observe::{Observation, observe};
use crate::reconcile::outcome::apply;
use crate::reconcile::plan::Plan;
use crate::reconcile::plan::admission::Verdict;

/// Decisions within which everything must have arrived: a task of four containers needs some twenty.
const BOUND: usize = 200;

/// Docker as a model without time: what exists, and what its processes do.
#[derive(Clone, Debug, Default)]
struct Model {
    containers: BTreeMap<ContainerName, ObservedContainer>,
    volumes: usize,
}

/// One turn of the world between two decisions.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// Nothing but time.
    Pass,
    /// The next step fails so.
    Fail(ErrorKind),
    /// The process of the nth container ends with a code.
    End(usize, i64),
    /// The nth container is removed by somebody else.
    Vanish(usize),
    /// Docker goes away or comes back.
    Docker(bool),
    /// Somebody wants the task stopped.
    Stop,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        6 => Just(Turn::Pass),
        1 => Just(Turn::Fail(ErrorKind::Transient)),
        1 => Just(Turn::Fail(ErrorKind::DeadlineExceeded)),
        1 => Just(Turn::Fail(ErrorKind::Unavailable)),
        2 => (0..4_usize, 0..2_i64).prop_map(|(n, code)| Turn::End(n, code)),
        1 => (0..4_usize).prop_map(Turn::Vanish),
        1 => any::<bool>().prop_map(Turn::Docker),
        1 => Just(Turn::Stop),
    ]
}

fn definition() -> impl Strategy<Value = TaskDefinition> {
    let container = (any::<bool>(), any::<bool>(), any::<bool>(), 0..5_u8);
    (prop::collection::vec(container, 1..5), any::<bool>()).prop_map(|(drawn, volume)| {
        let names = ["a", "b", "c", "d"];
        let mut definition = sample::definition(&names[..drawn.len()]);
        let data = VolumeName::parse("data").unwrap();
        for (index, (essential, probe, restart, needs)) in drawn.iter().enumerate() {
            let before = drawn.get(index.wrapping_sub(1));
            let container = &mut definition.containers[index];
            container.essential = index == 0 || *essential;
            container.health_check = probe.then(health_check);
            container.restart_policy = restart.then(|| RestartPolicy {
                ignored_exit_codes: vec![0],
                restart_attempt_period: Duration::ZERO,
            });
            let condition = match (needs, before) {
                (_, None) | (0, _) => None,
                (1, Some((_, true, ..))) => Some(Condition::Healthy),
                (2, _) => Some(Condition::Complete),
                (3, _) => Some(Condition::Success),
                _ => Some(Condition::Start),
            };
            container.depends_on = condition
                .map(|condition| Dependency {
                    container: sample::name(names[index - 1]),
                    condition,
                })
                .into_iter()
                .collect();
        }
        if volume {
            definition.containers[0].mount_points = vec![MountPoint {
                source_volume: data.clone(),
                container_path: "/data".to_owned(),
                read_only: false,
            }];
            definition.volumes = vec![Volume {
                name: data,
                source: VolumeSource::Empty,
            }];
        }
        definition
    })
}

fn health_check() -> HealthCheck {
    HealthCheck {
        command: vec!["CMD".to_owned(), "true".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 2,
        start_period: Duration::ZERO,
    }
}

/// One task being run against the model.
struct Run {
    scene: Scene,
    model: Model,
    fails: Option<ErrorKind>,
    ids: u32,
    forgotten: bool,
}

impl Run {
    fn new(definition: TaskDefinition) -> Self {
        let mut scene = Scene::of(sample::task(definition));
        scene.verdict = Some(Verdict::Admitted);
        Self {
            scene,
            model: Model::default(),
            fails: None,
            ids: 0,
            forgotten: false,
        }
    }

    /// Decides, checks the decision, takes it over and does it.
    fn step(&mut self) {
        self.scene.now = self.scene.now.plus(Duration::from_secs(61));
        let plan = self.scene.plan();
        assert_eq!(plan, self.scene.plan(), "equal input, equal plan");
        self.check(&plan);
        self.scene.task.known = plan.known;
        self.scene.hints = plan.hints;
        self.forgotten = plan.forget;
        if plan.forget {
            return;
        }
        for action in plan.actions {
            let outcome = self.execute(&action);
            self.take(&action, outcome);
        }
        self.look();
    }

    fn check(&self, plan: &Plan) {
        never_back(&self.scene.task.known, &plan.known);
        for action in &plan.actions {
            if let (Subject::Container(name), Verb::Create { .. }) = (&action.subject, &action.verb)
            {
                self.dependencies_hold(&plan.known, name);
            }
        }
        if plan.forget {
            assert!(self.model.containers.is_empty(), "a container is left");
            assert_eq!(self.model.volumes, 0, "a volume is left");
            let resources = plan.known.resources.values();
            assert!(
                resources
                    .into_iter()
                    .all(|r| r.status == ResourceStatus::Removed)
            );
        }
        let running = self.scene.task.effective_desired() == DesiredStatus::Running;
        let arrived = running && plan.known.status == TaskStatus::Running;
        let stopped = plan.known.status == TaskStatus::Stopped;
        if !arrived && !stopped && plan.next.is_none_or(|at| at > self.scene.now) {
            assert!(!plan.known.conditions.is_empty(), "{:#?}", plan.known);
        }
    }

    fn dependencies_hold(&self, known: &KnownTask, name: &ContainerName) {
        let layout = layout(&self.scene.task.desired);
        for edge in &layout.get(name).unwrap().dependencies {
            let known = &known.containers[&edge.container];
            let code = known.exit.as_ref().and_then(|exit| exit.code);
            let ran = known.started_at.is_some();
            let held = match edge.condition {
                Condition::Create => known.status >= ContainerStatus::Created,
                Condition::Start => ran,
                Condition::Complete => ran && known.status == ContainerStatus::Stopped,
                Condition::Success => code == Some(0),
                Condition::Healthy => known.health == Health::Healthy,
            };
            assert!(held, "{name} is made before {edge:?}: {known:?}");
        }
    }

    fn execute(&mut self, action: &Action) -> Outcome {
        if let Some(kind) = self.fails.take() {
            return Outcome::Failed(Failure {
                kind,
                name: None,
                message: "injected".to_owned(),
                permanent: false,
                port_holder: None,
            });
        }
        let Subject::Container(name) = &action.subject else {
            if let Verb::RemoveVolume { .. } = action.verb {
                self.model.volumes = 0;
                return Outcome::Gone;
            }
            self.model.volumes = 1;
            return Outcome::Ready;
        };
        let now = self.scene.now;
        match &action.verb {
            Verb::Pull { .. } => Outcome::ImageReady(Box::new(image())),
            Verb::FetchSecrets { .. } => Outcome::Ready,
            Verb::Create { spec, .. } => {
                self.ids += 1;
                let id = DockerId::parse(&format!("{:064x}", self.ids)).unwrap();
                let found = self.model.containers.entry(name.clone());
                Outcome::Created(found.or_insert(created(id, spec)).id.clone())
            }
            Verb::Start { .. } => {
                if let Some(found) = self.model.containers.get_mut(name)
                    && !found.state.may_live()
                {
                    found.state = RunState::Running;
                    found.exit = None;
                    found.health = Health::Healthy;
                    found.started_at = Some(now);
                }
                self.seen(name)
            }
            Verb::Stop { .. } | Verb::Kill { .. } => {
                self.end(name, 0);
                self.seen(name)
            }
            Verb::Remove { .. } => {
                self.model.containers.remove(name);
                Outcome::Gone
            }
            Verb::Inspect { .. }
            | Verb::CreateCgroup { .. }
            | Verb::RemoveCgroup
            | Verb::CreateVolume { .. }
            | Verb::ExpectVolume { .. }
            | Verb::RemoveVolume { .. } => self.seen(name),
        }
    }

    fn seen(&self, name: &ContainerName) -> Outcome {
        Outcome::Seen(self.model.containers.get(name).cloned().map(Box::new))
    }

    fn end(&mut self, name: &ContainerName, code: i64) {
        let at = self.scene.now;
        if let Some(found) = self.model.containers.get_mut(name)
            && found.state.may_live()
        {
            found.state = RunState::Exited;
            found.exit = Some(Exit {
                code: Some(code),
                at,
                oom_killed: false,
            });
        }
    }

    fn take(&mut self, action: &Action, outcome: Outcome) {
        let before = self.scene.task.known.clone();
        let mut draft = self.scene.draft();
        apply(&mut draft, action, outcome);
        let (known, hints) = (draft.known, draft.hints);
        never_back(&before, &known);
        (self.scene.task.known, self.scene.hints) = (known, hints);
    }

    /// A look at everything that is known, as the full list leads to.
    fn look(&mut self) {
        if !self.scene.runtime_up {
            return;
        }
        let names: Vec<ContainerName> = self.scene.task.known.containers.keys().cloned().collect();
        for name in names {
            let known = &self.scene.task.known.containers[&name];
            if known.docker_id.is_none() {
                continue;
            }
            let found = self.model.containers.get(&name).cloned().map(Box::new);
            let before = self.scene.task.known.clone();
            let mut draft = self.scene.draft();
            observe(&mut draft, &name, Observation::Inspected(found));
            let (known, hints) = (draft.known, draft.hints);
            never_back(&before, &known);
            (self.scene.task.known, self.scene.hints) = (known, hints);
        }
    }

    fn turn(&mut self, turn: Turn) {
        let nth = |n: usize| self.model.containers.keys().nth(n).cloned();
        match turn {
            Turn::Pass => {}
            Turn::Fail(kind) => self.fails = Some(kind),
            Turn::End(n, code) => {
                if let Some(name) = nth(n) {
                    self.end(&name, code);
                }
            }
            Turn::Vanish(n) => {
                if let Some(name) = nth(n) {
                    self.model.containers.remove(&name);
                }
            }
            Turn::Docker(up) => self.scene.runtime_up = up,
            Turn::Stop => {
                let reason = crate::domain::reason::Reason::new(
                    crate::domain::reason::ReasonName::UserInitiated,
                    "asked",
                );
                if let Some(changed) = desired::stop(&self.scene.task.desired, reason) {
                    self.scene.task.desired = changed;
                }
            }
        }
    }

    /// Whether another decision would change or do anything.
    fn is_at_rest(&self) -> bool {
        let plan = self.scene.plan();
        plan.actions.is_empty() && plan.known == self.scene.task.known && !plan.forget
    }
}

fn never_back(before: &KnownTask, after: &KnownTask) {
    assert!(before.status <= after.status, "the task went back");
    for (name, known) in &before.containers {
        let now = after.containers[name].status;
        assert!(known.status <= now, "{name}: {} to {now}", known.status);
    }
}

fn created(id: DockerId, spec: &ContainerSpec) -> ObservedContainer {
    ObservedContainer {
        id,
        docker_name: spec.docker_name.clone(),
        labels: spec.labels.clone(),
        state: RunState::Created,
        exit: None,
        error: None,
        created_at: None,
        started_at: None,
        health: Health::Unknown,
        probe: None,
        bindings: Vec::new(),
        image_id: "sha256:image".to_owned(),
        networks: Vec::new(),
        mounts: Vec::new(),
        pid: None,
    }
}

fn image() -> ReadyImage {
    ReadyImage {
        image_id: "sha256:image".to_owned(),
        digest: None,
        pulled: false,
        size_bytes: 1,
        started_at: None,
        stopped_at: None,
        warning: None,
        record: ImageRecord {
            reference: "busybox:1".to_owned(),
            image_id: "sha256:image".to_owned(),
            pulled_at: None,
            last_used_at: UnixMillis(0),
            size_bytes: 1,
        },
        superseded: None,
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_task_arrives_and_leaves_nothing(
        definition in definition(),
        turns in prop::collection::vec(turn(), 0..40),
    ) {
        let mut run = Run::new(definition);
        for turn in turns {
            run.turn(turn);
            run.step();
        }
        run.scene.runtime_up = true;
        run.fails = None;
        let steps = (0..BOUND).take_while(|_| {
            run.step();
            !run.is_at_rest()
        });
        prop_assert!(steps.count() < BOUND, "{:#?}", run.scene.plan());
        // At rest another decision, also a later one, changes nothing.
        prop_assert!(run.is_at_rest());

        let reason = crate::domain::reason::Reason::new(
            crate::domain::reason::ReasonName::UserInitiated,
            "asked",
        );
        run.scene.task.desired = desired::remove(&run.scene.task.desired, reason).unwrap();
        let steps = (0..BOUND).take_while(|_| {
            run.step();
            !run.forgotten
        });
        prop_assert!(steps.count() < BOUND, "{:#?}", run.scene.plan());
    }
}
