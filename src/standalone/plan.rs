//! Decides what becomes of the tasks of files. Pure: files, known tasks, records and the time in; actions out.
//!
//! **Invariants.** Nothing is put while a task of the same file may live. Only a file that is known to be gone, or a
//! good newer version of it, stops a task. The records in a plan are written before its actions are carried out, so a
//! crash in between puts the same task id again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::desired::Verdict;
use super::file_task::{FileTask, Phase, task_id};
use super::status::{FileState, FileStatus};
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{TaskArn, TaskId, UnixMillis};
use crate::domain::outcome::Outcome;
use crate::domain::task::TaskOptions;

/// Wait before the first replacement; doubles with each end in a row.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(10);
/// Longest wait.
pub const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// A task that ran this long starts the count of ends anew.
pub const QUIET_PERIOD: Duration = Duration::from_mins(10);

/// When a task that has ended by itself is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// However it ended.
    Always,
    /// If it failed.
    OnFailure,
    /// Never.
    Never,
}

/// A file as it is now.
#[derive(Clone, Debug, PartialEq)]
pub enum File {
    /// Can be run.
    Good(Version),
    /// Cannot be read, parsed or run on this host: why.
    Bad(Verdict),
}

/// A version of a file that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Stable hash of the bytes.
    pub content: u64,
    /// What to run.
    pub definition: Arc<TaskDefinition>,
    /// How.
    pub options: TaskOptions,
    /// Changed or ignored parameters, one line each.
    pub warnings: Vec<String>,
}

/// What is remembered of a file beyond its tasks, which the engine forgets some time after their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Version that the last task was made from.
    pub content: u64,
    /// Counts the tasks made for the file.
    pub incarnation: u64,
    /// The last task.
    pub task: TaskId,
    /// How often it has ended in a row without a quiet run.
    pub ends: u32,
    /// How the last task ended; `None` = it has not.
    pub ended: Option<(UnixMillis, Outcome)>,
}

impl Record {
    /// Takes in how the last task ended, and how long it had run.
    pub fn end(&mut self, at: UnixMillis, outcome: Outcome, ran: Duration) {
        self.ends = if ran >= QUIET_PERIOD {
            1
        } else {
            self.ends.saturating_add(1)
        };
        self.ended = Some((at, outcome));
    }
}

/// All that the decision looks at.
#[derive(Clone, Debug)]
pub struct Input {
    /// Now.
    pub now: UnixMillis,
    /// Replacement policy.
    pub policy: Policy,
    /// Every file of the directory, by name without the extension.
    pub files: BTreeMap<String, File>,
    /// Known tasks by file name, in order of arrival.
    pub tasks: BTreeMap<String, Vec<FileTask>>,
    /// Records by file name.
    pub records: BTreeMap<String, Record>,
}

/// The decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// To be written before anything is done.
    pub records: BTreeMap<String, Record>,
    /// To be done, in this order.
    pub actions: Vec<Action>,
    /// To be shown.
    pub files: BTreeMap<String, FileStatus>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Stop a task whose file has a newer version.
    Stop(TaskArn),
    /// Stop and remove a task whose file is gone, or that is one ended task too many.
    Remove(TaskArn),
    /// Run a task for the file.
    Put {
        /// File.
        file: String,
        /// Key.
        task: TaskId,
        /// What.
        version: Version,
    },
}

/// Decides for every file that is there or has left something behind.
pub fn plan(input: &Input) -> Plan {
    let names: BTreeSet<&String> = input
        .files
        .keys()
        .chain(input.tasks.keys())
        .chain(input.records.keys())
        .collect();
    let mut plan = Plan::default();
    for name in names {
        let tasks = input.tasks.get(name).map(Vec::as_slice).unwrap_or_default();
        let one = One {
            input,
            name,
            tasks,
            record: input.records.get(name),
        };
        let decision = match input.files.get(name) {
            None => one.gone(),
            Some(File::Good(version)) => one.good(version),
            Some(File::Bad(verdict)) => one.bad(verdict),
        };
        plan.actions.extend(decision.actions);
        if let Some(record) = decision.record {
            plan.records.insert(name.clone(), record);
        }
        if let Some(status) = decision.status {
            plan.files.insert(name.clone(), status);
        }
    }
    plan
}

/// How long to wait after the `ends`th end in a row.
pub fn backoff(ends: u32) -> Duration {
    let doublings = ends.saturating_sub(1).min(16);
    FIRST_BACKOFF
        .saturating_mul(1_u32 << doublings)
        .min(LONGEST_BACKOFF)
}

struct One<'a> {
    input: &'a Input,
    name: &'a str,
    tasks: &'a [FileTask],
    record: Option<&'a Record>,
}

#[derive(Default)]
struct Decision {
    record: Option<Record>,
    actions: Vec<Action>,
    status: Option<FileStatus>,
}

impl One<'_> {
    fn gone(&self) -> Decision {
        if self.tasks.is_empty() {
            return Decision::default();
        }
        Decision {
            record: self.record.cloned(),
            actions: self
                .tasks
                .iter()
                .filter(|task| !task.removing)
                .map(|task| Action::Remove(task.arn.clone()))
                .collect(),
            status: Some(self.status(FileState::Removing)),
        }
    }

    fn bad(&self, verdict: &Verdict) -> Decision {
        let last_good = self.tasks.iter().rfind(|task| !task.removing);
        let last_good = last_good.map(|task| Version {
            content: self.record.map_or(0, |record| record.content),
            definition: Arc::clone(&task.definition),
            options: task.options.clone(),
            warnings: Vec::new(),
        });
        let mut decision = match last_good {
            Some(version) => self.good(&version),
            None => Decision {
                record: self.record.cloned(),
                actions: Vec::new(),
                status: Some(self.status(FileState::Rejected)),
            },
        };
        if let Some(status) = &mut decision.status {
            status.problems.clone_from(&verdict.refused);
            status.warnings.clone_from(&verdict.warnings);
        }
        decision
    }

    fn good(&self, version: &Version) -> Decision {
        let mut decision = if self.tasks.iter().any(FileTask::is_live) {
            self.with_live(version)
        } else {
            self.without_live(version)
        };
        if let Some(status) = &mut decision.status {
            status.warnings.clone_from(&version.warnings);
        }
        decision.actions.extend(self.surplus());
        decision
    }

    fn with_live(&self, version: &Version) -> Decision {
        let live: Vec<&FileTask> = self.tasks.iter().filter(|task| task.is_live()).collect();
        let wanted = live.iter().copied().find(|task| {
            !is_stopping(task)
                && task.definition == version.definition
                && task.options == version.options
        });
        let others = live
            .iter()
            .copied()
            .filter(|task| wanted.is_none_or(|wanted| wanted.arn != task.arn));
        let actions = others
            .filter(|task| !is_stopping(task))
            .map(|task| Action::Stop(task.arn.clone()))
            .collect::<Vec<_>>();
        let state = match wanted {
            Some(_) => FileState::Live,
            None if actions.is_empty() => FileState::Stopping,
            None => FileState::Replacing,
        };
        let record = match wanted {
            Some(task) => Some(self.adopt(version.content, task)),
            None => self.record.cloned(),
        };
        Decision {
            record,
            actions,
            status: Some(self.status(state)),
        }
    }

    /// The record of a live task that is as the file wants it.
    fn adopt(&self, content: u64, task: &FileTask) -> Record {
        let id = task.arn.task_id();
        let known = self.record.filter(|record| &record.task == id);
        Record {
            content,
            incarnation: self.record.map_or(0, |record| record.incarnation),
            task: id.clone(),
            ends: known.map_or(0, |record| record.ends),
            ended: None,
        }
    }

    fn without_live(&self, version: &Version) -> Decision {
        let Some(record) = self.brought_up_to_date(version) else {
            return self.put(version, 0, 0);
        };
        let next = record.incarnation.saturating_add(1);
        if record.content != version.content {
            return self.put(version, next, 0);
        }
        let (at, outcome) = match &record.ended {
            // It was decided and never put, or all trace of it was lost: the same again.
            None => return self.put(version, record.incarnation, record.ends),
            Some((at, outcome)) => (*at, outcome),
        };
        let replace = match (outcome, self.input.policy) {
            (Outcome::Replaced, _) => return self.put(version, next, record.ends),
            (Outcome::Asked, _) => Err(FileState::StoppedByUser),
            (Outcome::Completed, Policy::OnFailure | Policy::Never) => Err(FileState::Completed),
            (Outcome::Failed, Policy::Never) => Err(FileState::Failed),
            (Outcome::Completed, Policy::Always)
            | (Outcome::Failed, Policy::Always | Policy::OnFailure) => Ok(()),
        };
        let until = at.plus(backoff(record.ends));
        let state = match replace {
            // An end in the future means that the clock was set back; waiting for it could take years.
            Ok(()) if until <= self.input.now || at > self.input.now => {
                return self.put(version, next, record.ends);
            }
            Ok(()) => FileState::Waiting {
                until,
                ends: record.ends,
            },
            Err(state) => state,
        };
        Decision {
            record: Some(record),
            actions: Vec::new(),
            status: Some(self.status(state)),
        }
    }

    /// The record with the end of its task taken in; made from the last task where there is none.
    fn brought_up_to_date(&self, version: &Version) -> Option<Record> {
        let last = self.tasks.last();
        let mut record = match (self.record, last) {
            (Some(record), _) => record.clone(),
            (None, Some(last)) if last.definition == version.definition => Record {
                content: version.content,
                incarnation: 0,
                task: last.arn.task_id().clone(),
                ends: 0,
                ended: None,
            },
            (None, _) => return None,
        };
        let its_end = self
            .tasks
            .iter()
            .find(|task| task.arn.task_id() == &record.task)
            .map(|task| &task.phase);
        if let (None, Some(Phase::Ended { outcome, at, ran })) = (&record.ended, its_end) {
            record.end(*at, outcome.clone(), *ran);
        }
        Some(record)
    }

    /// Puts the `incarnation`th task, or the next one whose id no known task has.
    fn put(&self, version: &Version, incarnation: u64, ends: u32) -> Decision {
        let taken = |id: &TaskId| self.tasks.iter().any(|task| task.arn.task_id() == id);
        // As many ids as there are tasks can be taken, so one more is enough.
        let tries = u64::try_from(self.tasks.len()).unwrap_or(u64::MAX);
        let free = (incarnation..=incarnation.saturating_add(tries)).find_map(|incarnation| {
            let id = task_id(self.name, version.content, incarnation).ok()?;
            (!taken(&id)).then_some((incarnation, id))
        });
        let Some((incarnation, task)) = free else {
            return Decision::default();
        };
        Decision {
            record: Some(Record {
                content: version.content,
                incarnation,
                task: task.clone(),
                ends,
                ended: None,
            }),
            actions: vec![Action::Put {
                file: self.name.to_owned(),
                task,
                version: version.clone(),
            }],
            status: Some(self.status(FileState::Starting)),
        }
    }

    /// Ended tasks beyond the last one: that one is kept for its logs and reasons.
    fn surplus(&self) -> Vec<Action> {
        let ended = self.tasks.iter().filter(|task| !task.is_live());
        ended
            .rev()
            .skip(1)
            .filter(|task| !task.removing)
            .map(|task| Action::Remove(task.arn.clone()))
            .collect()
    }

    fn status(&self, state: FileState) -> FileStatus {
        let live = self.tasks.iter().rfind(|task| task.is_live());
        FileStatus {
            state,
            task: live.or(self.tasks.last()).map(|task| task.arn.clone()),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

fn is_stopping(task: &FileTask) -> bool {
    matches!(task.phase, Phase::Live { stopping: true })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
