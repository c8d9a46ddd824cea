//! A stream of JSON lines as the agent writes it.
//!
//! **Invariant.** At most one unfinished line is held, of at most [`MAX_LINE_BYTES`].

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::client::ClientError;
use crate::api::observe::events::HEARTBEAT;

/// Longest silence: three heartbeats.
const SILENCE: Duration = HEARTBEAT.saturating_mul(3);

/// Longest line, in bytes: the longest the agent writes is 16 KiB of output, six times as long when escaped.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Lines of an answer. Dropping it closes the connection.
#[derive(Debug)]
pub struct Lines {
    socket: PathBuf,
    body: Incoming,
    held: Vec<u8>,
    searched: usize,
    _connection: JoinSet<()>,
}

impl Lines {
    pub(super) fn new(socket: PathBuf, body: Incoming, connection: JoinSet<()>) -> Self {
        Self {
            socket,
            body,
            held: Vec::new(),
            searched: 0,
            _connection: connection,
        }
    }

    /// The next item; `None` at the end of the answer.
    ///
    /// # Errors
    /// If the agent is silent for too long, the connection breaks, or a line is not one of ours.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(line) = self.take_line() {
                let item = serde_json::from_slice(&line);
                return item
                    .map(Some)
                    .map_err(|source| ClientError::BadAnswer { source });
            }
            if self.held.len() > MAX_LINE_BYTES {
                return Err(ClientError::TooLarge {
                    limit: MAX_LINE_BYTES,
                });
            }
            let path = self.socket.clone();
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await;
            match frame {
                Err(_) => {
                    return Err(ClientError::Silent {
                        path,
                        limit: SILENCE,
                    });
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(source))) => return Err(ClientError::Broken { path, source }),
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        self.held.extend_from_slice(data);
                    }
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let fresh = self.held.iter().skip(self.searched);
        let Some(at) = fresh.into_iter().position(|byte| *byte == b'\n') else {
            self.searched = self.held.len();
            return None;
        };
        let rest = self.held.split_off(self.searched + at + 1);
        let line = std::mem::replace(&mut self.held, rest);
        self.searched = 0;
        Some(line)
    }
}
