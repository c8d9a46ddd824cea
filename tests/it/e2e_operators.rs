//! What operators ask: answers while Docker is away, a bundle from the dead, and never a secret.
#![cfg(feature = "e2e")]

use std::io::Read as _;
use std::path::Path;

use serde_json::json;

use crate::support::agent::{Site, with_site};
use crate::support::http::request;
use crate::support::view::{SERVE, eventually};

/// Marked values, by the way in which they come to the agent.
const ENVIRONMENT: &str = "canary-environment-value";
const COMMAND: &str = "canary-command-word";
const LABEL: &str = "canary-docker-label";
const REGISTRY: &str = "canary-registry-password";
const MOUNT: &str = "canary-mount-password";
const LOG_OPTION: &str = "canary-log-token";

/// Every path that only reads, with the task's id where one is wanted.
pub(crate) fn questions(id: &str) -> Vec<String> {
    let document = berth::api::openapi();
    let document = serde_json::to_value(document).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let gets = paths.iter().filter(|(_, item)| item["get"].is_object());
    let mut asked: Vec<String> = gets
        .map(|(path, _)| path.replace("{id}", id).replace("{name}", "app"))
        .collect();
    asked.push("/v1/events?snapshot".to_owned());
    asked
}

/// The contents of the archive, one after the other.
pub(crate) fn unpacked(path: &Path) -> String {
    let file = std::fs::File::open(path).expect("an archive");
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut text)
        .expect("gzip");
    String::from_utf8_lossy(&text).into_owned()
}

pub(crate) fn assert_clean(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        let place = text
            .find(secret)
            .map(|at| &text[at.saturating_sub(200)..at]);
        assert_eq!(place, None, "{secret} is in {what}");
    }
}

/// Tasks full of secrets: one that runs, others whose image, mount or log driver fails.
async fn put_secrets(site: &Site, agent: &crate::support::agent::Agent) {
    let mut good = site.one("good", &format!(": {COMMAND}; {SERVE}"));
    let container = &mut good["containerDefinitions"][0];
    container["environment"] = json!([{ "name": "PASSWORD", "value": ENVIRONMENT }]);
    container["dockerLabels"] = json!({ "secret": LABEL });
    let mut bad = good.clone();
    bad["family"] = json!("bad");
    bad["containerDefinitions"][0]["image"] = json!("127.0.0.1:1/nothing/here:1");
    // Refused, with its values in the body.
    let mut refused = good.clone();
    refused["containerDefinitions"][0]["memory"] = json!("canary");
    // Docker repeats the options of a mount that fails.
    let mut mount = good.clone();
    mount["family"] = json!("mount");
    mount["volumes"] = json!([{ "name": "share", "dockerVolumeConfiguration": { "scope": "task", "driverOpts": {
        "type": "cifs", "device": "//127.0.0.1/share", "o": format!("username=u,password={MOUNT}") } } }]);
    mount["containerDefinitions"][0]["mountPoints"] =
        json!([{ "sourceVolume": "share", "containerPath": "/share" }]);
    let mut log = good.clone();
    log["family"] = json!("log");
    log["containerDefinitions"][0]["logConfiguration"] = json!({ "logDriver": "splunk", "options": {
        "splunk-url": "http://127.0.0.1:1", "splunk-token": LOG_OPTION, "splunk-format": LOG_OPTION } });
    agent.put("mount", &mount).await.expect("a put");
    agent.put("log", &log).await.expect("a put");
    agent.put("good", &good).await.expect("a put");
    agent.put("bad", &bad).await.expect("a put");
    agent.put("refused", &refused).await.expect_err("refused");
    agent.until("good", "RUNNING").await;
    agent.until("mount", "STOPPED").await;
}

#[tokio::test]
async fn secrets_are_nowhere_but_in_the_stored_definition() {
    with_site(async |site| {
        let auth = format!(r#"{{"127.0.0.1:1": {{"username": "u", "password": "{REGISTRY}"}}}}"#);
        site.berth = std::mem::take(&mut site.berth)
            .env("ECS_LOGLEVEL", "debug")
            .env("ECS_ENGINE_AUTH_TYPE", "docker")
            .env("ECS_ENGINE_AUTH_DATA", auth);
        let agent = site.agent(&[]).await;
        put_secrets(site, &agent).await;
        let all = [ENVIRONMENT, COMMAND, LABEL, REGISTRY, MOUNT, LOG_OPTION];
        let socket = site.data().join("berth.sock");
        let why = request(&socket, "GET", &format!("/v1/tasks/{}", site.id("mount"))).await;
        let why = why.expect("an answer").body;
        assert!(why.contains("password=(hidden)"), "{why}");
        for path in questions(&site.id("good")) {
            let answer = request(&socket, "GET", &path).await.expect("an answer");
            assert!(
                answer.status < 500 || path == "/readyz" || path == "/healthz",
                "{path}"
            );
            assert_clean(&path, &answer.body, &all);
        }
        let bundle = site.path("bundle.tar.gz");
        let output = bundle.display().to_string();
        let done = site.run(&["bundle", "-o", &output]).await;
        assert_eq!(
            (done.with(0).contains(" 0 could"), done.err.as_str()),
            (true, ""),
            "{done:?}"
        );
        let contents = unpacked(&bundle);
        assert!(contents.contains("manifest.json") && contents.contains("good"));
        assert_clean("the bundle", &contents, &all);
        agent.end().await;
        assert_clean("the log", &site.log(), &all);
        // The database must have the definition, and with it its values; never what opens registries.
        for entry in std::fs::read_dir(site.data()).expect("a directory") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert_clean(&path.display().to_string(), &text, &[REGISTRY]);
        }
    })
    .await;
}

#[tokio::test]
async fn questions_are_answered_while_docker_is_away() {
    with_site(async |site| {
        site.berth =
            std::mem::take(&mut site.berth).env("DOCKER_HOST", "unix:///nonexistent/d.sock");
        let agent = site.agent(&[]).await;
        let socket = site.data().join("berth.sock");
        let ask = async |path: &str| request(&socket, "GET", path).await.expect("an answer");
        assert_eq!(ask("/livez").await.status, 200);
        let ready = ask("/readyz").await;
        assert_eq!(ready.status, 503);
        let names = ready.json()["waitingFor"].clone();
        assert_eq!(names, json!(["docker", "containers"]), "{ready:?}");
        for path in [
            "/v1/resources",
            "/v1/images",
            "/v1/files",
            "/v1/config",
            "/metrics",
            "/v1/why",
        ] {
            assert_eq!(ask(path).await.status, 200, "{path}");
        }
        let metrics = ask("/metrics").await.body;
        assert!(
            metrics.contains("ecs_agent_connection_up{peer=\"docker\"} 0"),
            "{metrics}"
        );
        let doctor = site.run(&["doctor"]).await;
        let docker = doctor.out.lines().find(|line| line.contains(" docker "));
        assert_eq!(doctor.code, Some(1), "{doctor:?}");
        assert!(
            docker.is_some_and(|line| line.starts_with("fail")),
            "{doctor:?}"
        );
        assert!(
            site.run(&["top"])
                .await
                .with(0)
                .contains("0 tasks hold resources")
        );
        agent.end().await;
        // And with the agent gone as well.
        let output = site.path("late.tar.gz").display().to_string();
        let done = site.run(&["bundle", "-o", &output]).await;
        assert!(done.with(0).contains("could not be had"), "{done:?}");
        assert!(unpacked(&site.path("late.tar.gz")).contains("host/doctor.json"));
        let again = site.run(&["bundle", "-o", &output]).await;
        assert!(
            again.failing(1).contains("make "),
            "nothing is overwritten: {again:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_bad_task_file_is_told_where_people_look() {
    with_site(async |site| {
        let dir = site.path("tasks");
        std::fs::create_dir(&dir).expect("a directory");
        std::fs::write(dir.join("web.json"), r#"{"family": "web"}"#).expect("a file");
        let shown = dir.display().to_string();
        let agent = site.agent(&["--tasks-dir", &shown]).await;
        let why = eventually("the file has been looked at", async || {
            let why = site.run(&["why"]).await;
            why.out.contains("task file web:").then_some(why)
        })
        .await;
        assert!(why.with(0).contains("containerDefinitions"), "{why:?}");
        let ps = site.run(&["ps"]).await;
        assert!(ps.err.contains("task file web:"), "{ps:?}");
        let ready = request(site.data().join("berth.sock"), "GET", "/readyz").await;
        let ready = ready.expect("an answer").json();
        let checks = ready["checks"].as_array().cloned().unwrap_or_default();
        let check = checks.iter().find(|check| check["name"] == "task-files");
        assert_eq!(check.expect("a check")["status"], "warn");
        agent.end().await;
    })
    .await;
}
