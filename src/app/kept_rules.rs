//! Rules that an agent keeps on its host: settled and put up before the engine starts, kept while the agent runs.
//!
//! **Invariant.** Each has a keeper of its own, and none keeps the agent from starting: what cannot be had is in its health.

use std::io;

use tracing::warn;

use super::conditions::Conditions;
use super::engine::Engine;
use super::handed::{HandedOver, TASK_SERVER_ADDRESS};
use super::lifecycle::Lifecycle;
use super::metadata_barrier::Keeper;
use super::place::system;
use super::task_address::TASK_SERVER;
use super::{task_lead, task_redirect};
use crate::config::Config;
use crate::config::sections::Front;
use crate::domain::host::OsType;
use crate::platform::{BarrierOs, LeadOs, RedirectOs, may_listen};

/// Rules of nftables that this agent keeps.
pub(super) struct Rules {
    barrier: Option<Keeper<BarrierOs>>,
    lead: Option<task_lead::Keeper<LeadOs>>,
}

/// What leads containers here, where that is how they get here; settles that first.
pub(super) async fn lead(
    config: &mut Config,
    handed: &mut HandedOver,
    conditions: &Conditions,
) -> Option<task_lead::Keeper<LeadOs>> {
    if !config.listen.at_address() {
        return None;
    }
    let is_handed = handed.has(TASK_SERVER_ADDRESS);
    let obstacle = task_lead::settle(config, is_handed).await;
    if let Some(obstacle) = obstacle.filter(|_| is_handed || may_take_port()) {
        let check = obstacle.check(task_lead::NAME);
        warn!(
            event = "task-port-taken",
            why = check.message,
            "the agent listens at port 80 itself"
        );
        conditions.set(check);
    } else if system() == OsType::Linux {
        config.listen.front = Front::Led;
    }
    // Bound in any case: rules of an earlier run may lead there.
    let port = handed.led_port(&config.listen);
    (config.listen.front == Front::Led)
        .then(|| task_lead::Keeper::new(LeadOs::default(), port, conditions.clone()))
}

/// Whether the agent could listen at port 80 itself. Who may not keeps the port from no task either; and where somebody
/// has it, a task for one, rules are the only way, for which it is tried again.
fn may_take_port() -> bool {
    use io::ErrorKind::{AddrInUse, PermissionDenied};
    let listening = may_listen(TASK_SERVER);
    !listening.is_err_and(|error| matches!(error.kind(), AddrInUse | PermissionDenied))
}

/// The rules are there: what keeps tasks from the instance metadata service, unless the operator lets them, and what
/// leads them here.
pub(super) async fn put_up(
    config: &Config,
    mut lead: Option<task_lead::Keeper<LeadOs>>,
    conditions: &Conditions,
) -> Rules {
    let families = config.host.instance_metadata_families.iter().cloned();
    let barrier = config
        .host
        .block_instance_metadata
        .then(|| Keeper::new(BarrierOs::default(), families.collect(), conditions.clone()));
    if let Some(barrier) = &barrier {
        barrier.put_up().await;
    }
    if let Some(lead) = &mut lead {
        lead.ensure().await;
    }
    Rules { barrier, lead }
}

/// Starts what keeps the host's rules as they should be.
pub(super) fn start_keepers(
    lifecycle: &mut Lifecycle,
    config: &Config,
    engine: &Engine,
    rules: Rules,
    conditions: &Conditions,
) {
    let stop = lifecycle.drivers.stop_token();
    if let Some(barrier) = rules.barrier {
        let kept = barrier.keep(engine.handle.clone(), stop.clone());
        lifecycle.drivers.start("instance metadata barrier", kept);
    }
    if let Some(lead) = rules.lead {
        let kept = lead.keep(stop.clone());
        lifecycle.drivers.start("task lead", kept);
    }
    let listen = config.listen;
    if listen.task_redirect {
        let redirect = RedirectOs::new(listen.task_server, listen.filter_loopback);
        let kept = task_redirect::keep(redirect, conditions.clone(), stop);
        lifecycle.drivers.start("task redirect", kept);
    }
}
