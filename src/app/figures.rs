//! What `/metrics` is made from, and the listener that counts what happens to tasks.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::api::Figures;
use crate::boundary::store::StoredEvent;
use crate::boundary::{Clock, ImageInventory};
use crate::domain::task::TaskEvent;
use crate::metrics::{Counted, Format, ProcessUse, ReadOff, TaskStage, TaskUse};
use crate::platform::process_figures;
use crate::reconcile::ReconcilerHandle;
use crate::reconcile::snapshot::Snapshot;

/// The parts that figures are read off.
pub struct AgentFigures {
    /// What is counted as it happens.
    pub counted: Arc<Counted>,
    /// Snapshots.
    pub engine: ReconcilerHandle,
    /// Images.
    pub images: Arc<dyn ImageInventory>,
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
        });
        let read_off = ReadOff {
            snapshot: self.engine.snapshot(),
            inventory: self.images.inventory(),
            process,
            tasks: Vec::<TaskUse>::new(),
            now: self.clock.now(),
        };
        (format.content_type(), self.counted.text(&read_off, format))
    }
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
    use crate::api::admin::testing::{NOW, StoppedClock, event, running, snapshot_of};
    use crate::boundary::images::Inventory;
    use crate::reconcile::detached::detached;

    struct NoImages;

    impl ImageInventory for NoImages {
        fn inventory(&self) -> Inventory {
            Inventory::default()
        }
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
