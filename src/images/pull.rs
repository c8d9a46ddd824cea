//! One pull: asks the registry, waits for a slot, and follows the pull's messages until it ends.
//!
//! Dropping the future cancels the pull, at every point. Limits and verdicts are `plan`'s; nothing is tried twice.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout};

use super::context::Context;
use super::plan::limits::{Patience, PullLimits, SlotUse};
use super::plan::{pull as plan, reason};
use super::slots::Slot;
use crate::boundary::BoundaryError;
use crate::boundary::images::PullStream;
use crate::boundary::images::{ImageError, PullState};
use crate::domain::ids::UnixMillis;
use crate::domain::image::ImageRef;
use crate::domain::runtime::PullProgress;

/// How a pull went.
pub(super) struct Attempt {
    /// When it began; `None` if the registry's word ended it before.
    pub(super) started_at: Option<UnixMillis>,
    /// The digest that the registry gave, or why there is no image.
    pub(super) outcome: Result<Option<String>, ImageError>,
}

/// Pulls the image. The registry is asked first and without a slot, so that its refusal is heard however many wait.
pub(super) async fn pull(ctx: &Context, key: &str, image: &ImageRef, essential: bool) -> Attempt {
    let digest = match resolve(ctx, key, image).await {
        Ok(digest) => digest,
        Err(refusal) => {
            return Attempt {
                started_at: None,
                outcome: Err(refusal),
            };
        }
    };
    ctx.show(key, PullState::Waiting { position: 0 });
    let slot = ctx.slots.acquire(key, essential).await;
    let started_at = ctx.clock.now();
    let transfer = Transfer::new(ctx, key, slot, started_at);
    Attempt {
        started_at: Some(started_at),
        outcome: transfer.run(image).await.map(|()| digest),
    }
}

/// The registry's word about the image; a pinned one needs none.
async fn resolve(ctx: &Context, key: &str, image: &ImageRef) -> Result<Option<String>, ImageError> {
    if image.digest().is_some() {
        return Ok(None);
    }
    ctx.show(key, PullState::Resolving);
    let limit = ctx.config.manifest;
    let answer = timeout(limit, ctx.runtime.remote_manifest(image))
        .await
        .unwrap_or_else(|_| {
            let operation = format!("ask the registry about {image}");
            Err(BoundaryError::deadline(operation, limit))
        });
    plan::judge_manifest(image, ctx.platform().as_ref(), &answer)
}

/// A pull that runs.
struct Transfer<'a> {
    ctx: &'a Context,
    key: &'a str,
    slot: Slot,
    use_of_slot: SlotUse,
    begun: Instant,
    changed: Instant,
    changed_at: UnixMillis,
    progress: PullProgress,
}

impl<'a> Transfer<'a> {
    fn new(ctx: &'a Context, key: &'a str, slot: Slot, started_at: UnixMillis) -> Self {
        let begun = Instant::now();
        Self {
            ctx,
            key,
            slot,
            use_of_slot: SlotUse::Held,
            begun,
            changed: begun,
            changed_at: started_at,
            progress: PullProgress::default(),
        }
    }

    async fn run(mut self, image: &ImageRef) -> Result<(), ImageError> {
        self.show();
        let ctx = self.ctx;
        let mut opening = std::pin::pin!(ctx.runtime.pull(image));
        let mut stream: PullStream = loop {
            let patience = self.patience()?;
            // Cancel safe: `opening` is kept and polled again.
            if let Ok(opened) = timeout(patience, &mut opening).await {
                break opened.map_err(|error| reason::pull_failed(image, &error))?;
            }
        };
        loop {
            let patience = self.patience()?;
            // Cancel safe: a stream keeps what it has not yielded.
            match timeout(patience, stream.next()).await {
                Ok(Some(Ok(progress))) => self.heard(progress),
                Ok(Some(Err(error))) => return Err(reason::pull_failed(image, &error)),
                Ok(None) => return Ok(()),
                Err(_) => {}
            }
        }
    }

    /// How long to wait for the next message.
    fn patience(&mut self) -> Result<Duration, ImageError> {
        let limits = PullLimits {
            inactivity: self.ctx.config.inactivity,
            total: self.ctx.config.total,
        };
        loop {
            let (elapsed, quiet) = (self.begun.elapsed(), self.changed.elapsed());
            match limits.patience(elapsed, quiet, self.use_of_slot) {
                Patience::Wait(patience) => return Ok(patience),
                Patience::Inactive => return Err(reason::inactive()),
                Patience::TooLong => return Err(reason::too_long(limits.total)),
                Patience::Lend => {
                    self.slot.lend();
                    self.use_of_slot = SlotUse::Lent;
                }
            }
        }
    }

    /// Only a message that says something new is progress.
    fn heard(&mut self, progress: PullProgress) {
        if progress == self.progress {
            return;
        }
        let moved = moved_bytes(progress).saturating_sub(moved_bytes(self.progress));
        self.slot.moved(moved);
        self.use_of_slot = SlotUse::Held;
        self.progress = progress;
        self.changed = Instant::now();
        self.changed_at = self.ctx.clock.now();
        self.show();
    }

    fn show(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let state = PullState::Pulling {
            progress: self.progress,
            bytes_per_sec: moved_bytes(self.progress).saturating_mul(1000) / millis.max(1),
            changed_at: self.changed_at,
        };
        self.ctx.show(self.key, state);
    }
}

fn moved_bytes(progress: PullProgress) -> u64 {
    progress
        .downloaded_bytes
        .saturating_add(progress.extracted_bytes)
}
