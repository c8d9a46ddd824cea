//! Tasks of files as the planner sees them, and the identity that ties a task to its file.
//!
//! **Invariant.** The first half of a file task's id is a function of the file's name alone, so that a container
//! whose rows were lost is still known to belong to its file. The id of an incarnation is a function of name, content
//! and count: deciding twice is deciding once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::outcome::{Outcome, ended_at, outcome};
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{IdError, TaskArn, TaskId, UnixMillis};
use crate::domain::status::DesiredStatus;
use crate::domain::task::{Origin, Task, TaskOptions};

/// One known task of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileTask {
    /// Key.
    pub arn: TaskArn,
    /// What it runs.
    pub definition: Arc<TaskDefinition>,
    /// How it runs here.
    pub options: TaskOptions,
    /// When it came.
    pub arrived_at: UnixMillis,
    /// Where it stands.
    pub phase: Phase,
    /// Its removal was asked for.
    pub removing: bool,
}

/// Where a file's task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A process of it may live.
    Live {
        /// It was asked to stop, or stops by itself.
        stopping: bool,
    },
    /// No process of it lives.
    Ended {
        /// How.
        outcome: Outcome,
        /// When.
        at: UnixMillis,
        /// How long it ran; zero if it never did.
        ran: Duration,
    },
}

impl FileTask {
    /// Whether a process of it may live.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }
}

/// The known tasks of files by file name, each file's in order of arrival. Adopted tasks count for the file in
/// `files` whose name their id was made from.
pub fn tasks_of_files<'a>(
    tasks: impl IntoIterator<Item = &'a Task>,
    files: impl IntoIterator<Item = &'a str>,
    now: UnixMillis,
) -> BTreeMap<String, Vec<FileTask>> {
    let by_prefix: BTreeMap<String, &str> =
        files.into_iter().map(|file| (prefix(file), file)).collect();
    let mut found: BTreeMap<String, Vec<FileTask>> = BTreeMap::new();
    for task in tasks {
        let file = match &task.desired.origin {
            Origin::File(file) => Some(file.as_str()),
            Origin::Adopted => {
                let id = task.arn().task_id().as_str();
                let prefix = id.get(..PREFIX_DIGITS).unwrap_or_default();
                by_prefix.get(prefix).copied()
            }
            Origin::Api | Origin::Run | Origin::Ecs => None,
        };
        if let Some(file) = file {
            found
                .entry(file.to_owned())
                .or_default()
                .push(view(task, now));
        }
    }
    for tasks in found.values_mut() {
        tasks.sort_by(|a, b| (a.arrived_at, &a.arn).cmp(&(b.arrived_at, &b.arn)));
    }
    found
}

fn view(task: &Task, now: UnixMillis) -> FileTask {
    let phase = match outcome(task) {
        None => Phase::Live {
            stopping: task.effective_desired() == DesiredStatus::Stopped,
        },
        Some(outcome) => {
            let at = ended_at(task).unwrap_or(now);
            let ran = task.known.started_at.map(|started| at.since(started));
            Phase::Ended {
                outcome,
                at,
                ran: ran.unwrap_or_default(),
            }
        }
    };
    FileTask {
        arn: task.arn().clone(),
        definition: Arc::clone(&task.desired.definition),
        options: task.desired.options.clone(),
        arrived_at: task.desired.arrived_at,
        phase,
        removing: task.desired.remove,
    }
}

const PREFIX_DIGITS: usize = 16;

fn prefix(file: &str) -> String {
    format!("{:016x}", fnv1a(file.as_bytes()))
}

/// Id of the `incarnation`th task made from `content` of the file.
///
/// # Errors
/// None in practice: 32 hexadecimal digits are a task id.
pub fn task_id(file: &str, content: u64, incarnation: u64) -> Result<TaskId, IdError> {
    let mut seed = content.to_be_bytes().to_vec();
    seed.extend(incarnation.to_be_bytes());
    TaskId::parse(&format!("{}{:016x}", prefix(file), fnv1a(&seed)))
}

/// FNV-1a, 64 bits: a stable name for content, not a defence against anybody.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn ids_differ_by_file_content_and_incarnation_and_by_nothing_else() {
        let id = task_id("web", 1, 0).expect("an id");
        assert_eq!(id, task_id("web", 1, 0).expect("an id"));
        for other in [
            task_id("api", 1, 0),
            task_id("web", 2, 0),
            task_id("web", 1, 1),
        ] {
            assert_ne!(id, other.expect("an id"));
        }
        assert_eq!(id.as_str().len(), 32);
    }
}
