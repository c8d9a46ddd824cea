//! Short words for looking at tasks.
#![cfg(feature = "e2e")]

use std::time::Duration;

use berth::domain::ids::ContainerName;
use berth::domain::status::TaskStatus;
use berth::domain::task::KnownContainer;
use berth::reconcile::snapshot::TaskView;

/// Runs until it is asked to stop, then ends with 0 at once.
pub(crate) const SERVE: &str = "trap 'exit 0' TERM; sleep 100000 & wait";

/// How long a test waits for what must come outside of the engine's state.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn name(text: &str) -> ContainerName {
    ContainerName::parse(text).expect("a name")
}

pub(crate) fn is(status: TaskStatus) -> impl Fn(&TaskView) -> bool {
    move |view| view.task.known.status == status
}

pub(crate) fn known<'a>(view: &'a TaskView, container: &str) -> &'a KnownContainer {
    &view.task.known.containers[&name(container)]
}

pub(crate) fn exit_code(view: &TaskView, container: &str) -> Option<i64> {
    let known = view.task.known.containers.get(&name(container))?;
    known.exit.as_ref()?.code
}

/// Why the task stopped, in full.
pub(crate) fn cause(view: &TaskView) -> String {
    let stop = view.task.known.stop.as_ref();
    stop.map(|stop| stop.reason.to_string()).unwrap_or_default()
}

/// Asks again and again until the answer is `Some`.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let work = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| panic!("{what}: never"))
}
