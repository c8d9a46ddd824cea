//! The introspection API at addresses that a host may have or not. For containers of Docker's default bridge, as behind
//! the firewall rules of ECS agents: the classic paths at the host's address there, and nothing else. For this host:
//! everything at `::1` too.
//!
//! **Invariant.** Whether such an address is there, comes or goes concerns nobody else: it counts for no readiness.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::api::tcp::{Served, TcpServer};

/// How often the address is looked at: Docker makes its bridge when it starts, and it goes with a reconfiguration.
const PACE: Duration = Duration::from_secs(5);

/// Finds the address, such as that of the host on the bridge; `None` = there is none now.
pub(super) type FindAddress = Arc<dyn Fn() -> Option<IpAddr> + Send + Sync>;

/// The port to serve on; `None` where the operator chose who may ask: all addresses, or another one, or any port.
pub(super) fn port_on_bridge(introspection: SocketAddr) -> Option<u16> {
    let usual = introspection.ip().is_loopback() && introspection.port() != 0;
    usual.then_some(introspection.port())
}

/// Where to serve on IPv6 beside that address: on its port, where it is loopback of IPv4.
pub(super) fn beside_on_ipv6(introspection: SocketAddr) -> Option<SocketAddr> {
    let port = port_on_bridge(introspection).filter(|_| introspection.is_ipv4());
    port.map(|port| SocketAddr::from((Ipv6Addr::LOCALHOST, port)))
}

/// Only what others than this host get.
pub(super) fn for_others(introspection: &Served) -> Served {
    Served {
        name: "introspection-bridge",
        to_host: introspection.to_others.clone(),
        ..introspection.clone()
    }
}

/// Serves wherever the address is, until `stop`.
pub(super) async fn serve_where_it_is(
    served: Served,
    port: u16,
    find: FindAddress,
    stop: CancellationToken,
) {
    serve_at_pace(served, port, find, (PACE, stop)).await;
}

async fn serve_at_pace(
    served: Served,
    port: u16,
    find: FindAddress,
    (pace, stop): (Duration, CancellationToken),
) {
    while !stop.is_cancelled() {
        if let Some(address) = find() {
            match TcpServer::bind(SocketAddr::from((address, port))).await {
                Ok(bound) => {
                    let (listener, address) = (served.name, bound.address());
                    info!(event = "listening", listener, %address, "listening");
                    let moved = stop.child_token();
                    let gone = gone(&find, address, pace, &moved);
                    tokio::join!(bound.run(served.clone(), moved.clone()), gone);
                }
                Err(error) => {
                    // Another agent has the port, the address has just gone, or the host has none of its kind.
                    debug!(%error, %address, "the address cannot be listened on");
                }
            }
        }
        let _ended = stop.run_until_cancelled(tokio::time::sleep(pace)).await;
    }
}

/// Cancels `moved` when the address is another one or there is none.
async fn gone(find: &FindAddress, address: SocketAddr, pace: Duration, moved: &CancellationToken) {
    while !moved.is_cancelled() {
        let _ended = moved.run_until_cancelled(tokio::time::sleep(pace)).await;
        if find() != Some(address.ip()) {
            moved.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::api::Router;
    use crate::boundary::callers::UnknownCallers;

    /// Stands for the host's address on the bridge.
    const BRIDGE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);

    /// A port that was free a moment ago.
    fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind((BRIDGE, 0)).expect("a port");
        listener.local_addr().expect("an address").port()
    }

    async fn status(port: u16, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((BRIDGE, port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.split(' ').nth(1).map(str::to_owned)
    }

    async fn until(port: u16, path: &str, wanted: Option<&str>) {
        while status(port, path).await.as_deref() != wanted {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_others_get_is_served_where_the_bridge_is_and_while_it_is() {
        let route = |path: &str| Router::new().route(path, axum::routing::get(|| async {}));
        let served = for_others(&Served {
            name: "introspection",
            to_host: route("/v1/why"),
            to_others: route("/v1/tasks"),
            callers: Arc::new(UnknownCallers),
        });
        let there = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&there);
        let find: FindAddress =
            Arc::new(move || seen.load(Ordering::Relaxed).then_some(BRIDGE.into()));
        let (port, stop) = (free_port(), CancellationToken::new());
        let pace = Duration::from_millis(5);
        let serving = serve_at_pace(served, port, find, (pace, stop.clone()));
        let looking = async {
            assert_eq!(status(port, "/v1/tasks").await, None, "no bridge yet");
            there.store(true, Ordering::Relaxed);
            until(port, "/v1/tasks", Some("200")).await;
            assert_eq!(status(port, "/v1/why").await.as_deref(), Some("404"));
            there.store(false, Ordering::Relaxed);
            until(port, "/v1/tasks", None).await;
            there.store(true, Ordering::Relaxed);
            until(port, "/v1/tasks", Some("200")).await;
            stop.cancel();
        };
        tokio::join!(serving, looking);
    }

    #[test]
    fn an_operator_who_chose_an_address_is_heard() {
        let port = |text: &str| port_on_bridge(text.parse().expect("an address"));
        assert_eq!(port("127.0.0.1:51678"), Some(51_678));
        assert_eq!(port("127.0.0.1:0"), None);
        assert_eq!(port("0.0.0.0:51678"), None);
        assert_eq!(port("10.0.0.1:51678"), None);
        let beside = |text: &str| {
            let address = beside_on_ipv6(text.parse().expect("an address"));
            address.map(|address| address.to_string())
        };
        let usual = beside("127.0.0.1:51678");
        assert_eq!(usual.as_deref(), Some("[::1]:51678"));
        for chosen in ["[::1]:51678", "127.0.0.1:0", "0.0.0.0:51678", "10.0.0.1:9"] {
            assert_eq!(beside(chosen), None, "{chosen}");
        }
    }
}
