//! A source of credentials that can be told to fail, hang and change, and a record in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::boundary::credentials::{
    AuditEntry, AuditLog, CredentialsKeeper, CredentialsSource, RoleReadiness, TaskRoles,
};
use crate::boundary::{BoundaryError, Clock, ErrorKind};
use crate::domain::credentials::{
    Credentials, CredentialsId, Expiration, RoleArn, RoleGrant, RoleKind,
};
use crate::domain::ids::TaskArn;

/// Makes numbered credentials, the way it is told to.
pub struct FakeSource {
    clock: Arc<dyn Clock>,
    state: Mutex<SourceState>,
    /// To be notified when what was fetched is out of date.
    pub changed: Notify,
}

/// What the source does, and what it has done.
#[derive(Debug)]
pub struct SourceState {
    /// Credentials made so far; their number is part of them.
    pub made: u32,
    /// Fetches by id.
    pub fetches: BTreeMap<String, u32>,
    /// How every fetch ends from now on; `None` = well.
    pub fails: Option<ErrorKind>,
    /// How long a fetch takes.
    pub takes: Duration,
    /// How long credentials live.
    pub life: Duration,
}

impl FakeSource {
    /// Everything succeeds at once and lives for an hour.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(SourceState {
                made: 0,
                fetches: BTreeMap::new(),
                fails: None,
                takes: Duration::ZERO,
                life: Duration::from_hours(1),
            }),
            changed: Notify::new(),
        }
    }

    /// To read and to change.
    pub fn state(&self) -> MutexGuard<'_, SourceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches so far.
    pub fn fetches(&self) -> u32 {
        self.state().fetches.values().sum()
    }
}

/// Credentials of that number.
pub fn credentials(number: u32, clock: &dyn Clock, life: Duration) -> Credentials {
    Credentials {
        access_key_id: format!("KEY{number}").into(),
        secret_access_key: format!("secret{number}").into(),
        session_token: format!("token{number}").into(),
        expiration: Expiration {
            text: "2026-11-23T17:51:52Z".to_owned(),
            at: clock.now().plus(life),
        },
    }
}

/// A task role of the nth simulated task.
///
/// # Panics
/// Never: the texts are well formed.
#[expect(clippy::expect_used, reason = "the texts are well formed")]
pub fn grant(n: u32) -> RoleGrant {
    let arn = format!("arn:aws:ecs:local:000000000000:task/default/{n:032x}");
    RoleGrant {
        id: CredentialsId::parse(&format!("id-{n}")).expect("an id"),
        owner: TaskArn::parse(&arn).expect("an ARN"),
        kind: RoleKind::Task,
        role: RoleArn::parse("arn:aws:iam::123456789012:role/web").expect("a role"),
    }
}

#[async_trait]
impl CredentialsSource for FakeSource {
    async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
        let takes = {
            let mut state = self.state();
            let count = state.fetches.entry(grant.id.expose().to_owned());
            *count.or_default() += 1;
            state.takes
        };
        tokio::time::sleep(takes).await;
        let mut state = self.state();
        if let Some(kind) = state.fails {
            return Err(BoundaryError::new(
                "assume role",
                kind,
                "it does not want to",
            ));
        }
        state.made += 1;
        Ok(credentials(state.made, self.clock.as_ref(), state.life))
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Roles that are all as far as a script says.
#[derive(Debug)]
pub struct FakeRoles {
    readiness: Mutex<RoleReadiness>,
    wanted: Mutex<Vec<RoleGrant>>,
    changed: Notify,
}

impl Default for FakeRoles {
    /// Every role is ready.
    fn default() -> Self {
        Self {
            readiness: Mutex::new(RoleReadiness::Ready),
            wanted: Mutex::default(),
            changed: Notify::new(),
        }
    }
}

impl FakeRoles {
    /// All are so far from now on, and the engine is told.
    pub fn set(&self, readiness: RoleReadiness) {
        *lock(&self.readiness) = readiness;
        self.changed.notify_one();
    }

    /// What is wanted now.
    pub fn wanted(&self) -> Vec<RoleGrant> {
        lock(&self.wanted).clone()
    }
}

#[async_trait]
impl TaskRoles for FakeRoles {
    fn set_wanted(&self, grants: Vec<RoleGrant>) {
        *lock(&self.wanted) = grants;
    }

    fn readiness(&self, id: &CredentialsId) -> Option<RoleReadiness> {
        let wanted = lock(&self.wanted).iter().any(|grant| grant.id == *id);
        wanted.then(|| lock(&self.readiness).clone())
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps entries.
#[derive(Debug, Default)]
pub struct MemoryAudit(Mutex<Vec<AuditEntry>>);

impl MemoryAudit {
    /// The entries so far; they are taken away.
    pub fn take(&self) -> Vec<AuditEntry> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AuditLog for MemoryAudit {
    fn record(&self, entry: AuditEntry) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry);
    }
}

/// Keeps credentials in memory, which a test keeps over the end of a service.
#[derive(Debug, Default)]
pub struct MemoryKeeper(Mutex<BTreeMap<CredentialsId, (RoleGrant, Credentials)>>);

impl MemoryKeeper {
    /// Ids under which something is kept.
    pub fn ids(&self) -> Vec<CredentialsId> {
        lock(&self.0).keys().cloned().collect()
    }
}

impl CredentialsKeeper for MemoryKeeper {
    fn take_back(&self, grants: &[Arc<RoleGrant>]) -> Vec<(CredentialsId, Credentials)> {
        let mut kept = lock(&self.0);
        kept.retain(|_, (kept, _)| grants.iter().any(|grant| **grant == *kept));
        let found = kept.iter();
        found
            .map(|(id, (_, credentials))| (id.clone(), credentials.clone()))
            .collect()
    }

    fn keep(&self, grant: &RoleGrant, credentials: &Credentials) {
        lock(&self.0).insert(grant.id.clone(), (grant.clone(), credentials.clone()));
    }

    fn forget(&self, id: &CredentialsId) {
        lock(&self.0).remove(id);
    }
}
