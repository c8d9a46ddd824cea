//! The service with real files.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{AuditConfig, AuditHandle, AuditService, service};
use crate::boundary::credentials::{AuditEntry, AuditEvent, AuditLog as _};
use crate::domain::credentials::RoleKind;
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::platform::rotating::FileConfig;

fn entry(status: u16) -> AuditEntry {
    AuditEntry {
        at: UnixMillis(0),
        status,
        peer: "127.0.0.1:1".parse().unwrap(),
        path: "/v2/credentials".into(),
        user_agent: String::new(),
        owner: None,
        event: AuditEvent::Refused,
        against: None,
    }
}

fn vended(task: u32) -> AuditEntry {
    let arn = format!("arn:aws:ecs:local:000000000000:task/default/{task}");
    AuditEntry {
        owner: Some(TaskArn::parse(&arn).unwrap()),
        event: AuditEvent::Vended(RoleKind::Task),
        ..entry(200)
    }
}

fn config(path: std::path::PathBuf) -> AuditConfig {
    AuditConfig {
        file: Some(FileConfig {
            path,
            max_bytes: 5_000_000,
            max_files: 24,
        }),
        cluster: String::new(),
    }
}

fn of_nobody(config: AuditConfig) -> (AuditService, AuditHandle) {
    service(config, Arc::new(|| None))
}

#[tokio::test]
async fn what_was_recorded_before_the_end_is_in_the_file_in_order() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("audit.log");
    let (service, handle) = of_nobody(config(path.clone()));
    let shutdown = CancellationToken::new();
    let mut work = JoinSet::new();
    for status in 400..500 {
        handle.record(entry(status));
    }
    work.spawn(service.run(shutdown.clone()));
    shutdown.cancel();
    work.join_all().await;
    let text = std::fs::read_to_string(path).unwrap();
    let statuses: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(
        statuses,
        (400..500).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(handle.dropped(), 0);
}

#[tokio::test]
async fn more_than_can_wait_is_dropped_and_counted_and_nobody_waits() {
    let root = tempfile::tempdir().unwrap();
    let (_service, handle) = of_nobody(config(root.path().join("audit.log")));
    for number in 0..10_000 {
        handle.record(vended(number / 1000));
    }
    assert_eq!(handle.dropped(), 10_000 - 8192);
}

/// Goal: a task that asks in a loop takes neither the room of the file nor a place in the queue from anybody.
#[tokio::test]
async fn whoever_asks_in_a_loop_fills_neither_the_file_nor_the_queue() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("audit.log");
    let (service, handle) = of_nobody(config(path.clone()));
    for _ in 0..100_000 {
        handle.record(entry(400));
    }
    handle.record(vended(1));
    let shutdown = CancellationToken::new();
    let mut work = JoinSet::new();
    work.spawn(service.run(shutdown.clone()));
    shutdown.cancel();
    work.join_all().await;
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(" 200 127.0.0.1:1 ").count(), 1);
    assert_eq!(text.matches(" 400 127.0.0.1:1 ").count(), 10);
    let counted = r#" 400 127.0.0.1:0 "/v2/credentials" "99990 more like this" - "#;
    assert_eq!(text.matches(counted).count(), 1, "{text}");
    assert_eq!((text.lines().count(), handle.dropped()), (12, 0));
}

#[tokio::test]
async fn lines_name_the_container_instance_once_there_is_one() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("audit.log");
    let known = Arc::new(OnceLock::new());
    let instance = Arc::clone(&known);
    let (service, handle) = service(
        config(path.clone()),
        Arc::new(move || instance.get().cloned()),
    );
    let shutdown = CancellationToken::new();
    let mut work = JoinSet::new();
    work.spawn(service.run(shutdown.clone()));
    handle.record(entry(400));
    let lines = || std::fs::read_to_string(&path).unwrap_or_default();
    while lines().is_empty() {
        tokio::task::yield_now().await;
    }
    known.set("arn:ci".to_owned()).unwrap();
    handle.record(entry(503));
    shutdown.cancel();
    work.join_all().await;
    let ends: Vec<String> = lines()
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(ends, ["-", "arn:ci"]);
}

#[tokio::test]
async fn what_a_file_does_not_take_is_counted_and_later_entries_are_written() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("audit.log");
    std::fs::create_dir(&path).unwrap();
    let (service, handle) = of_nobody(config(path.clone()));
    let shutdown = CancellationToken::new();
    let mut work = JoinSet::new();
    work.spawn(service.run(shutdown.clone()));
    handle.record(entry(400));
    while handle.dropped() == 0 {
        tokio::task::yield_now().await;
    }
    std::fs::remove_dir(&path).unwrap();
    handle.record(entry(503));
    shutdown.cancel();
    work.join_all().await;
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains(" 503 "));
}

#[tokio::test]
async fn a_record_that_is_turned_off_makes_no_file() {
    let off = AuditConfig {
        file: None,
        cluster: String::new(),
    };
    let (service, handle) = of_nobody(off);
    let handle: Arc<dyn crate::boundary::AuditLog> = Arc::new(handle);
    let shutdown = CancellationToken::new();
    handle.record(entry(200));
    shutdown.cancel();
    service.run(shutdown).await;
}
