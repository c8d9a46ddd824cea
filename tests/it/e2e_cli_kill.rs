//! kill -9 of the agent, again and again, while tasks start and stop: nothing is lost, doubled or told twice.
#![cfg(feature = "e2e")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::support::agent::{Agent, Site, with_site};
use crate::support::view::{SERVE, eventually};

/// Times that the agent is killed.
const KILLS: u32 = 50;

/// What the test asks of a task: its command ends with that code by itself, or serves until it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ends(i64),
    Serves,
    Stopped,
}

/// A wish is written down before it is asked: whether an agent that is killed meanwhile has it, nobody knows.
#[derive(Default)]
struct Asked(BTreeMap<String, Wish>);

struct Wish {
    kind: Kind,
    task: Value,
    answered: bool,
}

impl Asked {
    /// One random wish. What no agent has answered comes first: puts and stops are idempotent.
    async fn one(&mut self, site: &Site, agent: &Agent, chance: &mut StdRng) {
        let open = self.0.iter().find(|(_, wish)| !wish.answered);
        let id = match open {
            Some((id, _)) => id.clone(),
            None => self.wish(site, chance),
        };
        self.ask(agent, &id).await;
    }

    /// Makes up what is to be asked next, and of which task.
    fn wish(&mut self, site: &Site, chance: &mut StdRng) -> String {
        let servers: Vec<String> = self.of_kind(Kind::Serves);
        if servers.len() > 4 || (servers.len() > 2 && chance.random_bool(0.3)) {
            let id = servers[chance.random_range(0..servers.len())].clone();
            let wish = self.0.get_mut(&id).expect("a task that was asked for");
            (wish.kind, wish.answered) = (Kind::Stopped, false);
            return id;
        }
        let id = format!("t-{:03}", self.0.len());
        let (kind, command) = if chance.random_bool(0.5) {
            let code = chance.random_range(0..100);
            let millis = chance.random_range(0..8);
            (Kind::Ends(code), format!("sleep 0.{millis}; exit {code}"))
        } else {
            (Kind::Serves, SERVE.to_owned())
        };
        let task = site.one("churn", &command);
        let answered = false;
        self.0.insert(
            id.clone(),
            Wish {
                kind,
                task,
                answered,
            },
        );
        id
    }

    async fn ask(&mut self, agent: &Agent, id: &str) {
        let wish = self.0.get_mut(id).expect("a wish");
        wish.answered = match wish.kind {
            Kind::Stopped => agent.stop(id).await.is_ok(),
            Kind::Ends(_) | Kind::Serves => agent.put(id, &wish.task).await.is_ok(),
        };
    }

    /// Asks the last agent for what the others were killed over.
    async fn ask_all(&mut self, agent: &Agent) {
        let open = |(id, wish): (&String, &Wish)| (!wish.answered).then(|| id.clone());
        let open: Vec<String> = self.0.iter().filter_map(open).collect();
        for id in open {
            self.ask(agent, &id).await;
            assert!(self.0[&id].answered, "{id} is not taken");
        }
    }

    fn of_kind(&self, kind: Kind) -> Vec<String> {
        let such = self.0.iter().filter(|(_, wish)| wish.kind == kind);
        such.map(|(id, _)| id.clone()).collect()
    }
}

/// No task has two containers that run.
async fn assert_none_doubled(site: &Site) -> BTreeMap<String, u64> {
    let mut pids = BTreeMap::new();
    for seen in site.running().await {
        let before = pids.insert(seen.task.clone(), seen.pid);
        assert_eq!(before, None, "two live containers of {}", seen.task);
    }
    pids
}

fn exits_told(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let of_container = |event: &&Value| event["kind"] == "Stopped" && event["container"] == "app";
    for event in events.iter().filter(of_container) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        told.entry(text("taskId"))
            .or_default()
            .push(text("message"));
    }
    told
}

#[tokio::test]
async fn an_agent_that_is_killed_fifty_times_loses_and_doubles_nothing() {
    with_site(async |site| {
        let seed = rand::random();
        eprintln!("seed {seed}");
        let mut chance = StdRng::seed_from_u64(seed);
        let mut asked = Asked::default();
        let stays = site.agent(&[]).await;
        stays
            .put("stays", &site.one("stays", SERVE))
            .await
            .expect("a put");
        stays.until("stays", "RUNNING").await;
        let first = site.running().await;
        let mut agent = stays;
        for _ in 0..KILLS {
            let life = Duration::from_millis(chance.random_range(0..400));
            let work = async {
                loop {
                    asked.one(site, &agent, &mut chance).await;
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
            };
            tokio::time::timeout(life, work).await.ok();
            agent.kill().await;
            agent = site.agent(&[]).await;
        }
        asked.ask_all(&agent).await;
        settle(&agent, &asked).await;
        let pids = assert_none_doubled(site).await;
        assert_eq!(
            pids.get(&first[0].task),
            Some(&first[0].pid),
            "it was left alone"
        );
        let serving = asked.of_kind(Kind::Serves);
        assert_eq!(pids.len(), serving.len() + 1, "{pids:?} {serving:?}");
        check_exits(site, &agent, &asked).await;
        let listed = agent.tasks().await.expect("tasks");
        let arns: BTreeSet<&str> = listed["tasks"]
            .as_array()
            .expect("tasks")
            .iter()
            .filter_map(|task| task["taskArn"].as_str())
            .collect();
        for seen in site.containers().await {
            assert!(arns.contains(seen.task.as_str()), "an orphan: {seen:?}");
        }
    })
    .await;
}

async fn settle(agent: &Agent, asked: &Asked) {
    for (id, wish) in &asked.0 {
        let status = if wish.kind == Kind::Serves {
            "RUNNING"
        } else {
            "STOPPED"
        };
        agent.until(id, status).await;
    }
}

async fn check_exits(site: &Site, agent: &Agent, asked: &Asked) {
    let mut events = Vec::new();
    for id in asked.0.keys() {
        events.extend(site.run(&["events", id, "--json"]).await.json_lines());
    }
    let told = exits_told(&events);
    for (id, Wish { kind, .. }) in &asked.0 {
        let task = agent.task(id).await.expect("a task");
        let container = &task["containers"][0];
        let messages = told.get(&site.id(id)).cloned().unwrap_or_default();
        match kind {
            Kind::Ends(code) => {
                assert_eq!(
                    container["exit"]["code"].as_i64(),
                    Some(*code),
                    "{id}: {task:#}"
                );
                assert_eq!(messages.len(), 1, "{id}: {messages:?}");
            }
            Kind::Serves => assert_eq!(messages.len(), 0, "{id}: {messages:?}"),
            Kind::Stopped => assert_eq!(messages.len(), 1, "{id}: {messages:?}"),
        }
    }
}

#[tokio::test]
async fn an_agent_that_is_killed_while_it_stops_a_task_finishes_the_stop() {
    with_site(async |site| {
        let agent = site.agent(&[]).await;
        let slow = "trap 'sleep 2; exit 5' TERM; while true; do sleep 0.1; done";
        let mut task = site.one("slow", slow);
        task["containerDefinitions"][0]["stopTimeout"] = 30.into();
        agent.put("slow", &task).await.expect("a put");
        agent.until("slow", "RUNNING").await;
        agent.stop("slow").await.expect("a stop");
        agent.kill().await;
        let agent = site.agent(&[]).await;
        let task = agent.until("slow", "STOPPED").await;
        assert_eq!(task["containers"][0]["exit"]["code"], 5, "{task:#}");
        eventually("it is told once", async || {
            let events = site.run(&["events", "slow", "--json"]).await.json_lines();
            (exits_told(&events).get(&site.id("slow"))?.len() == 1).then_some(())
        })
        .await;
    })
    .await;
}
