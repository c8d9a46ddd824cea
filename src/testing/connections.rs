//! Connections that a test opens, closes and gives away; and what both they and the kernel's must do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::boundary::Connections;
use crate::boundary::connections::{Ends, Holder};
use crate::boundary::usage::UsageTarget;
use crate::domain::ids::DockerId;

/// Connections in memory, on a host that shows everything.
#[derive(Debug, Default)]
pub struct FakeConnections {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<(SocketAddr, SocketAddr), Holder>,
    addresses: BTreeMap<DockerId, BTreeSet<IpAddr>>,
    forged: BTreeSet<DockerId>,
    blind: bool,
}

impl FakeConnections {
    /// From now on the client's end is held so.
    pub fn open(&self, client: SocketAddr, server: SocketAddr, holder: Holder) {
        self.state().open.insert((client, server), holder);
    }

    /// The connection is gone.
    pub fn close(&self, client: SocketAddr, server: SocketAddr) {
        self.state().open.remove(&(client, server));
    }

    /// The container runs with these addresses.
    pub fn runs(&self, container: &DockerId, addresses: &[IpAddr]) {
        let addresses = addresses.iter().copied().collect();
        self.state().addresses.insert(container.clone(), addresses);
    }

    /// The container has ended.
    pub fn ends(&self, container: &DockerId) {
        self.state().addresses.remove(container);
    }

    /// Cgroups that bear the container's id are not its own.
    pub fn forges(&self, container: &DockerId) {
        self.state().forged.insert(container.clone());
    }

    /// The host shows nothing from now on.
    pub fn go_blind(&self) {
        self.state().blind = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Connections for FakeConnections {
    async fn holder(&self, ends: Ends, _likely: Vec<UsageTarget>) -> Holder {
        let state = self.state();
        if state.blind {
            return Holder::Unseen;
        }
        let ends = ends.canonical();
        let mut held = ends
            .servers()
            .filter_map(|server| state.open.get(&(ends.client, server)));
        held.next().cloned().unwrap_or(Holder::Elsewhere)
    }

    async fn is_inside(&self, ends: Ends, container: UsageTarget) -> Option<bool> {
        let holder = self.holder(ends, Vec::new()).await;
        let bears_it = matches!(&holder, Holder::Container(ids) if ids.contains(&container.id));
        let is_its_own = !self.state().forged.contains(&container.id);
        (holder != Holder::Unseen).then_some(bears_it && is_its_own)
    }

    async fn has_address(&self, container: UsageTarget, address: IpAddr) -> Option<bool> {
        let state = self.state();
        let held = state.addresses.get(&container.id);
        let has = held.is_some_and(|addresses| addresses.contains(&address.to_canonical()));
        (!state.blind).then_some(has)
    }
}

/// How a test opens connections that the implementation under test can see.
pub trait ConnectionRig {
    /// Keeps a connection open.
    type Open: Send;

    /// A connection of this process on the host's network.
    fn open(&self) -> (Ends, Self::Open);

    /// Closes it.
    fn close(&self, open: Self::Open);
}

/// What every implementation does that shows anything. `nobody` is a container that does not run.
///
/// # Panics
/// If it does not.
pub async fn connections_contract<R: ConnectionRig + Sync>(
    connections: &dyn Connections,
    rig: &R,
    nobody: UsageTarget,
) {
    let holder = async |ends| connections.holder(ends, vec![nobody.clone()]).await;
    let is_own = |holder: &Holder| matches!(holder, Holder::Process(process) if process.pid == Some(std::process::id()) && process.command.is_some());
    let (ends, open) = rig.open();
    // Asked again it is the same.
    for _ in 0..2 {
        let found = holder(ends).await;
        assert!(is_own(&found), "{found:?}");
    }
    let elsewhere = SocketAddr::from(([127, 0, 0, 9], 9));
    let unasked = Ends {
        server: elsewhere,
        ..ends
    };
    assert_eq!(holder(unasked).await, Holder::Elsewhere);
    let redirected = Ends {
        server: elsewhere,
        alias: Some(ends.server),
        ..ends
    };
    assert!(is_own(&holder(redirected).await));
    let mapped = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    let mapped = Ends {
        client: mapped(ends.client),
        server: mapped(ends.server),
        alias: None,
    };
    assert!(is_own(&holder(mapped).await));
    assert_eq!(
        connections.is_inside(ends, nobody.clone()).await,
        Some(false)
    );
    // Another connection does not make it another's.
    let (second, other) = rig.open();
    assert!(is_own(&holder(second).await) && is_own(&holder(ends).await));
    rig.close(other);
    rig.close(open);
    let gone = holder(ends).await;
    assert!(matches!(gone, Holder::Gone | Holder::Elsewhere), "{gone:?}");
    let address = IpAddr::from([127, 0, 0, 1]);
    assert_eq!(connections.has_address(nobody, address).await, Some(false));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;
    use crate::domain::caller::HostProcess;
    use crate::domain::ids::TaskId;

    struct Rig<'a>(&'a FakeConnections, AtomicU16);

    impl ConnectionRig for Rig<'_> {
        type Open = Ends;

        fn open(&self) -> (Ends, Ends) {
            let port = self.1.fetch_add(1, Ordering::Relaxed);
            let ends = Ends {
                client: SocketAddr::from(([127, 0, 0, 1], port)),
                server: SocketAddr::from(([127, 0, 0, 1], 80)),
                alias: None,
            };
            let own = HostProcess {
                pid: Some(std::process::id()),
                command: Some("test".to_owned()),
            };
            self.0.open(ends.client, ends.server, Holder::Process(own));
            (ends, ends)
        }

        fn close(&self, ends: Ends) {
            self.0.close(ends.client, ends.server);
        }
    }

    #[tokio::test]
    async fn the_fake_does_what_the_kernel_does() {
        let fake = FakeConnections::default();
        let nobody = UsageTarget {
            id: DockerId::parse("ab").unwrap(),
            task: TaskId::parse("t").unwrap(),
        };
        connections_contract(&fake, &Rig(&fake, AtomicU16::new(1000)), nobody).await;
    }
}
