//! Opens a session with ACS or TCS: where it goes, and what it says of itself. Which of the two is all that differs.

use std::time::Duration;

use super::agent::Shared;
use crate::ecs::connect::{AcsQuery, OpenError, Socket, TcsQuery, acs_url, tcs_url};
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
    pub(super) inactive: bool,
}

impl Trouble {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            inactive: false,
        }
    }
}

/// Opens one.
pub(super) async fn open(shared: &Shared, instance: &str, peer: Peer) -> Result<Opened, Trouble> {
    let url = url(shared, instance, peer).await?;
    let opened = shared.connector.open(&url).await;
    let socket = opened.map_err(|error| Trouble {
        words: ErrorChain(&error).to_string(),
        inactive: matches!(error, OpenError::Refused { inactive: true, .. }),
    })?;
    Ok(Opened { socket, url })
}

async fn url(shared: &Shared, instance: &str, peer: Peer) -> Result<String, Trouble> {
    let config = &shared.config;
    let endpoints = shared.discovery.endpoints(instance, config.cluster()).await;
    let endpoints = endpoints.map_err(|error| Trouble::new(error.to_string()))?;
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
