//! Where credentials of roles come from, where they go to, and what becomes of requests for them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;

use super::error::{BoundaryError, ErrorKind};
use crate::domain::credentials::{Credentials, CredentialsId, RoleGrant, RoleKind};
use crate::domain::ids::{TaskArn, UnixMillis};

/// Makes credentials of a role.
#[async_trait]
pub trait CredentialsSource: Send + Sync {
    /// New credentials of the role for that task. They have not expired. The kind of an error says whether another
    /// try can help: `Denied` and `Invalid` need somebody to change something.
    async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError>;

    /// Returns when what was fetched before may be out of date though it has not expired; never, if there is no
    /// such thing. Cancel-safe.
    async fn changed(&self);
}

/// Keeps credentials beyond the end of the process, so that nobody who reads the disk has them.
pub trait CredentialsKeeper: Send + Sync {
    /// What was kept for these grants and was neither lost nor altered; everything else that was kept is forgotten.
    /// Called before the first of the others; may read files.
    fn take_back(&self, grants: &[Arc<RoleGrant>]) -> Vec<(CredentialsId, Credentials)>;

    /// These will be kept instead of earlier ones for the grant, soon and not now. Never waits: what is too much is
    /// not kept.
    fn keep(&self, grant: &RoleGrant, credentials: &Credentials);

    /// What was kept under the id will be removed, soon and not now. Never waits.
    fn forget(&self, id: &CredentialsId);
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeeper;

impl CredentialsKeeper for NoKeeper {
    fn take_back(&self, _grants: &[Arc<RoleGrant>]) -> Vec<(CredentialsId, Credentials)> {
        Vec::new()
    }

    fn keep(&self, _grant: &RoleGrant, _credentials: &Credentials) {}

    fn forget(&self, _id: &CredentialsId) {}
}

/// The roles that tasks have, and whether their credentials can be served.
#[async_trait]
pub trait TaskRoles: Send + Sync {
    /// These and no other roles are wanted from now on. A new one is fetched; one that is not wanted any more is
    /// forgotten, and its id is unknown from then on.
    fn set_wanted(&self, grants: Vec<RoleGrant>);

    /// How far a wanted role is; `None` = it is not wanted.
    fn readiness(&self, id: &CredentialsId) -> Option<RoleReadiness>;

    /// Returns when a readiness may have changed since the last return. For one listener; cancel-safe.
    async fn changed(&self);
}

/// Credentials of roles, for the agent's own calls on behalf of a task.
pub trait OwnCredentials: Send + Sync {
    /// Those under the id; `None` = not now.
    fn own(&self, id: &CredentialsId) -> Option<Arc<Credentials>>;
}

/// How far a role is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleReadiness {
    /// Its credentials can be served.
    Ready,
    /// They are being fetched, or will be at once.
    Fetching,
    /// The last try failed; there is nothing that could be served.
    Failing {
        /// Failures in a row, from 1.
        failures: u32,
        /// Kind of the last one.
        kind: ErrorKind,
        /// Its words, without a secret.
        message: String,
        /// Next try.
        next_at: UnixMillis,
    },
}

/// What a request for credentials, or one refused for its rate, came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: UnixMillis,
    /// Status of the answer.
    pub status: u16,
    /// The other end.
    pub peer: SocketAddr,
    /// Path without query and without an id.
    pub path: Cow<'static, str>,
    /// `User-Agent`, empty if there was none.
    pub user_agent: String,
    /// Task that the credentials belong to.
    pub owner: Option<TaskArn>,
    /// What it was.
    pub event: AuditEvent,
    /// What speaks against the caller, as one word of a small set; `None` = nothing, or nobody has looked.
    pub against: Option<&'static str>,
}

/// Words of [`AuditEntry::against`].
pub const AGAINST: [&str; 4] = ["other-task", "stranger", "host-process", "unidentified"];

/// Values of [`AuditEntry::path`] beside `/`.
pub const PATHS: [&str; 8] = [
    "/v1/credentials",
    "/v2/credentials",
    "/v2/metadataWithTags",
    "/v2/metadata",
    "/v2/stats",
    "/v3",
    "/v4",
    "/api",
];

/// What is audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditEvent {
    /// Credentials of that role were given out.
    Vended(RoleKind),
    /// They were asked for and not given out.
    Refused,
    /// The caller asks too often.
    RateLimited,
}

/// Keeps the record of requests for credentials.
pub trait AuditLog: Send + Sync {
    /// The entry will be written, soon and not now. Never waits: what is too much is dropped and counted.
    fn record(&self, entry: AuditEntry);
}
