//! The connection under a session: straight or through a proxy, in clear text or over TLS.
//!
//! **Invariant.** Each step has a limit.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::OpenError;
use super::proxy::{Proxies, Proxy, Target};
use super::tls::{self, Authorities};
use crate::domain::fips::FipsEndpoints;

/// Longest wait for a connection, and for each of the handshakes on it (reference agent).
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(30);

/// Longest wait for one address of a host: another may answer, and a network that is back is noticed by the next try.
const ADDRESS_LIMIT: Duration = Duration::from_secs(8);

/// Longest answer of a proxy, in bytes.
const MAX_PROXY_ANSWER_BYTES: usize = 8 * 1024;

/// Any connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How this host reaches others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its proxies.
    pub proxies: Proxies,
    /// Authorities of the operator.
    pub authorities: Authorities,
    /// Endpoints that are validated for FIPS, and endpoints that have IPv6 too.
    pub endpoints: EndpointKinds,
}

/// Which endpoints of a region are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointKinds {
    /// Those that are validated for FIPS.
    pub fips: FipsEndpoints,
    /// Those that have IPv6 too.
    pub dual_stack: bool,
}

/// Connects to the target.
pub(super) async fn connect(
    network: &Network,
    target: Target<'_>,
) -> Result<Box<dyn Io>, OpenError> {
    let proxy = network.proxies.for_session(target);
    let peer = format!("{}:{}", target.host, target.port);
    let failed = |error| OpenError::Connect(peer.clone(), error);
    let (host, port) = proxy.map_or((target.host, target.port), |proxy| {
        (proxy.host.as_str(), proxy.port)
    });
    // An address of IPv6 has brackets in a URL and none here.
    let host = host.trim_matches(['[', ']']);
    let mut tcp = within(dial(host, port)).await?.map_err(failed)?;
    // Frames are small and each is an answer.
    tcp.set_nodelay(true).map_err(failed)?;
    if let Some(proxy) = proxy {
        within(pass(&mut tcp, proxy, target)).await??;
    }
    if !target.secure {
        return Ok(Box::new(tcp));
    }
    let name = target.host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(|_| OpenError::Address(peer.clone()))?;
    let connector = tls::connector(&network.authorities).map_err(OpenError::Tls)?;
    let stream = within(connector.connect(name, tcp))
        .await?
        .map_err(failed)?;
    Ok(Box::new(stream))
}

/// Connects to the first address of the name that answers.
async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match timeout(ADDRESS_LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Has the proxy open a way to the target.
async fn pass(tcp: &mut TcpStream, proxy: &Proxy, target: Target<'_>) -> Result<(), OpenError> {
    let failed = |error| OpenError::Connect(format!("proxy {proxy:?}"), error);
    tcp.write_all(proxy.connect(target).as_bytes())
        .await
        .map_err(failed)?;
    let mut answer = Vec::new();
    // One by one: what follows the answer is the target's.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_PROXY_ANSWER_BYTES {
            return Err(OpenError::Proxy("an answer without an end".to_owned()));
        }
        answer.push(tcp.read_u8().await.map_err(failed)?);
    }
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some(status) if status.starts_with('2') && status.len() == 3 => Ok(()),
        _ => Err(OpenError::Proxy(line.to_owned())),
    }
}

/// The step in time.
pub(super) async fn within<T>(step: impl Future<Output = T>) -> Result<T, OpenError> {
    timeout(STEP_LIMIT, step).await.map_err(|_| OpenError::Late)
}
