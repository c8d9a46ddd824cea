//! The body of an answer that opens no session: what came with its head, and what follows.
//!
//! **Invariant.** So much of it is read, and so long; what is cut off then is judged as it is.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::http::header::{CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};

use super::stream::Io;

/// Most of a body that is looked at, in bytes: it names an exception and says a sentence.
const MAX_BYTES: usize = 4096;

/// Longest wait for the rest of a body, which follows its head closely.
const LIMIT: Duration = Duration::from_secs(5);

/// The body of the answer with these headers, of which `came` has come and the rest is still in the connection.
pub(super) async fn body(headers: &HeaderMap, came: &[u8], rest: Option<Box<dyn Io>>) -> String {
    let framing = Framing::of(headers);
    let mut raw = came.to_vec();
    if let Some(mut rest) = rest {
        let reading = async {
            while raw.len() < MAX_BYTES && !framing.content(&raw).1 {
                if !matches!(rest.read_buf(&mut raw).await, Ok(1..)) {
                    return;
                }
            }
        };
        let _late = timeout(LIMIT, reading).await;
    }
    let (content, _) = framing.content(&raw);
    let shown = content.get(..MAX_BYTES).unwrap_or(&content);
    String::from_utf8_lossy(shown).into_owned()
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunks,
    /// It ends with the connection.
    End,
}

impl Framing {
    fn of(headers: &HeaderMap) -> Self {
        let value = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.trim().to_ascii_lowercase())
        };
        if value(TRANSFER_ENCODING).is_some_and(|coding| coding.ends_with("chunked")) {
            return Self::Chunks;
        }
        let length = value(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        length.map_or(Self::End, Self::Length)
    }

    /// What these bytes say, and whether it is all that there is to come.
    fn content(self, raw: &[u8]) -> (Vec<u8>, bool) {
        match self {
            Self::Length(length) => match raw.get(..length) {
                Some(whole) => (whole.to_vec(), true),
                None => (raw.to_vec(), false),
            },
            Self::Chunks => unchunked(raw),
            Self::End => (raw.to_vec(), false),
        }
    }
}

/// What chunks say, and whether the last is there. What is no chunk is the end of them.
fn unchunked(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Some((line, after)) = line(raw) {
        let size = std::str::from_utf8(line)
            .ok()
            .and_then(|line| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else {
            return (content, true);
        };
        let Some((chunk, after)) = after.split_at_checked(size) else {
            content.extend_from_slice(after);
            return (content, false);
        };
        content.extend_from_slice(chunk);
        raw = after.get(2..).unwrap_or_default();
    }
    (content, false)
}

/// The first line, and what is behind it.
fn line(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = raw.windows(2).position(|pair| pair == b"\r\n")?;
    Some((raw.get(..end)?, raw.get(end.checked_add(2)?..)?))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep};

    use super::*;

    const PAUSE: Duration = Duration::from_millis(100);

    /// The body of an answer whose parts come one after the other, the first with the head, and how long that took.
    /// Nobody closes the connection unless `ends`.
    async fn read(
        header: Option<(HeaderName, &str)>,
        parts: &[&str],
        ends: bool,
    ) -> (String, Duration) {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
        }
        let (near, mut far) = duplex(64);
        let rest: Vec<String> = parts.iter().skip(1).map(|&part| part.to_owned()).collect();
        let mut peer = JoinSet::new();
        peer.spawn(async move {
            for part in rest {
                sleep(PAUSE).await;
                if far.write_all(part.as_bytes()).await.is_err() {
                    return;
                }
            }
            if !ends {
                std::future::pending::<()>().await;
            }
        });
        let before = Instant::now();
        let text = body(&headers, parts[0].as_bytes(), Some(Box::new(near))).await;
        (text, before.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn check_047_a_body_is_whole_however_it_comes() {
        let length = || Some((CONTENT_LENGTH, "9"));
        let chunks = || Some((TRANSFER_ENCODING, "gzip, Chunked"));
        for (header, parts, ends) in [
            (length(), &[r#"{"a":"b"}"#][..], false),
            (length(), &["", r#"{"a":"b"}"#], false),
            (length(), &["{", r#""a":"#, r#""b"}more"#], false),
            (chunks(), &["9\r\n{\"a\":\"b\"}\r\n0\r\n\r\n"], false),
            (
                chunks(),
                &["", "1\r", "\n{\r\n8;x=y\r\n\"a\":", "\"b\"}\r", "\n0\r\n"],
                false,
            ),
            (chunks(), &["", "9\r\n{\"a\":\"b\"}"], true),
            (None, &["{", r#""a":"b"}"#], true),
        ] {
            let (text, took) = read(header, parts, ends).await;
            assert_eq!(text, r#"{"a":"b"}"#, "{parts:?}");
            assert!(took < LIMIT, "{parts:?}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_an_end_is_cut_off_by_time_and_by_size() {
        let (text, took) = read(None, &["a", "b"], false).await;
        assert_eq!((text.as_str(), took), ("ab", LIMIT));
        let (text, took) = read(Some((CONTENT_LENGTH, "7")), &["a"], false).await;
        assert_eq!((text.as_str(), took), ("a", LIMIT));
        let large = "x".repeat(2 * MAX_BYTES);
        let (text, took) = read(None, &["", &large], false).await;
        assert_eq!((text.len(), took), (MAX_BYTES, PAUSE));
        // No size at all, and one that no memory has.
        for chunk in [
            "zz\r\nx",
            "ffffffffffffffff\r\nx",
            "fffffffffffffffff\r\nx",
            "-1\r\nx",
        ] {
            let (text, _) = read(Some((TRANSFER_ENCODING, "chunked")), &[chunk], true).await;
            assert!(text.len() <= 1, "{chunk:?}: {text:?}");
        }
    }
}
