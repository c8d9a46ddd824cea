//! Which task a text means.
//!
//! Reading takes an id, a full ARN or a prefix that only one task has. Changing takes an id or a full ARN and nothing
//! else: a repeated `DELETE /v1/tasks/job-1` must never hit `job-10` because `job-1` is gone by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use super::state::ObserveState;
use crate::api::problem::{Problem, ProblemKind};
use crate::domain::ids::{ClusterName, TaskArn, TaskId};
use crate::reconcile::snapshot::{Snapshot, TaskView};

/// Most candidates named in an answer.
const MAX_CANDIDATES: usize = 20;

/// Why a text means no task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// None.
    #[error("no task has the id, id prefix or ARN {0:?}")]
    NotFound(String),
    /// Several. Holds the text and at most twenty of them.
    #[error("{0:?} is the beginning of several task ids")]
    Ambiguous(String, Vec<TaskArn>),
}

impl From<SelectError> for Problem {
    fn from(error: SelectError) -> Self {
        let detail = error.to_string();
        match error {
            SelectError::NotFound(_) => Self::new(ProblemKind::TaskNotFound).detail(detail),
            SelectError::Ambiguous(_, arns) => Self::new(ProblemKind::AmbiguousTask)
                .detail(detail)
                .candidates(arns.iter().map(ToString::to_string).collect()),
        }
    }
}

/// The one task that `text` means: an ARN or id exactly, else the only one whose id begins so.
///
/// # Errors
/// [`SelectError`] if there is none or several.
pub fn resolve(text: &str, snapshot: &Snapshot) -> Result<Arc<TaskView>, SelectError> {
    let exact = |arn: &TaskArn| arn.as_str() == text || arn.task_id().as_str() == text;
    if let Some((_, view)) = snapshot.tasks.iter().find(|(arn, _)| exact(arn)) {
        return Ok(Arc::clone(view));
    }
    let mut matching = snapshot
        .tasks
        .iter()
        .filter(|(arn, _)| !text.is_empty() && arn.task_id().as_str().starts_with(text));
    match (matching.next(), matching.next()) {
        (None, _) => Err(SelectError::NotFound(text.to_owned())),
        (Some((_, view)), None) => Ok(Arc::clone(view)),
        (Some((first, _)), Some((second, _))) => {
            let arns = [first, second]
                .into_iter()
                .chain(matching.map(|(arn, _)| arn));
            let arns = arns.take(MAX_CANDIDATES).cloned().collect();
            Err(SelectError::Ambiguous(text.to_owned(), arns))
        }
    }
}

/// The key that `text` names exactly, whether or not there is such a task.
///
/// # Errors
/// In words, if it is neither a task id nor an ARN of this cluster or of a task in the snapshot.
pub fn name(text: &str, cluster: &ClusterName, snapshot: &Snapshot) -> Result<TaskArn, String> {
    let known = |arn: &&TaskArn| arn.as_str() == text || arn.task_id().as_str() == text;
    if let Some(arn) = snapshot.tasks.keys().find(known) {
        return Ok(arn.clone());
    }
    if !text.starts_with("arn:") {
        let id = TaskId::parse(text).map_err(|error| error.to_string())?;
        return Ok(TaskArn::standalone(cluster, &id));
    }
    let arn = TaskArn::parse(text).map_err(|error| error.to_string())?;
    let ours = TaskArn::standalone(cluster, arn.task_id());
    if arn == ours {
        Ok(arn)
    } else {
        Err(format!(
            "is not a task of this host; the ARN would be {ours}"
        ))
    }
}

/// The task of the path, for reading.
pub(in crate::api) struct SelectedTask {
    pub(in crate::api) view: Arc<TaskView>,
    pub(in crate::api) snapshot: Arc<Snapshot>,
    pub(in crate::api) rest: BTreeMap<String, String>,
}

impl<S> FromRequestParts<S> for SelectedTask
where
    S: Send + Sync,
    ObserveState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &S) -> Result<Self, Problem> {
        let mut rest = path_params(parts).await?;
        let snapshot = ObserveState::from_ref(shared).engine.snapshot();
        let view = resolve(&rest.remove("id").unwrap_or_default(), &snapshot)?;
        Ok(Self {
            view,
            snapshot,
            rest,
        })
    }
}

/// The parameters of the path, decoded.
pub(in crate::api) async fn path_params(
    parts: &mut Parts,
) -> Result<BTreeMap<String, String>, Problem> {
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::field("path.id", "is not percent-encoded UTF-8"))?;
    Ok(params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::admin::testing::{snapshot_of, task};

    fn check(ids: &[&str], text: &str, expected: Result<&str, usize>) {
        let snapshot = snapshot_of(ids.iter().map(|id| task(id)));
        let found = match resolve(text, &snapshot) {
            Ok(view) => Ok(view.task.arn().task_id().as_str().to_owned()),
            Err(SelectError::NotFound(_)) => Err(0),
            Err(SelectError::Ambiguous(_, arns)) => Err(arns.len()),
        };
        assert_eq!(
            found.as_deref(),
            expected.as_ref().map(|id| *id),
            "{text} of {ids:?}"
        );
    }

    #[test]
    fn an_id_an_arn_or_a_prefix_of_one_task_only() {
        check(&["abc1", "abd2"], "abc1", Ok("abc1"));
        check(&["abc1", "abd2"], "abc", Ok("abc1"));
        check(&["abc1", "abd2"], "ab", Err(2));
        check(&["abc1", "abd2"], "", Err(0));
        check(&["abc1", "abd2"], "x", Err(0));
        check(&["web", "web-1"], "web", Ok("web"));
        let arn = "arn:aws:ecs:local:000000000000:task/default/abd2";
        check(&["abc1", "abd2"], arn, Ok("abd2"));
    }

    #[test]
    fn candidates_are_limited() {
        let ids: Vec<String> = (0..100).map(|n| format!("t{n:03}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        check(&ids, "t", Err(MAX_CANDIDATES));
    }

    #[test]
    fn a_change_never_takes_a_prefix() {
        let cluster = ClusterName::parse("default").expect("a name");
        let snapshot = snapshot_of([task("job-10")]);
        let arn = name("job-1", &cluster, &snapshot).expect("a key");
        assert_eq!(arn.task_id().as_str(), "job-1");
        assert!(name("a/b", &cluster, &snapshot).is_err());
        let foreign = "arn:aws:ecs:eu-west-1:123456789012:task/default/a";
        assert!(name(foreign, &cluster, &snapshot).is_err());
    }
}
