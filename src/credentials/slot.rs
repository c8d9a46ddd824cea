//! What requests read: one slot an id, the bytes of the answer ready in it.
//!
//! **Invariants.** Reading takes no lock. Nothing is read from a slot that has been taken away, except by requests
//! that had it already.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use tokio::sync::Notify;

use super::config::Encode;
use crate::boundary::credentials::RoleReadiness;
use crate::domain::credentials::{Credentials, CredentialsId, RoleGrant, RoleKind};
use crate::domain::ids::UnixMillis;

/// All slots.
#[derive(Debug, Default)]
pub(super) struct Slots(ArcSwap<HashMap<CredentialsId, Arc<Slot>>>);

/// One id.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) grant: Arc<RoleGrant>,
    held: ArcSwapOption<Held>,
    readiness: ArcSwap<RoleReadiness>,
    changed: Notify,
}

/// Good until its end.
#[derive(Debug)]
struct Held {
    ends_at: UnixMillis,
    form: Form,
}

/// One form only, for the sake of memory.
#[derive(Debug)]
enum Form {
    /// For those who ask: of task roles.
    Body(Bytes),
    /// For the agent's own use: of execution roles, which hardly anybody asks for.
    Own(Arc<Credentials>),
}

impl Slots {
    /// The slot of an id.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Slot>> {
        self.0.load().get(id).cloned()
    }

    /// The grants of all slots.
    pub(super) fn grants(&self) -> Arc<[Arc<RoleGrant>]> {
        let slots = self.0.load();
        slots.values().map(|slot| Arc::clone(&slot.grant)).collect()
    }

    /// One slot for each of these and no other. Those that stay keep what they hold. False if nothing changed.
    pub(super) fn set(&self, grants: &[Arc<RoleGrant>]) -> bool {
        let present = self.0.load_full();
        let kept = |grant: &Arc<RoleGrant>| {
            present
                .get(&grant.id)
                .filter(|slot| *slot.grant == **grant)
                .cloned()
        };
        let same =
            grants.len() == present.len() && grants.iter().all(|grant| kept(grant).is_some());
        if same {
            return false;
        }
        let next: HashMap<CredentialsId, Arc<Slot>> = grants
            .iter()
            .map(|grant| {
                let slot = kept(grant).unwrap_or_else(|| Arc::new(Slot::new(Arc::clone(grant))));
                (grant.id.clone(), slot)
            })
            .collect();
        let gone: Vec<Arc<Slot>> = present
            .iter()
            .filter(|(id, slot)| next.get(*id).is_none_or(|new| !Arc::ptr_eq(new, slot)))
            .map(|(_, slot)| Arc::clone(slot))
            .collect();
        self.0.store(Arc::new(next));
        for slot in gone {
            // Requests that wait for it have nothing to wait for.
            slot.changed.notify_waiters();
        }
        true
    }
}

impl Slot {
    fn new(grant: Arc<RoleGrant>) -> Self {
        Self {
            grant,
            held: ArcSwapOption::empty(),
            readiness: ArcSwap::from_pointee(RoleReadiness::Fetching),
            changed: Notify::new(),
        }
    }

    /// The answer, if there is one that has not expired.
    pub(super) fn body(&self, now: UnixMillis, encode: Encode) -> Option<Bytes> {
        let held = self.held.load();
        let held = held.as_ref().filter(|held| held.ends_at > now)?;
        Some(match &held.form {
            Form::Body(body) => body.clone(),
            Form::Own(credentials) => encode(&self.grant.role, credentials),
        })
    }

    /// The credentials, if they are for the agent's own use and have not expired.
    pub(super) fn credentials(&self, now: UnixMillis) -> Option<Arc<Credentials>> {
        let held = self.held.load();
        let held = held.as_ref().filter(|held| held.ends_at > now)?;
        match &held.form {
            Form::Body(_) => None,
            Form::Own(credentials) => Some(Arc::clone(credentials)),
        }
    }

    pub(super) fn readiness(&self, now: UnixMillis) -> RoleReadiness {
        let readiness = RoleReadiness::clone(&self.readiness.load());
        let held = self.held.load();
        let good = held.as_ref().is_some_and(|held| held.ends_at > now);
        if readiness == RoleReadiness::Ready && !good {
            // It has expired since; the service will say more.
            return RoleReadiness::Fetching;
        }
        readiness
    }

    /// Holds these from now on.
    pub(super) fn hold(&self, credentials: Credentials, encode: Encode) {
        let ends_at = credentials.expiration.at;
        let form = match self.grant.kind {
            RoleKind::Task => Form::Body(encode(&self.grant.role, &credentials)),
            RoleKind::Execution => Form::Own(Arc::new(credentials)),
        };
        self.held.store(Some(Arc::new(Held { ends_at, form })));
    }

    /// Says how far the role is. True if that is new.
    pub(super) fn set_readiness(&self, readiness: RoleReadiness) -> bool {
        let new = **self.readiness.load() != readiness;
        if new {
            self.readiness.store(Arc::new(readiness));
        }
        // Also without news: what is held may have changed.
        self.changed.notify_waiters();
        new
    }

    /// Completes at the next change from now on.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }
}
