//! The connection: made when first needed, its API version negotiated, every call under a deadline.
//!
//! **Invariants.** Nothing is connected before the first call. After a call that Docker did not answer, the next one
//! negotiates anew, because another Docker may have come up. The lock is never held over an await.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use serde::de::DeserializeOwned;

use super::config::{Deadlines, DockerConfig};
use super::endpoint::{self, Endpoint};
use super::error::{self, Area};
use super::raw::{self, Request};
use super::version::{self, ApiVersion};
use super::wire;
use crate::boundary::{BoundaryError, ErrorKind};

/// bollard's own limit on the wait for an answer's head, in seconds: longer than any deadline of ours, which are
/// the ones that count.
const HEAD_TIMEOUT_SECS: u64 = 24 * 60 * 60;

/// A Docker Engine. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Docker {
    shared: Arc<Shared>,
}

struct Shared {
    config: DockerConfig,
    endpoint: Endpoint,
    connection: Mutex<Option<Connection>>,
}

/// What was negotiated.
#[derive(Clone)]
pub(super) struct Connection {
    /// Typed calls in the negotiated version.
    pub(super) client: bollard::Docker,
    /// That version.
    pub(super) version: ApiVersion,
    /// Docker's own version.
    pub(super) engine_version: String,
}

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    operation: String,
    area: Area,
    limit: Duration,
}

impl Call {
    /// A call to the daemon itself.
    pub(super) fn engine(operation: impl Into<String>, limit: Duration) -> Self {
        Self {
            operation: operation.into(),
            area: Area::Engine,
            limit,
        }
    }

    /// A call that makes the daemon ask a registry.
    pub(super) fn registry(operation: impl Into<String>, limit: Duration) -> Self {
        Self {
            area: Area::Registry,
            ..Self::engine(operation, limit)
        }
    }

    /// An error of this call in Docker's words, outside of an answer's status.
    pub(super) fn refused(&self, message: &str) -> BoundaryError {
        let kind = error::kind_of(self.area, None, message);
        BoundaryError::new(&self.operation, kind, message)
    }

    /// An answer that does not say what it must.
    pub(super) fn unreadable(
        &self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> BoundaryError {
        let message = "Docker's answer cannot be read";
        BoundaryError::new(&self.operation, ErrorKind::Transient, message).because(cause)
    }

    /// Reads a JSON text of this call's answer.
    pub(super) fn read<T: DeserializeOwned>(&self, json: &[u8]) -> Result<T, BoundaryError> {
        serde_json::from_slice(json).map_err(|cause| self.unreadable(cause))
    }

    /// The error of a deadline that passed.
    pub(super) fn too_late(&self, limit: Duration) -> BoundaryError {
        BoundaryError::deadline(&self.operation, limit)
    }
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docker")
            .field("endpoint", &self.shared.endpoint)
            .field("instance", &self.shared.config.instance)
            .finish_non_exhaustive()
    }
}

impl Docker {
    /// An adapter for that Docker. Does not connect.
    ///
    /// # Errors
    /// `Invalid` if the endpoint is not an address that can be connected to on this system.
    pub fn new(config: DockerConfig) -> Result<Self, BoundaryError> {
        let endpoint = endpoint::parse(config.endpoint.as_deref(), std::env::consts::FAMILY)
            .map_err(|words| {
                BoundaryError::new("read the Docker endpoint", ErrorKind::Invalid, words)
            })?;
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                endpoint,
                connection: Mutex::new(None),
            }),
        })
    }

    pub(super) fn config(&self) -> &DockerConfig {
        &self.shared.config
    }

    pub(super) fn deadlines(&self) -> &Deadlines {
        &self.shared.config.deadlines
    }

    /// A typed call of bollard's.
    pub(super) async fn run<T, F, Work>(&self, call: &Call, work: F) -> Result<T, BoundaryError>
    where
        F: FnOnce(bollard::Docker) -> Work + Send,
        Work: Future<Output = Result<T, bollard::errors::Error>> + Send,
    {
        self.within(call, async {
            let connection = self.connection().await?;
            let done = Box::pin(work(connection.client)).await;
            done.map_err(|cause| self.judge(call, cause))
        })
        .await
    }

    /// A request whose answer is one JSON text.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        call: &Call,
        request: Request,
    ) -> Result<T, BoundaryError> {
        self.within(call, async {
            let connection = self.connection().await?;
            let body = request.send(&connection.client, Some(connection.version));
            let whole = raw::collect(body).await;
            call.read(&whole.map_err(|cause| self.judge(call, cause))?)
        })
        .await
    }

    /// A request whose answer is a stream. Its deadlines are the caller's; what comes out of the stream as an error
    /// must go through [`Docker::judge`].
    pub(super) async fn open(&self, request: Request) -> Result<raw::Body, BoundaryError> {
        let connection = self.connection().await?;
        Ok(request.send(&connection.client, Some(connection.version)))
    }

    /// Like [`Docker::open`], for a stream of JSON texts.
    pub(super) async fn open_lines(
        &self,
        request: Request,
    ) -> Result<BoxStream<'static, Result<Vec<u8>, bollard::errors::Error>>, BoundaryError> {
        Ok(raw::lines(self.open(request).await?))
    }

    /// What a failure means for the caller, and for the connection.
    pub(super) fn judge(&self, call: &Call, cause: bollard::errors::Error) -> BoundaryError {
        let error = error::translate(&call.operation, call.area, &self.shared.endpoint, cause);
        if error::asks_for_negotiation(&error) {
            self.remember(None);
        }
        error
    }

    /// Applies the call's deadline.
    pub(super) async fn within<T>(
        &self,
        call: &Call,
        work: impl Future<Output = Result<T, BoundaryError>> + Send,
    ) -> Result<T, BoundaryError> {
        match tokio::time::timeout(call.limit, work).await {
            Ok(done) => done,
            Err(_elapsed) => Err(call.too_late(call.limit)),
        }
    }

    /// Negotiates now, whatever was negotiated before.
    pub(super) async fn negotiate(&self) -> Result<Connection, BoundaryError> {
        let call = Call::engine("ask Docker for its version", self.deadlines().info);
        self.remember(None);
        let connection = self.within(&call, self.try_negotiate(&call)).await;
        let connection = connection.map_err(|error| {
            if error.kind == ErrorKind::DeadlineExceeded {
                error::silent(&call.operation, &self.shared.endpoint, call.limit)
            } else {
                error
            }
        })?;
        self.remember(Some(connection.clone()));
        Ok(connection)
    }

    async fn try_negotiate(&self, call: &Call) -> Result<Connection, BoundaryError> {
        let client = self.client().map_err(|cause| self.judge(call, cause))?;
        // Without a version in the path: any daemon answers that.
        let body = Request::get("/version").send(&client, None);
        let whole = raw::collect(body).await;
        let said: wire::Version = call.read(&whole.map_err(|cause| self.judge(call, cause))?)?;
        let version = version::negotiate(&said.newest_api, said.oldest_api.as_deref())
            .map_err(|words| BoundaryError::new(&call.operation, ErrorKind::Invalid, words))?;
        Ok(Connection {
            client: raw::versioned(client, version),
            version,
            engine_version: said.engine,
        })
    }

    /// Opens no connection, but looks whether a socket file is there.
    fn client(&self) -> Result<bollard::Docker, bollard::errors::Error> {
        let version = bollard::API_DEFAULT_VERSION;
        match &self.shared.endpoint {
            Endpoint::Local(address) => {
                // bollard takes a socket in a directory that may not be entered for one that is not there.
                if let Some(path) = address.strip_prefix("unix://")
                    && let Err(err) = std::fs::metadata(path)
                    && err.kind() == io::ErrorKind::PermissionDenied
                {
                    return Err(bollard::errors::Error::IOError { err });
                }
                bollard::Docker::connect_with_local(address, HEAD_TIMEOUT_SECS, version)
            }
            Endpoint::Http(address) => {
                bollard::Docker::connect_with_http(address, HEAD_TIMEOUT_SECS, version)
            }
        }
    }

    async fn connection(&self) -> Result<Connection, BoundaryError> {
        let known = self.lock().clone();
        match known {
            Some(connection) => Ok(connection),
            None => self.negotiate().await,
        }
    }

    fn remember(&self, connection: Option<Connection>) {
        *self.lock() = connection;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        // A panic while it is held leaves a whole value behind.
        self.shared
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
