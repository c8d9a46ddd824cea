//! A control plane to connect to: the ECS API over HTTP and ACS over websockets, written from the specification.
//!
//! It checks every signature, keeps what it was told, and fails on demand: answers with an error, refuses sessions,
//! lets them go half-way.

mod begun;

pub(crate) mod http;

mod sessions;

pub(crate) mod signature;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use begun::Begun;
use signature::{Signed, Signer};

/// What the agent signs with.
pub(crate) const KEY: &str = "LABACCESSKEY";
pub(crate) const SECRET: &str = "lab-secret";
pub(crate) const REGION: &str = "us-west-2";

/// What its calls are to be signed with.
const LAB: Signer<'static> = Signer {
    key: KEY,
    secret: SECRET,
    region: REGION,
    service: "ecs",
};

fn of_lab<'a>(
    method: &'a str,
    path: &'a str,
    headers: &'a [(String, String)],
    body: &'a [u8],
) -> Signed<'a> {
    Signed {
        method,
        path,
        headers,
        body,
    }
}

pub(crate) const CLUSTER_ARN: &str = "arn:aws:ecs:us-west-2:123456789012:cluster/lab";
pub(crate) const INSTANCE: &str = "arn:aws:ecs:us-west-2:123456789012:container-instance/lab/4641";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is looked whether something has come.
const PAUSE: Duration = Duration::from_millis(10);

/// A call of the API.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) body: Value,
    pub(crate) user_agent: String,
    /// What it was signed with.
    pub(crate) key: String,
}

/// What a call is to be answered with instead.
#[derive(Clone, Debug)]
struct Failure {
    operation: String,
    status: u16,
    code: String,
}

/// What goes to the agent of a session.
pub(super) enum Saying {
    Frame(String),
    /// Bytes as they are, which may be no frame.
    Bytes(Vec<u8>),
    Ping,
    /// Close with a code.
    Close(u16),
    /// Let go of the connection without a word.
    Vanish,
}

/// Told of everything at once, by a word and what it is about.
type Witness = Box<dyn Fn(&str, &Value) + Send>;

#[derive(Default)]
struct State {
    /// Where its sessions go.
    url: String,
    calls: Vec<Call>,
    failures: Vec<Failure>,
    /// Calls of this operation are kept and wait for their answer.
    held: Option<String>,
    /// Queries of the sessions opened, oldest first.
    opened: Vec<Vec<(String, String)>>,
    /// What the next sessions get instead, each as what is written at once.
    refusals: VecDeque<Vec<String>>,
    heard: Vec<Value>,
    /// Telemetry: the address of the session and each request.
    telemetry: Vec<(String, Value)>,
    telemetry_opened: usize,
    /// Codes with which the agent has closed such sessions.
    telemetry_closed: Vec<u16>,
    /// Closes the last of them with a code.
    telemetry_session: Option<mpsc::Sender<u16>>,
    pongs: usize,
    session: Option<mpsc::Sender<Saying>>,
    bad_signatures: Vec<String>,
    ec2_tags: Vec<(String, String)>,
    /// Nobody is served.
    away: bool,
    witness: Option<Witness>,
}

impl State {
    fn tell(&self, what: &str, about: &Value) {
        if let Some(witness) = &self.witness {
            witness(what, about);
        }
    }
}

/// The control plane. Gone when dropped.
pub(crate) struct ControlPlane {
    address: SocketAddr,
    /// Where it says that its sessions go.
    url: String,
    state: Arc<Mutex<State>>,
    /// Ends all connections.
    cut: Arc<Notify>,
    _server: JoinSet<()>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ControlPlane {
    pub(crate) async fn start() -> Self {
        Self::serving("127.0.0.1", None).await
    }

    /// One that calls itself `name`.
    pub(crate) async fn start_named(name: &str) -> Self {
        Self::serving(name, None).await
    }

    /// One that speaks TLS as `name`.
    pub(crate) async fn start_tls(name: &str, tls: TlsAcceptor) -> Self {
        Self::serving(name, Some(tls)).await
    }

    async fn serving(name: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{name}:{}", address.port());
        let state = Arc::new(Mutex::new(State {
            url: url.clone(),
            ..State::default()
        }));
        let mut server = JoinSet::new();
        let (shared, cut) = (Arc::clone(&state), Arc::new(Notify::new()));
        let cuts = Arc::clone(&cut);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                // Cancel-safe, both by their documentation.
                tokio::select! {
                    () = cuts.notified() => connections.abort_all(),
                    Ok((stream, _)) = listener.accept() => {
                        connections.spawn(accept(stream, tls.clone(), Arc::clone(&shared)));
                    }
                }
            }
        });
        Self {
            address,
            url,
            state,
            cut,
            _server: server,
        }
    }

    /// From now on the witness is told: of each call by its operation, of each frame by its type, of each session by
    /// `opened`, and by `said` of what goes out.
    pub(crate) fn watch(&self, witness: impl Fn(&str, &Value) + Send + 'static) {
        locked(&self.state).witness = Some(Box::new(witness));
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bodies of the calls of an operation, oldest first.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        let state = locked(&self.state);
        let calls = state
            .calls
            .iter()
            .filter(|call| call.operation == operation);
        calls.map(|call| call.body.clone()).collect()
    }

    pub(crate) fn all_calls(&self) -> Vec<Call> {
        locked(&self.state).calls.clone()
    }

    /// The next `count` calls of the operation fail so.
    pub(crate) fn fail(&self, operation: &str, count: usize, status: u16, code: &str) {
        let failure = Failure {
            operation: operation.to_owned(),
            status,
            code: code.to_owned(),
        };
        locked(&self.state)
            .failures
            .extend(std::iter::repeat_n(failure, count));
    }

    /// Calls of the operation are not answered, until it is `None`.
    pub(crate) fn hold(&self, operation: Option<&str>) {
        locked(&self.state).held = operation.map(ToOwned::to_owned);
    }

    /// EC2 has that tag of whichever instance is asked for.
    pub(crate) fn tag(&self, key: &str, value: &str) {
        let tag = (key.to_owned(), value.to_owned());
        locked(&self.state).ec2_tags.push(tag);
    }

    /// Nobody is served any more, or again; open connections vanish.
    pub(crate) fn away(&self, away: bool) {
        locked(&self.state).away = away;
        if away {
            self.cut.notify_one();
        }
    }

    /// The next session is refused.
    pub(crate) fn refuse(&self, status: u16, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
        self.refuse_in_pieces(&[&format!("{head}{body}")]);
    }

    /// The next session gets this instead, each piece by itself. The connection stays.
    pub(crate) fn refuse_in_pieces(&self, pieces: &[&str]) {
        let pieces = pieces.iter().map(|&piece| piece.to_owned()).collect();
        locked(&self.state).refusals.push_back(pieces);
    }

    /// Queries of all sessions that were opened.
    pub(crate) fn opened(&self) -> Vec<Vec<(String, String)>> {
        locked(&self.state).opened.clone()
    }

    /// Every frame heard on ACS.
    pub(crate) fn heard(&self) -> Vec<Value> {
        locked(&self.state).heard.clone()
    }

    /// Frames of that type.
    pub(crate) fn heard_of(&self, kind: &str) -> Vec<Value> {
        let heard = self
            .heard()
            .into_iter()
            .filter(|frame| frame["type"] == kind);
        heard.map(|frame| frame["message"].clone()).collect()
    }

    /// Requests of telemetry of that type.
    pub(crate) fn telemetry_of(&self, kind: &str) -> Vec<Value> {
        let state = locked(&self.state);
        let requests = state
            .telemetry
            .iter()
            .filter(|(_, frame)| frame["type"] == kind);
        requests
            .map(|(_, frame)| frame["message"].clone())
            .collect()
    }

    /// Addresses of telemetry sessions in which something was told.
    pub(crate) fn telemetry_addresses(&self) -> Vec<String> {
        let state = locked(&self.state);
        state
            .telemetry
            .iter()
            .map(|(address, _)| address.clone())
            .collect()
    }

    /// Telemetry sessions so far.
    pub(crate) fn telemetry_opened(&self) -> usize {
        locked(&self.state).telemetry_opened
    }

    /// Codes with which the agent has closed such sessions.
    pub(crate) fn telemetry_closed(&self) -> Vec<u16> {
        locked(&self.state).telemetry_closed.clone()
    }

    /// Closes the telemetry session with a code.
    pub(crate) fn close_telemetry(&self, code: u16) -> bool {
        let state = locked(&self.state);
        let session = state.telemetry_session.as_ref();
        session.is_some_and(|session| session.try_send(code).is_ok())
    }

    pub(crate) fn pongs(&self) -> usize {
        locked(&self.state).pongs
    }

    pub(crate) fn bad_signatures(&self) -> Vec<String> {
        locked(&self.state).bad_signatures.clone()
    }

    /// Says a message on the present session, or on the next.
    pub(crate) async fn say(&self, kind: &str, message: Value) {
        self.say_text(&json!({"type": kind, "message": message}).to_string())
            .await;
    }

    /// Says a text as a frame.
    pub(crate) async fn say_text(&self, text: &str) {
        self.until("a session is open", || {
            self.tell(Saying::Frame(text.to_owned())).then_some(())
        })
        .await;
    }

    /// Says bytes that need be no frame.
    pub(crate) async fn say_bytes(&self, bytes: &[u8]) {
        self.until("a session is open", || {
            self.tell(Saying::Bytes(bytes.to_vec())).then_some(())
        })
        .await;
    }

    /// Sends a payload of these tasks.
    pub(crate) async fn payload(&self, message_id: &str, sequence: i64, tasks: &[Value]) {
        let message = json!({
            "messageId": message_id, "clusterArn": CLUSTER_ARN, "containerInstanceArn": INSTANCE,
            "seqNum": sequence, "generatedAt": 1, "tasks": tasks,
        });
        self.say("PayloadMessage", message).await;
    }

    /// Waits until the message of that id is acknowledged.
    pub(crate) async fn acknowledged(&self, message_id: &str) {
        self.until(&format!("{message_id} is acknowledged"), || {
            let acks = self.heard_of("AckRequest");
            acks.iter()
                .any(|ack| ack["messageId"] == message_id)
                .then_some(())
        })
        .await;
    }

    pub(crate) fn ping(&self) -> bool {
        self.tell(Saying::Ping)
    }

    pub(crate) fn close(&self, code: u16) -> bool {
        self.tell(Saying::Close(code))
    }

    pub(crate) fn vanish(&self) -> bool {
        self.tell(Saying::Vanish)
    }

    /// State changes of a task, oldest first.
    pub(crate) fn changes_of(&self, arn: &str) -> Vec<Value> {
        let calls = self.calls("SubmitTaskStateChange").into_iter();
        calls.filter(|body| body["task"] == arn).collect()
    }

    /// Waits until a change of the task has that status, and gives it.
    pub(crate) async fn change(&self, arn: &str, status: &str) -> Value {
        self.until(&format!("{arn} is reported {status}"), || {
            self.changes_of(arn)
                .into_iter()
                .find(|change| change["status"] == status)
        })
        .await
    }

    /// Looks again and again until there is something.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let work = async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, work).await;
        done.unwrap_or_else(|_| {
            panic!(
                "{what}: never; calls {:?}; heard {:?}",
                self.all_calls(),
                self.heard()
            )
        })
    }

    fn tell(&self, saying: Saying) -> bool {
        let state = locked(&self.state);
        state
            .session
            .as_ref()
            .is_some_and(|session| session.try_send(saying).is_ok())
    }
}

async fn accept(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    match tls {
        None => serve(stream, state).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, state).await;
            }
        }
    }
}

/// A connection is a session if it begins with GET.
async fn serve<S>(mut stream: S, state: Arc<Mutex<State>>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let mut first = [0; 4];
    if stream.read_exact(&mut first).await.is_err() || locked(&state).away {
        return;
    }
    let stream = Begun::new(first, stream);
    match &first {
        b"GET " => Box::pin(sessions::serve(stream, state)).await,
        _ => http::serve(stream, state).await,
    }
}
