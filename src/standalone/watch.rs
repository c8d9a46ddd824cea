//! The service that keeps the tasks of a directory as its files say. It looks, asks the planner, writes the records
//! and carries the plan out; it decides nothing.
//!
//! **Invariants.** Nothing is planned before the engine has seen every container once, so that no running task is
//! taken for a missing one. Records are durable before a task is put. What cannot be done now is found again at the
//! next look.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::desired::{Draft, Engine, Judge, Verdict};
use super::file_task::{fnv1a, tasks_of_files};
use super::plan::{Action, File, Input, Plan, Policy, Record, Version, plan};
use super::records;
use super::scan::{self, Seen, Tracker};
use super::status::DirectoryStatus;
use super::vanished::{end_of, vanished};
use crate::boundary::store::MAX_EVENTS_PER_TASK;
use crate::boundary::{BoundaryError, Clock, TaskStore};
use crate::domain::host::HostFacts;
use crate::domain::ids::{ClusterName, TaskArn};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::task::{Origin, TaskOptions};
use crate::error::ErrorChain;
use crate::reconcile::handle::{HandleError, PutTask};
use crate::reconcile::snapshot::Snapshot;

/// From one look to the next.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait for a timeline; a healthy store takes milliseconds.
const READ_DEADLINE: Duration = Duration::from_secs(5);

/// What to watch and how.
#[derive(Clone, Debug)]
pub struct WatchConfig {
    /// Directory of task definition files.
    pub dir: PathBuf,
    /// Where the records are kept.
    pub records: PathBuf,
    /// The store was found empty: records of an earlier store say nothing about this one.
    pub fresh: bool,
    /// When ended tasks are replaced.
    pub policy: Policy,
    /// Cluster name in task ARNs.
    pub cluster: ClusterName,
    /// How the tasks are run here.
    pub options: TaskOptions,
}

/// What the service leans on.
#[derive(Clone)]
pub struct WatchDeps {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Reader of definitions.
    pub judge: Arc<dyn Judge>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Asked for `events_after` only.
    pub store: Arc<dyn TaskStore>,
}

/// Content of a file: its hash, and the definition or why there is none.
type Content = (u64, Result<Draft, Verdict>);

/// The service.
pub struct Watch {
    config: WatchConfig,
    deps: WatchDeps,
    tracker: Tracker<Content>,
    records: BTreeMap<String, Record>,
    status: watch::Sender<Arc<DirectoryStatus>>,
    failures: BTreeMap<String, String>,
}

impl Watch {
    /// A service that has not looked yet, and what it will show.
    pub fn new(
        config: WatchConfig,
        deps: WatchDeps,
    ) -> (Self, watch::Receiver<Arc<DirectoryStatus>>) {
        let (status, shown) = watch::channel(Arc::default());
        let service = Self {
            config,
            deps,
            tracker: Tracker::new(),
            records: BTreeMap::new(),
            status,
            failures: BTreeMap::new(),
        };
        (service, shown)
    }

    /// Looks every [`LOOK_INTERVAL`] until `shutdown`. Tasks are left as they are then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        if !self.config.fresh {
            let loaded = records::load(&self.config.records);
            if let Some(problem) = loaded.problem {
                tracing::warn!(
                    event = "task-file-records-unreadable",
                    problem,
                    "records of task files could not be read: {problem}"
                );
            }
            self.records = loaded.records;
        }
        loop {
            // Cancel-safe: a cancelled token stays cancelled, a dropped sleep loses nothing.
            let stop = tokio::select! {
                () = shutdown.cancelled() => true,
                () = tokio::time::sleep(LOOK_INTERVAL) => false,
            };
            if stop {
                return;
            }
            self.look().await;
        }
    }

    /// One round.
    pub(super) async fn look(&mut self) {
        let snapshot = self.deps.engine.snapshot();
        let host = snapshot.engine.host.clone();
        let (Some(host), Some(_)) = (host, snapshot.engine.relisted_at) else {
            self.show_problem("Docker has not answered yet".to_owned());
            return;
        };
        if let Err(error) = self.scan().await {
            self.show_problem(error);
            return;
        }
        let mut input = self.input(&snapshot, &host);
        if let Err(error) = self.find_ended(&mut input).await {
            self.show_problem(error.to_string());
            return;
        }
        let plan = plan(&input);
        self.carry_out(plan).await;
    }

    /// Reads what changed. Reading runs on a thread for blocking calls: files may be large or on a network.
    async fn scan(&mut self) -> Result<(), String> {
        let mut tracker = std::mem::replace(&mut self.tracker, Tracker::new());
        let (dir, judge) = (self.config.dir.clone(), Arc::clone(&self.deps.judge));
        let scanned = tokio::task::spawn_blocking(move || {
            let listed = scan::list(&dir).map(|listing| {
                tracker.look(listing, |name| {
                    let bytes = scan::read(&dir, name)?;
                    Ok((fnv1a(&bytes), judge.read(name, &bytes)))
                });
            });
            (tracker, listed)
        });
        // If reading panicked the tracker starts anew and reads everything at the next look.
        let (tracker, listed) = scanned.await.map_err(|error| error.to_string())?;
        self.tracker = tracker;
        listed.map_err(|error| ErrorChain(&error).to_string())
    }

    fn input(&self, snapshot: &Snapshot, host: &HostFacts) -> Input {
        let now = self.deps.clock.now();
        let files: BTreeMap<String, File> = self
            .tracker
            .files()
            .map(|(name, seen)| (name.to_owned(), self.file(&seen, host)))
            .collect();
        let names = files.keys().chain(self.records.keys()).map(String::as_str);
        let tasks = snapshot.tasks.values().map(|view| &view.task);
        Input {
            now,
            policy: self.config.policy,
            tasks: tasks_of_files(tasks, names, now),
            records: self.records.clone(),
            files,
        }
    }

    /// What has ended and is gone since the last look is on record with its end, as if it had been seen.
    async fn find_ended(&self, input: &mut Input) -> Result<(), BoundaryError> {
        for (file, arn) in vanished(input, &self.config.cluster) {
            let store = &self.deps.store;
            let timeline = store.events_after(Some(&arn), 0, MAX_EVENTS_PER_TASK);
            let timeline = tokio::time::timeout(READ_DEADLINE, timeline)
                .await
                .unwrap_or_else(|_| Err(BoundaryError::deadline("read events", READ_DEADLINE)))?;
            let Some(File::Good(version)) = input.files.get(&file) else {
                continue;
            };
            let end = end_of(&timeline, &version.definition);
            if let (Some(end), Some(record)) = (end, input.records.get_mut(&file)) {
                record.end(end.at, end.outcome, end.ran);
            }
        }
        Ok(())
    }

    fn file(&self, seen: &Seen<'_, Content>, host: &HostFacts) -> File {
        let (content, draft) = match seen {
            Seen::Read((content, Ok(draft))) => (*content, draft),
            Seen::Read((_, Err(verdict))) => return File::Bad(verdict.clone()),
            Seen::Unreadable(why) => return File::Bad(Verdict::refused(*why)),
            Seen::Settling => return File::Bad(Verdict::refused("is still being written")),
        };
        let options = &self.config.options;
        let mut verdict = self.deps.judge.fit(&draft.definition, options, host);
        verdict.warnings.splice(..0, draft.warnings.iter().cloned());
        if !verdict.refused.is_empty() {
            return File::Bad(verdict);
        }
        File::Good(Version {
            content,
            definition: Arc::clone(&draft.definition),
            options: options.clone(),
            warnings: verdict.warnings,
        })
    }

    async fn carry_out(&mut self, plan: Plan) {
        let saved = self.save(plan.records).await;
        self.failures.clear();
        for action in plan.actions {
            match (action, &saved) {
                (Action::Put { file, .. }, Err(why)) => {
                    self.failures.insert(file, why.clone());
                }
                (
                    Action::Put {
                        file,
                        task,
                        version,
                    },
                    Ok(()),
                ) => {
                    let put = PutTask {
                        arn: TaskArn::standalone(&self.config.cluster, &task),
                        definition: version.definition,
                        options: version.options,
                        origin: Origin::File(file.clone()),
                        expected_generation: None,
                    };
                    if let Err(error) = self.deps.engine.put(put).await {
                        self.failures.insert(file, error.to_string());
                    }
                }
                (Action::Stop(arn), _) => {
                    let reason = Reason::new(ReasonName::Replaced, "its file has a newer version");
                    log_refusal(&arn, self.deps.engine.stop(&arn, reason).await);
                }
                (Action::Remove(arn), _) => {
                    let reason =
                        Reason::new(ReasonName::Replaced, "its file is gone or has a newer task");
                    log_refusal(&arn, self.deps.engine.remove(&arn, reason).await);
                }
            }
        }
        let mut files = plan.files;
        for (name, why) in &self.failures {
            if let Some(status) = files.get_mut(name) {
                status.problems.push(why.clone());
            }
        }
        self.show(DirectoryStatus {
            problem: None,
            files,
        });
    }

    async fn save(&mut self, records: BTreeMap<String, Record>) -> Result<(), String> {
        if records == self.records {
            return Ok(());
        }
        let (path, new) = (self.config.records.clone(), records.clone());
        let saved = tokio::task::spawn_blocking(move || records::save(&path, &new)).await;
        match saved {
            Ok(Ok(())) => {
                self.records = records;
                Ok(())
            }
            Ok(Err(error)) => Err(ErrorChain(&error).to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn show_problem(&self, problem: String) {
        let files = self.status.borrow().files.clone();
        self.show(DirectoryStatus {
            problem: Some(problem),
            files,
        });
    }

    /// Publishes what is shown and logs what is new about it.
    fn show(&self, new: DirectoryStatus) {
        let old = self.status.borrow().clone();
        if *old == new {
            return;
        }
        log_changes(&old, &new);
        self.status.send_replace(Arc::new(new));
    }
}

fn log_refusal<T>(arn: &TaskArn, answer: Result<T, HandleError>) {
    match answer {
        // Somebody else removed it: what was wanted.
        Ok(_) | Err(HandleError::NotFound(_)) => {}
        Err(error) => {
            tracing::warn!(event = "task-file-stop-refused", task.arn = %arn, %error, "{arn} could not be stopped now: {error}");
        }
    }
}

fn log_changes(old: &DirectoryStatus, new: &DirectoryStatus) {
    if let Some(problem) = new.problem.as_ref().filter(|_| old.problem != new.problem) {
        tracing::warn!(
            event = "task-files-unreadable",
            problem,
            "task files are not looked at: {problem}"
        );
    }
    for (file, status) in &new.files {
        let before = old.files.get(file);
        if before.is_none_or(|before| before.state != status.state) {
            let state = status.state.as_str();
            tracing::info!(
                event = "task-file-changed",
                file,
                state,
                "{file}.json is {state}"
            );
        }
        if before.is_none_or(|before| before.problems != status.problems) {
            for problem in &status.problems {
                tracing::warn!(
                    event = "task-file-refused",
                    file,
                    problem,
                    "{file}.json: {problem}"
                );
            }
        }
        if before.is_none_or(|before| before.warnings != status.warnings) {
            for warning in &status.warnings {
                tracing::warn!(
                    event = "task-file-warning",
                    file,
                    warning,
                    "{file}.json: {warning}"
                );
            }
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
