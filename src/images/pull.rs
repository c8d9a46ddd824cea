//! One pull: finds out as whom, asks the registry, waits for a slot, and follows the pull's messages until it ends.
//!
//! Dropping the future cancels the pull, at every point. Limits and verdicts are `plan`'s; nothing is tried
//! twice but a pull whose token the registry does not take (any more): once, with a new one.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout};

use super::context::Context;
use super::logins::Given;
use super::plan::limits::{Patience, PullLimits, SlotUse};
use super::plan::{pull as plan, reason};
use super::slots::Slot;
use crate::boundary::images::PullStream;
use crate::boundary::images::{ImageError, PullState};
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::ids::UnixMillis;
use crate::domain::image::ImageRef;
use crate::domain::registry::{RegistryAccess, RegistryLogin};
use crate::domain::runtime::PullProgress;

/// How a pull went.
pub(super) struct Attempt {
    /// When it began; `None` if the registry's word ended it before.
    pub(super) started_at: Option<UnixMillis>,
    /// The digest that the registry gave, or why there is no image.
    pub(super) outcome: Result<Option<String>, ImageError>,
}

/// Pulls the image.
pub(super) async fn pull(
    ctx: &Context,
    key: &str,
    (image, access): (&ImageRef, &RegistryAccess),
    essential: bool,
) -> Attempt {
    ctx.show(key, PullState::Resolving);
    let given = match ctx.logins.of(image, access).await {
        Ok(given) => given,
        Err(failure) => return without_login(failure),
    };
    let attempt = attempt(ctx, key, (image, &given), essential).await;
    let denied =
        |attempt: &Attempt| matches!(&attempt.outcome, Err(e) if e.kind == ErrorKind::Denied);
    if !denied(&attempt) || !ctx.logins.refused(access, &given) {
        return attempt;
    }
    let again = match ctx.logins.of(image, access).await {
        Ok(given) => self::attempt(ctx, key, (image, &given), essential).await,
        Err(failure) => without_login(failure),
    };
    Attempt {
        started_at: attempt.started_at.or(again.started_at),
        outcome: again.outcome,
    }
}

fn without_login(failure: ImageError) -> Attempt {
    Attempt {
        started_at: None,
        outcome: Err(failure),
    }
}

/// One try with that login. The registry is asked first and without a slot, so that its refusal is heard however many
/// wait.
async fn attempt(
    ctx: &Context,
    key: &str,
    (image, given): (&ImageRef, &Given),
    essential: bool,
) -> Attempt {
    let login = given.login.as_ref();
    let digest = match resolve(ctx, key, (image, login)).await {
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
        outcome: transfer.run(image, login).await.map(|()| digest),
    }
}

/// The registry's word about the image. A pinned one needs none where every image that is for this kind of host runs
/// here: on Windows its layers are large, and only their manifest tells the version.
async fn resolve(
    ctx: &Context,
    key: &str,
    (image, login): (&ImageRef, Option<&RegistryLogin>),
) -> Result<Option<String>, ImageError> {
    let platform = ctx.platform();
    let pinned = image.digest().is_some();
    if pinned && platform.as_ref().is_none_or(|host| host.os != "windows") {
        return Ok(None);
    }
    ctx.show(key, PullState::Resolving);
    let limit = ctx.config.manifest;
    let answer = timeout(limit, ctx.runtime.remote_manifest(image, login))
        .await
        .unwrap_or_else(|_| {
            let operation = format!("ask the registry about {image}");
            Err(BoundaryError::deadline(operation, limit))
        });
    let digest = plan::judge_manifest(image, platform.as_ref(), &answer)?;
    Ok(digest.filter(|_| !pinned))
}

/// A pull that runs.
struct Transfer<'a> {
    ctx: &'a Context,
    key: &'a str,
    slot: Slot,
    use_of_slot: SlotUse,
    begun: Instant,
    /// When its progress last changed; `None` before its first message.
    changed: Option<Instant>,
    changed_at: UnixMillis,
    progress: PullProgress,
}

impl<'a> Transfer<'a> {
    fn new(ctx: &'a Context, key: &'a str, slot: Slot, started_at: UnixMillis) -> Self {
        Self {
            ctx,
            key,
            slot,
            use_of_slot: SlotUse::Held,
            begun: Instant::now(),
            changed: None,
            changed_at: started_at,
            progress: PullProgress::default(),
        }
    }

    async fn run(
        mut self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<(), ImageError> {
        self.show();
        let ctx = self.ctx;
        let mut opening = std::pin::pin!(ctx.runtime.pull(image, login));
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
            begin: self.ctx.config.begin,
            inactivity: self.ctx.config.inactivity,
            total: self.ctx.config.total,
        };
        loop {
            let quiet = self.changed.map(|changed| changed.elapsed());
            match limits.patience(self.begun.elapsed(), quiet, self.use_of_slot) {
                Patience::Wait(patience) => return Ok(patience),
                Patience::NotBegun => return Err(reason::not_begun(limits.begin)),
                Patience::Inactive => return Err(reason::inactive()),
                Patience::TooLong => return Err(reason::too_long(limits.total)),
                Patience::Lend => {
                    self.slot.lend();
                    self.use_of_slot = SlotUse::Lent;
                }
            }
        }
    }

    /// Only a message that says something new is progress; the first always does.
    fn heard(&mut self, progress: PullProgress) {
        if self.changed.is_some() && progress == self.progress {
            return;
        }
        let moved = moved_bytes(progress).saturating_sub(moved_bytes(self.progress));
        self.slot.moved(moved);
        self.use_of_slot = SlotUse::Held;
        self.progress = progress;
        self.changed = Some(Instant::now());
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
