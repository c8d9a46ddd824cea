//! Follows the output of the task's containers, one follower a container.
//!
//! **Invariants.** What a container wrote before a restart is not shown again: Docker gives a log from its beginning,
//! so a later run of the same container skips the bytes that were seen. A reader that is slow slows the followers
//! down, never memory ([`CHUNK_CAPACITY`]).

use std::collections::BTreeMap;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::prefix::LineSplitter;
use super::view::Run;
use crate::app::containers::Containers;
use crate::domain::ids::{ContainerName, DockerId};
use crate::domain::runtime::OutputStream;

/// Pieces of output that wait to be printed: Docker sends at most 32 KiB each, so 2 MiB.
const CHUNK_CAPACITY: usize = 64;

/// What followers report.
#[derive(Debug)]
pub enum Piece {
    /// Output.
    Output(ContainerName, OutputStream, Vec<u8>),
    /// The output has ended; an error if it could not be read to its end.
    End(ContainerName, Option<String>),
}

/// A line to print.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Container.
    pub container: ContainerName,
    /// Stream.
    pub stream: OutputStream,
    /// Without its newline.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Seen {
    id: Option<DockerId>,
    bytes: [u64; 2],
    splitters: [LineSplitter; 2],
    following: bool,
    next: Option<Run>,
}

/// All followers.
pub struct Followers {
    containers: Containers,
    sender: mpsc::Sender<Piece>,
    pieces: mpsc::Receiver<Piece>,
    tasks: JoinSet<()>,
    seen: BTreeMap<ContainerName, Seen>,
}

impl Followers {
    /// Nobody is followed yet.
    pub fn new(containers: Containers) -> Self {
        let (sender, pieces) = mpsc::channel(CHUNK_CAPACITY);
        Self {
            containers,
            sender,
            pieces,
            tasks: JoinSet::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Follows that run from now on, or once the output of the run before has ended.
    pub fn follow(&mut self, run: Run) {
        let seen = self.seen.entry(run.container.clone()).or_default();
        if seen.following {
            seen.next = Some(run);
            return;
        }
        if seen.id.as_ref() != Some(&run.id) {
            seen.bytes = [0, 0];
            seen.id = Some(run.id.clone());
        }
        seen.following = true;
        let (containers, sender) = (self.containers.clone(), self.sender.clone());
        let skip = seen.bytes;
        self.tasks.spawn(follow(containers, run, skip, sender));
    }

    /// Whether some output has not ended.
    pub fn busy(&self) -> bool {
        self.seen.values().any(|seen| seen.following)
    }

    /// The next piece; waits for ever while nobody is followed. Cancel-safe, as `mpsc::Receiver::recv` is.
    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }

    /// Takes a piece in and gives the lines that are complete now, and what to say if reading failed.
    pub fn take(&mut self, piece: Piece) -> (Vec<Line>, Option<String>) {
        // Ended followers are not kept.
        while self.tasks.try_join_next().is_some() {}
        match piece {
            Piece::Output(container, stream, bytes) => {
                let seen = self.seen.entry(container.clone()).or_default();
                let [out, err] = &mut seen.splitters;
                let [out_bytes, err_bytes] = &mut seen.bytes;
                let (splitter, count) = match stream {
                    OutputStream::Stdout => (out, out_bytes),
                    OutputStream::Stderr => (err, err_bytes),
                };
                *count = count.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                let lines = splitter.push(&bytes);
                (named(&container, stream, lines), None)
            }
            Piece::End(container, why) => {
                let mut lines = Vec::new();
                let seen = self.seen.entry(container.clone()).or_default();
                let streams = [OutputStream::Stdout, OutputStream::Stderr];
                for (splitter, stream) in seen.splitters.iter_mut().zip(streams) {
                    lines.extend(named(&container, stream, splitter.finish()));
                }
                seen.following = false;
                if let Some(next) = seen.next.take() {
                    self.follow(next);
                }
                (lines, why)
            }
        }
    }
}

fn named(
    container: &ContainerName,
    stream: OutputStream,
    lines: impl IntoIterator<Item = Vec<u8>>,
) -> Vec<Line> {
    lines
        .into_iter()
        .map(|bytes| Line {
            container: container.clone(),
            stream,
            bytes,
        })
        .collect()
}

async fn follow(containers: Containers, run: Run, mut skip: [u64; 2], sender: mpsc::Sender<Piece>) {
    let mut why = None;
    match containers.output(&run.id).await {
        Ok(mut chunks) => {
            while let Some(chunk) = chunks.next().await {
                let chunk = match chunk {
                    Ok(chunk) => chunk,
                    Err(error) => {
                        why = Some(error.to_string());
                        break;
                    }
                };
                let [out, err] = &mut skip;
                let left = match chunk.stream {
                    OutputStream::Stdout => out,
                    OutputStream::Stderr => err,
                };
                let bytes = without(chunk.bytes, left);
                let piece = Piece::Output(run.container.clone(), chunk.stream, bytes);
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        }
        Err(error) => why = Some(error.to_string()),
    }
    // If nobody reads any more, nobody needs the end.
    drop(sender.send(Piece::End(run.container, why)).await);
}

/// The bytes without as many of the first as are still to be skipped.
fn without(mut bytes: Vec<u8>, skip: &mut u64) -> Vec<u8> {
    let now = usize::try_from(*skip)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    *skip = skip.saturating_sub(u64::try_from(now).unwrap_or(u64::MAX));
    bytes.drain(..now);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_seen_are_skipped_across_pieces() {
        let mut skip = 5;
        assert_eq!(without(b"abc".to_vec(), &mut skip), b"");
        assert_eq!(without(b"defg".to_vec(), &mut skip), b"fg");
        assert_eq!(without(b"h".to_vec(), &mut skip), b"h");
    }
}
