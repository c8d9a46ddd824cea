//! Which API version to speak: the newest that both sides know. Pure.

use std::fmt;

/// A Docker Engine API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion {
    major: u16,
    minor: u16,
}

/// The newest version whose answers were checked against `wire`: that of the bollard release in use.
pub(super) const NEWEST: ApiVersion = ApiVersion {
    major: 1,
    minor: 53,
};

/// The oldest version that has everything asked for here: Docker 1.12.
pub(super) const OLDEST: ApiVersion = ApiVersion {
    major: 1,
    minor: 24,
};

impl ApiVersion {
    /// Takes `major.minor`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Chooses from what `GET /version` says. A daemon whose oldest version is newer than ours is spoken to in that
/// version: the calls used here have not changed shape for years, and an agent that tries is better than one that
/// refuses. The error says in words why there is no common version.
pub(super) fn negotiate(newest: &str, oldest: Option<&str>) -> Result<ApiVersion, String> {
    let Some(daemon_newest) = ApiVersion::parse(newest) else {
        return Err(format!("Docker reports the API version {newest:?}"));
    };
    if daemon_newest < OLDEST {
        return Err(format!(
            "Docker speaks API {daemon_newest} at most, needed is {OLDEST}"
        ));
    }
    let daemon_oldest = oldest.and_then(ApiVersion::parse).unwrap_or(OLDEST);
    Ok(NEWEST.min(daemon_newest).max(daemon_oldest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_the_newest_version_that_both_sides_know() {
        for (newest, oldest, expected) in [
            ("1.24", None, "1.24"),
            ("1.41", Some("1.12"), "1.41"),
            ("1.44", Some("1.24"), "1.44"),
            ("1.52", Some("1.44"), "1.52"),
            ("1.60", Some("1.44"), "1.53"),
            ("1.70", Some("1.60"), "1.60"),
            ("2.0", Some("1.50"), "1.53"),
            ("1.41", Some(""), "1.41"),
        ] {
            let version = negotiate(newest, oldest).unwrap();
            assert_eq!(version.to_string(), expected, "{newest} {oldest:?}");
        }
    }

    #[test]
    fn refuses_too_old_and_unreadable_versions_in_words() {
        assert_eq!(
            negotiate("1.23", None).unwrap_err(),
            "Docker speaks API 1.23 at most, needed is 1.24"
        );
        assert_eq!(
            negotiate("new", None).unwrap_err(),
            "Docker reports the API version \"new\""
        );
    }

    #[test]
    fn newest_is_that_of_the_client_library() {
        assert_eq!(NEWEST.to_string(), bollard::API_DEFAULT_VERSION.to_string());
    }
}
