//! The one way to run a program: its arguments as a list, a deadline, its output captured and capped.
//!
//! **Invariants.** No shell. A program that passes its deadline, or whose caller goes away, is killed. Output beyond
//! the cap is read and thrown away, so that the program does not block on it. Arguments may be logged: secrets go
//! through standard input.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

/// Most bytes kept of each output: far more than the tools that are run here print.
pub const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// Longest part of the error output shown in an error, in characters.
const SHOWN_CHARS: usize = 500;

/// A program to run.
#[derive(Clone, Debug)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    input: Vec<u8>,
    deadline: Duration,
}

/// What a program that succeeded has printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Standard output, at most [`MAX_OUTPUT_BYTES`].
    pub stdout: Vec<u8>,
    /// Error output, at most [`MAX_OUTPUT_BYTES`].
    pub stderr: Vec<u8>,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such program.
    #[error("the program {program} is not there")]
    Missing {
        /// As given.
        program: String,
    },
    /// It could not be started.
    #[error("start {program}")]
    Start {
        /// As given.
        program: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Its pipes failed.
    #[error("talk to {program}")]
    Pipe {
        /// As given.
        program: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// It did not end in time and was killed.
    #[error("{program} did not end within {} ms", limit.as_millis())]
    Deadline {
        /// As given.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// It ended badly.
    #[error("{program} {args}: {status}: {stderr}")]
    Failed {
        /// As given.
        program: String,
        /// Arguments, separated by spaces.
        args: String,
        /// How it ended.
        status: ExitStatus,
        /// Beginning of its error output.
        stderr: String,
    },
}

impl Command {
    /// A program, by path or by name in the search path, that may run as long as `deadline`.
    pub fn new(program: impl AsRef<OsStr>, deadline: Duration) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            input: Vec::new(),
            deadline,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// What the program reads from its standard input; nothing otherwise.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it to its end. Dropping the future kills the program.
    ///
    /// # Errors
    /// [`CommandError`]: everything but exit status 0.
    pub async fn run(&self) -> Result<Output, CommandError> {
        let program = self.program.display().to_string();
        let mut child = self.start(&program)?;
        let talk = self.talk(&mut child);
        let ended = tokio::time::timeout(self.deadline, talk).await;
        let Ok(talked) = ended else {
            // A child that cannot be killed has ended by itself; it is reaped when it is dropped.
            drop(child.kill().await);
            let limit = self.deadline;
            return Err(CommandError::Deadline { program, limit });
        };
        let (status, output) = talked.map_err(|source| CommandError::Pipe {
            program: program.clone(),
            source,
        })?;
        if status.success() {
            return Ok(output);
        }
        let args: Vec<String> = self
            .args
            .iter()
            .map(|arg| arg.display().to_string())
            .collect();
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(CommandError::Failed {
            program,
            args: args.join(" "),
            status,
            stderr: stderr.trim().chars().take(SHOWN_CHARS).collect(),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one way to run a program"
    )]
    fn start(&self, program: &str) -> Result<Child, CommandError> {
        let started = tokio::process::Command::new(&self.program)
            .args(&self.args)
            // Messages are matched and shown: not in the operator's language.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        started.map_err(|source| {
            let program = program.to_owned();
            if source.kind() == io::ErrorKind::NotFound {
                CommandError::Missing { program }
            } else {
                CommandError::Start { program, source }
            }
        })
    }

    async fn talk(&self, child: &mut Child) -> io::Result<(ExitStatus, Output)> {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            let Some(mut stdin) = stdin else {
                return Ok(());
            };
            match stdin.write_all(&self.input).await {
                // It may end, well or not, without having read everything.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written,
            }
        };
        let ((), stdout, stderr, status) =
            tokio::try_join!(write, capture(stdout), capture(stderr), child.wait())?;
        Ok((status, Output { stdout, stderr }))
    }
}

/// Keeps the beginning and reads the rest.
async fn capture(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe)
            .take(MAX_OUTPUT_BYTES)
            .read_to_end(&mut kept)
            .await?;
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn sh(script: &str) -> Command {
        Command::new("/bin/sh", LIMIT).args(["-c", script])
    }

    #[tokio::test]
    async fn output_and_input_are_carried() {
        let output = sh("cat; echo said >&2").input("read").run().await.unwrap();
        assert_eq!(
            (output.stdout.as_slice(), output.stderr.as_slice()),
            (&b"read"[..], &b"said\n"[..])
        );
    }

    #[tokio::test]
    async fn a_bad_end_shows_what_was_said() {
        let error = sh("echo no such table >&2; exit 3")
            .run()
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit status: 3: no such table"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_program_is_told_apart() {
        let error = Command::new("/no/such/program", LIMIT)
            .run()
            .await
            .unwrap_err();
        assert!(matches!(error, CommandError::Missing { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_started_is_told_apart() {
        let error = Command::new("/", LIMIT).run().await.unwrap_err();
        assert!(matches!(error, CommandError::Start { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_killed() {
        let command = Command::new("/bin/sleep", Duration::from_millis(50)).args(["600"]);
        let error = command.run().await.unwrap_err();
        assert!(matches!(error, CommandError::Deadline { .. }), "{error}");
    }

    #[tokio::test]
    async fn output_is_capped_without_blocking_the_program() {
        let output = sh("head -c 1000000 /dev/zero").run().await.unwrap();
        assert_eq!(u64::try_from(output.stdout.len()), Ok(MAX_OUTPUT_BYTES));
    }

    #[tokio::test]
    async fn input_that_nobody_reads_is_no_error() {
        assert!(sh("exit 0").input(vec![0; 1_000_000]).run().await.is_ok());
    }
}
