//! How long the planner needs for one look at 10,000 converged tasks (aim: under 100 ms). Run by `make bench`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use berth::domain::definition::{ContainerDefinition, TaskDefinition};
use berth::domain::ids::{ContainerName, DockerId, Family, Generation, UnixMillis};
use berth::domain::image::ImageRef;
use berth::domain::layout::layout;
use berth::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use berth::domain::task::{
    DesiredTask, EcsFacts, KnownContainer, KnownTask, Origin, Task, TaskOptions,
};
use berth::reconcile::draft::Draft;
use berth::reconcile::observe::Hints;
use berth::reconcile::plan::{PlanInput, plan};
use berth::reconcile::settings::EngineSettings;
use berth::testing::sim::{arn, host_facts};

/// Tasks in one sweep.
const TASKS: u32 = 10_000;

/// Sweeps to choose the best and median of.
const ROUNDS: usize = 9;

#[expect(clippy::unwrap_used, reason = "names in a bench are good")]
fn converged(n: u32) -> Task {
    let name = ContainerName::parse("app").unwrap();
    let container = ContainerDefinition::new(name.clone(), ImageRef::parse("image").unwrap());
    let desired = DesiredTask {
        arn: arn(n),
        generation: Generation(1),
        definition: Arc::new(TaskDefinition::new(
            Family::parse("web").unwrap(),
            vec![container],
        )),
        options: TaskOptions::default(),
        ids: berth::domain::task_ids::TaskIds::default(),
        origin: Origin::Api,
        ecs: EcsFacts::default(),
        status: DesiredStatus::Running,
        stop_reason: None,
        remove: false,
        arrived_at: UnixMillis(0),
    };
    let known = KnownContainer {
        status: ContainerStatus::Running,
        docker_id: Some(DockerId::parse(&format!("{n:064x}")).unwrap()),
        image_id: Some("sha256:0".to_owned()),
        started_at: Some(UnixMillis(1)),
        running_since: Some(UnixMillis(1)),
        ..KnownContainer::default()
    };
    let known = KnownTask {
        status: TaskStatus::Running,
        observed_generation: Generation(1),
        admitted_at: Some(UnixMillis(1)),
        containers: BTreeMap::from([(name, known)]),
        ..KnownTask::default()
    };
    Task { desired, known }
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() {
    let tasks: Vec<_> = (0..TASKS)
        .map(|n| {
            let task = converged(n);
            let layout = layout(&task.desired);
            (task, layout)
        })
        .collect();
    let host = host_facts();
    let settings = EngineSettings::default();
    let (none, ports, held) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut millis = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut actions = 0_usize;
        for (task, layout) in &tasks {
            let now = UnixMillis(5);
            let draft = Draft::new(&task.desired, task.known.clone(), Hints::default(), now);
            let input = PlanInput {
                task,
                layout,
                in_flight: &none,
                host: Some(&host),
                runtime_up: true,
                verdict: None,
                role: None,
                execution_role: None,
                secrets_held: &held,
                refusal: None,
                taken_ports: &ports,
                last_port: 0,
                label: "",
                luck: 0,
                settings: &settings,
                now,
            };
            actions = actions.saturating_add(plan(&input, draft).actions.len());
        }
        assert_eq!(actions, 0, "converged tasks plan nothing");
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    millis.sort_by(f64::total_cmp);
    let best = millis.first().copied().unwrap_or_default();
    let median = millis.get(ROUNDS / 2).copied().unwrap_or_default();
    println!(
        "sweep of {TASKS} converged tasks: best {best:.1} ms, median {median:.1} ms (aim < 100 ms)"
    );
}
