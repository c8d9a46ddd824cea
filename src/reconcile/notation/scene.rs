//! A task in its surroundings, and the three questions that tables ask about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::boundary::credentials::RoleReadiness;
use crate::domain::host::HostFacts;
use crate::domain::ids::{ContainerName, DockerId, UnixMillis};
use crate::domain::layout::layout;
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::Reason;
use crate::domain::sample;
use crate::domain::task::Task;
use crate::reconcile::action::{Action, Outcome, Subject};
use crate::reconcile::draft::Draft;
use crate::reconcile::observe::{Hints, Observation, observe};
use crate::reconcile::outcome::apply;
use crate::reconcile::plan::admission::Verdict;
use crate::reconcile::plan::{Flight, Plan, PlanInput, plan};
use crate::reconcile::settings::EngineSettings;

use super::{read, show};

/// Everything that a decision may rest on, to be changed by a test.
#[derive(Clone)]
pub(in crate::reconcile) struct Scene {
    pub(in crate::reconcile) task: Task,
    pub(in crate::reconcile) hints: Hints,
    pub(in crate::reconcile) flights: BTreeMap<Subject, Flight>,
    pub(in crate::reconcile) host: Option<HostFacts>,
    pub(in crate::reconcile) runtime_up: bool,
    pub(in crate::reconcile) verdict: Option<Verdict>,
    pub(in crate::reconcile) refusal: Option<Reason>,
    pub(in crate::reconcile) role: Option<RoleReadiness>,
    pub(in crate::reconcile) execution_role: Option<RoleReadiness>,
    pub(in crate::reconcile) secrets_held: BTreeSet<ContainerName>,
    pub(in crate::reconcile) taken_ports: BTreeSet<(u16, Protocol)>,
    pub(in crate::reconcile) settings: EngineSettings,
    pub(in crate::reconcile) now: UnixMillis,
    pub(super) inputs: Vec<Input>,
}

#[derive(Clone, Debug)]
pub(super) enum Input {
    Seen(ContainerName, Observation),
    Done(Action, Outcome),
}

impl Scene {
    /// A task that has just arrived, on a plain host, at second 100, and Docker answers.
    pub(in crate::reconcile) fn of(task: Task) -> Self {
        Self {
            task,
            hints: Hints::default(),
            flights: BTreeMap::new(),
            host: Some(sample::host()),
            runtime_up: true,
            verdict: None,
            refusal: None,
            role: None,
            execution_role: None,
            secrets_held: BTreeSet::new(),
            taken_ports: BTreeSet::new(),
            settings: EngineSettings::default(),
            now: UnixMillis(100_000),
            inputs: Vec::new(),
        }
    }

    /// Reads the notation.
    pub(in crate::reconcile) fn read(text: &str) -> Self {
        read::scene(text)
    }

    /// The draft after what was seen and done.
    pub(in crate::reconcile) fn draft(&self) -> Draft<'_> {
        let mut draft = Draft::new(
            &self.task.desired,
            self.task.known.clone(),
            self.hints.clone(),
            self.now,
        );
        draft.pull_behavior = self.settings.pull_behavior;
        draft.instance = &self.settings.instance;
        for input in self.inputs.clone() {
            match input {
                Input::Seen(name, seen) => observe(&mut draft, &name, seen),
                Input::Done(action, outcome) => apply(&mut draft, &action, outcome),
            }
        }
        draft
    }

    /// The plan after what was seen and done.
    pub(in crate::reconcile) fn plan(&self) -> Plan {
        let layout = layout(&self.task.desired);
        let input = PlanInput {
            task: &self.task,
            layout: &layout,
            in_flight: &self.flights,
            host: self.host.as_ref(),
            runtime_up: self.runtime_up,
            verdict: self.verdict.as_ref(),
            refusal: self.refusal.as_ref(),
            role: self.role.as_ref(),
            execution_role: self.execution_role.as_ref(),
            secrets_held: &self.secrets_held,
            taken_ports: &self.taken_ports,
            last_port: 0,
            label: "label",
            luck: 0,
            settings: &self.settings,
            now: self.now,
        };
        plan(&input, self.draft())
    }

    /// What observations and outcomes change, as text.
    pub(in crate::reconcile) fn taken_in(&self) -> String {
        let draft = self.draft();
        show::taken_in(self, &draft)
    }

    /// What is decided, as text.
    pub(in crate::reconcile) fn planned(&self) -> String {
        show::planned(self, &self.plan())
    }
}

/// The Docker id that an attempt at a container has in tables.
pub(in crate::reconcile) fn docker_id(name: &ContainerName, attempt: u32) -> DockerId {
    let mut text = String::new();
    for byte in name.as_str().bytes() {
        write!(text, "{byte:02x}").unwrap();
    }
    write!(text, "{attempt:02x}").unwrap();
    text.truncate(64);
    DockerId::parse(&format!("{text:0<64}")).unwrap()
}
