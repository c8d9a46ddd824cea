//! Container output as the bytes of an answer, raw or as JSON lines.
//!
//! **Invariant.** Without `follow` a silence of [`IDLE_DEADLINE`] ends the answer: Docker owes the rest. With it
//! silence is normal, also between two runs, and filled with heartbeats; the raw form has none, since every byte is the container's.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::source::{Said, Source};
use super::wire::{LogEnd, LogItem, SHUTTING_DOWN};
use crate::api::observe::events::{HEARTBEAT, json_line};
use crate::boundary::BoundaryError;
use crate::domain::runtime::OutputChunk;
use crate::error::ErrorChain;

/// Longest silence of Docker while it gives what it has.
const IDLE_DEADLINE: Duration = Duration::from_secs(30);

/// Output of one container on its way out.
pub(super) struct Output {
    pub(super) source: Source,
    pub(super) shutdown: CancellationToken,
    pub(super) form: Form,
    pub(super) _place: OwnedSemaphorePermit,
}

/// How output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A JSON object a line.
    Lines,
    /// The bytes of both streams as they come.
    Raw,
}

enum Heard {
    Chunk(OutputChunk),
    RunEnd,
    End,
    Failed(BoundaryError),
    Silence,
    Shutdown,
}

struct State {
    output: Output,
    lines: Lines,
    ended: bool,
}

/// The bytes, made as they are asked for.
pub(super) fn bytes(output: Output) -> BoxStream<'static, Result<Bytes, serde_json::Error>> {
    let state = State {
        output,
        lines: Lines::default(),
        ended: false,
    };
    futures_util::stream::unfold(state, |mut state| async {
        let bytes = state.next().await?;
        Some((bytes, state))
    })
    .boxed()
}

impl State {
    async fn next(&mut self) -> Option<Result<Bytes, serde_json::Error>> {
        while !self.ended {
            let heard = self.hear().await;
            let bytes = match self.output.form {
                Form::Lines => self.as_lines(heard),
                Form::Raw => Ok(self.as_raw(heard)),
            };
            if bytes.as_ref().map_or(true, |bytes| !bytes.is_empty()) {
                return Some(bytes);
            }
        }
        None
    }

    async fn hear(&mut self) -> Heard {
        let patience = if self.output.source.follows() {
            HEARTBEAT
        } else {
            IDLE_DEADLINE
        };
        // Silence is counted from the last chunk, over whatever else changes.
        let silent_at = Instant::now() + patience;
        loop {
            let said = tokio::select! {
                // Cancel-safe by its contract.
                said = self.output.source.next() => said,
                // A sleep holds no state.
                () = tokio::time::sleep_until(silent_at) => return Heard::Silence,
                // Cancellation is a state, not an event.
                () = self.output.shutdown.cancelled() => return Heard::Shutdown,
            };
            match said {
                Said::Chunk(chunk) => return Heard::Chunk(chunk),
                Said::RunEnded => return Heard::RunEnd,
                Said::Failed(error) => return Heard::Failed(error),
                Said::Ended => return Heard::End,
                Said::Changed => match self.output.source.go_on().await {
                    Ok(true) => {}
                    Ok(false) => return Heard::End,
                    Err(error) => return Heard::Failed(error),
                },
            }
        }
    }

    fn as_lines(&mut self, heard: Heard) -> Result<Bytes, serde_json::Error> {
        let (lines, last) = match heard {
            Heard::Chunk(chunk) => (self.lines.push(&chunk), None),
            Heard::RunEnd => (self.lines.finish(), None),
            Heard::Silence if self.output.source.follows() => {
                (Vec::new(), Some(LogItem::Heartbeat))
            }
            Heard::End => {
                self.ended = true;
                (self.lines.finish(), None)
            }
            failed @ (Heard::Failed(_) | Heard::Silence | Heard::Shutdown) => {
                (self.lines.finish(), Some(self.end(&failed)))
            }
        };
        let mut bytes = Vec::new();
        for item in lines.into_iter().map(LogItem::Line).chain(last) {
            bytes.extend_from_slice(&json_line(&item)?);
        }
        Ok(bytes.into())
    }

    fn as_raw(&mut self, heard: Heard) -> Bytes {
        match heard {
            Heard::Chunk(chunk) => chunk.bytes.into(),
            Heard::RunEnd => Bytes::new(),
            Heard::Silence if self.output.source.follows() => Bytes::new(),
            Heard::End => {
                self.ended = true;
                Bytes::new()
            }
            failed @ (Heard::Failed(_) | Heard::Silence | Heard::Shutdown) => {
                self.end(&failed);
                Bytes::new()
            }
        }
    }

    fn end(&mut self, heard: &Heard) -> LogItem {
        self.ended = true;
        let message = match heard {
            Heard::Failed(error) => {
                tracing::error!(event = "output-ended-early", error = %ErrorChain(error), "container output ends early");
                "Docker broke the output off"
            }
            Heard::Shutdown => SHUTTING_DOWN,
            Heard::Silence | Heard::Chunk(_) | Heard::RunEnd | Heard::End => {
                "Docker stopped giving output before its end"
            }
        };
        LogItem::End(LogEnd {
            message: message.to_owned(),
        })
    }
}
