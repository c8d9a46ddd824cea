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
