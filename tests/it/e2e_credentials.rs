//! Credentials of a task's role, from the agent as a user runs it, with a container on real Docker.
#![cfg(feature = "e2e")]

use serde_json::json;

use super::support::agent::{Site, with_site};
use super::support::http::{DOCKER_SOCKET, get, request};
use super::support::view::eventually;

/// The path that the one container of the site was told in its environment.
async fn told(site: &Site) -> String {
    let seen = site.containers().await;
    let path = format!("/containers/{}/json", seen[0].id);
    let body = request(DOCKER_SOCKET, "GET", &path).await.expect("inspect");
    let env = body.json()["Config"]["Env"].clone();
    let variables = env.as_array().expect("variables").iter();
    let found = variables
        .filter_map(|variable| variable.as_str())
        .find_map(|variable| variable.strip_prefix("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="));
    found.expect("the variable").to_owned()
}

#[tokio::test]
async fn a_container_is_told_where_its_credentials_are_also_after_the_agent_was_killed() {
    with_site(async |site| {
        let file = site.file(
            "credentials.json",
            &json!({ "AccessKeyId": "DEVKEY", "SecretAccessKey": "dev-secret" }),
        );
        site.berth = std::mem::take(&mut site.berth)
            .env("BERTH_CREDENTIALS", "dev")
            // The test itself asks, which is no container of the task: it is served so, and recorded.
            .env("BERTH_CREDENTIALS_BINDING", "audit")
            .env("BERTH_CREDENTIALS_FILE", file);
        let agent = site.agent(&[]).await;
        let mut definition = site.one("web", super::support::view::SERVE);
        definition["taskRoleArn"] = json!("arn:aws:iam::123456789012:role/web");
        agent.put("web", &definition).await.expect("a put");
        agent.until("web", "RUNNING").await;
        let path = told(site).await;
        let answer = get(site.listener("task-server").await, &path)
            .await
            .expect("an answer");
        assert!(answer.contains("\"AccessKeyId\":\"DEVKEY\""), "{answer}");
        let audit = site.data().join("audit.log");
        // It is written beside the answer: a kill at once would lose the line.
        eventually("the request is recorded", async || {
            let record = std::fs::read_to_string(&audit).ok()?;
            (!record.is_empty()).then_some(())
        })
        .await;
        agent.kill().await;
        std::fs::write(site.path("agent.log"), "").expect("a file");

        let agent = site.agent(&[]).await;
        let again = get(site.listener("task-server").await, &path)
            .await
            .expect("an answer");
        assert!(again.contains("\"AccessKeyId\":\"DEVKEY\""), "{again}");
        agent.end().await;
        let record = std::fs::read_to_string(&audit).expect("a record");
        assert_eq!(record.lines().count(), 2, "{record}");
        assert!(record.contains(" GetCredentials 2 default -"), "{record}");
        let id = path.rsplit('/').next().expect("an id");
        for text in [&record, &site.log()] {
            assert!(!text.contains(id) && !text.contains("dev-secret"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn without_credentials_no_container_is_made_and_why_says_what_is_missing() {
    with_site(async |site| {
        let missing = site.path("nothing.json").display().to_string();
        site.berth = std::mem::take(&mut site.berth)
            .env("BERTH_CREDENTIALS", "dev")
            .env("BERTH_CREDENTIALS_FILE", missing);
        let agent = site.agent(&[]).await;
        let mut definition = site.one("web", super::support::view::SERVE);
        definition["taskRoleArn"] = json!("arn:aws:iam::123456789012:role/web");
        agent.put("web", &definition).await.expect("a put");
        eventually("why names the file", async || {
            let why = site.run(&["why", &site.id("web")]).await;
            (why.out.contains("WaitingForCredentials")
                || why.out.contains("the file cannot be read"))
            .then_some(())
        })
        .await;
        assert!(site.containers().await.is_empty());
        agent.end().await;
    })
    .await;
}
