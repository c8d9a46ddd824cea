//! The source of credentials of tasks that the control plane runs: what ACS has sent, in memory and nowhere else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::acs::Delivery;
use crate::boundary::credentials::CredentialsSource;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::credentials::{Credentials, CredentialsId, RoleGrant};

/// Credentials that ACS has sent, by id. Clones share them.
#[derive(Clone, Default)]
pub struct SentCredentials {
    held: Arc<Mutex<BTreeMap<CredentialsId, Credentials>>>,
}

impl SentCredentials {
    /// They can be had from now on.
    pub fn keep(&self, delivery: &Delivery) {
        let given = &delivery.given;
        self.held()
            .insert(given.id.clone(), given.credentials.clone());
    }

    /// Only these are kept.
    pub fn retain(&self, wanted: impl Fn(&CredentialsId) -> bool) {
        self.held().retain(|id, _| wanted(id));
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<CredentialsId, Credentials>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where credentials of roles come from in connected mode.
pub struct AcsSource {
    sent: SentCredentials,
    /// For tasks that are this host's own affair.
    others: Arc<dyn CredentialsSource>,
}

impl AcsSource {
    /// From what was sent; of tasks that the control plane does not run, from `others`.
    pub fn new(sent: SentCredentials, others: Arc<dyn CredentialsSource>) -> Self {
        Self { sent, others }
    }
}

#[async_trait]
impl CredentialsSource for AcsSource {
    async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
        let held = self.sent.held().get(&grant.id).cloned();
        match held {
            Some(credentials) => Ok(credentials),
            None if grant.owner.is_standalone() => self.others.fetch(grant).await,
            None => Err(BoundaryError::new(
                format!("have credentials of {}", grant.role),
                // Says nothing of other roles: each is sent by itself.
                ErrorKind::NotFound,
                "ECS has not sent them yet",
            )),
        }
    }

    async fn changed(&self) {
        self.others.changed().await;
    }
}
