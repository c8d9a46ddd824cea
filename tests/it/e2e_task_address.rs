//! The address at which containers reach the agent, asked from inside containers.
//!
//! A host has one such address, so one test uses it, and takes it away in the end.
#![cfg(feature = "e2e")]

use serde_json::json;

use super::support::agent::{Agent, Site, with_site};
use super::support::http::{DOCKER_SOCKET, get, request};
use super::support::view::eventually;

/// Asks for a path, which may have shell variables in it, and stays. The pause keeps the connection open until the answer is there.
fn asks(path: &str) -> String {
    format!(
        "(printf 'GET %s HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n' \"{path}\"; sleep 2) | nc 169.254.170.2 80; echo; \
         echo asked; trap 'exit 0' TERM; sleep 100000 & wait"
    )
}

/// What the task's container has written once it has asked.
async fn answer(site: &Site, name: &str) -> String {
    eventually("the container has asked", async || {
        let logs = site.run(&["logs", &site.id(name)]).await;
        logs.out.contains("asked").then_some(logs.out)
    })
    .await
}

/// The path of the credentials of the only container there is.
async fn credentials_path(site: &Site) -> String {
    let seen = site.containers().await;
    let path = format!("/containers/{}/json", seen[0].id);
    let body = request(DOCKER_SOCKET, "GET", &path).await.expect("inspect");
    let env = body.json()["Config"]["Env"].clone();
    let found = env.as_array().expect("variables").iter().find_map(|text| {
        text.as_str()?
            .strip_prefix("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=")
    });
    found.expect("the variable").to_owned()
}

async fn run(agent: &Agent, site: &Site, name: &str, command: &str, network: &str) {
    let mut definition = site.one(name, command);
    definition["taskRoleArn"] = json!("arn:aws:iam::123456789012:role/web");
    definition["networkMode"] = json!(network);
    agent.put(name, &definition).await.expect("a put");
    agent.until(name, "RUNNING").await;
}

fn assert_refused(answer: &str) {
    assert!(answer.contains("InvalidIdInRequest"), "{answer}");
    assert!(!answer.contains("DEVKEY"), "{answer}");
}

/// What this process is answered there.
async fn ask(address: &str, path: &str) -> String {
    let address = address.parse().expect("an address");
    get(address, path).await.expect("an answer")
}

/// The address of the one container of that task.
async fn address_of(site: &Site, name: &str) -> String {
    let (seen, id) = (site.containers().await, site.id(name));
    let found = seen.iter().find(|seen| seen.task.ends_with(&id));
    let path = format!("/containers/{}/json", found.expect("a container").id);
    let body = request(DOCKER_SOCKET, "GET", &path).await.expect("inspect");
    let address = body.json()["NetworkSettings"]["IPAddress"].clone();
    address.as_str().expect("an address").to_owned()
}

/// Everybody that was refused is in the record, with the task whose id it was, and is counted.
async fn assert_told(site: &Site) {
    let owner = site.id("owner");
    let record = eventually("the refusals are recorded", async || {
        let record = std::fs::read_to_string(site.data().join("audit.log")).ok()?;
        let refused = record.lines().filter(|line| line.contains(" 400 "));
        (refused.count() == 4).then_some(record)
    })
    .await;
    let refused: Vec<&str> = record
        .lines()
        .filter(|line| line.contains(" 400 "))
        .collect();
    assert!(refused.iter().all(|line| line.contains(&owner)), "{record}");
    let socket = site.data().join("berth.sock");
    let metrics = request(socket, "GET", "/metrics")
        .await
        .expect("figures")
        .body;
    for (against, count) in [("other-task", 3), ("host-process", 1)] {
        let family = "ecs_agent_credentials_callers_total";
        let line = format!(r#"{family}{{against="{against}"}} {count}"#);
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
}

/// Whether the host has the address.
async fn held(site: &Site) -> bool {
    site.run(&["host", "status"]).await.out.contains("on link")
}

#[tokio::test]
async fn containers_get_their_own_credentials_at_the_address_and_nobody_elses() {
    with_site(async |site| {
        let file = site.file(
            "credentials.json",
            &json!({ "AccessKeyId": "DEVKEY", "SecretAccessKey": "dev-secret" }),
        );
        site.give_address();
        site.berth = std::mem::take(&mut site.berth)
            .env("BERTH_CREDENTIALS", "dev")
            .env("BERTH_CREDENTIALS_FILE", file);
        let agent = site.agent(&[]).await;

        let own = asks("$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        run(&agent, site, "owner", &own, "bridge").await;
        let path = credentials_path(site).await;
        let got = answer(site, "owner").await;
        assert!(got.contains("\"AccessKeyId\":\"DEVKEY\""), "{got}");

        run(&agent, site, "thief", &asks(&path), "bridge").await;
        assert_refused(&answer(site, "thief").await);

        let metadata = asks("${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}/task");
        run(&agent, site, "reader", &metadata, "bridge").await;
        let read = answer(site, "reader").await;
        assert!(read.contains(&site.id("reader")), "{read}");

        let host = asks("$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        run(&agent, site, "host", &host, "host").await;
        let served = answer(site, "host").await;
        assert!(served.contains("DEVKEY"), "{served}");

        // The same id from a container on the host's network, from the host itself, and by way of another task.
        run(&agent, site, "host-thief", &asks(&path), "host").await;
        assert_refused(&answer(site, "host-thief").await);
        assert_refused(&ask("169.254.170.2:80", &path).await);
        let proxy = "trap 'exit 0' TERM; while true; do nc -l -p 8080 -e nc 169.254.170.2 80; done";
        run(&agent, site, "proxy", proxy, "bridge").await;
        let by_proxy = format!("{}:8080", address_of(site, "proxy").await);
        assert_refused(&ask(&by_proxy, &path).await);
        assert_told(site).await;

        // Somebody takes the link away: it comes back, and is served.
        assert_eq!(site.run(&["host", "clean"]).await.code, Some(0));
        eventually("the address is back", async || {
            held(site).await.then_some(())
        })
        .await;
        run(&agent, site, "later", &own, "bridge").await;
        let again = answer(site, "later").await;
        assert!(again.contains("DEVKEY"), "{again}");

        agent.end().await;
        assert!(held(site).await, "it stays while containers may run");
        let cleaned = site.run(&["host", "clean"]).await;
        assert!(cleaned.out.contains("not an address"), "{}", cleaned.out);
    })
    .await;
}
