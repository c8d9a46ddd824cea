//! When two names mean one image: Docker lists images under short names.
//!
//! **Invariant.** [`canonical`] maps every spelling of a name to what Docker's list shows for it.

use crate::domain::image::ImageRef;

/// Images under this name are the agent's own: made here, never pulled, never removed.
pub const INTERNAL_PREFIX: &str = "berth/";

/// The name as Docker lists it: without the default registry and its `library/`, with a tag, and without the tag if
/// there is a digest. Text that is no reference (an image id, `<none>`) is given back.
pub fn canonical(name: &str) -> String {
    let Ok(image) = ImageRef::parse(name) else {
        return name.to_owned();
    };
    let repository = short_repository(image.repository());
    match (image.digest(), image.pull_tag()) {
        (Some(digest), _) => format!("{repository}@{digest}"),
        (None, Some(tag)) => format!("{repository}:{tag}"),
        (None, None) => repository.to_owned(),
    }
}

/// The repository part of a listed digest name, in the same short form as [`canonical`].
pub fn short_repository(repository: &str) -> &str {
    let without_host = ["docker.io/", "index.docker.io/"]
        .iter()
        .find_map(|host| repository.strip_prefix(host))
        .unwrap_or(repository);
    without_host
        .strip_prefix("library/")
        .filter(|rest| !rest.contains('/'))
        .unwrap_or(without_host)
}

/// Whether the image is the agent's own.
pub fn is_internal(name: &str) -> bool {
    name.starts_with(INTERNAL_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_equal() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (given, expected) in [
            ("busybox", "busybox:latest".to_owned()),
            ("docker.io/library/busybox:1", "busybox:1".to_owned()),
            ("library/busybox", "busybox:latest".to_owned()),
            ("library/team/web", "library/team/web:latest".to_owned()),
            ("127.0.0.1:5000/web", "127.0.0.1:5000/web:latest".to_owned()),
            ("sha256:abc", "sha256:abc".to_owned()),
            ("<none>:<none>", "<none>:<none>".to_owned()),
            (&format!("web:1@{digest}"), format!("web@{digest}")),
        ] {
            assert_eq!(canonical(given), expected, "{given}");
            assert_eq!(canonical(&canonical(given)), expected, "twice: {given}");
        }
    }
}
