//! A pull as a stream of progress.
//!
//! **Invariants.** Every message of Docker's is an item, also while layers are unpacked. An error is the last item. A
//! pull that says nothing for too long, or goes on for too long, ends with `DeadlineExceeded`. Dropping the stream
//! closes the connection, and Docker gives up the pull.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::time::Instant;

use super::auth;
use super::client::{Call, Docker};
use super::convert::progress::Tally;
use super::raw::Request;
use crate::boundary::BoundaryError;
use crate::boundary::images::PullStream;
use crate::domain::image::ImageRef;
use crate::domain::registry::RegistryLogin;
use crate::domain::runtime::PullProgress;

impl Docker {
    pub(super) async fn pull_stream(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<PullStream, BoundaryError> {
        let total = self.deadlines().pull_total;
        let call = Call::registry(format!("pull image {image}"), total);
        let mut request = Request::post("/images/create").registry_auth(auth::header(login));
        request = match (image.digest(), image.pull_tag()) {
            // Docker takes a digest where it takes a tag; of both, the digest is what is meant.
            (Some(digest), _) => request
                .query("fromImage", image.repository())
                .query("tag", digest),
            (None, tag) => request
                .query("fromImage", image.repository())
                .query("tag", tag.unwrap_or("latest")),
        };
        let pull = Pull {
            docker: self.clone(),
            lines: self.open_lines(request).await?,
            call,
            tally: Tally::default(),
            ends: Instant::now().checked_add(total),
            patience: self.deadlines().pull_begin,
            ended: false,
        };
        Ok(stream::unfold(pull, |mut pull| async {
            let item = pull.next().await?;
            Some((item, pull))
        })
        .boxed())
    }
}

struct Pull {
    docker: Docker,
    call: Call,
    lines: BoxStream<'static, Result<Vec<u8>, bollard::errors::Error>>,
    tally: Tally,
    ends: Option<Instant>,
    /// Longest silence now allowed.
    patience: Duration,
    ended: bool,
}

impl Pull {
    async fn next(&mut self) -> Option<Result<PullProgress, BoundaryError>> {
        if self.ended {
            return None;
        }
        let item = self.message().await.transpose();
        self.patience = self.docker.deadlines().pull_idle;
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }

    async fn message(&mut self) -> Result<Option<PullProgress>, BoundaryError> {
        let left = self.ends.map_or(Duration::MAX, |ends| {
            ends.saturating_duration_since(Instant::now())
        });
        let limit = self.patience.min(left);
        let Ok(line) = tokio::time::timeout(limit, self.lines.next()).await else {
            let passed = if left <= self.patience {
                self.docker.deadlines().pull_total
            } else {
                self.patience
            };
            return Err(self.call.too_late(passed));
        };
        let Some(line) = line else {
            return Ok(None);
        };
        let line = line.map_err(|cause| self.docker.judge(&self.call, cause))?;
        let message = self.call.read(&line)?;
        let sum = self.tally.add(message);
        sum.map(Some).map_err(|words| self.call.refused(&words))
    }
}
