//! What all flights and sweeps share: the outside, the settings, and a few fields behind locks.
//!
//! **Invariant.** A reference is never made ready and removed at once: a flight is on the board before it looks at
//! `removing`, and a sweep writes `removing` before it looks at the board.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::config::ImagesConfig;
use super::logins::Logins;
use super::plan::HostPlatform;
use super::plan::cleanup::Kept;
use super::plan::name::canonical;
use super::service::ReadOwnFiles;
use super::slots::Slots;
use crate::boundary::host::DiskSpace;
use crate::boundary::images::{InventoryUse, PullState, PullView};
use crate::boundary::store::ImageRecord;
use crate::boundary::{Clock, Host, ImageRuntime};
use crate::domain::ids::UnixMillis;
use crate::domain::runtime::LocalImage;

/// How long what Docker said of an image is good for the next task that wants it: as long as an image that went away
/// may go unnoticed between a look and a create anyway, where Docker is slow. The create then fails, and its next try
/// looks again.
const LOOK_LASTS: Duration = Duration::from_secs(2);

/// Shared by the service, its handle, its flights and sweeps.
pub(super) struct Context {
    pub(super) config: ImagesConfig,
    pub(super) runtime: Arc<dyn ImageRuntime>,
    pub(super) host: Arc<dyn Host>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) own_files: ReadOwnFiles,
    pub(super) slots: Arc<Slots>,
    pub(super) logins: Logins,
    /// Names that a sweep removes now, in Docker's spelling.
    pub(super) removing: watch::Sender<BTreeSet<String>>,
    /// Only one sweep at a time.
    pub(super) sweeping: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What is known beside the settings.
#[derive(Debug, Default)]
pub(super) struct State {
    /// References being made ready.
    pub(super) board: BTreeMap<String, PullView>,
    /// What the agent remembers, by reference.
    pub(super) records: BTreeMap<String, ImageRecord>,
    /// References that desired tasks need.
    pub(super) needed: BTreeSet<String>,
    /// What the host runs; `None` until Docker has said so.
    pub(super) platform: Option<HostPlatform>,
    /// Where Docker keeps images; `None` until it has said so.
    pub(super) storage_path: Option<String>,
    /// Last time that all images were looked at because it was time.
    pub(super) looked_at: Option<UnixMillis>,
    /// What stayed at that look, or at a later one for space.
    pub(super) kept: Vec<Kept>,
    /// The disk when it was last looked at.
    pub(super) disk: Option<(DiskSpace, UnixMillis)>,
    /// What is on it, when that was looked at last.
    pub(super) disk_use: Option<InventoryUse>,
    /// What Docker said of images that are on the host, and when it was asked.
    pub(super) looks: BTreeMap<String, (Instant, LocalImage)>,
}

impl State {
    /// What Docker said of the image a moment ago. A burst of tasks of one image costs one look.
    pub(super) fn seen_lately(&self, key: &str) -> Option<LocalImage> {
        let (asked, image) = self.looks.get(key)?;
        (asked.elapsed() < LOOK_LASTS).then(|| image.clone())
    }

    /// Docker was asked then, and said this.
    pub(super) fn saw(&mut self, key: &str, asked: Instant, image: Option<&LocalImage>) {
        self.looks
            .retain(|_, (asked, _)| asked.elapsed() < LOOK_LASTS);
        if let Some(image) = image {
            self.looks.insert(key.to_owned(), (asked, image.clone()));
        }
    }

    /// Images are about to change: what was seen of them counts no more.
    pub(super) fn forget_looks(&mut self) {
        self.looks.clear();
    }
}

/// The outside and what was remembered.
pub(super) struct Parts {
    pub(super) config: ImagesConfig,
    pub(super) runtime: Arc<dyn ImageRuntime>,
    pub(super) host: Arc<dyn Host>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) own_files: ReadOwnFiles,
    pub(super) slots: Arc<Slots>,
    pub(super) logins: Logins,
    pub(super) known: Vec<ImageRecord>,
}

impl Context {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let records = parts.known.into_iter();
        Arc::new(Self {
            config: parts.config,
            runtime: parts.runtime,
            host: parts.host,
            clock: parts.clock,
            own_files: parts.own_files,
            slots: parts.slots,
            logins: parts.logins,
            removing: watch::Sender::new(BTreeSet::new()),
            sweeping: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                records: records.map(|r| (r.reference.clone(), r)).collect(),
                ..State::default()
            }),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn platform(&self) -> Option<HostPlatform> {
        self.state().platform.clone()
    }

    /// Shows that the reference does this now.
    pub(super) fn show(&self, key: &str, state: PullState) {
        let now = self.clock.now();
        if let Some(view) = self.state().board.get_mut(key) {
            let pulls = |state: &PullState| matches!(state, PullState::Pulling { .. });
            if !(pulls(&view.state) && pulls(&state)) {
                view.since = now;
            }
            view.state = state;
        }
    }

    /// Waits while a sweep removes the reference.
    pub(super) async fn not_being_removed(&self, key: &str) {
        let name = canonical(key);
        let mut removing = self.removing.subscribe();
        // The sender lives in `self`, so the wait can only end by the condition.
        drop(removing.wait_for(|names| !names.contains(&name)).await);
    }
}
