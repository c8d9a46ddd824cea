//! Credentials of roles put together: where they come from, the service, the record.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::lifecycle::Group;
use super::measured::Measured;
use super::settings;
use crate::api::task_server::credentials::{CredentialsState, encode};
use crate::api::task_server::limits::RateLimiter;
use crate::audit::{self, AuditHandle};
use crate::aws::{DevFile, Sts, Ways};
use crate::boundary::credentials::{CredentialsKeeper, CredentialsSource, NoKeeper, TaskRoles};
use crate::boundary::{AuditLog, BoundaryError, Clock, ErrorKind};
use crate::config::Config;
use crate::config::credentials::CredentialsFrom;
use crate::credentials::{CredentialsHandle, Outside, service};
use crate::domain::credentials::{Credentials, RoleGrant};
use crate::ecs::{AcsSource, FactsApi, ProtectionApi, SentCredentials, StatusHandle};
use crate::metrics::Counted;
use crate::platform::SystemIds;
use crate::vault;

/// The parts that others use.
pub struct RoleCredentials {
    /// Answers, and what the engine asks.
    pub handle: CredentialsHandle,
    /// What the control plane has sent.
    pub sent: SentCredentials,
    /// Where tasks ask for their protection.
    pub protection: ProtectionApi,
    /// Where they ask for what ECS says of them.
    pub facts: FactsApi,
    /// The record.
    pub audit: AuditHandle,
    /// Which container instance stands in the record: how connected mode is, once it has been started.
    pub connected: Arc<OnceLock<StatusHandle>>,
    clock: Arc<dyn Clock>,
    counted: Arc<Counted>,
    limiter: RateLimiter,
}

impl RoleCredentials {
    /// What the endpoints of the task server work with.
    pub fn endpoints(&self) -> CredentialsState {
        let audit = record(&self.audit, &self.counted);
        CredentialsState::new(self.handle.clone(), audit, self.clock.clone())
    }

    /// What the engine asks.
    pub fn for_engine(&self) -> Arc<dyn TaskRoles> {
        Arc::new(self.handle.clone())
    }

    /// How often callers of the task server may ask.
    pub fn limiter(&self) -> RateLimiter {
        self.limiter.clone()
    }
}

/// Starts the service and the record. The wanted roles are known before anything listens: an id of a task that is
/// there is never unknown, and what an earlier agent has kept is served at once.
pub fn start(
    config: &Config,
    data_dir: &Path,
    (clock, counted, ways): (&Arc<dyn Clock>, &Arc<Counted>, &Ways),
    wanted: Vec<RoleGrant>,
    (group, records): (&mut Group, &mut Group),
) -> RoleCredentials {
    let source: Arc<dyn CredentialsSource> = match &config.credentials.source {
        CredentialsFrom::Sts(section) => Arc::new(Sts::new(settings::sts(config, section), ways)),
        CredentialsFrom::Dev(path) => Arc::new(DevFile::new(path.clone(), clock.clone())),
        CredentialsFrom::Off => Arc::new(Nowhere),
    };
    let sent = SentCredentials::default();
    let source: Arc<dyn CredentialsSource> = match &config.connected {
        Some(_) => Arc::new(AcsSource::new(sent.clone(), source)),
        None => source,
    };
    let outside = Outside {
        source,
        keeper: keeper(config, data_dir, records),
        clock: clock.clone(),
        ids: Arc::new(SystemIds),
        encode,
    };
    let (mut service, handle) = service(&settings::credentials(config), outside);
    handle.set_wanted(wanted);
    service.restore();
    let connected = Arc::new(OnceLock::<StatusHandle>::new());
    let status = Arc::clone(&connected);
    let instance = Arc::new(move || status.get()?.now().instance);
    let (writer, audit) = audit::service(settings::audit(config, data_dir), instance);
    let stop = group.stop_token();
    // Where nothing serves them they are let go, and that is no end of the agent.
    let until = stop.clone();
    group.start("credentials", async move {
        service.run(until.clone()).await;
        until.cancelled().await;
    });
    let stop = records.stop_token();
    records.start("audit log", async move {
        writer.run(stop.clone()).await;
        stop.cancelled().await;
    });
    let refusals = record(&audit, counted);
    RoleCredentials {
        handle,
        sent,
        protection: ProtectionApi::default(),
        facts: FactsApi::default(),
        limiter: RateLimiter::new(settings::rates(config), refusals, clock.clone()),
        audit,
        connected,
        clock: clock.clone(),
        counted: Arc::clone(counted),
    }
}

/// The record, counted on the way.
fn record(audit: &AuditHandle, counted: &Arc<Counted>) -> Arc<dyn AuditLog> {
    Arc::new(Measured::new(Arc::new(audit.clone()), Arc::clone(counted)))
}

/// What keeps credentials beyond the end of the agent.
fn keeper(config: &Config, data_dir: &Path, records: &mut Group) -> Arc<dyn CredentialsKeeper> {
    if !config.credentials.keep || config.credentials.source == CredentialsFrom::Off {
        return Arc::new(NoKeeper);
    }
    let (service, handle) = vault::service(settings::vault(data_dir));
    let stop = records.stop_token();
    records.start("sealed credentials", async move {
        service.run(stop.clone()).await;
        stop.cancelled().await;
    });
    Arc::new(handle)
}

/// The source where roles are not served: nobody asks it, since no role is wanted then.
struct Nowhere;

#[async_trait]
impl CredentialsSource for Nowhere {
    async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
        let operation = format!("fetch credentials of {}", grant.role);
        let words = "BERTH_CREDENTIALS is off";
        Err(BoundaryError::new(operation, ErrorKind::Denied, words))
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}
