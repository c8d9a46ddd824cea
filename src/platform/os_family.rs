//! Which Windows or Linux a host is, in the words of ECS. Pure.

/// What the system says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsVersion {
    /// Distribution of Linux and its version, as `amzn_2023`.
    pub distribution: Option<String>,
    /// Build number of Windows.
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
    /// By values of `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`; what cannot be read is not known.
    pub fn of(read: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            build: read("CurrentBuildNumber").and_then(|text| text.trim().parse().ok()),
            installation: read("InstallationType"),
            distribution: None,
        }
    }

    /// By the content of `/etc/os-release`; as the init program of the ECS agent writes it.
    pub fn of_release(content: &str) -> Self {
        let value = |name: &str| {
            let line = content
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            let text = line?.trim().trim_matches(['"', '\'']);
            (!text.is_empty()).then_some(text)
        };
        let both = value("ID").zip(value("VERSION_ID"));
        Self {
            distribution: both.map(|(id, version)| format!("{id}_{version}")),
            ..Self::default()
        }
    }

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
    fn a_distribution_is_named_with_its_version() {
        for (content, expected) in [
            (
                "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
                Some("debian_12"),
            ),
            (
                "ID=\"amzn\"\nVERSION_ID=2023\nID_LIKE=fedora",
                Some("amzn_2023"),
            ),
            ("ID_LIKE=x\nVERSION_ID=1", None),
            ("ID=arch\n", None),
            ("ID=\nVERSION_ID=1", None),
            ("", None),
        ] {
            let read = OsVersion::of_release(content);
            assert_eq!(read.distribution.as_deref(), expected, "{content}");
        }
    }

    #[test]
    fn a_registry_that_does_not_say_makes_it_just_windows() {
        for (build, installation, family) in [
            (Some(" 20348 "), Some("Server"), "WINDOWS_SERVER_2022_FULL"),
            (Some("20348.1"), Some("Server"), "windows"),
            (Some("-1"), Some("Server"), "windows"),
            (Some(""), Some("Server"), "windows"),
            (None, Some("Server"), "windows"),
            (Some("20348"), None, "windows"),
            (None, None, "windows"),
        ] {
            let version = OsVersion::of(|name| {
                let text = match name {
                    "CurrentBuildNumber" => build,
                    "InstallationType" => installation,
                    _ => None,
                };
                text.map(str::to_owned)
            });
            assert_eq!(version.family(), family, "{build:?} {installation:?}");
        }
        assert_eq!(OsVersion::default().family(), "windows");
    }

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
                ..OsVersion::default()
            };
            assert_eq!(version.family(), family, "{version:?}");
        }
    }
}
