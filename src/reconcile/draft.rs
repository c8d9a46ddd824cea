//! A task being decided on: its known state to be, and the timeline entries that explain the change.
//!
//! **Invariant.** Every way to end a container for good goes through [`Draft::stop_container`], every cause to stop
//! the task through [`Draft::stop_task`], so that the first cause wins and each is in the timeline once.

use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::{ContainerStatus, Health};
use crate::domain::task::{
    DesiredTask, Exit, KnownContainer, KnownTask, Retry, Step, StopCause, TaskEvent,
};

use super::backoff::Backoff;
use super::observe::Hints;
use super::settings::{LogFailurePolicy, PullBehavior};

/// The known state to be and what led to it.
#[derive(Debug)]
pub struct Draft<'a> {
    /// What is asked.
    pub desired: &'a DesiredTask,
    /// What will be known.
    pub known: KnownTask,
    /// What was seen and is not a fact.
    pub hints: Hints,
    /// What will be in the timeline.
    pub events: Vec<TaskEvent>,
    /// The instant of the decision.
    pub now: UnixMillis,
    /// What happens to a container whose log backend does not answer.
    pub log_failure: LogFailurePolicy,
    /// When images are pulled, and with that what a pull that failed means.
    pub pull_behavior: PullBehavior,
    /// This agent, as its containers' labels name it.
    pub instance: &'a str,
    /// Drawn for this decision: how much shorter than the longest its waits are ([`Backoff::spread`]).
    pub luck: u32,
}

impl<'a> Draft<'a> {
    /// A draft that starts from what is known.
    pub fn new(desired: &'a DesiredTask, known: KnownTask, hints: Hints, now: UnixMillis) -> Self {
        Self {
            desired,
            known,
            hints,
            events: Vec::new(),
            now,
            log_failure: LogFailurePolicy::default(),
            pull_behavior: PullBehavior::default(),
            instance: "",
            luck: 0,
        }
    }

    /// Adds a timeline entry about the task.
    pub fn tell(&mut self, kind: &str, message: impl Into<String>) {
        self.entry(None, kind, message.into());
    }

    /// Adds a timeline entry about a container.
    pub fn tell_of(&mut self, container: &ContainerName, kind: &str, message: impl Into<String>) {
        self.entry(Some(container.clone()), kind, message.into());
    }

    fn entry(&mut self, container: Option<ContainerName>, kind: &str, message: String) {
        let arn = self.desired.arn.clone();
        self.events.push(TaskEvent {
            arn,
            at: self.now,
            container,
            kind: kind.to_owned(),
            message,
        });
    }

    /// What is known of a container; made when first asked for.
    pub fn container(&mut self, name: &ContainerName) -> &mut KnownContainer {
        self.known.containers.entry(name.clone()).or_default()
    }

    /// The first cause to stop the task wins; later ones are not even told.
    pub fn stop_task(&mut self, reason: Reason) {
        if self.known.stop.is_none() {
            self.tell("Stopping", reason.to_string());
            self.known.stop = Some(StopCause {
                reason,
                at: self.now,
            });
        }
    }

    /// The container has ended for good, with or without ever having run.
    pub fn stop_container(
        &mut self,
        name: &ContainerName,
        exit: Option<Exit>,
        reason: Option<Reason>,
    ) {
        let now = self.now;
        let container = self.container(name);
        if container.status == ContainerStatus::Stopped {
            return;
        }
        container.status = ContainerStatus::Stopped;
        container.settles_at = None;
        container.retry = None;
        if container.health != Health::Unknown {
            container.health = Health::Unknown;
            container.health_since = Some(now);
        }
        if let Some(exit) = exit {
            container.exit = Some(exit);
        }
        if reason.is_some() {
            container.reason = reason;
        }
        let message = describe_end(container);
        self.tell_of(name, TaskEvent::STOPPED, message);
    }

    /// The step failed and will be tried again after its back-off.
    pub fn retry(&mut self, name: &ContainerName, step: Step, backoff: Backoff, reason: Reason) {
        let last = self.container(name).retry.take();
        let retry = self.next_retry(last.as_ref(), step, backoff, reason);
        if retry.failures == 1 {
            self.hints.failing_since.insert(name.clone(), self.now);
        }
        let container = self.container(name);
        let news = is_news(last.as_ref(), &retry);
        let message = retry_words(&retry);
        container.retry = Some(retry);
        if news {
            self.tell_of(name, "Retrying", message);
        }
    }

    /// The retry after one more failure of the step.
    pub fn next_retry(
        &self,
        last: Option<&Retry>,
        step: Step,
        backoff: Backoff,
        reason: Reason,
    ) -> Retry {
        let failures = last
            .filter(|retry| retry.step == step)
            .map_or(0, |retry| retry.failures)
            .saturating_add(1);
        Retry {
            step,
            failures,
            not_before: self.now.plus(backoff.spread(failures, self.luck)),
            reason,
        }
    }
}

/// Whether one more failure belongs in the timeline: the first, one for another reason, and every doubling, so that
/// what fails for days does not push everything else out of a bounded timeline. Conditions count all of them.
pub fn is_news(last: Option<&Retry>, retry: &Retry) -> bool {
    let same = last.is_some_and(|last| last.step == retry.step && last.reason == retry.reason);
    !same || retry.failures.is_power_of_two()
}

/// A failure that will be tried again, in words.
pub fn retry_words(retry: &Retry) -> String {
    format!(
        "{} failed (try {}): {}",
        retry.step, retry.failures, retry.reason
    )
}

/// A container's end in words.
pub fn describe_end(container: &KnownContainer) -> String {
    let code = container.exit.as_ref().and_then(|exit| exit.code);
    match (code, &container.reason) {
        (Some(code), Some(reason)) => format!("{}{code}: {reason}", TaskEvent::EXITED),
        (Some(code), None) => format!("{}{code}", TaskEvent::EXITED),
        (None, Some(reason)) => reason.to_string(),
        (None, None) if container.exit.is_some() => "ended with an unknown exit code".to_owned(),
        (None, None) => "never ran".to_owned(),
    }
}

/// The reason that an exit by itself gives, if it needs one.
pub fn exit_reason(exit: &Exit, error: Option<&str>) -> Option<Reason> {
    if exit.oom_killed {
        return Some(Reason::new(
            ReasonName::OutOfMemoryError,
            "Container killed due to memory usage",
        ));
    }
    error
        .filter(|text| !text.is_empty())
        .map(|text| Reason::new(ReasonName::DockerStateError, text))
}
