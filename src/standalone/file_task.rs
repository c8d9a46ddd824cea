//! Tasks of files as the planner sees them, and the identity that ties a task to its file.
//!
//! **Invariant.** The last half of a file task's id is a function of the file's name alone, so that a container
//! whose rows were lost is still known to belong to its file. The id of an incarnation is a function of name, content
//! and count: deciding twice is deciding once. The first half is another one for each task, since people are shown
//! the beginning of an id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{IdError, TaskArn, TaskId, UnixMillis};
use crate::domain::outcome::{Outcome, ended_at, outcome};
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
    let by_mark: BTreeMap<String, &str> =
        files.into_iter().map(|file| (mark(file), file)).collect();
    let mut found: BTreeMap<String, Vec<FileTask>> = BTreeMap::new();
    for task in tasks {
        let file = match &task.desired.origin {
            Origin::File(file) => Some(file.as_str()),
            Origin::Adopted => {
                let marks = marks_in(task.arn().task_id());
                marks.iter().find_map(|mark| by_mark.get(*mark)).copied()
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

const MARK_DIGITS: usize = 16;

/// What ids of the file's tasks have in common.
fn mark(file: &str) -> String {
    format!("{:016x}", fnv1a(file.as_bytes()))
}

/// Where the mark of a file may be in an id: at the end, or at the beginning in ids that berth 0.1.0 made.
fn marks_in(id: &TaskId) -> [&str; 2] {
    let id = id.as_str();
    let last = id.len().checked_sub(MARK_DIGITS);
    [
        last.and_then(|last| id.get(last..)).unwrap_or_default(),
        id.get(..MARK_DIGITS).unwrap_or_default(),
    ]
}

/// Id of the `incarnation`th task made from `content` of the file.
///
/// # Errors
/// None in practice: 32 hexadecimal digits are a task id.
pub fn task_id(file: &str, content: u64, incarnation: u64) -> Result<TaskId, IdError> {
    let mut seed = content.to_be_bytes().to_vec();
    seed.extend(incarnation.to_be_bytes());
    // Files with the same content have ids that begin differently, too.
    seed.extend(file.as_bytes());
    TaskId::parse(&format!("{:016x}{}", mixed(fnv1a(&seed)), mark(file)))
}

/// The same hash with every bit of it in every digit: in FNV-1a the last bytes hardly reach the first digits.
fn mixed(hash: u64) -> u64 {
    /// 2^64 divided by the golden ratio, odd.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    // A product carries bits up, a shift brings the upper half down.
    let round = |value: u64| (value ^ (value >> 32)).wrapping_mul(FACTOR);
    let mixed = round(round(round(hash)));
    mixed ^ (mixed >> 32)
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::sample;

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

    #[test]
    fn ids_begin_differently_also_for_one_file_and_for_files_that_are_alike() {
        let files = ["web", "web-2", "api"].into_iter();
        let ids = files.flat_map(|file| {
            (0..1_000).map(move |incarnation| task_id(file, 7, incarnation).expect("an id"))
        });
        let begins: BTreeSet<String> = ids.map(|id| id.as_str()[..12].to_owned()).collect();
        assert_eq!(begins.len(), 3_000);
        let short: BTreeSet<&str> = begins.iter().map(|begin| &begin[..4]).collect();
        // Of 65,536 beginnings 3,000 draws find 2,932 on average.
        assert!(short.len() > 2_850, "{}", short.len());
    }

    #[test]
    fn an_adopted_task_is_its_files_also_with_an_id_as_they_were() {
        let old = format!("{}{:016x}", mark("web"), fnv1a(b"once"));
        let new = task_id("web", 1, 0).expect("an id");
        let ids = [old.as_str(), new.as_str(), "0123456789abcdef", "short"];
        let tasks = ids.map(|id| {
            let definition = sample::definition(&["app"]);
            let mut desired = sample::desired(definition, TaskOptions::default());
            desired.arn = sample::arn(id);
            desired.origin = Origin::Adopted;
            Task::new(desired)
        });
        let found = tasks_of_files(&tasks, ["api", "web"], UnixMillis(0));
        let found: Vec<&str> = found["web"]
            .iter()
            .map(|task| task.arn.task_id().as_str())
            .collect();
        assert_eq!(found.len(), 2);
        assert!(found.contains(&old.as_str()) && found.contains(&new.as_str()));
    }
}
