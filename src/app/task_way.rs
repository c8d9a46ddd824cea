//! Says why what containers ask at 169.254.170.2 does not reach the agent: the address, the port, who answers there, the
//! firewall.
//!
//! **Invariants.** Changes nothing, and asks nobody but this host: the address is only connected to where it is this
//! host's own. What was seen is one value, and what it means is a pure function of it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::holders;
use super::place::system;
use super::settings;
use super::task_address::TASK_SERVER;
use super::task_lead::{self, Obstacle};
use crate::api::observe::probes::Check;
use crate::boundary::Host;
use crate::boundary::host::PortHolder;
use crate::config::Config;
use crate::domain::host::OsType;
use crate::platform::task_host::{self, ADAPTER, Way};
use crate::platform::{HostOs, is_root};

/// Name of the check.
const NAME: &str = "address";

/// Longest wait for whoever listens there: what an agent is asked it has in memory.
const LIMIT: Duration = Duration::from_secs(2);

/// Longest answer that is looked at, in bytes.
const MAX_ANSWER: u64 = 4096;

/// Asks for metadata of a container that there is not: every ECS agent says so in the same words, and writes nothing
/// into its record of requests.
const REQUEST: &[u8] =
    b"GET /v4/berth-doctor HTTP/1.1\r\nHost: 169.254.170.2\r\nConnection: close\r\n\r\n";

/// What an ECS agent says then.
const AGENT_WORDS: &str = "V4 container metadata handler";

/// Who answers at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// An ECS agent.
    Agent,
    /// Somebody else.
    Stranger,
    /// Nobody listens.
    Nobody,
    /// Somebody listens and says nothing.
    Silence,
}

/// Everything that was looked at.
#[derive(Clone, Debug)]
struct Seen {
    os: OsType,
    agent_runs: bool,
    /// Who answers, where the address is this host's.
    heard: Option<Heard>,
    /// Who has the socket there, or the one that it leads to.
    holders: Vec<PortHolder>,
    /// Where rules lead from there.
    lead: Option<u16>,
    /// Why there can be none.
    obstacle: Option<Obstacle>,
    /// Whether rules can be looked at.
    sees_rules: bool,
    way: Way,
}

impl Seen {
    /// Whether an agent that will be started leaves the port to others.
    fn leaves_port(&self) -> bool {
        self.os == OsType::Linux && !self.agent_runs && self.sees_rules && self.obstacle.is_none()
    }
}

/// Whether containers reach the agent, on this host.
pub async fn look(config: &Config, agent_runs: bool) -> Check {
    check(config, &HostOs::new(settings::host(config)), agent_runs).await
}

/// Whether containers reach the agent. `agent_runs`: one answers on this host.
pub(super) async fn check(config: &Config, host: &impl Host, agent_runs: bool) -> Check {
    let (address, listen) = (TASK_SERVER.ip(), config.listen);
    if listen.task_redirect {
        let words = format!(
            "{address}: rules of iptables lead containers to {}",
            listen.task_server
        );
        return Check::pass(NAME, words);
    }
    if !listen.task_address {
        let words = "containers are not served there: BERTH_TASK_ADDRESS is false";
        return Check::pass(NAME, format!("{address}: {words}"));
    }
    let rules = task_lead::leads_to().await;
    // Who may not look at rules does not know what is in their way either.
    let sees_rules = rules.is_ok() || is_root();
    let lead = rules.unwrap_or(None);
    let port = lead.unwrap_or(TASK_SERVER.port());
    let seen = Seen {
        os: system(),
        agent_runs,
        heard: heard(TASK_SERVER.port()).await,
        holders: host.listeners((address, port).into()).await,
        lead,
        obstacle: if sees_rules {
            task_lead::obstacle_here(&listen).await
        } else {
            None
        },
        sees_rules,
        way: task_host::look(system()).await,
    };
    verdict(&seen)
}

/// Whether an agent answers containers on this host now.
pub(super) async fn is_served() -> bool {
    heard(TASK_SERVER.port()).await == Some(Heard::Agent)
}

/// Whether an agent answers at that port of the address, or will: whoever is silent there may be one that starts.
pub(super) async fn may_answer(port: u16) -> bool {
    matches!(heard(port).await, Some(Heard::Agent | Heard::Silence))
}

/// Who answers at that port of the address, where it is this host's.
async fn heard(port: u16) -> Option<Heard> {
    // Bound for a moment on no port of its own: succeeds where the address is this host's.
    let is_here = TcpListener::bind((TASK_SERVER.ip(), 0)).is_ok();
    if is_here {
        Some(ask((TASK_SERVER.ip(), port).into()).await)
    } else {
        None
    }
}

/// Who listens there.
async fn ask(address: SocketAddr) -> Heard {
    let talk = async {
        let mut stream = match TcpStream::connect(address).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Heard::Nobody;
            }
            Err(_) => return Heard::Silence,
            Ok(stream) => stream,
        };
        let mut answer = Vec::new();
        // One that ends before it is heard out is none of ours.
        if stream.write_all(REQUEST).await.is_ok() {
            let _ended = stream.take(MAX_ANSWER).read_to_end(&mut answer).await;
        }
        if String::from_utf8_lossy(&answer).contains(AGENT_WORDS) {
            Heard::Agent
        } else {
            Heard::Stranger
        }
    };
    tokio::time::timeout(LIMIT, talk)
        .await
        .unwrap_or(Heard::Silence)
}

/// What that means, and what to do. Pure.
fn verdict(seen: &Seen) -> Check {
    const READY: &str = "/readyz of the agent says why; free the port for it";
    let at = format!("{} port {}", TASK_SERVER.ip(), TASK_SERVER.port());
    let who = holders::user_of(&seen.holders).map_or_else(String::new, held_by);
    match seen.heard {
        None => away(seen),
        Some(Heard::Agent) => reached(seen, &at, &who),
        Some(Heard::Stranger) if seen.leaves_port() => {
            let words = format!("{at} will lead to the agent, whoever has the port{who}");
            Check::pass(NAME, words)
        }
        Some(Heard::Stranger) => {
            Check::warn(NAME, format!("what answers at {at} is no agent{who}")).hint(READY)
        }
        Some(Heard::Silence) => {
            let words = format!("no answer within {} s at {at}{who}", LIMIT.as_secs());
            Check::warn(NAME, words).hint(READY)
        }
        Some(Heard::Nobody) if seen.agent_runs => {
            Check::warn(NAME, format!("nobody listens at {at}{who}")).hint(READY)
        }
        Some(Heard::Nobody) => {
            let words = format!(
                "{} is this host's; the agent listens there",
                TASK_SERVER.ip()
            );
            without_agent(seen, words)
        }
    }
}

/// All is well for an agent that will be started, but for what its tasks cannot have.
fn without_agent(seen: &Seen, words: String) -> Check {
    let obstacle = seen.obstacle.as_ref();
    obstacle.map_or_else(|| Check::pass(NAME, words), |obstacle| obstacle.check(NAME))
}

fn held_by(holder: &PortHolder) -> String {
    match holder.command.as_str() {
        "" => format!(": process {} has the port", holder.pid),
        name => format!(": process {}, {name}, has the port", holder.pid),
    }
}

/// The address is not this host's.
fn away(seen: &Seen) -> Check {
    let address = TASK_SERVER.ip();
    if seen.way.adapter == Some(false) {
        let words = format!("{address} is not this host's, which has no adapter {ADAPTER}");
        return Check::warn(NAME, words)
            .hint("start Docker with Windows containers: its network `nat` has the adapter");
    }
    if !seen.agent_runs {
        return without_agent(seen, format!("{address} is added by the agent"));
    }
    Check::warn(NAME, format!("{address} is not this host's")).hint(match seen.os {
        OsType::Linux => {
            "containers cannot reach credentials and metadata there; /readyz of the agent says why"
        }
        OsType::Windows => {
            "containers cannot reach credentials and metadata there; `berth host setup` as an administrator says why"
        }
    })
}

/// An agent answers; the way of containers to it may be another one.
fn reached(seen: &Seen, at: &str, who: &str) -> Check {
    if let Some(to) = &seen.way.proxy {
        let words = format!("a port proxy leads {at} to {to}: the agent cannot tell who asks");
        return Check::warn(NAME, words).hint(
            "netsh interface portproxy delete v4tov4 listenaddress=169.254.170.2 listenport=80, then start the agent anew",
        );
    }
    let is_known = seen.holders.iter().any(|one| !one.command.is_empty());
    if is_known && !seen.holders.iter().any(holders::is_berth) {
        return Check::warn(NAME, format!("another ECS agent answers at {at}{who}"))
            .hint("stop it: it knows nothing of this one's tasks");
    }
    if seen.way.rule == Some(false) {
        let words = format!("the firewall lets no container to {at}");
        return Check::warn(NAME, words)
            .hint("`berth host setup` as an administrator makes the rule");
    }
    match seen.os {
        OsType::Linux => on_linux(seen, at),
        OsType::Windows => Check::pass(
            NAME,
            format!(
                "the agent answers at {at}; containers find it by the route of Add-TaskServerRoute.ps1"
            ),
        ),
    }
}

/// The agent answers; by rules, or at the port itself.
fn on_linux(seen: &Seen, at: &str) -> Check {
    match (seen.lead, &seen.obstacle) {
        (Some(port), _) => Check::pass(
            NAME,
            format!("the agent answers at {at}, which leads to port {port}"),
        ),
        (None, Some(obstacle)) => obstacle.check(NAME),
        (None, None) if seen.sees_rules => Obstacle::Gone.check(NAME),
        (None, None) => Check::pass(NAME, format!("the agent answers at {at}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;
    use crate::api::observe::probes::CheckStatus;

    fn seen(heard: Option<Heard>) -> Seen {
        Seen {
            os: OsType::Windows,
            agent_runs: true,
            heard,
            holders: Vec::new(),
            lead: None,
            obstacle: None,
            sees_rules: true,
            way: Way::default(),
        }
    }

    impl Seen {
        fn idle(self) -> Self {
            Self {
                agent_runs: false,
                ..self
            }
        }

        fn on_linux(self, lead: Option<u16>) -> Self {
            Self {
                os: OsType::Linux,
                lead,
                ..self
            }
        }

        fn without_rules(self) -> Self {
            let obstacle = Some(Obstacle::NoRules("no nf_tables".to_owned()));
            Self { obstacle, ..self }
        }

        fn held_by(self, command: &str) -> Self {
            let command = command.to_owned();
            Self {
                holders: vec![PortHolder { pid: 4, command }],
                ..self
            }
        }

        fn on_the_way(self, adapter: bool, proxy: Option<&str>, rule: bool) -> Self {
            Self {
                way: Way {
                    adapter: Some(adapter),
                    proxy: proxy.map(str::to_owned),
                    rule: Some(rule),
                },
                ..self
            }
        }
    }

    fn told(seen: &Seen, bad: bool, words: &str) {
        let check = verdict(seen);
        assert!(check.message.contains(words), "{check:?}");
        assert_eq!(check.status == CheckStatus::Warn, bad, "{check:?}");
        let has_hint = check.hint.is_some();
        assert_eq!(has_hint, bad, "what is wrong has a way out: {check:?}");
    }

    #[test]
    fn an_address_or_a_listener_that_is_missing_is_named_with_who_has_the_port() {
        let away = seen(None);
        told(&away, true, "169.254.170.2 is not this host's");
        told(&away.clone().on_linux(None), true, "is not this host's");
        told(&away.clone().idle(), false, "is added by the agent");
        let bare = away.idle().on_the_way(false, None, false);
        told(&bare, true, "no adapter vEthernet (nat)");
        let at = "169.254.170.2 port 80";
        let nobody = seen(Some(Heard::Nobody));
        told(&nobody.clone().idle(), false, "is this host's; the agent");
        let held = nobody.held_by("HTTP service of Windows");
        let words = "process 4, HTTP service of Windows, has the port";
        told(&held, true, &format!("nobody listens at {at}: {words}"));
        let stranger = seen(Some(Heard::Stranger)).held_by("nginx.exe");
        told(&stranger, true, "is no agent: process 4, nginx.exe, has");
        let silent = seen(Some(Heard::Silence)).held_by("");
        let words = format!("no answer within 2 s at {at}: process 4 has the port");
        told(&silent, true, &words);
    }

    #[test]
    fn an_agent_that_answers_may_be_another_or_behind_a_wall() {
        let agent = seen(Some(Heard::Agent));
        let at = "169.254.170.2 port 80";
        let other = agent.clone().held_by("amazon-ecs-agent.exe");
        told(&other, true, "another ECS agent answers at");
        let led = agent.clone().held_by("svchost.exe");
        let led = led.on_the_way(true, Some("127.0.0.1:51679"), true);
        told(
            &led,
            true,
            &format!("a port proxy leads {at} to 127.0.0.1:51679"),
        );
        // The service manager keeps the socket that the agent has from it.
        let kept = |pid: u32, command: &str| PortHolder {
            pid,
            command: command.to_owned(),
        };
        let shared = Seen {
            holders: vec![kept(1, "systemd"), kept(70, "berth")],
            ..agent.clone().on_linux(Some(51679))
        };
        told(&shared, false, "the agent answers at");
        let other = Seen {
            holders: vec![kept(1, "systemd"), kept(80, "amazon-ecs-agen")],
            ..agent.clone().on_linux(Some(51679))
        };
        let words = format!("another ECS agent answers at {at}: process 80, amazon-ecs-agen, has");
        told(&other, true, &words);
        let walled = agent.clone().on_the_way(true, None, false);
        told(&walled, true, "the firewall lets no container to");
        let good = agent.clone().held_by("berth.exe");
        let good = good.on_the_way(true, None, true);
        told(
            &good,
            false,
            &format!("the agent answers at {at}; containers find"),
        );
        let led = agent.on_linux(Some(51679)).held_by("berth");
        let words = format!("the agent answers at {at}, which leads to port 51679");
        told(&led, false, &words);
        told(&led.clone().without_rules(), false, &words);
    }

    #[test]
    fn what_keeps_port_80_from_tasks_is_told() {
        let agent = seen(Some(Heard::Agent)).on_linux(None).held_by("berth");
        told(
            &agent.clone().without_rules(),
            true,
            "which is the agent's: no nf_tables",
        );
        told(&agent, true, "nothing is in the way of rules now");
        let blind = Seen {
            sees_rules: false,
            ..agent
        };
        told(&blind, false, "the agent answers at");
        let web = seen(Some(Heard::Stranger)).on_linux(None).held_by("nginx");
        told(&web, true, "is no agent: process 4, nginx, has");
        let before = web.idle();
        told(&before, false, "will lead to the agent, whoever has");
        told(&before.without_rules(), true, "is no agent");
        for heard in [None, Some(Heard::Nobody)] {
            let idle = seen(heard).on_linux(None).idle();
            told(&idle, false, "169.254.170.2 is");
            told(&idle.without_rules(), true, "no task can have TCP port 80");
        }
    }

    /// Answers every connection with these bytes and ends it; nothing = holds it open.
    async fn listener(answer: Option<&'static str>) -> (SocketAddr, JoinSet<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                if let Some(answer) = answer {
                    let mut asked = [0; 512];
                    let _asked = stream.read(&mut asked).await;
                    let _told = stream.write_all(answer.as_bytes()).await;
                } else {
                    kept.push(stream);
                }
            }
        });
        (address, server)
    }

    #[tokio::test]
    async fn who_answers_is_told_apart() {
        let gone = listener(None).await.0;
        for (answer, expected) in [
            (
                Some(
                    "HTTP/1.1 404 Not Found\r\n\r\n\"V4 container metadata handler: unable to get container ID from request\"",
                ),
                Heard::Agent,
            ),
            (Some("HTTP/1.1 200 OK\r\n\r\n<html>nginx"), Heard::Stranger),
            (Some(""), Heard::Stranger),
            (None, Heard::Silence),
        ] {
            let (address, _server) = listener(answer).await;
            assert_eq!(ask(address).await, expected, "{answer:?}");
        }
        assert_eq!(ask(gone).await, Heard::Nobody, "its listener was dropped");
    }
}
