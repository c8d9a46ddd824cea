//! What the registry says of this Windows.

use windows_registry::LOCAL_MACHINE;

use crate::platform::os_family::OsVersion;

/// Key with what Windows says of itself.
const CURRENT_VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";

/// Build number and kind of installation; what cannot be read is not known.
pub fn os_version() -> OsVersion {
    let key = match LOCAL_MACHINE.open(CURRENT_VERSION) {
        Ok(key) => key,
        Err(error) => {
            tracing::warn!(event = "os-version-unknown", %error, "the registry does not say which Windows this is");
            return OsVersion::default();
        }
    };
    let read = |name: &str| key.get_string(name).ok();
    OsVersion {
        build: read("CurrentBuildNumber").and_then(|text| text.trim().parse().ok()),
        installation: read("InstallationType"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_number_is_read() {
        // Wine has a build number and no kind of installation.
        assert!(os_version().build.is_some_and(|build| build > 7000));
    }
}
