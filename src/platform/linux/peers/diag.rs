//! Asks the kernel for one socket by its addresses: one question, one answer, whatever number of sockets there is.

use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

/// A cookie that stands for none (`INET_DIAG_NOCOOKIE`).
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// A connected socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// By which descriptors name it; 0 = no process has it.
    pub(super) inode: u64,
}

/// The TCP socket on this thread's network from `own` to `other`; `None` if there is none.
///
/// # Errors
/// If the kernel does not tell.
pub(super) fn connected(own: SocketAddr, other: SocketAddr) -> io::Result<Option<Found>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    // The answer is there when the question has been taken: waiting would be for ever.
    socket.set_non_blocking(true)?;
    socket.send(&question(own, other), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer =
        <NetlinkMessage<SockDiagMessage>>::deserialize(&answer).map_err(io::Error::other)?;
    if let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) = answer.payload {
        let header = &response.header;
        // Where nothing is connected so, what listens at `own` is told instead.
        let is_it = header.socket_id.destination_port == other.port();
        return Ok(is_it.then(|| Found {
            inode: u64::from(header.inode),
        }));
    }
    let NetlinkPayload::Error(error) = answer.payload else {
        return Err(io::Error::other("an answer of another kind"));
    };
    let error = error.to_io();
    if error.kind() == io::ErrorKind::NotFound {
        Ok(None)
    } else {
        Err(error)
    }
}

fn question(own: SocketAddr, other: SocketAddr) -> Vec<u8> {
    let (family, mut socket_id) = match own.ip() {
        IpAddr::V4(_) => (AF_INET, SocketId::new_v4()),
        IpAddr::V6(_) => (AF_INET6, SocketId::new_v6()),
    };
    socket_id.source_address = own.ip();
    socket_id.source_port = own.port();
    socket_id.destination_address = other.ip();
    socket_id.destination_port = other.port();
    socket_id.cookie = NO_COOKIE;
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id,
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
