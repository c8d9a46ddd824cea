//! Explanations as a table, and the answers of both routes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::all::list;
use super::explain::{bytes_per_second, explain, percent};
use crate::api::admin::testing::{
    NOW, Rig, ago, condition, container_name, event, running, snapshot_of, task,
};
use crate::api::observe::files::wire::{TaskFile, TaskFiles};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::PullProgress;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::{Cause, Step, StopCause};
use crate::reconcile::snapshot::{EngineView, InFlight, TaskView};

fn check(view: &TaskView, engine: &EngineView, headline: &str, first: Option<Cause>) {
    let explanation = explain(view, engine, NOW);
    let blocking = explanation
        .blocking
        .as_ref()
        .map(|condition| condition.cause);
    assert_eq!((explanation.headline.as_str(), blocking), (headline, first));
    let waits = first.is_some_and(|cause| cause != Cause::WaitingForCleanup);
    assert_eq!(explanation.is_waiting(), !explanation.converged || waits);
}

fn sound() -> EngineView {
    EngineView::default()
}

fn with(mut view: TaskView, conditions: &[(Cause, &str)]) -> TaskView {
    let conditions = conditions
        .iter()
        .map(|(cause, words)| condition(*cause, words));
    view.task.known.conditions = conditions.collect();
    view
}

fn pulling() -> TaskView {
    let mut view = with(
        task("a"),
        &[(Cause::Pulling, "registry.test/web:1 is being pulled")],
    );
    view.in_flight.push(InFlight {
        container: Some(container_name("app")),
        step: Step::Pull,
        since: ago(10),
        deadline: Some(NOW.plus(std::time::Duration::from_mins(2))),
        progress: Some(PullProgress {
            downloaded_bytes: 120_000_000,
            download_total_bytes: 279_000_000,
            extracted_bytes: 5_000_000,
            extracting_secs: 0,
            layers_done: 1,
            layers_total: 3,
        }),
    });
    view
}

#[test]
fn a_task_where_it_should_be_says_so() {
    check(&running("a"), &sound(), "runs as asked", None);
    let unhealthy = with(
        running("a"),
        &[(Cause::Unhealthy, "its health check fails")],
    );
    let words = "runs as asked, but its health check fails";
    check(&unhealthy, &sound(), words, Some(Cause::Unhealthy));
    let mut stopped = with(
        running("a"),
        &[(Cause::WaitingForCleanup, "is kept for 3 h")],
    );
    stopped.task.known.status = TaskStatus::Stopped;
    stopped.task.known.stop = Some(StopCause {
        reason: Reason::new(
            ReasonName::EssentialContainerExited,
            "app exited with code 3",
        ),
        at: ago(5),
    });
    let words = "stopped: app exited with code 3";
    check(&stopped, &sound(), words, Some(Cause::WaitingForCleanup));
}

#[test]
fn the_cause_that_explains_the_others_comes_first() {
    let waiting = [
        (Cause::WaitingForDependency, "waits for db"),
        (Cause::BackingOff, "the pull failed twice"),
    ];
    let view = with(task("a"), &waiting);
    check(
        &view,
        &sound(),
        "the pull failed twice",
        Some(Cause::BackingOff),
    );
    let hanging = EngineView {
        runtime_error: Some("no such socket".to_owned()),
        runtime_answered_at: Some(ago(30)),
        ..EngineView::default()
    };
    let words = "Docker does not answer: no such socket";
    check(&view, &hanging, words, Some(Cause::RuntimeUnavailable));
    let full = EngineView {
        store_error: Some("disk full".to_owned()),
        ..hanging
    };
    let words = "the state cannot be written: disk full";
    check(&view, &full, words, Some(Cause::StoreUnavailable));
}

#[test]
fn a_pull_says_how_far_it_is() {
    let words = "registry.test/web:1 is being pulled (43 %, 12 MB/s)";
    check(&pulling(), &sound(), words, Some(Cause::Pulling));
}

#[test]
fn no_task_stays_without_a_sentence() {
    let mut view = task("a");
    check(&view, &sound(), "the engine has not looked at it yet", None);
    view.task.known.observed_generation = view.task.desired.generation;
    let words = "no cause is recorded: this is a defect, please report it";
    check(&view, &sound(), words, None);
    view.planned = vec!["create container app".to_owned()];
    check(&view, &sound(), "next: create container app", None);
    view.in_flight = pulling().in_flight;
    check(&view, &sound(), "pull of container app is under way", None);
}

#[test]
fn a_task_that_is_to_go_is_not_settled_before_it_is_gone() {
    let mut view = running("a");
    view.task.desired.status = DesiredStatus::Stopped;
    view.task.desired.remove = true;
    view.task.known.status = TaskStatus::Stopped;
    assert!(!explain(&view, &sound(), NOW).converged);
}

#[test]
fn progress_survives_odd_numbers() {
    for (downloaded, total, share) in [
        (0, 0, None),
        (5, 0, None),
        (1, 3, Some(33)),
        (9, 3, Some(100)),
        (u64::MAX, u64::MAX, Some(100)),
    ] {
        let progress = PullProgress {
            downloaded_bytes: downloaded,
            download_total_bytes: total,
            ..PullProgress::default()
        };
        assert_eq!(percent(&progress), share, "{downloaded} of {total}");
    }
    let progress = PullProgress {
        downloaded_bytes: 500,
        ..PullProgress::default()
    };
    assert_eq!(bytes_per_second(&progress, NOW, NOW), None);
    assert_eq!(
        bytes_per_second(&progress, NOW.plus(std::time::Duration::from_secs(9)), NOW),
        None
    );
    assert_eq!(bytes_per_second(&progress, ago(5), NOW), Some(100));
}

#[tokio::test]
async fn one_task_explained_with_the_end_of_its_timeline() {
    let mut view = pulling();
    for sequence in 1_000..=1_200 {
        Arc::make_mut(&mut view.timeline).push(event(sequence, "a"));
    }
    let mut rig = Rig::new(snapshot_of([view]));
    let answer = rig.get("/v1/tasks/a/why?events=1").await.json();
    assert_eq!(answer["timeline"][0]["sequence"], 1_200);
    assert_eq!(answer["timeline"][1], serde_json::Value::Null);
    let task = &answer["task"];
    let shown = [&task["headline"], &task["blocking"], &task["inFlight"]];
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).expect("JSON"), @r#"
    [
      "registry.test/web:1 is being pulled (43 %, 12 MB/s)",
      {
        "container": "app",
        "cause": "Pulling",
        "message": "registry.test/web:1 is being pulled",
        "since": "2026-01-02T03:03:55.000Z",
        "ageSeconds": 10,
        "nextAction": "look again"
      },
      [
        {
          "container": "app",
          "step": "pull",
          "since": "2026-01-02T03:03:55.000Z",
          "ageSeconds": 10,
          "deadline": "2026-01-02T03:06:05.000Z",
          "progress": {
            "percent": 43,
            "bytesPerSecond": 12000000,
            "downloadedBytes": 120000000,
            "downloadTotalBytes": 279000000,
            "extractedBytes": 5000000,
            "layersDone": 1,
            "layersTotal": 3
          }
        }
      ]
    ]
    "#);
}

#[tokio::test]
async fn a_past_that_cannot_be_read_takes_only_the_timeline_away() {
    let mut snapshot = snapshot_of([pulling()]);
    snapshot.engine = Arc::new(EngineView {
        timeline_error: Some("disk broken".to_owned()),
        ..EngineView::default()
    });
    let mut rig = Rig::new(snapshot);
    // The answer is made without the store.
    rig.events.fails.store(true, Ordering::Relaxed);
    let answer = rig.get("/v1/tasks/a/why").await.json();
    assert_eq!(answer["task"]["blocking"]["cause"], "Pulling");
    assert_eq!(answer["timelineError"], "disk broken");
}

#[tokio::test]
async fn all_that_wait_and_nothing_else() {
    let mut stopped = with(running("d"), &[(Cause::WaitingForCleanup, "is kept")]);
    stopped.task.known.status = TaskStatus::Stopped;
    stopped.task.desired.status = DesiredStatus::Stopped;
    let unhealthy = with(
        running("c"),
        &[(Cause::Unhealthy, "its health check fails")],
    );
    let mut snapshot = snapshot_of([pulling(), running("b"), unhealthy, stopped]);
    snapshot.engine = Arc::new(EngineView {
        damage: vec!["row 7".to_owned()],
        ..EngineView::default()
    });
    let answer = Rig::new(snapshot).get("/v1/why").await.json();
    let ids: Vec<_> = answer["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .map(|task| &task["taskId"])
        .collect();
    assert_eq!(
        (ids, &answer["settled"]),
        (vec![&"a".into(), &"c".into()], &2.into())
    );
    assert_eq!(answer["engine"]["damage"][0], "row 7");
}

#[test]
fn a_stopped_task_whose_file_starts_it_anew_waits() {
    let mut stopped = with(running("a"), &[(Cause::WaitingForCleanup, "is kept")]);
    stopped.task.known.status = TaskStatus::Stopped;
    stopped.task.desired.status = DesiredStatus::Stopped;
    let arn = stopped.task.arn().to_string();
    let snapshot = snapshot_of([stopped]);
    let files = |until| TaskFiles {
        files: vec![TaskFile {
            name: "web".to_owned(),
            state: "WAITING".to_owned(),
            task_arn: Some(arn.clone()),
            until,
            problems: Vec::new(),
            warnings: Vec::new(),
        }],
        ..TaskFiles::default()
    };
    let settled = list(&snapshot, &files(None), NOW);
    assert_eq!((settled.tasks.len(), settled.settled), (0, 1));
    let waiting = list(&snapshot, &files(Some(NOW.into())), NOW);
    assert_eq!((waiting.tasks.len(), waiting.settled), (1, 0));
    let task = &waiting.tasks[0];
    assert_eq!(task.headline, "stopped, but its file web starts it anew");
    let next = task.blocking.as_ref().expect("a condition");
    assert_eq!(
        (next.next_action.as_str(), next.next_at),
        ("start a new task", Some(NOW.into()))
    );
}
