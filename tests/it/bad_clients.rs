//! Bad clients of a real agent over real TCP: documented status, bounded memory, and everybody else is served.
//!
//! No Docker is needed: the agent has none, and answers all the same.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::support::berth::Berth;

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_mins(1);

/// Clients that send half a head and wait: more than may be silent, and than there are connections of the host.
const SLOW: usize = 1_700;

/// What the agent may need for them in RAM, in KiB: 20 each and room for everything else.
const GROWTH_KIB: u64 = 64 * 1024;

/// Longest that a good client waits while the bad ones do their worst; without them it is below a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// An agent without Docker.
struct Agent {
    child: Child,
    introspection: SocketAddr,
    task_server: SocketAddr,
    _dir: TempDir,
}

impl Agent {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let log = std::fs::File::create(at("log")).expect("a log");
        let child = Berth::default()
            .env("HOME", at(""))
            .env("ECS_DATADIR", at("data"))
            .env("DOCKER_HOST", format!("unix://{}", at("no.sock")))
            .env("BERTH_INTROSPECTION_ADDRESS", "127.0.0.1:0")
            .env("BERTH_TASK_SERVER_ADDRESS", "127.0.0.1:0")
            .env("BERTH_TASK_ADDRESS", "false")
            .env("BERTH_BLOCK_INSTANCE_METADATA", "false")
            .command(&["agent"])
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let began = Instant::now();
        let find = |name: &str| {
            let log = std::fs::read_to_string(at("log")).ok()?;
            let lines = log
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines
                .filter(|line| line["listener"] == name)
                .find_map(|line| line["address"].as_str()?.parse().ok())
        };
        let (introspection, task_server) = loop {
            if let (Some(first), Some(second)) = (find("introspection"), find("task-server")) {
                break (first, second);
            }
            assert!(began.elapsed() < LIMIT, "the agent listens in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Self {
            child,
            introspection,
            task_server,
            _dir: dir,
        }
    }

    /// Resident memory in KiB.
    fn resident_kib(&self) -> u64 {
        let pid = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.expect("a figure")
    }
}

/// Sends a whole request and gives head and body.
async fn ask(address: SocketAddr, head: &str) -> (String, String) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = tokio::time::timeout(LIMIT, exchange)
        .await
        .expect("in time");
    let answer = answer.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// Words of a status line.
fn status(head: &str) -> u16 {
    let code = head.split_whitespace().nth(1);
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[tokio::test]
async fn unknown_paths_methods_and_values_get_what_is_written_of_them() {
    let agent = Agent::start().await;
    let (classic, containers) = (agent.introspection, agent.task_server);
    let list = r#"{"AvailableCommands":["/v1/metadata","/v1/tasks","/license"]}"#;
    let problem = |kind: &str| format!("urn:berth:problem:{kind}");
    for (address, request, code, words) in [
        // As ECS agents: what is not known is the list of commands, and every method is a question.
        (classic, "GET /foo HTTP/1.1", 200, list.to_owned()),
        (
            classic,
            "DELETE /v1/tasks HTTP/1.1",
            200,
            "Tasks".to_owned(),
        ),
        (
            classic,
            "GET /v1/tasks?dockerid=x&taskarn=y HTTP/1.1",
            400,
            "\"Arn\":\"\"".to_owned(),
        ),
        (
            classic,
            "GET //v1/tasks HTTP/1.1",
            301,
            "<a href=\"/v1/tasks\">Moved Permanently</a>.\n\n".to_owned(),
        ),
        (classic, "GET /v1/tasks/ HTTP/1.1", 200, list.to_owned()),
        // Beside them: problem documents.
        (
            classic,
            "POST /v1/why HTTP/1.1",
            405,
            problem("wrong-method"),
        ),
        (
            classic,
            "GET /v1/why?deep=yes HTTP/1.1",
            400,
            problem("bad-request"),
        ),
        (
            classic,
            "GET /v1/events?limit=many HTTP/1.1",
            400,
            problem("bad-request"),
        ),
        (
            classic,
            "GET /v1/tasks/nobody HTTP/1.1",
            404,
            problem("task-not-found"),
        ),
        (
            classic,
            "GET /v1/tasks/nobody/nope HTTP/1.1",
            404,
            problem("no-such-route"),
        ),
        (
            classic,
            "GET /readyz/ HTTP/1.1",
            404,
            problem("no-such-route"),
        ),
        (
            classic,
            "GET /metricsx HTTP/1.1",
            404,
            problem("no-such-route"),
        ),
        (
            classic,
            "GET /docs/ HTTP/1.1",
            404,
            problem("no-such-route"),
        ),
        (
            classic,
            "GET /v1/why HTTP/1.1\r\nContent-Length: 70000",
            413,
            problem("body-too-large"),
        ),
        (
            classic,
            "PUT /v1/drain HTTP/1.1",
            405,
            problem("wrong-method"),
        ),
        // The task server.
        (
            containers,
            "GET /foo HTTP/1.1",
            404,
            "404 page not found\n".to_owned(),
        ),
        (
            containers,
            "GET /v2/credentials/nobody HTTP/1.1",
            400,
            "InvalidIdInRequest".to_owned(),
        ),
        (
            containers,
            "GET /v4/nobody/task HTTP/1.1",
            404,
            String::new(),
        ),
    ] {
        let (head, body) = ask(address, request).await;
        assert_eq!(status(&head), code, "{request}: {head} {body}");
        assert!(body.contains(&words), "{request}: {body}");
    }
    let large = "POST /v1/metadata HTTP/1.1\r\nContent-Length: 70000";
    for address in [classic, containers] {
        assert_eq!(status(&ask(address, large).await.0), 413);
    }
}

/// Goal: thousands of clients that send half a head cost others nothing and the agent little. Method: more of them than
/// may be silent, and good clients of both listeners meanwhile.
#[tokio::test]
async fn thousands_of_slow_clients_hold_up_nobody_and_cost_little() {
    let agent = Agent::start().await;
    ask(agent.introspection, "GET /livez HTTP/1.1").await;
    let before = agent.resident_kib();
    let mut slow = Vec::new();
    let mut slowest = Duration::ZERO;
    let mut most = 0;
    for number in 0..SLOW {
        // One that is refused may be reset before it has written.
        if let Ok(mut stream) = TcpStream::connect(agent.introspection).await
            && stream
                .write_all(b"GET /v1/tasks HTTP/1.1\r\nX-Slow: ")
                .await
                .is_ok()
        {
            slow.push(stream);
        }
        if number % 100 == 99 {
            let began = Instant::now();
            let (head, _) = ask(agent.task_server, "GET /v4/nobody HTTP/1.1").await;
            assert_eq!(status(&head), 404, "containers are served");
            let (head, _) = ask(agent.introspection, "GET /livez HTTP/1.1").await;
            assert_eq!(status(&head), 200, "so is the same listener");
            slowest = slowest.max(began.elapsed());
            most = most.max(agent.resident_kib());
        }
    }
    let grown = most.saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{SLOW} slow clients cost {grown} KiB");
    assert!(slowest < PATIENCE, "a container waited {slowest:?}");
    // All are let go without a word: for others, or when their head has taken too long.
    for mut stream in slow {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer));
        drop(read.await.expect("in time"));
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
    let began = Instant::now();
    let (head, _) = ask(agent.introspection, "GET /livez HTTP/1.1").await;
    assert_eq!(status(&head), 200, "and then all is as before");
    assert!(began.elapsed() < PATIENCE);
    eprintln!("{grown} KiB, slowest answer {slowest:?}");
}
