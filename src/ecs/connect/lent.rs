//! A connection that comes back when whoever has it lets go of it.
//!
//! The websocket library drops the connection of a handshake that was refused, with the rest of the answer in it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::stream::Io;

/// The connection, until it is dropped.
pub(super) struct Lent {
    /// Always there but while it is dropped.
    io: Option<Box<dyn Io>>,
    owner: Option<oneshot::Sender<Box<dyn Io>>>,
}

/// Lends the connection. It ends with what it was lent as, if nobody waits for it any more.
pub(super) fn lend(io: Box<dyn Io>) -> (Lent, oneshot::Receiver<Box<dyn Io>>) {
    let (owner, back) = oneshot::channel();
    let lent = Lent {
        io: Some(io),
        owner: Some(owner),
    };
    (lent, back)
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(io), Some(owner)) = (self.io.take(), self.owner.take()) {
            let _unwanted = owner.send(io);
        }
    }
}

impl Lent {
    fn io(self: Pin<&mut Self>) -> io::Result<Pin<&mut Box<dyn Io>>> {
        let io = self.get_mut().io.as_mut();
        io.map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(context)
    }
}
