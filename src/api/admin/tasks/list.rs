//! `GET /v1/tasks`: tasks in short, filtered, a page at a time.

use std::ops::Bound;

use axum::Json;
use axum::extract::State;

use crate::api::admin::state::AdminState;
use crate::api::observe::task::summary;
use crate::api::observe::task::wire::TaskList;
use crate::api::problem::Problem;
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::domain::status::TaskStatus;
use crate::reconcile::snapshot::Snapshot;

/// Most tasks in one answer.
pub(super) const MAX_PAGE: usize = 1_000;

/// What to list.
#[derive(Debug)]
struct Filter {
    status: Option<TaskStatus>,
    family: Option<String>,
    after: Option<TaskArn>,
    limit: usize,
}

impl Filter {
    fn of(mut params: Params) -> Result<Self, Problem> {
        let arn = |text: &str| TaskArn::parse(text).ok();
        let filter = Self {
            status: params.choice(
                "status",
                TaskStatus::from_text,
                "PENDING, CREATED, RUNNING and STOPPED",
            ),
            family: params.text("family"),
            after: params.choice("after", arn, "task ARNs, as `next` gave it"),
            limit: params.number("limit", 1..=MAX_PAGE).unwrap_or(MAX_PAGE),
        };
        params.finish()?;
        Ok(filter)
    }
}

/// List tasks.
#[utoipa::path(
    get, path = "/v1/tasks", operation_id = "listTasks", tag = "tasks",
    params(
        ("status" = Option<String>, Query, pattern = "^(PENDING|CREATED|RUNNING|STOPPED)$", description = "Only tasks that are `PENDING`, `CREATED`, `RUNNING` or `STOPPED`"),
        ("family" = Option<String>, Query, description = "Only tasks of this family"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "Most tasks in the answer, 1 to 1000"),
        ("after" = Option<String>, Query, pattern = "^arn:[a-z-]{1,16}:ecs:[a-z0-9-]{1,32}:[0-9]{12}:task/[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}$", description = "`next` of the answer before"),
    ),
    responses(
        (status = 200, body = TaskList, description = "Tasks by ARN"),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now"),
    ),
)]
pub(in crate::api) async fn list_tasks(
    State(state): State<AdminState>,
    params: Params,
) -> Result<Json<TaskList>, Problem> {
    let filter = Filter::of(params)?;
    let now = state.observe.clock.now();
    Ok(Json(page(&state.observe.engine.snapshot(), &filter, now)))
}

fn page(snapshot: &Snapshot, filter: &Filter, now: UnixMillis) -> TaskList {
    let start = filter
        .after
        .as_ref()
        .map_or(Bound::Unbounded, Bound::Excluded);
    let mut matching = snapshot
        .tasks
        .range((start, Bound::Unbounded))
        .filter(|(_, view)| {
            filter
                .status
                .is_none_or(|status| view.task.known.status == status)
        })
        .filter(|(_, view)| {
            let family = view.task.desired.definition.family.as_str();
            filter
                .family
                .as_deref()
                .is_none_or(|wanted| wanted == family)
        })
        .peekable();
    let page = matching.by_ref().take(filter.limit);
    let tasks: Vec<_> = page
        .map(|(_, view)| summary(view, &snapshot.engine, now))
        .collect();
    let next = matching
        .peek()
        .and(tasks.last())
        .map(|task| task.task_arn.clone());
    TaskList {
        now: now.into(),
        tasks,
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::admin::testing::{running, snapshot_of, task};

    fn check(filter: &Filter, ids: &[&str], more: bool) {
        let snapshot = snapshot_of([task("a"), running("b"), running("c"), task("d")]);
        let page = page(&snapshot, filter, UnixMillis(0));
        let found: Vec<_> = page
            .tasks
            .iter()
            .map(|task| task.task_id.as_str())
            .collect();
        assert_eq!(
            (found.as_slice(), page.next.is_some()),
            (ids, more),
            "{filter:?}"
        );
    }

    fn all() -> Filter {
        Filter {
            status: None,
            family: None,
            after: None,
            limit: MAX_PAGE,
        }
    }

    #[test]
    fn filters_and_pages() {
        let after = |id: &str| {
            let text = format!("arn:aws:ecs:local:000000000000:task/default/{id}");
            Some(TaskArn::parse(&text).expect("an arn"))
        };
        let status = Some(TaskStatus::Running);
        check(&all(), &["a", "b", "c", "d"], false);
        check(&Filter { status, ..all() }, &["b", "c"], false);
        check(
            &Filter {
                limit: 1,
                status,
                ..all()
            },
            &["b"],
            true,
        );
        check(
            &Filter {
                limit: 2,
                after: after("b"),
                ..all()
            },
            &["c", "d"],
            false,
        );
        check(
            &Filter {
                family: Some("other".to_owned()),
                ..all()
            },
            &[],
            false,
        );
    }
}
