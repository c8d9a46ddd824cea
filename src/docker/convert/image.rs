//! Images as Docker and, through it, registries describe them.

use super::super::wire;
use super::container::instant;
use crate::domain::ids::UnixMillis;
use crate::domain::runtime::{ImagePlatform, LocalImage, RemoteManifest};

/// An inspect answer.
pub(in super::super) fn inspected(image: wire::Image) -> LocalImage {
    LocalImage {
        id: image.id,
        tags: named(image.repo_tags),
        digests: named(image.repo_digests),
        size_bytes: u64::try_from(image.size).unwrap_or(0),
        created_at: image
            .created
            .as_deref()
            .and_then(instant)
            .unwrap_or_default(),
        os: image.os,
        architecture: image.architecture,
        os_version: image.os_version.filter(|text| !text.is_empty()),
    }
}

/// A list entry. The list does not say for which platform an image is: `os`, `architecture` and `os_version` stay empty.
pub(in super::super) fn listed(image: wire::ImageSummary) -> LocalImage {
    LocalImage {
        id: image.id,
        tags: named(image.repo_tags),
        digests: named(image.repo_digests),
        size_bytes: u64::try_from(image.size).unwrap_or(0),
        created_at: UnixMillis(image.created.saturating_mul(1000)),
        os: String::new(),
        architecture: String::new(),
        os_version: None,
    }
}

/// What the registry said; `None` if it named no digest.
pub(in super::super) fn manifest(said: wire::Distribution) -> Option<RemoteManifest> {
    let platforms = said.platforms.into_iter().map(|platform| ImagePlatform {
        os: platform.os,
        architecture: platform.architecture,
        os_version: platform.os_version.filter(|text| !text.is_empty()),
    });
    Some(RemoteManifest {
        digest: Some(said.descriptor.digest).filter(|digest| !digest.is_empty())?,
        media_type: said.descriptor.media_type,
        platforms: platforms.collect(),
    })
}

/// Docker writes `<none>:<none>` and `<none>@<none>` where there is no name.
fn named(names: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = names
        .into_iter()
        .filter(|name| !name.contains("<none>"))
        .collect();
    names.sort();
    names
}
