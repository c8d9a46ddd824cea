//! Random runs: a seed decides what is asked, what breaks and when the agent dies.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::boundary::ErrorKind;
use crate::domain::definition::{HealthCheck, RestartPolicy, TaskDefinition};
use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::{ContainerName, TaskArn, VolumeName};
use crate::domain::volume::{MountPoint, Volume, VolumeSource};

use super::super::world::{Effect, Fault, Operation};
use super::agent::{SERVE, STUBBORN, Simulation, arn, shell, task};

/// Longest time after the last fault within which everything must have arrived.
const CONVERGENCE: Duration = Duration::from_mins(20);

/// One random run.
#[derive(Clone, Copy, Debug)]
pub struct RandomRun {
    /// Decides everything.
    pub seed: u64,
    /// Steps before everything is healed.
    pub steps: u32,
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
            sim: Simulation::new(),
            put: BTreeSet::new(),
            next: 1,
            outcome: Outcome::default(),
        };
        runner.sim.start();
        for _ in 0..self.steps {
            runner.step().await;
            let wrong = runner.sim.check();
            if !wrong.is_empty() {
                runner.outcome.wrong = wrong;
                return runner.outcome;
            }
        }
        runner.heal_and_converge().await;
        runner.outcome
    }
}

struct Runner {
    rng: StdRng,
    sim: Simulation,
    put: BTreeSet<TaskArn>,
    next: u32,
    outcome: Outcome,
}

impl Runner {
    fn note(&mut self, line: String) {
        self.outcome.script.push(line);
    }

    async fn step(&mut self) {
        if !self.sim.agent_runs() {
            self.note("start agent".to_owned());
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
                self.note("crash".to_owned());
                self.sim.crash().await;
                let away = Duration::from_millis(self.rng.random_range(0..30_000));
                self.sim.pass(away).await;
                self.sim.start();
            }
            11 => {
                self.note("stop agent".to_owned());
                self.sim.stop_agent().await;
                self.sim.start();
            }
            12 => self.toggle_docker(),
            13 => self.break_store(),
            _ => {}
        }
        let time = Duration::from_millis(self.rng.random_range(0..4_000));
        self.sim.pass(time).await;
    }

    fn break_store(&mut self) {
        let n = self.rng.random_range(1..4);
        if self.rng.random_bool(0.5) {
            self.note(format!("fail the next {n} commits"));
            self.sim.store.fail_next(n);
        } else {
            self.note(format!("lose the answers of the next {n} commits"));
            self.sim.store.lose_next_answers(n);
        }
    }

    async fn put_one(&mut self) {
        let arn = arn(self.next);
        self.next = self.next.saturating_add(1);
        let definition = self.definition();
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
        self.note(format!("put {} {names:?}: {answer:?}", arn.task_id()));
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
            self.note(format!("stop {}: {answer:?}", arn.task_id()));
        }
    }

    async fn remove_one(&mut self) {
        if let Some(arn) = self.pick() {
            let answer = self.sim.remove(&arn).await;
            self.note(format!("remove {}: {answer:?}", arn.task_id()));
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
        match self.rng.random_range(0..4) {
            0 => {
                self.note(format!("process of {name} ends with 3"));
                self.sim.world.end_process(&container.id, 3, false);
            }
            1 => {
                self.note(format!("docker kill {name}"));
                self.sim.world.kill_from_outside(&container.id, 137);
            }
            2 => {
                self.note(format!("docker rm -f {name}"));
                self.sim.world.remove_from_outside(&container.id);
            }
            _ => {
                self.note(format!("docker start {name}"));
                self.sim.world.start_from_outside(&container.id);
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
                let lost = self.rng.random_bool(0.5);
                self.note(format!("events lost: {lost}"));
                self.sim.world.drop_events(lost);
                self.sim.world.repeat_events(!lost);
                return;
            }
        };
        let times = self.rng.random_range(1..4);
        self.note(format!("fault: {operation:?} {times} times {effect:?}"));
        self.sim.world.add_fault(Fault {
            operation,
            about: String::new(),
            times,
            effect,
        });
    }

    /// Docker goes away, with its containers or without, or comes back.
    fn toggle_docker(&mut self) {
        let down = self.rng.random_bool(0.5);
        if down && self.rng.random_bool(0.3) {
            self.note("docker goes down and takes its containers along".to_owned());
            self.sim.world.set_down(true);
            for container in self.sim.world.containers() {
                self.sim.world.end_process(&container.id, 137, false);
            }
            return;
        }
        self.note(format!("docker down: {down}"));
        self.sim.world.set_down(down);
    }

    fn definition(&mut self) -> TaskDefinition {
        let count = self.rng.random_range(1..4);
        let mut containers = Vec::new();
        for index in 0..count {
            let command = match self.rng.random_range(0..6) {
                0..3 => SERVE.to_owned(),
                3 => STUBBORN.to_owned(),
                4 => format!("exit {}", self.rng.random_range(0..3)),
                _ => format!(
                    "sleep {}; exit {}",
                    self.rng.random_range(1..90),
                    self.rng.random_range(0..3)
                ),
            };
            let image = if self.rng.random_bool(0.05) {
                "missing"
            } else {
                "image"
            };
            let mut container = shell(&format!("c{index}"), image, &command);
            container.essential = index == 0 || self.rng.random_bool(0.5);
            container.stop_timeout = Some(Duration::from_secs(self.rng.random_range(2..8)));
            if self.rng.random_bool(0.3) {
                container.health_check = Some(health_check());
            }
            if self.rng.random_bool(0.3) {
                container.restart_policy = Some(RestartPolicy {
                    ignored_exit_codes: vec![0],
                    restart_attempt_period: Duration::from_mins(1),
                });
            }
            if index > 0 && self.rng.random_bool(0.5) {
                let other = ContainerName::parse(&format!("c{}", index - 1));
                let healthy = containers.last().is_some_and(
                    |c: &crate::domain::definition::ContainerDefinition| c.health_check.is_some(),
                );
                let condition = match self.rng.random_range(0..4) {
                    0 => Condition::Complete,
                    1 => Condition::Success,
                    2 if healthy => Condition::Healthy,
                    _ => Condition::Start,
                };
                container.depends_on = other
                    .into_iter()
                    .map(|container| Dependency {
                        container,
                        condition,
                    })
                    .collect();
            }
            containers.push(container);
        }
        let mut definition = task(containers);
        if self.rng.random_bool(0.3)
            && let Ok(name) = VolumeName::parse("scratch")
        {
            definition.volumes.push(Volume {
                name: name.clone(),
                source: VolumeSource::Empty,
            });
            if let Some(first) = definition.containers.first_mut() {
                let container_path = "/scratch".to_owned();
                first.mount_points.push(MountPoint {
                    source_volume: name,
                    container_path,
                    read_only: false,
                });
            }
        }
        definition
    }

    /// Nothing breaks any more; within the limit everything must have arrived.
    async fn heal_and_converge(&mut self) {
        self.note("heal".to_owned());
        self.sim.world.heal();
        self.sim.store.fail_next(0);
        self.sim.store.lose_next_answers(0);
        if !self.sim.agent_runs() {
            self.sim.crash().await;
            self.sim.start();
        }
        let mut wrong = Vec::new();
        let mut waited = Duration::ZERO;
        while waited < CONVERGENCE {
            let time = Duration::from_secs(10);
            self.sim.pass(time).await;
            waited += time;
            wrong = self.sim.check_converged();
            if wrong.is_empty() && waited >= Duration::from_mins(5) {
                break;
            }
        }
        self.sim.stop_agent().await;
        self.outcome.wrong = wrong;
    }
}

fn health_check() -> HealthCheck {
    HealthCheck {
        command: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 2,
        start_period: Duration::ZERO,
    }
}
