//! Programs that a test starts beside itself: a second Docker Engine, a registry. Killed when dropped.
#![cfg(feature = "e2e")]

use std::io;
use std::process::Stdio;

use tokio::process::{Child, Command};

/// Starts a program with its output in the given file.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own server runs on, while platform::command waits for the end"
)]
pub(crate) fn start(program: &str, args: &[String], log: std::fs::File) -> io::Result<Child> {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}

/// A program that is talked to line by line; killed when dropped.
pub(crate) struct Conversation {
    _child: Child,
    input: tokio::process::ChildStdin,
    output: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
}

impl Conversation {
    /// Starts a program with no environment but this.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own program is talked to, while platform::command waits for the end"
    )]
    pub(crate) fn start(program: &std::path::Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        use tokio::io::AsyncBufReadExt as _;

        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        Self {
            _child: child,
            input,
            output: tokio::io::BufReader::new(output).lines(),
        }
    }

    /// Sends a line and gives the next line of JSON; others are passed over.
    pub(crate) async fn ask(&mut self, line: &str) -> serde_json::Value {
        use tokio::io::AsyncWriteExt as _;

        let line = format!("{line}\n");
        self.input
            .write_all(line.as_bytes())
            .await
            .expect("it reads");
        loop {
            let answer = self.output.next_line().await.expect("it writes");
            let answer = answer.expect("an answer, not the end");
            if answer.starts_with('{') {
                return serde_json::from_str(&answer).expect("JSON");
            }
        }
    }
}
