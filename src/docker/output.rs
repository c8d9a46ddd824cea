//! Output of containers: multiplexed frames with the time of each, or the plain bytes of a pseudo terminal, whose lines
//! cannot be told from their times.

use std::borrow::Cow;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;

use super::client::{Call, Docker};
use super::raw::Request;
use crate::boundary::BoundaryError;
use crate::domain::ids::{DockerId, UnixMillis};
use crate::domain::runtime::{OutputChunk, OutputRange, OutputStream};

/// Stream kind, three zeros, length as big-endian `u32`.
const HEADER_BYTES: usize = 8;

/// Longest time before the text of a frame, with the blank after it: RFC 3339 with nanoseconds and an offset.
const MAX_TIME_BYTES: usize = 36;

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
            .query("tail", tail)
            .query("timestamps", (!container.config.tty).to_string());
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
    /// The beginning of a frame until the blank after its time; `None` = the time has been read.
    time: Option<Vec<u8>>,
    at: Option<UnixMillis>,
}

impl Frames {
    fn new(tty: bool) -> Self {
        Self {
            tty,
            header: Vec::with_capacity(HEADER_BYTES),
            left: 0,
            stream: OutputStream::Stdout,
            time: None,
            at: None,
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
                piece = rest;
                let text = self.take_time(payload);
                self.give(&text, &mut chunks);
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
        (self.time, self.at) = (Some(Vec::new()), None);
        Ok(())
    }

    /// What follows the time of the frame. A frame without one is text from its beginning.
    fn take_time<'p>(&mut self, payload: &'p [u8]) -> Cow<'p, [u8]> {
        let Some(mut held) = self.time.take() else {
            return Cow::Borrowed(payload);
        };
        held.extend_from_slice(payload);
        let blank = held.iter().position(|&byte| byte == b' ');
        let time = blank.and_then(|blank| time_of(held.get(..blank)?));
        if let (Some(blank), Some(at)) = (blank, time) {
            self.at = Some(at);
            return Cow::Owned(held.split_off(blank.saturating_add(1)));
        }
        if blank.is_none() && held.len() < MAX_TIME_BYTES && self.left > 0 {
            self.time = Some(held);
            return Cow::Borrowed(&[]);
        }
        Cow::Owned(held)
    }

    fn give(&self, bytes: &[u8], chunks: &mut Vec<OutputChunk>) {
        if !bytes.is_empty() {
            chunks.push(OutputChunk {
                stream: self.stream,
                bytes: bytes.to_vec(),
                at: self.at,
            });
        }
    }
}

fn time_of(text: &[u8]) -> Option<UnixMillis> {
    let time: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(UnixMillis(time.as_millisecond()))
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

    /// What is given when it comes in pieces of that size.
    fn in_pieces(whole: &[u8], size: usize) -> Vec<OutputChunk> {
        let mut frames = Frames::new(false);
        let pieces = whole.chunks(size);
        pieces
            .flat_map(|piece| frames.push(piece).unwrap())
            .collect()
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
            let chunks = in_pieces(&whole, size);
            let out = text(&chunks, OutputStream::Stdout);
            let err = text(&chunks, OutputStream::Stderr);
            assert_eq!(
                (out.as_str(), err.as_str()),
                ("out one\nout two\n", "err\n")
            );
        }
    }

    #[test]
    fn the_time_of_a_frame_is_read_however_it_is_cut_and_text_without_one_is_kept() {
        let whole = [
            frame(1, "2026-11-24T21:27:53.204123456Z out one\n"),
            frame(2, "2026-11-24T21:27:54.000000000Z \n"),
            frame(1, "no time here\n"),
            frame(1, "short"),
        ]
        .concat();
        for size in 1..=whole.len() {
            let chunks = in_pieces(&whole, size);
            let out = text(&chunks, OutputStream::Stdout);
            assert_eq!(out, "out one\nno time here\nshort", "{size}");
            assert_eq!(text(&chunks, OutputStream::Stderr), "\n", "{size}");
            let time = |at: usize| chunks[at].at.map(|at| at.0);
            assert_eq!(time(0), Some(1_795_555_673_204), "{size}");
            assert_eq!(time(chunks.len() - 1), None, "{size}");
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
