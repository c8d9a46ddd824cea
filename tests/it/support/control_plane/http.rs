//! The ECS API: JSON 1.1 over HTTP/1.1.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Call, INSTANCE, State, locked, signature};

const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(super) async fn serve<S>(mut stream: S, state: Arc<Mutex<State>>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        if locked(&state).away {
            return;
        }
        let (status, body) = answer(&request, &state);
        let text = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        if stream
            .write_all(&[head.as_bytes(), text.as_bytes()].concat())
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn read<S>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Request>
where
    S: AsyncRead + Unpin,
{
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < head_end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(head_end + 4 + length);
    let body = std::mem::replace(buffer, rest).split_off(head_end + 4);
    Some(Request {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers,
        body,
    })
}

fn answer(request: &Request, state: &Mutex<State>) -> (u16, Value) {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut state = locked(state);
    // The SDK writes the whole address also through a tunnel; the signature covers the path.
    let path = request.path.strip_prefix(state.url.as_str());
    let checked = signature::check(
        &request.method,
        path.unwrap_or(&request.path),
        &request.headers,
        &request.body,
    );
    if let Err(why) = checked {
        state.bad_signatures.push(why);
    }
    let target = header("x-amz-target");
    let operation = target.strip_prefix(TARGET).unwrap_or(&target).to_owned();
    let body: Value = serde_json::from_slice(&request.body).expect("a JSON body");
    state.calls.push(Call {
        operation: operation.clone(),
        body: body.clone(),
        user_agent: header("user-agent"),
    });
    if let Some(at) = state
        .failures
        .iter()
        .position(|failure| failure.operation == operation)
    {
        let failure = state.failures.remove(at);
        return (
            failure.status,
            json!({"__type": failure.code, "message": "made to fail"}),
        );
    }
    match operation.as_str() {
        "RegisterContainerInstance" => {
            let mut attributes = body["attributes"].as_array().cloned().unwrap_or_default();
            attributes.push(json!({"name": "ecs.availability-zone", "value": "us-west-2a"}));
            let instance = json!({"containerInstanceArn": INSTANCE, "attributes": attributes, "status": "ACTIVE"});
            (200, json!({"containerInstance": instance}))
        }
        "CreateCluster" => (
            200,
            json!({"cluster": {"clusterName": body["clusterName"]}}),
        ),
        "DiscoverPollEndpoint" => (
            200,
            json!({"endpoint": format!("{}/acs", state.url), "telemetryEndpoint": format!("{}/tcs", state.url)}),
        ),
        "UpdateContainerInstancesState" => (200, json!({"containerInstances": [], "failures": []})),
        "GetTaskProtection" | "UpdateTaskProtection" => {
            let enabled = body["protectionEnabled"].as_bool().unwrap_or_default();
            let task = json!({"taskArn": body["tasks"][0], "protectionEnabled": enabled});
            (200, json!({"protectedTasks": [task], "failures": []}))
        }
        "SubmitTaskStateChange" => (200, json!({"acknowledgment": "ACK"})),
        _ => (
            400,
            json!({"__type": "InvalidAction", "message": "there is no such operation"}),
        ),
    }
}
