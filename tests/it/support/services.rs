//! A stand-in for the services of AWS that an agent calls for a task: checks signatures, keeps what it was asked, and
//! answers as it is told.
#![cfg(feature = "e2e")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::control_plane::http::{Request, read};
use super::control_plane::signature::{Signed, Signer, check};

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) operation: String,
    /// Id of the key that it was signed with.
    pub(crate) key: String,
    /// Region that it was signed for.
    pub(crate) region: String,
    pub(crate) body: Value,
}

/// What is answered to a call: status and body.
pub(crate) type Script = Box<dyn Fn(&Call) -> (u16, Value) + Send + Sync>;

struct State {
    /// Secrets by the ids of their keys.
    keys: BTreeMap<String, String>,
    calls: Mutex<Vec<Call>>,
    bad: Mutex<Vec<String>>,
    script: Mutex<Script>,
}

/// The services; gone when dropped.
pub(crate) struct Services {
    pub(crate) url: String,
    state: Arc<State>,
    _work: JoinSet<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Services {
    /// Takes calls that are signed with these keys.
    pub(crate) async fn start(
        keys: &[(&str, &str)],
        script: impl Fn(&Call) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let keys = keys.iter();
        let state = Arc::new(State {
            keys: keys
                .map(|(id, secret)| ((*id).to_owned(), (*secret).to_owned()))
                .collect(),
            calls: Mutex::default(),
            bad: Mutex::default(),
            script: Mutex::new(Box::new(script)),
        });
        let shared = Arc::clone(&state);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                // Both arms are cancel-safe.
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        connections.spawn(serve(stream, Arc::clone(&shared)));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self {
            url,
            state,
            _work: work,
        }
    }

    /// Answers so from now on.
    pub(crate) fn say(&self, script: impl Fn(&Call) -> (u16, Value) + Send + Sync + 'static) {
        *locked(&self.state.script) = Box::new(script);
    }

    /// Calls so far, oldest first.
    pub(crate) fn calls(&self) -> Vec<Call> {
        locked(&self.state.calls).clone()
    }

    /// What was wrong with signatures.
    pub(crate) fn bad_signatures(&self) -> Vec<String> {
        locked(&self.state.bad).clone()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let (status, body) = answer(&request, &state);
        let text = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        let whole = [head.as_bytes(), text.as_bytes()].concat();
        if stream.write_all(&whole).await.is_err() {
            return;
        }
    }
}

fn answer(request: &Request, state: &State) -> (u16, Value) {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let authorization = header("authorization");
    let scope = authorization.split("Credential=").nth(1);
    let mut scope = scope.unwrap_or_default().split(['/', ',']);
    let (key, region) = (scope.next().unwrap_or_default(), scope.nth(1));
    let (region, service) = (region.unwrap_or_default(), scope.next().unwrap_or_default());
    let with = Signer {
        key,
        secret: state.keys.get(key).map_or("", String::as_str),
        region,
        service,
    };
    let signed = Signed {
        method: &request.method,
        path: &request.path,
        headers: &request.headers,
        body: &request.body,
    };
    if let Err(why) = check(signed, with) {
        locked(&state.bad).push(why);
    }
    let call = Call {
        operation: header("x-amz-target"),
        key: key.to_owned(),
        region: region.to_owned(),
        body: serde_json::from_slice(&request.body).expect("a JSON body"),
    };
    locked(&state.calls).push(call.clone());
    locked(&state.script)(&call)
}
