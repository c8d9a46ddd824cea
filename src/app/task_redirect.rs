//! The classic way of containers to the task server: rules of iptables, kept as they are set.
//!
//! **Invariants.** As with the address: what takes the rules away is undone, and they stay when the agent ends.
//! [`release`] takes them away.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::conditions::Conditions;
use super::task_address::TASK_SERVER;
use crate::api::observe::probes::Check;
use crate::boundary::{BoundaryError, TaskRedirect};
use crate::error::ErrorChain;
use crate::platform::RedirectOs;

/// Time between two looks: each runs a program for every rule.
const LOOK_PACE: Duration = Duration::from_secs(5);

/// Name of the check.
const NAME: &str = "task-redirect";

/// Keeps the rules until `stop`.
pub(super) async fn keep(
    redirect: impl TaskRedirect,
    conditions: Conditions,
    stop: CancellationToken,
) {
    let (address, port) = (TASK_SERVER.ip(), TASK_SERVER.port());
    loop {
        match redirect.ensure().await {
            Ok(is_new) => {
                let words = format!("{address} port {port} leads to the task server");
                if conditions.set(Check::pass(NAME, words)) || is_new {
                    info!(event = "task-redirect-up", %address, "rules of iptables lead containers to the task server");
                }
            }
            Err(error) => {
                let error = ErrorChain(&error).to_string();
                let words = format!("containers do not reach the task server: {error}");
                let check = Check::fail(NAME, words).hint("it is tried again every few seconds");
                if conditions.set(check) {
                    warn!(
                        event = "task-redirect-down",
                        error, "containers do not reach the task server; trying again"
                    );
                }
            }
        }
        let pause = tokio::time::sleep(LOOK_PACE);
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

/// Takes the rules to that task server from this host; an agent that runs brings them back.
///
/// # Errors
/// If they may not be changed.
pub async fn release(server: SocketAddr) -> Result<(), BoundaryError> {
    RedirectOs::new(server, true).release().await
}
