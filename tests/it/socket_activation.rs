//! Sockets that somebody else keeps, as a service manager does: they are served as they are, and whoever asks while no
//! agent runs is answered by the next. Without Docker.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::support::berth::{Berth, LIMIT};

/// Gives the program the socket as descriptor 3 and says so as `sd_listen_fds` has it: to that process and no other.
const HAND_OVER: &str = "exec 3<&\"$SOCKET\"; export LISTEN_FDS=1 LISTEN_FDNAMES=task-server LISTEN_PID=$$; exec \"$0\" agent";

/// An agent that is given the socket; it is killed when dropped.
#[expect(
    clippy::disallowed_methods,
    reason = "a program of the host hands the socket over"
)]
fn agent(berth: &Berth, socket: &TcpListener) -> Child {
    let program = berth.command(&[]).as_std().get_program().to_owned();
    let mut command = Command::new("bash");
    command
        .args(["-c", HAND_OVER])
        .arg(program)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("SOCKET", socket.as_raw_fd().to_string())
        .envs(berth.env.iter().cloned());
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let command = command.stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("bash")
}

/// A connection that has asked.
async fn asked(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = b"GET /v2/credentials/nobody HTTP/1.0\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.expect("a request");
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_string(&mut text));
    read.await.expect("in time").expect("an answer");
    text
}

fn assert_served(told: &str) {
    assert!(
        told.contains("CredentialsV2Request: Credentials not found"),
        "{told}"
    );
}

#[tokio::test]
async fn who_asks_while_no_agent_runs_is_answered_by_the_next_on_the_same_socket() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
    // Programs that are started have it.
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::empty())).expect("a flag");
    let address = socket.local_addr().expect("an address");
    let berth = Berth::default()
        .env("HOME", path(""))
        .env("ECS_DATADIR", path("data"))
        .env("DOCKER_HOST", format!("unix://{}", path("no-docker.sock")))
        .env("BERTH_CREDENTIALS", "off")
        .env("BERTH_TASK_ADDRESS", "false")
        .env("BERTH_BLOCK_INSTANCE_METADATA", "false")
        .env("BERTH_INTROSPECTION_ADDRESS", "127.0.0.1:0")
        .env("BERTH_TASK_SERVER_ADDRESS", address.to_string());
    let early = asked(address).await;
    let mut first = agent(&berth, &socket);
    assert_served(&answer(early).await);
    // One that dies without a word, and one that is asked to end.
    first.kill().await.expect("it dies");
    let meanwhile = asked(address).await;
    let mut second = agent(&berth, &socket);
    assert_served(&answer(meanwhile).await);
    let pid = i32::try_from(second.id().expect("it runs")).expect("a pid");
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
    let ended = tokio::time::timeout(LIMIT, second.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());
    let between = asked(address).await;
    let _third = agent(&berth, &socket);
    assert_served(&answer(between).await);
}
