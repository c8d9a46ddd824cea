//! Names and labels that Docker sees, each a function of ids alone.
//!
//! **Invariants.** The same task, container and attempt give the same name on every host and in every version: the
//! name is how a container is found again after a crash, so the hash below never changes. Two containers that may
//! exist at once never share a name. Not here: what the labels hold (`crate::reconcile::plan`).

use super::host::{CgroupSupport, OsType};
use super::ids::{ContainerName, Family, TaskId, VolumeName};

/// ARN of the task (reference agent).
pub const LABEL_TASK_ARN: &str = "com.amazonaws.ecs.task-arn";

/// Name of the container in its task (reference agent).
pub const LABEL_CONTAINER_NAME: &str = "com.amazonaws.ecs.container-name";

/// `family` (reference agent).
pub const LABEL_FAMILY: &str = "com.amazonaws.ecs.task-definition-family";

/// `revision` (reference agent).
pub const LABEL_REVISION: &str = "com.amazonaws.ecs.task-definition-version";

/// Cluster (reference agent).
pub const LABEL_CLUSTER: &str = "com.amazonaws.ecs.cluster";

/// Which agent of the host made the container.
pub const LABEL_INSTANCE: &str = "berth.instance";

/// Which creation of the container this is, from 0.
pub const LABEL_ATTEMPT: &str = "berth.attempt";

/// Canonical JSON of definition, generation and options: enough to build the rows again from containers alone. Of a
/// task with a long definition only some containers carry it.
pub const LABEL_DEFINITION: &str = "berth.definition";

/// Where the container metadata file is told to be (reference agent).
pub const METADATA_FILE_VARIABLE: &str = "ECS_CONTAINER_METADATA_FILE";

/// The file's name (reference agent).
pub const METADATA_FILE: &str = "ecs-container-metadata.json";

/// Hash digits at the end of a name: 80 bits, the length that the reference agent uses.
const HASH_DIGITS: usize = 20;

/// Directory of a container's metadata file on the host, below the directory of all (reference agent).
pub fn metadata_directory(
    root: &str,
    cluster: &str,
    task: &TaskId,
    container: &ContainerName,
) -> String {
    format!("{root}/{cluster}/{task}/{container}")
}

/// Directory of its metadata file as the container sees it, which has an id of its own (reference agent).
pub fn metadata_mount(os: OsType, id: &str) -> String {
    match os {
        OsType::Linux => format!("/opt/ecs/metadata/{id}"),
        OsType::Windows => format!(r"C:\ProgramData\Amazon\ECS\metadata\{id}"),
    }
}

/// The file in that directory, as the container is told.
pub fn metadata_file_in(os: OsType, mount: &str) -> String {
    let separator = match os {
        OsType::Linux => '/',
        OsType::Windows => '\\',
    };
    format!("{mount}{separator}{METADATA_FILE}")
}

/// Docker name of a container: `ecs-<family>-<revision>-<container>-<hash>`.
pub fn container_name(
    family: &Family,
    revision: u32,
    task: &TaskId,
    container: &ContainerName,
    attempt: u32,
) -> String {
    let readable: String = container
        .as_str()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    let hash = hash([
        "container",
        task.as_str(),
        container.as_str(),
        &attempt.to_string(),
    ]);
    format!("ecs-{family}-{revision}-{readable}-{hash}")
}

/// Docker name of a volume that lives as long as its task: `ecs-<family>-<revision>-<volume>-<hash>`.
pub fn volume_name(family: &Family, revision: u32, task: &TaskId, volume: &VolumeName) -> String {
    let hash = hash(["volume", task.as_str(), volume.as_str()]);
    format!("ecs-{family}-{revision}-{volume}-{hash}")
}

/// Docker's `CgroupParent` for the containers of a task, and the name of the task's cgroup; `None` where none can be
/// made.
pub fn task_cgroup(task: &TaskId, support: CgroupSupport) -> Option<String> {
    match support {
        CgroupSupport::V1 | CgroupSupport::V2Cgroupfs => Some(format!("/ecs/{task}")),
        CgroupSupport::V2Systemd => Some(format!("ecstasks-{task}.slice")),
        CgroupSupport::None => None,
    }
}

/// The first [`HASH_DIGITS`] hexadecimal digits of the 128-bit FNV-1a hash of the parts. The upper digits are taken
/// because the lower ones of this hash mix less.
fn hash<const N: usize>(parts: [&str; N]) -> String {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    /// Cannot occur in an id, so parts cannot run into each other.
    const SEPARATOR: u8 = 0;
    let mut state = OFFSET;
    for part in parts {
        for byte in part.bytes().chain([SEPARATOR]) {
            state = (state ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }
    let mut digits = format!("{state:032x}");
    digits.truncate(HASH_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn name(task: &str, container: &str, attempt: u32) -> String {
        container_name(
            &Family::parse("web_app").unwrap(),
            7,
            &TaskId::parse(task).unwrap(),
            &ContainerName::parse(container).unwrap(),
            attempt,
        )
    }

    fn volume(task: &str, volume: &str) -> String {
        volume_name(
            &Family::parse("web").unwrap(),
            7,
            &TaskId::parse(task).unwrap(),
            &VolumeName::parse(volume).unwrap(),
        )
    }

    #[test]
    fn names_never_change_between_versions() {
        insta::assert_snapshot!(name("abc", "my_side-car", 0), @"ecs-web_app-7-myside-car-057a0d4224e14c291f6e");
        insta::assert_snapshot!(name("abc", "~internal~ecs~pause", 1), @"ecs-web_app-7-internalecspause-e52b31787ee8a74ae114");
        insta::assert_snapshot!(volume("abc", "my_data"), @"ecs-web-7-my_data-d913338f7db2d50e4ada");
    }

    #[test]
    fn names_that_read_alike_still_differ() {
        assert_ne!(name("abc", "a_b", 0), name("abc", "ab", 0));
        assert_ne!(name("abc", "x", 1), name("abc", "x1", 0));
        assert_ne!(name("ab", "cx", 0), name("abc", "x", 0));
        assert_ne!(volume("ab", "cx"), volume("abc", "x"));
    }

    #[test]
    fn no_two_containers_of_many_tasks_share_a_name() {
        let mut seen = BTreeSet::new();
        for task in 0..100 {
            for container in 0..10 {
                for attempt in 0..10 {
                    let name = name(&format!("{task:x}"), &format!("c{container}"), attempt);
                    assert!(seen.insert(name.clone()), "{name}");
                }
            }
        }
    }

    #[test]
    fn the_cgroup_follows_the_driver() {
        let task = TaskId::parse("abc").unwrap();
        for (support, expected) in [
            (CgroupSupport::V1, Some("/ecs/abc")),
            (CgroupSupport::V2Cgroupfs, Some("/ecs/abc")),
            (CgroupSupport::V2Systemd, Some("ecstasks-abc.slice")),
            (CgroupSupport::None, None),
        ] {
            assert_eq!(task_cgroup(&task, support).as_deref(), expected);
        }
    }
}
