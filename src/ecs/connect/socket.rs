//! Opens a session and moves its frames.
//!
//! **Invariant.** Everything that can last has a limit: the connection, the handshake, a frame's size.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::uri::PathAndQuery;
use tokio_tungstenite::tungstenite::http::{self, Request, Uri};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::key::Key;
use super::lent::{Lent, lend};
use super::proxy::Target;
use super::stream::{Io, Network, STEP_LIMIT, connect, within};
use super::{refusal, sign};
use crate::boundary::Clock;
use crate::domain::ids::UnixMillis;
use crate::ecs::acs;
use crate::ecs::api::HostCredentials;
use crate::ecs::link::How;

/// Largest message taken, in bytes: a payload of 1,000 tasks has some 3 MiB.
const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// What a session that is closed for its age says (reference agent).
const EXPIRED: &str = "ConnectionExpired: Reconnect to continue";

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none, or of a scheme that is none of ours.
    #[error("{0:?} is no address of a session")]
    Address(String),
    /// This host has no credentials.
    #[error("this host has no credentials: {0}")]
    Credentials(String),
    /// The request cannot be signed.
    #[error(transparent)]
    Sign(#[from] sign::SignError),
    /// No connection, or no TLS on it.
    #[error("cannot connect to {0}")]
    Connect(String, #[source] std::io::Error),
    /// TLS cannot be had.
    #[error("TLS cannot be had")]
    Tls(#[source] tokio_rustls::rustls::Error),
    /// The proxy opens no way.
    #[error("the proxy answers {0:?}")]
    Proxy(String),
    /// A step took too long.
    #[error("no answer within {} s", STEP_LIMIT.as_secs())]
    Late,
    /// The peer refused: status and what it said.
    #[error("refused with status {status}: {said}")]
    Refused {
        /// Status.
        status: u16,
        /// Exception and text, or the body.
        said: String,
        /// It says that the instance is not active.
        inactive: bool,
    },
    /// The answer breaks off, or is larger than answers are.
    #[error("the answer cannot be read: {0}")]
    Answer(String),
    /// The handshake failed otherwise.
    #[error("the handshake failed")]
    Handshake(#[source] Box<Error>),
}

type Stream = WebSocketStream<Lent>;

/// Opens sessions.
pub struct Connector {
    key: Key,
    region: String,
    pub(super) network: Network,
    clock: Arc<dyn Clock>,
}

/// An open session.
pub struct Socket {
    /// What comes in.
    pub reader: SocketReader,
    /// What goes out.
    pub writer: SocketWriter,
}

/// What comes in.
pub struct SocketReader(SplitStream<Stream>);

/// What goes out.
pub struct SocketWriter(SplitSink<Stream, Message>);

impl Connector {
    /// Sessions over that network that are signed with these credentials for that region.
    pub fn new(
        credentials: HostCredentials,
        region: String,
        network: Network,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            key: Key::new(credentials),
            region,
            network,
            clock,
        }
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(&self, url: &str) -> Result<Socket, OpenError> {
        let address = || OpenError::Address(url.split('?').next().unwrap_or_default().to_owned());
        let uri: Uri = url.parse().map_err(|_| address())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(address()),
        };
        let host = uri.host().ok_or_else(address)?;
        let authority = uri.authority().ok_or_else(address)?.as_str();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let headers = sign::sign_get(url, authority, self.signer().await?, b"")?;
        let request = request(&uri, authority, headers).map_err(|_| address())?;
        let target = Target { secure, host, port };
        let (stream, back) = lend(connect(&self.network, target).await?);
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(limits));
        let (session, _) = match within(opening).await? {
            Ok(opened) => opened,
            Err(error) => return Err(refused(error, back).await),
        };
        let (writer, reader) = session.split();
        Ok(Socket {
            reader: SocketReader(reader),
            writer: SocketWriter(writer),
        })
    }
}

impl Connector {
    /// A telemetry frame of a session with that address.
    ///
    /// # Errors
    /// No credentials, or an address that is none.
    pub async fn signed_frame(&self, url: &str, text: &str) -> Result<String, OpenError> {
        let address = || OpenError::Address(url.split('?').next().unwrap_or_default().to_owned());
        let uri: Uri = url.parse().map_err(|_| address())?;
        let host = uri.authority().ok_or_else(address)?.as_str();
        Ok(sign::signed_frame(url, host, self.signer().await?, text)?)
    }

    pub(super) async fn signer(&self) -> Result<sign::Signer<'_>, OpenError> {
        let credentials = within(self.key.get())
            .await?
            .map_err(OpenError::Credentials)?;
        Ok(sign::Signer {
            credentials,
            region: &self.region,
            now: system_time(self.clock.now()),
        })
    }
}

impl SocketReader {
    /// The next text, or how the session ended. Cancel-safe.
    ///
    /// # Errors
    /// The end of the session.
    pub async fn next(&mut self) -> Result<String, How> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                // Decoded all the same (reference agent).
                Some(Ok(Message::Binary(bytes))) => {
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
                // Pings are answered below; neither is a sign of life.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => return Err(how(frame.as_ref())),
                None
                | Some(Err(
                    Error::ConnectionClosed
                    | Error::AlreadyClosed
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                )) => return Err(How::Normal),
                Some(Err(_)) => return Err(How::Broken),
            }
        }
    }
}

impl SocketWriter {
    /// The text is on its way.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn send(&mut self, text: String) -> Result<(), How> {
        self.0
            .send(Message::text(text))
            .await
            .map_err(|_| How::Broken)
    }

    /// The peer is asked to close.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn close(&mut self) -> Result<(), How> {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: EXPIRED.into(),
        };
        let close = Message::Close(Some(frame));
        self.0.send(close).await.map_err(|_| How::Broken)
    }
}

fn how(frame: Option<&CloseFrame>) -> How {
    let says = frame.map_or("", |frame| frame.reason.as_str());
    if says.split(':').next().is_some_and(acs::is_inactive) {
        return How::Inactive;
    }
    match frame.map(|frame| frame.code) {
        None
        | Some(CloseCode::Normal | CloseCode::Away | CloseCode::Abnormal | CloseCode::Error) => {
            How::Normal
        }
        Some(_) => How::Broken,
    }
}

fn request(
    uri: &Uri,
    authority: &str,
    signed: Vec<(String, String)>,
) -> Result<Request<()>, http::Error> {
    // The library knows sessions by the scheme; on the wire there is none.
    let scheme = if uri.scheme_str() == Some("https") {
        "wss"
    } else {
        "ws"
    };
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut request = Request::get(format!("{scheme}://{authority}{path}"))
        .header("Host", authority)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key());
    for (name, value) in signed.into_iter().filter(|(name, _)| name != "host") {
        request = request.header(name, value);
    }
    request.body(())
}

/// What the peer says instead of opening a session. The connection comes `back` with the rest of it.
async fn refused(error: Error, mut back: oneshot::Receiver<Box<dyn Io>>) -> OpenError {
    let Error::Http(answer) = error else {
        return OpenError::Handshake(Box::new(error));
    };
    let came = answer.body().as_deref().unwrap_or_default();
    let body = refusal::body(answer.headers(), came, back.try_recv().ok()).await;
    let exception = acs::refusal(&body);
    OpenError::Refused {
        status: answer.status().as_u16(),
        inactive: exception
            .as_ref()
            .is_some_and(|(name, _)| acs::is_inactive(name)),
        said: exception.map_or_else(|| body, |(name, text)| format!("{name}: {text}")),
    }
}

fn system_time(now: UnixMillis) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// A session and its other end.
    async fn session() -> (Socket, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = tokio::io::duplex(1024);
        let (ours, _back) = lend(Box::new(ours));
        let ours = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        let theirs = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        let (writer, reader) = ours.split();
        let socket = Socket {
            reader: SocketReader(reader),
            writer: SocketWriter(writer),
        };
        (socket, theirs)
    }

    #[tokio::test]
    async fn check_050_codes_of_a_close_are_told_apart() {
        for (code, says, expected) in [
            (1000_u16, "", How::Normal),
            (1000, EXPIRED, How::Normal),
            (1001, "", How::Normal),
            (1011, "internal error", How::Normal),
            (1002, "", How::Broken),
            (1003, "", How::Broken),
            (1008, "policy", How::Broken),
            (4000, "", How::Broken),
            (1008, "InactiveInstanceException: gone", How::Inactive),
        ] {
            let (mut socket, mut peer) = session().await;
            let frame = CloseFrame {
                code: code.into(),
                reason: says.into(),
            };
            peer.close(Some(frame)).await.expect("it is said");
            let ended = socket.reader.next().await;
            assert_eq!(ended, Err(expected), "{code} {says}");
        }
        let (mut socket, peer) = session().await;
        drop(peer);
        assert_eq!(socket.reader.next().await, Err(How::Normal), "1006");
    }

    #[tokio::test]
    async fn check_053_a_session_is_closed_with_code_1000_and_the_words_of_ecs_agents() {
        let (mut socket, mut peer) = session().await;
        socket.writer.close().await.expect("it is said");
        let said = peer.next().await;
        let Some(Ok(Message::Close(Some(frame)))) = said else {
            panic!("{said:?}");
        };
        assert_eq!(u16::from(frame.code), 1000);
        assert_eq!(
            frame.reason.as_str(),
            "ConnectionExpired: Reconnect to continue"
        );
    }
}
