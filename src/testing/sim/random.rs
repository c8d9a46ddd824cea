//! Random runs: a seed decides what is asked, what breaks and when the agent dies.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::boundary::{Clock, ErrorKind};
use crate::domain::ids::{ContainerName, TaskArn, UnixMillis};

use super::super::clock::EPOCH;
use super::super::world::{Effect, EventFate, Fault, Operation};
use super::agent::{SERVE, Simulation, arn, shell, task};
use super::gate::CrashAt;
use super::random_task::definition;

/// Longest time after the last fault within which everything must have arrived.
const CONVERGENCE: Duration = Duration::from_mins(20);

/// Longest time within which everything must have arrived that is not wedged: twice the longest back-off, and less
/// than a call hangs.
const BESIDE_WEDGED: Duration = Duration::from_mins(3);

/// How long what has arrived must stay so.
const AFTERWARDS: Duration = Duration::from_mins(5);

/// How often is looked.
const LOOK: Duration = Duration::from_secs(10);

/// Name of a container whose every call hangs.
const WEDGED: &str = "wedged";

const WEDGED_CALLS: [Operation; 6] = [
    Operation::Inspect,
    Operation::Create,
    Operation::Start,
    Operation::Stop,
    Operation::Kill,
    Operation::Remove,
];

/// One random run.
#[derive(Clone, Copy, Debug)]
pub struct RandomRun {
    /// Decides everything.
    pub seed: u64,
    /// Steps before everything is healed.
    pub steps: u32,
    /// Whether some of the crashes are power losses.
    pub power_losses: bool,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What went wrong; empty = nothing.
    pub wrong: Vec<String>,
    /// What was done, a line each: the script to read when something is wrong.
    pub script: Vec<String>,
}

impl RandomRun {
    /// Runs it, on paused time.
    pub async fn run(self) -> Outcome {
        let mut runner = Runner {
            rng: StdRng::seed_from_u64(self.seed),
            power: self.power_losses.then(|| StdRng::seed_from_u64(self.seed)),
            sim: Simulation::new(),
            put: BTreeSet::new(),
            wedged: BTreeSet::new(),
            next: 1,
            outcome: Outcome::default(),
        };
        runner.sim.start();
        if runner.rng.random_bool(0.25) {
            runner.put_wedged().await;
        }
        for _ in 0..self.steps {
            runner.step().await;
            runner.outcome.wrong = runner.sim.check();
            if !runner.outcome.wrong.is_empty() {
                return runner.told();
            }
        }
        runner.heal_and_converge().await;
        runner.told()
    }
}

/// Seconds since the run began come first.
fn stamped(at: UnixMillis, line: &str) -> String {
    let since = at.since(EPOCH);
    format!("{:>9.3} {line}", since.as_secs_f64())
}

struct Runner {
    rng: StdRng,
    /// Decides which crashes are power losses, beside what decides everything else.
    power: Option<StdRng>,
    sim: Simulation,
    put: BTreeSet<TaskArn>,
    /// Tasks whose every call hangs.
    wedged: BTreeSet<TaskArn>,
    next: u32,
    outcome: Outcome,
}

impl Runner {
    fn note(&mut self, line: &str) {
        let line = stamped(self.sim.clock.now(), line);
        self.outcome.script.push(line);
    }

    /// The outcome; of tasks with which something is wrong, with their timelines and what really happened to them.
    fn told(mut self) -> Outcome {
        let wrong = self.outcome.wrong.join("\n");
        let named =
            |arn: &TaskArn| wrong.contains(arn.as_str()) || self.names_a_container(&wrong, arn);
        let mut lines: Vec<(UnixMillis, String)> = Vec::new();
        for stored in self.sim.store.all_events() {
            let event = stored.event;
            if named(&event.arn) {
                let (task, name) = (event.arn.task_id(), event.container);
                let name = name.as_ref().map_or("", ContainerName::as_str);
                let line = format!("told   {task} {name} {}: {}", event.kind, event.message);
                lines.push((event.at, line));
            }
        }
        for (arn, name, exit) in self.sim.world.ends() {
            if named(&arn) {
                let line = format!("ended  {} {name} with {:?}", arn.task_id(), exit.code);
                lines.push((exit.at, line));
            }
        }
        lines.sort_by_key(|(at, _)| *at);
        let lines = lines.iter().map(|(at, line)| stamped(*at, line));
        let lines: Vec<String> = lines.collect();
        self.outcome.script.extend(lines);
        self.outcome
    }

    fn names_a_container(&self, words: &str, arn: &TaskArn) -> bool {
        let containers = self.sim.world.containers();
        let mut own = containers.iter().filter(|container| container.task == *arn);
        own.any(|container| words.contains(&container.spec.docker_name))
    }

    async fn step(&mut self) {
        if !self.sim.agent_runs() {
            self.note("start agent");
            self.sim.crash().await;
            self.sim.start();
        }
        match self.rng.random_range(0..16) {
            0..4 => self.put_one().await,
            4 => self.stop_one().await,
            5 => self.remove_one().await,
            6..8 => self.disturb_one(),
            8..10 => self.break_something(),
            10 => {
                self.crash("crash").await;
                let away = Duration::from_millis(self.rng.random_range(0..30_000));
                self.sim.pass(away).await;
                self.sim.start();
            }
            11 => {
                self.note("stop agent");
                self.sim.stop_agent().await;
                self.sim.start();
            }
            12 => self.toggle_docker(),
            13 => self.break_store(),
            14 => return self.crash_at_a_call().await,
            _ => {}
        }
        let time = Duration::from_millis(self.rng.random_range(0..4_000));
        self.sim.pass(time).await;
    }

    async fn crash(&mut self, words: &str) {
        let power = self.power.as_mut();
        if power.is_some_and(|power| power.random_bool(0.3)) {
            self.note(&format!("{words}, and the power is lost"));
            self.sim.lose_power().await;
        } else {
            self.note(words);
            self.sim.crash().await;
        }
    }

    /// The agent dies in the middle of something, if it does enough for that.
    async fn crash_at_a_call(&mut self) {
        let at = match self.rng.random_range(0..3) {
            0 => CrashAt::Before,
            1 => CrashAt::After,
            _ => CrashAt::Late,
        };
        self.sim.gate.arm(self.rng.random_range(1..12), at);
        let gate = self.sim.gate.clone();
        let time = Duration::from_millis(self.rng.random_range(1_000..8_000));
        // Cancel-safe: neither holds state.
        let mut call = tokio::select! {
            () = self.sim.pass(time) => None,
            call = gate.frozen() => Some(call),
        };
        if call.is_none() && gate.is_closed() {
            // It is about to freeze: an agent whose call was cut off must not live on.
            call = Some(gate.frozen().await);
        }
        if let Some(call) = call {
            self.crash(&format!("crash {at:?} {call}")).await;
            let away = Duration::from_millis(self.rng.random_range(0..5_000));
            self.sim.pass(away).await;
            self.sim.start();
        }
        self.sim.gate.open();
    }

    fn break_store(&mut self) {
        let n = self.rng.random_range(1..4);
        if self.rng.random_bool(0.5) {
            self.note(&format!("fail the next {n} commits"));
            self.sim.store.fail_next(n);
        } else {
            self.note(&format!("lose the answers of the next {n} commits"));
            self.sim.store.lose_next_answers(n);
        }
    }

    async fn put_one(&mut self) {
        let arn = arn(self.next);
        self.next = self.next.saturating_add(1);
        let definition = definition(&mut self.rng);
        let names: Vec<String> = definition
            .containers
            .iter()
            .map(|c| {
                format!(
                    "{}{}={:?}",
                    c.name,
                    if c.essential { "!" } else { "" },
                    c.command.clone().unwrap_or_default().last()
                )
            })
            .collect();
        let answer = self.sim.put(&arn, definition).await;
        self.note(&format!("put {} {names:?}: {answer:?}", arn.task_id()));
        if answer.is_ok() {
            self.put.insert(arn);
        }
    }

    fn pick(&mut self) -> Option<TaskArn> {
        if self.put.is_empty() {
            return None;
        }
        let index = self.rng.random_range(0..self.put.len());
        self.put.iter().nth(index).cloned()
    }

    async fn stop_one(&mut self) {
        if let Some(arn) = self.pick() {
            let answer = self.sim.stop(&arn).await;
            self.note(&format!("stop {}: {answer:?}", arn.task_id()));
        }
    }

    async fn remove_one(&mut self) {
        if let Some(arn) = self.pick() {
            let answer = self.sim.remove(&arn).await;
            self.note(&format!("remove {}: {answer:?}", arn.task_id()));
        }
    }

    /// Somebody else does something to a container.
    fn disturb_one(&mut self) {
        let containers = self.sim.world.containers();
        if containers.is_empty() {
            return;
        }
        let index = self.rng.random_range(0..containers.len());
        let Some(container) = containers.get(index) else {
            return;
        };
        let name = container.spec.docker_name.clone();
        match self.rng.random_range(0..8) {
            0 => {
                self.note(&format!("process of {name} ends with 3"));
                self.sim.world.end_process(&container.id, 3, false);
            }
            1 => {
                self.note(&format!("docker kill {name}"));
                self.sim.world.kill_from_outside(&container.id, 137);
            }
            2 => {
                self.note(&format!("docker rm -f {name}"));
                self.sim.world.remove_from_outside(&container.id);
            }
            3 => {
                self.note(&format!("docker start {name}"));
                self.sim.world.start_from_outside(&container.id);
            }
            4 => {
                self.note(&format!("docker stop {name}"));
                self.sim.world.stop_from_outside(&container.id);
            }
            5 => {
                self.note(&format!("docker restart {name}"));
                self.sim.world.restart_from_outside(&container.id);
            }
            6 => {
                self.note(&format!("docker pause {name}"));
                self.sim.world.pause_from_outside(&container.id);
            }
            _ => {
                self.note(&format!("docker unpause {name}"));
                self.sim.world.unpause_from_outside(&container.id);
            }
        }
    }

    fn break_something(&mut self) {
        const OPERATIONS: [Operation; 10] = [
            Operation::Info,
            Operation::List,
            Operation::Inspect,
            Operation::Create,
            Operation::Start,
            Operation::Stop,
            Operation::Remove,
            Operation::CreateVolume,
            Operation::RemoveVolume,
            Operation::Pull,
        ];
        let index = self.rng.random_range(0..OPERATIONS.len());
        let operation = OPERATIONS.get(index).copied().unwrap_or(Operation::Info);
        let time = Duration::from_millis(self.rng.random_range(1..60_000));
        let effect = match self.rng.random_range(0..5) {
            0 => Effect::Fail(ErrorKind::Transient),
            1 => Effect::ActThenTimeOut(time),
            2 => Effect::Hang(time),
            3 => Effect::Delay(time),
            _ => {
                self.break_events();
                return;
            }
        };
        let times = self.rng.random_range(1..4);
        self.note(&format!("fault: {operation:?} {times} times {effect:?}"));
        self.sim.world.add_fault(Fault {
            operation,
            about: String::new(),
            times,
            effect,
        });
    }

    fn break_events(&mut self) {
        let fate = match self.rng.random_range(0..5) {
            0 => EventFate::Drop,
            1 => EventFate::Repeat,
            2 => EventFate::Delay(Duration::from_millis(self.rng.random_range(1..20_000))),
            3 => EventFate::Reorder,
            _ => EventFate::Deliver,
        };
        self.note(&format!("events: {fate:?}"));
        self.sim.world.set_events(fate);
    }

    /// Docker goes away, with its containers or without, or comes back.
    fn toggle_docker(&mut self) {
        let down = self.rng.random_bool(0.5);
        if down && self.rng.random_bool(0.3) {
            self.note("docker goes down and takes its containers along");
            self.sim.world.set_down(true);
            self.sim.world.end_every_process();
            return;
        }
        self.note(&format!("docker down: {down}"));
        self.sim.world.set_down(down);
    }

    /// Every call about the container hangs as long as it can.
    fn wedge(&mut self) {
        for operation in WEDGED_CALLS {
            self.sim.world.add_fault(Fault {
                operation,
                about: WEDGED.to_owned(),
                times: u32::MAX,
                effect: Effect::Hang(Duration::from_hours(1)),
            });
        }
    }

    /// A task whose every call hangs, among all the others.
    async fn put_wedged(&mut self) {
        self.note("put a task whose calls all hang");
        self.wedge();
        let definition = task(vec![shell(WEDGED, "image", SERVE)]);
        if self.sim.put(&arn(0), definition).await.is_ok() {
            self.put.insert(arn(0));
            self.wedged.insert(arn(0));
        }
    }

    /// Nothing breaks any more; within the limit everything must have arrived.
    async fn heal_and_converge(&mut self) {
        self.note("heal");
        self.sim.world.heal();
        self.sim.store.fail_next(0);
        self.sim.store.lose_next_answers(0);
        if !self.sim.agent_runs() {
            self.sim.crash().await;
            self.sim.start();
        }
        let mut wrong = Vec::new();
        if !self.wedged.is_empty() {
            self.wedge();
            wrong = self.others_converge().await;
            self.sim.world.heal();
            self.sim.world.release();
        }
        if wrong.is_empty() {
            wrong = self.converge(Simulation::check_converged).await;
        }
        if wrong.is_empty() {
            self.note("remove everything");
            // Some are there although their put was refused: its answer was lost.
            for task in self.sim.store.tasks() {
                // A task that has gone since is refused.
                let _gone = self.sim.remove(task.arn()).await;
            }
            let gone = |sim: &Simulation| [sim.check(), sim.left_over()].concat();
            wrong = self.converge(gone).await;
        }
        self.sim.stop_agent().await;
        self.outcome.wrong = wrong;
    }

    /// Lets time pass until nothing is wrong, and then some: what has arrived must stay so.
    async fn converge(&mut self, check: impl Fn(&Simulation) -> Vec<String>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut waited = Duration::ZERO;
        while waited < CONVERGENCE {
            self.sim.pass(LOOK).await;
            waited += LOOK;
            wrong = check(&self.sim);
            if wrong.is_empty() && waited >= AFTERWARDS {
                break;
            }
        }
        wrong
    }

    /// All but the wedged ones arrive while those are wedged, within the time for what backs off.
    async fn others_converge(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut waited = Duration::ZERO;
        while waited < BESIDE_WEDGED {
            self.sim.pass(LOOK).await;
            waited += LOOK;
            wrong = self.sim.check_converged_but(&self.wedged);
            wrong.extend(self.sim.held_up_but(&self.wedged));
            if wrong.is_empty() {
                break;
            }
        }
        wrong
    }
}
