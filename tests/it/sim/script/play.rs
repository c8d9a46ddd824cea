//! Plays steps on the simulator and writes down what they show and which promises broke.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use berth::domain::definition::TaskDefinition;
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use berth::reconcile::handle::{HandleError, PutOutcome};
use berth::testing::sim::{Simulation, arn};
use berth::testing::world::{Container, EventFate};

use super::read::read;
use super::step::{Agent, ByHand, Database, Dockerd, Place, Step};

/// How long dockerd is away when it restarts.
const DOCKERD_AWAY: Duration = Duration::from_secs(2);

/// What a step that says nothing of time takes: long enough for what follows at once, shorter than any wait.
const MOMENT: Duration = Duration::from_millis(20);

/// How long everything may take to arrive or to go at the end.
const END: Duration = Duration::from_mins(20);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// A scenario under way.
pub(super) struct Stage {
    pub(super) sim: Simulation,
    /// Tasks by the names that the script gives them; the nth is the nth of the simulator.
    pub(super) tasks: Vec<(String, TaskDefinition)>,
    pub(super) out: String,
    told: BTreeSet<String>,
}

/// What the scenario's steps show; an error is `LINE: what is wrong with it`.
pub(in crate::sim) async fn play(text: &str) -> Result<String, String> {
    let lines = read(text)?;
    let mut stage = Stage {
        sim: Simulation::new(),
        tasks: Vec::new(),
        out: String::new(),
        told: BTreeSet::new(),
    };
    stage.sim.start();
    stage.moment().await;
    for line in lines {
        if !matches!(line.step, Step::Define(..)) {
            stage.say(format!("> {}", line.text));
        }
        stage.take(line.step).await;
        stage.tell_broken_promises();
    }
    stage.end().await;
    let said = stage.out.clone();
    Ok(stage.in_words(&said))
}

impl Stage {
    pub(super) fn say(&mut self, line: impl AsRef<str>) {
        let _infallible = writeln!(self.out, "{}", line.as_ref());
    }

    fn tell(&mut self, wrong: Vec<String>) {
        for words in wrong {
            if self.told.insert(words.clone()) {
                self.say(format!("! {words}"));
            }
        }
    }

    fn tell_broken_promises(&mut self) {
        let wrong = self.sim.check();
        self.tell(wrong);
    }

    async fn moment(&mut self) {
        self.pass(MOMENT).await;
    }

    /// Lets time pass; an agent that freezes meanwhile is dead.
    async fn pass(&mut self, time: Duration) {
        let gate = self.sim.gate.clone();
        // Cancel-safe: neither holds state.
        let call = tokio::select! {
            () = self.sim.pass(time) => None,
            call = gate.frozen() => Some(call),
        };
        if let Some(call) = call {
            self.say(format!("the agent died at {call}"));
            self.sim.crash().await;
        }
    }

    pub(super) fn arn(&self, task: &str) -> TaskArn {
        let at = self.tasks.iter().position(|(name, _)| name == task);
        let at = at.unwrap_or_else(|| panic!("the script defines no task {task}"));
        arn(u32::try_from(at).unwrap() + 1)
    }

    fn container(&self, place: &Place) -> Container {
        let task = self.arn(&place.task);
        let mut all = self.sim.world.containers().into_iter();
        let found = all.rfind(|c| c.task == task && c.name == place.container);
        found.unwrap_or_else(|| panic!("there is no container {} now", place.container))
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Define(name, definition) => self.tasks.push((name, *definition)),
            Step::Put(task) => self.put(&task).await,
            Step::Stop(task) => {
                let arn = self.arn(&task);
                let answer = self.sim.stop(&arn).await.map(|_| ());
                self.answered(answer).await;
            }
            Step::Remove(task) => {
                let arn = self.arn(&task);
                let answer = self.sim.remove(&arn).await.map(|_| ());
                self.answered(answer).await;
            }
            Step::Drain(drain) => {
                let engine = self.sim.handle();
                let answer = if drain {
                    engine.drain("a new kernel".to_owned()).await
                } else {
                    engine.end_draining().await
                };
                self.answered(answer).await;
            }
            Step::Die { place, code, oom } => {
                let id = self.container(&place).id;
                self.sim.world.end_process(&id, code, oom);
                self.moment().await;
            }
            Step::ByHand(place, what) => self.by_hand(&place, what).await,
            Step::Break(fault) => self.sim.world.add_fault(fault),
            Step::Release => {
                self.sim.world.release();
                self.moment().await;
            }
            Step::Heal => self.heal().await,
            Step::Events(fate) => self.sim.world.set_events(fate),
            Step::Dockerd(what) => self.dockerd(&what).await,
            Step::Agent(what) => self.agent(what).await,
            Step::Database(what) => self.database(&what),
            Step::Port { port, taken: true } => self.sim.world.take_port(port),
            Step::Port { port, taken: false } => self.sim.world.free_port(port),
            Step::Health { container, healthy } => {
                self.sim.world.set_unhealthy(&container, !healthy);
                self.moment().await;
            }
            Step::Pulls(behavior) => self.sim.set_pull_behavior(behavior),
            Step::Advance(time) => self.pass(time).await,
            Step::Clock(millis) => self.sim.clock.set_forward(millis),
            Step::Until {
                task,
                status,
                within,
            } => self.until(&task, status, within).await,
            Step::Show(what) => self.show(&what),
        }
    }

    async fn put(&mut self, task: &str) {
        let arn = self.arn(task);
        // The last definition of that name: a script may put another one under it.
        let mut named = self.tasks.iter().filter(|(name, _)| name == task);
        let definition = named.next_back().map(|(_, definition)| definition.clone());
        let answer = self.sim.put(&arn, definition.expect("a definition")).await;
        match answer {
            Ok(PutOutcome::Created(_)) => self.moment().await,
            Ok(PutOutcome::Unchanged(_)) => self.say("  unchanged"),
            Err(refused) => self.answered(Err(refused)).await,
        }
    }

    async fn answered(&mut self, answer: Result<(), HandleError>) {
        if let Err(refused) = answer {
            self.say(format!("  refused: {refused}"));
        }
        self.moment().await;
    }

    async fn by_hand(&mut self, place: &Place, what: ByHand) {
        let (id, world) = (self.container(place).id, self.sim.world.clone());
        match what {
            ByHand::Remove => world.remove_from_outside(&id),
            ByHand::Stop => world.stop_from_outside(&id),
            ByHand::Kill => world.kill_from_outside(&id, 137),
            ByHand::Start => world.start_from_outside(&id),
            ByHand::Restart => world.restart_from_outside(&id),
            ByHand::Pause => world.pause_from_outside(&id),
            ByHand::Unpause => world.unpause_from_outside(&id),
            ByHand::Rename(name) => world.rename_from_outside(&id, &name),
        }
        self.moment().await;
    }

    async fn dockerd(&mut self, what: &Dockerd) {
        let world = self.sim.world.clone();
        match what {
            Dockerd::Stop => world.set_down(true),
            Dockerd::Start => world.set_down(false),
            Dockerd::Crash => {
                world.set_down(true);
                world.end_every_process();
            }
            Dockerd::Restart { live } => {
                world.set_down(true);
                if !live {
                    world.end_every_process();
                }
                self.pass(DOCKERD_AWAY).await;
                world.set_down(false);
            }
        }
        self.moment().await;
    }

    async fn agent(&mut self, what: Agent) {
        match what {
            Agent::Start => {
                self.sim.start();
                self.moment().await;
            }
            Agent::Stop => self.sim.stop_agent().await,
            Agent::Crash => self.sim.crash().await,
            Agent::LosePower => self.sim.lose_power().await,
            Agent::CrashAt(call, at) => self.sim.gate.arm_at(&call, at),
        }
    }

    fn database(&mut self, what: &Database) {
        match what {
            Database::Lose => self.sim.lose_rows(),
            Database::Fill => self.sim.store.fail_next(u32::MAX),
            Database::Empty => self.sim.store.fail_next(0),
            Database::LoseAnswers(n) => self.sim.store.lose_next_answers(*n),
        }
    }

    async fn until(&mut self, task: &str, status: Option<TaskStatus>, within: Duration) {
        let arn = self.arn(task);
        let there = |stage: &Self| stage.sim.agent_runs() && stage.sim.status(&arn) == status;
        let mut left = within;
        while !there(self) && !left.is_zero() {
            let time = LOOK.min(left);
            self.pass(time).await;
            left -= time;
        }
        if !there(self) {
            let is = self.sim.status(&arn);
            self.say(format!("  it is not: {is:?}"));
        }
    }

    async fn heal(&mut self) {
        self.sim.world.set_events(EventFate::Deliver);
        self.sim.world.heal();
        self.sim.store.fail_next(0);
        self.sim.store.lose_next_answers(0);
        self.sim.world.release();
        self.moment().await;
    }

    /// Everything is healed and must arrive; everything is removed and must be gone.
    async fn end(&mut self) {
        self.say("> end");
        self.heal().await;
        if !self.sim.agent_runs() {
            self.sim.crash().await;
            self.sim.start();
        }
        self.wait_for_nothing(Simulation::check_converged).await;
        for task in self.sim.store.tasks() {
            if let Err(refused) = self.sim.remove(task.arn()).await {
                self.say(format!("  refused: {refused}"));
            }
        }
        self.wait_for_nothing(|sim| [sim.check(), sim.left_over()].concat())
            .await;
    }

    async fn wait_for_nothing(&mut self, wrong: fn(&Simulation) -> Vec<String>) {
        let mut left = END;
        // What promises are broken for good has been told.
        let told = self.told.clone();
        let fresh = |sim: &Simulation| {
            let mut wrong = wrong(sim);
            wrong.retain(|words| !told.contains(words));
            wrong
        };
        while !fresh(&self.sim).is_empty() && !left.is_zero() {
            self.pass(LOOK).await;
            left -= LOOK;
        }
        let wrong = fresh(&self.sim);
        self.tell(wrong);
    }
}
