//! Who holds the client's end of a TCP connection to this host, as the kernel shows it.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;

use super::usage::UsageTarget;
use crate::domain::caller::HostProcess;
use crate::domain::ids::DockerId;

/// A connection, named by its ends as the server sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Who connected.
    pub client: SocketAddr,
    /// What it reached.
    pub server: SocketAddr,
    /// What it may have asked for instead, where the host redirects that to `server`.
    pub alias: Option<SocketAddr>,
}

/// Who holds the client's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process in cgroups that bear these ids of containers: more than one where containers run in a container, the
    /// outermost first. A name is no proof: see [`Connections::is_inside`].
    Container(Vec<DockerId>),
    /// A process in no container.
    Process(HostProcess),
    /// The socket is on the host's network and no process has it any more.
    Gone,
    /// No socket on the host's network is that end: it is on another one, or closed.
    Elsewhere,
    /// This host does not show it.
    Unseen,
}

/// Shows who holds connections. Nothing is remembered of a connection: what is said held when it was asked.
#[async_trait]
pub trait Connections: Send + Sync {
    /// The holder of a client's end on the host's own network. A socket that several processes hold has one of them,
    /// one of `likely` if there is one. Measured without optimization on a busy machine: 0.4 ms where the process has
    /// connected before, 2.5 ms where all of 106 processes are gone through. Cancel-safe.
    async fn holder(&self, ends: Ends, likely: Vec<UsageTarget>) -> Holder;

    /// Whether the client's end is held in that container's own cgroup, and not in another one that bears its id:
    /// whoever has cgroups of his own names them as he likes. `None` = the host does not show it. Costs what `holder`
    /// does for a process that has connected before. Cancel-safe.
    async fn is_inside(&self, ends: Ends, container: UsageTarget) -> Option<bool>;

    /// Whether that container runs now and its network has that address; `None` = the host does not show it. Measured
    /// like that: 0.5 ms, with a search for its cgroup. Cancel-safe.
    async fn has_address(&self, container: UsageTarget, address: IpAddr) -> Option<bool>;
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoConnections;

#[async_trait]
impl Connections for NoConnections {
    async fn holder(&self, _: Ends, _: Vec<UsageTarget>) -> Holder {
        Holder::Unseen
    }

    async fn is_inside(&self, _: Ends, _: UsageTarget) -> Option<bool> {
        None
    }

    async fn has_address(&self, _: UsageTarget, _: IpAddr) -> Option<bool> {
        None
    }
}

impl Ends {
    /// The same with addresses of IPv4 written as such, not as IPv6.
    #[must_use]
    pub fn canonical(self) -> Self {
        let plain =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        Self {
            client: plain(self.client),
            server: plain(self.server),
            alias: self.alias.map(plain),
        }
    }

    /// What the client may have connected to.
    pub fn servers(self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(self.server).chain(self.alias)
    }
}
