//! The three probes in each state of what they look at.

use std::sync::Arc;

use super::check::{Check, CheckStatus, engine_checks};
use crate::api::admin::testing::{NOW, Rig, ago, snapshot_of, task};
use crate::domain::draining::Draining;
use crate::domain::sample;
use crate::reconcile::snapshot::{EngineView, Snapshot};

fn sound() -> EngineView {
    EngineView {
        host: Some(Arc::new(sample::host())),
        runtime_answered_at: Some(ago(1)),
        relisted_at: Some(ago(2)),
        committed_at: Some(ago(3)),
        ..EngineView::default()
    }
}

fn check(engine: &EngineView, expected: &[(&str, CheckStatus)]) {
    let checks = engine_checks(engine, NOW);
    let found: Vec<_> = checks
        .iter()
        .filter(|check| check.status != CheckStatus::Pass)
        .map(|check| (check.name, check.status))
        .collect();
    assert_eq!(found, expected, "{checks:?}");
}

fn snapshot(engine: EngineView) -> Snapshot {
    let mut snapshot = snapshot_of([task("a")]);
    snapshot.engine = Arc::new(engine);
    snapshot
}

#[test]
fn what_fails_is_named() {
    check(&sound(), &[]);
    let new = [
        ("docker", CheckStatus::Fail),
        ("containers", CheckStatus::Fail),
    ];
    check(&EngineView::default(), &new);
    let away = EngineView {
        runtime_error: Some("no such socket".to_owned()),
        ..sound()
    };
    check(&away, &[("docker", CheckStatus::Fail)]);
    let stale = EngineView {
        relisted_at: Some(ago(61)),
        ..sound()
    };
    check(&stale, &[("containers", CheckStatus::Fail)]);
    let full = EngineView {
        store_error: Some("disk full".to_owned()),
        ..sound()
    };
    check(&full, &[("state", CheckStatus::Fail)]);
    let damaged = EngineView {
        damage: vec!["row 7".to_owned()],
        ..sound()
    };
    check(&damaged, &[("damage", CheckStatus::Warn)]);
    let drains = EngineView {
        draining: Some(Draining {
            since: ago(9),
            reason: "a new kernel".to_owned(),
        }),
        ..sound()
    };
    check(&drains, &[("placement", CheckStatus::Warn)]);
}

#[tokio::test]
async fn readiness_says_what_it_waits_for() {
    let mut rig = Rig::new(snapshot(sound()));
    let ready = rig.get("/readyz").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.json()["status"]),
        (200, &"ready".into())
    );
    let mut rig = Rig::new(Snapshot::default());
    let waits = rig.get("/readyz").await;
    assert_eq!(waits.status, 503);
    assert_eq!(waits.headers["content-type"], "application/json");
    let names = serde_json::json!(["docker", "containers"]);
    assert_eq!(waits.json()["waitingFor"], names);
}

#[tokio::test]
async fn what_is_beside_the_engine_counts_too() {
    let beside = vec![Check::fail("introspection", "the port is taken")];
    let mut rig = Rig::beside(snapshot(sound()), beside);
    let answer = rig.get("/readyz").await;
    assert_eq!(
        answer.json()["waitingFor"],
        serde_json::json!(["introspection"])
    );
}

#[tokio::test]
async fn health_tells_ages_and_is_503_only_for_what_fails() {
    let mut rig = Rig::new(snapshot(sound()));
    let answer = rig.get("/healthz").await;
    assert_eq!(answer.status, 200);
    let ages = serde_json::json!({"relistSeconds": 2, "dockerSeconds": 1, "commitSeconds": 3});
    assert_eq!(answer.json()["ages"], ages);
    let damaged = EngineView {
        damage: vec!["row 7".to_owned()],
        ..sound()
    };
    let answer = Rig::new(snapshot(damaged)).get("/healthz").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (200, &"warn".into())
    );
    let answer = Rig::new(Snapshot::default()).get("/healthz").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (503, &"fail".into())
    );
}

#[tokio::test]
async fn the_agent_lives_while_docker_is_away_and_not_when_its_loop_stands_still() {
    let mut rig = Rig::new(Snapshot::default());
    let answer = rig.get("/livez").await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (200, "ok\n")
    );
    rig.engine.publisher().turn(ago(30));
    assert_eq!(rig.get("/livez").await.status, 200);
    rig.engine.publisher().turn(ago(31));
    let answer = rig.get("/livez").await;
    assert_eq!(answer.json()["type"], "urn:berth:problem:stands-still");
}
