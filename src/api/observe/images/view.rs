//! The inventory of images as a wire type, with the tasks that use each. Pure.

use std::collections::BTreeMap;

use super::wire::{Image, Images, Pull};
use crate::api::observe::task::progress;
use crate::boundary::images::{ImageEntry, Inventory, PullState, PullView};
use crate::domain::ids::UnixMillis;
use crate::reconcile::snapshot::Snapshot;

/// The answer.
pub(super) fn images(snapshot: &Snapshot, inventory: Inventory, now: UnixMillis) -> Images {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (arn, view) in &snapshot.tasks {
        for container in &view.task.desired.definition.containers {
            let tasks = users.entry(container.image.normalized()).or_default();
            if tasks.last().map(String::as_str) != Some(arn.as_str()) {
                tasks.push(arn.to_string());
            }
        }
    }
    let sizes = inventory.images.iter().map(|image| image.size_bytes);
    Images {
        now: now.into(),
        cleans_up: inventory.cleans_up,
        looked_at: inventory.looked_at.map(Into::into),
        total_bytes: sizes.fold(0, u64::saturating_add),
        images: inventory
            .images
            .into_iter()
            .map(|entry| {
                let tasks = users.get(&entry.reference).cloned();
                image(entry, tasks.unwrap_or_default(), now)
            })
            .collect(),
    }
}

fn image(entry: ImageEntry, task_arns: Vec<String>, now: UnixMillis) -> Image {
    Image {
        reference: entry.reference,
        image_id: entry.image_id,
        size_bytes: entry.size_bytes,
        pulled_at: entry.pulled_at.map(Into::into),
        last_used_at: entry.last_used_at.map(Into::into),
        task_arns,
        kept: entry.kept.map(str::to_owned),
        removable_at: entry.removable_at.map(Into::into),
        pull: entry.pull.map(|view| pull(&view, now)),
    }
}

fn pull(view: &PullView, now: UnixMillis) -> Pull {
    let (state, position, progress) = match &view.state {
        PullState::Checking => ("checking", None, None),
        PullState::Resolving => ("resolving", None, None),
        PullState::Waiting { position } => ("waiting", Some(*position), None),
        PullState::Pulling { progress: far, .. } => {
            ("pulling", None, Some(progress(far, view.since, now)))
        }
    };
    Pull {
        state: state.to_owned(),
        since: view.since.into(),
        position,
        progress,
        essential: view.essential,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::admin::testing::{NOW, ago, snapshot_of, task};

    #[test]
    fn an_image_names_its_tasks_and_its_pull() {
        let inventory = Inventory {
            images: vec![ImageEntry {
                reference: "registry.test/web:1".to_owned(),
                size_bytes: 12,
                kept: Some("a task needs it"),
                pull: Some(PullView {
                    state: PullState::Waiting { position: 2 },
                    essential: true,
                    since: ago(3),
                }),
                ..ImageEntry::default()
            }],
            ..Inventory::default()
        };
        let shown = images(&snapshot_of([task("a"), task("b")]), inventory, NOW);
        let image = shown.images.first().expect("an image");
        let ids = image.task_arns.iter().map(|arn| arn.rsplit('/').next());
        assert_eq!(ids.flatten().collect::<Vec<_>>(), ["a", "b"]);
        let pull = image.pull.as_ref().expect("a pull");
        assert_eq!((pull.state.as_str(), pull.position), ("waiting", Some(2)));
        assert_eq!(shown.total_bytes, 12);
    }
}
