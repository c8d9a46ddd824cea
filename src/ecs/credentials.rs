//! The source of credentials of tasks that the control plane runs: what ACS has sent, in memory and nowhere else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::acs::Delivery;
use crate::boundary::credentials::CredentialsSource;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::credentials::{Credentials, CredentialsId, RoleGrant};

/// How long credentials are kept for a task that is still on its way into the engine.
const GRACE: Duration = Duration::from_mins(10);

/// Credentials that ACS has sent, by id. Clones share them.
#[derive(Clone, Default)]
pub struct SentCredentials {
    held: Arc<Mutex<BTreeMap<CredentialsId, Held>>>,
}

struct Held {
    credentials: Credentials,
    since: Instant,
}

impl SentCredentials {
    /// They can be had from now on.
    pub fn keep(&self, delivery: &Delivery) {
        let given = &delivery.given;
        let held = Held {
            credentials: given.credentials.clone(),
            since: Instant::now(),
        };
        self.held().insert(given.id.clone(), held);
    }

    /// Only these are kept, and what has come lately.
    pub fn retain(&self, wanted: impl Fn(&CredentialsId) -> bool) {
        self.held()
            .retain(|id, held| held.since.elapsed() < GRACE || wanted(id));
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<CredentialsId, Held>> {
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
        let held = self
            .sent
            .held()
            .get(&grant.id)
            .map(|held| held.credentials.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credentials::{RoleArn, RoleKind};
    use crate::domain::ids::TaskArn;
    use crate::domain::sample;
    use crate::ecs::acs::Given;
    use crate::ecs::acs::wire::RoleCredentials;

    /// The source of this host's own tasks: it is asked for those alone.
    struct Others;

    #[async_trait]
    impl CredentialsSource for Others {
        async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
            assert!(grant.owner.is_standalone());
            Err(BoundaryError::new("assume", ErrorKind::Denied, "no"))
        }

        async fn changed(&self) {
            std::future::pending::<()>().await;
        }
    }

    fn ours() -> TaskArn {
        TaskArn::parse("arn:aws:ecs:us-west-2:123456789012:task/lab/a").unwrap()
    }

    fn delivery(id: &str) -> Delivery {
        let given = Given::read(RoleCredentials {
            credentials_id: Some(id.to_owned()),
            access_key_id: Some("K".to_owned()),
            expiration: Some("whenever".to_owned()),
            ..RoleCredentials::default()
        });
        Delivery {
            task: ours(),
            kind: RoleKind::Task,
            given: given.unwrap(),
        }
    }

    fn grant(owner: TaskArn, id: &str) -> RoleGrant {
        RoleGrant {
            id: CredentialsId::parse(id).unwrap(),
            owner,
            kind: RoleKind::Task,
            role: RoleArn::parse("arn:aws:iam::1:role/r").unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn check_075_what_was_sent_is_served_with_its_end_as_it_came() {
        let sent = SentCredentials::default();
        let source = AcsSource::new(sent.clone(), Arc::new(Others));
        let missing = source.fetch(&grant(ours(), "a")).await.unwrap_err();
        assert_eq!(missing.kind, ErrorKind::NotFound);
        sent.keep(&delivery("a"));
        let found = source.fetch(&grant(ours(), "a")).await.unwrap();
        assert_eq!(found.access_key_id.expose(), "K");
        assert_eq!(found.expiration.text, "whenever");
        let own = source
            .fetch(&grant(sample::arn("b"), "b"))
            .await
            .unwrap_err();
        assert_eq!(own.kind, ErrorKind::Denied);
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_of_nobody_go_but_not_before_their_task_could_come() {
        let sent = SentCredentials::default();
        sent.keep(&delivery("a"));
        sent.retain(|_| false);
        let source = AcsSource::new(sent.clone(), Arc::new(Others));
        assert!(source.fetch(&grant(ours(), "a")).await.is_ok());
        tokio::time::advance(GRACE).await;
        sent.retain(|_| false);
        assert!(source.fetch(&grant(ours(), "a")).await.is_err());
    }
}
