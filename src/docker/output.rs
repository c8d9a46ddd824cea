//! Output of containers: multiplexed frames, or the plain bytes of a pseudo terminal.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::client::{Call, Docker};
use super::raw::Request;
use crate::boundary::BoundaryError;
use crate::domain::ids::DockerId;
use crate::domain::runtime::{OutputChunk, OutputRange, OutputStream};

/// Stream kind, three zeros, length as big-endian `u32`.
const HEADER_BYTES: usize = 8;

impl Docker {
    /// Has no deadline once it is open: a container may be silent for as long as it likes.
    pub(super) async fn output(
        &self,
        id: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        let call = Call::engine(
            format!("read output of container {id}"),
            self.deadlines().inspect,
        );
        // Only newer daemons say in the answer itself which of the two formats it has.
        let Some(container) = self.inspect_raw(&call, id.as_str()).await? else {
            return Err(call.refused("no such container"));
        };
        let tail = range
            .tail
            .map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let request = Request::get(&format!("/containers/{id}/logs"))
            .query("stdout", "true")
            .query("stderr", "true")
            .query("follow", range.follow.to_string())
            .query("tail", tail);
        let request = match range.since {
            // Seconds with a fraction.
            Some(at) => request.query("since", format!("{}.{:03}", at.0 / 1_000, at.0 % 1_000)),
            None => request,
        };
        let body = self.open(request).await?;
        let frames = Frames::new(container.config.tty);
        let docker = self.clone();
        let pieces = stream::try_unfold((body, frames), move |(mut body, mut frames)| {
            let (docker, call) = (docker.clone(), call.clone());
            async move {
                let Some(piece) = body.next().await else {
                    return Ok(None);
                };
                let piece = piece.map_err(|cause| docker.judge(&call, cause))?;
                let chunks = frames.push(&piece).map_err(|words| call.refused(&words))?;
                Ok::<_, BoundaryError>(Some((stream::iter(chunks), (body, frames))))
            }
        });
        Ok(pieces
            .flat_map(|chunks| match chunks {
                Ok(chunks) => chunks.map(Ok).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .boxed())
    }
}

/// Takes frames apart as bytes come, without waiting for the end of a frame. Pure.
#[derive(Debug)]
struct Frames {
    tty: bool,
    header: Vec<u8>,
    left: usize,
    stream: OutputStream,
}

impl Frames {
    fn new(tty: bool) -> Self {
        Self {
            tty,
            header: Vec::with_capacity(HEADER_BYTES),
            left: 0,
            stream: OutputStream::Stdout,
        }
    }

    fn push(&mut self, mut piece: &[u8]) -> Result<Vec<OutputChunk>, String> {
        let mut chunks = Vec::new();
        if self.tty {
            self.give(piece, &mut chunks);
            return Ok(chunks);
        }
        while !piece.is_empty() {
            if self.left == 0 {
                let missing = HEADER_BYTES.saturating_sub(self.header.len());
                let (head, rest) = piece.split_at(missing.min(piece.len()));
                self.header.extend_from_slice(head);
                piece = rest;
                self.take_header()?;
            } else {
                let (payload, rest) = piece.split_at(self.left.min(piece.len()));
                self.left = self.left.saturating_sub(payload.len());
                self.give(payload, &mut chunks);
                piece = rest;
            }
        }
        Ok(chunks)
    }

    fn take_header(&mut self) -> Result<(), String> {
        let [kind, _, _, _, length @ ..] = self.header.as_slice() else {
            return Ok(());
        };
        let Ok(length) = <[u8; 4]>::try_from(length) else {
            return Ok(());
        };
        self.stream = match kind {
            0 | 1 => OutputStream::Stdout,
            2 => OutputStream::Stderr,
            kind => return Err(format!("output has a frame of the unknown kind {kind}")),
        };
        self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        self.header.clear();
        Ok(())
    }

    fn give(&self, bytes: &[u8], chunks: &mut Vec<OutputChunk>) {
        if !bytes.is_empty() {
            chunks.push(OutputChunk {
                stream: self.stream,
                bytes: bytes.to_vec(),
            });
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn frame(kind: u8, payload: &str) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0], &length[..], payload.as_bytes()].concat()
    }

    fn text(chunks: &[OutputChunk], stream: OutputStream) -> String {
        let bytes: Vec<u8> = chunks
            .iter()
            .filter(|chunk| chunk.stream == stream)
            .flat_map(|chunk| chunk.bytes.clone())
            .collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let whole = [
            frame(1, "out one\n"),
            frame(2, "err\n"),
            frame(1, ""),
            frame(1, "out two\n"),
        ]
        .concat();
        for size in 1..=whole.len() {
            let mut frames = Frames::new(false);
            let mut chunks = Vec::new();
            for piece in whole.chunks(size) {
                chunks.extend(frames.push(piece).unwrap());
            }
            let out = text(&chunks, OutputStream::Stdout);
            let err = text(&chunks, OutputStream::Stderr);
            assert_eq!(
                (out.as_str(), err.as_str()),
                ("out one\nout two\n", "err\n")
            );
        }
    }

    #[test]
    fn bytes_of_a_terminal_are_not_frames() {
        let chunks = Frames::new(true).push(&frame(1, "x")).unwrap();
        assert_eq!(chunks[0].bytes, frame(1, "x"));
    }

    #[test]
    fn unknown_frames_are_refused() {
        let words = Frames::new(false).push(&frame(7, "x")).unwrap_err();
        let call = Call::engine("read output", std::time::Duration::ZERO);
        assert_eq!(words, "output has a frame of the unknown kind 7");
        assert_eq!(
            call.refused(&words).kind,
            crate::boundary::ErrorKind::Transient
        );
    }
}
