//! Tasks of files that the engine does not know any more and whose end was not seen. Pure.
//!
//! A task can end, be cleaned up and forgotten between two looks: somebody removes it, or the agent or the directory is
//! away for longer than ended tasks are kept. Its timeline outlives its rows and says how it ended; a task that was
//! decided and never put has none.

use std::time::Duration;

use super::plan::{File, Input};
use crate::boundary::store::StoredEvent;
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{ClusterName, ContainerName, TaskArn, UnixMillis};
use crate::domain::outcome::Outcome;
use crate::domain::reason::ReasonName;
use crate::domain::task::TaskEvent;

/// Files that would have their task put again, with its key: decided, without an end on record, and not known.
pub(super) fn vanished(input: &Input, cluster: &ClusterName) -> Vec<(String, TaskArn)> {
    let gone = input.records.iter().filter(|(name, record)| {
        let same =
            |file: &File| matches!(file, File::Good(version) if version.content == record.content);
        let tasks = input
            .tasks
            .get(*name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        record.ended.is_none()
            && input.files.get(*name).is_some_and(same)
            && tasks.iter().all(|task| task.arn.task_id() != &record.task)
    });
    gone.map(|(name, record)| (name.clone(), TaskArn::standalone(cluster, &record.task)))
        .collect()
}

/// How a task ended of which nothing but its timeline is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// When; where it was asked for, then.
    pub(super) at: UnixMillis,
    /// How.
    pub(super) outcome: Outcome,
    /// How long it ran; zero if it never did.
    pub(super) ran: Duration,
}

/// What a timeline says of the last task in it.
#[derive(Debug, Default)]
struct Story<'e> {
    /// When somebody asked for the end of a task that had not ended.
    asked: Option<UnixMillis>,
    /// The watch itself did so.
    replaced: bool,
    running: Option<UnixMillis>,
    stopped: Option<UnixMillis>,
    /// The end of the essential container that ended first.
    first_end: Option<&'e TaskEvent>,
}

/// How the last task in a timeline ended, as a look at it would have found; `None` = it has not, as far as is told.
pub(super) fn end_of(timeline: &[StoredEvent], definition: &TaskDefinition) -> Option<End> {
    let mut story = Story::default();
    for event in timeline.iter().map(|stored| &stored.event) {
        if event.kind == TaskEvent::RECEIVED {
            story = Story::default();
        } else if story.stopped.is_none() {
            story.take(event, definition);
        }
    }
    let (at, outcome) = match (story.asked, story.stopped) {
        (Some(asked), _) => (asked, Outcome::Asked),
        (None, None) => return None,
        (None, Some(stopped)) => (stopped, story.own_outcome()),
    };
    let ran = story.running.map(|running| at.since(running));
    Some(End {
        at,
        outcome,
        ran: ran.unwrap_or_default(),
    })
}

impl<'e> Story<'e> {
    /// Of an end that nobody else asked for.
    fn own_outcome(&self) -> Outcome {
        if self.replaced {
            Outcome::Replaced
        } else if self.first_end.and_then(TaskEvent::exit_code) == Some(0) {
            Outcome::Completed
        } else {
            Outcome::Failed
        }
    }

    fn take(&mut self, event: &'e TaskEvent, definition: &TaskDefinition) {
        let essential = |name: &ContainerName| {
            let found = definition.container(name);
            found.is_some_and(|container| container.essential)
        };
        match (event.kind.as_str(), &event.container) {
            (TaskEvent::STOP_WANTED, None) if is_somebodys(event) => {
                self.asked = self.asked.or(Some(event.at));
            }
            (TaskEvent::STOP_WANTED, None) => self.replaced = true,
            (TaskEvent::RUNNING, None) => self.running = Some(event.at),
            (TaskEvent::TASK_STOPPED, None) => self.stopped = Some(event.at),
            (TaskEvent::STOPPED, Some(name)) if essential(name) => {
                self.first_end = self.first_end.or(Some(event));
            }
            _ => {}
        }
    }
}

/// Whether the wish to stop is not the watch's own.
fn is_somebodys(event: &TaskEvent) -> bool {
    let name = event.message.split(':').next().unwrap_or_default();
    ReasonName::from_text(name) != Some(ReasonName::Replaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TaskId;
    use crate::domain::sample;

    /// A timeline of `second container kind message`, where `task` stands for no container.
    fn timeline(lines: &[&str]) -> Vec<StoredEvent> {
        let cluster = ClusterName::parse("default").unwrap();
        let arn = TaskArn::standalone(&cluster, &TaskId::parse("a").unwrap());
        let event = |(sequence, line): (i64, &&str)| {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            let event = TaskEvent {
                arn: arn.clone(),
                at: UnixMillis(words[0].parse::<i64>().unwrap() * 1000),
                container: (words[1] != "task").then(|| sample::name(words[1])),
                kind: words[2].to_owned(),
                message: words[3].to_owned(),
            };
            StoredEvent { sequence, event }
        };
        (1..).zip(lines).map(event).collect()
    }

    /// `app` and `web` are essential, `side` is not. The end in words; empty = there is none.
    fn check(lines: &[&str]) -> String {
        let mut definition = sample::definition(&["app", "web", "side"]);
        definition.containers[2].essential = false;
        let lines = [&["1 task Received web:1"], lines].concat();
        end_of(&timeline(&lines), &definition).map_or_else(String::new, |end| {
            let (at, ran) = (end.at.0 / 1000, end.ran.as_secs());
            format!("{:?} at {at} after {ran}", end.outcome)
        })
    }

    #[test]
    fn a_timeline_says_whether_somebody_wanted_the_end() {
        assert_eq!(check(&[]), "");
        let asked = "2 task StopWanted UserInitiated: by hand";
        assert_eq!(check(&[asked]), "Asked at 2 after 0");
        let removed = [
            asked,
            "3 app Stopped exited with code 0",
            "3 task TaskStopped UserInitiated: by hand",
            "4 task Removed everything of the task is gone",
        ];
        assert_eq!(check(&removed), "Asked at 2 after 0");
        // Put again since.
        let again = [&removed[..], &["5 task Received web:1"]].concat();
        assert_eq!(check(&again), "");
        // The watch itself wanted it.
        let replaced = "2 task StopWanted Replaced: its file is newer";
        assert_eq!(check(&[replaced]), "");
        let stopped = "3 task TaskStopped Replaced: its file is newer";
        assert_eq!(check(&[replaced, stopped]), "Replaced at 3 after 0");
    }

    #[test]
    fn a_task_that_had_ended_before_anybody_wanted_its_end_is_told_as_it_ended() {
        let running = "2 task Running every container runs or has done its work";
        let stopped = "9 task TaskStopped EssentialContainerExited: app";
        let by_hand = "10 task StopWanted UserInitiated: by hand";
        let of_watch = "10 task StopWanted Replaced: its file has a newer task";
        let done = "8 app Stopped exited with code 0";
        for later in [&[][..], &[by_hand], &[of_watch]] {
            let completed = [&[running, done, stopped], later].concat();
            assert_eq!(check(&completed), "Completed at 9 after 7", "{later:?}");
        }
        let failed = "8 app Stopped exited with code 3: OutOfMemoryError: killed";
        let killed = "9 web Stopped exited with code 137";
        let optional = "7 side Stopped exited with code 1";
        for (ends, outcome) in [
            (&[failed][..], "Failed"),
            (&["8 app Stopped ended with an unknown exit code"], "Failed"),
            (&[], "Failed"),
            // The essential one that ended first decides.
            (&[done, killed], "Completed"),
            (&[failed, "9 web Stopped exited with code 0"], "Failed"),
            (&[optional, done], "Completed"),
        ] {
            let lines = [ends, &[stopped, by_hand]].concat();
            assert_eq!(check(&lines), format!("{outcome} at 9 after 0"), "{ends:?}");
        }
    }
}
