//! The whole text: its rules, its labels, its speed's upper bound in work, and what counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::lint::lint;
use super::{ControlPlaneUse, Counted, Format, ProcessUse, ReadOff, TaskStage, TaskUse};
use crate::api::admin::testing::{NOW, ago, condition, running, snapshot_of, task};
use crate::boundary::ErrorKind;
use crate::boundary::credentials::{AuditEntry, AuditEvent};
use crate::boundary::host::DiskSpace;
use crate::boundary::images::{ImageEntry, Inventory, InventoryDisk, PullState, PullView};
use crate::boundary::meter::{Meter, Round};
use crate::domain::credentials::RoleKind;
use crate::domain::task::{Cause, Step};
use crate::reconcile::snapshot::InFlight;

fn read_off(tasks: usize) -> ReadOff {
    let mut waiting = task("waiting");
    waiting.task.known.conditions = vec![condition(
        Cause::Pulling,
        "r.test/secret-image:1 is being pulled",
    )];
    waiting.in_flight.push(InFlight {
        container: None,
        step: Step::Pull,
        since: ago(1),
        deadline: None,
        progress: None,
    });
    let mut snapshot = snapshot_of((0..tasks).map(|number| running(&format!("t{number}"))));
    snapshot
        .tasks
        .insert(waiting.task.arn().clone(), Arc::new(waiting));
    ReadOff {
        snapshot: Arc::new(snapshot),
        inventory: Inventory {
            images: vec![ImageEntry {
                pull: Some(PullView {
                    state: PullState::Checking,
                    essential: true,
                    since: ago(1),
                }),
                ..ImageEntry::default()
            }],
            disk: Some(InventoryDisk {
                path: "/d".to_owned(),
                space: DiskSpace {
                    free_bytes: 1,
                    total_bytes: 2,
                },
                at: ago(1),
            }),
            ..Inventory::default()
        },
        process: Some(ProcessUse::default()),
        tasks: (0..tasks)
            .map(|number| TaskUse {
                family: "web".to_owned(),
                task_id: format!("t{number}"),
                cpu_seconds: 1.5,
                ..TaskUse::default()
            })
            .collect(),
        audit_dropped: 3,
        control_plane: Some(ControlPlaneUse {
            session_since: Some(ago(60)),
            heard_at: Some(ago(2)),
            outstanding: 1,
        }),
        now: NOW,
    }
}

fn asked(status: u16, path: &'static str, event: AuditEvent) -> AuditEntry {
    AuditEntry {
        at: NOW,
        status,
        peer: ([127, 0, 0, 1], 1).into(),
        path: path.into(),
        user_agent: "an-sdk".to_owned(),
        owner: None,
        event,
        against: (status == 400).then_some("other-task"),
    }
}

fn counted() -> Counted {
    let counted = Counted::new();
    let took = Duration::from_millis(3);
    counted.docker_call("create", took, Some(ErrorKind::Conflict));
    counted.docker_call("list", took, None);
    counted.commit(took, Some(ErrorKind::NoSpace));
    counted.pulled(took);
    counted.pull_failed(ErrorKind::Denied);
    counted.stage(TaskStage::Running, took);
    counted.received(took);
    counted.reported(took);
    counted.event("Started");
    counted.exit(true);
    counted.restarted();
    let credentials = "/v2/credentials";
    for entry in [
        asked(200, credentials, AuditEvent::Vended(RoleKind::Task)),
        asked(200, credentials, AuditEvent::Vended(RoleKind::Task)),
        asked(400, credentials, AuditEvent::Refused),
        asked(429, "/v4", AuditEvent::RateLimited),
    ] {
        counted.credentials(&entry);
    }
    counted.decided(Round {
        keys: 2,
        lag: took,
        took,
        queued: 7,
    });
    counted
}

#[test]
fn the_text_keeps_the_rules_of_promtool() {
    let text = counted().text(&read_off(3), Format::Prometheus);
    assert_eq!(lint(&text), [""; 0], "{text}");
    assert!(text.lines().count() > 80, "{text}");
}

/// Names, types and labels of the text, as lines of the table in the document.
fn families(text: &str) -> Vec<(String, String)> {
    let types = text.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some((name.to_owned(), kind.to_owned()))
    });
    types.collect()
}

#[test]
fn the_document_lists_every_family_and_no_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let document = std::fs::read_to_string(path).expect("a document");
    let rows = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`');
        Some((name.to_owned(), cells.next()?.trim().to_owned()))
    });
    let written: BTreeSet<_> = rows.collect();
    let text = counted().text(&read_off(3), Format::Prometheus);
    let shown: BTreeSet<_> = families(&text).into_iter().collect();
    let strangers: Vec<_> = written.symmetric_difference(&shown).collect();
    assert!(
        strangers.is_empty(),
        "in one of the two only: {strangers:?}"
    );
}

#[test]
fn what_has_not_happened_is_there_at_zero() {
    let text = Counted::new().text(&read_off(0), Format::Prometheus);
    for line in [
        r#"ecs_agent_http_rate_limited_total{route="/v4"} 0"#,
        r#"ecs_agent_credentials_callers_total{against="stranger"} 0"#,
        r#"ecs_agent_state_store_errors_total{code="no-space"} 0"#,
        "ecs_agent_container_restarts_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[test]
fn what_happened_is_there_under_its_name() {
    let text = counted().text(&read_off(3), Format::Prometheus);
    for line in [
        r#"ecs_agent_docker_call_errors_total{op="create",code="conflict"} 1"#,
        r#"ecs_agent_docker_call_seconds_count{op="list"} 1"#,
        r#"ecs_agent_state_store_errors_total{code="no-space"} 1"#,
        r#"ecs_agent_image_pull_failures_total{code="denied"} 1"#,
        r#"ecs_agent_task_stage_seconds_count{stage="running"} 1"#,
        r#"ecs_agent_task_stage_seconds_count{stage="received"} 1"#,
        r#"ecs_agent_task_stage_seconds_count{stage="reported"} 1"#,
        r#"ecs_agent_container_exits_total{oom="true"} 1"#,
        "ecs_agent_container_restarts_total 1",
        "process_start_time_seconds 0.0",
        r#"ecs_agent_tasks{known="RUNNING",desired="RUNNING"} 3"#,
        r#"ecs_agent_task_blocked{kind="Pulling"} 1"#,
        r#"ecs_agent_task_cpu_seconds_total{family="web",task="t1"} 1.5"#,
        r#"ecs_agent_docker_disk_bytes{kind="free"} 1"#,
        r#"ecs_agent_credentials_requests_total{code="200",role="task"} 2"#,
        r#"ecs_agent_credentials_requests_total{code="200",role="execution"} 0"#,
        r#"ecs_agent_credentials_requests_total{code="400",role="none"} 1"#,
        r#"ecs_agent_http_rate_limited_total{route="/v4"} 1"#,
        r#"ecs_agent_credentials_callers_total{against="other-task"} 1"#,
        "ecs_agent_audit_dropped_total 3",
        r#"ecs_agent_connection_up{peer="control_plane"} 1"#,
        r#"ecs_agent_last_success_age_seconds{what="control_plane"} 2.0"#,
        "ecs_agent_control_plane_session_age_seconds 60.0",
        "ecs_agent_control_plane_outstanding_tasks 1",
        "ecs_agent_draining 0",
        "ecs_agent_reconcile_queue_length 7",
        "ecs_agent_reconciles_total 2",
        "process_resident_memory_bytes 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[test]
fn no_label_holds_an_arn_or_words() {
    let text = counted().text(&read_off(3), Format::Prometheus);
    for secret in ["arn:", "secret-image", "registry.test"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}

#[test]
fn open_metrics_ends_as_it_must() {
    let text = counted().text(&read_off(1), Format::OpenMetrics);
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
}

#[test]
fn two_hundred_tasks_are_a_short_text() {
    let text = counted().text(&read_off(200), Format::Prometheus);
    assert!(text.len() < 200_000, "{} bytes", text.len());
}
