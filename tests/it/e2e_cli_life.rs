//! A task's life through the agent, its socket and the commands that ask it.
#![cfg(feature = "e2e")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::{Agent, Site, with_site};
use crate::support::http::DOCKER_SOCKET;
use crate::support::view::{SERVE, eventually};

/// Exit codes (`berth::cli::exit`).
const USAGE: i32 = 2;
const NOT_FOUND: i32 = 3;
const CONFLICT: i32 = 6;
const TIMED_OUT: i32 = 7;

/// One task that runs and says `hello`.
async fn with_task(site: &Site) -> Agent {
    let agent = site.agent(&[]).await;
    let command = format!("echo hello; echo trouble >&2; {SERVE}");
    let put = agent.put("web-1", &site.one("web", &command)).await;
    assert_eq!(put.expect("a put")["outcome"], "created");
    agent.until("web-1", "RUNNING").await;
    agent
}

#[tokio::test]
async fn every_question_is_answered_in_words_and_in_json() {
    with_site(async |site| {
        let agent = with_task(site).await;
        let ps = site.run(&["ps"]).await;
        assert!(
            ps.with(0).contains("web-1") && ps.out.contains("RUNNING"),
            "{ps:?}"
        );
        let ps = site.run(&["ps", "--json"]).await.json();
        assert_eq!(ps["tasks"][0]["taskId"], site.id("web-1"));
        assert_eq!(
            site.run(&["ps", "-q"]).await.with(0),
            format!("{}\n", site.id("web-1"))
        );
        let none = site
            .run(&["ps", "--status", "stopped", "--json"])
            .await
            .json();
        assert_eq!(none["tasks"], json!([]));

        let why = site.run(&["why", "web"]).await;
        assert!(why.with(0).contains("RUNNING"), "{why:?}");
        let why = site.run(&["why", "web-1", "--json"]).await.json();
        assert_eq!(why["task"]["converged"], true);
        assert!(site.run(&["why", "--json"]).await.json()["settled"].as_u64() == Some(1));
        site.run(&["why"]).await.with(0);

        let logs = site.run(&["logs", "web"]).await;
        assert_eq!(logs.with(0), "hello\n");
        assert_eq!(logs.err, "trouble\n");
        let lines = site
            .run(&["logs", "web", "--json", "-c", "app"])
            .await
            .json_lines();
        assert!(
            lines.iter().any(|line| line.to_string().contains("hello")),
            "{lines:?}"
        );

        let events = site.run(&["events", "web"]).await;
        assert!(events.with(0).contains("Started"), "{events:?}");
        let lines = site.run(&["events", "--json"]).await.json_lines();
        assert!(kinds(&lines).contains(&"Started".to_owned()), "{lines:?}");

        let plain = [&ps.to_string(), &why.to_string(), &logs.out, &events.out];
        assert!(
            plain.iter().all(|text| !text.contains('\u{1b}')),
            "no colours in a pipe"
        );
        drop(agent);
    })
    .await;
}

fn kinds(events: &[Value]) -> Vec<String> {
    let kind = |event: &Value| event["kind"].as_str().map(str::to_owned);
    events.iter().filter_map(kind).collect()
}

#[tokio::test]
async fn stop_and_rm_wait_and_their_codes_say_how_it_went() {
    with_site(async |site| {
        let agent = with_task(site).await;
        for args in [
            &["stop", "other"][..],
            &["rm", "other"],
            &["why", "other"],
            &["logs", "other"],
        ] {
            site.run(args).await.failing(NOT_FOUND);
        }
        site.run(&["logs", "web", "-c", "other"])
            .await
            .failing(NOT_FOUND);
        let live = site.run(&["rm", "web"]).await;
        assert!(live.failing(CONFLICT).contains("--force"), "{live:?}");
        let stop = site
            .run(&["stop", "web-1", "--reason", "enough", "--json"])
            .await;
        assert_eq!(stop.json_lines()[0]["taskId"], site.id("web-1"));
        let task = agent.task("web-1").await.expect("a task");
        assert_eq!(task["status"], "STOPPED");
        assert!(task.to_string().contains("enough"));
        assert_eq!(site.running().await, []);
        let why = site.run(&["why", "web-1"]).await;
        assert!(why.with(0).contains("enough"), "{why:?}");
        // Again changes nothing.
        site.run(&["stop", "web-1"]).await.with(0);
        site.run(&["rm", "web-1"]).await.with(0);
        assert_eq!(site.containers().await, []);
        site.run(&["rm", "web-1"]).await.failing(NOT_FOUND);
        site.run(&["rm", "--stopped"]).await.with(0);

        // One that does not want to stop.
        let mut stubborn = site.one("stubborn", "trap '' TERM; while true; do sleep 1; done");
        stubborn["containerDefinitions"][0]["stopTimeout"] = json!(30);
        agent.put("s-1", &stubborn).await.expect("a put");
        agent.until("s-1", "RUNNING").await;
        site.run(&["stop", "s-1", "--timeout", "1"])
            .await
            .failing(TIMED_OUT);
        let now = site.run(&["stop", "s-1", "--no-wait"]).await;
        assert_eq!(now.with(0), format!("{}: stopping\n", site.id("s-1")));
        let ps = site.run(&["ps"]).await;
        assert!(ps.with(0).contains("STOPPING"), "{ps:?}");
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_error() {
    with_site(async |site| {
        let _agent = with_task(site).await;
        for command in ["events", "ps", "why web", "plan FILE", "man"] {
            let file = site.file("web.json", &site.one("web", SERVE));
            let line = format!(
                "\"$BERTH\" {} | true; echo ${{PIPESTATUS[0]}}",
                command.replace("FILE", &file)
            );
            let said = bash(site, &line).await;
            assert_eq!(said, "0\n", "{command}");
        }
    })
    .await;
}

/// What a line of bash prints, standard error included.
#[expect(
    clippy::disallowed_methods,
    reason = "a pipe is made by a shell, as users make it"
)]
async fn bash(site: &Site, line: &str) -> String {
    let output = tokio::process::Command::new("bash")
        .args(["-c", line])
        .envs(site.berth.env.iter().cloned())
        .env("BERTH", env!("CARGO_BIN_EXE_berth"))
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_mins(1), output).await;
    let output = output.expect("in time").expect("bash");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn ending_the_agent_leaves_its_tasks_and_a_second_one_is_refused() {
    with_site(async |site| {
        let agent = with_task(site).await;
        let before = site.running().await;
        let second = site.run(&["agent"]).await;
        let pid = format!("process {}", agent.pid());
        assert!(second.failing(1).contains(&pid), "{second:?}");
        // By flag instead of by setting.
        let mut other = site.berth.clone();
        other.env.retain(|(name, _)| name != "ECS_DATADIR");
        let data = site.data().display().to_string();
        let second = other.run(&["agent", "--data-dir", &data]).await;
        assert!(second.failing(1).contains(&pid), "{second:?}");
        let ps = other.run(&["ps", "--data-dir", &data, "-q"]).await;
        assert_eq!(ps.with(0), format!("{}\n", site.id("web-1")));

        assert!(agent.end().await.success(), "{}", site.log());
        assert_eq!(site.running().await, before);
        let agent = site.agent(&[]).await;
        agent.until("web-1", "RUNNING").await;
        assert_eq!(site.running().await, before);
    })
    .await;
}

#[tokio::test]
async fn the_docker_endpoint_is_the_one_that_the_environment_names() {
    with_site(async |site| {
        let link = site.path("other.sock");
        std::os::unix::fs::symlink(DOCKER_SOCKET, &link).expect("a link");
        site.berth = site
            .berth
            .clone()
            .env("DOCKER_HOST", format!("unix://{}", link.display()));
        let agent = with_task(site).await;
        let health = agent.health().await.expect("health");
        assert_eq!(health["engine"]["runtimeSeen"], true);
    })
    .await;
}

#[tokio::test]
async fn a_watched_directory_is_what_runs() {
    with_site(async |site| {
        let dir = site.path("tasks");
        std::fs::create_dir(&dir).expect("a directory");
        let write = |content: &str| std::fs::write(dir.join("web.json"), content).expect("a file");
        write(&site.one("web", SERVE).to_string());
        let agent = site
            .agent(&["--tasks-dir", &dir.display().to_string()])
            .await;
        let first = only_running(site).await;

        // One that is bad: the last good one goes on, and the log says why.
        write("{\"family\": \"web\", \"containerDefinitions\": [{\"name\": 1}]}");
        eventually("the bad file is told", async || {
            site.log().contains("containerDefinitions[0]").then_some(())
        })
        .await;
        assert_eq!(only_running(site).await, first);

        // A new one takes its place after the old one has stopped.
        write(
            &site
                .one("web", &format!("echo second; {SERVE}"))
                .to_string(),
        );
        let second = eventually("the new version runs", async || {
            let running = site.running().await;
            assert!(running.len() <= 1, "one after the other: {running:?}");
            running.into_iter().find(|seen| *seen != first)
        })
        .await;
        assert_ne!(second.task, first.task);

        std::fs::remove_file(dir.join("web.json")).expect("removed");
        eventually("it is removed with its file", async || {
            let none = agent.tasks().await.ok()?["tasks"] == json!([]);
            (none && site.containers().await.is_empty()).then_some(())
        })
        .await;
    })
    .await;
}

async fn only_running(site: &Site) -> crate::support::agent::Seen {
    eventually("one container runs", async || {
        let running = site.running().await;
        assert!(running.len() <= 1, "{running:?}");
        running.into_iter().next()
    })
    .await
}

#[tokio::test]
async fn colours_are_for_those_who_ask() {
    with_site(async |site| {
        let _agent = with_task(site).await;
        let coloured = site.run(&["ps", "--color", "always"]).await;
        assert!(coloured.with(0).contains('\u{1b}'));
        let terminal = format!(
            "script -qec '\"$BERTH\" ps' {}",
            site.path("typescript").display()
        );
        let seen = bash(site, &terminal).await;
        if seen.contains("command not found") {
            berth::testing::skip::skipped("there is no program script");
            return;
        }
        assert!(seen.contains('\u{1b}'), "{seen:?}");
        let forbidden = bash(site, &format!("NO_COLOR=1 {terminal}")).await;
        assert!(!forbidden.contains('\u{1b}'), "{forbidden:?}");
        site.run(&["ps", "--color", "sometimes"])
            .await
            .failing(USAGE);
    })
    .await;
}
