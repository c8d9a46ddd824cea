//! Credentials of this host, kept for a while: telemetry signs every frame.

use std::time::Duration;

use aws_sdk_ecs::config::{Credentials, ProvideCredentials};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::ecs::api::HostCredentials;

/// After that long they are looked for again: files and roles change (reference agent: one minute).
const LIFETIME: Duration = Duration::from_mins(1);

/// Keeps what was found last.
pub(super) struct Key {
    source: HostCredentials,
    held: Mutex<Option<(Instant, Credentials)>>,
}

impl Key {
    pub(super) fn new(source: HostCredentials) -> Self {
        Self {
            source,
            held: Mutex::new(None),
        }
    }

    /// What is held, if it is fresh; else what is found. Who asks meanwhile waits.
    pub(super) async fn get(&self) -> Result<Credentials, String> {
        let mut held = self.held.lock().await;
        if let Some((at, credentials)) = &*held
            && at.elapsed() < LIFETIME
        {
            return Ok(credentials.clone());
        }
        let found = self.source.provide_credentials().await;
        let found = found.map_err(|error| error.to_string())?;
        *held = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}
