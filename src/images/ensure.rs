//! One flight: makes one reference ready, once.

use tokio::time::Instant;

use super::context::Context;
use super::pause;
use super::plan::pull::{self as plan, Approach, Presence};
use super::plan::{name, reason};
use super::pull::{Attempt, pull};
use crate::boundary::images::{ImageError, ReadyImage};
use crate::boundary::store::ImageRecord;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::ids::UnixMillis;
use crate::domain::image::ImageRef;
use crate::domain::registry::RegistryAccess;
use crate::domain::runtime::LocalImage;

/// Makes the image ready. Dropping the future at any await leaves no pull behind.
pub(super) async fn ensure(
    ctx: &Context,
    key: &str,
    (image, access): (&ImageRef, &RegistryAccess),
    essential: bool,
) -> Result<ReadyImage, ImageError> {
    ctx.not_being_removed(key).await;
    let flight = Flight { ctx, key, image };
    if name::is_internal(key) {
        return flight.internal().await;
    }
    let behavior = ctx.config.behavior;
    if plan::looks_first(behavior) {
        let local = flight.look().await?;
        let presence = Presence::of(local.as_ref(), flight.record().as_ref());
        if let (Approach::UseLocal, Some(local)) = (plan::approach(behavior, presence), local) {
            return flight.found(&local);
        }
    }
    ctx.state().forget_looks();
    let attempt = pull(ctx, key, (image, access), essential).await;
    match attempt.outcome.clone() {
        Ok(digest) => flight.pulled(&attempt, digest.as_deref()).await,
        Err(failure) if plan::falls_back(behavior) => flight.fall_back(&attempt, failure).await,
        Err(failure) => Err(failure),
    }
}

struct Flight<'a> {
    ctx: &'a Context,
    key: &'a str,
    image: &'a ImageRef,
}

impl Flight<'_> {
    /// The image on the host, without a pull.
    fn found(&self, local: &LocalImage) -> Result<ReadyImage, ImageError> {
        self.ready(local, None, None)
    }

    /// The image after a pull that went well.
    async fn pulled(
        &self,
        attempt: &Attempt,
        digest: Option<&str>,
    ) -> Result<ReadyImage, ImageError> {
        let stopped_at = self.ctx.clock.now();
        let Some(local) = self.inspect().await? else {
            let message = format!("{} is not on the host after its pull", self.image);
            return Err(reason::other(ErrorKind::Transient, message));
        };
        let ready = self.ready(&local, digest, Some(stopped_at))?;
        Ok(ReadyImage {
            started_at: attempt.started_at,
            stopped_at: Some(stopped_at),
            ..ready
        })
    }

    /// The image on the host after a pull that failed.
    async fn fall_back(
        &self,
        attempt: &Attempt,
        failure: ImageError,
    ) -> Result<ReadyImage, ImageError> {
        let stopped_at = self.ctx.clock.now();
        let Ok(local) = self.inspect().await else {
            // Whether there is an image to fall back to is not known, so nothing is final.
            return Err(ImageError {
                permanent: false,
                ..failure
            });
        };
        let ready = local.and_then(|local| self.ready(&local, None, None).ok());
        ready.ok_or(failure.clone()).map(|ready| ReadyImage {
            started_at: attempt.started_at,
            stopped_at: attempt.started_at.and(Some(stopped_at)),
            warning: Some(plan::fallback_warning(&failure)),
            ..ready
        })
    }

    /// The agent's own image: made here if it is missing.
    async fn internal(&self) -> Result<ReadyImage, ImageError> {
        if let Some(local) = self.inspect().await? {
            return self.found(&local);
        }
        if self.key != pause::PAUSE_IMAGE {
            let message = format!("{} is not an image of this agent", self.image);
            return Err(reason::other(ErrorKind::NotFound, message));
        }
        let platform = self.ctx.platform();
        let architecture = match &platform {
            Some(platform) => platform.architecture.as_str(),
            None => std::env::consts::ARCH,
        };
        let archive = pause::pause_image_archive(architecture)
            .map_err(|error| reason::other(ErrorKind::Invalid, error.to_string()))?;
        let loaded = self.ctx.runtime.load_image(archive).await;
        loaded.map_err(|error| failed(&error))?;
        match self.inspect().await? {
            Some(local) => self.found(&local),
            None => Err(reason::other(
                ErrorKind::Transient,
                format!("{} is not on the host after it was loaded", self.image),
            )),
        }
    }

    fn ready(
        &self,
        local: &LocalImage,
        digest: Option<&str>,
        pulled_at: Option<UnixMillis>,
    ) -> Result<ReadyImage, ImageError> {
        plan::judge_local(self.image, self.ctx.platform().as_ref(), local)?;
        let previous = self.record();
        let now = self.ctx.clock.now();
        let record = plan::record_after(self.image, previous.as_ref(), local, pulled_at, now);
        Ok(ReadyImage {
            image_id: local.id.clone(),
            digest: plan::digest_of(self.image, digest, local),
            pulled: pulled_at.is_some(),
            size_bytes: local.size_bytes,
            started_at: None,
            stopped_at: None,
            warning: None,
            superseded: plan::superseded(previous.as_ref(), &record),
            record,
        })
    }

    fn record(&self) -> Option<ImageRecord> {
        self.ctx.state().records.get(self.key).cloned()
    }

    /// The image on the host, as it was seen a moment ago or is now.
    async fn look(&self) -> Result<Option<LocalImage>, ImageError> {
        if let Some(seen) = self.ctx.state().seen_lately(self.key) {
            return Ok(Some(seen));
        }
        let asked = Instant::now();
        let local = self.inspect().await?;
        self.ctx.state().saw(self.key, asked, local.as_ref());
        Ok(local)
    }

    async fn inspect(&self) -> Result<Option<LocalImage>, ImageError> {
        let found = self.ctx.runtime.inspect_image(self.key).await;
        found.map_err(|error| failed(&error))
    }
}

/// A failure on the host, where no refusal is final.
fn failed(error: &BoundaryError) -> ImageError {
    ImageError {
        permanent: false,
        ..reason::other(error.kind, error.to_string())
    }
}
