//! The classic paths against everything that the reference agent was recorded to answer on 51678.
//!
//! The answers are in `tests/fixtures/http/introspection.json`, as they were. The tasks that the agent has here are
//! made from the recorded lists, so that every other question is about the same tasks. Status, type, place and body
//! are compared, byte for byte, but for these differences, which are written into the recorded bodies first:
//!
//! | here | there | why |
//! |---|---|---|
//! | tasks in the order of their ARNs, containers in that of their task | by chance | two answers can be compared |
//! | Docker names that end in digits of ours | others | they are a function of task, container and attempt |
//! | times to the millisecond | to the nanosecond | so they are kept |
//! | no entry for a container that was never made | one with an empty `DockerId` | it names no container that there is; the reason is in `/v1/why` |
//! | `/license` is 200 | 500 | the recorded agent had no licence file beside it |
//!
//! `Version` begins with another product where the agent is built (`app/listeners.rs`); here it is the recorded one.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, Method, Request};
use http_body_util::BodyExt as _;
use regex_lite::{Captures, Regex};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{About, IntrospectionState, classic_routes};
use crate::api::listeners::plain_layers;
use crate::api::view::sample::views;
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{DockerId, Family, TaskArn, UnixMillis};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::{PortBinding, Protocol};
use crate::domain::sample::{container, desired, name, port};
use crate::domain::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::domain::task::{KnownContainer, Task, TaskOptions};

const RECORDED: &str = include_str!("../../../tests/fixtures/http/introspection.json");

/// Note at the one answer that was asked for when the running task had been stopped.
const LATER: &str = "after stop";

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn instant(value: &Value) -> Option<UnixMillis> {
    let at: jiff::Timestamp = value.as_str()?.parse().unwrap();
    Some(UnixMillis(at.as_millisecond()))
}

fn bindings(ports: &Value) -> Vec<PortBinding> {
    let each = ports.as_array().into_iter().flatten();
    // The recorded answers leave the addresses out: all of IPv4, then all of IPv6.
    let mut bindings: Vec<PortBinding> = each
        .enumerate()
        .map(|(index, port)| PortBinding {
            container_port: number(&port["ContainerPort"]),
            protocol: match text(port, "Protocol") {
                "udp" => Protocol::Udp,
                _ => Protocol::Tcp,
            },
            bind_ip: ["0.0.0.0", "::"][index % 2].to_owned(),
            host_port: number(&port["HostPort"]),
        })
        .collect();
    // As the adapter of Docker gives them.
    bindings.sort();
    bindings
}

fn number(value: &Value) -> u16 {
    value.as_u64().unwrap().try_into().unwrap()
}

/// Rows that a task which is shown so would have.
fn task(shown: &Value) -> Task {
    let mut containers: Vec<&Value> = shown["Containers"].as_array().unwrap().iter().collect();
    containers.sort_by_key(|container| text(container, "Name").to_owned());
    let definitions = containers.iter().map(|shown| {
        let mut definition = container(text(shown, "Name"));
        // One of them was made of what is no reference, and never existed.
        definition.image = ImageRef::parse(text(shown, "Image")).unwrap_or(definition.image);
        if shown.get("StartedAt").is_none() {
            // It never ran: the ports are those that were asked for.
            definition.port_mappings = bindings(&shown["Ports"])
                .iter()
                .map(|bound| port(bound.container_port, Some(bound.host_port)))
                .collect();
        }
        definition
    });
    let family = Family::parse(text(shown, "Family")).unwrap();
    let mut definition = TaskDefinition::new(family, definitions.collect());
    definition.revision = text(shown, "Version").parse().unwrap();
    let mut task = Task::new(desired(definition, TaskOptions::default()));
    task.desired.arn = TaskArn::parse(text(shown, "Arn")).unwrap();
    if text(shown, "DesiredStatus") == "STOPPED" {
        task.desired.status = DesiredStatus::Stopped;
    }
    task.known.status = match text(shown, "KnownStatus") {
        "RUNNING" => TaskStatus::Running,
        "STOPPED" => TaskStatus::Stopped,
        _ => TaskStatus::Pending,
    };
    let known = containers.iter().map(|shown| {
        let known = KnownContainer {
            status: match task.known.status {
                TaskStatus::Running => ContainerStatus::Running,
                TaskStatus::Pending | TaskStatus::Created | TaskStatus::Stopped => {
                    ContainerStatus::Stopped
                }
            },
            docker_id: DockerId::parse(text(shown, "DockerId")).ok(),
            image_id: Some(text(shown, "ImageID").to_owned()),
            created_at: instant(&shown["CreatedAt"]),
            started_at: instant(&shown["StartedAt"]),
            bindings: match shown.get("StartedAt") {
                Some(_) => bindings(&shown["Ports"]),
                None => Vec::new(),
            },
            ..KnownContainer::default()
        };
        (name(text(shown, "Name")), known)
    });
    task.known.containers = known.collect();
    task
}

/// A recorded body of a task as it is to be here.
fn one(mut shown: Value) -> Value {
    let of = task(&shown);
    if let Some(containers) = shown["Containers"].as_array_mut() {
        containers.retain(|container| !text(container, "DockerId").is_empty());
        containers.sort_by_key(|container| container["Name"].to_string());
        for container in containers {
            let ours = of.desired.docker_name(&name(text(container, "Name")), 0);
            container["DockerName"] = ours.into();
        }
    }
    shown
}

/// A recorded body as it is to be here. Members keep their order.
fn expected(body: &str) -> String {
    let Ok(mut shown) = serde_json::from_str::<Value>(body) else {
        return body.to_owned();
    };
    if let Some(tasks) = shown.get_mut("Tasks").and_then(Value::as_array_mut) {
        *tasks = tasks.iter().cloned().map(one).collect();
        tasks.sort_by_key(|task| task["Arn"].to_string());
    } else if text(&shown, "Arn").is_empty() {
        return body.to_owned();
    } else {
        shown = one(shown);
    }
    let times = Regex::new(r":([0-9]{2})\.([0-9]{3})[0-9]+Z").unwrap();
    let to_milliseconds = |found: &Captures<'_>| {
        let fraction = found[2].trim_end_matches('0');
        format!(":{}.{fraction}Z", &found[1])
    };
    let whole = shown.to_string();
    times.replace_all(&whole, to_milliseconds).into_owned()
}

/// An agent with the tasks of that recorded list.
fn agent(list: &Value, metadata: &Value) -> Router {
    let body: Value = serde_json::from_str(text(list, "body")).unwrap();
    let tasks: Vec<Task> = body["Tasks"].as_array().unwrap().iter().map(task).collect();
    assert!(tasks.len() > 10);
    let said: Value = serde_json::from_str(text(metadata, "body")).unwrap();
    let about = About {
        cluster: text(&said, "Cluster").to_owned(),
        version: text(&said, "Version").to_owned(),
    };
    let instance = text(&said, "ContainerInstanceArn").to_owned();
    let instance = Arc::new(move || Some(instance.clone()));
    let state = IntrospectionState::new(views(tasks), about, instance);
    plain_layers(classic_routes(state))
}

/// Compares one answer.
async fn check(router: &Router, entry: &Value) {
    let (method, path) = (text(entry, "method"), text(entry, "path"));
    let shown = format!("{method} {path}");
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::builder().method(&method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = u64::from(response.status().as_u16());
    let (head, body) = response.into_parts();
    let header = |name: HeaderName| {
        let value = head.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (kind, location) = (header(CONTENT_TYPE), header(LOCATION));
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert_eq!(kind.as_deref(), entry["content-type"].as_str(), "{shown}");
    assert_eq!(location.as_deref(), entry["location"].as_str(), "{shown}");
    if path == "/license" {
        assert_eq!((status, body.is_empty()), (200, false), "{shown}");
        return;
    }
    assert_eq!(status, entry["status"], "{shown}");
    assert_eq!(body, expected(text(entry, "body")), "{shown}");
}

#[tokio::test]
async fn every_question_is_answered_as_recorded() {
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    assert_eq!(recorded.len(), 30);
    let of = |path: &str, note: Option<&str>| {
        let found = recorded
            .iter()
            .find(|entry| text(entry, "path") == path && entry["note"].as_str() == note);
        found.unwrap()
    };
    let metadata = of("/v1/metadata", None);
    let running = agent(of("/v1/tasks", None), metadata);
    let stopped = agent(of("/v1/tasks", Some(LATER)), metadata);
    for entry in &recorded {
        let router = if text(entry, "note") == LATER {
            &stopped
        } else {
            &running
        };
        check(router, entry).await;
    }
}
