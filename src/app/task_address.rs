//! The address at which containers reach the task server: kept on this host, and served.
//!
//! **Invariants.** The address is looked at each second and whenever the host says that addresses have changed, so that
//! what takes it away is undone at once, whoever it was. It stays when the agent ends: containers would otherwise ask
//! some other machine. [`release`] takes it away.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::surroundings::ListenerBoard;
use crate::boundary::{BoundaryError, HeldAddress, TaskAddress};
use crate::error::ErrorChain;
use crate::platform::TaskLink;

/// Where every SDK asks for credentials and metadata.
pub(super) const TASK_SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)), 80);

/// Longest time between two looks: hints of changes may be missed.
const LOOK_PACE: Duration = Duration::from_secs(1);

/// Pause after a hint: our own changes are hints too, and changes come in bursts.
const HINT_PAUSE: Duration = Duration::from_millis(50);

/// Name of the address on the board of listeners.
const NAME: &str = "task-address";

/// Keeps the address on this host until `stop`.
pub(super) async fn keep(link: impl TaskAddress, board: ListenerBoard, stop: CancellationToken) {
    while !stop.is_cancelled() {
        ensure(&link, &board).await;
        let hint = async {
            // A hint that cannot be had leaves the looks by the clock.
            if link.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // Cancel-safe: both only wait.
        tokio::select! {
            () = hint => tokio::time::sleep(HINT_PAUSE).await,
            () = tokio::time::sleep(LOOK_PACE) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// The address is on this host, or the board says why it is not.
pub(super) async fn ensure(link: &impl TaskAddress, board: &ListenerBoard) {
    match link.ensure().await {
        Ok(held) => {
            let place = format!("{} of link {}", TASK_SERVER.ip(), held.link);
            if board.set(NAME, Ok(place)) {
                info!(event = "task-address-up", link = held.link, address = %TASK_SERVER.ip(), "containers reach the task server");
            }
        }
        Err(error) => {
            let why = ErrorChain(&error).to_string();
            if board.set(NAME, Err(why.clone())) {
                warn!(
                    event = "task-address-down",
                    error = why,
                    "containers do not reach the task server; trying again"
                );
            }
        }
    }
}

/// Where this host has the address, if it has it.
///
/// # Errors
/// If the host does not say.
pub async fn held() -> Result<Option<HeldAddress>, BoundaryError> {
    TaskLink::default().look().await
}

/// Gives this host the address.
///
/// # Errors
/// If it may not be changed.
pub async fn set_up() -> Result<HeldAddress, BoundaryError> {
    TaskLink::default().ensure().await
}

/// Takes the address and its link from this host; an agent that runs brings it back.
///
/// # Errors
/// If it may not be changed.
pub async fn release() -> Result<(), BoundaryError> {
    TaskLink::default().release().await
}
