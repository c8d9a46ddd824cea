//! The address at which containers reach the agent, asked from inside containers.
//!
//! A host has one such address, so one test uses it, and takes it away in the end.
#![cfg(feature = "e2e")]

use serde_json::json;

use super::support::agent::{Agent, Site, with_site};
use super::support::http::{DOCKER_SOCKET, request};
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
        let refused = answer(site, "thief").await;
        assert!(
            refused.contains("HTTP/1.0 4") || refused.contains("HTTP/1.1 4"),
            "{refused}"
        );
        assert!(!refused.contains("DEVKEY"), "{refused}");

        let metadata = asks("${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}/task");
        run(&agent, site, "reader", &metadata, "bridge").await;
        let read = answer(site, "reader").await;
        assert!(read.contains(&site.id("reader")), "{read}");

        let host = asks("$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        run(&agent, site, "host", &host, "host").await;
        let served = answer(site, "host").await;
        assert!(served.contains("DEVKEY"), "{served}");

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
