//! The `berth` program as a user runs it: arguments in, exit code and text out, within a limit.
//!
//! **Invariant.** Nothing of the tester's environment reaches it, so settings are the test's alone.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long a command may take: far above what it does, so that a slow machine fails nothing.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// Exit code; `None` = a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Standard output, if the command ended with that code.
    pub(crate) fn with(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        &self.out
    }

    /// Standard error, if the command ended with that code.
    pub(crate) fn failing(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        &self.err
    }

    /// Standard output as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.with(0)).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard output as one JSON value a line.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).expect("a line of JSON");
        self.with(0).lines().map(parse).collect()
    }
}

/// A way to run the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Berth {
    /// Environment, beside `PATH`.
    pub(crate) env: Vec<(String, String)>,
    /// Directory to run in.
    pub(crate) cwd: Option<PathBuf>,
    /// Runs it as that user, from a copy of the program that this user may read.
    pub(crate) user: Option<(u32, PathBuf)>,
    /// Another copy of the program; `None` = the one that was built.
    pub(crate) program: Option<PathBuf>,
}

impl Berth {
    /// With one more variable, which wins over earlier ones.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The command, not yet started.
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test is run as its user runs it"
    )]
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_berth"));
        let of_user = self.user.as_ref().map(|(_, program)| program);
        let program = of_user.or(self.program.as_ref()).unwrap_or(&built);
        let mut command = Command::new(program);
        if let Some((user, _)) = &self.user {
            command.uid(*user).gid(*user);
        }
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        self.run_within(args, LIMIT).await
    }

    /// Runs it to its end, which must come within the limit.
    pub(crate) async fn run_within(&self, args: &[&str], limit: Duration) -> Done {
        let output = tokio::time::timeout(limit, self.command(args).output()).await;
        let output = output.unwrap_or_else(|_| panic!("{args:?} takes longer than {limit:?}"));
        done(&output.expect("the program runs"))
    }

    /// Runs it to its end with that standard input.
    pub(crate) async fn run_with_input(&self, args: &[&str], input: &[u8]) -> Done {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut stdin = child.stdin.take().expect("its input");
        let work = async {
            // It may end before it has read everything.
            stdin.write_all(input).await.ok();
            drop(stdin);
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(LIMIT, work).await.expect("in time");
        done(&output.expect("its output"))
    }
}

/// What the program left.
pub(crate) fn done(output: &std::process::Output) -> Done {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Done {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}
