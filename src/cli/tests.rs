//! Subcommands against a real server on a real socket, and what they print in 80 columns.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::{Command, FromArgMatches};

use super::client::{Ask, Client, ClientError, encode};
use super::openapi::Document;
use super::output::Format;
use super::testing::{Agent, captured};
use super::{drain, events, exit, logs, openapi, ps, rm, stop, why};
use crate::api::admin::tasks::wire::PutAnswer;
use crate::api::admin::testing::{
    NOW, ago, arn, condition, container_name, event, running, snapshot_of, task,
};
use crate::domain::port_mapping::{PortBinding, Protocol};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::{OutputChunk, OutputStream};
use crate::domain::status::{ContainerStatus, TaskStatus};
use crate::domain::task::{Cause, Exit, Step, StopCause};
use crate::platform::local::test_address;
use crate::reconcile::snapshot::{EngineView, InFlight, Snapshot, TaskView};

fn args<A: clap::Args + FromArgMatches>(line: &str) -> A {
    let command = A::augment_args(Command::new("test").no_binary_name(true));
    let matches = command
        .try_get_matches_from(line.split_whitespace())
        .expect("arguments");
    A::from_arg_matches(&matches).expect("arguments")
}

/// Runs a subcommand as text and gives its code, standard output and standard error.
macro_rules! run {
    ($command:ident, $line:expr, $agent:expr) => {
        run!($command, $line, $agent, Format::Text)
    };
    ($command:ident, $line:expr, $agent:expr, $format:expr) => {{
        let (mut output, out, err) = captured($format);
        let code = $command::run(args($line), &$agent.client, &mut output).await;
        let code = code.map_err(|error| (exit::code_of(&error), format!("{error:#}")));
        (code, out.text(), err.text())
    }};
}

fn port(bind_ip: &str, host_port: u16) -> PortBinding {
    PortBinding {
        container_port: 80,
        protocol: Protocol::Tcp,
        bind_ip: bind_ip.to_owned(),
        host_port,
    }
}

fn pulling(id: &str) -> TaskView {
    let mut view = task(id);
    let mut blocked = condition(Cause::Pulling, "image registry.test/web:1 is being pulled");
    blocked.deadline = Some(NOW.plus(std::time::Duration::from_mins(119)));
    blocked.next_action = "create container app".to_owned();
    let mut waits = condition(Cause::WaitingForDependency, "waits for app to be HEALTHY");
    waits.container = Some(container_name("sidecar"));
    view.task.known.conditions = vec![waits, blocked];
    view.planned = vec!["create container sidecar".to_owned()];
    view.in_flight.push(InFlight {
        container: Some(container_name("app")),
        step: Step::Pull,
        since: ago(10),
        deadline: None,
        progress: Some(crate::domain::runtime::PullProgress {
            downloaded_bytes: 120_000_000,
            download_total_bytes: 279_000_000,
            extracted_bytes: 0,
            extracting_secs: 0,
            layers_done: 1,
            layers_total: 3,
        }),
    });
    view
}

fn host_of_tasks() -> Snapshot {
    let mut web = running("5f0c9a7e11112222");
    let known = web.task.known.containers.get_mut(&container_name("app"));
    let known = known.expect("a container");
    known.bindings = vec![port("0.0.0.0", 8080), port("::", 8080)];
    let mut stopped = running("nightly-report");
    stopped.task.known.status = TaskStatus::Stopped;
    stopped.task.known.stop = Some(StopCause {
        reason: Reason::new(
            ReasonName::EssentialContainerExited,
            "essential container app exited with code 3",
        ),
        at: ago(30),
    });
    let app = stopped
        .task
        .known
        .containers
        .get_mut(&container_name("app"));
    let app = app.expect("a container");
    app.status = ContainerStatus::Stopped;
    app.started_at = Some(ago(60));
    app.bindings = vec![port("0.0.0.0", 9090)];
    app.exit = Some(Exit {
        code: Some(3),
        at: ago(30),
        oom_killed: false,
    });
    snapshot_of([web, pulling("5f0c9a7eab00"), stopped])
}

#[tokio::test]
async fn ps_is_readable_at_80_columns() {
    let agent = Agent::start(host_of_tasks()).await;
    let (code, out, _) = run!(ps, "", agent);
    assert_eq!(code, Ok(exit::OK));
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    insta::assert_snapshot!(out, @"
    TASK       FAMILY  STATUS   AGE  PORTS     WHY
    5f0c9a7e1  web:3   RUNNING  2m   8080->80  runs as asked
    5f0c9a7ea  web:3   PENDING  2m   -         image registry.test/web:1 is being p…
    nightly-r  web:3   STOPPED  2m   -         app exited with code 3
    ");
    let (_, out, _) = run!(ps, "--status pending -q", agent);
    assert_eq!(out, "5f0c9a7eab00\n");
    let (_, out, _) = run!(ps, "--family other", agent, Format::Json);
    let list: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(list["tasks"], serde_json::json!([]));
}

#[tokio::test]
async fn ps_reads_every_page() {
    let tasks = (0..1_500).map(|number| task(&format!("t{number:04}")));
    let agent = Agent::start(snapshot_of(tasks)).await;
    let (_, out, _) = run!(ps, "-q", agent);
    assert_eq!(out.lines().count(), 1_500);
}

#[tokio::test]
async fn why_of_a_task_that_waits() {
    let mut snapshot = host_of_tasks();
    snapshot.engine = Arc::new(EngineView {
        runtime_error: Some("connect /var/run/docker.sock: connection refused".to_owned()),
        runtime_answered_at: Some(ago(95)),
        damage: vec!["task old: its definition cannot be read".to_owned()],
        ..EngineView::default()
    });
    for view in snapshot.tasks.values_mut() {
        let view = Arc::make_mut(view);
        let id = view.task.arn().task_id().to_string();
        Arc::make_mut(&mut view.timeline).push(event(20, &id));
    }
    let agent = Agent::start(snapshot).await;
    let (code, out, _) = run!(why, "5f0c9a7ea", agent);
    assert_eq!(code, Ok(exit::OK));
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    insta::assert_snapshot!(out, @"
    DOCKER      does not answer (last good 1 min 35 s ago): connect
                /var/run/docker.sock: connection refused
    SET ASIDE   task old: its definition cannot be read

    task        5f0c9a7eab00 (web:3), 2 min old
    is          PENDING, should be RUNNING
    why         Docker does not answer: connect /var/run/docker.sock: connection
                refused

    blocked     RuntimeUnavailable for 1 min 35 s; next: try again
    under way   pull of app for 10 s, 43 % of 279 MB, 12 MB/s, layer 1 of 3
    then        create container sidecar
    also        Pulling of app: image registry.test/web:1 is being pulled
    also        WaitingForDependency of sidecar: waits for app to be HEALTHY

    container   app NONE

    03:02:45    app Started: started, number 20
    ");
}

#[tokio::test]
async fn why_of_a_task_that_runs_and_of_all() {
    let agent = Agent::start(host_of_tasks()).await;
    let (_, out, _) = run!(why, "5f0c9a7e1", agent);
    insta::assert_snapshot!(out, @"
    task        5f0c9a7e11112222 (web:3), 2 min old
    is          RUNNING
    why         runs as asked

    container   app RUNNING
    ");
    let (_, out, _) = run!(why, "nightly", agent);
    insta::assert_snapshot!(out, @"
    task        nightly-report (web:3), 2 min old
    is          STOPPED
    why         stopped: essential container app exited with code 3

    container   app STOPPED, exit code 3
    ");
    let (_, out, _) = run!(why, "", agent);
    insta::assert_snapshot!(out, @"
    task        5f0c9a7eab00 (web:3), 2 min old
    is          PENDING, should be RUNNING
    why         image registry.test/web:1 is being pulled (43 %, 12 MB/s)
                for 10 s, given up in 1 h 59 min; next: create container app

    2 tasks are where they should be
    ");
}

#[tokio::test]
async fn a_family_will_do_where_it_means_one_task() {
    let agent = Agent::start(snapshot_of([running("a1")])).await;
    assert_eq!(run!(why, "web", agent).0, Ok(exit::OK));
    agent
        .publisher
        .publish(snapshot_of([running("a1"), running("b2")]));
    let (code, _, _) = run!(why, "web", agent);
    let words = "there are several tasks of family \"web\", name one by its id: a1, b2";
    assert_eq!(code, Err((exit::NOT_FOUND, words.to_owned())));
    let (code, _, _) = run!(why, "nothing", agent);
    assert_eq!(code.expect_err("an error").0, exit::NOT_FOUND);
}

#[tokio::test]
async fn an_ambiguous_prefix_names_the_candidates() {
    let agent = Agent::start(snapshot_of([running("abc1"), running("abc2")])).await;
    let (code, _, _) = run!(stop, "abc", agent);
    let (code, words) = code.expect_err("an error");
    assert_eq!(code, exit::NOT_FOUND);
    assert!(words.contains("task/default/abc1\n"), "{words}");
}

#[tokio::test]
async fn stop_waits_and_says_how_it_ended() {
    let agent = Agent::start(snapshot_of([running("a1"), running("b2")])).await;
    let (code, out, err) = run!(stop, "a1 b2 --reason maintenance", agent);
    assert_eq!((code, err.as_str()), (Ok(exit::OK), ""));
    assert_eq!(out, "a1: stopped: maintenance\nb2: stopped: maintenance\n");
}

#[tokio::test]
async fn a_misspelt_task_keeps_the_others_from_being_stopped() {
    let agent = Agent::start(snapshot_of([running("a1")])).await;
    let (code, _, _) = run!(stop, "a1 c3", agent);
    assert_eq!(code.expect_err("an error").0, exit::NOT_FOUND);
    let snapshot = agent.publisher.shown();
    assert_eq!(
        snapshot.tasks[&arn("a1")].task.known.status,
        TaskStatus::Running
    );
}

#[tokio::test]
async fn a_wait_that_takes_too_long_ends_with_what_is_missing() {
    let agent = Agent::start(snapshot_of([pulling("a1")])).await;
    let task = super::select::select(&agent.client, "a1")
        .await
        .expect("a task");
    let (mut output, _, err) = captured(Format::Text);
    let limit = std::time::Duration::ZERO;
    let goal = super::wait::Goal::Stopped;
    let waited = super::wait::wait(&agent.client, &mut output, &[task], goal, limit).await;
    let error = waited.expect_err("the time is up");
    assert_eq!(exit::code_of(&error), exit::TIMED_OUT);
    let words = "a1: image registry.test/web:1 is being pulled (43 %, 12 MB/s)";
    assert_eq!(err.text(), format!("{words}\n"));
    assert_eq!(error.to_string(), format!("not there after 0 s: {words}"));
}

#[tokio::test]
async fn rm_takes_live_tasks_only_by_force() {
    let agent = Agent::start(host_of_tasks()).await;
    let (code, _, _) = run!(rm, "5f0c9a7e1 nightly-report", agent);
    assert_eq!(code.expect_err("an error").0, exit::CONFLICT);
    assert_eq!(agent.publisher.shown().tasks.len(), 3);
    let (_, out, _) = run!(rm, "--stopped", agent);
    assert_eq!(out, "nightly-report: removed\n");
    let (_, out, _) = run!(rm, "5f0c9a7e1 --force --no-wait", agent);
    assert_eq!(out, "5f0c9a7e11112222: being removed\n");
    assert_eq!(agent.publisher.shown().tasks.len(), 1);
}

#[tokio::test]
async fn events_are_read_followed_and_end_with_the_agent() {
    let agent = Agent::start(snapshot_of([running("a1")])).await;
    *agent.events.log.lock().expect("a log") = vec![event(1, "a1"), event(2, "gone")];
    let (code, out, _) = run!(events, "", agent);
    assert_eq!(code, Ok(exit::OK));
    insta::assert_snapshot!(out, @"
    2026-01-02T03:02:26.000Z  a1  app Started: started, number 1
    2026-01-02T03:02:27.000Z  gone  app Started: started, number 2
    ");
    let (_, out, _) = run!(events, "gone", agent);
    assert_eq!(out.lines().count(), 1, "of a task that is gone: {out}");
    let follow = async { run!(events, "web --follow", agent) };
    let after = async {
        // The reader has subscribed once its stream has a place in the channel.
        while agent.publisher.listeners() == 0 {
            tokio::task::yield_now().await;
        }
        agent.publisher.emit(event(3, "a1"));
        tokio::task::yield_now().await;
        agent.shutdown.cancel();
    };
    let ((code, out, _), ()) = tokio::join!(follow, after);
    assert_eq!(code.expect_err("an end").0, exit::UNREACHABLE);
    assert!(out.contains("number 1"), "{out}");
}

#[tokio::test]
async fn logs_of_one_container_and_of_several() {
    let agent = Agent::start(snapshot_of([running("a1")])).await;
    let chunk = |stream, text: &str| OutputChunk {
        stream,
        bytes: text.as_bytes().to_vec(),
        at: None,
    };
    let chunks = vec![
        chunk(OutputStream::Stdout, "one\n"),
        chunk(OutputStream::Stderr, "oh\n"),
    ];
    *agent.output.chunks.lock().expect("chunks") = chunks;
    let (code, out, err) = run!(logs, "web", agent);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (Ok(exit::OK), "one\n", "oh\n")
    );
    let (_, out, err) = run!(logs, "web -c app -c sidecar", agent);
    assert_eq!(out, "app     | one\n");
    let missing = "sidecar: no output: there is no container \"sidecar\"; there are app\n";
    assert_eq!(err, format!("{missing}app     | oh\n"));
    let (_, out, _) = run!(logs, "web --tail 1", agent, Format::Json);
    assert_eq!(
        out,
        "{\"container\":\"app\",\"stream\":\"stderr\",\"at\":\"2026-01-02T03:04:05.000Z\",\"text\":\"oh\"}\n"
    );
    agent.output.breaks.store(true, Ordering::Relaxed);
    assert_eq!(run!(logs, "web", agent).0, Ok(exit::UNAVAILABLE));
}

#[tokio::test]
async fn logs_of_a_container_that_is_not_there_yet_say_why() {
    let agent = Agent::start(snapshot_of([pulling("a1")])).await;
    let (code, words) = run!(logs, "a1", agent).0.expect_err("an error");
    assert_eq!(code, exit::CONFLICT);
    assert!(
        words.starts_with("image registry.test/web:1 is being pulled"),
        "{words}"
    );
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_told_with_its_socket_and_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = test_address(directory.path(), "berth.sock");
    let client = Client::new(&socket);
    let ask = || async {
        client
            .get::<PutAnswer>("/v1/health")
            .await
            .expect_err("no agent")
    };
    let absent = ask().await;
    assert!(matches!(absent, ClientError::NoSocket(_)), "{absent}");
    let words = absent.to_string();
    assert!(
        words.contains(&socket.display().to_string()) && words.contains("berth agent"),
        "{words}"
    );
    assert_eq!(exit::code_of(&absent.into()), exit::UNREACHABLE);
    // Only a socket can be there without anybody who listens.
    #[cfg(unix)]
    {
        drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
        let dead = ask().await;
        assert!(matches!(dead, ClientError::NobodyListens(_)), "{dead}");
        assert_eq!(exit::code_of(&dead.into()), exit::UNREACHABLE);
    }
}

#[tokio::test]
async fn an_answer_of_somebody_else_is_not_understood() {
    let agent = Agent::start(Snapshot::default()).await;
    let error = agent
        .client
        .get::<PutAnswer>("/v1/health")
        .await
        .expect_err("not a put");
    assert!(matches!(error, ClientError::BadAnswer { .. }), "{error}");
    let ask = Ask::new(hyper::Method::GET, "not a path");
    let error = agent
        .client
        .ask::<PutAnswer>(ask)
        .await
        .expect_err("not a path");
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_definition_lists_its_errors() {
    let agent = Agent::start(Snapshot::default()).await;
    let mut ask = Ask::new(hyper::Method::PUT, "/v1/tasks/a1");
    ask.body = "{\"family\": \"a b\", \"containerDefinitions\": []}".into();
    let error = agent
        .client
        .ask::<PutAnswer>(ask)
        .await
        .expect_err("refused");
    let words = error.to_string();
    assert!(
        words.contains("\n  family: ") && words.contains("\n  containerDefinitions: "),
        "{words}"
    );
    assert_eq!(exit::code_of(&error.into()), exit::REFUSED);
}

#[test]
fn the_openapi_document_is_printed_as_it_is_committed() {
    for (document, file) in [
        (Document::Admin, "admin.json"),
        (Document::Introspection, "introspection.json"),
    ] {
        let (mut output, out, _) = captured(Format::Text);
        let code = openapi::run(document, &mut output).expect("printed");
        assert_eq!(code, exit::OK);
        let path = format!("{}/openapi/{file}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(path).expect("a document");
        // Not `assert_eq`: nobody wants to see both.
        assert!(out.text() == committed, "{file}");
    }
}

#[test]
fn parts_of_paths_are_encoded() {
    assert_eq!(encode("arn:aws/ä b-._~"), "arn%3Aaws%2F%C3%A4%20b-._~");
}

#[tokio::test]
async fn an_instance_is_drained_looked_at_and_given_back() {
    let mut snapshot = host_of_tasks();
    for view in snapshot.tasks.values_mut() {
        let known = &mut Arc::make_mut(view).task.known;
        known.admitted_at = (known.status == TaskStatus::Running).then_some(ago(60));
    }
    let agent = Agent::start(snapshot).await;
    let (_, out, _) = run!(drain, "--status", agent);
    assert_eq!(out, "the instance does not drain: new tasks start\n");
    let (code, out, _) = run!(drain, "--reason kernel", agent);
    assert_eq!(code, Ok(exit::OK));
    insta::assert_snapshot!(out, @"
    the instance drains: kernel
    no new task starts; `berth drain --undo` ends that
    1 task still runs on it
    1 task is waiting to start
    ");
    let (_, out, _) = run!(why, "5f0c9a7eab00", agent);
    assert!(out.starts_with("DRAINS"), "{out}");
    let (code, _, err) = run!(drain, "--wait --timeout 0", agent);
    assert_eq!(code.map_err(|(code, _)| code), Err(exit::TIMED_OUT));
    assert_eq!(err, "1 task still runs on it\n");
    let (_, out, _) = run!(drain, "--undo", agent, Format::Json);
    let state: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(state["draining"], false);
}
