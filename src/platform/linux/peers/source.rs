//! Looks, on threads that may block.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::{addresses, container, diag, processes};
use crate::boundary::Connections;
use crate::boundary::connections::{Ends, Holder};
use crate::boundary::usage::UsageTarget;
use crate::domain::caller::HostProcess;
use crate::platform::linux::usage::{UsageOptions, directory, find};

/// Looks at once: each has a thread meanwhile.
const MAX_LOOKS: usize = 4;

/// Processes remembered: whoever has connected connects again.
const MAX_RECENT: usize = 32;

/// The kernel's name of the first namespace of processes (`PROC_PID_INIT_INO`): in any other, most are not seen.
const FIRST_PIDS: &str = "pid:[4026531836]";

/// The kernel's name of the first namespace of cgroups (`PROC_CGROUP_INIT_INO`): in any other, paths are cut off.
const FIRST_CGROUPS: &str = "cgroup:[4026531835]";

/// Connections of this host.
#[derive(Debug)]
pub struct PeersOs {
    looks: Arc<Looks>,
    /// Looks for sockets, which may take long, and looks for addresses, which must not wait for those.
    places: [Semaphore; 2],
}

#[derive(Debug)]
struct Looks {
    options: UsageOptions,
    sees_processes: bool,
    sees_cgroups: bool,
    /// Which processes were found, the last first.
    recent: Mutex<VecDeque<u32>>,
    /// Held by the one that goes through all processes.
    walk: Mutex<()>,
}

impl PeersOs {
    /// Finds out what this agent may see.
    pub fn new(options: UsageOptions) -> Self {
        let proc = &options.proc_root;
        let own = |namespace: &str| fs::read_link(proc.join("self/ns").join(namespace)).ok();
        let is = |namespace, name| own(namespace).as_deref() == Some(Path::new(name));
        let root = crate::platform::is_root();
        let looks = Looks {
            sees_processes: root && is("pid", FIRST_PIDS),
            sees_cgroups: root && is("cgroup", FIRST_CGROUPS),
            options,
            recent: Mutex::default(),
            walk: Mutex::default(),
        };
        Self {
            looks: Arc::new(looks),
            places: [MAX_LOOKS, MAX_LOOKS].map(Semaphore::new),
        }
    }

    /// Does a look on a thread of its own; `None` = it was not done.
    async fn look<T: Send + 'static>(
        &self,
        place: usize,
        look: impl FnOnce(&Looks) -> T + Send + 'static,
    ) -> Option<T> {
        let place = self.places.get(place)?.acquire().await.ok()?;
        let looks = Arc::clone(&self.looks);
        // Cancel-safe: a look that nobody waits for any more ends by itself.
        let looked = tokio::task::spawn_blocking(move || look(&looks)).await;
        drop(place);
        looked.ok()
    }
}

#[async_trait]
impl Connections for PeersOs {
    async fn holder(&self, ends: Ends, likely: Vec<UsageTarget>) -> Holder {
        let look = move |looks: &Looks| looks.holder(ends.canonical(), &likely);
        self.look(0, look).await.unwrap_or(Holder::Unseen)
    }

    async fn has_address(&self, container: UsageTarget, address: IpAddr) -> Option<bool> {
        let look = move |looks: &Looks| looks.has_address(&container, address.to_canonical());
        self.look(1, look).await.flatten()
    }
}

impl Looks {
    fn holder(&self, ends: Ends, likely: &[UsageTarget]) -> Holder {
        if !self.sees_processes {
            return Holder::Unseen;
        }
        match inode(ends) {
            Err(error) => {
                tracing::debug!(%error, "the kernel does not show who has connected");
                Holder::Unseen
            }
            Ok(None) => Holder::Elsewhere,
            Ok(Some(0)) => Holder::Gone,
            Ok(Some(inode)) => self.holder_of(inode, likely),
        }
    }

    fn holder_of(&self, inode: u64, likely: &[UsageTarget]) -> Holder {
        let proc = &self.options.proc_root;
        let Some(pid) = self.find(inode, likely) else {
            return Holder::Gone;
        };
        let process = proc.join(pid.to_string());
        let cgroups = fs::read_to_string(process.join("cgroup"));
        let command = fs::read_to_string(process.join("comm")).unwrap_or_default();
        // Its number may be another process's by now: what was read is this one's only if it still has the socket.
        let (Ok(cgroups), true) = (cgroups, processes::holds(proc, pid, inode)) else {
            return Holder::Gone;
        };
        self.remember(pid);
        let ids = container::ids(&cgroups);
        if ids.is_empty() {
            Holder::Process(HostProcess {
                pid: Some(pid),
                command: Some(command.trim().to_owned()),
            })
        } else {
            Holder::Container(ids)
        }
    }

    /// A process that has the socket: those that connected before, those of likely containers, all.
    fn find(&self, inode: u64, likely: &[UsageTarget]) -> Option<u32> {
        let proc = &self.options.proc_root;
        let holds = |pid: &u32| processes::holds(proc, *pid, inode);
        let recent = self.recent().clone();
        if let Some(pid) = recent.iter().find(|pid| holds(pid)) {
            return Some(*pid);
        }
        let root = &self.options.cgroup_root;
        let likely = likely.iter().filter_map(|target| directory(root, target));
        let mut pids = likely.flat_map(|place| processes::in_cgroup(&place));
        let found = pids.find(holds);
        if found.is_some() {
            return found;
        }
        let _walk = self.walk.lock().unwrap_or_else(PoisonError::into_inner);
        processes::all(proc).find(holds)
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, VecDeque<u32>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, pid: u32) {
        let mut recent = self.recent();
        recent.retain(|known| *known != pid);
        recent.push_front(pid);
        recent.truncate(MAX_RECENT);
    }

    fn has_address(&self, container: &UsageTarget, address: IpAddr) -> Option<bool> {
        if !self.sees_cgroups || !self.sees_processes {
            return None;
        }
        let pid = match self.process_of(container) {
            Ok(Some(pid)) => pid,
            Ok(None) => return Some(false),
            Err(_) => return None,
        };
        let process = self.options.proc_root.join(pid.to_string());
        let table = fs::read_to_string(process.join(addresses::table_of(address)));
        // A process that has ended since is of a container that is about to.
        Some(table.is_ok_and(|table| addresses::has(&table, address)))
    }

    /// The first process of a container, if it has any.
    fn process_of(&self, container: &UsageTarget) -> io::Result<Option<u32>> {
        let root = &self.options.cgroup_root;
        let place = match directory(root, container) {
            Some(place) => Some(place),
            None => find(root, container)?,
        };
        let mut pids = place.iter().flat_map(|place| processes::in_cgroup(place));
        Ok(pids.next())
    }
}

/// Inode of the client's end on the host's network, 0 = nobody has it; `None` = it is not there.
fn inode(ends: Ends) -> io::Result<Option<u64>> {
    for server in ends.servers() {
        if server.is_ipv4() != ends.client.is_ipv4() {
            continue;
        }
        if let Some(found) = diag::connected(ends.client, server)? {
            return Ok(Some(found.inode));
        }
    }
    Ok(None)
}
