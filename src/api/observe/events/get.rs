//! `GET /v1/events`: the event log and its continuation.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::encode::Encoding;
use super::follow::{After, Only, Reader, Wanted};
use super::read::page;
use super::wire::{StreamItem, StreamSync};
use crate::api::observe::error::unreadable;
use crate::api::observe::select::{SelectError, name, resolve};
use crate::api::observe::state::{ListenerShutdown, ObserveState, Streams};
use crate::api::observe::task::summary;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::query::Params;
use crate::api::wire::ProblemDocument;
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::reconcile::snapshot::Snapshot;

/// Read the event log.
///
/// Oldest first. With `follow` the stream goes on with what comes and has a heartbeat every 15 seconds of silence.
/// A reader that is too slow is sent away with `end` and the place to go on from. The number of open streams is limited.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "readEvents", tag = "events",
    params(
        ("task" = Option<String>, Query, description = "Only of this task: id, ARN or the beginning of one id; removed ones too, by id or ARN"),
        ("after" = Option<String>, Query, pattern = "^(latest|[0-9]{1,18})$", description = "Begin after this sequence, or after what is there now: `latest`; default 0. With `follow` nothing that comes after a place above 0 may be missing"),
        ("container" = Option<String>, Query, description = "Only about containers of this name"),
        ("kind" = Option<String>, Query, description = "Only of these kinds, separated by commas: `Started,Stopped`"),
        ("snapshot" = Option<bool>, Query, description = "First every task as it is, as `task` items, then `sync`; what follows happened after that"),
        ("follow" = Option<bool>, Query, description = "Go on with what comes"),
        ("limit" = Option<u32>, Query, minimum = 1, description = "At most so many"),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "As `after`, sent by clients that reconnect; it wins over `after`, and nothing that follows may be missing"),
        ("Accept" = Option<String>, Header, description = "`text/event-stream` for server-sent events"),
    ),
    responses(
        (status = 200, description = "An object a line, or server-sent events",
            content((StreamItem = "application/x-ndjson"), (String = "text/event-stream"))),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json", description = "Bad query or header"),
        (status = 404, body = ProblemDocument, content_type = "application/problem+json", description = "No such task"),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json", description = "Several ids begin so; `candidates` names them"),
        (status = 410, body = ProblemDocument, content_type = "application/problem+json", description = "The place to go on from is too old or not reached: events after it are gone; `detail` names the first that is there"),
        (status = "5XX", body = ProblemDocument, content_type = "application/problem+json", description = "The agent cannot do it now, or has no stream left"),
    ),
)]
pub(in crate::api) async fn read_events(
    State(state): State<ObserveState>,
    State(streams): State<Streams>,
    shutdown: Option<Extension<ListenerShutdown>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    let (asked, mut wanted) = wanted(params, &headers)?;
    let place = streams.enter()?;
    // Before the log is read, so that nothing falls in between.
    let live = state.engine.events();
    if let Some(text) = asked.task {
        wanted.only.task = Some(find(&text, &state).await?);
    }
    let snapshot = state.engine.snapshot();
    let mut told = Vec::new();
    match asked.begin {
        Begin::Snapshot => {
            wanted.after = After::Snapshot(snapshot.engine.last_event);
            told = tell(&snapshot, wanted.only.task.as_ref(), state.clock.now());
        }
        Begin::Latest => wanted.after = After::Snapshot(snapshot.engine.last_event),
        Begin::After(place) => wanted.after = After::Sequence(place),
        Begin::GoOn(place) => {
            refuse_gap(&state, wanted.only.task.as_ref(), place).await?;
            wanted.after = After::Sequence(place);
        }
    }
    let shutdown = shutdown.map_or_else(CancellationToken::new, |Extension(token)| token.0);
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let encoding = Encoding::of_accept(accept);
    let reader = Reader::new(state.store, live, shutdown, wanted, place);
    let items = reader.telling(told).into_stream();
    let body = Body::from_stream(items.map(move |item| encoding.write(&item)));
    let headers = [
        (CONTENT_TYPE, encoding.content_type()),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

/// What is still to be looked up.
struct Asked {
    task: Option<String>,
    begin: Begin,
}

/// Where a reader asks to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// With all tasks as they are.
    Snapshot,
    /// With what comes.
    Latest,
    /// After a place, with what there is.
    After(i64),
    /// After a place that it has come to, with all that followed.
    GoOn(i64),
}

/// Somebody who goes on where he was is not told of a gap by leaving it out.
async fn refuse_gap(
    state: &ObserveState,
    task: Option<&TaskArn>,
    place: i64,
) -> Result<(), Problem> {
    let gone = state.store.events_gone_after(task, place).await;
    match gone.map_err(unreadable)? {
        None => Ok(()),
        Some(first) => Err(Problem::new(ProblemKind::EventsGone).detail(format!(
            "events after {place} are gone, the log begins with {first}"
        ))),
    }
}

/// Every task, or the one, as it is; then the place in the log that they stand for.
fn tell(snapshot: &Snapshot, only: Option<&TaskArn>, now: UnixMillis) -> Vec<StreamItem> {
    let wanted = |arn: &&TaskArn| only.is_none_or(|only| only == *arn);
    let tasks = snapshot.tasks.iter().filter(|(arn, _)| wanted(arn));
    let tasks = tasks.map(|(_, view)| summary(view, &snapshot.engine, now));
    let sync = StreamItem::Sync(StreamSync {
        sequence: snapshot.engine.last_event,
    });
    tasks
        .map(|task| StreamItem::Task(Box::new(task)))
        .chain([sync])
        .collect()
}

fn wanted(mut params: Params, headers: &HeaderMap) -> Result<(Asked, Wanted), Problem> {
    let task = params.text("task");
    let snapshot = params.flag("snapshot").then_some(Begin::Snapshot);
    let resumes = last_event_id(headers)?.map(Begin::GoOn);
    let kinds = params.text("kind").unwrap_or_default();
    let kinds = kinds.split(',').filter(|kind| !kind.is_empty());
    let after = params.choice("after", read_after, "whole numbers from 0, and latest");
    let follow = params.flag("follow");
    let after = after.map(|begin| match begin {
        // Nobody has come to the place before the first.
        Begin::After(place) if follow && place > 0 => Begin::GoOn(place),
        Begin::After(_) | Begin::GoOn(_) | Begin::Latest | Begin::Snapshot => begin,
    });
    let begin = snapshot.or(resumes).or(after);
    let asked = Asked {
        task,
        begin: begin.unwrap_or(Begin::After(0)),
    };
    let wanted = Wanted {
        only: Only {
            task: None,
            container: params.text("container"),
            kinds: kinds.map(str::to_owned).collect(),
        },
        after: After::Sequence(0),
        follow,
        limit: params.number("limit", 1..=u32::MAX),
    };
    params.finish()?;
    Ok((asked, wanted))
}

fn read_after(text: &str) -> Option<Begin> {
    if text == "latest" {
        return Some(Begin::Latest);
    }
    let sequence = text.parse().ok().filter(|sequence| *sequence >= 0);
    sequence.map(Begin::After)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let sequence = value.to_str().ok().and_then(|text| text.parse().ok());
    match sequence.filter(|sequence| *sequence >= 0) {
        Some(sequence) => Ok(Some(sequence)),
        None => Err(Problem::field(
            "header.Last-Event-ID",
            "must be a whole number from 0",
        )),
    }
}

/// The task that `text` means, among those that are there and those that only the log remembers.
async fn find(text: &str, state: &ObserveState) -> Result<TaskArn, Problem> {
    let snapshot = state.engine.snapshot();
    let missing = match resolve(text, &snapshot) {
        Ok(view) => return Ok(view.task.arn().clone()),
        Err(missing @ SelectError::NotFound(_)) => missing,
        Err(ambiguous @ SelectError::Ambiguous(..)) => return Err(ambiguous.into()),
    };
    let Ok(arn) = name(text, &state.cluster, &snapshot) else {
        return Err(missing.into());
    };
    let remembered = page(state.store.as_ref(), Some(&arn), 0)
        .await
        .map_err(unreadable)?;
    if remembered.is_empty() {
        Err(missing.into())
    } else {
        Ok(arn)
    }
}
