//! What an agent keeps of the host's rules, in a network namespace of its own, without Docker.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, setns};
use tokio::process::{Child, Command};

use super::support::berth::{Berth, Done, LIMIT, done};

/// Longest time until what was taken away is back: a second and what a slow machine adds.
const BACK: Duration = Duration::from_mins(1);

/// A network, and agents in it, that end when dropped.
struct Lab {
    net: Child,
    berth: Berth,
    dir: tempfile::TempDir,
}

impl Lab {
    /// A network of its own with loopback; `None` where none can be made.
    async fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            berth::testing::skip::skipped("only root makes network namespaces");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let berth = Berth::default()
            .env("HOME", path(""))
            .env("DOCKER_HOST", format!("unix://{}", path("no-docker.sock")))
            .env("BERTH_CREDENTIALS", "off")
            .env("BERTH_TASK_SERVER_ADDRESS", "127.0.0.1:51679");
        let mut net = program("unshare", &berth);
        net.args(["--net", "sleep", "600"]).kill_on_drop(true);
        let net = net.spawn().expect("unshare, of util-linux");
        let lab = Self { net, berth, dir };
        within_time("there is a network", async || {
            let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
            of(&lab.pid()) != of("self")
        })
        .await;
        lab.within("ip", &["link", "set", "lo", "up"]).await.with(0);
        Some(lab)
    }

    fn pid(&self) -> String {
        self.net.id().expect("it runs").to_string()
    }

    fn program(&self) -> String {
        let berth = self.berth.command(&[]).as_std().get_program().to_owned();
        berth.to_str().expect("text").to_owned()
    }

    /// An agent with that data directory and these settings.
    fn agent(&self, data: &str, settings: &[(&str, &str)]) -> Child {
        self.start(&[&self.program(), "agent"], data, settings)
    }

    /// One with a parent.
    fn supervised(&self, data: &str, settings: &[(&str, &str)]) -> Child {
        self.start(&[&self.program(), "supervise"], data, settings)
    }

    /// One that is handed the socket, which stays with the test as it would with systemd.
    fn agent_with(&self, socket: &TcpListener, data: &str, settings: &[(&str, &str)]) -> Child {
        const HAND_OVER: &str =
            "exec 3<&\"$SOCKET\"; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" agent";
        fcntl(socket, FcntlArg::F_SETFD(FdFlag::empty())).expect("a flag");
        let number = socket.as_raw_fd().to_string();
        let settings = [&[("SOCKET", number.as_str())], settings].concat();
        self.start(&["bash", "-c", HAND_OVER, &self.program()], data, &settings)
    }

    fn start(&self, words: &[&str], data: &str, settings: &[(&str, &str)]) -> Child {
        let data = self.dir.path().join(data);
        let mut command = program("nsenter", &self.berth);
        command
            .args(["--net", "--target", &self.pid()])
            .args(words)
            .env("ECS_DATADIR", data)
            .envs(settings.iter().copied())
            .kill_on_drop(true);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("nsenter, of util-linux")
    }

    /// Listens in the network.
    fn listen(&self, address: &'static str) -> TcpListener {
        self.inside(move || TcpListener::bind(address).expect("an address"))
    }

    /// Does it in the network, on a thread that goes there.
    fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let network = format!("/proc/{}/ns/net", self.pid());
        let network = std::fs::File::open(network).expect("a network");
        let done = std::thread::spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).expect("root changes networks");
            work()
        });
        done.join().expect("a thread")
    }

    /// Runs a program in the network.
    async fn within(&self, name: &str, args: &[&str]) -> Done {
        let mut command = program("nsenter", &self.berth);
        command
            .args(["--net", "--target", &self.pid(), name])
            .args(args);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        done(&output.expect("in time").expect("nsenter, of util-linux"))
    }

    /// Directories with an `nft` that does not work as long as this file is there.
    fn path_with_moody_nft(&self) -> (String, PathBuf) {
        let (bin, mood) = (self.dir.path().join("bin"), self.dir.path().join("mood"));
        std::fs::create_dir(&bin).expect("a directory");
        std::fs::write(&mood, "").expect("a file");
        let script = format!(
            "#!/bin/sh\n[ -e {} ] && exit 1\nexec /usr/sbin/nft \"$@\"\n",
            mood.display()
        );
        std::fs::write(bin.join("nft"), script).expect("a file");
        let may_run = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bin.join("nft"), may_run).expect("an own file");
        (format!("{}:/usr/bin:/bin", bin.display()), mood)
    }

    /// Whether somebody listens there.
    async fn is_served(&self, address: &str) -> bool {
        self.within("ss", &["-tlnH"]).await.out.contains(address)
    }

    async fn has_address(&self) -> bool {
        let listed = self.within("ip", &["-4", "address"]).await;
        listed.out.contains("169.254.170.2/32")
    }

    async fn has_barrier(&self) -> bool {
        let listed = self
            .within("nft", &["list", "table", "inet", "berth"])
            .await;
        listed.code == Some(0)
    }

    /// Where port 80 of the address leads by a table of this agent.
    async fn leads_to(&self, port: u16) -> bool {
        let listed = self.within("nft", &["list", "table", "ip", "berth"]).await;
        let lead = format!("dnat to 169.254.170.2:{port}\n");
        listed.out.matches(&lead).count() == 2
    }

    async fn has_lead(&self) -> bool {
        let listed = self.within("nft", &["list", "tables"]).await;
        listed.out.contains("ip berth")
    }

    /// Whether an agent answers at the address of containers, at port 80.
    fn is_answered(&self) -> bool {
        let answer = self.inside(|| {
            let mut stream = TcpStream::connect_timeout(&([169, 254, 170, 2], 80).into(), LIMIT)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.write_all(b"GET /v4/nobody HTTP/1.0\r\nHost: x\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        });
        answer.is_ok_and(|answer| answer.contains("V4 container metadata handler"))
    }

    async fn has_redirect(&self) -> bool {
        let listed = self
            .within("iptables", &["-t", "nat", "-S", "PREROUTING"])
            .await;
        listed.out.contains("169.254.170.2")
    }

    /// `berth host` in the agent's network.
    async fn host(&self, action: &str) -> Done {
        self.within(&self.program(), &["host", action]).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "programs of the host are run beside the program under test"
)]
fn program(name: &str, berth: &Berth) -> Command {
    let mut command = Command::new(name);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(berth.env.iter().cloned())
        .stdin(Stdio::null());
    command
}

/// Waits until it is so, and says how long that took.
async fn within_time(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < BACK, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

/// Asks the agent to end, and waits until it has.
async fn end(mut agent: Child) {
    let pid = i32::try_from(agent.id().expect("it runs")).expect("a pid");
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
    let ended = tokio::time::timeout(LIMIT, agent.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());
}

#[tokio::test]
async fn rules_that_somebody_takes_away_are_back_and_stay_until_they_are_cleaned() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    let agent = lab.agent("data", &[("BERTH_TASK_REDIRECT", "true")]);
    within_time("the barrier is up", async || lab.has_barrier().await).await;
    within_time("the redirect is there", async || lab.has_redirect().await).await;
    // What a restart of a firewall does, and what somebody does by hand.
    for command in ["flush ruleset", "delete table inet berth"] {
        let args: Vec<&str> = command.split(' ').collect();
        lab.within("nft", &args).await.with(0);
        let took = within_time("the barrier is back", async || lab.has_barrier().await).await;
        println!("{command}: back after {} ms", took.as_millis());
        within_time("the redirect is back", async || lab.has_redirect().await).await;
    }
    lab.within("iptables", &["-t", "nat", "-F"]).await.with(0);
    within_time("the redirect is back", async || lab.has_redirect().await).await;
    let status = lab.host("status").await;
    assert!(status.with(0).contains("do not reach"), "{status:?}");
    end(agent).await;
    assert!(
        lab.has_barrier().await && lab.has_redirect().await,
        "they stay"
    );
    for _ in 0..2 {
        let cleaned = lab.host("clean").await;
        assert!(
            cleaned.with(0).contains("nothing of this agent"),
            "{cleaned:?}"
        );
        assert!(!lab.has_barrier().await && !lab.has_redirect().await);
    }
}

/// Settings with which an agent changes nothing on its host.
const NOTHING: &[(&str, &str)] = &[
    ("BERTH_BLOCK_INSTANCE_METADATA", "false"),
    ("BERTH_TASK_ADDRESS", "false"),
    ("BERTH_TASK_SERVER_ADDRESS", BESIDE),
];

/// Where an agent beside another serves: it does so once it has seen to the host.
const BESIDE: &str = "127.0.0.1:52679";

#[tokio::test]
async fn what_is_turned_off_is_taken_away_at_the_next_start_and_nothing_of_another_agent() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    let first = lab.agent("first", &[]);
    within_time("the barrier is up", async || lab.has_barrier().await).await;
    within_time("the address is there", async || lab.has_address().await).await;
    // An agent that has never had them takes nothing away; nor does one that is to have them.
    let second = lab.agent("second", NOTHING);
    let serves = async || lab.is_served(BESIDE).await;
    within_time("the other agent is up", serves).await;
    end(second).await;
    assert!(lab.has_barrier().await && lab.has_address().await);
    end(first).await;
    let redirecting = lab.agent("first", &[("BERTH_TASK_REDIRECT", "true")]);
    within_time("the redirect is there", async || lab.has_redirect().await).await;
    within_time("the address is gone", async || !lab.has_address().await).await;
    assert!(lab.has_barrier().await && !lab.has_lead().await);
    end(redirecting).await;
    let off = lab.agent("first", NOTHING);
    within_time("all is as before", async || {
        !lab.has_barrier().await && !lab.has_address().await && !lab.has_redirect().await
    })
    .await;
    end(off).await;
}

#[tokio::test]
async fn port_80_leads_to_the_agent_and_is_left_to_others_whatever_somebody_takes_away() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    let agent = lab.agent("data", &[]);
    within_time("it is answered", async || lab.is_answered()).await;
    // A web server of the host, or Docker for a container that publishes port 80.
    let web = lab.listen("0.0.0.0:80");
    for command in ["flush ruleset", "delete table ip berth"] {
        let args: Vec<&str> = command.split(' ').collect();
        lab.within("nft", &args).await.with(0);
        let took = within_time("it is led to", async || lab.leads_to(51679).await).await;
        println!("{command}: back after {} ms", took.as_millis());
        assert!(lab.is_answered());
    }
    let status = lab.host("status").await;
    assert!(
        status.with(0).contains("is led to port 51679"),
        "{status:?}"
    );
    assert!(!status.out.contains("->"), "nothing is wrong: {status:?}");
    end(agent).await;
    assert!(lab.leads_to(51679).await, "it stays");
    lab.host("clean").await.with(0);
    assert!(!lab.has_lead().await);
    lab.host("setup").await.with(0);
    assert!(lab.leads_to(51679).await && lab.has_address().await);
    drop(web);
}

#[tokio::test]
async fn where_there_can_be_no_rules_the_agent_has_port_80_and_says_so() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    // The rules of an earlier run lead to this one too.
    let before = lab.agent("data", &[]);
    within_time("it is answered", async || lab.is_answered()).await;
    end(before).await;
    let agent = lab.agent("data", &[("PATH", "/usr/bin:/bin")]);
    let serves = async || lab.is_served("169.254.170.2:80").await;
    within_time("it has port 80", serves).await;
    within_time("it is answered", async || lab.is_answered()).await;
    lab.within("nft", &["delete", "table", "ip", "berth"])
        .await
        .with(0);
    assert!(lab.is_answered(), "at port 80 itself");
    let status = lab.host("status").await;
    let words = "no task can have TCP port 80 of this host";
    assert!(status.with(0).contains(words), "{status:?}");
    end(agent).await;
    let later = lab.agent("data", &[]);
    within_time("it is led to", async || lab.leads_to(51679).await).await;
    assert!(!lab.is_served("169.254.170.2:80").await);
    end(later).await;
}

#[tokio::test]
async fn a_socket_at_port_80_that_is_handed_over_is_served_and_nothing_leads_past_it() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    lab.within("ip", &["addr", "add", "169.254.170.2/32", "dev", "lo"])
        .await
        .with(0);
    let socket = lab.listen("169.254.170.2:80");
    let agent = lab.agent_with(&socket, "data", &[]);
    within_time("it is answered", async || lab.is_answered()).await;
    assert!(!lab.has_lead().await);
    // Nor does another agent lead containers away from it.
    let second = lab.agent("second", &[("BERTH_TASK_SERVER_ADDRESS", BESIDE)]);
    let serves = async || lab.is_served(BESIDE).await;
    within_time("the other agent is up", serves).await;
    assert!(!lab.has_lead().await && lab.is_answered());
    end(second).await;
    end(agent).await;
}

#[tokio::test]
async fn rules_stay_and_are_kept_where_they_cannot_be_looked_at_for_a_while_and_a_task_has_port_80()
{
    let Some(lab) = Lab::new().await else {
        return;
    };
    let before = lab.agent("data", &[]);
    within_time("it is answered", async || lab.is_answered()).await;
    end(before).await;
    let web = lab.listen("0.0.0.0:80");
    let (path, mood) = lab.path_with_moody_nft();
    let agent = lab.agent("data", &[("PATH", &path)]);
    let serves = async || lab.is_served("127.0.0.1:51679").await;
    within_time("the agent is up", serves).await;
    assert!(lab.leads_to(51679).await && lab.is_answered());
    std::fs::remove_file(mood).expect("a file");
    lab.within("nft", &["delete", "table", "ip", "berth"])
        .await
        .with(0);
    within_time("it is led to", async || lab.leads_to(51679).await).await;
    end(agent).await;
    drop(web);
}

#[tokio::test]
async fn rules_that_cannot_be_taken_away_are_at_a_later_start() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    let before = lab.agent("data", &[]);
    within_time("it is led to", async || lab.leads_to(51679).await).await;
    end(before).await;
    let up = async || lab.is_served(BESIDE).await;
    let without_nft = [NOTHING, &[("PATH", "/usr/bin:/bin")]].concat();
    let agent = lab.agent("data", &without_nft);
    within_time("the agent is up", up).await;
    end(agent).await;
    assert!(lab.has_lead().await);
    let later = lab.agent("data", NOTHING);
    within_time("the agent is up", up).await;
    assert!(!lab.has_lead().await);
    end(later).await;
}

#[tokio::test]
async fn an_agent_that_is_led_to_is_left_so_by_another_until_it_ends() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    let first = lab.agent("first", &[]);
    within_time("it is led to", async || lab.leads_to(51679).await).await;
    within_time("it is answered", async || lab.is_answered()).await;
    let second = lab.agent("second", &[("BERTH_TASK_SERVER_ADDRESS", BESIDE)]);
    let serves = async || lab.is_served(BESIDE).await;
    within_time("the other agent is up", serves).await;
    assert!(lab.leads_to(51679).await);
    end(first).await;
    within_time("the other is led to", async || lab.leads_to(52679).await).await;
    within_time("it is answered", async || lab.is_answered()).await;
    end(second).await;
}

#[tokio::test]
async fn where_rules_lead_past_the_address_no_parent_holds_it_and_a_kept_socket_is_nobodys() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    let redirect = &[("BERTH_TASK_REDIRECT", "true")];
    let had = async || {
        let had = lab.agent("data", &[]);
        within_time("the address is there", async || lab.has_address().await).await;
        end(had).await;
    };
    let is_gone = async || {
        within_time("the redirect is there", async || lab.has_redirect().await).await;
        within_time("the address is gone", async || !lab.has_address().await).await;
    };
    had().await;
    let parent = lab.supervised("data", redirect);
    is_gone().await;
    assert!(!lab.is_served("169.254.170.2:").await);
    end(parent).await;
    had().await;
    let socket = lab.listen("169.254.170.2:51679");
    let given = lab.agent_with(&socket, "data", redirect);
    is_gone().await;
    end(given).await;
    drop(socket);
}

#[tokio::test]
async fn an_agent_that_serves_at_the_address_keeps_it_when_another_is_not_to_have_it() {
    let Some(lab) = Lab::new().await else {
        return;
    };
    let had = lab.agent("had", &[]);
    within_time("the address is there", async || lab.has_address().await).await;
    end(had).await;
    let serving = lab.agent("serving", &[("BERTH_BLOCK_INSTANCE_METADATA", "false")]);
    let serves = async || lab.is_served("169.254.170.2:51679").await;
    within_time("somebody serves", serves).await;
    within_time("it is led to", async || lab.leads_to(51679).await).await;
    let index = async || lab.within("ip", &["-o", "-4", "address"]).await.out;
    let before = index().await;
    let off = lab.agent("had", NOTHING);
    within_time("the barrier is gone", async || !lab.has_barrier().await).await;
    let serves = async || lab.is_served(BESIDE).await;
    within_time("the other agent is up", serves).await;
    assert_eq!(index().await, before, "the link is the same one");
    assert!(lab.leads_to(51679).await);
    end(off).await;
    end(serving).await;
}
