//! Whether an image can run on this host.

use crate::domain::runtime::{ImagePlatform, LocalImage, RemoteManifest, RuntimeInfo};

/// What the host runs, in the words of image configurations: `linux`, `amd64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPlatform {
    /// `linux` or `windows`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// Windows alone: `10.0.20348`.
    pub os_version: Option<String>,
    /// Containers share the host's kernel, so that their Windows must be the host's.
    pub shares_kernel: bool,
}

/// From this build on (Server 2022), a later Windows runs what was made for an earlier one.
const FIRST_STABLE_BUILD: u32 = 20348;

impl HostPlatform {
    /// From what Docker says of itself. Where it does not know its Windows, the build number that the registry has
    /// counts: the agent is on the same host.
    pub fn from_docker(info: &RuntimeInfo, build_of_host: Option<u32>) -> Self {
        let windows = info.os_type == "windows";
        let said = info.os_version.clone();
        let os_version = said
            .filter(|version| build(version).is_some())
            .or_else(|| build_of_host.map(|build| format!("10.0.{build}")));
        Self {
            os: info.os_type.clone(),
            architecture: architecture(&info.architecture).to_owned(),
            os_version: os_version.filter(|_| windows),
            shares_kernel: info.isolation != "hyperv",
        }
    }

    /// A host of Linux containers; the architecture is spelt as Docker does.
    pub fn linux(docker: &str) -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: architecture(docker).to_owned(),
            os_version: None,
            shares_kernel: true,
        }
    }

    /// Whether it can run programs of that platform by itself. What an image does not say cannot be wrong.
    fn runs(&self, os: &str, architecture: &str) -> bool {
        let unsaid = |text: &str| text.is_empty() || text == "unknown";
        let os_fits = unsaid(os) || os == self.os;
        let architecture_fits = unsaid(architecture)
            || architecture == self.architecture
            || matches!(
                (self.architecture.as_str(), architecture),
                ("amd64", "386") | ("arm64", "arm")
            );
        os_fits && architecture_fits
    }

    /// Whether containers of an image for that Windows can run here. Without two build numbers nothing is known.
    fn runs_version(&self, image: Option<&str>) -> bool {
        let host = self.os_version.as_deref().and_then(build);
        let (Some(host), Some(image)) = (host, image.and_then(build)) else {
            return true;
        };
        image == host || image < host && (!self.shares_kernel || image >= FIRST_STABLE_BUILD)
    }
}

/// Docker's word for an architecture in that of image configurations.
fn architecture(docker: &str) -> &str {
    match docker {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" => "386",
        arm if arm.starts_with("armv") => "arm",
        other => other,
    }
}

/// `20348` of `10.0.20348.1906`.
fn build(version: &str) -> Option<u32> {
    version.split('.').nth(2)?.parse().ok()
}

/// Why the image in the registry cannot run here; `None` = it can, or nothing is known.
pub fn remote_mismatch(host: Option<&HostPlatform>, manifest: &RemoteManifest) -> Option<String> {
    let host = host?;
    // Attestations stand in an index as `unknown/unknown` and are no programs.
    let programs: Vec<&ImagePlatform> = manifest
        .platforms
        .iter()
        .filter(|platform| platform.os != "unknown")
        .collect();
    let fits = |platform: &&ImagePlatform| host.runs(&platform.os, &platform.architecture);
    let fitting: Vec<&ImagePlatform> = programs.iter().copied().filter(|one| fits(one)).collect();
    if programs.is_empty() {
        return None;
    }
    if !fitting.is_empty() {
        return version_mismatch(host, &fitting);
    }
    let offered: Vec<String> = programs
        .iter()
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    Some(mismatch(&offered.join(", "), host))
}

/// Why the image on the host cannot run here; `None` = it can, or nothing is known.
pub fn local_mismatch(host: Option<&HostPlatform>, image: &LocalImage) -> Option<String> {
    let host = host?;
    if host.runs(&image.os, &image.architecture) {
        let version = image.os_version.as_deref();
        return (!host.runs_version(version)).then(|| other_version(host, version));
    }
    Some(mismatch(
        &format!("{}/{}", image.os, image.architecture),
        host,
    ))
}

/// Why none of these fits for its version of Windows, in words that name both; `None` = one does.
fn version_mismatch(host: &HostPlatform, fitting: &[&ImagePlatform]) -> Option<String> {
    let runs = |one: &&ImagePlatform| host.runs_version(one.os_version.as_deref());
    if fitting.iter().any(runs) {
        return None;
    }
    let versions = fitting.iter().filter_map(|one| one.os_version.as_deref());
    Some(other_version(host, versions))
}

fn other_version<'a>(host: &HostPlatform, offered: impl IntoIterator<Item = &'a str>) -> String {
    format!(
        "the image is for Windows {}, this host runs Windows {}",
        offered.into_iter().collect::<Vec<_>>().join(", "),
        host.os_version.as_deref().unwrap_or_default()
    )
}

fn mismatch(offered: &str, host: &HostPlatform) -> String {
    format!(
        "the image is for {offered}, this host runs {}/{}",
        host.os, host.architecture
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::UnixMillis;

    fn manifest(platforms: &[(&str, &str)]) -> RemoteManifest {
        RemoteManifest {
            digest: "sha256:1".to_owned(),
            media_type: String::new(),
            platforms: platforms
                .iter()
                .map(|(os, architecture)| ImagePlatform {
                    os: (*os).to_owned(),
                    architecture: (*architecture).to_owned(),
                    os_version: None,
                })
                .collect(),
        }
    }

    #[test]
    fn an_image_fits_if_one_of_its_platforms_does() {
        let host = HostPlatform::linux("x86_64");
        for (platforms, fits) in [
            (&[][..], true),
            (&[("linux", "amd64")][..], true),
            (&[("linux", "386")][..], true),
            (&[("linux", "arm64"), ("linux", "amd64")][..], true),
            (&[("", "")][..], true),
            (&[("unknown", "unknown")][..], true),
            (&[("linux", "arm64"), ("unknown", "unknown")][..], false),
            (&[("windows", "amd64")][..], false),
        ] {
            let verdict = remote_mismatch(Some(&host), &manifest(platforms));
            assert_eq!(verdict.is_none(), fits, "{platforms:?}: {verdict:?}");
        }
        assert_eq!(
            remote_mismatch(None, &manifest(&[("windows", "amd64")])),
            None
        );
    }

    #[test]
    fn a_mismatch_names_both_sides() {
        let host = HostPlatform::linux("aarch64");
        let text = remote_mismatch(
            Some(&host),
            &manifest(&[("linux", "amd64"), ("linux", "386")]),
        );
        assert_eq!(
            text.as_deref(),
            Some("the image is for linux/amd64, linux/386, this host runs linux/arm64")
        );
    }

    #[test]
    fn the_windows_of_the_host_is_dockers_word_or_else_the_registrys() {
        let info = |os: &str, version: Option<&str>| RuntimeInfo {
            os_type: os.to_owned(),
            os_version: version.map(str::to_owned),
            version: String::new(),
            api_version: String::new(),
            architecture: "x86_64".to_owned(),
            cpus: 1,
            memory_bytes: 0,
            cgroup_version: String::new(),
            cgroup_driver: String::new(),
            log_drivers: Vec::new(),
            volume_drivers: Vec::new(),
            swap_limit: false,
            security_options: Vec::new(),
            root_dir: String::new(),
            isolation: "process".to_owned(),
        };
        for (os, said, build, expected) in [
            (
                "windows",
                Some("10.0.20348"),
                Some(17763),
                Some("10.0.20348"),
            ),
            (
                "windows",
                Some("Unknown Operating System Version"),
                Some(17763),
                Some("10.0.17763"),
            ),
            ("windows", None, Some(17763), Some("10.0.17763")),
            ("windows", None, None, None),
            ("linux", Some("12"), Some(17763), None),
        ] {
            let host = HostPlatform::from_docker(&info(os, said), build);
            assert_eq!(host.os_version.as_deref(), expected, "{os} {said:?}");
        }
    }

    /// An image that is on the host already, after an upgrade of the host's Windows or by `docker load`.
    #[test]
    fn an_image_on_the_host_for_another_windows_is_refused_as_well() {
        let host = HostPlatform {
            os: "windows".to_owned(),
            architecture: "amd64".to_owned(),
            os_version: Some("10.0.20348".to_owned()),
            shares_kernel: true,
        };
        let image = |version: Option<&str>| LocalImage {
            id: "sha256:1".to_owned(),
            tags: Vec::new(),
            digests: Vec::new(),
            size_bytes: 0,
            created_at: UnixMillis(0),
            os: "windows".to_owned(),
            architecture: "amd64".to_owned(),
            os_version: version.map(str::to_owned),
        };
        assert_eq!(local_mismatch(Some(&host), &image(None)), None);
        assert_eq!(
            local_mismatch(Some(&host), &image(Some("10.0.20348.1"))),
            None
        );
        assert_eq!(
            local_mismatch(Some(&host), &image(Some("10.0.17763.1"))).as_deref(),
            Some("the image is for Windows 10.0.17763.1, this host runs Windows 10.0.20348")
        );
    }

    #[test]
    fn an_image_for_another_windows_is_refused_with_both_versions() {
        let host = |version: &str, isolation: &str| HostPlatform {
            os: "windows".to_owned(),
            architecture: "amd64".to_owned(),
            os_version: Some(version.to_owned()),
            shares_kernel: isolation != "hyperv",
        };
        let offers = |versions: &[&str]| {
            let mut offered = manifest(&vec![("windows", "amd64"); versions.len()]);
            for (platform, version) in offered.platforms.iter_mut().zip(versions) {
                platform.os_version = (!version.is_empty()).then(|| (*version).to_owned());
            }
            offered
        };
        for (host_version, isolation, versions, fits) in [
            ("10.0.20348", "process", &["10.0.20348.1906"][..], true),
            ("10.0.20348", "process", &["10.0.17763.1"][..], false),
            ("10.0.20348", "hyperv", &["10.0.17763.1"][..], true),
            ("10.0.17763", "process", &["10.0.20348.1"][..], false),
            ("10.0.17763", "hyperv", &["10.0.20348.1"][..], false),
            ("10.0.26100", "process", &["10.0.20348.1"][..], true),
            (
                "10.0.17763",
                "process",
                &["10.0.20348.1", "10.0.17763.2"][..],
                true,
            ),
            ("10.0.17763", "process", &[""][..], true),
            ("?", "process", &["10.0.20348.1"][..], true),
        ] {
            let verdict = remote_mismatch(Some(&host(host_version, isolation)), &offers(versions));
            assert_eq!(
                verdict.is_none(),
                fits,
                "{host_version} {versions:?}: {verdict:?}"
            );
        }
        let words = remote_mismatch(Some(&host("10.0.17763", "")), &offers(&["10.0.20348.1"]));
        assert_eq!(
            words.as_deref(),
            Some("the image is for Windows 10.0.20348.1, this host runs Windows 10.0.17763")
        );
    }
}
