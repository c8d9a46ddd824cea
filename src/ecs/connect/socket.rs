//! Opens a session and moves its frames.
//!
//! **Invariant.** Everything that can last has a limit: the connection, the handshake, a frame's size.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::uri::PathAndQuery;
use tokio_tungstenite::tungstenite::http::{self, Request, Uri};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::key::Key;
use super::proxy::Target;
use super::sign;
use super::stream::{Io, Network, STEP_LIMIT, connect, within};
use crate::boundary::Clock;
use crate::domain::ids::UnixMillis;
use crate::ecs::acs;
use crate::ecs::api::HostCredentials;
use crate::ecs::link::How;

/// Largest message taken, in bytes: a payload of 1,000 tasks has some 3 MiB.
const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// Most of a refusal's body that is looked at, in bytes.
const MAX_REFUSAL_BYTES: usize = 4096;

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
    /// The handshake failed otherwise.
    #[error("the handshake failed")]
    Handshake(#[source] Box<Error>),
}

type Stream = WebSocketStream<Box<dyn Io>>;

/// Opens sessions.
pub struct Connector {
    key: Key,
    region: String,
    network: Network,
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
        let stream = connect(&self.network, target).await?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(limits));
        let (session, _) = within(opening).await?.map_err(refused)?;
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

    async fn signer(&self) -> Result<sign::Signer<'_>, OpenError> {
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

fn refused(error: Error) -> OpenError {
    let Error::Http(answer) = error else {
        return OpenError::Handshake(Box::new(error));
    };
    let body = answer.body().as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(body.get(..MAX_REFUSAL_BYTES).unwrap_or(body));
    let exception = acs::refusal(&body);
    OpenError::Refused {
        status: answer.status().as_u16(),
        inactive: exception
            .as_ref()
            .is_some_and(|(name, _)| acs::is_inactive(name)),
        said: exception.map_or_else(
            || body.into_owned(),
            |(name, text)| format!("{name}: {text}"),
        ),
    }
}

fn system_time(now: UnixMillis) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}
