//! What came of an action becomes what is known: pure.
//!
//! **Invariant.** A failure that may pass is tried again, within a bound that is counted in rows; one that cannot
//! ends the container with the reference agent's reason. Docker being out of reach counts as neither.

use crate::boundary::error::ErrorKind;
use crate::boundary::images::ReadyImage;
use crate::domain::ids::ContainerName;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::{ObservedContainer, RunState};
use crate::domain::status::ContainerStatus;
use crate::domain::task::{
    KnownContainer, KnownResource, ResourceKey, ResourceStatus, Retry, Step,
};

use super::action::{Action, Failure, Outcome, Subject, Verb};
use super::backoff;
use super::draft::{Draft, is_news, retry_words};
use super::observe::{Observation, observe};
use super::settings::{LogFailurePolicy, PullBehavior};

/// Failures in a row of a pull after which the container fails: about two and a half minutes of waiting.
const MAX_PULL_FAILURES: u32 = 9;
/// Failures in a row of a create or start after which the container fails: about fifteen seconds of waiting.
const MAX_START_FAILURES: u32 = 5;
/// Failures in a row of setting up a resource after which the task fails.
const MAX_RESOURCE_FAILURES: u32 = 5;
/// Creations of one container, each with other ports or another log driver.
pub(super) const MAX_ATTEMPTS: u32 = 8;

/// Takes one outcome in.
pub fn apply(draft: &mut Draft<'_>, action: &Action, outcome: Outcome) {
    match &action.subject {
        Subject::Container(name) => apply_to_container(draft, name, action, outcome),
        Subject::Resource(key) => apply_to_resource(draft, key, &action.verb, outcome),
    }
}

fn apply_to_container(
    draft: &mut Draft<'_>,
    name: &ContainerName,
    action: &Action,
    outcome: Outcome,
) {
    match outcome {
        Outcome::ImageReady(ready) => take_image(draft, name, *ready),
        Outcome::Created(id) => {
            draft.hints.sure.insert(name.clone());
            let now = draft.now;
            let container = draft.container(name);
            container.docker_id = Some(id);
            container.created_at = Some(now);
            container.retry = None;
            container.removed = false;
            if container.status < ContainerStatus::Created {
                container.status = ContainerStatus::Created;
            }
            let attempt = container.attempt;
            let docker_name = draft.desired.docker_name(name, attempt);
            draft.tell_of(name, "Created", format!("container {docker_name} exists"));
        }
        Outcome::Seen(observed) => {
            seen_after(draft, name, action, observed.as_deref());
            observe(draft, name, Observation::Inspected(observed));
        }
        Outcome::Gone => {
            let container = draft.container(name);
            container.removed = true;
            container.docker_id = None;
            container.retry = None;
        }
        Outcome::Ready => {
            let container = draft.container(name);
            container.retry = container.retry.take().filter(|it| it.step != Step::SetUp);
        }
        Outcome::Failed(failure) => fail_container(draft, name, &action.verb, &failure),
    }
}

fn take_image(draft: &mut Draft<'_>, name: &ContainerName, ready: ReadyImage) {
    let container = draft.container(name);
    container.image_id = Some(ready.image_id);
    container.image_digest = ready.digest;
    // Failures of a create that led here still count.
    container.retry = container
        .retry
        .take()
        .filter(|retry| retry.step != Step::Pull);
    if container.status == ContainerStatus::None {
        container.status = ContainerStatus::Pulled;
    }
    if let (Some(began), Some(ended)) = (ready.started_at, ready.stopped_at) {
        let first = draft.known.pull_started_at;
        draft.known.pull_started_at = Some(first.map_or(began, |at| at.min(began)));
        draft.known.pull_stopped_at = draft.known.pull_stopped_at.max(Some(ended));
        if ready.pulled {
            let took = ended.since(began).as_millis();
            draft.tell_of(name, "Pulled", format!("pulled in {took} ms"));
        }
    }
    if let Some(warning) = ready.warning {
        draft.tell_of(name, "PullFailed", warning);
    }
}

/// A step that was followed by a look has been done; only a stop may have to be repeated.
fn seen_after(
    draft: &mut Draft<'_>,
    name: &ContainerName,
    action: &Action,
    observed: Option<&ObservedContainer>,
) {
    if !matches!(action.verb, Verb::Inspect { .. }) {
        // Whoever starts or stops it watches it.
        draft.hints.states.insert(name.clone(), RunState::Running);
    }
    let container = draft.container(name);
    match action.verb {
        Verb::Stop { .. } | Verb::Kill { .. }
            if observed.is_some_and(|seen| seen.state.may_live()) =>
        {
            let reason = Reason::new(
                ReasonName::CannotStopContainerError,
                "its process still runs after the stop",
            );
            draft.retry(name, Step::Stop, backoff::CALLS, reason);
        }
        // A look between two tries of a step is no success of it.
        Verb::Inspect { .. } if observed.is_some() => {
            let lives = observed.is_some_and(|seen| seen.state.may_live());
            let still_to_do = |retry: &Retry| match retry.step {
                Step::Create | Step::Start => !lives,
                Step::Stop => lives,
                Step::Pull | Step::Inspect | Step::Remove | Step::SetUp | Step::TearDown => false,
            };
            container.retry = container.retry.take().filter(still_to_do);
        }
        // What absence means for the step that is tried again, the observation says.
        Verb::Inspect { .. } => {}
        Verb::Pull { .. }
        | Verb::FetchSecrets { .. }
        | Verb::Create { .. }
        | Verb::Start { .. }
        | Verb::Stop { .. }
        | Verb::Kill { .. }
        | Verb::Remove { .. }
        | Verb::CreateCgroup { .. }
        | Verb::RemoveCgroup
        | Verb::CreateVolume { .. }
        | Verb::ExpectVolume { .. }
        | Verb::RemoveVolume { .. } => container.retry = None,
    }
}

fn fail_container(draft: &mut Draft<'_>, name: &ContainerName, verb: &Verb, failure: &Failure) {
    if matches!(failure.kind, ErrorKind::Unavailable | ErrorKind::Cancelled) {
        if !matches!(
            verb,
            Verb::Pull { .. } | Verb::FetchSecrets { .. } | Verb::Remove { .. }
        ) {
            // A step and the look after it are two calls: the first may have been done.
            draft.hints.look.insert(name.clone());
        }
        return;
    }
    match verb {
        Verb::Pull { .. } => fail_pull(draft, name, failure),
        Verb::FetchSecrets { .. } => fail_secrets(draft, name, failure),
        Verb::Create { .. } => fail_create(draft, name, failure),
        Verb::Start { .. } => fail_start(draft, name, failure),
        Verb::Stop { .. } | Verb::Kill { .. } => {
            draft.hints.look.insert(name.clone());
            again(
                draft,
                name,
                Step::Stop,
                ReasonName::CannotStopContainerError,
                failure,
            );
        }
        Verb::Inspect { .. } => again(
            draft,
            name,
            Step::Inspect,
            ReasonName::CannotInspectContainerError,
            failure,
        ),
        Verb::Remove { .. }
        | Verb::CreateCgroup { .. }
        | Verb::RemoveCgroup
        | Verb::CreateVolume { .. }
        | Verb::ExpectVolume { .. }
        | Verb::RemoveVolume { .. } => {
            again(
                draft,
                name,
                Step::Remove,
                ReasonName::CannotRemoveContainerError,
                failure,
            );
        }
    }
}

fn fail_pull(draft: &mut Draft<'_>, name: &ContainerName, failure: &Failure) {
    let named = failure.name.unwrap_or(ReasonName::CannotPullContainerError);
    let reason = Reason::new(named, failure.message.clone());
    if !failure.permanent && count(draft, name, Step::Pull) < MAX_PULL_FAILURES {
        draft.retry(name, Step::Pull, backoff::PULLS, reason);
        return;
    }
    let stops_task = pull_stops_task(draft, name);
    draft.stop_container(name, None, Some(reason.clone()));
    if stops_task {
        draft.stop_task(reason);
    }
}

/// Whether the task ends with a container without which it could run: where an image must be pulled (`engine.md` 2.5).
/// Unlike with the reference agent, what runs already is not stopped for it: its image may be out of reach because the
/// network is (promise 1). The end of an essential container says itself what follows.
fn pull_stops_task(draft: &Draft<'_>, name: &ContainerName) -> bool {
    let must_pull = match draft.pull_behavior {
        PullBehavior::Always | PullBehavior::Once => true,
        PullBehavior::Default | PullBehavior::PreferCached => false,
    };
    let found = draft.desired.definition.container(name);
    let optional = found.is_some_and(|container| !container.essential);
    let runs = |known: &KnownContainer| known.status != ContainerStatus::Stopped;
    must_pull && optional && !begun(draft).any(runs)
}

/// Containers of the definition that have been started. The agent's own do none of the task's work, and theirs comes
/// before everybody's.
fn begun<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d KnownContainer> {
    let all = draft.known.containers.iter();
    all.filter(|(name, known)| !name.is_internal() && known.started_at.is_some())
        .map(|(_, known)| known)
}

/// Without them the container never was: the task ends where nothing of it has begun, else the container alone.
fn fail_secrets(draft: &mut Draft<'_>, name: &ContainerName, failure: &Failure) {
    let reason = Reason::new(
        ReasonName::ResourceInitializationError,
        failure.message.clone(),
    );
    let hopeless = !failure.kind.may_pass();
    if !hopeless && count(draft, name, Step::SetUp) < MAX_PULL_FAILURES {
        draft.retry(name, Step::SetUp, backoff::PULLS, reason);
        return;
    }
    if begun(draft).next().is_some() {
        draft.stop_container(name, None, Some(reason));
    } else {
        draft.stop_task(reason);
    }
}

fn fail_create(draft: &mut Draft<'_>, name: &ContainerName, failure: &Failure) {
    let failures = count(draft, name, Step::Create);
    draft.hints.sure.remove(name);
    let reason = reason_of(ReasonName::CannotCreateContainerError, failure);
    if failure.kind == ErrorKind::NotFound && failures < MAX_START_FAILURES {
        // The image went away between the pull and the create: pull it again.
        draft.container(name).image_id = None;
        draft.retry(name, Step::Create, backoff::CALLS, reason);
    } else if failure.kind.may_pass() && failures < MAX_START_FAILURES {
        draft.retry(name, Step::Create, backoff::CALLS, reason);
    } else if failure.kind.may_pass() {
        give_up(draft, name, reason);
    } else {
        draft.stop_container(name, None, Some(reason));
    }
}

/// The container is not tried any more. Whether the last step took effect is unknown, so it is looked at, and stopped
/// if it runs, before it is called stopped.
fn give_up(draft: &mut Draft<'_>, name: &ContainerName, reason: Reason) {
    let now = draft.now;
    draft.hints.look.insert(name.clone());
    draft.tell_of(name, "GivenUp", reason.to_string());
    let container = draft.container(name);
    container.reason = Some(reason.clone());
    container.stop_requested_at = Some(now);
    container.retry = Some(Retry {
        step: Step::Inspect,
        failures: 0,
        not_before: now,
        reason,
    });
}

fn fail_start(draft: &mut Draft<'_>, name: &ContainerName, failure: &Failure) {
    let mut reason = reason_of(ReasonName::CannotStartContainerError, failure);
    if let Some((port, holder)) = &failure.port_holder {
        reason.message = format!(
            "{} (host port {port} is held by {}, pid {})",
            reason.message, holder.command, holder.pid
        );
    }
    let failures = count(draft, name, Step::Start);
    let degrade = draft.log_failure == LogFailurePolicy::Degrade;
    let container = draft.container(name);
    let another_try = container.attempt < MAX_ATTEMPTS && container.started_at.is_none();
    let tries_left = failures < MAX_START_FAILURES;
    if failure.kind == ErrorKind::PortTaken && another_try && !container.reservations.is_empty() {
        remake(draft, name, "another host port range", &reason);
    } else if failure.kind == ErrorKind::LogDriver
        && degrade
        && another_try
        && !container.degraded_log
    {
        container.degraded_log = true;
        remake(draft, name, "the json-file log driver", &reason);
    } else if failure.kind.may_pass() && tries_left {
        draft.hints.sure.remove(name);
        draft.hints.look.insert(name.clone());
        draft.retry(name, Step::Start, backoff::CALLS, reason);
    } else if failure.kind.may_pass() {
        give_up(draft, name, reason);
    } else {
        draft.stop_container(name, None, Some(reason));
    }
}

/// The container is to be created again under another name, without what its start failed for.
fn remake(draft: &mut Draft<'_>, name: &ContainerName, with: &str, reason: &Reason) {
    draft.hints.found.remove(name);
    let container = draft.container(name);
    container.attempt = container.attempt.saturating_add(1);
    let earlier = container.docker_id.take();
    container.retry = None;
    container.reservations.clear();
    if let Some(id) = earlier {
        draft.hints.earlier.insert(name.clone(), id);
    }
    draft.tell_of(
        name,
        "Remaking",
        format!("making it again with {with}: {reason}"),
    );
}

fn again(
    draft: &mut Draft<'_>,
    name: &ContainerName,
    step: Step,
    reason: ReasonName,
    failure: &Failure,
) {
    let delay = if failure.kind == ErrorKind::DeadlineExceeded {
        backoff::QUARANTINE
    } else {
        backoff::CALLS
    };
    draft.retry(name, step, delay, reason_of(reason, failure));
}

fn count(draft: &mut Draft<'_>, name: &ContainerName, step: Step) -> u32 {
    failures_of(draft.container(name).retry.as_ref(), step).saturating_add(1)
}

fn failures_of(retry: Option<&Retry>, step: Step) -> u32 {
    retry
        .filter(|retry| retry.step == step)
        .map_or(0, |retry| retry.failures)
}

/// The reference agent's name for a passed deadline is `DockerTimeoutError`, whatever was tried.
fn reason_of(name: ReasonName, failure: &Failure) -> Reason {
    if failure.kind == ErrorKind::DeadlineExceeded {
        return Reason::new(ReasonName::DockerTimeoutError, failure.message.clone());
    }
    Reason::new(name, failure.message.clone())
}

fn apply_to_resource(draft: &mut Draft<'_>, key: &ResourceKey, verb: &Verb, outcome: Outcome) {
    match outcome {
        Outcome::Ready => {
            *resource(draft, key) = KnownResource {
                status: ResourceStatus::Created,
                retry: None,
            };
            draft.tell("ResourceReady", format!("{key} is ready"));
        }
        Outcome::Gone => {
            *resource(draft, key) = KnownResource {
                status: ResourceStatus::Removed,
                retry: None,
            };
        }
        Outcome::Failed(failure) => fail_resource(draft, key, verb, &failure),
        Outcome::ImageReady(_) | Outcome::Created(_) | Outcome::Seen(_) => {}
    }
}

fn resource<'d>(draft: &'d mut Draft<'_>, key: &ResourceKey) -> &'d mut KnownResource {
    let new = KnownResource {
        status: ResourceStatus::Registered,
        retry: None,
    };
    draft.known.resources.entry(key.clone()).or_insert(new)
}

fn fail_resource(draft: &mut Draft<'_>, key: &ResourceKey, verb: &Verb, failure: &Failure) {
    if matches!(failure.kind, ErrorKind::Unavailable | ErrorKind::Cancelled) {
        return;
    }
    let step = verb.step();
    let name = match key {
        ResourceKey::Cgroup => ReasonName::CgroupError,
        ResourceKey::Volume(_) if step == Step::TearDown => ReasonName::CannotRemoveVolumeError,
        ResourceKey::Volume(_) => ReasonName::CannotCreateVolumeError,
    };
    let reason = Reason::new(name, format!("{key}: {}", failure.message));
    let last = resource(draft, key).retry.take();
    let retry = draft.next_retry(last.as_ref(), step, backoff::CALLS, reason.clone());
    let hopeless = !failure.kind.may_pass() || retry.failures >= MAX_RESOURCE_FAILURES;
    let words = is_news(last.as_ref(), &retry).then(|| retry_words(&retry));
    resource(draft, key).retry = Some(retry);
    // A task that runs is not stopped for what it has run without so far (promise 1).
    let begun = begun(draft).next().is_some();
    if step == Step::SetUp && hopeless && !begun {
        draft.stop_task(reason);
    } else if let Some(words) = words {
        draft.tell("Retrying", words);
    }
}
