//! Whether to pull, what the registry's word means, and what is left when a pull fails.

use super::name::short_repository;
use super::platform::{HostPlatform, local_mismatch, remote_mismatch};
use super::reason;
use crate::boundary::store::ImageRecord;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::ids::UnixMillis;
use crate::domain::image::{ImageRef, PullBehavior};
use crate::domain::runtime::{LocalImage, RemoteManifest};
use crate::images::ImageError;

/// How an image is made ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approach {
    /// The one on the host is used; no network.
    UseLocal,
    /// It is pulled.
    Pull,
}

/// Whether the image on the host can decide: otherwise a pull comes first and nobody looks.
pub fn looks_first(behavior: PullBehavior) -> bool {
    match behavior {
        PullBehavior::Once | PullBehavior::PreferCached => true,
        PullBehavior::Default | PullBehavior::Always => false,
    }
}

/// Whether to pull. `on_host`: the image is there; `pulled_before`: the agent remembers a pull of that name.
pub fn approach(behavior: PullBehavior, presence: Presence) -> Approach {
    let use_local = match behavior {
        PullBehavior::Default | PullBehavior::Always => false,
        PullBehavior::Once => presence == Presence::PulledBefore,
        PullBehavior::PreferCached => presence != Presence::Absent,
    };
    if use_local {
        Approach::UseLocal
    } else {
        Approach::Pull
    }
}

/// Whether an image is on the host, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Not there.
    Absent,
    /// There; the agent does not remember a pull.
    Found,
    /// There, and the agent remembers that it pulled that name.
    PulledBefore,
}

impl Presence {
    /// From what the host and the memory say.
    pub fn of(local: Option<&LocalImage>, record: Option<&ImageRecord>) -> Self {
        match (local, record.and_then(|record| record.pulled_at)) {
            (None, _) => Self::Absent,
            (Some(_), None) => Self::Found,
            (Some(_), Some(_)) => Self::PulledBefore,
        }
    }
}

/// What the registry's answer means.
///
/// Returns the digest to record, `None` where it did not give a usable one. Anything but a clear refusal lets the
/// pull go on: registries differ in what they answer to this question, but not to a pull.
///
/// # Errors
/// The image is unknown, forbidden, or holds nothing for this host.
pub fn judge_manifest(
    image: &ImageRef,
    host: Option<&HostPlatform>,
    answer: &Result<RemoteManifest, BoundaryError>,
) -> Result<Option<String>, ImageError> {
    match answer {
        Ok(manifest) => match remote_mismatch(host, manifest) {
            Some(mismatch) => Err(reason::wrong_platform(image, &mismatch)),
            None if is_schema_1(&manifest.media_type) => Ok(None),
            None => Ok(Some(manifest.digest.clone())),
        },
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Denied) => {
            Err(reason::manifest_failed(image, error))
        }
        Err(_) => Ok(None),
    }
}

/// Digests of these are not pullable (`engine.md` 3.7).
fn is_schema_1(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.distribution.manifest.v1+")
}

/// The image on the host runs here.
///
/// # Errors
/// It is for another kind of host.
pub fn judge_local(
    image: &ImageRef,
    host: Option<&HostPlatform>,
    local: &LocalImage,
) -> Result<(), ImageError> {
    match local_mismatch(host, local) {
        Some(mismatch) => Err(reason::wrong_platform(image, &mismatch)),
        None => Ok(()),
    }
}

/// Whether a failed pull leaves the image on the host to be used: only with the behaviour `default`.
pub fn falls_back(behavior: PullBehavior) -> bool {
    match behavior {
        PullBehavior::Default => true,
        PullBehavior::Always | PullBehavior::Once | PullBehavior::PreferCached => false,
    }
}

/// The words for a pull that failed while the image on the host will do.
pub fn fallback_warning(failure: &ImageError) -> String {
    format!(
        "pull failed, using the image on the host: {}",
        failure.reason
    )
}

/// The digest to record: the pinned one; else what the host has under that repository, which is what really runs;
/// else the registry's word.
pub fn digest_of(image: &ImageRef, resolved: Option<&str>, local: &LocalImage) -> Option<String> {
    if let Some(pinned) = image.digest() {
        return Some(pinned.to_owned());
    }
    let repository = short_repository(image.repository());
    let mut on_host = local.digests.iter().filter_map(|name| {
        let (listed, digest) = name.split_once('@')?;
        (short_repository(listed) == repository).then_some(digest)
    });
    // An image may have been pulled under several digests; the registry's present one is preferred among them.
    let first = on_host.next();
    let confirmed =
        resolved.filter(|&digest| first == Some(digest) || on_host.any(|d| d == digest));
    confirmed.or(first).or(resolved).map(str::to_owned)
}

/// What to remember of an image that is used now. `pulled_at` is set if it was pulled now.
pub fn record_after(
    image: &ImageRef,
    previous: Option<&ImageRecord>,
    local: &LocalImage,
    pulled_at: Option<UnixMillis>,
    now: UnixMillis,
) -> ImageRecord {
    match previous.filter(|record| record.pulled_at.is_some() && pulled_at.is_none()) {
        // What the agent pulled keeps the id it had then: an image that somebody put in its place is not ours.
        Some(record) => ImageRecord {
            last_used_at: now,
            ..record.clone()
        },
        None => ImageRecord {
            reference: image.normalized(),
            image_id: local.id.clone(),
            pulled_at,
            last_used_at: now,
            size_bytes: local.size_bytes,
        },
    }
}

/// The image that the name meant before this pull, to be remembered under its id.
pub fn superseded(previous: Option<&ImageRecord>, new: &ImageRecord) -> Option<ImageRecord> {
    previous
        .filter(|old| old.pulled_at.is_some() && old.image_id != new.image_id)
        .map(|old| ImageRecord {
            reference: old.image_id.clone(),
            ..old.clone()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> ImageRef {
        ImageRef::parse(text).unwrap()
    }

    fn local(id: &str, digests: &[&str]) -> LocalImage {
        LocalImage {
            id: id.to_owned(),
            tags: vec!["web:1".to_owned()],
            digests: digests.iter().map(|d| (*d).to_owned()).collect(),
            size_bytes: 7,
            created_at: UnixMillis(1),
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            os_version: None,
        }
    }

    fn record(id: &str, pulled_at: Option<i64>) -> ImageRecord {
        ImageRecord {
            reference: "web:1".to_owned(),
            image_id: id.to_owned(),
            pulled_at: pulled_at.map(UnixMillis),
            last_used_at: UnixMillis(5),
            size_bytes: 3,
        }
    }

    #[test]
    fn the_four_behaviours() {
        use Approach::{Pull, UseLocal};
        use PullBehavior as B;
        for (behavior, absent, found, pulled) in [
            (B::Default, Pull, Pull, Pull),
            (B::Always, Pull, Pull, Pull),
            (B::Once, Pull, Pull, UseLocal),
            (B::PreferCached, Pull, UseLocal, UseLocal),
        ] {
            assert_eq!(approach(behavior, Presence::Absent), absent, "{behavior:?}");
            assert_eq!(approach(behavior, Presence::Found), found, "{behavior:?}");
            assert_eq!(
                approach(behavior, Presence::PulledBefore),
                pulled,
                "{behavior:?}"
            );
        }
    }

    #[test]
    fn only_a_clear_refusal_of_the_registry_stops_a_pull() {
        for (kind, stops) in [
            (ErrorKind::NotFound, true),
            (ErrorKind::Denied, true),
            (ErrorKind::Invalid, false),
            (ErrorKind::Unavailable, false),
            (ErrorKind::Transient, false),
            (ErrorKind::Throttled, false),
            (ErrorKind::DeadlineExceeded, false),
        ] {
            let answer = Err(BoundaryError::new("ask", kind, "no"));
            let verdict = judge_manifest(&image("web:1"), None, &answer);
            assert_eq!(verdict.is_err(), stops, "{kind:?}");
            assert!(verdict.is_ok_and(|digest| digest.is_none()) || stops);
        }
    }

    #[test]
    fn an_old_manifest_has_no_digest_to_record() {
        for (media_type, digest) in [
            (
                "application/vnd.oci.image.index.v1+json",
                Some("sha256:d".to_owned()),
            ),
            (
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
                None,
            ),
        ] {
            let answer = Ok(RemoteManifest {
                digest: "sha256:d".to_owned(),
                media_type: media_type.to_owned(),
                platforms: Vec::new(),
            });
            assert_eq!(judge_manifest(&image("web:1"), None, &answer), Ok(digest));
        }
    }

    #[test]
    fn the_digest_is_what_really_runs() {
        let pin = format!("sha256:{}", "b".repeat(64));
        for (name, resolved, on_host, expected) in [
            ("web:1", Some("sha256:r"), &[][..], Some("sha256:r")),
            (
                "web:1",
                Some("sha256:r"),
                &["web@sha256:r"][..],
                Some("sha256:r"),
            ),
            (
                "web:1",
                Some("sha256:r"),
                &["web@sha256:a", "web@sha256:r"][..],
                Some("sha256:r"),
            ),
            (
                "web:1",
                Some("sha256:r"),
                &["web@sha256:moved"][..],
                Some("sha256:moved"),
            ),
            (
                "web:1",
                None,
                &["other@sha256:x", "web@sha256:h"][..],
                Some("sha256:h"),
            ),
            (
                "docker.io/library/web",
                None,
                &["web@sha256:h"][..],
                Some("sha256:h"),
            ),
            ("web:1", None, &["other@sha256:x"][..], None),
            (&format!("web@{pin}"), None, &[][..], Some(pin.as_str())),
        ] {
            let digest = digest_of(&image(name), resolved, &local("sha256:1", on_host));
            assert_eq!(
                digest.as_deref(),
                expected,
                "{name} {resolved:?} {on_host:?}"
            );
        }
    }

    #[test]
    fn a_pull_that_moves_a_name_remembers_both_images() {
        let old = record("sha256:old", Some(1));
        let at = Some(UnixMillis(9));
        let new = record_after(
            &image("web:1"),
            Some(&old),
            &local("sha256:new", &[]),
            at,
            UnixMillis(9),
        );
        assert_eq!((new.image_id.as_str(), new.pulled_at), ("sha256:new", at));
        let kept = superseded(Some(&old), &new).unwrap();
        assert_eq!(
            (kept.reference.as_str(), kept.pulled_at),
            ("sha256:old", Some(UnixMillis(1)))
        );
        assert_eq!(superseded(Some(&new), &new), None);
        assert_eq!(superseded(Some(&record("sha256:x", None)), &new), None);
    }

    #[test]
    fn use_without_a_pull_keeps_what_was_pulled() {
        let stranger = local("sha256:stranger", &[]);
        let pulled = record("sha256:ours", Some(1));
        let after = record_after(
            &image("web:1"),
            Some(&pulled),
            &stranger,
            None,
            UnixMillis(9),
        );
        assert_eq!(
            (after.image_id.as_str(), after.last_used_at),
            ("sha256:ours", UnixMillis(9))
        );
        let found = record_after(&image("web"), None, &stranger, None, UnixMillis(9));
        assert_eq!(
            (found.reference.as_str(), found.pulled_at),
            ("web:latest", None)
        );
    }
}
