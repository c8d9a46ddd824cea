//! Tables for the planner of task files, and the properties it keeps whatever happens.

use proptest::prelude::*;

use super::*;
use crate::domain::definition::ContainerDefinition;
use crate::domain::ids::{ClusterName, ContainerName, Family};
use crate::domain::image::ImageRef;

const NOW: UnixMillis = UnixMillis(1_000_000_000);
const FILE: &str = "web";

fn definition(family: &str) -> Arc<TaskDefinition> {
    let container = ContainerDefinition::new(
        ContainerName::parse("app").expect("a name"),
        ImageRef::parse("busybox").expect("an image"),
    );
    Arc::new(TaskDefinition::new(
        Family::parse(family).expect("a family"),
        vec![container],
    ))
}

/// Version `n` of the file.
fn version(n: u64) -> Version {
    Version {
        content: n,
        definition: definition(&format!("v{n}")),
        options: TaskOptions::default(),
        warnings: Vec::new(),
    }
}

fn id(n: u64, incarnation: u64) -> TaskId {
    task_id(FILE, n, incarnation).expect("an id")
}

fn arn(id: &TaskId) -> TaskArn {
    TaskArn::standalone(&ClusterName::parse("default").expect("a name"), id)
}

fn task(n: u64, incarnation: u64, phase: Phase) -> FileTask {
    FileTask {
        arn: arn(&id(n, incarnation)),
        definition: definition(&format!("v{n}")),
        options: TaskOptions::default(),
        arrived_at: UnixMillis(i64::try_from(n * 100 + incarnation).expect("small")),
        phase,
        removing: false,
    }
}

const LIVE: Phase = Phase::Live { stopping: false };
const STOPPING: Phase = Phase::Live { stopping: true };

fn ended(outcome: Outcome, secs_ago: u64) -> Phase {
    Phase::Ended {
        outcome,
        at: before(secs_ago),
        ran: Duration::from_secs(1),
    }
}

fn before(secs_ago: u64) -> UnixMillis {
    UnixMillis(NOW.0 - i64::try_from(secs_ago * 1000).expect("small"))
}

fn record(n: u64, incarnation: u64, ends: u32, ended: Option<(UnixMillis, Outcome)>) -> Record {
    Record {
        content: n,
        incarnation,
        task: id(n, incarnation),
        ends,
        ended,
    }
}

struct Case {
    policy: Policy,
    file: Option<File>,
    tasks: Vec<FileTask>,
    record: Option<Record>,
}

impl Case {
    fn new(file: Option<File>, tasks: Vec<FileTask>, record: Option<Record>) -> Self {
        Self {
            policy: Policy::OnFailure,
            file,
            tasks,
            record,
        }
    }

    fn plan(self) -> Plan {
        let name = FILE.to_owned();
        plan(&Input {
            now: NOW,
            policy: self.policy,
            files: self
                .file
                .map(|file| (name.clone(), file))
                .into_iter()
                .collect(),
            tasks: [(name.clone(), self.tasks)].into_iter().collect(),
            records: self
                .record
                .map(|record| (name, record))
                .into_iter()
                .collect(),
        })
    }

    /// Actions as `put 1.0`, `stop 1.0`, `remove 1.0` (version and incarnation), and the state.
    fn show(self) -> (Vec<String>, Option<&'static str>) {
        let plan = self.plan();
        let state = plan.files.get(FILE).map(|status| status.state.as_str());
        (plan.actions.iter().map(show).collect(), state)
    }
}

fn show(action: &Action) -> String {
    let known = (0..10).flat_map(|n| (0..10).map(move |incarnation| (n, incarnation)));
    let named = |wanted: &TaskId| {
        let (n, incarnation) = known
            .clone()
            .find(|(n, incarnation)| id(*n, *incarnation) == *wanted)
            .expect("an id of the test");
        format!("{n}.{incarnation}")
    };
    match action {
        Action::Put { task, .. } => format!("put {}", named(task)),
        Action::Stop(arn) => format!("stop {}", named(arn.task_id())),
        Action::Remove(arn) => format!("remove {}", named(arn.task_id())),
    }
}

fn check(case: Case, actions: &[&str], state: Option<&str>) {
    let (planned, shown) = case.show();
    assert_eq!(planned, actions);
    assert_eq!(shown, state);
}

fn good(n: u64) -> File {
    File::Good(version(n))
}

fn bad() -> File {
    File::Bad(Verdict::refused("no"))
}

#[test]
fn a_task_whose_id_was_made_in_another_way_stays_the_files_task() {
    let old = TaskId::parse("c9a1000000000000c9a1000000000001").expect("an id");
    let mut live = task(1, 0, LIVE);
    live.arn = arn(&old);
    let mut known = record(1, 0, 0, None);
    known.task = old.clone();
    for record in [Some(known), None] {
        let plan = Case::new(Some(good(1)), vec![live.clone()], record).plan();
        assert_eq!(plan.actions, []);
        assert_eq!(plan.records[FILE].task, old);
    }
}

#[test]
fn a_new_file_is_put_and_then_left_alone() {
    check(
        Case::new(Some(good(1)), vec![], None),
        &["put 1.0"],
        Some("STARTING"),
    );
    check(
        Case::new(
            Some(good(1)),
            vec![task(1, 0, LIVE)],
            Some(record(1, 0, 0, None)),
        ),
        &[],
        Some("LIVE"),
    );
}

#[test]
fn a_decision_that_was_recorded_and_not_carried_out_is_the_same_again() {
    check(
        Case::new(Some(good(1)), vec![], Some(record(1, 3, 2, None))),
        &["put 1.3"],
        Some("STARTING"),
    );
}

#[test]
fn a_newer_version_stops_the_old_task_first_and_starts_when_it_has_ended() {
    let old = record(1, 0, 0, None);
    check(
        Case::new(Some(good(2)), vec![task(1, 0, LIVE)], Some(old.clone())),
        &["stop 1.0"],
        Some("REPLACING"),
    );
    check(
        Case::new(Some(good(2)), vec![task(1, 0, STOPPING)], Some(old.clone())),
        &[],
        Some("STOPPING"),
    );
    check(
        Case::new(
            Some(good(2)),
            vec![task(1, 0, ended(Outcome::Replaced, 0))],
            Some(old),
        ),
        &["put 2.1"],
        Some("STARTING"),
    );
}

#[test]
fn a_file_that_returns_to_its_old_content_while_that_stops_is_run_anew() {
    check(
        Case::new(
            Some(good(1)),
            vec![task(1, 0, ended(Outcome::Replaced, 0))],
            Some(record(1, 0, 0, None)),
        ),
        &["put 1.1"],
        Some("STARTING"),
    );
}

#[test]
fn an_edit_that_changes_nothing_for_the_task_leaves_it_running() {
    let edited = Version {
        content: 7,
        ..version(1)
    };
    let plan = Case::new(
        Some(File::Good(edited)),
        vec![task(1, 0, LIVE)],
        Some(record(1, 0, 0, None)),
    )
    .plan();
    assert_eq!(plan.actions, []);
    assert_eq!(plan.records.get(FILE).map(|record| record.content), Some(7));
}

#[test]
fn a_bad_file_leaves_the_running_task_and_names_its_reasons() {
    let plan = Case::new(
        Some(bad()),
        vec![task(1, 0, LIVE)],
        Some(record(1, 0, 0, None)),
    )
    .plan();
    assert_eq!(plan.actions, []);
    let status = plan.files.get(FILE).expect("shown");
    assert_eq!(status.problems, ["no"]);
    assert_eq!(status.state, FileState::Live);
    check(Case::new(Some(bad()), vec![], None), &[], Some("REJECTED"));
}

#[test]
fn the_last_good_version_of_a_bad_file_is_still_replaced_when_it_fails() {
    check(
        Case::new(
            Some(bad()),
            vec![task(1, 0, ended(Outcome::Failed, 60))],
            Some(record(1, 0, 0, None)),
        ),
        &["put 1.1"],
        Some("STARTING"),
    );
}

#[test]
fn a_file_that_is_gone_takes_its_tasks_with_it_and_then_its_record() {
    check(
        Case::new(
            None,
            vec![task(1, 0, ended(Outcome::Failed, 5)), task(1, 1, LIVE)],
            Some(record(1, 1, 1, None)),
        ),
        &["remove 1.0", "remove 1.1"],
        Some("REMOVING"),
    );
    let plan = Case::new(None, vec![], Some(record(1, 1, 1, None))).plan();
    assert_eq!(plan, Plan::default());
}

#[test]
fn the_policy_decides_about_tasks_that_ended_by_themselves() {
    use Outcome::{Asked, Completed, Failed};
    for (policy, outcome, actions, state) in [
        (Policy::OnFailure, Failed, &["put 1.1"][..], "STARTING"),
        (Policy::OnFailure, Completed, &[], "COMPLETED"),
        (Policy::OnFailure, Asked, &[], "STOPPED_BY_USER"),
        (Policy::Always, Failed, &["put 1.1"], "STARTING"),
        (Policy::Always, Completed, &["put 1.1"], "STARTING"),
        (Policy::Always, Asked, &[], "STOPPED_BY_USER"),
        (Policy::Never, Failed, &[], "FAILED"),
        (Policy::Never, Completed, &[], "COMPLETED"),
    ] {
        let case = Case {
            policy,
            ..Case::new(
                Some(good(1)),
                vec![task(1, 0, ended(outcome, 3600))],
                Some(record(1, 0, 0, None)),
            )
        };
        check(case, actions, Some(state));
    }
}

#[test]
fn an_end_is_remembered_after_the_engine_forgot_the_task() {
    for (outcome, state) in [
        (Outcome::Completed, "COMPLETED"),
        (Outcome::Asked, "STOPPED_BY_USER"),
    ] {
        let known = record(1, 0, 1, Some((before(90_000), outcome)));
        check(
            Case::new(Some(good(1)), vec![], Some(known.clone())),
            &[],
            Some(state),
        );
        check(
            Case::new(Some(good(2)), vec![], Some(known)),
            &["put 2.1"],
            Some("STARTING"),
        );
    }
}

#[test]
fn replacements_wait_longer_each_time_and_start_over_after_a_quiet_run() {
    let waits: Vec<u64> = (1..=7).map(|ends| backoff(ends).as_secs()).collect();
    assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
    for (ran_secs, ends) in [(1, 5), (600, 1)] {
        let phase = Phase::Ended {
            outcome: Outcome::Failed,
            at: before(1),
            ran: Duration::from_secs(ran_secs),
        };
        let plan = Case::new(
            Some(good(1)),
            vec![task(1, 4, phase)],
            Some(record(1, 4, 4, None)),
        )
        .plan();
        assert_eq!(plan.actions, []);
        assert_eq!(
            plan.files.get(FILE).map(|status| status.state.clone()),
            Some(FileState::Waiting {
                until: before(1).plus(backoff(ends)),
                ends
            })
        );
    }
}

#[test]
fn only_the_last_ended_task_is_kept() {
    check(
        Case::new(
            Some(good(1)),
            vec![
                task(1, 0, ended(Outcome::Failed, 90)),
                task(1, 1, ended(Outcome::Failed, 60)),
                task(1, 2, LIVE),
            ],
            Some(record(1, 2, 2, None)),
        ),
        &["remove 1.0"],
        Some("LIVE"),
    );
}

#[test]
fn an_adopted_task_is_not_doubled_when_the_record_is_lost() {
    check(
        Case::new(Some(good(1)), vec![task(1, 4, LIVE)], None),
        &[],
        Some("LIVE"),
    );
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_replacing() {
    let future = Some((UnixMillis(NOW.0 + 1_000_000_000), Outcome::Failed));
    check(
        Case::new(Some(good(1)), vec![], Some(record(1, 0, 1, future))),
        &["put 1.1"],
        Some("STARTING"),
    );
}

/// What may happen between two looks at the directory.
#[derive(Clone, Debug)]
enum Happening {
    Edit(u64),
    Spoil,
    Delete,
    Die(bool),
    Forget,
    StopByUser,
    LoseRecord,
    CrashBeforeActions,
    Wait(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (1_u64..4).prop_map(Happening::Edit),
        Just(Happening::Spoil),
        Just(Happening::Delete),
        any::<bool>().prop_map(Happening::Die),
        Just(Happening::Forget),
        Just(Happening::StopByUser),
        Just(Happening::LoseRecord),
        Just(Happening::CrashBeforeActions),
        (1_u64..700).prop_map(Happening::Wait),
    ]
}

/// The directory with one file, an engine that stops at once when asked to, and the records.
#[derive(Default)]
struct Model {
    now: i64,
    file: Option<File>,
    tasks: Vec<FileTask>,
    records: BTreeMap<String, Record>,
}

impl Model {
    fn live(&self) -> usize {
        self.tasks.iter().filter(|task| task.is_live()).count()
    }

    fn end(&mut self, outcome: &Outcome) {
        let at = UnixMillis(self.now);
        for task in self.tasks.iter_mut().filter(|task| task.is_live()) {
            let outcome = match task.phase {
                // Stops under way end as what they were asked for.
                Phase::Live { stopping: true } => Outcome::Replaced,
                Phase::Live { .. } | Phase::Ended { .. } => outcome.clone(),
            };
            task.phase = Phase::Ended {
                outcome,
                at,
                ran: Duration::from_secs(1),
            };
        }
    }

    fn happen(&mut self, happening: &Happening) -> bool {
        match happening {
            Happening::Edit(n) => self.file = Some(File::Good(version(*n))),
            Happening::Spoil => self.file = Some(bad()),
            Happening::Delete => self.file = None,
            Happening::Die(well) => self.end(if *well {
                &Outcome::Completed
            } else {
                &Outcome::Failed
            }),
            Happening::Forget => self.tasks.retain(FileTask::is_live),
            Happening::StopByUser => self.end(&Outcome::Asked),
            Happening::LoseRecord => self.records.clear(),
            Happening::CrashBeforeActions => return false,
            Happening::Wait(secs) => self.now += i64::try_from(*secs * 1000).expect("small"),
        }
        true
    }

    fn look(&mut self, act: bool) {
        let file = self.file.clone();
        let before = self.live();
        let plan = plan(&Input {
            now: UnixMillis(self.now),
            policy: Policy::OnFailure,
            files: file
                .iter()
                .map(|file| (FILE.to_owned(), file.clone()))
                .collect(),
            tasks: [(FILE.to_owned(), self.tasks.clone())]
                .into_iter()
                .collect(),
            records: self.records.clone(),
        });
        self.records.clone_from(&plan.records);
        if matches!(file, Some(File::Bad(_))) && before > 0 {
            let stops = |action: &Action| match action {
                Action::Stop(arn) | Action::Remove(arn) => self
                    .tasks
                    .iter()
                    .any(|task| &task.arn == arn && task.phase == LIVE),
                Action::Put { .. } => true,
            };
            assert!(
                !plan.actions.iter().any(stops),
                "a bad file touched its task: {plan:?}"
            );
        }
        for action in plan.actions.into_iter().filter(|_| act) {
            match action {
                Action::Put { task, version, .. } => {
                    assert!(self.tasks.iter().all(|known| known.arn.task_id() != &task));
                    self.tasks.push(FileTask {
                        arn: arn(&task),
                        definition: version.definition,
                        options: version.options,
                        arrived_at: UnixMillis(self.now),
                        phase: LIVE,
                        removing: false,
                    });
                }
                Action::Stop(arn) => self.ask(&arn, false),
                Action::Remove(arn) => self.ask(&arn, true),
            }
        }
        assert!(self.live() <= 1, "two live tasks of one file");
    }

    fn ask(&mut self, arn: &TaskArn, removing: bool) {
        let task = self.tasks.iter_mut().find(|task| &task.arn == arn);
        let task = task.expect("only known tasks are asked");
        task.removing |= removing;
        if task.is_live() {
            task.phase = STOPPING;
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_file_has_one_live_task_and_in_the_end_what_it_says(
        happenings in proptest::collection::vec(happening(), 0..40),
    ) {
        let mut model = Model { now: NOW.0, ..Model::default() };
        for happening in &happenings {
            let act = model.happen(happening);
            model.look(act);
        }
        // A good file that has just been edited ends up running, once stops have had their time.
        model.happen(&Happening::Edit(9));
        for _ in 0..4 {
            model.look(true);
            let stopping = model.tasks.iter().any(|task| task.phase == STOPPING);
            if stopping {
                model.end(&Outcome::Replaced);
            }
        }
        let live: Vec<_> = model.tasks.iter().filter(|task| task.is_live()).collect();
        prop_assert_eq!(live.len(), 1);
        prop_assert_eq!(&live[0].definition, &definition("v9"));
        let before = model.records.clone();
        model.look(true);
        prop_assert_eq!(before, model.records, "a settled directory plans nothing");
    }
}
