//! Two agents on one Docker, and the same task id given to both: the second says whose it is and leaves it alone.
#![cfg(feature = "e2e")]

use serde_json::{Value, json};

use crate::support::agent::{Site, with_site};
use crate::support::http::{DOCKER_SOCKET, request};
use crate::support::view::SERVE;

/// What must stay as it is.
async fn look(site: &Site) -> Value {
    let containers = site.containers().await;
    assert_eq!(containers.len(), 1, "{containers:?}");
    let path = format!("/containers/{}/json", containers[0].id);
    let body = request(DOCKER_SOCKET, "GET", &path)
        .await
        .expect("a look")
        .json();
    json!({ "state": body["State"], "labels": body["Config"]["Labels"], "name": body["Name"], "volume": body["Mounts"][0]["Name"] })
}

#[tokio::test]
async fn a_task_id_that_another_agent_has_is_told_with_its_owner() {
    with_site(async |site| {
        let task = site.one("t", SERVE);
        let first = site.agent(&[]).await;
        first.put("t", &task).await.expect("put");
        first.until("t", "RUNNING").await;
        let before = look(site).await;
        let owner = before["labels"]["berth.instance"]
            .as_str()
            .expect("a label");
        let second = site.agent_beside("other").await;
        second.put("t", &task).await.expect("put");
        second.until("t", "STOPPED").await;
        let other = site.path("other").display().to_string();
        let id = site.id("t");
        let why = site.run(&["why", &id, "--data-dir", &other]).await;
        let said = why.with(0).split_whitespace().collect::<Vec<_>>().join(" ");
        for words in ["CannotCreateContainerError", "is held by", owner, &id] {
            assert!(said.contains(words), "{words:?} is not in: {said}");
        }
        assert_eq!(look(site).await, before);
        let removed = site.run(&["rm", "--data-dir", &other, &id]).await;
        removed.with(0);
        assert_eq!(
            look(site).await,
            before,
            "the second's clean-up takes nothing"
        );
        assert!(second.end().await.success());
        first.until("t", "RUNNING").await;
        assert!(first.end().await.success());
    })
    .await;
}

/// Volumes of a task have names that are made from its id as well.
#[tokio::test]
async fn a_volume_that_another_agent_has_is_told_with_its_owner_and_kept() {
    with_site(async |site| {
        let mut task = site.one("v", SERVE);
        task["volumes"] = json!([{ "name": "data" }]);
        task["containerDefinitions"][0]["mountPoints"] =
            json!([{ "sourceVolume": "data", "containerPath": "/data" }]);
        let first = site.agent(&[]).await;
        first.put("v", &task).await.expect("put");
        first.until("v", "RUNNING").await;
        let before = look(site).await;
        let owner = before["labels"]["berth.instance"]
            .as_str()
            .expect("a label");
        // Nothing uses it any more: what keeps it is its owner.
        first.stop("v").await.expect("stop");
        first.until("v", "STOPPED").await;
        let stopped = look(site).await;
        let second = site.agent_beside("other").await;
        second.put("v", &task).await.expect("put");
        second.until("v", "STOPPED").await;
        let other = site.path("other").display().to_string();
        let id = site.id("v");
        let why = site.run(&["why", &id, "--data-dir", &other]).await;
        let said = why.with(0).split_whitespace().collect::<Vec<_>>().join(" ");
        for words in ["CannotCreateVolumeError", "is held by agent", owner] {
            assert!(said.contains(words), "{words:?} is not in: {said}");
        }
        site.run(&["rm", "--data-dir", &other, &id]).await.with(0);
        assert_eq!(look(site).await, stopped);
        let name = stopped["volume"].as_str().expect("a volume");
        let path = format!("/volumes/{name}");
        let volume = request(DOCKER_SOCKET, "GET", &path)
            .await
            .expect("an answer");
        assert_eq!(volume.status, 200, "it is still there");
        assert!(second.end().await.success());
        site.run(&["rm", &id]).await.with(0);
        assert!(first.end().await.success());
    })
    .await;
}
