//! The containers that a cgroup path is of: pure.
//!
//! ```text
//! /docker/<id>                                    cgroupfs driver
//! /ecs/<task>/<id>                                the same below a task's cgroup
//! /system.slice/docker-<id>.scope                 systemd driver
//! /ecstasks.slice/ecstasks-<task>.slice/docker-<id>.scope
//! /machine.slice/libpod-<id>.scope                Podman
//! /docker/<outer>/docker/<inner>                  a container in a container
//! ```

use crate::domain::ids::DockerId;

/// Digits of an id.
const ID_LENGTH: usize = 64;

/// Ids in a text such as `/proc/<pid>/cgroup`, outermost first; of v1's many lines the first that has any counts,
/// since a process is in the same container in all of them.
pub(super) fn ids(text: &str) -> Vec<DockerId> {
    let mut lines = text.lines().map(|line| {
        // <number>:<controllers>:<path>; a path may hold colons.
        let path = line.splitn(3, ':').nth(2).unwrap_or_default();
        path.split('/').filter_map(id).collect::<Vec<_>>()
    });
    lines.find(|ids| !ids.is_empty()).unwrap_or_default()
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
}
