//! What was seen becomes what is known: pure.
//!
//! **Invariants.** Not seeing is no observation: only an inspect that finds nothing is absence, and only an inspect,
//! or a `die` event of the run that is known, is an end. `Running` decides; flags such as `OOMKilled` explain an
//! exit and never make one. `Stopped` is final: a container that runs again afterwards is a hint to stop it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::ids::{ContainerName, DockerId, UnixMillis};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::runtime::{Creation, ListedContainer, ObservedContainer, RunState};
use crate::domain::status::{ContainerStatus, Health};
use crate::domain::task::{Exit, KnownContainer, Step};

use super::draft::{Draft, exit_reason};
use super::restart::{self, Verdict};

/// An end that follows somebody else's signal within this time may be half of a restart by hand (Docker's default
/// stop timeout of 10 s, twice).
const OUTSIDE_SIGNAL_WINDOW: Duration = Duration::from_secs(20);

/// How long such an end is held back (a `docker restart` needs 0.1 s to 1 s between the two runs).
pub const SETTLE: Duration = Duration::from_secs(3);

/// Exit code of a process that SIGKILL ended: an inspect must tell whether the kernel ran out of memory.
const KILLED_EXIT_CODE: i64 = 137;

/// What was seen and is not a fact: kept in memory, lost at restart without harm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Containers that must be looked at.
    pub look: BTreeSet<ContainerName>,
    /// Containers that this process has made or looked at: no call of an earlier one is under way for them. Docker
    /// answers a look after the start that it is busy with.
    pub sure: BTreeSet<ContainerName>,
    /// Ids that a list shows where none is known: under them, not under their names, they are looked at.
    pub found: BTreeMap<ContainerName, DockerId>,
    /// Ends that Docker told of and that are yet to be looked at.
    pub died: BTreeMap<ContainerName, ToldEnd>,
    /// Last state seen.
    pub states: BTreeMap<ContainerName, RunState>,
    /// Since when the step that backs off has failed.
    pub failing_since: BTreeMap<ContainerName, UnixMillis>,
    /// The creation before the present one, which is to be removed: by its id, since its name may be changed.
    pub earlier: BTreeMap<ContainerName, DockerId>,
    /// Last signal that somebody sent through Docker.
    pub signalled_at: BTreeMap<ContainerName, UnixMillis>,
    /// First starts before the clock was set, as instants of the clock as it is now.
    pub began: BTreeMap<ContainerName, UnixMillis>,
}

/// An end that Docker told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldEnd {
    /// Of which container.
    pub of: DockerId,
    /// How its run ended.
    pub exit: Exit,
    /// A look that may be older has not shown it; the one after that is not.
    pub looked_again: bool,
}

/// Something seen of one container.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A full list shows it.
    Listed(ListedContainer),
    /// A full list that began after the last fact about it does not show it.
    Unlisted,
    /// It was looked at; `None` = it does not exist.
    Inspected(Option<Box<ObservedContainer>>),
    /// Docker said that its process ended.
    Died {
        /// Which.
        id: DockerId,
        /// Exit code.
        code: Option<i64>,
        /// When, by Docker's clock.
        at: UnixMillis,
    },
    /// Docker said that somebody sent it a signal.
    Signalled,
    /// Docker said that the probe decided.
    Probed(Health),
    /// Docker said that something changed.
    Changed,
}

/// Takes one observation in.
pub fn observe(draft: &mut Draft<'_>, name: &ContainerName, seen: Observation) {
    match seen {
        Observation::Listed(listed) => take_listed(draft, name, &listed),
        Observation::Unlisted => {
            let container = draft.container(name);
            if container.docker_id.is_some() && !container.removed {
                draft.hints.look.insert(name.clone());
            }
        }
        Observation::Inspected(None) => take_absent(draft, name),
        Observation::Inspected(Some(observed)) => {
            if is_present(draft, name, &observed) {
                take_inspected(draft, name, &observed);
            } else {
                draft.hints.look.remove(name);
            }
        }
        Observation::Died { id, code, at } => take_died(draft, name, &id, code, at),
        Observation::Signalled => {
            if draft.container(name).stop_requested_at.is_none() {
                draft.hints.signalled_at.insert(name.clone(), draft.now);
            }
        }
        Observation::Probed(health) => hear_of_health(draft, name, health),
        Observation::Changed => {
            draft.hints.look.insert(name.clone());
        }
    }
}

/// Whether what was looked at is the container's present creation. Ids and labels stay what they are when somebody
/// renames a container, and a name may be somebody else's by now.
fn is_present(draft: &mut Draft<'_>, name: &ContainerName, observed: &ObservedContainer) -> bool {
    let known = draft.container(name);
    let (known_id, attempt) = (
        known.docker_id.as_ref() == Some(&observed.id),
        known.attempt,
    );
    known_id
        || observed.is(Creation {
            instance: draft.instance,
            task: &draft.desired.arn,
            container: name,
            attempt,
        })
}

fn take_listed(draft: &mut Draft<'_>, name: &ContainerName, listed: &ListedContainer) {
    let container = draft.container(name);
    let known_id = container.docker_id.as_ref() == Some(&listed.id);
    if !known_id && listed.attempt != Some(container.attempt) {
        take_earlier_creation(container, listed);
        return;
    }
    if container.status == ContainerStatus::Stopped && listed.state.may_live() {
        // The list may be older than the end that is known: only a look says that it runs again.
        draft.hints.look.insert(name.clone());
        return;
    }
    let without_id = container.docker_id.is_none();
    draft.hints.states.insert(name.clone(), listed.state);
    if without_id {
        draft.hints.found.insert(name.clone(), listed.id.clone());
    }
    let container = draft.container(name);
    if !known_id || contradicts(container, listed.state) {
        draft.hints.look.insert(name.clone());
        return;
    }
    if listed.state == RunState::Running && container.status == ContainerStatus::Running {
        if !listed.bindings.is_empty() && container.bindings != listed.bindings {
            container.bindings.clone_from(&listed.bindings);
        }
        // Somebody may have connected it to a network or taken it off one.
        if container.networks != listed.networks {
            container.networks.clone_from(&listed.networks);
        }
        hear_of_health(draft, name, listed.health);
    }
}

/// An earlier creation that is there although the container has stopped: somebody else started it, or Docker made it
/// late, after what was known had been removed. The container is called by its id from now on, so that the next list
/// has it stopped, and clean-up finds it.
fn take_earlier_creation(container: &mut KnownContainer, listed: &ListedContainer) {
    let without_id = container.docker_id.is_none() && container.status == ContainerStatus::Stopped;
    if without_id && (container.removed || listed.state.may_live()) {
        container.docker_id = Some(listed.id.clone());
        container.removed = false;
    }
}

/// Whether a listed state is news that only an inspect can settle.
fn contradicts(container: &KnownContainer, state: RunState) -> bool {
    match (container.status, state) {
        (
            ContainerStatus::None | ContainerStatus::Pulled | ContainerStatus::Created,
            RunState::Removing,
        )
        | (ContainerStatus::Created, RunState::Created)
        | (ContainerStatus::Stopped, _) => false,
        (ContainerStatus::Running, RunState::Running | RunState::Paused | RunState::Restarting) => {
            container.exit.is_some()
        }
        (ContainerStatus::Running, RunState::Exited | RunState::Dead | RunState::Removing) => {
            container.exit.is_none()
        }
        (ContainerStatus::Running, RunState::Created)
        | (ContainerStatus::None | ContainerStatus::Pulled, _)
        | (
            ContainerStatus::Created,
            RunState::Running
            | RunState::Paused
            | RunState::Restarting
            | RunState::Exited
            | RunState::Dead,
        ) => true,
    }
}

fn take_inspected(draft: &mut Draft<'_>, name: &ContainerName, observed: &ObservedContainer) {
    draft.hints.look.remove(name);
    draft.hints.found.remove(name);
    look_again(draft, name, observed);
    if is_older(draft.container(name), observed) {
        // The next full list shows whether more is to be seen.
        return;
    }
    let last_state = draft.hints.states.insert(name.clone(), observed.state);
    let watched = last_state.is_some_and(RunState::may_live);
    draft.hints.sure.insert(name.clone());
    let now = draft.now;
    let container = draft.container(name);
    let adopted = container.docker_id.is_none() && container.status < ContainerStatus::Created;
    container.docker_id = Some(observed.id.clone());
    container.removed = false;
    container.image_id = Some(observed.image_id.clone());
    container.created_at = observed.created_at.or(container.created_at);
    container.mounts.clone_from(&observed.mounts);
    if container.status < ContainerStatus::Created {
        container.status = ContainerStatus::Created;
        container.retry = None;
    }
    if adopted {
        draft.tell_of(
            name,
            "Created",
            format!("container {} exists", observed.docker_name),
        );
    }
    take_another_run(draft, name, observed);
    match observed.state {
        RunState::Running | RunState::Paused | RunState::Restarting => {
            take_running(draft, name, observed);
            take_health(draft, name, observed.health);
        }
        RunState::Exited | RunState::Dead => {
            let exit = observed.exit.clone().unwrap_or_else(|| unknown_exit(now));
            take_exit(draft, name, &Seen { exit, watched }, observed);
        }
        // By hand: what is known of its end now is soon known to nobody.
        RunState::Removing => {
            if let Some(exit) = observed.exit.clone() {
                take_exit(draft, name, &Seen { exit, watched }, observed);
            }
        }
        RunState::Created => {}
    }
}

/// A look that shows a run alive whose end Docker has told of began before that end, as a start's own may. The
/// container is looked at once more, and what was told is kept until then: nothing may be left to look at. Not for
/// longer, since a clock of Docker's that was set back makes a later run look like that one.
fn look_again(draft: &mut Draft<'_>, name: &ContainerName, observed: &ObservedContainer) {
    let Some(told) = draft.hints.died.remove(name) else {
        return;
    };
    if told.of == observed.id && !told.looked_again && shows_alive(observed, told.exit.at) {
        draft.hints.look.insert(name.clone());
        let told = ToldEnd {
            looked_again: true,
            ..told
        };
        draft.hints.died.insert(name.clone(), told);
    }
}

/// Of an end that nobody can ask about any more.
fn unknown_exit(at: UnixMillis) -> Exit {
    Exit {
        code: None,
        at,
        oom_killed: false,
    }
}

/// Whether the look shows a run alive that had begun by then.
fn shows_alive(observed: &ObservedContainer, at: UnixMillis) -> bool {
    observed.state.may_live() && observed.started_at.is_some_and(|began| began <= at)
}

/// Whether the look began before the end that is known: it shows that very run alive.
fn is_older(known: &KnownContainer, observed: &ObservedContainer) -> bool {
    known.status == ContainerStatus::Running
        && known.exit.is_some()
        && observed.state.may_live()
        && observed.started_at.is_some()
        && observed.started_at == known.running_since
}

/// A container between two runs has begun the next: its policy's, whoever of two agents asked for it. An end that is
/// held back is judged elsewhere: that run may be somebody else's.
fn take_another_run(draft: &mut Draft<'_>, name: &ContainerName, observed: &ObservedContainer) {
    let container = draft.container(name);
    let between = container.status == ContainerStatus::Running
        && container.exit.is_some()
        && container.settles_at.is_none();
    if !between || observed.started_at == container.running_since {
        return;
    }
    container.restart_count = container.restart_count.saturating_add(1);
    container.last_restart_at = observed.started_at;
    container.running_since = observed.started_at;
    container.exit = None;
    container.retry = None;
    let count = container.restart_count;
    draft.tell_of(
        name,
        "Restarted",
        match count {
            1 => "restarted by its policy for the first time".to_owned(),
            _ => format!("restarted by its policy, {count} times so far"),
        },
    );
}

fn take_running(draft: &mut Draft<'_>, name: &ContainerName, observed: &ObservedContainer) {
    let container = draft.container(name);
    if container.status == ContainerStatus::Stopped {
        return;
    }
    let restarted = container.exit.take().is_some();
    let settled = container.settles_at.take().is_some();
    // The end between the two runs was never seen.
    let unseen = container.status == ContainerStatus::Running
        && !restarted
        && container.running_since.is_some()
        && observed.started_at.is_some()
        && container.running_since != observed.started_at;
    let first = container.status < ContainerStatus::Running;
    container.status = ContainerStatus::Running;
    if container.started_at.is_none() {
        container.started_at = observed.started_at;
    }
    container.running_since = observed.started_at;
    container.bindings.clone_from(&observed.bindings);
    container.networks.clone_from(&observed.networks);
    container.probe.clone_from(&observed.probe);
    if container.stop_requested_at.is_none() {
        container.reason = None;
    }
    if container
        .retry
        .as_ref()
        .is_some_and(|retry| retry.step != crate::domain::task::Step::Stop)
    {
        container.retry = None;
    }
    if first {
        draft.tell_of(name, "Started", started_words(observed));
    } else if unseen || (restarted && settled) {
        draft.tell_of(
            name,
            "RestartedOutside",
            "restarted by somebody else".to_owned(),
        );
    }
}

fn started_words(observed: &ObservedContainer) -> String {
    let ports: Vec<String> = observed
        .bindings
        .iter()
        .filter(|binding| !binding.bind_ip.contains(':'))
        .map(|binding| {
            format!(
                "{}->{}/{}",
                binding.host_port, binding.container_port, binding.protocol
            )
        })
        .collect();
    if ports.is_empty() {
        "started".to_owned()
    } else {
        format!("started, ports {}", ports.join(", "))
    }
}

/// An end, and whether this process knew before that the run was alive: then it has heard of signals as well.
struct Seen {
    exit: Exit,
    watched: bool,
}

fn take_exit(
    draft: &mut Draft<'_>,
    name: &ContainerName,
    seen: &Seen,
    observed: &ObservedContainer,
) {
    let exit = &seen.exit;
    let reason = exit_reason(exit, observed.error.as_deref());
    let container = draft.container(name);
    if container.status == ContainerStatus::Stopped {
        complete_exit(container, exit.clone(), reason);
        return;
    }
    if container.started_at.is_none() {
        container.started_at = observed.started_at;
    }
    if observed.started_at.is_some() {
        container.running_since = observed.started_at;
    }
    let seen_before = container
        .exit
        .as_ref()
        .is_some_and(|known| known.at == exit.at);
    if seen_before && container.settles_at.is_none() {
        return;
    }
    ended(draft, name, seen, reason);
}

/// A final exit may learn what it lacked: its code, or that memory was the cause.
fn complete_exit(container: &mut KnownContainer, exit: Exit, reason: Option<Reason>) {
    match &mut container.exit {
        None if container.started_at.is_some() => container.exit = Some(exit),
        None => {}
        Some(known) => {
            if known.code.is_none() {
                known.code = exit.code;
            }
            known.oom_killed |= exit.oom_killed;
        }
    }
    if container.reason.is_none() {
        container.reason = reason;
    }
}

fn take_died(
    draft: &mut Draft<'_>,
    name: &ContainerName,
    id: &DockerId,
    code: Option<i64>,
    at: UnixMillis,
) {
    // More has happened than this event says, and a look is on its way that shows it: this run may be the one before.
    let looked_for = draft.hints.look.contains(name);
    let container = draft.container(name);
    let this_run = container.docker_id.as_ref() == Some(id)
        && container.status == ContainerStatus::Running
        && container.exit.is_none()
        && container.running_since.is_some_and(|since| since <= at);
    let told = container.docker_id.as_ref() == Some(id)
        && container.status == ContainerStatus::Stopped
        && container
            .exit
            .as_ref()
            .is_some_and(|exit| exit.code == code);
    match code {
        Some(_) if told => {}
        Some(code) if this_run && code != KILLED_EXIT_CODE && !looked_for => {
            draft.hints.states.insert(name.clone(), RunState::Exited);
            let exit = Exit {
                code: Some(code),
                at,
                oom_killed: false,
            };
            let watched = true;
            ended(draft, name, &Seen { exit, watched }, None);
        }
        _ => {
            draft.hints.look.insert(name.clone());
            remember_end(draft, name, id, code, at);
        }
    }
}

/// Somebody may remove the container before it is looked at: then nothing else says how it ended. Of several ends the
/// last one counts, in whichever order they are told.
fn remember_end(
    draft: &mut Draft<'_>,
    name: &ContainerName,
    id: &DockerId,
    code: Option<i64>,
    at: UnixMillis,
) {
    let container = draft.container(name);
    let known = container.docker_id.as_ref() == Some(id)
        && container.status != ContainerStatus::Stopped
        && container.running_since.is_none_or(|since| since <= at);
    let before = draft.hints.died.get(name);
    if known && before.is_none_or(|told| told.of != *id || told.exit.at <= at) {
        let told = ToldEnd {
            of: id.clone(),
            exit: Exit {
                code,
                ..unknown_exit(at)
            },
            looked_again: false,
        };
        draft.hints.died.insert(name.clone(), told);
    }
}

/// A run of the container has ended: for good, to be restarted by policy, or perhaps to be restarted by hand.
fn ended(draft: &mut Draft<'_>, name: &ContainerName, seen: &Seen, reason: Option<Reason>) {
    let now = draft.now;
    let exit = seen.exit.clone();
    let ended_at = exit.at;
    let outside = draft
        .hints
        .signalled_at
        .get(name)
        .is_some_and(|&at| now.since(at) <= OUTSIDE_SIGNAL_WINDOW);
    let container = draft.container(name);
    let asked = container.stop_requested_at.is_some();
    // Nobody watched: a signal may have gone unheard, with an earlier agent or with lost events.
    let unheard = !seen.watched
        && container.status == ContainerStatus::Running
        && now.since(ended_at) < SETTLE;
    container.exit = Some(exit);
    if reason.is_some() || !asked {
        container.reason = reason;
    }
    if (outside || unheard) && !asked && container.settles_at.is_none() {
        let since = if outside { now } else { ended_at.min(now) };
        container.status = ContainerStatus::Running;
        container.settles_at = Some(since.plus(SETTLE));
        return;
    }
    if container.settles_at.is_some_and(|at| at > now) {
        return;
    }
    settle(draft, name);
}

/// Judges an end that is known: restart by policy, or final.
pub fn settle(draft: &mut Draft<'_>, name: &ContainerName) {
    let policy = draft
        .desired
        .definition
        .container(name)
        .and_then(|found| found.restart_policy.clone());
    let stopping = draft.known.stop.is_some()
        || draft.desired.status == crate::domain::status::DesiredStatus::Stopped;
    let container = draft.container(name);
    container.settles_at = None;
    match restart::judge(policy.as_ref(), stopping, container) {
        Verdict::Restart => {
            // Nobody need have seen it run.
            container.status = ContainerStatus::Running;
            let code = container
                .exit
                .as_ref()
                .and_then(|exit| exit.code)
                .unwrap_or_default();
            draft.tell_of(
                name,
                "Exited",
                format!("exited with code {code}, restart policy starts it again"),
            );
        }
        Verdict::Final(_) => draft.stop_container(name, None, None),
    }
}

fn take_absent(draft: &mut Draft<'_>, name: &ContainerName) {
    draft.hints.look.remove(name);
    draft.hints.found.remove(name);
    draft.hints.states.remove(name);
    let died = draft.hints.died.remove(name);
    let now = draft.now;
    let container = draft.container(name);
    let id = container.docker_id.take();
    let had_id = id.is_some();
    match container.status {
        ContainerStatus::Created if had_id => {
            container.retry = None;
            draft.tell_of(
                name,
                "Vanished",
                "removed by somebody else before its start".to_owned(),
            );
        }
        ContainerStatus::None | ContainerStatus::Pulled | ContainerStatus::Created => {
            // A step that comes before its creation still counts how often it failed: Docker tells of containers that
            // it takes back as their creation fails.
            let before = |step| matches!(step, Step::Pull | Step::SetUp | Step::Create);
            container.retry = container.retry.take().filter(|retry| before(retry.step));
            // Nothing came of it: whoever stops the task need not look again.
            draft.hints.sure.insert(name.clone());
        }
        ContainerStatus::Running => {
            let told = died.filter(|told| id.as_ref() == Some(&told.of));
            let ends = [container.exit.clone(), told.map(|told| told.exit)];
            let last = ends.into_iter().flatten().max_by_key(|exit| exit.at);
            let exit = last.unwrap_or_else(|| unknown_exit(now));
            let reason = Reason::new(
                ReasonName::ContainerVanishedError,
                "No container matching saved ID found",
            );
            container.removed = true;
            draft.stop_container(name, Some(exit), Some(reason));
        }
        // Of a creation that never came to be, an earlier one may be left under another name.
        ContainerStatus::Stopped => {
            container.retry = None;
            container.removed |= had_id || container.attempt == 0;
        }
    }
}

/// Health from an event or a list: when it changes, what the probe wrote is still to be looked up.
fn hear_of_health(draft: &mut Draft<'_>, name: &ContainerName, health: Health) {
    let before = draft.container(name).health;
    take_health(draft, name, health);
    if draft.container(name).health != before {
        draft.hints.look.insert(name.clone());
    }
}

fn take_health(draft: &mut Draft<'_>, name: &ContainerName, health: Health) {
    let now = draft.now;
    let container = draft.container(name);
    if container.status != ContainerStatus::Running || container.health == health {
        return;
    }
    container.health = health;
    container.health_since = Some(now);
    draft.tell_of(name, "Health", health.as_str().to_owned());
}
