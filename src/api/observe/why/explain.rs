//! Why a task is where it is: one sentence and one blocking condition, chosen from everything that is recorded.
//!
//! Pure. **Invariant.** A task that is not where it should be always has a sentence (promise 5); where no condition
//! is recorded the sentence says so rather than inventing a cause.

use crate::domain::ids::UnixMillis;
use crate::domain::runtime::PullProgress;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::{Cause, Task, TaskCondition};
use crate::reconcile::snapshot::{EngineView, InFlight, TaskView};

use super::human;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Explanation {
    /// Whether the task is where it should be.
    pub(in crate::api) converged: bool,
    /// In one sentence.
    pub(in crate::api) headline: String,
    /// What holds it up, the most telling one.
    pub(super) blocking: Option<TaskCondition>,
    /// The other conditions.
    pub(super) others: Vec<TaskCondition>,
}

impl Explanation {
    /// Whether somebody who asks what is waiting wants to see this task.
    pub(super) fn is_waiting(&self) -> bool {
        let kept = |condition: &TaskCondition| condition.cause == Cause::WaitingForCleanup;
        !self.converged || self.blocking.as_ref().is_some_and(|first| !kept(first))
    }
}

/// Explains a task.
pub(in crate::api) fn explain(
    view: &TaskView,
    engine: &EngineView,
    now: UnixMillis,
) -> Explanation {
    let task = &view.task;
    let converged = is_converged(task);
    let mut conditions = task.known.conditions.clone();
    if !converged {
        conditions.extend(engine_condition(task, engine, now));
    }
    conditions.sort_by(|a, b| {
        rank(a.cause)
            .cmp(&rank(b.cause))
            .then(a.since.cmp(&b.since))
    });
    let mut conditions = conditions.into_iter();
    let blocking = conditions.next();
    let headline = if converged {
        settled(task, blocking.as_ref())
    } else {
        unsettled(view, blocking.as_ref(), now)
    };
    Explanation {
        converged,
        headline,
        blocking,
        others: conditions.collect(),
    }
}

fn is_converged(task: &Task) -> bool {
    match task.effective_desired() {
        DesiredStatus::Running => task.known.status == TaskStatus::Running,
        DesiredStatus::Stopped => task.known.status == TaskStatus::Stopped && !task.desired.remove,
    }
}

/// What the surroundings do to every task, where the task's own conditions do not say it yet.
fn engine_condition(task: &Task, engine: &EngineView, now: UnixMillis) -> Option<TaskCondition> {
    let (cause, message, since) = match (&engine.store_error, &engine.runtime_error) {
        (Some(error), _) => (
            Cause::StoreUnavailable,
            format!("the state cannot be written: {error}"),
            engine.committed_at,
        ),
        (None, Some(error)) => (
            Cause::RuntimeUnavailable,
            format!("Docker does not answer: {error}"),
            engine.runtime_answered_at,
        ),
        (None, None) => return None,
    };
    let known = task.known.conditions.iter();
    if known.into_iter().any(|condition| condition.cause == cause) {
        return None;
    }
    Some(TaskCondition {
        container: None,
        cause,
        message,
        since: since.unwrap_or(now),
        deadline: None,
        next_action: "try again".to_owned(),
        next_at: None,
    })
}

/// The order in which causes are told. First what nobody in the task can do anything about, then what somebody must
/// act on, then what takes its time, then waits whose cause is another container of the same task.
fn rank(cause: Cause) -> u8 {
    match cause {
        Cause::StoreUnavailable | Cause::RuntimeUnavailable | Cause::StateDamaged => 0,
        Cause::Quarantined
        | Cause::WaitingForPort
        | Cause::WaitingForResources
        | Cause::InstanceDraining => 1,
        Cause::BackingOff | Cause::Paused | Cause::Unhealthy => 2,
        Cause::CallOutstanding | Cause::Pulling | Cause::WaitingForPull => 3,
        Cause::WaitingForResource | Cause::WaitingForCredentials | Cause::Stopping => 4,
        Cause::WaitingForDependency | Cause::WaitingForDependents => 5,
        Cause::CleaningUp | Cause::WaitingForCleanup | Cause::WaitingForReport => 6,
    }
}

fn settled(task: &Task, blocking: Option<&TaskCondition>) -> String {
    let state = match task.known.status {
        TaskStatus::Stopped => match stop_words(task) {
            Some(words) => format!("stopped: {words}"),
            None => "stopped".to_owned(),
        },
        TaskStatus::Pending | TaskStatus::Created | TaskStatus::Running => {
            "runs as asked".to_owned()
        }
    };
    match blocking {
        Some(condition) if condition.cause != Cause::WaitingForCleanup => {
            format!("{state}, but {}", condition.message)
        }
        _ => state,
    }
}

/// Why it stopped, in the words of whoever stopped it first.
fn stop_words(task: &Task) -> Option<String> {
    let engine = task.known.stop.as_ref().map(|stop| &stop.reason);
    engine
        .or(task.desired.stop_reason.as_ref())
        .map(|reason| reason.message.clone())
}

fn unsettled(view: &TaskView, blocking: Option<&TaskCondition>, now: UnixMillis) -> String {
    if let Some(condition) = blocking {
        let progress = view
            .in_flight
            .iter()
            .filter(|step| {
                condition.cause == Cause::Pulling && step.container == condition.container
            })
            .find_map(|step| progress_words(step, now));
        return match progress {
            Some(words) => format!("{} ({words})", condition.message),
            None => condition.message.clone(),
        };
    }
    if let Some(step) = view.in_flight.first() {
        let object = match &step.container {
            Some(container) => format!("container {container}"),
            None => "a task resource".to_owned(),
        };
        return format!("{} of {object} is under way", step.step);
    }
    match view.planned.first() {
        Some(next) => format!("next: {next}"),
        None if view.task.known.observed_generation < view.task.desired.generation => {
            "the engine has not looked at it yet".to_owned()
        }
        None => "no cause is recorded: this is a defect, please report it".to_owned(),
    }
}

fn progress_words(step: &InFlight, now: UnixMillis) -> Option<String> {
    let progress = step.progress.as_ref()?;
    let percent = percent(progress).map(|percent| format!("{percent} %"));
    let rate = bytes_per_second(progress, step.since, now);
    let rate = rate.map(|rate| format!("{}/s", human::bytes(rate)));
    let words: Vec<String> = percent.into_iter().chain(rate).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Share of the announced bytes that has been received, 0 to 100; `None` while nothing has been announced.
pub(in crate::api) fn percent(progress: &PullProgress) -> Option<u8> {
    let whole = u128::from(progress.download_total_bytes);
    let share = (u128::from(progress.downloaded_bytes) * 100).checked_div(whole)?;
    Some(u8::try_from(share.min(100)).unwrap_or(100))
}

/// Mean rate since the pull began; `None` in its first second, when it would say nothing.
pub(in crate::api) fn bytes_per_second(
    progress: &PullProgress,
    since: UnixMillis,
    now: UnixMillis,
) -> Option<u64> {
    let millis = now.since(since).as_millis();
    if millis < 1_000 {
        return None;
    }
    let rate = (u128::from(progress.downloaded_bytes) * 1_000).checked_div(millis)?;
    u64::try_from(rate).ok()
}
