//! What the agent has been given by whoever started it: sockets for its listeners, and a pipe to tell how far it is.
//!
//! **Invariant.** A socket that was given is served as it is: it is neither bound anew nor, when the agent ends, taken
//! away.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::place::{admin_address_of, system};
use super::task_address::TASK_SERVER;
use crate::api::ObserveState;
use crate::api::observe::probes::is_ready;
use crate::config::sections::{Front, ListenSection};
use crate::config::{Config, source};
use crate::domain::host::OsType;
use crate::platform::local::KeptLocal;
use crate::platform::{
    Handed, KeptSocket, Listening, end_with_parent, handed_descriptors, listen_ahead, parent_id,
};
use crate::supervise::plan::handed::{
    self, HandedTexts, Offered, PROGRESS_PIPE, Place, Use, Wanted,
};
use crate::supervise::plan::machine::Progress;

/// Names of the listeners.
pub(super) const ADMIN: &str = "admin";
pub(super) const INTROSPECTION: &str = "introspection";
pub(super) const TASK_SERVER_LOCAL: &str = "task-server";
/// At port 80 of the address of containers.
pub(super) const TASK_SERVER_ADDRESS: &str = "task-server-address";
/// At the port of that address to which rules lead.
pub(super) const TASK_SERVER_LED: &str = "task-server-led";

/// How often an agent that is not ready yet is looked at.
const READY_PACE: Duration = Duration::from_millis(50);

/// What was given.
#[derive(Debug, Default)]
pub(super) struct HandedOver {
    tcp: BTreeMap<&'static str, TcpListener>,
    admin: Option<KeptLocal>,
    pipe: Option<File>,
}

/// Where an agent with these settings listens at the address of containers, on that system.
pub(super) fn at_address(os: OsType, listen: &ListenSection) -> Vec<(&'static str, SocketAddr)> {
    let own = (listen.front == Front::Own).then_some((TASK_SERVER_ADDRESS, TASK_SERVER));
    let led = led_place(os, listen).map(|place| (TASK_SERVER_LED, place));
    own.into_iter().chain(led).collect()
}

/// Where rules lead, unless the agent listens there anyway. Also without rules: an earlier run may have left some.
fn led_place(os: OsType, listen: &ListenSection) -> Option<SocketAddr> {
    let server = listen.task_server;
    let (ip, port) = (server.ip().to_canonical(), server.port());
    let covers = port != 0 && (ip.is_unspecified() || ip == TASK_SERVER.ip());
    let is_other = os == OsType::Linux && port != TASK_SERVER.port() && !covers;
    is_other.then(|| SocketAddr::new(TASK_SERVER.ip(), port))
}

/// The listeners of an agent with these settings.
pub(super) fn listeners(config: &Config) -> Vec<Wanted> {
    let listener = |name, place| Wanted { name, place };
    let listen = &config.listen;
    let mut all = vec![
        listener(ADMIN, Place::Unix(admin_address_of(config))),
        listener(INTROSPECTION, Place::Tcp(listen.introspection)),
        listener(TASK_SERVER_LOCAL, Place::Tcp(listen.task_server)),
    ];
    if listen.at_address() {
        let there = at_address(system(), listen).into_iter();
        all.extend(there.map(|(name, address)| listener(name, Place::Tcp(address))));
    }
    all
}

/// The listeners that sockets are taken for. Port 80 is among them also where rules would do: one that somebody has
/// bound there has to be served.
fn takeable(config: &Config) -> Vec<Wanted> {
    let mut config = config.clone();
    config.listen.front = Front::Own;
    listeners(&config)
}

impl HandedOver {
    /// Takes what the environment says was given to this process.
    pub(super) fn take(config: &Config) -> Self {
        let [count, process, names, parent] = source::handed_over();
        let texts = HandedTexts {
            count,
            process,
            names,
            parent,
        };
        match handed::names(&texts, std::process::id(), parent_id()) {
            Ok(names) => {
                let descriptors = handed_descriptors(names.len());
                let given = Self::sorted(&takeable(config), names, descriptors);
                // Two parents would otherwise hand the same addresses to two agents.
                if given.pipe.is_some()
                    && let Err(error) = end_with_parent(parent_id())
                {
                    warn!(event = "parent-unwatched", %error, "the agent will not end with its parent");
                }
                given
            }
            Err(error) => {
                warn!(event = "handed-over-unused", %error, "sockets that were handed over are not used");
                Self::default()
            }
        }
    }

    fn sorted(wanted: &[Wanted], names: Vec<String>, descriptors: Vec<Handed>) -> Self {
        let mut given = Self::default();
        let mut sockets = Vec::new();
        let mut offered = Vec::new();
        for (name, descriptor) in names.into_iter().zip(descriptors) {
            let place = match &descriptor {
                Handed::Tcp(_, address) => Place::Tcp(*address),
                Handed::Local(_, path) => Place::Unix(path.clone()),
                Handed::Pipe(_) | Handed::Other => Place::Nowhere,
            };
            match descriptor {
                Handed::Pipe(pipe) if name == PROGRESS_PIPE => given.pipe = Some(pipe),
                other @ (Handed::Tcp(..) | Handed::Local(..) | Handed::Pipe(_) | Handed::Other) => {
                    offered.push(Offered { name, place });
                    sockets.push(other);
                }
            }
        }
        let uses = handed::assign(wanted, &offered);
        for ((each, socket), offer) in uses.into_iter().zip(sockets).zip(offered) {
            match (each, socket) {
                (Use::Listener(name), Handed::Tcp(listener, address)) => {
                    info!(event = "handed-over", listener = name, %address, "the socket was handed over");
                    given.tcp.insert(name, listener);
                }
                (Use::Listener(name), Handed::Local(listener, path)) => {
                    info!(event = "handed-over", listener = name, path = %path.display(), "the socket was handed over");
                    given.admin = Some(listener);
                }
                (Use::None(why), _) => {
                    warn!(
                        event = "handed-over-unused",
                        name = offer.name,
                        why,
                        "a socket that was handed over is not used"
                    );
                }
                // Only a socket has a place, and only one with a place is a listener's.
                (Use::Listener(_), Handed::Pipe(_) | Handed::Other) => {}
            }
        }
        given
    }

    /// Adds a socket.
    pub(super) fn give(&mut self, name: &'static str, listener: TcpListener) {
        self.tcp.insert(name, listener);
    }

    /// Whether that listener has a socket.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tcp.contains_key(name)
    }

    /// The port to which rules lead. It is listened at from now on: port 0 is any that is free. What cannot be had now
    /// is left to the listener, which goes on trying.
    pub(super) fn led_port(&mut self, listen: &ListenSection) -> u16 {
        let Some(place) = led_place(system(), listen) else {
            return listen.task_server.port();
        };
        if !self.has(TASK_SERVER_LED)
            && let Ok(socket) = listen_ahead(place)
        {
            self.give(TASK_SERVER_LED, socket);
        }
        let socket = self.tcp.get(TASK_SERVER_LED);
        let address = socket.and_then(|socket| socket.local_addr().ok());
        address.unwrap_or(place).port()
    }

    /// The socket of that listener.
    pub(super) fn tcp(&mut self, name: &str) -> Option<TcpListener> {
        self.tcp.remove(name)
    }

    /// The socket of the admin listener.
    pub(super) fn admin(&mut self) -> Option<KeptLocal> {
        self.admin.take()
    }

    /// The sockets, for others to serve.
    pub(super) fn kept(self) -> Vec<KeptSocket> {
        let tcp = self.tcp.into_iter().map(|(name, listener)| KeptSocket {
            name,
            socket: Listening::Tcp(listener),
        });
        let admin = self.admin.map(|listener| KeptSocket {
            name: ADMIN,
            socket: Listening::Local(listener),
        });
        tcp.chain(admin).collect()
    }

    /// Who is told how far the agent is.
    pub(super) fn teller(&mut self) -> Teller {
        Teller(self.pipe.take())
    }
}

/// Tells whoever started the agent how far it is.
#[derive(Debug)]
pub(super) struct Teller(Option<File>);

impl Teller {
    /// A few bytes into a pipe that is read: this does not wait. Somebody who does not listen any more is not told.
    fn tell(&mut self, progress: Progress) {
        if let Some(pipe) = &mut self.0
            && let Err(error) = writeln!(pipe, "{}", progress.as_str())
        {
            warn!(event = "progress-unheard", %error, "nobody listens to how far the agent is");
            self.0 = None;
        }
    }

    /// Tells that containers are served, and when the agent is ready.
    pub(super) async fn run(mut self, observe: ObserveState, stop: CancellationToken) {
        self.tell(Progress::Serving);
        while self.0.is_some() {
            if is_ready(&observe) {
                info!(event = "ready", "ready");
                self.tell(Progress::Ready);
                break;
            }
            let pause = tokio::time::sleep(READY_PACE);
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
        stop.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Strings};

    fn config() -> Config {
        config_with(&[])
    }

    fn config_with(more: &[(&str, &str)]) -> Config {
        let texts = [
            ("ECS_DATADIR", "/d"),
            ("BERTH_TASK_SERVER_ADDRESS", "127.0.0.1:0"),
        ];
        let texts = texts.iter().chain(more);
        let texts = texts.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Config::read(&Strings::new().below(Origin::Flag, texts))
    }

    // Nothing is handed over elsewhere.
    #[cfg(unix)]
    #[test]
    fn each_socket_and_the_pipe_go_where_they_belong() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let unix = KeptLocal::bind(&path).expect("a socket");
        let tcp = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let (own, stray) = (tcp(), tcp());
        let address = own.local_addr().expect("an address");
        let stray_address = stray.local_addr().expect("an address");
        let pipe = File::open("/dev/null").expect("a file");
        let mut wanted = takeable(&config());
        wanted[0].place = Place::Unix(path.clone());
        let names = ["", "introspection", PROGRESS_PIPE, "x"].map(str::to_owned);
        let descriptors = vec![
            Handed::Tcp(own, address),
            Handed::Tcp(stray, stray_address),
            Handed::Pipe(pipe),
            Handed::Local(unix, path),
        ];
        let mut given = HandedOver::sorted(&wanted, names.to_vec(), descriptors);
        assert!(given.tcp(TASK_SERVER_LOCAL).is_some());
        assert!(given.tcp(TASK_SERVER_LOCAL).is_none(), "it is taken once");
        assert!(given.tcp(INTROSPECTION).is_none(), "it is at another port");
        assert!(given.admin().is_some() && given.teller().0.is_some());
        assert!(
            std::net::TcpStream::connect(stray_address).is_err(),
            "what is not used is closed"
        );
    }

    #[test]
    fn listeners_are_where_the_settings_say() {
        let places: Vec<_> = takeable(&config())
            .into_iter()
            .map(|listener| (listener.name, listener.place))
            .collect();
        let tcp = |text: &str| Place::Tcp(text.parse().expect("an address"));
        let expected = [
            (ADMIN, Place::Unix(admin_address_of(&config()))),
            (INTROSPECTION, tcp("127.0.0.1:51678")),
            (TASK_SERVER_LOCAL, tcp("127.0.0.1:0")),
            (TASK_SERVER_ADDRESS, tcp("169.254.170.2:80")),
        ];
        assert_eq!(places[..4], expected);
        for other in ["BERTH_TASK_ADDRESS=false", "BERTH_TASK_REDIRECT=true"] {
            let setting = other.split_once('=').expect("a setting");
            let kept = takeable(&config_with(&[setting]));
            let mut kept = kept.iter().map(|listener| listener.name);
            assert!(
                !kept.any(|name| name.starts_with("task-server-")),
                "{other}"
            );
        }
    }

    #[test]
    fn port_80_is_left_to_tasks_where_rules_lead_to_another_one() {
        use OsType::{Linux, Windows};
        for (os, server, front, expected) in [
            (
                Linux,
                "127.0.0.1:51679",
                Front::Led,
                &["task-server-led 169.254.170.2:51679"][..],
            ),
            (
                Linux,
                "127.0.0.1:51679",
                Front::Own,
                &[
                    "task-server-address 169.254.170.2:80",
                    "task-server-led 169.254.170.2:51679",
                ],
            ),
            (
                Linux,
                "127.0.0.1:0",
                Front::Led,
                &["task-server-led 169.254.170.2:0"],
            ),
            // Whoever listens everywhere listens there too.
            (Linux, "0.0.0.0:51679", Front::Led, &[]),
            (Linux, "[::]:51679", Front::Led, &[]),
            (
                Linux,
                "127.0.0.1:80",
                Front::Own,
                &["task-server-address 169.254.170.2:80"],
            ),
            (
                Windows,
                "127.0.0.1:51679",
                Front::Own,
                &["task-server-address 169.254.170.2:80"],
            ),
        ] {
            let mut listen = config_with(&[("BERTH_TASK_SERVER_ADDRESS", server)]).listen;
            listen.front = front;
            let places = at_address(os, &listen).into_iter();
            let places: Vec<String> = places.map(|(name, at)| format!("{name} {at}")).collect();
            assert_eq!(places, expected, "{os:?} {server}");
        }
    }
}
