//! Which task a person means: what the API takes (id, ARN, beginning of one id), and the name of a family.

use hyper::Method;

use super::client::{Ask, Client, ClientError, encode};
use crate::api::observe::task::wire::{TaskDetail, TaskList, TaskSummary};
use crate::api::problem::ProblemKind;

/// Most tasks named in an error.
const MAX_NAMED: usize = 10;

/// Why a selector is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Nothing matches.
    #[error("no task has the id, id prefix, ARN or family {0:?}: `berth ps` shows what is there")]
    NotFound(String),
    /// Several tasks of that family.
    #[error("there are several tasks of family {family:?}, name one by its id: {}", .ids.join(", "))]
    SeveralOfFamily {
        /// Family.
        family: String,
        /// Their ids, at most ten.
        ids: Vec<String>,
    },
}

/// The task that `selector` means. A family stands for its only task that has not stopped, or, if all have, for its
/// only task.
///
/// # Errors
/// [`SelectorError`] if it means none or several; [`ClientError`] if the agent cannot be asked.
pub async fn select(client: &Client, selector: &str) -> anyhow::Result<TaskSummary> {
    let direct: Result<TaskDetail, _> =
        client.get(&format!("/v1/tasks/{}", encode(selector))).await;
    match direct {
        Ok(task) => return Ok(task.summary),
        Err(ClientError::Problem(problem)) if problem.kind == ProblemKind::TaskNotFound.urn() => {}
        Err(error) => return Err(error.into()),
    }
    let path = format!("/v1/tasks?family={}", encode(selector));
    let list: TaskList = client.ask(Ask::new(Method::GET, path)).await?;
    Ok(only(selector, list.tasks)?)
}

fn only(family: &str, tasks: Vec<TaskSummary>) -> Result<TaskSummary, SelectorError> {
    let (stopped, live): (Vec<_>, Vec<_>) =
        tasks.into_iter().partition(|task| task.status == "STOPPED");
    let mut tasks = if live.is_empty() { stopped } else { live };
    match (tasks.len(), tasks.pop()) {
        (1, Some(task)) => Ok(task),
        (_, None) => Err(SelectorError::NotFound(family.to_owned())),
        (_, Some(last)) => {
            let ids = tasks.into_iter().chain([last]).map(|task| task.task_id);
            Err(SelectorError::SeveralOfFamily {
                family: family.to_owned(),
                ids: ids.take(MAX_NAMED).collect(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::summary;

    #[test]
    fn a_family_stands_for_its_only_live_task() {
        let live = |id| summary(id, "RUNNING");
        let stopped = |id| summary(id, "STOPPED");
        let id = |tasks| only("web", tasks).map(|task| task.task_id);
        assert_eq!(
            id(vec![stopped("a"), live("b"), stopped("c")]).as_deref(),
            Ok("b")
        );
        assert_eq!(id(vec![stopped("a")]).as_deref(), Ok("a"));
        assert_eq!(id(vec![]), Err(SelectorError::NotFound("web".to_owned())));
        for tasks in [
            vec![live("a"), live("b"), stopped("c")],
            vec![stopped("a"), stopped("b")],
        ] {
            let Err(SelectorError::SeveralOfFamily { ids, .. }) = id(tasks) else {
                panic!("not several");
            };
            assert_eq!(ids, ["a", "b"]);
        }
    }
}
