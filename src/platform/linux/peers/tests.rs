//! The contract on this host's kernel, and what only that has: processes, cgroups and networks made for the test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use super::*;
use crate::boundary::Connections as _;
use crate::boundary::connections::{Ends, Holder};
use crate::boundary::usage::UsageTarget;
use crate::domain::ids::{DockerId, TaskId};
use crate::platform::linux::usage::UsageOptions;
use crate::testing::connections::{ConnectionRig, connections_contract};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Rig(TcpListener);

impl Rig {
    fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
    }
}

impl ConnectionRig for Rig {
    type Open = (TcpStream, TcpStream);

    fn open(&self) -> (Ends, Self::Open) {
        let client = TcpStream::connect(self.0.local_addr().unwrap()).unwrap();
        let (server, _) = self.0.accept().unwrap();
        let ends = Ends {
            client: client.local_addr().unwrap(),
            server: server.local_addr().unwrap(),
            alias: None,
        };
        (ends, (client, server))
    }

    fn close(&self, (client, server): Self::Open) {
        drop((client, server));
    }
}

fn target() -> UsageTarget {
    UsageTarget {
        id: DockerId::parse(ID).unwrap(),
        task: TaskId::parse("t1").unwrap(),
    }
}

/// Whether this process may see others, as the agent does.
async fn is_blind(peers: &PeersOs) -> bool {
    let rig = Rig::new();
    let (ends, _open) = rig.open();
    let blind = peers.holder(ends, Vec::new()).await == Holder::Unseen;
    if blind {
        crate::testing::skip::skipped("only root of the host sees who has connected");
    }
    blind
}

#[tokio::test]
async fn the_kernel_shows_who_has_connected() {
    let peers = PeersOs::new(UsageOptions::default());
    if is_blind(&peers).await {
        return;
    }
    connections_contract(&peers, &Rig::new(), target()).await;
}

/// A directory that shows processes as `/proc` does, with only those of the test in it.
struct Shown(tempfile::TempDir);

impl Shown {
    fn new() -> Self {
        let shown = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(shown.proc().join("self/ns")).unwrap();
        std::fs::create_dir_all(shown.cgroups().join("memory")).unwrap();
        for name in ["pid", "cgroup"] {
            let real = std::fs::read_link(Path::new("/proc/self/ns").join(name)).unwrap();
            std::os::unix::fs::symlink(real, shown.proc().join("self/ns").join(name)).unwrap();
        }
        shown
    }

    fn proc(&self) -> std::path::PathBuf {
        self.0.path().join("proc")
    }

    fn cgroups(&self) -> std::path::PathBuf {
        self.0.path().join("cgroup")
    }

    fn peers(&self) -> PeersOs {
        PeersOs::new(UsageOptions {
            cgroup_root: self.cgroups(),
            proc_root: self.proc(),
        })
    }

    /// A process in a cgroup that has this process's descriptors.
    fn process(&self, pid: u32, cgroup: &str) {
        let place = self.proc().join(pid.to_string());
        std::fs::create_dir_all(place.join("net")).unwrap();
        let own = Path::new("/proc").join(std::process::id().to_string());
        std::os::unix::fs::symlink(own.join("fd"), place.join("fd")).unwrap();
        let cgroups = format!("4:memory:{cgroup}\n0::/\n");
        std::fs::write(place.join("cgroup"), cgroups).unwrap();
        std::fs::write(place.join("comm"), "client\n").unwrap();
    }

    fn ends(&self, pid: u32) {
        std::fs::remove_dir_all(self.proc().join(pid.to_string())).unwrap();
    }
}

#[tokio::test]
async fn a_process_leads_to_its_container_and_is_looked_at_anew_each_time() {
    let shown = Shown::new();
    let peers = shown.peers();
    let rig = Rig::new();
    let (ends, _open) = rig.open();
    if peers.holder(ends, Vec::new()).await == Holder::Unseen {
        crate::testing::skip::skipped("only root of the host sees who has connected");
        return;
    }
    // The socket is there, and nobody who is shown has it.
    assert_eq!(peers.holder(ends, Vec::new()).await, Holder::Gone);
    shown.process(7, &format!("/docker/{ID}"));
    let container = Holder::Container(vec![target().id]);
    assert_eq!(peers.holder(ends, Vec::new()).await, container);
    // The number is another process's now: what was remembered of it does not count.
    shown.ends(7);
    shown.process(7, "/system.slice/x.service");
    let Holder::Process(process) = peers.holder(ends, Vec::new()).await else {
        panic!("no process");
    };
    assert_eq!(
        (process.pid, process.command.as_deref()),
        (Some(7), Some("client"))
    );
}

/// Goal: an id in a path proves nothing. A user makes a scope with a container's name; the container's cgroup is where
/// the engine puts it, or anywhere in the tree of root.
#[tokio::test]
async fn only_a_process_in_a_containers_own_cgroup_is_inside_it() {
    let shown = Shown::new();
    let peers = shown.peers();
    let rig = Rig::new();
    let (ends, _open) = rig.open();
    let inside = async || peers.is_inside(ends, target()).await;
    if inside().await.is_none() {
        crate::testing::skip::skipped("only root of the host sees containers");
        return;
    }
    let cgroup = |place: &str| {
        let place = shown.cgroups().join("memory").join(place);
        std::fs::create_dir_all(&place).unwrap();
        place
    };
    let users = format!("user.slice/user-1000.slice/docker-{ID}.scope");
    for own in [format!("docker/{ID}"), format!("odd/place/x-{ID}")] {
        for (place, expected) in [
            (format!("/{own}"), true),
            (format!("/{own}/a/b/c/d/e/f"), true),
            (format!("/{users}"), false),
            ("/user.slice".to_owned(), false),
        ] {
            shown.process(7, &place);
            assert_eq!(inside().await, Some(false), "nobody knows of {own}");
            let forged = cgroup(&users);
            std::os::unix::fs::chown(&forged, Some(1000), None).unwrap();
            assert_eq!(inside().await, Some(false), "only {users} is there");
            let made = cgroup(&own);
            assert_eq!(inside().await, Some(expected), "{place} where it is {own}");
            std::fs::remove_dir(made).unwrap();
            std::fs::remove_dir(forged).unwrap();
            shown.ends(7);
        }
    }
}

#[tokio::test]
async fn a_container_has_an_address_while_it_runs() {
    let shown = Shown::new();
    let peers = shown.peers();
    let address = IpAddr::from([172, 17, 0, 5]);
    let has = async || peers.has_address(target(), address).await;
    let table = "Local:\n  |-- 172.17.0.5\n     /32 host LOCAL\n";
    let Some(at_first) = has().await else {
        crate::testing::skip::skipped("only root of the host sees containers");
        return;
    };
    assert!(!at_first);
    let cgroup = shown.cgroups().join("memory/docker").join(ID);
    std::fs::create_dir_all(&cgroup).unwrap();
    std::fs::write(cgroup.join("cgroup.procs"), "7\n").unwrap();
    // Its process is on its way out.
    assert_eq!(has().await, Some(false));
    shown.process(7, &format!("/docker/{ID}"));
    let net = shown.proc().join("7/net");
    std::fs::write(net.join("fib_trie"), "Local:\n").unwrap();
    assert_eq!(has().await, Some(false));
    std::fs::write(net.join("fib_trie"), table).unwrap();
    assert_eq!(has().await, Some(true));
    std::fs::write(cgroup.join("cgroup.procs"), "").unwrap();
    assert_eq!(has().await, Some(false));
    // Some other place than the usual ones is found by the id alone.
    std::fs::remove_dir_all(shown.cgroups().join("memory/docker")).unwrap();
    let odd = shown
        .cgroups()
        .join("memory/odd/place")
        .join(format!("x-{ID}"));
    std::fs::create_dir_all(&odd).unwrap();
    std::fs::write(odd.join("cgroup.procs"), "7\n").unwrap();
    assert_eq!(has().await, Some(true));
    // Nothing is mounted there.
    std::fs::remove_dir_all(shown.cgroups()).unwrap();
    assert_eq!(has().await, None);
}

#[tokio::test]
async fn a_socket_that_nobody_has_any_more_is_no_ones() {
    let peers = PeersOs::new(UsageOptions::default());
    if is_blind(&peers).await {
        return;
    }
    let unused = Ends {
        client: SocketAddr::from(([127, 0, 0, 1], 1)),
        server: SocketAddr::from(([127, 0, 0, 1], 2)),
        alias: None,
    };
    assert_eq!(peers.holder(unused, Vec::new()).await, Holder::Elsewhere);
    // What listens at the client's end is not connected.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listening = Ends {
        client: listener.local_addr().unwrap(),
        ..unused
    };
    assert_eq!(peers.holder(listening, Vec::new()).await, Holder::Elsewhere);
}
