//! The way into the service: requests are answered here, from the slots; what changes them goes to the service.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::config::Encode;
use super::plan::binding::{self, Binding, BindingMode, Mismatch};
use super::slot::{Slot, Slots};
use crate::boundary::Clock;
use crate::boundary::credentials::{OwnCredentials, RoleReadiness, TaskRoles};
use crate::domain::caller::Caller;
use crate::domain::credentials::{Credentials, CredentialsId, RoleGrant, RoleKind};
use crate::domain::ids::TaskArn;

/// Pushes that may wait for the service: the task and execution roles of a payload of the largest kind seen.
pub(super) const PUSH_CAPACITY: usize = 2048;

/// What a request came to.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The role behind the id, if there is one.
    pub grant: Option<Arc<RoleGrant>>,
    /// The outcome.
    pub outcome: Outcome,
}

/// Whether credentials are given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are: the whole body of the answer, and what speaks against the caller where that is only noted.
    Vended(Bytes, Option<Mismatch>),
    /// There is no such id.
    Unknown,
    /// The caller may not have them.
    Refused(Mismatch),
    /// There are none yet, or none any more; or the caller is not known yet, which then speaks against it.
    NotYet(Option<Mismatch>),
}

/// What the handle and the service share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) slots: Slots,
    /// For the one that waits in [`TaskRoles::changed`].
    pub(super) changed: Notify,
    /// The answers' form.
    pub(super) encode: Encode,
}

/// Somebody brings credentials.
pub(super) struct Push {
    pub(super) id: CredentialsId,
    pub(super) credentials: Credentials,
}

/// Cheap to clone; the only way in.
#[derive(Clone)]
pub struct CredentialsHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) wanted: Arc<watch::Sender<Arc<[Arc<RoleGrant>]>>>,
    pub(super) pushes: mpsc::Sender<Push>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) binding: BindingMode,
    pub(super) patience: Duration,
}

/// The service does not take what is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Too much waits already.
    #[error("too many credentials wait to be taken in")]
    Busy,
    /// It has ended.
    #[error("the credentials service has ended")]
    Closed,
}

impl CredentialsHandle {
    /// Answers a request for an id that began then: from memory, or after a fetch under way if that ends soon. What
    /// the request has waited for already is waited less here.
    pub async fn ask(&self, id: &str, caller: &Caller, began: Instant) -> Asked {
        let Some(slot) = self.shared.slots.get(id) else {
            return Asked {
                grant: None,
                outcome: Outcome::Unknown,
            };
        };
        let outcome =
            match binding::decide(self.binding, caller, &slot.grant.owner, slot.grant.kind) {
                Binding::Refuse(mismatch) => Outcome::Refused(mismatch),
                Binding::TryAgain => Outcome::NotYet(Some(Mismatch::Unidentified)),
                Binding::Serve(mismatch) => match self.body(&slot, began).await {
                    Some(body) => Outcome::Vended(body, mismatch),
                    None => Outcome::NotYet(mismatch),
                },
            };
        Asked {
            grant: Some(Arc::clone(&slot.grant)),
            outcome,
        }
    }

    async fn body(&self, slot: &Slot, began: Instant) -> Option<Bytes> {
        if let Some(body) = slot.body(self.clock.now(), self.shared.encode) {
            return Some(body);
        }
        let deadline = began + self.patience;
        loop {
            // Made before looking, so that no change in between is missed.
            let changed = slot.changed();
            let now = self.clock.now();
            let body = slot.body(now, self.shared.encode);
            if body.is_some() {
                return body;
            }
            let still_wanted = self.shared.slots.get(slot.grant.id.expose()).is_some();
            if !still_wanted || slot.readiness(now) != RoleReadiness::Fetching {
                return None;
            }
            tokio::time::timeout_at(deadline, changed).await.ok()?;
        }
    }

    /// Id of the credentials of the task's role; `None` = it has none.
    pub fn task_role_of(&self, owner: &TaskArn) -> Option<CredentialsId> {
        let grants = self.shared.slots.grants();
        let of_task =
            |grant: &&Arc<RoleGrant>| grant.kind == RoleKind::Task && grant.owner == *owner;
        grants.iter().find(of_task).map(|grant| grant.id.clone())
    }

    /// Takes credentials in that somebody else has made (the control plane).
    ///
    /// # Errors
    /// The service does not take them: they are to be sent again.
    pub fn push(&self, id: CredentialsId, credentials: Credentials) -> Result<(), PushError> {
        let refused = self.pushes.try_send(Push { id, credentials });
        refused.map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => PushError::Busy,
            mpsc::error::TrySendError::Closed(_) => PushError::Closed,
        })
    }
}

impl OwnCredentials for CredentialsHandle {
    fn own(&self, id: &CredentialsId) -> Option<Arc<Credentials>> {
        let slot = self.shared.slots.get(id.expose())?;
        slot.credentials(self.clock.now())
    }
}

#[async_trait]
impl TaskRoles for CredentialsHandle {
    fn set_wanted(&self, grants: Vec<RoleGrant>) {
        let grants: Vec<Arc<RoleGrant>> = grants.into_iter().map(Arc::new).collect();
        // At once, not when the service gets to it: an id that is in a row is never answered as unknown.
        if self.shared.slots.set(&grants) {
            // The slots' own: those that stay are not kept twice.
            self.wanted.send_replace(self.shared.slots.grants());
        }
    }

    fn readiness(&self, id: &CredentialsId) -> Option<RoleReadiness> {
        let slot = self.shared.slots.get(id.expose())?;
        Some(slot.readiness(self.clock.now()))
    }

    async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}
