//! kill -9 of the engine at random points while tasks start and stop.
#![cfg(feature = "e2e")]

use std::collections::BTreeMap;
use std::time::Duration;

use berth::boundary::ContainerRuntime;
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use rand::RngExt as _;

use crate::support::rig::{Rig, with_engine};
use crate::support::view::{SERVE, exit_code, is};

/// Aborts of the engine.
const CRASHES: u32 = 50;

/// Tasks that are alive at once, at most.
const TASKS: usize = 20;

/// Longest life of an engine between two crashes.
const LIFE_MS: u64 = 500;

/// What a task of the churn must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Runs,
    /// Asked to stop: 0 if it ran, none if it never did.
    Stops,
    /// Ends by itself with that code.
    Exits(i64),
}

#[derive(Default)]
struct Churn {
    wishes: BTreeMap<TaskArn, Wish>,
}

impl Churn {
    /// Starts a task, or asks one to stop.
    async fn step(&mut self, rig: &mut Rig) {
        let running: Vec<TaskArn> = self
            .wishes
            .iter()
            .filter(|(_, wish)| **wish == Wish::Runs)
            .map(|(arn, _)| arn.clone())
            .collect();
        if running.len() < TASKS && rand::rng().random_bool(0.6) {
            let code = rand::rng().random_range(1..100);
            let (command, wish) = if rand::rng().random_bool(0.3) {
                (format!("sleep 1; exit {code}"), Wish::Exits(code))
            } else {
                (SERVE.to_owned(), Wish::Runs)
            };
            let arn = rig.put(vec![rig.shell("app", &command)]).await;
            self.wishes.insert(arn, wish);
            return;
        }
        let chosen = rand::rng().random_range(0..running.len().max(1));
        if let Some(arn) = running.get(chosen) {
            rig.stop(arn).await;
            self.wishes.insert(arn.clone(), Wish::Stops);
        }
    }
}

#[tokio::test]
async fn crashes_during_a_churn_lose_nothing_and_double_nothing() {
    with_engine(async |rig| {
        let mut churn = Churn::default();
        for _ in 0..CRASHES {
            // Two steps that are surely in flight, then a crash at any point of what they lead to.
            churn.step(rig).await;
            churn.step(rig).await;
            let life = Duration::from_millis(rand::rng().random_range(0..LIFE_MS));
            tokio::time::sleep(life).await;
            rig.crash().await;
            rig.restart();
        }
        let mut live = Vec::new();
        for (arn, wish) in &churn.wishes {
            if *wish == Wish::Runs {
                rig.until_task(arn, "runs", is(TaskStatus::Running)).await;
                live.push(arn.clone());
                continue;
            }
            let view = rig.until_task(arn, "stops", is(TaskStatus::Stopped)).await;
            let code = exit_code(&view, "app");
            match wish {
                Wish::Exits(expected) => assert_eq!(code, Some(*expected), "{}", story(rig, arn)),
                // The shell may be asked to end before it has set its trap, and runc, with its 2, before there is a shell.
                Wish::Stops | Wish::Runs => {
                    let codes = [None, Some(0), Some(2), Some(143), Some(137)];
                    assert!(codes.contains(&code), "{code:?} {}", story(rig, arn));
                }
            }
        }
        rig.assert_one_live_each(&live).await;
        assert_no_orphan(rig, &churn).await;
        assert_ends_told_once(rig, &churn);
    })
    .await;
}

/// What was told of a task, for the message of a failure.
fn story(rig: &Rig, arn: &TaskArn) -> String {
    let events = rig.store.all_events();
    let of_task = events.iter().filter(|told| told.event.arn == *arn);
    let lines = of_task.map(|told| {
        format!(
            "{} {}: {}",
            told.event.at.0, told.event.kind, told.event.message
        )
    });
    format!("{arn}\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// Each container is one that the rows know.
async fn assert_no_orphan(rig: &Rig, churn: &Churn) {
    let snapshot = rig.handle.snapshot();
    for listed in rig.docker.list().await.expect("a list") {
        assert!(churn.wishes.contains_key(&listed.task), "{listed:?}");
        let known = &snapshot.tasks[&listed.task].task.known.containers;
        let id = known[&listed.container].docker_id.as_ref();
        assert_eq!(id, Some(&listed.id), "{listed:?}");
    }
}

/// Every end is told once, and none of a task that runs.
fn assert_ends_told_once(rig: &Rig, churn: &Churn) {
    let mut told: BTreeMap<&TaskArn, usize> = BTreeMap::new();
    let events = rig.store.all_events();
    for event in events.iter().filter(|told| told.event.kind == "Stopped") {
        *told.entry(&event.event.arn).or_default() += 1;
    }
    for (arn, wish) in &churn.wishes {
        let expected = usize::from(*wish != Wish::Runs);
        assert_eq!(
            told.get(arn).copied().unwrap_or(0),
            expected,
            "{arn} {wish:?}"
        );
    }
}
