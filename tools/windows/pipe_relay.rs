//! For tests under Wine only: a named pipe of Windows that leads to a TCP port of this host. Behind the port another
//! program leads to the socket of Docker Engine, so that `berth.exe` finds it where it is on Windows.
//!
//!     pipe_relay.exe \\.\pipe\docker_engine 127.0.0.1:12375

#[cfg(windows)]
#[tokio::main]
#[expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for tests tells its driver and gives up where it cannot go on"
)]
async fn main() {
    use tokio::net::TcpStream;
    use tokio::net::windows::named_pipe::ServerOptions;
    use tokio::task::JoinSet;

    let mut arguments = std::env::args().skip(1);
    let pipe = arguments.next().expect("the name of a pipe");
    let port = arguments.next().expect("an address and a port");
    let mut waiting = ServerOptions::new()
        .first_pipe_instance(true)
        .create(&pipe)
        .expect("the pipe");
    let mut relayed = JoinSet::new();
    println!("listening");
    loop {
        waiting.connect().await.expect("a client");
        let next = ServerOptions::new().create(&pipe).expect("the pipe");
        let mut client = std::mem::replace(&mut waiting, next);
        let port = port.clone();
        relayed.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(port).await {
                // How it ends is the affair of both ends.
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            }
        });
        while relayed.try_join_next().is_some() {}
    }
}

#[cfg(not(windows))]
fn main() {}
