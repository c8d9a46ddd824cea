//! One clean-up pass: looks, lets `plan::cleanup` decide, removes one image after the other.

use std::collections::BTreeSet;

use super::context::Context;
use super::plan::cleanup::{self, HostImages, KeepReason, Kept, Mode, Removal};
use super::plan::name::canonical;
use crate::boundary::host::DiskSpace;
use crate::boundary::{BoundaryError, ErrorKind};

/// What a pass did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepReport {
    /// How urgent it was.
    pub mode: Mode,
    /// Images that are gone.
    pub removed: Vec<Removal>,
    /// Images that stay, and why.
    pub kept: Vec<Kept>,
    /// Names that could not be removed, and why.
    pub failed: Vec<(String, String)>,
    /// References to be forgotten in the store.
    pub forgotten: Vec<String>,
    /// Space before the pass, if it could be read.
    pub disk_before: Option<DiskSpace>,
    /// Space after it.
    pub disk_after: Option<DiskSpace>,
    /// Why the pass did not look at the images, or not at the disk.
    pub trouble: Option<String>,
}

impl SweepReport {
    /// Nothing done so far.
    fn new(mode: Mode, disk: Option<DiskSpace>, trouble: Option<String>) -> Self {
        Self {
            mode,
            removed: Vec::new(),
            kept: Vec::new(),
            failed: Vec::new(),
            forgotten: Vec::new(),
            disk_before: disk,
            disk_after: disk,
            trouble,
        }
    }
}

/// One pass. Of two at once the second does nothing.
pub(super) async fn sweep(ctx: &Context) -> SweepReport {
    let Ok(_only) = ctx.sweeping.try_lock() else {
        let trouble = "another clean-up runs".to_owned();
        return SweepReport::new(Mode::Idle, None, Some(trouble));
    };
    let (disk, trouble) = match disk_space(ctx).await {
        Ok(disk) => (disk, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let now = ctx.clock.now();
    // A look in the future means that the clock was set back: it is no reason to wait until then.
    let looked_at = ctx.state().looked_at.filter(|at| *at <= now);
    let since_last = looked_at.map(|at| now.since(at));
    let config = &ctx.config.cleanup;
    let mode = cleanup::mode(config, ctx.config.behavior, disk, since_last);
    let report = SweepReport::new(mode, disk, trouble);
    if !cleanup::looks(config, mode, since_last) {
        return report;
    }
    let host = match look(ctx).await {
        Ok(host) => host,
        Err(error) => {
            let trouble = Some(error.to_string());
            return SweepReport { trouble, ..report };
        }
    };
    if !mode.for_space() {
        ctx.state().looked_at = Some(host.now);
    }
    let plan = cleanup::select(config, mode, &host);
    ctx.state().kept.clone_from(&plan.keep);
    let mut pass = Pass { ctx, mode, report };
    pass.report.kept = plan.keep;
    pass.report.forgotten = plan.forget;
    pass.remove_all(plan.remove).await;
    pass.forget(&host)
}

async fn disk_space(ctx: &Context) -> Result<Option<DiskSpace>, BoundaryError> {
    let path = ctx.state().storage_path.clone();
    match path {
        Some(path) => {
            let space = ctx.host.disk_space(&path).await?;
            ctx.state().disk = Some((space, ctx.clock.now()));
            Ok(Some(space))
        }
        None => Ok(None),
    }
}

/// Images are listed first, containers next and memory last, so that whatever came meanwhile is seen by one of them.
async fn look(ctx: &Context) -> Result<HostImages, BoundaryError> {
    let images = ctx.runtime.list_images().await?;
    let in_use = ctx.runtime.images_in_use().await?;
    let now = ctx.clock.now();
    let mut state = ctx.state();
    for record in state.records.values_mut() {
        cleanup::not_in_the_future(record, now);
    }
    Ok(HostImages {
        now,
        images,
        in_use: in_use.into_iter().collect(),
        needed: state.needed.clone(),
        busy: state.board.keys().cloned().collect(),
        records: state.records.clone(),
    })
}

struct Pass<'a> {
    ctx: &'a Context,
    mode: Mode,
    report: SweepReport,
}

impl Pass<'_> {
    async fn remove_all(&mut self, removals: Vec<Removal>) {
        let config = &self.ctx.config.cleanup;
        for removal in removals {
            if cleanup::enough(config, self.mode, self.report.disk_after) {
                break;
            }
            if self.mode != Mode::Emergency && !self.report.removed.is_empty() {
                tokio::time::sleep(config.pace).await;
            }
            self.remove(removal).await;
            if self.mode.for_space() {
                self.report.disk_after = disk_space(self.ctx).await.unwrap_or(None);
            }
        }
    }

    async fn remove(&mut self, removal: Removal) {
        let names: BTreeSet<String> = removal.names.iter().map(|name| canonical(name)).collect();
        let hold = Hold::new(self.ctx, names);
        if hold.is_wanted() {
            self.report.kept.push(Kept {
                name: removal.names.into_iter().next().unwrap_or(removal.image_id),
                size_bytes: removal.size_bytes,
                reason: KeepReason::Busy,
            });
            return;
        }
        for name in &removal.names {
            if let Err(error) = self.ctx.runtime.remove_image(name).await
                && error.kind != ErrorKind::NotFound
            {
                self.report.failed.push((name.clone(), error.to_string()));
                return;
            }
        }
        tracing::info!(
            event = "image-removed",
            image = removal.names.first().unwrap_or(&removal.image_id),
            size_bytes = removal.size_bytes,
            mode = self.mode.as_str(),
            "removed an image"
        );
        self.report.forgotten.extend(removal.records.clone());
        self.report.removed.push(removal);
    }

    /// Forgets what is gone, unless it came back while the pass ran.
    fn forget(mut self, host: &HostImages) -> SweepReport {
        let mut state = self.ctx.state();
        self.report
            .forgotten
            .retain(|reference| state.records.get(reference) == host.records.get(reference));
        for reference in &self.report.forgotten {
            state.records.remove(reference);
        }
        self.report
    }
}

/// Keeps flights of some names waiting while it lives.
struct Hold<'a> {
    ctx: &'a Context,
    names: BTreeSet<String>,
}

impl<'a> Hold<'a> {
    fn new(ctx: &'a Context, names: BTreeSet<String>) -> Self {
        ctx.removing
            .send_modify(|held| held.extend(names.iter().cloned()));
        // After that: a flight that waits meanwhile is to see what is left.
        ctx.state().forget_looks();
        Self { ctx, names }
    }

    /// Whether a task or a flight has come to want one of them since the plan was made.
    fn is_wanted(&self) -> bool {
        let state = self.ctx.state();
        let mut wanted = state.needed.iter().chain(state.board.keys());
        wanted.any(|name| self.names.contains(&canonical(name)))
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let names = &self.names;
        self.ctx
            .removing
            .send_modify(|held| held.retain(|name| !names.contains(name)));
    }
}
