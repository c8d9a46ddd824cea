//! The service with real files.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{AuditConfig, Context, service};
use crate::boundary::credentials::{AuditEntry, AuditEvent, AuditLog as _};
use crate::domain::ids::UnixMillis;
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

fn config(path: std::path::PathBuf) -> AuditConfig {
    AuditConfig {
        file: Some(FileConfig {
            path,
            max_bytes: 5_000_000,
            max_files: 24,
        }),
        context: Context::default(),
    }
}

#[tokio::test]
async fn what_was_recorded_before_the_end_is_in_the_file_in_order() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("audit.log");
    let (service, handle) = service(config(path.clone()));
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
    let (_service, handle) = service(config(root.path().join("audit.log")));
    for _ in 0..10_000 {
        handle.record(entry(400));
    }
    assert_eq!(handle.dropped(), 10_000 - 8192);
}

#[tokio::test]
async fn what_a_file_does_not_take_is_counted_and_later_entries_are_written() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("audit.log");
    std::fs::create_dir(&path).unwrap();
    let (service, handle) = service(config(path.clone()));
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
        context: Context::default(),
    };
    let (service, handle) = service(off);
    let handle: Arc<dyn crate::boundary::AuditLog> = Arc::new(handle);
    let shutdown = CancellationToken::new();
    handle.record(entry(200));
    shutdown.cancel();
    service.run(shutdown).await;
}
