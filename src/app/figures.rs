//! What `/metrics` is made from, and the listener that counts what happens to tasks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::api::Figures;
use crate::audit::AuditHandle;
use crate::boundary::store::StoredEvent;
use crate::boundary::{Clock, ImageInventory};
use crate::domain::task::TaskEvent;
use crate::ecs::StatusHandle;
use crate::ecs::report::plan::is_outstanding;
use crate::metrics::{ControlPlaneUse, Counted, Format, ProcessUse, ReadOff, TaskStage, TaskUse};
use crate::platform::process_figures;
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::snapshot::Snapshot;
use crate::stats::{StatsHandle, UsageSnapshot};

/// Tasks with series of their own, in the order of their ARNs; more than a host runs.
const MAX_TASK_SERIES: usize = 1_000;

/// The parts that figures are read off.
pub struct AgentFigures {
    /// What is counted as it happens.
    pub counted: Arc<Counted>,
    /// Snapshots.
    pub engine: ReconcilerHandle,
    /// Images.
    pub images: Arc<dyn ImageInventory>,
    /// What tasks use.
    pub usage: StatsHandle,
    /// The record of requests for credentials.
    pub audit: AuditHandle,
    /// How connected mode is; `None` = standalone.
    pub connected: Option<StatusHandle>,
    /// For ages.
    pub clock: Arc<dyn Clock>,
}

impl Figures for AgentFigures {
    fn text(&self, accept: Option<&str>) -> (&'static str, String) {
        let format = Format::of_accept(accept);
        let process = process_figures().map(|figures| ProcessUse {
            resident_bytes: figures.resident_bytes,
            cpu_seconds: figures.cpu_seconds,
            open_files: figures.open_files,
            threads: figures.threads,
            started_at: figures.started_at,
        });
        let snapshot = self.engine.snapshot();
        let read_off = ReadOff {
            tasks: task_uses(&self.usage.latest(), &snapshot),
            inventory: self.images.inventory(),
            process,
            audit_dropped: self.audit.dropped(),
            control_plane: self.control_plane(&snapshot),
            now: self.clock.now(),
            snapshot,
        };
        (format.content_type(), self.counted.text(&read_off, format))
    }
}

impl AgentFigures {
    fn control_plane(&self, snapshot: &Snapshot) -> Option<ControlPlaneUse> {
        let status = self.connected.as_ref()?.now();
        let outstanding = snapshot.tasks.values();
        let outstanding = outstanding
            .filter(|view| is_outstanding(&view.task))
            .count();
        Some(ControlPlaneUse {
            session_since: status.session_since,
            heard_at: status.heard_at,
            outstanding: u64::try_from(outstanding).unwrap_or(u64::MAX),
        })
    }
}

/// What tracked tasks have used so far. Those that have stopped have no series any more.
fn task_uses(usage: &UsageSnapshot, snapshot: &Snapshot) -> Vec<TaskUse> {
    let known = usage.tasks.iter().filter_map(|(arn, usage)| {
        let definition = &snapshot.tasks.get(arn)?.task.desired.definition;
        Some(TaskUse {
            family: definition.family.to_string(),
            task_id: arn.task_id().to_string(),
            cpu_seconds: Duration::from_nanos(usage.totals.cpu_ns).as_secs_f64(),
            memory_bytes: usage.memory,
            received_bytes: usage.totals.rx_bytes,
            sent_bytes: usage.totals.tx_bytes,
        })
    });
    known.take(MAX_TASK_SERIES).collect()
}

/// Counts entries of timelines, and how long tasks take to each stage, until `stop`.
pub async fn count_events(
    counted: Arc<Counted>,
    engine: ReconcilerHandle,
    stop: CancellationToken,
) {
    let mut events = engine.events();
    while let Some(heard) = stop.run_until_cancelled(hear(&mut events)).await {
        match heard {
            Some(stored) => count(&counted, &engine.snapshot(), &stored.event),
            // The engine has ended; its group ends the agent.
            None => return stop.cancelled().await,
        }
    }
}

/// The next event; what was missed for want of time is not counted. Cancel-safe, as the receiver is.
async fn hear(events: &mut Receiver<StoredEvent>) -> Option<StoredEvent> {
    loop {
        match events.recv().await {
            Ok(stored) => return Some(stored),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn count(counted: &Counted, snapshot: &Snapshot, event: &TaskEvent) {
    counted.event(&event.kind);
    let view = snapshot.tasks.get(&event.arn);
    let container = event.container.as_ref();
    let known = view
        .zip(container)
        .and_then(|(view, name)| view.task.known.containers.get(name));
    if event.kind == "Stopped" {
        let exit = known.and_then(|known| known.exit.as_ref());
        counted.exit(exit.is_some_and(|exit| exit.oom_killed));
    }
    if event.kind == "Restarted" {
        counted.restarted();
    }
    // What a restart policy does later says nothing about how long a task takes to run.
    if known.is_some_and(|known| known.restart_count > 0) {
        return;
    }
    let stage = match event.kind.as_str() {
        "Pulled" => TaskStage::Pulled,
        "Created" => TaskStage::Created,
        "Started" => TaskStage::Started,
        "Running" => TaskStage::Running,
        "TaskStopped" => TaskStage::Stopped,
        _ => return,
    };
    if let Some(view) = view {
        counted.stage(stage, event.at.since(view.task.desired.arrived_at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::admin::testing::{NOW, StoppedClock, arn, event, running, snapshot_of};
    use crate::boundary::images::Inventory;
    use crate::reconcile::detached::detached;
    use crate::stats::{TaskUsage, Totals};

    struct NoImages;

    impl ImageInventory for NoImages {
        fn inventory(&self) -> Inventory {
            Inventory::default()
        }
    }

    fn no_audit() -> AuditHandle {
        let config = crate::audit::AuditConfig {
            file: None,
            cluster: String::new(),
        };
        crate::audit::service(config, Arc::new(|| None)).1
    }

    #[test]
    fn what_a_task_has_used_is_told_while_it_is_tracked() {
        let totals = Totals {
            cpu_ns: 1_500_000_000,
            rx_bytes: 7,
            tx_bytes: 8,
            ..Totals::default()
        };
        let of_task = TaskUsage {
            totals,
            memory: 9,
            ..TaskUsage::default()
        };
        let usage = UsageSnapshot {
            tasks: [(arn("a"), of_task), (arn("gone"), TaskUsage::default())].into(),
            ..UsageSnapshot::default()
        };
        let uses = task_uses(&usage, &snapshot_of([running("a"), running("b")]));
        let expected = TaskUse {
            family: "web".to_owned(),
            task_id: "a".to_owned(),
            cpu_seconds: 1.5,
            memory_bytes: 9,
            received_bytes: 7,
            sent_bytes: 8,
        };
        assert_eq!(uses, [expected]);
    }

    #[tokio::test]
    async fn what_happens_to_tasks_is_counted() {
        let (engine, other_end) = detached(snapshot_of([running("a")]));
        let counted = Arc::new(Counted::new());
        let stop = CancellationToken::new();
        let counting = count_events(Arc::clone(&counted), engine.clone(), stop.clone());
        let telling = async {
            while other_end.publisher().listeners() == 0 {
                tokio::task::yield_now().await;
            }
            let mut started = event(1, "a");
            started.event.at = NOW;
            other_end.publisher().emit(started);
            let mut stopped = event(2, "a");
            stopped.event.kind = "Stopped".to_owned();
            other_end.publisher().emit(stopped);
            // `join!` begins with another future each time: one round is not enough.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        tokio::join!(counting, telling);
        let figures = AgentFigures {
            counted,
            engine,
            images: Arc::new(NoImages),
            usage: StatsHandle::default(),
            audit: no_audit(),
            connected: None,
            clock: Arc::new(StoppedClock),
        };
        let (content_type, text) = figures.text(None);
        assert!(content_type.starts_with("text/plain; version=0.0.4"));
        for line in [
            r#"ecs_agent_task_events_total{kind="Started"} 1"#,
            r#"ecs_agent_task_stage_seconds_sum{stage="started"} 120"#,
            r#"ecs_agent_container_exits_total{oom="false"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
