//! `/v1/tasks`: all tasks, or the one of an ARN or of a container's id.

use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;

use super::router::{IntrospectionState, json};
use super::wire;
use crate::api::view::{Entry, Indexed};
use crate::domain::ids::{DockerId, TaskArn};

/// Longest text that is taken for the beginning of an id.
const LONGEST_PREFIX: usize = 12;

pub(super) async fn get(State(state): State<IntrospectionState>, uri: Uri) -> Response {
    let indexed = state.views.now();
    let given = Query::<Vec<(String, String)>>::try_from_uri(&uri);
    // What cannot be read as parameters has none that is known.
    let given = given.map_or_else(|_| Vec::new(), |Query(pairs)| pairs);
    let parameter = |name: &str| {
        given
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    };
    match (parameter("taskarn"), parameter("dockerid")) {
        (None, None) => json(StatusCode::OK, list(&indexed)),
        (Some(_), Some(_)) => refused(StatusCode::BAD_REQUEST),
        (Some(arn), None) => {
            let found = TaskArn::parse(arn).ok();
            one(found.and_then(|arn| indexed.task(&arn)))
        }
        (None, Some(id)) if id.len() > LONGEST_PREFIX => {
            let found = DockerId::parse(id).ok();
            one(found.and_then(|id| Some(indexed.docker_id(&id)?.0)))
        }
        (None, Some(id)) => match indexed.docker_id_prefix(id).as_slice() {
            [] => one(None),
            [entry] => one(Some(entry)),
            _ => refused(StatusCode::BAD_REQUEST),
        },
    }
}

fn list(indexed: &Indexed) -> Bytes {
    let encode = || {
        let tasks = indexed.entries().iter();
        let tasks = tasks.map(|entry| wire::Task::from(entry.seen())).collect();
        encoded(&wire::Tasks { tasks })
    };
    indexed.list.get_or_init(encode).clone()
}

fn one(entry: Option<&Entry>) -> Response {
    let Some(entry) = entry else {
        return refused(StatusCode::NOT_FOUND);
    };
    let encode = || encoded(&wire::Task::from(entry.seen()));
    json(StatusCode::OK, entry.classic.get_or_init(encode).clone())
}

/// An empty task with the status of the error, as ECS agents answer.
fn refused(status: StatusCode) -> Response {
    json(status, encoded(&wire::Task::default()))
}

fn encoded(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body).unwrap_or_default().into()
}
