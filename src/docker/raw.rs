//! Requests that bollard has no lossless call for, through bollard's own connections.
//!
//! bollard's typed bodies lose keys they do not know, and its typed answers fail as a whole when an enum has a new
//! word. Its one call that gives a body back as it comes is `export_container`; a request modifier turns that request
//! into the wanted one just before it is sent. Connections, statuses and errors stay bollard's.
//!
//! bollard also builds its paths without the API version, so [`versioned`] puts it in for its typed calls.

use std::io;
use std::mem;

use bollard::BollardRequest;
use bollard::errors::Error;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::version::ApiVersion;

/// Longest answer that is kept whole, in bytes: 1,000 containers whose labels take 128 KiB each, twice over.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Longest line of a stream of JSON lines, in bytes. Docker's longest are container events with all labels: those of
/// the largest definition that is read (10 MiB) and its copy (4 MiB), where each quote takes two bytes.
const MAX_LINE_BYTES: usize = 32 * 1024 * 1024;

/// Left as they are in paths: what container names, image references and ids are made of.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@');

const REGISTRY_AUTH: HeaderName = HeaderName::from_static("x-registry-auth");

/// Bytes of an answer as they come.
pub(super) type Body = BoxStream<'static, Result<Bytes, Error>>;

/// One request, without its API version.
#[derive(Clone, Debug)]
pub(super) struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    content_type: HeaderValue,
    registry_auth: Option<HeaderValue>,
    body: Bytes,
}

impl Request {
    fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            content_type: HeaderValue::from_static("application/json"),
            registry_auth: None,
            body: Bytes::new(),
        }
    }

    /// `GET path`.
    pub(super) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// `POST path` without a body.
    pub(super) fn post(path: &str) -> Self {
        Self::new(Method::POST, path)
    }

    /// Adds a query parameter.
    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Sets a JSON body.
    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into();
        self
    }

    /// Sets a tar archive as body.
    pub(super) fn tar(mut self, body: Bytes) -> Self {
        self.content_type = HeaderValue::from_static("application/x-tar");
        self.body = body;
        self
    }

    /// Sets the registry login, if there is one.
    pub(super) fn registry_auth(mut self, header: Option<String>) -> Self {
        self.registry_auth = header.and_then(|text| {
            let mut value = HeaderValue::try_from(text).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        self
    }

    fn target(&self, version: Option<ApiVersion>) -> String {
        let mut target = version.map_or_else(String::new, |version| format!("/v{version}"));
        target.extend(utf8_percent_encode(&self.path, PATH));
        for (at, (name, value)) in self.query.iter().enumerate() {
            target.push(if at == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
        target
    }

    /// Sends the request in that API version (`None` = the daemon's own choice). The connection is made when the
    /// stream is first polled and closed when it is dropped.
    pub(super) fn send(self, client: &bollard::Docker, version: Option<ApiVersion>) -> Body {
        let target: Uri = match self.target(version).parse() {
            Ok(target) => target,
            Err(err) => {
                let error = Error::InvalidURIError { err };
                return futures_util::stream::iter([Err(error)]).boxed();
            }
        };
        let client = client.clone().with_request_modifier(move |mut request| {
            retarget(&mut request, &target);
            *request.method_mut() = self.method.clone();
            *request.body_mut() = bollard::body_full(self.body.clone());
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, self.content_type.clone());
            if let Some(login) = &self.registry_auth {
                headers.insert(REGISTRY_AUTH, login.clone());
            }
            request
        });
        client.export_container("replaced").boxed()
    }
}

/// A client whose typed calls carry that API version.
pub(super) fn versioned(client: bollard::Docker, version: ApiVersion) -> bollard::Docker {
    client.with_request_modifier(move |mut request| {
        let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
        if !target.starts_with("/v1.")
            && let Ok(target) = format!("/v{version}{target}").parse()
        {
            retarget(&mut request, &target);
        }
        request
    })
}

/// Exchanges path and query; scheme and authority say where to connect and stay.
fn retarget(request: &mut BollardRequest, target: &Uri) {
    let mut parts = mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = target.path_and_query().cloned();
    // Parts of a good address stay good with another path; were it otherwise, the empty address left behind is one
    // that nothing connects to.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// The whole answer, up to [`MAX_ANSWER_BYTES`].
pub(super) async fn collect(mut body: Body) -> Result<Vec<u8>, Error> {
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece?);
        if whole.len() > MAX_ANSWER_BYTES {
            return Err(too_long("answer", MAX_ANSWER_BYTES));
        }
    }
    Ok(whole)
}

/// The lines of an answer as they come, without line ends and empty lines.
pub(super) fn lines(body: Body) -> BoxStream<'static, Result<Vec<u8>, Error>> {
    let state = (body, Lines::default());
    futures_util::stream::try_unfold(state, |(mut body, mut lines)| async move {
        loop {
            if let Some(line) = lines.next() {
                return Ok(Some((line, (body, lines))));
            }
            match body.next().await {
                Some(piece) => lines.push(&piece?)?,
                None => return Ok(lines.rest().map(|line| (line, (body, lines)))),
            }
        }
    })
    .boxed()
}

/// Splits pieces into lines. Pure.
#[derive(Debug, Default)]
struct Lines {
    buffer: Vec<u8>,
    /// Bytes at its beginning that hold no line end.
    scanned: usize,
}

impl Lines {
    fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() > MAX_LINE_BYTES && self.end().is_none() {
            return Err(too_long("line", MAX_LINE_BYTES));
        }
        Ok(())
    }

    /// Where the first line ends. Each byte is looked at once, however many pieces a line comes in.
    fn end(&mut self) -> Option<usize> {
        let mut new = self.buffer.iter().skip(self.scanned);
        let found = new.position(|&byte| byte == b'\n');
        let end = found.map(|at| self.scanned.saturating_add(at));
        self.scanned = end.unwrap_or(self.buffer.len());
        end
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.end()?;
            let tail = self.buffer.split_off(end.saturating_add(1));
            let line = mem::replace(&mut self.buffer, tail);
            self.scanned = 0;
            if let Some(line) = trimmed(&line) {
                return Some(line);
            }
        }
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        self.scanned = 0;
        trimmed(&mem::take(&mut self.buffer))
    }
}

fn trimmed(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    (!line.is_empty()).then(|| line.to_vec())
}

/// More than is read of an answer, or of one line of it. bollard carries it as an error of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} is longer than {limit} bytes, the most that is read")]
pub(super) struct TooLong {
    what: &'static str,
    limit: usize,
}

fn too_long(what: &'static str, limit: usize) -> Error {
    Error::IOError {
        err: io::Error::other(TooLong { what, limit }),
    }
}

/// What was too long, where that is the error.
pub(super) fn too_long_of(error: &Error) -> Option<TooLong> {
    let Error::IOError { err } = error else {
        return None;
    };
    err.get_ref()?.downcast_ref().copied()
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::Endpoint;
    use super::super::error::{Area, asks_for_negotiation, translate};
    use super::*;
    use crate::boundary::ErrorKind;

    #[test]
    fn targets_are_versioned_and_encoded() {
        let request = Request::get("/images/reg.example:5000/a b@sha256:1/json")
            .query("all", "true")
            .query("filters", r#"{"label":["a=b&c"]}"#);
        assert_eq!(
            request.target(ApiVersion::parse("1.41")),
            "/v1.41/images/reg.example:5000/a%20b@sha256:1/json?all=true&filters=%7B%22label%22%3A%5B%22a%3Db%26c%22%5D%7D"
        );
        assert_eq!(
            Request::get("/a?b#c").target(None),
            "/a%3Fb%23c",
            "a name cannot become a query"
        );
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for piece in ["{\"a\"", ":1}\r\n\n{\"b\":", "2}\n{}", "", "\n\"rest\""] {
            lines.push(piece.as_bytes()).unwrap();
            while let Some(line) = lines.next() {
                seen.push(String::from_utf8(line).unwrap());
            }
        }
        assert_eq!(seen, ["{\"a\":1}", "{\"b\":2}", "{}"]);
        assert_eq!(lines.rest().unwrap(), b"\"rest\"");
        assert_eq!(lines.rest(), None);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        let error = lines.push(&vec![b'x'; MAX_LINE_BYTES + 1]).unwrap_err();
        let endpoint = Endpoint::Local("unix:///run/x.sock".to_owned());
        let error = translate("listen", Area::Engine, &endpoint, error);
        assert_eq!(
            (error.kind, error.to_string().as_str()),
            (
                ErrorKind::Transient,
                "listen: Docker's answer cannot be read: the line is longer than 33554432 bytes, the most that is read"
            )
        );
        assert!(!asks_for_negotiation(&error), "Docker is there");
    }

    #[test]
    fn a_line_may_come_in_many_pieces() {
        let mut lines = Lines::default();
        let piece = [b'x'; 1000];
        for _ in 0..3000 {
            lines.push(&piece).unwrap();
            assert_eq!(lines.next(), None);
        }
        lines.push(b"\nnext").unwrap();
        assert_eq!(lines.next().unwrap().len(), 3_000_000);
        assert_eq!(lines.next(), None);
        assert_eq!(lines.rest().unwrap(), b"next");
    }
}
