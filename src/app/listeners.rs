//! The listeners on TCP: what each serves, and that an address that cannot be had is tried again for ever.
//!
//! **Invariant.** What containers ask is answered from the moment on that tasks are known, to the very end: when the
//! engine has ended, the last state that it published still counts.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::bridge;
use super::by_system::bind_advice;
use super::callers::TaskCallers;
use super::engine::Engine;
use super::handed::{HandedOver, INTROSPECTION, TASK_SERVER_LOCAL, at_address};
use super::lifecycle::Lifecycle;
use super::place::system;
use super::settings;
use super::surroundings::ListenerBoard;
use super::task_address::{self, TASK_SERVER};
use crate::api::ObserveState;
use crate::api::introspection::{About, Instance, IntrospectionState, classic_routes};
use crate::api::listeners::{plain_layers, task_server_layers};
use crate::api::observe::Access;
use crate::api::observe::superset::superset;
use crate::api::task_server::credentials::credentials_routes;
use crate::api::task_server::metadata::MetadataState;
use crate::api::task_server::protection::{ProtectionState, protection_routes};
use crate::api::task_server::requests::read_requests;
use crate::api::task_server::router::task_server_routes;
use crate::api::tcp::{Served, TcpServer};
use crate::api::view::Views;
use crate::boundary::callers::{Callers, UnknownCallers};
use crate::boundary::{Host as _, Ids};
use crate::config::Config;
use crate::domain::port_mapping::Protocol;
use crate::error::ErrorChain;
use crate::platform::{HostOptions, HostOs, PeersOs, SystemIds, TaskLink, docker_bridge_address};

/// First and longest wait between tries to have an address (reference agent: 1 s to 1 m).
const BIND_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Product and version as scripts know them from ECS agents: `<product> - v<semver> (<commit>)`. The product is ours:
/// nothing has been seen that reads it, and a wrong one would mislead people. The commit is that of the build, zeros
/// where the build was not told.
const VERSION: &str = concat!("berth - v", env!("CARGO_PKG_VERSION"));

/// Starts all listeners on TCP, on sockets that were handed over where there are.
pub(super) fn start(
    lifecycle: &mut Lifecycle,
    config: &Config,
    engine: &Engine,
    observe: &ObserveState,
    (board, handed): (&ListenerBoard, &mut HandedOver),
) {
    let listen = config.listen;
    let mut task_server = TaskServer {
        listeners: vec![(TASK_SERVER_LOCAL, listen.task_server)],
        keeps_address: listen.at_address(),
    };
    if task_server.keeps_address {
        task_server.listeners.extend(at_address(system(), &listen));
    }
    start_task_server(lifecycle, config, engine, task_server, (board, handed));
    let cluster = config.cluster.to_string();
    let views = Arc::new(Views::new(engine.handle.clone(), cluster.clone()));
    let commit = option_env!("BERTH_COMMIT").unwrap_or("00000000");
    let surroundings = Arc::clone(&observe.surroundings);
    let instance: Instance = Arc::new(move || surroundings.container_instance());
    let about = About {
        cluster,
        version: format!("{VERSION} ({commit})"),
    };
    let classic = classic_routes(IntrospectionState::new(Arc::clone(&views), about, instance));
    let ids: Arc<dyn Ids> = Arc::new(SystemIds);
    let beside = |access| superset(observe.clone(), Arc::clone(&ids), access);
    let listener = Listener {
        address: config.listen.introspection,
        handed: handed.tcp(INTROSPECTION),
        served: Served {
            name: INTROSPECTION,
            to_host: plain_layers(classic.clone().merge(beside(Access::Full))),
            to_others: plain_layers(classic.merge(beside(Access::ClassicOnly))),
            callers: Arc::new(UnknownCallers),
        },
        board: board.clone(),
    };
    start_on_bridge(lifecycle, listen.introspection, &listener.served);
    start_on_ipv6(lifecycle, listen.introspection, &listener.served);
    let stop = lifecycle.drivers.stop_token();
    lifecycle.drivers.start(INTROSPECTION, listener.run(stop));
}

/// Where containers are served.
pub(super) struct TaskServer {
    pub(super) listeners: Vec<(&'static str, SocketAddr)>,
    /// The address of containers is kept on this host.
    pub(super) keeps_address: bool,
}

/// Starts what containers ask.
pub(super) fn start_task_server(
    lifecycle: &mut Lifecycle,
    config: &Config,
    engine: &Engine,
    server: TaskServer,
    (board, handed): (&ListenerBoard, &mut HandedOver),
) {
    let views = Arc::new(Views::new(
        engine.handle.clone(),
        config.cluster.to_string(),
    ));
    let mut metadata = MetadataState::new(Arc::clone(&views), Arc::new(engine.stats.clone()));
    if config.connected.is_some() {
        metadata = metadata.connected(Arc::new(engine.roles.facts.clone()));
    }
    let mut routes =
        task_server_routes(metadata).merge(credentials_routes(engine.roles.endpoints()));
    // Without a control plane there is nobody to ask.
    if config.connected.is_some() {
        let protection = Arc::new(engine.roles.protection.clone());
        let state = ProtectionState::new(views, engine.roles.handle.clone(), protection);
        routes = routes.merge(protection_routes(state));
    }
    let limiter = engine.roles.limiter();
    let routes = read_requests(task_server_layers(routes, limiter.clone()), limiter);
    let callers: Arc<dyn Callers> = Arc::new(TaskCallers::new(
        engine.handle.clone(),
        Arc::new(PeersOs::new(settings::usage(config))),
        Some(TASK_SERVER),
    ));
    let mut at_address = Vec::new();
    for (name, address) in server.listeners {
        let listener = Listener {
            address,
            handed: handed.tcp(name),
            served: Served {
                name,
                to_host: routes.clone(),
                to_others: routes.clone(),
                callers: Arc::clone(&callers),
            },
            board: board.clone(),
        };
        if name == TASK_SERVER_LOCAL {
            let stop = lifecycle.servers.stop_token();
            lifecycle.servers.start(name, listener.run(stop));
        } else {
            at_address.push(listener);
        }
    }
    if server.keeps_address {
        let stop = lifecycle.servers.stop_token();
        let keeper = keep_and_serve(at_address, board.clone(), stop);
        lifecycle.servers.start("task address", keeper);
    }
}

/// Serves the classic introspection paths to containers of Docker's default bridge.
fn start_on_bridge(lifecycle: &mut Lifecycle, address: SocketAddr, introspection: &Served) {
    let Some(port) = bridge::port_on_bridge(address) else {
        return;
    };
    let (served, find) = (
        bridge::for_others(introspection),
        Arc::new(|| docker_bridge_address().map(IpAddr::from)),
    );
    let stop = lifecycle.drivers.stop_token();
    let serving = bridge::serve_where_it_is(served, port, find, stop);
    lifecycle
        .drivers
        .start("introspection on the bridge", serving);
}

/// Serves the introspection API at `::1` too, for clients that take `localhost` for that. The socket is never one that
/// was handed over, and a host without IPv6 goes without.
fn start_on_ipv6(lifecycle: &mut Lifecycle, address: SocketAddr, introspection: &Served) {
    let Some(address) = bridge::beside_on_ipv6(address) else {
        return;
    };
    let served = Served {
        name: "introspection-ipv6",
        ..introspection.clone()
    };
    let stop = lifecycle.drivers.stop_token();
    let find = Arc::new(move || Some(address.ip()));
    let serving = bridge::serve_where_it_is(served, address.port(), find, stop);
    lifecycle.drivers.start("introspection on IPv6", serving);
}

/// Has the address of containers on this host, and serves there.
async fn keep_and_serve(listeners: Vec<Listener>, board: ListenerBoard, stop: CancellationToken) {
    let link = TaskLink::default();
    // The listeners then find the address at their first try.
    task_address::ensure(&link, &board).await;
    let serving = listeners
        .into_iter()
        .map(|listener| listener.run(stop.clone()));
    tokio::join!(
        task_address::keep(link, board, stop.clone()),
        join_all(serving)
    );
}

/// Why the address cannot be had, and who has it as far as the host tells.
async fn why_not(address: SocketAddr, error: &io::Error) -> String {
    let host = HostOs::new(HostOptions::default());
    let is_taken = matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    );
    let holder = if is_taken {
        host.port_holder(address.port(), Protocol::Tcp).await
    } else {
        None
    };
    let error_words = ErrorChain(error).to_string();
    match bind_advice(system(), error.kind(), holder.as_ref()) {
        Some(advice) => format!("{error_words}; {advice}"),
        None => error_words,
    }
}

struct Listener {
    address: SocketAddr,
    /// A socket that listens there already.
    handed: Option<std::net::TcpListener>,
    served: Served,
    board: ListenerBoard,
}

impl Listener {
    /// Has the address as soon as it can be had, and serves until `stop`.
    async fn run(mut self, stop: CancellationToken) {
        let name = self.served.name;
        let (mut wait, longest) = BIND_RETRY;
        loop {
            let server = match self.handed.take() {
                Some(socket) => TcpServer::of(socket),
                None => TcpServer::bind(self.address).await,
            };
            match server {
                Ok(server) => {
                    let address = server.address();
                    info!(event = "listening", listener = name, %address, "listening");
                    self.board.set(name, Ok(address.to_string()));
                    return server.run(self.served, stop).await;
                }
                Err(error) => {
                    let address = self.address;
                    let error = why_not(address, &error).await;
                    warn!(event = "listener-failed", listener = name, %address, error, "the address cannot be had; trying again");
                    self.board.set(name, Err(format!("{address}: {error}")));
                }
            }
            let pause = tokio::time::sleep(wait);
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
            wait = wait.saturating_mul(2).min(longest);
        }
    }
}
