//! A connection that is not closed in the face of who still sends.
//!
//! An answer may come before the body of its request: a header that is refused, a body that is too large. Closed at
//! once, the connection fails the other end's next write, and what it has already been sent of the answer may go with
//! it. So the rest is read and thrown away for a while, after the answer and the end of ours.

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long the other end may still send: it has its answer, and only has to read it.
const LIMIT: Duration = Duration::from_secs(1);

/// Most that is thrown away, in bytes: as much as the largest body that is taken anywhere.
const MOST: usize = 10 * 1024 * 1024;

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// Whether a request of the connection was answered with some of its body not read.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<Left>);

#[derive(Debug, Default)]
struct Left {
    some: AtomicBool,
    turned_away: AtomicBool,
}

impl Unread {
    /// It was.
    pub(super) fn set(&self) {
        self.0.some.store(true, Ordering::Relaxed);
    }

    /// Nobody is waited for on this connection, whatever is left.
    pub(super) fn turn_away(&self) {
        self.0.turned_away.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    pub(super) fn is_set(&self) -> bool {
        self.0.some.load(Ordering::Relaxed)
    }

    fn is_turned_away(&self) -> bool {
        self.0.turned_away.load(Ordering::Relaxed)
    }
}

/// Takes what comes after its own end, if something was left unread.
#[derive(Debug)]
pub(super) struct Lingering<S> {
    inner: S,
    unread: Unread,
    /// Once our end is closed.
    since: Option<Pin<Box<Sleep>>>,
    taken: usize,
}

impl<S> Lingering<S> {
    pub(super) fn new(inner: S, unread: Unread) -> Self {
        Self {
            inner,
            unread,
            since: None,
            taken: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> Lingering<S> {
    /// Whether there is more already, of a head that was too large to be read to its end.
    fn poll_more(&mut self, context: &mut Context<'_>) -> bool {
        let mut chunk = [MaybeUninit::<u8>::uninit(); 1];
        let mut buffer = ReadBuf::uninit(&mut chunk);
        let polled = Pin::new(&mut self.inner).poll_read(context, &mut buffer);
        matches!(polled, Poll::Ready(Ok(()))) && !buffer.filled().is_empty()
    }

    /// Until the other end has closed, or has had its time.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = self.since.get_or_insert_with(|| Box::pin(sleep(LIMIT)));
        if since.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut chunk = [MaybeUninit::<u8>::uninit(); CHUNK];
        while self.taken < MOST {
            let mut buffer = ReadBuf::uninit(&mut chunk);
            let read = ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            self.taken += buffer.filled().len();
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.since.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            let waits = self.unread.is_set() || self.poll_more(context);
            if !waits || self.unread.is_turned_away() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_rest(context).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_not_read_is_taken_until_the_other_end_closes() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let unread = Unread::default();
        let mut connection = Lingering::new(ours, unread.clone());
        unread.set();
        let begun = Instant::now();
        let other_end = async {
            theirs.write_all(&[0; 100]).await.expect("is taken");
            let mut answer = Vec::new();
            theirs.read_to_end(&mut answer).await.expect("an end");
            drop(theirs);
        };
        let closing = async {
            connection.shutdown().await.expect("an end");
            drop(connection);
        };
        tokio::join!(closing, other_end);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_on_or_stays_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let unread = Unread::default();
        unread.set();
        let mut connection = Lingering::new(ours, unread);
        let begun = Instant::now();
        connection.shutdown().await.expect("an end");
        assert_eq!(begun.elapsed(), LIMIT);
        drop(connection);
        theirs.write_all(b"more").await.expect_err("nobody reads");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_where_all_was_read_or_who_is_turned_away() {
        let (ours, _theirs) = tokio::io::duplex(4);
        let begun = Instant::now();
        let ended = Lingering::new(ours, Unread::default()).shutdown().await;
        ended.expect("an end");
        let (ours, mut theirs) = tokio::io::duplex(4);
        theirs.write_all(b"more").await.expect("is taken");
        let unread = Unread::default();
        unread.set();
        unread.turn_away();
        let ended = Lingering::new(ours, unread).shutdown().await;
        ended.expect("an end");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_was_read_of_a_head_is_taken() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        theirs.write_all(b"more").await.expect("is taken");
        let mut connection = Lingering::new(ours, Unread::default());
        let closing = async {
            connection.shutdown().await.expect("an end");
            drop(connection);
        };
        let other_end = async {
            theirs.write_all(&[0; 100]).await.expect("is taken");
            drop(theirs);
        };
        tokio::join!(closing, other_end);
    }
}
