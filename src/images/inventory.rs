//! What is remembered of images, as a list for whoever asks. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::config::ImagesConfig;
use super::context::State;
use super::plan::cleanup::{KeepReason, Kept};
use super::plan::name::{canonical, is_internal};
use crate::boundary::images::{ImageEntry, Inventory, InventoryDisk, PullView};
use crate::boundary::store::ImageRecord;
use crate::domain::ids::UnixMillis;
use crate::domain::image::PullBehavior;

/// Why an image stays where none is ever removed.
const NO_CLEANUP: &str = "images are not cleaned up on this host";

/// The list. `board`: what is being made ready.
pub(super) fn inventory(
    config: &ImagesConfig,
    state: &State,
    board: &BTreeMap<String, PullView>,
    now: UnixMillis,
) -> Inventory {
    let cleans_up = config.cleanup.enabled && config.behavior != PullBehavior::PreferCached;
    let judge = Judge {
        config,
        cleans_up,
        needed: canonicals(state.needed.iter()),
        busy: canonicals(board.keys()),
        excluded: canonicals(config.cleanup.excluded.iter()),
        kept: state
            .kept
            .iter()
            .map(|kept| (canonical(&kept.name), kept))
            .collect(),
        now,
    };
    let mut images: BTreeMap<String, ImageEntry> = BTreeMap::new();
    for kept in &state.kept {
        images.insert(canonical(&kept.name), judge.found(kept));
    }
    for record in state.records.values() {
        images.insert(canonical(&record.reference), judge.remembered(record));
    }
    for (reference, view) in board {
        let name = canonical(reference);
        let entry = images.entry(name).or_insert_with(|| ImageEntry {
            reference: reference.clone(),
            kept: Some(KeepReason::Busy.as_str()),
            ..ImageEntry::default()
        });
        entry.pull = Some(view.clone());
    }
    Inventory {
        images: images.into_values().collect(),
        disk: state
            .disk
            .zip(state.storage_path.clone())
            .map(|((space, at), path)| InventoryDisk { path, space, at }),
        disk_use: state.disk_use.clone(),
        looked_at: state.looked_at,
        cleans_up,
    }
}

fn canonicals<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    names.map(|name| canonical(name)).collect()
}

/// What decides whether an image stays, as far as memory knows.
struct Judge<'a> {
    config: &'a ImagesConfig,
    cleans_up: bool,
    needed: BTreeSet<String>,
    busy: BTreeSet<String>,
    excluded: BTreeSet<String>,
    kept: BTreeMap<String, &'a Kept>,
    now: UnixMillis,
}

impl Judge<'_> {
    /// An image that only the last look knows.
    fn found(&self, kept: &Kept) -> ImageEntry {
        let reason = if self.cleans_up {
            kept.reason.as_str()
        } else {
            NO_CLEANUP
        };
        ImageEntry {
            reference: kept.name.clone(),
            size_bytes: kept.size_bytes,
            kept: Some(reason),
            ..ImageEntry::default()
        }
    }

    /// An image that a task has used.
    fn remembered(&self, record: &ImageRecord) -> ImageEntry {
        let (kept, removable_at) = self.verdict(record);
        ImageEntry {
            reference: record.reference.clone(),
            image_id: Some(record.image_id.clone()),
            size_bytes: record.size_bytes,
            pulled_at: record.pulled_at,
            last_used_at: Some(record.last_used_at),
            kept,
            removable_at,
            pull: None,
        }
    }

    fn verdict(&self, record: &ImageRecord) -> (Option<&'static str>, Option<UnixMillis>) {
        let name = canonical(&record.reference);
        let stays = |reason: KeepReason| (Some(reason.as_str()), None);
        if is_internal(&name) {
            return stays(KeepReason::Internal);
        }
        if self.needed.contains(&name) {
            return stays(KeepReason::Needed);
        }
        if self.busy.contains(&name) {
            return stays(KeepReason::Busy);
        }
        if !self.cleans_up {
            return (Some(NO_CLEANUP), None);
        }
        if self.excluded.contains(&name) {
            return stays(KeepReason::Excluded);
        }
        let last_look = self.kept.get(&name).map(|kept| kept.reason);
        if let Some(reason @ (KeepReason::InUse | KeepReason::NotOurs)) = last_look {
            return stays(reason);
        }
        let cleanup = &self.config.cleanup;
        let (since, minimum_age) = match record.pulled_at {
            Some(pulled_at) => (pulled_at, cleanup.minimum_age),
            None if cleanup.untracked => (record.last_used_at, cleanup.untracked_minimum_age),
            None => return stays(KeepReason::NotOurs),
        };
        let removable_at = since.plus(minimum_age);
        if removable_at > self.now {
            return (Some(KeepReason::TooYoung.as_str()), Some(removable_at));
        }
        (None, Some(removable_at))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::boundary::images::PullState;

    const NOW: UnixMillis = UnixMillis(100_000_000);

    fn record(reference: &str, pulled_ago: Option<Duration>) -> ImageRecord {
        let ago =
            |ago: Duration| UnixMillis(NOW.0 - i64::try_from(ago.as_millis()).expect("small"));
        ImageRecord {
            reference: reference.to_owned(),
            image_id: format!("sha256:{reference}"),
            pulled_at: pulled_ago.map(ago),
            last_used_at: ago(Duration::from_mins(1)),
            size_bytes: 10,
        }
    }

    fn state(records: Vec<ImageRecord>) -> State {
        let records = records.into_iter();
        State {
            records: records.map(|r| (r.reference.clone(), r)).collect(),
            ..State::default()
        }
    }

    fn kept(state: &State) -> Vec<(String, Option<&'static str>)> {
        let board = BTreeMap::new();
        let shown = inventory(&ImagesConfig::default(), state, &board, NOW);
        let images = shown.images.into_iter();
        images.map(|image| (image.reference, image.kept)).collect()
    }

    #[test]
    fn each_image_says_why_it_stays_or_that_it_is_next() {
        let (young, old) = (Duration::from_mins(5), Duration::from_hours(5));
        let mut state = state(vec![
            record("r.test/needed:1", Some(old)),
            record("r.test/next:1", Some(old)),
            record("r.test/own:1", None),
            record("r.test/young:1", Some(young)),
        ]);
        state.needed.insert("r.test/needed:1".to_owned());
        state.kept.push(Kept {
            name: "r.test/others:1".to_owned(),
            size_bytes: 5,
            reason: KeepReason::InUse,
        });
        let expected = [
            ("r.test/needed:1", Some("a task needs it")),
            ("r.test/next:1", None),
            ("r.test/others:1", Some("a container uses it")),
            ("r.test/own:1", Some("the agent did not pull it")),
            ("r.test/young:1", Some("it is younger than the minimum age")),
        ];
        let expected = expected.map(|(name, why)| (name.to_owned(), why));
        assert_eq!(kept(&state), expected);
    }

    #[test]
    fn an_image_that_is_being_pulled_is_there_before_it_is_on_the_disk() {
        let view = PullView {
            state: PullState::Resolving,
            essential: true,
            since: NOW,
        };
        let board = BTreeMap::from([("r.test/new:1".to_owned(), view.clone())]);
        let shown = inventory(&ImagesConfig::default(), &State::default(), &board, NOW);
        let image = shown.images.first().expect("an image");
        assert_eq!((image.pull.as_ref(), image.size_bytes), (Some(&view), 0));
    }
}
