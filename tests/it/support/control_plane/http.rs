//! The ECS API: JSON 1.1 over HTTP/1.1.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Call, INSTANCE, LAB, PAUSE, Signer, State, locked, of_lab, signature};

const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn key(&self) -> String {
        let authorization = self.header("authorization");
        let (_, scope) = authorization.split_once("Credential=").unwrap_or_default();
        scope.split('/').next().unwrap_or_default().to_owned()
    }
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
        let kind = request.header("content-type");
        let (status, text) = if kind.starts_with("application/x-www-form-urlencoded") {
            answer_of_ec2(&request, &state)
        } else {
            let call = taken(&request, &state);
            while locked(&state).held.as_ref() == Some(&call.operation) {
                tokio::time::sleep(PAUSE).await;
            }
            let (status, body) = answer(&call, &state);
            (status, body.to_string())
        };
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

/// The next request on the connection; `None` = there is none any more.
pub(crate) async fn read<S>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Request>
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
    let mut request = head_of(&buffer[..head_end])?;
    let length: usize = match request.header("content-length").as_str() {
        "" => 0,
        length => length.parse().expect("a length"),
    };
    while buffer.len() < head_end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(head_end + 4 + length);
    request.body = std::mem::replace(buffer, rest).split_off(head_end + 4);
    Some(request)
}

/// A request with that head and no body.
pub(super) fn head_of(head: &[u8]) -> Option<Request> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Request {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    })
}

/// Checks the signature and keeps the call.
fn taken(request: &Request, state: &Mutex<State>) -> Call {
    let mut state = locked(state);
    // The SDK writes the whole address also through a tunnel; the signature covers the path.
    let path = request.path.strip_prefix(state.url.as_str());
    let path = path.unwrap_or(&request.path);
    let signed = of_lab(&request.method, path, &request.headers, &request.body);
    let checked = signature::check(signed, LAB);
    if let Err(why) = checked {
        state.bad_signatures.push(why);
    }
    let target = request.header("x-amz-target");
    let operation = target.strip_prefix(TARGET).unwrap_or(&target).to_owned();
    let body: Value = serde_json::from_slice(&request.body).expect("a JSON body");
    state.tell(&operation, &body);
    let call = Call {
        operation,
        body,
        user_agent: request.header("user-agent"),
        key: request.key(),
    };
    state.calls.push(call.clone());
    call
}

fn answer(call: &Call, state: &Mutex<State>) -> (u16, Value) {
    let mut state = locked(state);
    let Call {
        operation, body, ..
    } = call;
    if let Some(at) = state
        .failures
        .iter()
        .position(|failure| failure.operation == *operation)
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
        "ListTagsForResource" => {
            let owner = json!({"key": "of", "value": body["resourceArn"]});
            (200, json!({"tags": [owner]}))
        }
        "SubmitTaskStateChange" => (200, json!({"acknowledgment": "ACK"})),
        _ => (
            400,
            json!({"__type": "InvalidAction", "message": "there is no such operation"}),
        ),
    }
}

/// EC2, as far as it knows tags: a form is asked, XML answered.
fn answer_of_ec2(request: &Request, state: &Mutex<State>) -> (u16, String) {
    let mut state = locked(state);
    let signed = of_lab("POST", &request.path, &request.headers, &request.body);
    let ec2 = Signer {
        service: "ec2",
        ..LAB
    };
    let checked = signature::check(signed, ec2);
    state.bad_signatures.extend(checked.err());
    let form = String::from_utf8_lossy(&request.body).into_owned();
    state.calls.push(Call {
        operation: "DescribeTags".to_owned(),
        body: Value::String(form),
        user_agent: request.header("user-agent"),
        key: request.key(),
    });
    let failed = state
        .failures
        .iter()
        .position(|it| it.operation == "DescribeTags");
    if let Some(at) = failed {
        let failure = state.failures.remove(at);
        let code = failure.code;
        return (
            failure.status,
            format!("<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>"),
        );
    }
    let tags = state.ec2_tags.iter();
    let items: Vec<String> = tags
        .map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>"))
        .collect();
    let items = items.concat();
    (
        200,
        format!("<DescribeTagsResponse><tagSet>{items}</tagSet></DescribeTagsResponse>"),
    )
}
