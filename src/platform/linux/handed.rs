//! Descriptors that were open when this process began, and sockets that are bound for others to serve.
//!
//! **Invariant.** Each descriptor is taken once, and no child of this process has it unless it is handed on.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use tokio::net::TcpSocket;

use crate::platform::Handed;

/// First descriptor that is handed over (`SD_LISTEN_FDS_START`).
pub(super) const FIRST: RawFd = 3;

/// Connections that wait while nobody serves; the kernel may allow fewer (`net.core.somaxconn`, 4096 as a rule).
const BACKLOG: u32 = 4096;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The first `count` descriptors from the third on. A second call finds none.
pub fn handed_descriptors(count: usize) -> Vec<Handed> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Vec::new();
    }
    (FIRST..)
        .take(count)
        .map(|number| own(number).and_then(|fd| look(fd).ok()))
        .map(|found| found.unwrap_or(Handed::Other))
        .collect()
}

/// The descriptor, if there is one of that number.
fn own(number: RawFd) -> Option<OwnedFd> {
    std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).ok()?;
    #[expect(
        unsafe_code,
        reason = "a descriptor that is handed over is known by its number only"
    )]
    // SAFETY: The descriptor is open, as was just seen. Nobody else in this process owns it: it was open before the
    // process began, it is named to us by who started it, and TAKEN lets only one call come here. There is no safe way
    // to own a descriptor that is known by its number.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    Some(fd)
}

fn look(fd: OwnedFd) -> io::Result<Handed> {
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    if !getsockopt(&fd, sockopt::AcceptConn).unwrap_or(false) {
        let file = File::from(fd);
        let is_pipe = file.metadata()?.file_type().is_fifo();
        return Ok(if is_pipe {
            Handed::Pipe(file)
        } else {
            Handed::Other
        });
    }
    let listener = TcpListener::from(fd);
    listener.set_nonblocking(true)?;
    if let Ok(address) = listener.local_addr() {
        return Ok(Handed::Tcp(listener, address));
    }
    let listener = UnixListener::from(OwnedFd::from(listener));
    let address = listener.local_addr()?;
    let path = address.as_pathname().map(Path::to_path_buf);
    Ok(Handed::Local(listener, path.unwrap_or_default()))
}

/// The process that started this one.
pub fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

/// From now on this process is asked to end when `parent` does; at once if it has already.
///
/// # Errors
/// Of the system.
pub fn end_with_parent(parent: u32) -> io::Result<()> {
    set_pdeathsig(Signal::SIGTERM)?;
    if parent_id() != parent {
        raise(Signal::SIGTERM)?;
    }
    Ok(())
}

/// A socket that listens at the address, also while this host does not have it yet.
///
/// # Errors
/// Of the system: the address is taken, or not allowed. Needs a runtime.
pub fn listen_ahead(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(BACKLOG)?.into_std()
}

/// Whether [`listen_ahead`] would succeed now. Nobody else is kept from the address meanwhile.
///
/// # Errors
/// Those of `listen_ahead`.
pub fn may_listen(address: SocketAddr) -> io::Result<()> {
    // Sockets that only have an address share it with each other, and not with one that listens.
    bound(address).map(drop)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    setsockopt(&socket, sockopt::IpFreebind, &true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[tokio::test]
    async fn whether_one_may_listen_is_told_without_keeping_the_address() {
        let free = listen_ahead("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = free.local_addr().unwrap();
        assert!(may_listen(address).is_err(), "somebody listens there");
        drop(free);
        let bound = bound(address).unwrap();
        may_listen(address).unwrap();
        drop(bound);
        listen_ahead(address).unwrap();
        // It need not be an address of this host yet.
        may_listen("192.0.2.1:0".parse().unwrap()).unwrap();
    }

    #[test]
    fn a_descriptor_is_told_by_what_it_is() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let unix = UnixListener::bind(&path).unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        assert!(matches!(look(tcp.into()).unwrap(), Handed::Tcp(_, found) if found == address));
        assert!(matches!(look(unix.into()).unwrap(), Handed::Local(_, found) if found == path));
        assert!(matches!(look(client.into()).unwrap(), Handed::Other));
        let (reader, writer) = io::pipe().unwrap();
        let Handed::Pipe(mut pipe) = look(OwnedFd::from(reader)).unwrap() else {
            panic!("a pipe");
        };
        drop(writer);
        assert_eq!(pipe.read(&mut [0]).unwrap(), 0);
        let file = File::open("/dev/null").unwrap();
        assert!(matches!(look(file.into()).unwrap(), Handed::Other));
    }

    #[test]
    fn a_number_without_a_descriptor_is_none() {
        assert!(own(1_000_000).is_none());
    }

    #[tokio::test]
    async fn a_socket_listens_at_an_address_that_the_host_does_not_have() {
        let listener = listen_ahead("192.0.2.7:0".parse().unwrap()).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip().to_string(), "192.0.2.7");
    }
}
