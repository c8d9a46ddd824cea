//! What a task waits for, gathered while it is planned: the conditions of `why` and the next instant to look.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::ids::{ContainerName, UnixMillis};
use crate::domain::image::ImageRef;
use crate::domain::reason::ReasonName;
use crate::domain::task::{Cause, Retry, Step, TaskCondition};
use crate::reconcile::action::Subject;

/// Conditions in the order of their weight (the first is what blocks) and the earliest deadline.
#[derive(Debug)]
pub(super) struct Waits {
    now: UnixMillis,
    conditions: Vec<TaskCondition>,
    /// Conditions whose age is that of a step under way, by their place.
    steps: BTreeSet<usize>,
    next: Option<UnixMillis>,
}

/// One wait in words.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    /// Container; `None` = the task.
    pub(super) container: Option<&'a ContainerName>,
    /// Cause.
    pub(super) cause: Cause,
    /// In words.
    pub(super) message: String,
    /// What happens next.
    pub(super) then: String,
}

impl Waits {
    /// Nothing is waited for.
    pub(super) fn new(now: UnixMillis) -> Self {
        Self {
            now,
            conditions: Vec::new(),
            steps: BTreeSet::new(),
            next: None,
        }
    }

    /// The task is to be looked at again at that instant, if there is one.
    pub(super) fn look_at(&mut self, at: Option<UnixMillis>) {
        if let Some(at) = at {
            self.next = Some(self.next.map_or(at, |next| next.min(at)));
        }
    }

    /// A wait that ends when something changes.
    pub(super) fn add(&mut self, wait: Wait<'_>) {
        self.push(wait, None, None);
    }

    /// A wait that ends at an instant.
    pub(super) fn until(&mut self, wait: Wait<'_>, at: UnixMillis) {
        self.look_at(Some(at));
        self.push(wait, None, Some(at));
    }

    /// A wait that is given up at an instant.
    pub(super) fn with_deadline(&mut self, wait: Wait<'_>, deadline: UnixMillis) {
        self.look_at(Some(deadline));
        self.push(wait, Some(deadline), Some(deadline));
    }

    /// A wait that is given up at an instant by somebody else: the task need not be looked at for it.
    pub(super) fn with_outer_deadline(
        &mut self,
        wait: Wait<'_>,
        since: UnixMillis,
        limit: Duration,
    ) {
        let deadline = since.plus(limit);
        let place = self.conditions.len();
        if self.push(wait, Some(deadline), None) {
            self.steps.insert(place);
        }
        if let Some(last) = self.conditions.get_mut(place) {
            last.since = since;
        }
    }

    /// False if that wait was there already: two ways may lead to it in one pass.
    fn push(
        &mut self,
        wait: Wait<'_>,
        deadline: Option<UnixMillis>,
        next_at: Option<UnixMillis>,
    ) -> bool {
        let known = self.conditions.iter().any(|condition| {
            condition.cause == wait.cause
                && condition.container.as_ref() == wait.container
                && condition.message == wait.message
        });
        if known {
            return false;
        }
        self.conditions.push(TaskCondition {
            container: wait.container.cloned(),
            cause: wait.cause,
            message: wait.message,
            since: self.now,
            deadline,
            next_action: wait.then,
            next_at,
        });
        true
    }

    /// The earliest instant at which something is due.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        self.next
    }

    /// The conditions; one that was there before keeps its age, unless a step under way says how old it is.
    pub(super) fn conditions(&mut self, before: &[TaskCondition]) -> Vec<TaskCondition> {
        let mut conditions = std::mem::take(&mut self.conditions);
        let waits = conditions
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| !self.steps.contains(place));
        for (_, condition) in waits {
            let old = before
                .iter()
                .find(|old| old.cause == condition.cause && old.container == condition.container);
            if let Some(old) = old {
                condition.since = condition.since.min(old.since);
            }
        }
        conditions
    }
}

impl Waits {
    /// A step under way.
    pub(super) fn for_flight(&mut self, subject: &Subject, step: Step, since: UnixMillis) {
        let (container, what) = (container_of(subject), in_words(subject));
        let cause = match step {
            Step::Pull => Cause::Pulling,
            Step::Stop => Cause::Stopping,
            Step::SetUp => Cause::WaitingForResource,
            Step::Remove | Step::TearDown => Cause::CleaningUp,
            Step::Create | Step::Start | Step::Inspect => Cause::CallOutstanding,
        };
        let wait = Wait {
            container,
            cause,
            message: match (container, step) {
                (Some(_), Step::SetUp) => "its secrets are being fetched".to_owned(),
                _ => format!("the {step} of {what} is under way"),
            },
            then: format!("go on when the {step} is done"),
        };
        self.with_outer_deadline(wait, since, limit_of(step));
    }

    /// A failed step that backs off; `since` its first failure, where that is known. A pull names its image.
    pub(super) fn for_retry(
        &mut self,
        subject: &Subject,
        image: Option<&ImageRef>,
        retry: &Retry,
        since: Option<UnixMillis>,
    ) {
        let (container, object) = (container_of(subject), in_words(subject));
        let what = match image {
            Some(image) if retry.step == Step::Pull => format!("{image} for {object}"),
            _ => object,
        };
        let hangs = retry.reason.name == ReasonName::DockerTimeoutError && retry.failures > 1;
        let wait = Wait {
            container,
            cause: if hangs {
                Cause::Quarantined
            } else {
                Cause::BackingOff
            },
            message: format!(
                "the {} of {what} failed {} in a row: {}",
                retry.step,
                times(retry.failures),
                retry.reason
            ),
            then: format!("try the {} again", retry.step),
        };
        let place = self.conditions.len();
        self.until(wait, retry.not_before);
        if let (Some(condition), Some(since)) = (self.conditions.get_mut(place), since) {
            condition.since = since.min(self.now);
        }
    }

    /// An end that is held back.
    pub(super) fn for_next_run(&mut self, name: &ContainerName) {
        self.add(Wait {
            container: Some(name),
            cause: Cause::CallOutstanding,
            message: "its process ended after a signal from outside; it may be restarted by hand"
                .to_owned(),
            then: "take the end as final".to_owned(),
        });
    }

    /// A step that would be taken if Docker answered.
    pub(super) fn for_runtime(&mut self, subject: &Subject, step: Step) {
        let what = in_words(subject);
        self.add(Wait {
            container: container_of(subject),
            cause: Cause::RuntimeUnavailable,
            message: "Docker does not answer".to_owned(),
            then: format!("{step} {what} when it does"),
        });
    }
}

fn container_of(subject: &Subject) -> Option<&ContainerName> {
    match subject {
        Subject::Container(name) => Some(name),
        Subject::Resource(_) => None,
    }
}

/// A sentence is read alone, so that it names what it is about.
fn in_words(subject: &Subject) -> String {
    match subject {
        Subject::Container(name) => format!("container {name}"),
        Subject::Resource(key) => format!("the {key}"),
    }
}

fn times(failures: u32) -> String {
    if failures == 1 {
        "once".to_owned()
    } else {
        format!("{failures} times")
    }
}

/// Deadline that the runtime adapter sets for a step (reference agent: `engine.md` 3.1); shown, not enforced, here.
fn limit_of(step: Step) -> Duration {
    match step {
        Step::Pull => Duration::from_hours(2),
        Step::Create => Duration::from_mins(4),
        Step::Start => Duration::from_mins(3),
        Step::Stop => Duration::from_secs(150),
        Step::Inspect => Duration::from_secs(30),
        Step::Remove | Step::SetUp | Step::TearDown => Duration::from_mins(5),
    }
}
