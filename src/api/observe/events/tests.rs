//! The stream with a log and an engine of its own: order, gaps, ends, and resuming.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::follow::{After, HEARTBEAT, Only, Reader, Wanted};
use super::wire::{EndReason, StreamItem};
use crate::api::admin::MAX_STREAMS;
use crate::api::admin::testing::{Rig, arn, event, request, snapshot_of, task};
use crate::api::observe::state::Streams;
use crate::boundary::TaskStore;
use crate::reconcile::snapshot::Snapshot;

fn log(rig: &Rig, sequences: std::ops::RangeInclusive<i64>) {
    let events =
        sequences.map(|sequence| event(sequence, if sequence % 2 == 0 { "b" } else { "a" }));
    *rig.events.log.lock().expect("a log") = events.collect();
}

fn read(rig: &Rig, wanted: Wanted, shutdown: &CancellationToken) -> BoxStream<'static, StreamItem> {
    let store: Arc<dyn TaskStore> = rig.events.clone();
    let place = Streams::new(1).enter().expect("a place");
    let live = rig.state.observe.engine.events();
    Reader::new(store, live, shutdown.clone(), wanted, place).into_stream()
}

fn follow(after: After) -> Wanted {
    Wanted {
        only: Only::default(),
        after,
        follow: true,
        limit: None,
    }
}

/// `7` an event, `~` a heartbeat, `TooSlow>7` an end and where to go on.
fn short(item: Option<StreamItem>) -> String {
    match item {
        None => "-".to_owned(),
        Some(StreamItem::Heartbeat) => "~".to_owned(),
        Some(StreamItem::Task(task)) => task.task_id,
        Some(StreamItem::Sync(sync)) => format!("={}", sync.sequence),
        Some(StreamItem::Event(event)) => event.sequence.to_string(),
        Some(StreamItem::End(end)) => format!("{:?}>{}", end.reason, end.resume_after),
    }
}

async fn next(stream: &mut BoxStream<'static, StreamItem>, count: usize) -> String {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(short(stream.next().await));
    }
    items.join(" ")
}

#[tokio::test(start_paused = true)]
async fn what_was_logged_then_what_comes_without_gap_or_repetition() {
    let rig = Rig::new(Snapshot::default());
    log(&rig, 1..=3);
    let mut stream = read(&rig, follow(After::Sequence(1)), &CancellationToken::new());
    // Logged and told while the reader catches up: it must come once.
    log(&rig, 1..=4);
    rig.engine.publisher().emit(event(4, "a"));
    rig.engine.publisher().emit(event(5, "a"));
    assert_eq!(next(&mut stream, 5).await, "2 3 4 5 ~");
}

/// Only events of that task, new ones.
fn of_task_a() -> Wanted {
    Wanted {
        only: Only {
            task: Some(arn("a")),
            ..Only::default()
        },
        ..follow(After::Snapshot(0))
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_tasks_events_come_and_only_new_ones_after_latest() {
    let rig = Rig::new(Snapshot::default());
    log(&rig, 1..=4);
    let mut stream = read(&rig, of_task_a(), &CancellationToken::new());
    rig.engine.publisher().emit(event(6, "b"));
    rig.engine.publisher().emit(event(7, "a"));
    assert_eq!(next(&mut stream, 2).await, "7 ~");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_while_nothing_but_other_tasks_events_do() {
    let rig = Rig::new(Snapshot::default());
    let mut stream = read(&rig, of_task_a(), &CancellationToken::new());
    let began = Instant::now();
    let others = async {
        for sequence in 1..=10 {
            rig.engine.publisher().emit(event(sequence, "b"));
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    let heard = async {
        let heard = next(&mut stream, 3).await;
        (heard, began.elapsed())
    };
    let (heard, ()) = tokio::join!(heard, others);
    assert_eq!(heard, ("~ ~ ~".to_owned(), HEARTBEAT * 3));
}

#[tokio::test(start_paused = true)]
async fn only_the_wanted_kinds_come_and_the_place_moves_on_all_the_same() {
    let rig = Rig::new(Snapshot::default());
    let stopped = |sequence| {
        let mut stored = event(sequence, "a");
        stored.event.kind = "Stopped".to_owned();
        stored
    };
    *rig.events.log.lock().expect("a log") = vec![event(1, "a"), stopped(2), event(3, "a")];
    let wanted = Wanted {
        only: Only {
            kinds: ["Stopped".to_owned()].into(),
            ..Only::default()
        },
        ..follow(After::Sequence(0))
    };
    let shutdown = CancellationToken::new();
    let mut stream = read(&rig, wanted, &shutdown);
    assert_eq!(next(&mut stream, 2).await, "2 ~");
    rig.engine.publisher().emit(stopped(5));
    rig.engine.publisher().emit(event(6, "a"));
    assert_eq!(next(&mut stream, 2).await, "5 ~");
    shutdown.cancel();
    assert_eq!(next(&mut stream, 1).await, "ShuttingDown>6");
}

#[tokio::test]
async fn a_snapshot_comes_first_and_says_where_to_go_on() {
    let mut snapshot = snapshot_of([task("a"), task("b")]);
    Arc::make_mut(&mut snapshot.engine).last_event = 7;
    let mut rig = Rig::new(snapshot);
    // The answer is made without the store.
    rig.events.fails.store(true, Ordering::Relaxed);
    let text = rig.get("/v1/events?snapshot").await.text;
    let items: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let tasks = items[..2]
        .iter()
        .map(|item| (&item["type"], &item["taskId"]));
    let tasks: Vec<_> = tasks.collect();
    assert_eq!(
        tasks,
        [(&"task".into(), &"a".into()), (&"task".into(), &"b".into())]
    );
    assert_eq!(items[2], serde_json::json!({"type": "sync", "sequence": 7}));
    assert_eq!(items.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_lags_is_sent_away_with_the_place_to_go_on_from() {
    let rig = Rig::new(Snapshot::default());
    log(&rig, 1..=1);
    let mut stream = read(&rig, follow(After::Sequence(0)), &CancellationToken::new());
    assert_eq!(next(&mut stream, 2).await, "1 ~");
    for sequence in 2..=5_000 {
        rig.engine.publisher().emit(event(sequence, "a"));
    }
    assert_eq!(next(&mut stream, 2).await, "TooSlow>1 -");
    log(&rig, 1..=5_000);
    let mut resumed = read(&rig, follow(After::Sequence(1)), &CancellationToken::new());
    let all = next(&mut resumed, 4_999).await;
    assert!(all.starts_with("2 3 4 ") && all.ends_with(" 4999 5000"));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_a_stream_with_its_reason() {
    let rig = Rig::new(Snapshot::default());
    log(&rig, 1..=1);
    let shutdown = CancellationToken::new();
    let mut stream = read(&rig, follow(After::Sequence(0)), &shutdown);
    assert_eq!(next(&mut stream, 1).await, "1");
    shutdown.cancel();
    assert_eq!(next(&mut stream, 2).await, "ShuttingDown>1 -");
}

#[tokio::test]
async fn without_follow_the_log_ends_or_says_why_it_does_not() {
    let rig = Rig::new(Snapshot::default());
    log(&rig, 1..=1_001);
    let wanted = |limit| Wanted {
        follow: false,
        limit,
        ..follow(After::Sequence(0))
    };
    let mut all = read(&rig, wanted(None), &CancellationToken::new());
    assert!(next(&mut all, 1_002).await.ends_with(" 1001 -"));
    let mut some = read(&rig, wanted(Some(2)), &CancellationToken::new());
    assert_eq!(next(&mut some, 4).await, "1 2 Limit>2 -");
    rig.events.fails.store(true, Ordering::Relaxed);
    let mut broken = read(&rig, wanted(None), &CancellationToken::new());
    assert_eq!(next(&mut broken, 2).await, "StoreUnavailable>0 -");
}

#[tokio::test]
async fn a_removed_task_is_read_by_its_id_and_a_misspelt_one_is_not_found() {
    let mut rig = Rig::new(snapshot_of([task("b")]));
    log(&rig, 1..=4);
    let answer = rig.get("/v1/events?task=a").await;
    assert_eq!(answer.text.lines().count(), 2, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    assert_eq!(rig.get("/v1/events?task=c").await.status, 404);
    rig.events.fails.store(true, Ordering::Relaxed);
    let answer = rig.get("/v1/events?task=c").await;
    assert_eq!(answer.json()["type"], "urn:berth:problem:store-unavailable");
    assert!(!answer.text.contains("secret"));
}

#[tokio::test]
async fn a_client_that_reconnects_goes_on_where_it_was() {
    let mut rig = Rig::new(Snapshot::default());
    log(&rig, 1..=3);
    let mut again = request("GET", "/v1/events?after=0", "");
    again
        .headers_mut()
        .insert("last-event-id", "2".parse().expect("a header"));
    again
        .headers_mut()
        .insert("accept", "text/event-stream".parse().expect("a header"));
    let answer = rig.send(again).await;
    assert!(
        answer.text.starts_with("id: 3\nevent: event\ndata: {"),
        "{}",
        answer.text
    );
    for path in [
        "/v1/events?after=-1",
        "/v1/events?limit=0",
        "/v1/events?folow",
    ] {
        assert_eq!(rig.get(path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_client_whose_place_is_gone_is_told_so_instead_of_being_left_with_a_gap() {
    let mut rig = Rig::new(snapshot_of([task("a")]));
    log(&rig, 50..=60);
    let resume = |path: &str, place: &str| {
        let mut again = request("GET", path, "");
        let place = place.parse().expect("a header");
        again.headers_mut().insert("last-event-id", place);
        again
    };
    let gone = rig.send(resume("/v1/events", "7")).await;
    assert_eq!(gone.status, 410);
    assert_eq!(gone.json()["type"], "urn:berth:problem:events-gone");
    let words = "events after 7 are gone, the log begins with 50";
    assert_eq!(gone.json()["detail"], words);
    assert_eq!(rig.send(resume("/v1/events", "49")).await.status, 200);
    let anew = rig.send(resume("/v1/events?snapshot", "7")).await;
    assert_eq!(anew.status, 200, "a snapshot leaves no gap");
    assert_eq!(
        rig.get("/v1/events?after=7").await.status,
        200,
        "whoever asks for what is there gets what is there"
    );
    assert_eq!(rig.get("/v1/events?follow&after=7").await.status, 410);
}

#[tokio::test]
async fn streams_have_a_limit_and_give_their_place_back() {
    let mut rig = Rig::new(Snapshot::default());
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS {
        let follow = request("GET", "/v1/events?follow&after=latest", "");
        let response = tower::ServiceExt::oneshot(rig.router.clone(), follow).await;
        open.push(response.expect("infallible"));
    }
    let refused = rig.get("/v1/events").await;
    assert_eq!(refused.json()["type"], "urn:berth:problem:busy");
    assert_eq!(refused.headers["retry-after"], "1");
    open.pop();
    assert_eq!(rig.get("/v1/events").await.status, 200);
}

#[test]
fn an_end_has_a_word_for_programs() {
    let word = serde_json::to_value(EndReason::TooSlow).expect("JSON");
    assert_eq!(word, "tooSlow");
}
