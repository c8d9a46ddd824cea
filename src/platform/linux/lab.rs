//! Networks of a test's own, joined by links: for tests of what changes rules, links and addresses. Needs root.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;

use crate::platform::command::Command;

/// Longest run of a program, and longest wait of a test.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// Longest wait for a connection: a refusal comes at once, and what is dropped would take minutes.
const CONNECT: Duration = Duration::from_secs(3);

type Work = Box<dyn FnOnce() + Send>;

/// A network that work can be done in.
pub(super) struct Net {
    /// Its thread, which keeps it.
    tid: i32,
    work: mpsc::Sender<Work>,
}

impl Net {
    /// A network with nothing but loopback.
    pub(super) fn new() -> Self {
        let (work, todo) = mpsc::channel::<Work>();
        let (told, tid) = mpsc::channel();
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            told.send(gettid().as_raw()).unwrap();
            while let Ok(work) = todo.recv() {
                work();
            }
        });
        let net = Self {
            tid: tid.recv().unwrap(),
            work,
        };
        net.ip(&["link set lo up"]);
        net
    }

    /// Does something in it.
    pub(super) fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (told, done) = mpsc::channel();
        let work = move || told.send(work()).unwrap();
        self.work.send(Box::new(work)).unwrap();
        done.recv().unwrap()
    }

    /// The same on a runtime.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce() -> T + Send + 'static,
    ) -> T {
        self.within(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(work())
        })
    }

    pub(super) fn program(&self, program: &'static str, line: &str) {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        self.run(async move || {
            Command::new(program, LIMIT)
                .args(args)
                .run()
                .await
                .map(drop)
        })
        .unwrap();
    }

    pub(super) fn ip(&self, lines: &[&str]) {
        for line in lines {
            self.program("ip", line);
        }
    }

    /// Whether somebody answers there.
    pub(super) fn reaches(&self, address: &str) -> bool {
        let address: IpAddr = address.parse().unwrap();
        let connected = move || TcpStream::connect_timeout(&SocketAddr::new(address, 80), CONNECT);
        match self.within(connected) {
            Ok(_) => true,
            Err(error) => {
                // Refused by the rules at once, not lost.
                assert_ne!(error.kind(), io::ErrorKind::TimedOut);
                false
            }
        }
    }

    /// Somebody listens there from now on.
    pub(super) fn listen(&self, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        let listener = self.within(move || TcpListener::bind((address, 80)).unwrap());
        std::thread::spawn(move || for _connection in listener.incoming() {});
    }
}

/// Joins two networks: the host is 10.`n`.0.1, the other one 10.`n`.0.2 and sends everything to the host.
pub(super) fn link(host: &Net, other: &Net, n: u8) {
    host.ip(&[
        &format!("link add up{n} type veth peer name down{n}"),
        &format!("link set down{n} netns {}", other.tid),
        &format!("addr add 10.{n}.0.1/24 dev up{n}"),
        &format!("addr add fd0{n}::1/64 dev up{n} nodad"),
        &format!("link set up{n} up"),
    ]);
    other.ip(&[
        &format!("addr add 10.{n}.0.2/24 dev down{n}"),
        &format!("addr add fd0{n}::2/64 dev down{n} nodad"),
        &format!("link set down{n} up"),
        &format!("route add default via 10.{n}.0.1"),
        &format!("-6 route add default via fd0{n}::1"),
    ]);
}
