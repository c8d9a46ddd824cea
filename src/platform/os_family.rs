//! Which Windows a host is, in the words of ECS. Pure.

/// What Windows says of itself; nothing is known of other systems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsVersion {
    /// Build number.
    pub build: Option<u32>,
    /// `InstallationType` of the registry: `Server`, `Server Core`, `Client`, …
    pub installation: Option<String>,
}

/// Value of `ecs.os-family` where it cannot be told which Windows it is. Tasks that ask for a certain one do not come
/// here then.
pub const UNKNOWN_FAMILY: &str = "windows";

/// Releases that ECS has a name for, by build number (`windows.md` 2.1). Build 18363, release 1909, has none.
const RELEASES: [(u32, &str); 6] = [
    (14393, "2016"),
    (17763, "2019"),
    (19041, "2004"),
    (19042, "20H2"),
    (20348, "2022"),
    (26100, "2025"),
];

impl OsVersion {
    /// Value of `ecs.os-family`: `WINDOWS_SERVER_2022_CORE` and the like.
    pub fn family(&self) -> String {
        let release = RELEASES
            .iter()
            .find(|(build, _)| Some(*build) == self.build);
        let variant = match self.installation.as_deref() {
            Some("Server") => Some("FULL"),
            Some("Server Core") => Some("CORE"),
            Some(_) | None => None,
        };
        match (release, variant) {
            (Some((_, release)), Some(variant)) => format!("WINDOWS_SERVER_{release}_{variant}"),
            _ => UNKNOWN_FAMILY.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_and_variant_has_its_name_and_everything_else_is_just_windows() {
        for (build, installation, family) in [
            (Some(14393), Some("Server"), "WINDOWS_SERVER_2016_FULL"),
            (Some(17763), Some("Server Core"), "WINDOWS_SERVER_2019_CORE"),
            (Some(19041), Some("Server Core"), "WINDOWS_SERVER_2004_CORE"),
            (Some(19042), Some("Server Core"), "WINDOWS_SERVER_20H2_CORE"),
            (Some(20348), Some("Server"), "WINDOWS_SERVER_2022_FULL"),
            (Some(26100), Some("Server Core"), "WINDOWS_SERVER_2025_CORE"),
            (Some(18363), Some("Server Core"), "windows"),
            (Some(99999), Some("Server"), "windows"),
            (Some(20348), Some("Client"), "windows"),
            (Some(20348), Some("Nano Server"), "windows"),
            (Some(20348), Some(""), "windows"),
            (Some(20348), None, "windows"),
            (None, Some("Server"), "windows"),
        ] {
            let version = OsVersion {
                build,
                installation: installation.map(str::to_owned),
            };
            assert_eq!(version.family(), family, "{version:?}");
        }
    }
}
