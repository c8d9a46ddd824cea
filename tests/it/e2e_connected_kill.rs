//! kill -9 of the connected agent, again and again, with its database, real containers and a control plane that fails
//! now and then: each task is told once, in order, with its exit code.
#![cfg(feature = "e2e")]

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use super::e2e_connected::{arn, connect, task};
use crate::support::agent::{Site, with_site};
use crate::support::control_plane::ControlPlane;

/// Times that the agent is killed: in the middle of payloads, acknowledgements, containers and reports.
const KILLS: u32 = 100;

/// Latest instant of a kill after the payload, in milliseconds: by then the end has been told.
const LATEST: u64 = 900;

fn name(round: u32) -> String {
    format!("r{round}")
}

/// What its container ends with: not what a kill or a failed start gives.
fn code(round: u32) -> i64 {
    i64::from(round % 100) + 3
}

fn payload(site: &Site, round: u32) -> Value {
    let ends = format!("exit {}", code(round));
    task(site, &name(round), &ends, "RUNNING")
}

#[tokio::test]
async fn a_hundred_kills_lose_no_end_and_turn_no_order() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        let seed = rand::random();
        eprintln!("seed {seed}");
        let mut chance = StdRng::seed_from_u64(seed);
        connect(site, &plane);
        let mut agent = site.agent(&[]).await;
        for round in 0..KILLS {
            let sessions = usize::try_from(round).expect("a number") + 1;
            plane
                .until("a session", || {
                    (plane.opened().len() >= sessions).then_some(())
                })
                .await;
            if chance.random_bool(0.2) {
                plane.fail("SubmitTaskStateChange", 1, 500, "ServerException");
            }
            plane
                .payload(&name(round), i64::from(round) + 1, &[payload(site, round)])
                .await;
            let life = Duration::from_millis(chance.random_range(0..LATEST));
            tokio::time::sleep(life).await;
            agent.kill().await;
            agent = site.agent(&[]).await;
        }
        // ECS sends again what it has no acknowledgement of.
        for round in 0..KILLS {
            let acks = plane.heard_of("AckRequest");
            if !acks.iter().any(|ack| ack["messageId"] == *name(round)) {
                plane
                    .payload(&name(round), 1000, &[payload(site, round)])
                    .await;
                plane.acknowledged(&name(round)).await;
            }
        }
        for round in 0..KILLS {
            assert_told(site, &plane, round).await;
        }
        assert!(agent.end().await.success());
    })
    .await;
}

/// A report whose answer was lost comes again, the same; nothing else does.
async fn assert_told(site: &Site, plane: &ControlPlane, round: u32) {
    let arn = arn(site, &name(round));
    let stopped = plane.change(&arn, "STOPPED").await;
    assert_eq!(
        stopped["containers"][0]["exitCode"],
        code(round),
        "{stopped:#}"
    );
    let changes = plane.changes_of(&arn);
    let mut told: Vec<&str> = changes
        .iter()
        .filter_map(|change| change["status"].as_str())
        .collect();
    told.dedup();
    assert!(
        told == ["RUNNING", "STOPPED"] || told == ["STOPPED"],
        "{arn}: {told:?}"
    );
}
