//! Rules about paths on Linux: what Docker there takes for a path, and what it would read as something else.
//!
//! A definition may be read on one system and run on the other, so its reader takes the paths of both. Mounts go to
//! Docker as texts whose parts are divided by `:`.

use super::finding::{Case, Findings};
use crate::domain::host::OsType;
use crate::domain::volume::VolumeSource;

const NOT_OF_LINUX: &str = "does not begin with `/`, as every path of a Linux host does";

const COLON: &str = "has a `:`, which divides the parts of a mount for Docker";

const NO_MODE: &str = "has a `:`, and what follows is no mode of a mount such as shared or z";

/// What may follow a path inside the container: people ask so for what the definition has no word for.
const MODES: [&str; 14] = [
    "ro",
    "rw",
    "z",
    "Z",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "private",
    "rprivate",
    "nocopy",
    "cached",
    "delegated",
    "consistent",
];

const ROOT: &str = "is the root of the container, over which Docker mounts nothing";

pub(super) fn linux(case: &Case<'_>, findings: &mut Findings) {
    if case.host.os_type != OsType::Linux {
        return;
    }
    let mut check = |place: String, trouble: Option<&str>| {
        if let Some(words) = trouble {
            findings.refused(place, words);
        }
    };
    for (index, volume) in case.definition.volumes.iter().enumerate() {
        if let VolumeSource::HostPath(path) = &volume.source {
            check(format!("volumes[{index}].host.sourcePath"), source(path));
        }
    }
    for (at, container) in case.containers() {
        if let Some(path) = &container.working_directory {
            check(format!("{at}.workingDirectory"), foreign(path));
        }
        for (index, mount) in container.mount_points.iter().enumerate() {
            let place = format!("{at}.mountPoints[{index}].containerPath");
            let path = &mount.container_path;
            check(place, target(path));
        }
        for (index, tmpfs) in container.linux_parameters.tmpfs.iter().enumerate() {
            let place = format!("{at}.linuxParameters.tmpfs[{index}].containerPath");
            let path = &tmpfs.container_path;
            check(place, foreign(path).or_else(|| root(path)));
        }
        for (index, device) in container.linux_parameters.devices.iter().enumerate() {
            let place = format!("{at}.linuxParameters.devices[{index}]");
            check(format!("{place}.hostPath"), foreign(&device.host_path));
            if device.container_path != device.host_path {
                let words = foreign(&device.container_path);
                check(format!("{place}.containerPath"), words);
            }
        }
    }
}

/// Of the host. One without a `/` names a volume for Docker.
fn source(path: &str) -> Option<&'static str> {
    let of_windows = path.contains('\\') || path.get(1..2) == Some(":");
    let foreign = of_windows.then(|| foreign(path)).flatten();
    foreign.or_else(|| path.contains(':').then_some(COLON))
}

/// Of the container, with modes or without.
fn target(path: &str) -> Option<&'static str> {
    let (path, modes) = match path.split_once(':') {
        Some((path, modes)) => (path, Some(modes)),
        None => (path, None),
    };
    let known = |modes: &str| modes.split(',').all(|mode| MODES.contains(&mode));
    foreign(path)
        .or_else(|| modes.filter(|modes| !known(modes)).map(|_| NO_MODE))
        .or_else(|| root(path))
}

fn foreign(path: &str) -> Option<&'static str> {
    (!path.starts_with('/')).then_some(NOT_OF_LINUX)
}

fn root(path: &str) -> Option<&'static str> {
    let names_nothing = path.split('/').all(|part| matches!(part, "" | "."));
    names_nothing.then_some(ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_of_paths_of_linux_and_modes() {
        for (path, of_host, of_container) in [
            ("/data", None, None),
            ("/a.b/..c", None, None),
            ("C:\\data", Some(NOT_OF_LINUX), Some(NOT_OF_LINUX)),
            ("C:/data", Some(NOT_OF_LINUX), Some(NOT_OF_LINUX)),
            (
                "\\\\.\\pipe\\docker_engine",
                Some(NOT_OF_LINUX),
                Some(NOT_OF_LINUX),
            ),
            ("data", None, Some(NOT_OF_LINUX)),
            ("/data:shared", Some(COLON), None),
            ("/data:ro,z", Some(COLON), None),
            ("/data:/etc", Some(COLON), Some(NO_MODE)),
            ("/data:", Some(COLON), Some(NO_MODE)),
            ("/:ro", Some(COLON), Some(ROOT)),
        ] {
            assert_eq!(source(path), of_host, "{path}");
            assert_eq!(target(path), of_container, "{path}");
        }
        // These do not go to Docker as one text with something else.
        assert_eq!(foreign("/dev/snd/by-path/pci-0000:00"), None);
    }

    #[test]
    fn nothing_is_mounted_over_the_root() {
        for path in ["/", "//", "/."] {
            assert_eq!(root(path), Some(ROOT), "{path}");
        }
        assert_eq!(root("/.a"), None);
    }
}
