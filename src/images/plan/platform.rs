//! Whether an image can run on this host.

use crate::domain::runtime::{ImagePlatform, LocalImage, RemoteManifest};

/// What the host runs, in the words of image configurations: `linux`, `amd64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPlatform {
    /// `linux` or `windows`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
}

impl HostPlatform {
    /// From what Docker says of itself: `linux` and `x86_64`, `aarch64`, …
    pub fn from_docker(os_type: &str, architecture: &str) -> Self {
        let architecture = match architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "i386" | "i686" => "386",
            arm if arm.starts_with("armv") => "arm",
            other => other,
        };
        Self {
            os: os_type.to_owned(),
            architecture: architecture.to_owned(),
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
    if programs.is_empty() || programs.iter().any(fits) {
        return None;
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
    (!host.runs(&image.os, &image.architecture))
        .then(|| mismatch(&format!("{}/{}", image.os, image.architecture), host))
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
        let host = HostPlatform::from_docker("linux", "x86_64");
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
        let host = HostPlatform::from_docker("linux", "aarch64");
        let text = remote_mismatch(
            Some(&host),
            &manifest(&[("linux", "amd64"), ("linux", "386")]),
        );
        assert_eq!(
            text.as_deref(),
            Some("the image is for linux/amd64, linux/386, this host runs linux/arm64")
        );
    }
}
