//! The agent as a child: a program that is held open, sockets under the numbers of systemd's protocol, a pipe through
//! which the child says how far it is, and the signals that its parent is asked by.
//!
//! **Invariants.** The child has what it is handed and nothing else that the parent keeps open. A program that is held
//! starts also when its file was replaced or removed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use command_fds::{CommandFdExt as _, FdMapping};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

use super::handed::FIRST;
use crate::platform::{Asked, ChildNews, KeptSocket, Launch, Listening};

/// Longest line that a child may say, in bytes; what it says is one word.
const MAX_LINE: usize = 256;

/// A program, held open.
#[derive(Debug)]
pub struct Program {
    file: File,
    path: PathBuf,
}

impl Program {
    /// The program that lies at the path now.
    ///
    /// # Errors
    /// Of the system.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            path: path.to_owned(),
        })
    }

    /// Where it lay.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A child that runs, or has not been waited for; killed when dropped.
#[derive(Debug)]
pub struct AgentProcess {
    child: Child,
    pipe: Option<pipe::Receiver>,
    line: Vec<u8>,
}

impl AgentProcess {
    /// Starts the program. Needs a runtime.
    ///
    /// # Errors
    /// Of the system: it is no program, or there is no room for another process.
    pub fn start(program: &Program, launch: &Launch<'_>) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut names: Vec<&str> = launch.sockets.iter().map(|kept| kept.name).collect();
        names.push(launch.pipe);
        let sockets = launch.sockets.iter().map(duplicate);
        let handed = sockets.chain([Ok(OwnedFd::from(writer))]);
        let mappings = (FIRST..).zip(handed).map(|(child_fd, parent_fd)| {
            parent_fd.map(|parent_fd| FdMapping {
                parent_fd,
                child_fd,
            })
        });
        let mappings: Vec<FdMapping> = mappings.collect::<io::Result<_>>()?;
        // By way of this process, which has the file open whatever has become of its name.
        let own = std::process::id();
        let path = format!("/proc/{own}/fd/{}", program.file.as_raw_fd());
        #[expect(
            clippy::disallowed_methods,
            reason = "the agent is started here and nowhere else; it runs on, while platform::command waits for the end"
        )]
        let mut command = Command::new(path);
        command
            .arg0(&program.path)
            .args(launch.args)
            .env_remove("LISTEN_PID")
            .env("LISTEN_FDS", names.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env(launch.parent_variable, own.to_string())
            .stdin(Stdio::null())
            // Ctrl-C is for the parent, which passes it on.
            .process_group(0)
            .kill_on_drop(true);
        command.fd_mappings(mappings).map_err(io::Error::other)?;
        Ok(Self {
            child: command.spawn()?,
            pipe: Some(pipe::Receiver::from_owned_fd(reader.into())?),
            line: Vec::new(),
        })
    }

    /// The next news of it. Cancel-safe.
    pub async fn next(&mut self) -> ChildNews {
        let mut chunk = [0; MAX_LINE];
        loop {
            if let Some(line) = self.take_line() {
                return ChildNews::Said(line);
            }
            let Some(pipe) = &mut self.pipe else {
                return ended(self.child.wait().await);
            };
            // Both are cancel-safe by their documentation. The pipe comes first, so that what a child said before it ended
            // is heard before its end.
            let read = tokio::select! {
                biased;
                read = pipe.read(&mut chunk) => read.unwrap_or(0),
                status = self.child.wait() => return ended(status),
            };
            if read == 0 {
                self.pipe = None;
            }
            self.line.extend(chunk.iter().take(read));
            if self.line.len() > MAX_LINE && !self.line.contains(&b'\n') {
                self.line.clear();
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.line.iter().position(|byte| *byte == b'\n')?;
        let rest = self.line.split_off(end.saturating_add(1));
        let line = std::mem::replace(&mut self.line, rest);
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Its process id; `None` once it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to end in order (SIGTERM). Success if it has ended.
    ///
    /// # Errors
    /// Of the system.
    pub fn tell(&self) -> io::Result<()> {
        self.send(Signal::SIGTERM)
    }

    /// Ends it at once (SIGKILL). Success if it has ended.
    ///
    /// # Errors
    /// Of the system.
    pub fn kill(&self) -> io::Result<()> {
        self.send(Signal::SIGKILL)
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        // A child that was not waited for keeps its id, so that nobody else can be meant.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        id.map_or(Ok(()), |id| Ok(kill(Pid::from_raw(id), signal)?))
    }
}

fn ended(status: io::Result<std::process::ExitStatus>) -> ChildNews {
    match status {
        Ok(status) => ChildNews::Ended {
            well: status.success(),
            how: status.to_string(),
        },
        Err(error) => ChildNews::Ended {
            well: false,
            how: error.to_string(),
        },
    }
}

fn duplicate(kept: &KeptSocket) -> io::Result<OwnedFd> {
    match &kept.socket {
        Listening::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
        Listening::Local(listener) => listener.as_fd().try_clone_to_owned(),
    }
}

/// The signals that a parent is asked by.
#[derive(Debug)]
pub struct ParentSignals {
    upgrade: Signals,
    interrupt: Signals,
    terminate: Signals,
}

impl ParentSignals {
    /// Listens from now on to SIGHUP, SIGINT and SIGTERM. Needs a runtime.
    ///
    /// # Errors
    /// Of the system.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            upgrade: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// What is asked next. Cancel-safe.
    pub async fn next(&mut self) -> Asked {
        // All are cancel-safe: a signal that was not taken is kept.
        tokio::select! {
            Some(()) = self.upgrade.recv() => Asked::Upgrade,
            Some(()) = self.interrupt.recv() => Asked::End,
            Some(()) = self.terminate.recv() => Asked::End,
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A shell script as a program; its file is gone by now.
    fn script(text: &str) -> Program {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Program::open(&path).unwrap()
    }

    fn launch<'a>(args: &'a [OsString], sockets: &'a [KeptSocket]) -> Launch<'a> {
        Launch {
            args,
            sockets,
            pipe: "said",
            parent_variable: "LISTEN_PPID",
        }
    }

    #[tokio::test]
    async fn a_child_has_its_arguments_its_sockets_and_a_pipe_in_their_order() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets = [KeptSocket {
            name: "web",
            socket: Listening::Tcp(listener),
        }];
        let program = script(
            "echo \"$1 $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PPID == PPID)) [$LISTEN_PID]\" >&4\n\
             readlink /proc/$$/fd/3 | cut -c 1-6 >&4; ls -l /proc/$$/fd | grep -c own-file >&4; exit 3",
        );
        let args = [OsString::from("agent")];
        let dir = tempfile::tempdir().unwrap();
        let _own = File::create(dir.path().join("own-file")).unwrap();
        let mut child = AgentProcess::start(&program, &launch(&args, &sockets)).unwrap();
        let mut said = Vec::new();
        let how = loop {
            match child.next().await {
                ChildNews::Said(line) => said.push(line),
                ChildNews::Ended { well, how } => break (well, how),
            }
        };
        assert_eq!(said, ["agent 2 web:said 1 []", "socket", "0"]);
        assert_eq!(how, (false, "exit status: 3".to_owned()));
        assert!(child.tell().is_ok() && child.kill().is_ok());
    }

    #[tokio::test]
    async fn a_child_can_be_told_and_killed() {
        let waits = script("echo here >&3; while :; do sleep 0.1; done");
        for kill in [false, true] {
            let mut child = AgentProcess::start(&waits, &launch(&[], &[])).unwrap();
            assert_eq!(child.next().await, ChildNews::Said("here".to_owned()));
            if kill {
                child.kill().unwrap();
            } else {
                child.tell().unwrap();
            }
            let ended = child.next().await;
            assert!(matches!(ended, ChildNews::Ended { well: false, .. }));
        }
    }

    #[tokio::test]
    async fn what_is_no_program_is_an_error() {
        assert!(Program::open(Path::new("/nonexistent")).is_err());
        let program = Program::open(Path::new("/etc/passwd")).unwrap();
        assert!(AgentProcess::start(&program, &launch(&[], &[])).is_err());
    }
}
