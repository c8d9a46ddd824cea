//! Whether a host port is free: tried, not looked up.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use crate::domain::port_mapping::Protocol;

/// Whether the port can be bound on all addresses. Only "in use" counts: Docker may be allowed what the agent is not,
/// and a host without IPv6 is no obstacle.
pub(super) fn is_free(port: u16, protocol: Protocol) -> bool {
    let addresses = [
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ];
    addresses
        .into_iter()
        .all(|address| match bind(address, protocol) {
            Ok(()) => true,
            Err(error) => error.kind() != io::ErrorKind::AddrInUse,
        })
}

fn bind(address: SocketAddr, protocol: Protocol) -> io::Result<()> {
    match protocol {
        Protocol::Tcp => TcpListener::bind(address).map(drop),
        Protocol::Udp => UdpSocket::bind(address).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_again_when_its_holder_lets_go() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port, Protocol::Tcp), "held on one address");
        drop(listener);
        assert!(is_free(port, Protocol::Tcp));

        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(!is_free(port, Protocol::Udp));
    }
}
