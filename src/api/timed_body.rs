//! A request's body that must be whole by an instant, so that one that drips holds nothing for long.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::lingering::Unread;

/// Whether the instant came before the end of the body.
#[derive(Clone, Debug, Default)]
pub(super) struct Late(Arc<AtomicBool>);

impl Late {
    /// Whether it did.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why the body has no end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body came too slowly")]
pub(super) struct TooSlow;

/// Fails when the body is not whole in time, and tells when it is dropped before its end.
#[derive(Debug)]
pub(super) struct TimedBody<B: Body> {
    inner: B,
    late: Late,
    unread: Unread,
    ended: bool,
    deadline: Pin<Box<Sleep>>,
}

impl<B: Body> TimedBody<B> {
    /// `inner`, which must be whole within `limit` from now.
    pub(super) fn new(inner: B, limit: Duration, late: Late, unread: Unread) -> Self {
        Self {
            inner,
            late,
            unread,
            ended: false,
            deadline: Box::pin(sleep(limit)),
        }
    }
}

impl<B: Body> Drop for TimedBody<B> {
    fn drop(&mut self) {
        if !self.ended && !self.inner.is_end_stream() {
            self.unread.set();
        }
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.ended = frame.is_none();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.late.0.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(TooSlow.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use futures_util::stream;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn dripping(
        parts: u32,
        pause: Duration,
    ) -> impl Body<Data = Bytes, Error = std::convert::Infallible> + Unpin {
        let parts = stream::iter(0..parts).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok(Frame::data(Bytes::from_static(b"x")))
        });
        StreamBody::new(Box::pin(parts))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up_and_one_that_is_only_slow_is_not() {
        let (late, unread) = (Late::default(), Unread::default());
        let timed =
            |body| TimedBody::new(body, Duration::from_secs(5), late.clone(), unread.clone());
        let slow = timed(dripping(4, Duration::from_secs(1)));
        let whole = slow.collect().await.expect("in time").to_bytes();
        assert_eq!(whole.len(), 4);
        assert!(!late.is_set() && !unread.is_set());
        let drips = timed(dripping(9, Duration::from_secs(1)));
        let given_up = drips.collect().await.expect_err("too slow");
        assert_eq!(given_up.to_string(), "the body came too slowly");
        assert!(late.is_set() && unread.is_set());
    }
}
