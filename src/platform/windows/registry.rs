//! What the registry says of this Windows.

use windows_registry::LOCAL_MACHINE;

use crate::platform::os_family::OsVersion;

/// Key with what Windows says of itself.
const CURRENT_VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";

/// Build number and kind of installation; what cannot be read is not known.
pub fn os_version() -> OsVersion {
    match LOCAL_MACHINE.open(CURRENT_VERSION) {
        Ok(key) => OsVersion::of(|name| key.get_string(name).ok()),
        Err(error) => {
            tracing::warn!(event = "os-version-unknown", %error, "the registry does not say which Windows this is");
            OsVersion::default()
        }
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

    #[test]
    fn the_registry_gives_texts_as_texts_only_and_a_key_that_is_not_there_is_an_error() {
        let path = format!(r"SOFTWARE\berth-test-{}", std::process::id());
        assert!(LOCAL_MACHINE.open(&path).is_err());
        let key = LOCAL_MACHINE.create(&path).unwrap();
        key.set_string("CurrentBuildNumber", "20348").unwrap();
        key.set_u32("InstallationType", 1).unwrap();
        let version = OsVersion::of(|name| key.get_string(name).ok());
        assert_eq!((version.build, &version.installation), (Some(20348), &None));
        assert_eq!(version.family(), "windows");
        key.set_string("InstallationType", "Server Core").unwrap();
        let version = OsVersion::of(|name| key.get_string(name).ok());
        assert_eq!(version.family(), "WINDOWS_SERVER_2022_CORE");
        LOCAL_MACHINE.remove_tree(&path).unwrap();
    }
}
