//! Opens a session with ACS or TCS: where it goes, and what it says of itself. Which of the two is all that differs.

use std::time::Duration;

use super::agent::Shared;
use crate::ecs::api::Failure;
use crate::ecs::connect::{AcsQuery, OpenError, Socket, TcsQuery, acs_url, tcs_url};
use crate::ecs::link::Event;
use crate::error::ErrorChain;

/// Longest that one frame may take to be written (reference agent).
pub(super) const WRITE_LIMIT: Duration = Duration::from_mins(3);

/// Whom a session is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Acs {
        /// Credentials of all tasks are asked for.
        send_credentials: bool,
    },
    Tcs,
}

/// A session and its address.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) url: String,
}

/// Why no session was opened.
pub(super) struct Trouble {
    pub(super) words: String,
    pub(super) kind: TroubleKind,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// ACS says that the instance is not active.
    Inactive,
    /// The control plane has not answered.
    Unreachable,
    /// Anything else.
    Other,
}

impl Trouble {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            kind: TroubleKind::Other,
        }
    }

    /// What it is to a link.
    pub(super) fn event(&self) -> Event {
        match self.kind {
            TroubleKind::Inactive => Event::Refused { inactive: true },
            TroubleKind::Unreachable => Event::Unreachable,
            TroubleKind::Other => Event::Refused { inactive: false },
        }
    }
}

fn kind(error: &OpenError) -> TroubleKind {
    match error {
        OpenError::Refused { inactive: true, .. } => TroubleKind::Inactive,
        // Also where the way there is not open: credentials may come over the network, and a proxy answers for itself.
        OpenError::Connect(..)
        | OpenError::Late
        | OpenError::Handshake(_)
        | OpenError::Credentials(_)
        | OpenError::Answer(_)
        | OpenError::Proxy(_) => TroubleKind::Unreachable,
        OpenError::Address(_)
        | OpenError::Sign(_)
        | OpenError::Tls(_)
        | OpenError::Refused { .. } => TroubleKind::Other,
    }
}

/// Opens one.
pub(super) async fn open(shared: &Shared, instance: &str, peer: Peer) -> Result<Opened, Trouble> {
    let url = url(shared, instance, peer).await?;
    let opened = shared.connector.open(&url).await;
    let socket = opened.map_err(|error| Trouble {
        words: ErrorChain(&error).to_string(),
        kind: kind(&error),
    })?;
    Ok(Opened { socket, url })
}

async fn url(shared: &Shared, instance: &str, peer: Peer) -> Result<String, Trouble> {
    let config = &shared.config;
    let endpoints = shared.discovery.endpoints(instance, config.cluster()).await;
    let endpoints = endpoints.map_err(|error| Trouble {
        kind: match error.failure {
            Failure::Unreachable | Failure::Late => TroubleKind::Unreachable,
            Failure::Code(_) => TroubleKind::Other,
        },
        words: error.to_string(),
    })?;
    let docker = shared.docker_version();
    let (agent_hash, agent_version) = (&*config.version.commit, &*config.version.version);
    let named = |endpoint: Option<String>, what| {
        endpoint.ok_or_else(|| Trouble::new(format!("DiscoverPollEndpoint names no {what}")))
    };
    Ok(match peer {
        Peer::Acs { send_credentials } => acs_url(
            &named(endpoints.acs, "endpoint")?,
            &AcsQuery {
                agent_hash,
                agent_version,
                cluster: config.cluster(),
                container_instance: instance,
                docker_version: docker.as_deref(),
                send_credentials,
            },
        ),
        Peer::Tcs => tcs_url(
            &named(endpoints.telemetry, "telemetry endpoint")?,
            &TcsQuery {
                agent_hash,
                agent_version,
                cluster: config.cluster(),
                container_instance: instance,
                docker_version: docker.as_deref(),
            },
        ),
    })
}
