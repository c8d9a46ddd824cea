//! `berth run` and `berth plan` as a developer uses them.
#![cfg(feature = "e2e")]

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};

use crate::support::agent::{Site, with_site};
use crate::support::berth::LIMIT;
use crate::support::view::SERVE;

/// The task never ran.
const NEVER_STARTED: i32 = 125;
const REFUSED: i32 = 5;

/// A run under way.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(site: &Site, args: &[&str]) -> Self {
        let mut child = site.berth.command(args).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, out }
    }

    /// Reads until a line of standard output contains the text.
    async fn until(&mut self, text: &str) {
        let read = async {
            let mut line = String::new();
            while !line.contains(text) {
                line.clear();
                let read = self.out.read_line(&mut line).await.expect("a line");
                assert_ne!(read, 0, "it ends before it says {text}");
            }
        };
        tokio::time::timeout(LIMIT, read).await.expect("in time");
    }

    fn interrupt(&self) {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a pid");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("a signal");
    }

    /// Its code, and what else it wrote to standard output and to standard error.
    async fn end(mut self) -> (Option<i32>, String, String) {
        let mut err = self.child.stderr.take().expect("its errors");
        let work = async {
            let (mut rest, mut told) = (String::new(), String::new());
            let (read, also) = tokio::join!(
                self.out.read_to_string(&mut rest),
                err.read_to_string(&mut told)
            );
            read.and(also).expect("text");
            let status = self.child.wait().await.expect("a status");
            (status.code(), rest, told)
        };
        tokio::time::timeout(LIMIT, work).await.expect("in time")
    }
}

#[tokio::test]
async fn a_run_ends_with_the_code_of_its_container_and_leaves_nothing() {
    with_site(async |site| {
        let file = site.file("t.json", &site.one("t", "echo out; echo err >&2; exit 42"));
        let done = site.run(&["run", &file]).await;
        assert_eq!(done.with(42), "app | out\n");
        assert!(done.err.contains("app | err\n"), "{done:?}");
        assert!(
            done.err.contains("berth: app exited with code 42\n"),
            "{done:?}"
        );
        let lines = site.run(&["run", "--json", &file]).await;
        let lines: Vec<Value> = lines
            .with(42)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(
            lines.last(),
            Some(&json!({ "type": "result", "exitCode": 42 }))
        );
        assert!(lines.contains(
            &json!({ "type": "log", "container": "app", "stream": "stdout", "line": "out" })
        ));
        assert_eq!(site.containers().await, []);
        let left = std::fs::read_dir(site.data().join("runs")).expect("a directory");
        assert_eq!(left.count(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_the_flags_give_reaches_the_container() {
    with_site(async |site| {
        let mut task = site.one("t", "echo $GREETING $NAME");
        task["containerDefinitions"][0]["environment"] =
            json!([{ "name": "NAME", "value": "<NAME>" }, { "name": "GREETING", "value": "no" }]);
        let args = ["run", "-", "--var", "NAME=you", "--env", "GREETING=hello"];
        let done = site
            .berth
            .run_with_input(&args, task.to_string().as_bytes())
            .await;
        assert_eq!(done.with(0), "app | hello you\n");
        let file = site.file("t.json", &site.one("t", "exit 9"));
        let done = site
            .run(&[
                "run",
                &file,
                "--command",
                "app",
                "--",
                "sh",
                "-c",
                "echo other",
            ])
            .await;
        assert_eq!(done.with(0), "app | other\n");
    })
    .await;
}

#[tokio::test]
async fn a_task_that_never_starts_ends_with_a_code_of_its_own() {
    with_site(async |site| {
        let mut task = site.one("t", "true");
        task["containerDefinitions"][0]["command"] = json!(["/no/such/program"]);
        let done = site.run(&["run", &site.file("t.json", &task)]).await;
        assert!(
            done.failing(NEVER_STARTED).contains("/no/such/program"),
            "{done:?}"
        );
        assert_eq!(site.containers().await, []);
        let mut task = site.one("t", "true");
        task["requiresCompatibilities"] = json!(["FARGATE"]);
        let done = site.run(&["run", &site.file("t.json", &task)]).await;
        assert!(
            done.failing(REFUSED).contains("requiresCompatibilities"),
            "{done:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_interrupt_stops_in_the_order_of_dependencies() {
    with_site(async |site| {
        let stop = |name: &str| {
            format!("trap 'echo stopping; exit 0' TERM; echo {name} up; sleep 100000 & wait")
        };
        let db = site.shell("db", &stop("db"));
        let mut web = site.shell("web", &stop("web"));
        web["dependsOn"] = json!([{ "containerName": "db", "condition": "START" }]);
        let file = site.file(
            "t.json",
            &json!({ "family": "t", "containerDefinitions": [web, db] }),
        );
        let mut run = Running::start(site, &["run", &file]);
        run.until("web up").await;
        run.interrupt();
        let (code, _, told) = run.end().await;
        assert_eq!(code, Some(0), "{told}");
        let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}: {told}"));
        assert!(
            at("web exited with code 0") < at("db exited with code 0"),
            "{told}"
        );
        assert_eq!(site.containers().await, []);
    })
    .await;
}

#[tokio::test]
async fn a_second_interrupt_kills() {
    with_site(async |site| {
        let mut task = site.one(
            "t",
            "trap 'echo no' TERM; echo up; while true; do sleep 1; done",
        );
        task["containerDefinitions"][0]["stopTimeout"] = json!(100);
        let file = site.file("t.json", &task);
        let mut run = Running::start(site, &["run", &file]);
        run.until("up").await;
        run.interrupt();
        run.until("no").await;
        run.interrupt();
        let (code, _, told) = run.end().await;
        assert_eq!(code, Some(137), "{told}");
        assert_eq!(site.containers().await, []);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_kept_stays_and_one_that_was_killed_is_cleaned_up_by_the_next() {
    with_site(async |site| {
        let quick = site.file("quick.json", &site.one("t", "exit 3"));
        site.run(&["run", "--keep", &quick]).await.failing(3);
        let kept = site.containers().await;
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].exit_code, 3);

        let serve = site.file("serve.json", &site.one("t", &format!("echo up; {SERVE}")));
        let mut run = Running::start(site, &["run", &serve]);
        run.until("up").await;
        run.child.kill().await.expect("killed");
        let orphan = site.running().await;
        assert_eq!(orphan.len(), 1);
        // Another run that lives is left alone.
        let mut alive = Running::start(site, &["run", &serve]);
        alive.until("up").await;
        assert_eq!(site.running().await.len(), 1, "the orphan went first");
        let quick = site.run(&["run", &quick]).await;
        quick.failing(3);
        assert_eq!(site.running().await.len(), 1);
        alive.interrupt();
        assert_eq!(alive.end().await.0, Some(0));
        assert_eq!(site.containers().await, kept, "what was to be kept is kept");
    })
    .await;
}

#[tokio::test]
async fn a_port_that_somebody_has_is_named_with_who_has_it() {
    with_site(async |site| {
        let taken = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let mut task = site.one("t", SERVE);
        task["containerDefinitions"][0]["portMappings"] =
            json!([{ "containerPort": 80, "hostPort": port }]);
        let file = site.file("t.json", &task);
        let limit = Duration::from_mins(1);
        let done = site.berth.run_within(&["run", &file], limit).await;
        let said = done.failing(NEVER_STARTED);
        let who = format!("pid {}", std::process::id());
        assert!(
            said.contains(&port.to_string()) && said.contains(&who),
            "{said}"
        );
        assert_eq!(site.containers().await, []);
    })
    .await;
}

#[tokio::test]
async fn a_plan_shows_every_call_with_and_without_docker() {
    with_site(async |site| {
        let file = site.file("t.json", &site.one("t", SERVE));
        let nobody = site
            .berth
            .clone()
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        for (berth, asked) in [(&site.berth, true), (&nobody, false)] {
            let text = berth.run(&["plan", &file]).await;
            for call in ["POST /containers/create", "/start"] {
                assert!(text.with(0).contains(call), "{text:?}");
            }
            assert_eq!(
                text.out.contains("Docker does not answer"),
                !asked,
                "{text:?}"
            );
            let json = berth.run(&["plan", "--json", &file]).await.json();
            assert!(
                json["steps"]
                    .as_array()
                    .is_some_and(|steps| steps.len() >= 2),
                "{json}"
            );
        }
        assert_eq!(site.containers().await, []);
    })
    .await;
}
