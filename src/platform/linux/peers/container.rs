//! The containers that a cgroup path names, and whether it lies where a container's own does: pure.
//!
//! ```text
//! /docker/<id>                                    cgroupfs driver
//! /ecs/<task>/<id>                                the same below a task's cgroup
//! /system.slice/docker-<id>.scope                 systemd driver
//! /ecstasks.slice/ecstasks-<task>.slice/docker-<id>.scope
//! /machine.slice/libpod-<id>.scope                Podman
//! /docker/<outer>/docker/<inner>                  a container in a container
//! /user.slice/user-1000.slice/.../docker-<id>.scope     none: a user names scopes of their own as they like
//! ```
//!
//! **Invariant.** An id in a path says whose cgroup it may be, and only the place whose it is.

use std::path::Path;

use crate::domain::ids::DockerId;

/// Digits of an id.
const ID_LENGTH: usize = 64;

/// Ids in a text such as `/proc/<pid>/cgroup`, outermost first; of v1's many lines the first that has any counts,
/// since a process is in the same container in all of them.
pub(super) fn ids(text: &str) -> Vec<DockerId> {
    let mut all = paths(text).map(|(_, path)| path.split('/').filter_map(id).collect::<Vec<_>>());
    all.find(|ids| !ids.is_empty()).unwrap_or_default()
}

/// Whether such a text is of a process in the cgroup at that place, or in one below it, of the tree that this
/// controller is in; an empty one = of v2's.
pub(super) fn is_in(text: &str, controller: &str, place: &Path) -> bool {
    let mut of_tree =
        paths(text).filter(|(names, _)| names.split(',').any(|one| one == controller));
    of_tree.any(|(_, path)| {
        let below = path.strip_prefix('/').unwrap_or(path);
        Path::new(below).starts_with(place)
    })
}

/// Controllers and path of each line.
fn paths(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        // <number>:<controllers>:<path>; a path may hold colons.
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?))
    })
}

/// The id that one directory's name holds.
fn id(name: &str) -> Option<DockerId> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    // `docker-<id>`, `libpod-<id>`: the engine's name comes first.
    let word = name.rsplit('-').next().unwrap_or(name);
    let is_id = word.len() == ID_LENGTH && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| DockerId::parse(word).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn ids_are_found_in_the_paths_of_every_driver() {
        let task = "0123456789abcdef0123456789abcdef";
        for (text, expected) in [
            (format!("0::/docker/{A}\n"), vec![A]),
            (format!("0::/ecs/{task}/{A}\n"), vec![A]),
            (format!("0::/system.slice/docker-{A}.scope\n"), vec![A]),
            (
                format!("0::/ecstasks.slice/ecstasks-{task}.slice/docker-{A}.scope"),
                vec![A],
            ),
            (
                format!("0::/machine.slice/libpod-{A}.scope/container"),
                vec![A],
            ),
            (format!("0::/docker/{A}/docker/{B}"), vec![A, B]),
            (format!("0::/docker/{A}/init.scope"), vec![A]),
            (
                format!("9:name=systemd:/docker/{A}\n8:pids:/docker/{A}\n0::/\n"),
                vec![A],
            ),
            // Some controllers are not the engine's to set.
            (format!("3:rdma:/\n2:cpu,cpuacct:/docker/{A}\n"), vec![A]),
            (format!("0::/a:b/docker/{A}"), vec![A]),
            // Of the host.
            ("0::/\n".to_owned(), vec![]),
            ("0::/system.slice/docker.service\n".to_owned(), vec![]),
            (
                "1:name=systemd:/user.slice/user-0.slice/session-2.scope".to_owned(),
                vec![],
            ),
            (format!("0::/ecs/{task}"), vec![]),
            // One digit too few, one too many, one that is none.
            (format!("0::/docker/{}", &A[1..]), vec![]),
            (format!("0::/docker/{A}a"), vec![]),
            (format!("0::/docker/{}g", &A[1..]), vec![]),
            (format!("0:{A}"), vec![]),
            (String::new(), vec![]),
        ] {
            let found = ids(&text);
            let found: Vec<&str> = found.iter().map(DockerId::as_str).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_process_is_in_a_cgroup_by_its_place_in_that_tree_alone() {
        let forged = format!("/user.slice/user-1000.slice/user@1000.service/docker-{A}.scope");
        for (text, controller, place, expected) in [
            (format!("0::/docker/{A}\n"), "", format!("docker/{A}"), true),
            (
                format!("0::/docker/{A}/a/b/c/d/e"),
                "",
                format!("docker/{A}"),
                true,
            ),
            (format!("0::{forged}\n"), "", format!("docker/{A}"), false),
            (
                format!("0::{forged}\n"),
                "",
                format!("system.slice/docker-{A}.scope"),
                false,
            ),
            // Of v1 a user has only the tree of systemd.
            (
                format!("9:name=systemd:/docker/{A}\n4:memory:/user.slice\n0::/\n"),
                "memory",
                format!("docker/{A}"),
                false,
            ),
            (
                format!("9:name=systemd:/\n4:memory:/docker/{A}/x\n0::/\n"),
                "memory",
                format!("docker/{A}"),
                true,
            ),
            (
                format!("2:cpuacct,cpu:/docker/{A}"),
                "cpu",
                format!("docker/{A}"),
                true,
            ),
            // A name is compared whole.
            (format!("0::/docker/{A}b"), "", format!("docker/{A}"), false),
            (
                format!("0::/x/docker/{A}"),
                "",
                format!("docker/{A}"),
                false,
            ),
            ("damaged".to_owned(), "", format!("docker/{A}"), false),
        ] {
            assert_eq!(
                is_in(&text, controller, Path::new(&place)),
                expected,
                "{text}"
            );
        }
    }
}
