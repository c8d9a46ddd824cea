//! The address at which containers reach the agent, asked from inside containers.
//!
//! A host has one such address, so one test uses it, and takes it away in the end.
#![cfg(feature = "e2e")]

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

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

/// Half-open connections of this process, more than anybody may have; new ones for those that are let go.
struct Flood {
    stop: CancellationToken,
    holding: JoinSet<()>,
}

/// Connections that are held at once.
const HELD: usize = 600;

async fn half_open() -> Flood {
    let (stop, mut holding) = (CancellationToken::new(), JoinSet::new());
    let opened = Arc::new(Semaphore::new(0));
    for _ in 0..HELD {
        let (stop, opened) = (stop.clone(), Arc::clone(&opened));
        holding.spawn(async move {
            let hold = async {
                loop {
                    let Ok(mut stream) = TcpStream::connect("169.254.170.2:80").await else {
                        continue;
                    };
                    let _sent = stream
                        .write_all(b"GET /v2/credentials/x HTTP/1.1\r\nHo")
                        .await;
                    opened.add_permits(1);
                    let _ended = stream.read(&mut [0; 256]).await;
                }
            };
            stop.run_until_cancelled(hold).await;
        });
    }
    let all = u32::try_from(HELD).expect("a number");
    let opened = opened.acquire_many(all).await;
    opened.expect("connections").forget();
    Flood { stop, holding }
}

impl Flood {
    async fn end(self) {
        self.stop.cancel();
        self.holding.join_all().await;
    }
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

/// An agent at the address, with the same credentials for every role.
async fn agent_with_credentials(site: &mut Site) -> Agent {
    let file = site.file(
        "credentials.json",
        &json!({ "AccessKeyId": "DEVKEY", "SecretAccessKey": "dev-secret" }),
    );
    site.give_address();
    site.berth = std::mem::take(&mut site.berth)
        .env("BERTH_CREDENTIALS", "dev")
        .env("BERTH_CREDENTIALS_FILE", file);
    site.agent(&[]).await
}

#[tokio::test]
async fn containers_get_their_own_credentials_at_the_address_and_nobody_elses() {
    with_site(async |site| {
        let agent = agent_with_credentials(site).await;

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

        // Somebody on the host's network holds all the connections there that are to be had, and asks for nothing.
        let flood = half_open().await;
        let host = asks("$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        run(&agent, site, "host", &host, "host").await;
        let served = answer(site, "host").await;
        assert!(served.contains("DEVKEY"), "{served}");
        flood.end().await;

        // The same id from a container on the host's network, from the host itself, and by way of another task.
        run(&agent, site, "host-thief", &asks(&path), "host").await;
        assert_refused(&answer(site, "host-thief").await);
        assert_refused(&ask("169.254.170.2:80", &path).await);
        let proxy = "trap 'exit 0' TERM; while true; do nc -l -p 8080 -e nc 169.254.170.2 80; done";
        run(&agent, site, "proxy", proxy, "bridge").await;
        let by_proxy = format!("{}:8080", address_of(site, "proxy").await);
        // It runs before it listens.
        let by_proxy = by_proxy.parse().expect("an address");
        let answered = eventually("the proxy listens", async || {
            let answer = get(by_proxy, &path).await.ok()?;
            (!answer.is_empty()).then_some(answer)
        });
        assert_refused(&answered.await);
        assert_told(site).await;

        // Without a network there is nobody to ask, and the task runs.
        run(&agent, site, "none", &asks(&path), "none").await;
        let alone = answer(site, "none").await;
        assert!(!alone.contains("HTTP/1"), "{alone}");

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

#[tokio::test]
async fn a_container_has_port_80_of_the_host_while_others_get_their_credentials_there() {
    with_site(async |site| {
        let agent = agent_with_credentials(site).await;
        let serve = "mkdir /web; echo the-web > /web/index.html; exec httpd -f -p 8080 -h /web";
        let mut web = site.one("web", serve);
        web["containerDefinitions"][0]["portMappings"] =
            json!([{ "containerPort": 8080, "hostPort": 80 }]);
        web["networkMode"] = json!("bridge");
        agent.put("web", &web).await.expect("a put");
        agent.until("web", "RUNNING").await;
        eventually("the web is reached", async || {
            let address = "127.0.0.1:80".parse().expect("an address");
            let answer = get(address, "/").await.ok()?;
            answer.contains("the-web").then_some(())
        })
        .await;

        let own = asks("$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        for network in ["bridge", "host"] {
            run(&agent, site, network, &own, network).await;
            let got = answer(site, network).await;
            assert!(got.contains("DEVKEY"), "{network}: {got}");
        }
        // The host's own programs get there as well, and are told apart.
        let path = "/v2/credentials/00000000-0000-4000-8000-000000000000";
        let told = ask("169.254.170.2:80", path).await;
        assert!(told.contains("Credentials not found"), "{told}");
        agent.end().await;
    })
    .await;
}

/// What nobody serves.
const UNSERVED: &str = "a run serves neither metadata nor a role to the task";

#[tokio::test]
async fn a_run_in_the_foreground_serves_its_task_unless_an_agent_has_the_address() {
    with_site(async |site| {
        let file = site.file(
            "credentials.json",
            &json!({ "AccessKeyId": "DEVKEY", "SecretAccessKey": "dev-secret" }),
        );
        site.give_address();
        site.berth = std::mem::take(&mut site.berth)
            .env("BERTH_CREDENTIALS", "dev")
            .env("BERTH_CREDENTIALS_FILE", file);
        // Something may have been left here.
        site.run(&["host", "clean"]).await.with(0);
        let ask = |path: &str| {
            format!("(printf 'GET %s HTTP/1.0\\r\\n\\r\\n' \"{path}\"; sleep 2) | nc 169.254.170.2 80; echo")
        };
        let credentials = ask("$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let metadata = ask("${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}/task");
        let mut definition = site.one("fore", &format!("env; {credentials}; {metadata}"));
        definition["taskRoleArn"] = json!("arn:aws:iam::123456789012:role/web");
        definition["networkMode"] = json!("bridge");
        let file = site.file("fore.json", &definition);

        let done = site.run(&["run", &file]).await;
        let out = done.with(0);
        let variables = [
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=",
            "ECS_CONTAINER_METADATA_URI=",
            "ECS_CONTAINER_METADATA_URI_V4=",
            "ECS_AGENT_URI=",
            "AWS_EXECUTION_ENV=",
        ];
        for words in variables {
            assert!(out.contains(words), "{words} in {done:?}");
        }
        assert!(out.contains("DEVKEY") && out.contains("TaskARN"), "{done:?}");
        assert!(!done.err.contains("taskRoleArn"), "{done:?}");
        assert!(!held(site).await, "the address goes with the run");
        let planned = site.run(&["plan", &file]).await;
        assert!(planned.with(0).contains("ECS_AGENT_URI"), "{planned:?}");
        assert!(!planned.out.contains("not served"), "{planned:?}");

        // A task without a role has metadata all the same.
        let mut plain = definition.clone();
        plain.as_object_mut().expect("a task").remove("taskRoleArn");
        let plain = site.file("plain.json", &plain);
        let done = site.run(&["run", &plain]).await;
        assert!(done.with(0).contains("TaskARN"), "{done:?}");

        let agent = site.agent(&[]).await;
        eventually("the agent has the address", async || {
            held(site).await.then_some(())
        })
        .await;
        let done = site.run(&["run", &file]).await;
        assert!(!done.with(0).contains("DEVKEY"), "{done:?}");
        let planned = site.run(&["plan", &file]).await;
        for told in [done.err, planned.err] {
            assert!(told.contains(UNSERVED), "{told}");
        }
        assert!(planned.out.contains("not served"), "{}", planned.out);
        assert!(held(site).await, "it is the agent's");
        agent.end().await;
    })
    .await;
}
