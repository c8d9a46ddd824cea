//! The server against everything that the reference agent was recorded to answer about credentials and metadata.
//!
//! The answers are in `tests/fixtures/http/`, as they were. What is different here on purpose is written into them
//! before they are compared: names that Docker has containers under, and times, which are kept to the millisecond. The reference agent
//! shows the containers of a task in an order by chance; here they have that of the definition, which is also that of
//! their names. Left out are the recorded statistics, which were measured, and the rate, which is a decision.

use axum::http::Method;
use regex_lite::{Captures, Regex};
use serde_json::Value;

use super::testing::{asked, server};
use crate::api::view::sample::docker_name;

const METADATA: &str = include_str!("../../../tests/fixtures/http/task-metadata.json");

const CREDENTIALS: &str = include_str!("../../../tests/fixtures/http/credentials.json");

/// A recorded body as it is to be here.
fn expected(body: &str) -> String {
    let names = Regex::new("ecs-lab-1-(main|side)-[0-9a-f]{20}").unwrap();
    let ours = names.replace_all(body, |found: &Captures<'_>| docker_name(&found[1]));
    let times = Regex::new(r":([0-9]{2})\.([0-9]{3})[0-9]+Z").unwrap();
    let to_milliseconds = |found: &Captures<'_>| {
        let fraction = found[2].trim_end_matches('0');
        format!(":{}.{fraction}Z", &found[1])
    };
    in_order(&times.replace_all(&ours, to_milliseconds))
}

/// With containers in the order of their names; what is no task stays as it is.
fn in_order(body: &str) -> String {
    let Ok(mut task) = serde_json::from_str::<Value>(body) else {
        return body.to_owned();
    };
    let Some(containers) = task.get_mut("Containers").and_then(Value::as_array_mut) else {
        return body.to_owned();
    };
    containers.sort_by_key(|container| container["Name"].to_string());
    // Members keep their order.
    task.to_string()
}

async fn check(recorded: &str) {
    let (router, _work) = server();
    let recorded: Vec<Value> = serde_json::from_str(recorded).unwrap();
    assert!(recorded.len() > 10);
    for entry in recorded {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        let (method, path) = (text("method").unwrap(), text("path").unwrap());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = asked(&router, method.clone(), &path).await;
        assert_eq!(u64::from(answer.status), entry["status"], "{path}");
        assert_eq!(answer.kind, text("content-type"), "{path}");
        assert_eq!(answer.sniffing, text("x-content-type-options"), "{path}");
        assert_eq!(answer.location, text("location"), "{path}");
        // A body that is asked for by HEAD is left out where it is written to a connection.
        if method != Method::HEAD {
            assert_eq!(answer.body, expected(&text("body").unwrap()), "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_are_answered_as_recorded() {
    check(CREDENTIALS).await;
}

#[tokio::test(start_paused = true)]
async fn metadata_is_answered_as_recorded() {
    check(METADATA).await;
}
