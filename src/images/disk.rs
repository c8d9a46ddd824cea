//! What takes the disk: asked of the engine now and then, and remembered for whoever wants to know.
//!
//! The engine walks every writable layer and every volume for an answer. So it is asked at a slow pace, and the slower
//! the longer the last answer took.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::context::Context;
use crate::boundary::BoundaryError;
use crate::boundary::images::{InventoryUse, OwnFiles};

/// The pause after an answer, in multiples of the time that the engine took for it: it has less than a hundredth of
/// its time to spend on this.
const PAUSE_PER_WORK: u32 = 100;

/// The part of the interval after which the disk is looked at first: an agent that starts has better things to do.
const FIRST_PART: u32 = 10;

/// Between two looks whether Docker has said where it keeps things.
const STORAGE_POLL: Duration = Duration::from_secs(1);

/// Looks at the disk until `stop`: soon at its space, which costs next to nothing, later and slowly at what is on it.
pub(super) async fn run(ctx: &Context, stop: &CancellationToken) {
    if stop.run_until_cancelled(first_space(ctx)).await.is_none() {
        return;
    }
    let interval = ctx.config.disk_use_interval;
    let mut wait = interval / FIRST_PART;
    // Cancel-safe: a look that is abandoned has changed nothing.
    while stop
        .run_until_cancelled(tokio::time::sleep(wait))
        .await
        .is_some()
    {
        let began = Instant::now();
        let Some(seen) = stop.run_until_cancelled(look(ctx)).await else {
            return;
        };
        if let Err(error) = seen {
            warn!(event = "disk-use-unknown", %error, "what takes the disk could not be found out");
        }
        wait = pause(interval, began.elapsed());
    }
}

/// Waits until Docker has said where it keeps things, and looks at the space there. What cannot be seen is looked at
/// again with everything else.
async fn first_space(ctx: &Context) {
    let path = loop {
        let path = ctx.state().storage_path.clone();
        match path {
            Some(path) => break path,
            None => tokio::time::sleep(STORAGE_POLL).await,
        }
    };
    if let Ok(space) = ctx.host.disk_space(&path).await {
        let at = ctx.clock.now();
        ctx.state().disk = Some((space, at));
    }
}

fn pause(interval: Duration, took: Duration) -> Duration {
    interval.max(took.saturating_mul(PAUSE_PER_WORK))
}

async fn look(ctx: &Context) -> Result<(), BoundaryError> {
    let path = ctx.state().storage_path.clone().unwrap_or_default();
    let began = Instant::now();
    let engine = ctx.runtime.disk_use().await?;
    let took = began.elapsed();
    let space = ctx.host.disk_space(&path).await?;
    let own = own_files(ctx, &path).await;
    let at = ctx.clock.now();
    debug!(
        elapsed_ms = took.as_millis(),
        "looked at what takes the disk"
    );
    let mut state = ctx.state();
    state.disk = Some((space, at));
    state.disk_use = Some(InventoryUse {
        engine,
        own,
        space,
        at,
        took,
    });
    Ok(())
}

/// On a thread that may block; if that panics, nothing is known.
async fn own_files(ctx: &Context, beside: &str) -> Option<OwnFiles> {
    let (read, beside) = (ctx.own_files.clone(), beside.to_owned());
    let read = tokio::task::spawn_blocking(move || read(&beside)).await;
    read.ok()
}
