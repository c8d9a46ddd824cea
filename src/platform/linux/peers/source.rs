//! Looks, on threads that may block.
//!
//! **Invariant.** On a host that shows who has connected, a look that fails never says that it is not shown: whoever is
//! served where nothing is shown could have brought that about.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use nix::errno::Errno;
use tokio::sync::Semaphore;

use super::processes::Held;
use super::walk::{self, Lane, Step, Wanted};
use super::{addresses, container, diag, processes};
use crate::boundary::Connections;
use crate::boundary::connections::{Ends, Holder};
use crate::boundary::usage::UsageTarget;
use crate::domain::caller::HostProcess;
use crate::platform::linux::usage::{UsageOptions, directory, find, in_tree};

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
    /// Looks for sockets, and looks for addresses, which must not wait for those.
    places: [Semaphore; 2],
    shallow: Lane<Vec<UsageTarget>>,
    deep: Lane<Arc<[u32]>>,
}

#[derive(Debug)]
struct Looks {
    options: UsageOptions,
    sees_processes: bool,
    sees_cgroups: bool,
    /// The last question to the kernel failed.
    failing: AtomicBool,
    /// Which processes were found, the last first.
    recent: Mutex<VecDeque<u32>>,
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
            failing: AtomicBool::new(false),
            recent: Mutex::default(),
        };
        Self {
            looks: Arc::new(looks),
            places: [MAX_LOOKS, MAX_LOOKS].map(Semaphore::new),
            shallow: Lane::default(),
            deep: Lane::default(),
        }
    }

    /// Where the socket is held: a look at a few descriptors of everybody, then at all of those who have many.
    async fn find(&self, inode: u64, likely: Vec<UsageTarget>) -> Option<Held> {
        let looks = Arc::clone(&self.looks);
        let walk = move |wanted: Vec<Wanted<_>>| looks.walk(wanted);
        let more = match self.shallow.find(inode, likely, walk).await? {
            Step::Found(held) => return Some(held),
            Step::Deeper(pids) if pids.is_empty() => return None,
            Step::Deeper(pids) => pids,
        };
        let looks = Arc::clone(&self.looks);
        let walk = move |wanted: Vec<Wanted<_>>| walk::deep(&looks.options.proc_root, wanted);
        match self.deep.find(inode, more, walk).await? {
            Step::Found(held) => Some(held),
            Step::Deeper(_) => None,
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
        let look = move |looks: &Looks| looks.socket(ends.canonical());
        let inode = match self.look(0, look).await.unwrap_or(Err(Holder::Gone)) {
            Ok(inode) => inode,
            Err(holder) => return holder,
        };
        let Some(held) = self.find(inode, likely).await else {
            return Holder::Gone;
        };
        let look = move |looks: &Looks| looks.holder_of(inode, &held);
        self.look(0, look).await.unwrap_or(Holder::Gone)
    }

    async fn is_inside(&self, ends: Ends, container: UsageTarget) -> Option<bool> {
        if !self.looks.sees_cgroups || !self.looks.sees_processes {
            return None;
        }
        let look = move |looks: &Looks| looks.socket(ends.canonical());
        let Some(Ok(inode)) = self.look(0, look).await else {
            return Some(false);
        };
        let Some(held) = self.find(inode, vec![container.clone()]).await else {
            return Some(false);
        };
        let look = move |looks: &Looks| looks.is_inside(inode, &held, &container);
        self.look(0, look).await.unwrap_or(Some(false))
    }

    async fn has_address(&self, container: UsageTarget, address: IpAddr) -> Option<bool> {
        let look = move |looks: &Looks| looks.has_address(&container, address.to_canonical());
        self.look(1, look).await.unwrap_or(Some(false))
    }
}

impl Looks {
    /// The client's end as descriptors name it, or what can be said without looking at any.
    fn socket(&self, ends: Ends) -> Result<u64, Holder> {
        if !self.sees_processes {
            return Err(Holder::Unseen);
        }
        let found = inode(ends);
        self.tell(&found);
        match found {
            Err(error) => Err(instead(&error)),
            Ok(None) => Err(Holder::Elsewhere),
            Ok(Some(0)) => Err(Holder::Gone),
            Ok(Some(inode)) => Ok(inode),
        }
    }

    /// Says once that looks fail, and once that they do no more.
    fn tell(&self, found: &io::Result<Option<u64>>) {
        let failing = found.is_err();
        if self.failing.swap(failing, Ordering::Relaxed) == failing {
            return;
        }
        if let Err(error) = found {
            tracing::warn!(
                event = "callers-not-shown",
                %error,
                "the kernel does not tell who has connected"
            );
        } else {
            tracing::info!(
                event = "callers-shown",
                "the kernel tells again who has connected"
            );
        }
    }

    fn holder_of(&self, inode: u64, held: &Held) -> Holder {
        let (proc, pid) = (&self.options.proc_root, held.pid);
        let process = proc.join(pid.to_string());
        let cgroups = fs::read_to_string(process.join("cgroup"));
        let command = fs::read_to_string(process.join("comm")).unwrap_or_default();
        // Its number may be another process's by now: what was read is this one's only if it still has the socket.
        let (Ok(cgroups), true) = (cgroups, held.has(proc, inode)) else {
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

    fn is_inside(&self, inode: u64, held: &Held, container: &UsageTarget) -> Option<bool> {
        let Some(directory) = self.directory_of(container).ok()? else {
            return Some(false);
        };
        let (tree, place) = in_tree(&self.options.cgroup_root, &directory)?;
        let process = self.options.proc_root.join(held.pid.to_string());
        let cgroups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        let is_in = container::is_in(&cgroups, tree, place);
        // As in `holder_of`: the number may be another process's by now.
        Some(is_in && held.has(&self.options.proc_root, inode))
    }

    /// Looks for the sockets at those who connected before, those of likely containers, and all.
    fn walk(&self, wanted: Vec<Wanted<Vec<UsageTarget>>>) {
        let proc = &self.options.proc_root;
        let root = &self.options.cgroup_root;
        let recent = self.recent().clone();
        // The last one knows of the latest containers.
        let likely = wanted.last().map(|wanted| wanted.hint().clone());
        let likely = likely.into_iter().flatten();
        let likely = likely.filter_map(|target| directory(root, &target));
        let likely = likely.flat_map(|place| processes::in_cgroup(&place));
        let all = std::iter::once_with(|| processes::all(proc)).flatten();
        walk::shallow(proc, wanted, recent.into_iter().chain(likely).chain(all));
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
        let place = self.directory_of(container)?;
        let mut pids = place.iter().flat_map(|place| processes::in_cgroup(place));
        Ok(pids.next())
    }

    /// Where its cgroup is.
    fn directory_of(&self, container: &UsageTarget) -> io::Result<Option<PathBuf>> {
        let root = &self.options.cgroup_root;
        match directory(root, container) {
            Some(place) => Ok(Some(place)),
            None => find(root, container),
        }
    }
}

/// What a question that failed leaves to say: only a kernel that never answers such shows nothing.
fn instead(error: &io::Error) -> Holder {
    let never = [
        Errno::EPROTONOSUPPORT,
        Errno::EAFNOSUPPORT,
        Errno::EOPNOTSUPP,
        Errno::ENOSYS,
        Errno::EPERM,
        Errno::EACCES,
    ];
    let errno = error.raw_os_error().map(Errno::from_raw);
    if errno.is_some_and(|errno| never.contains(&errno)) {
        Holder::Unseen
    } else {
        Holder::Gone
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_fails_for_want_of_room_is_no_kernel_that_shows_nothing() {
        for (errno, expected) in [
            (Errno::EMFILE, Holder::Gone),
            (Errno::ENFILE, Holder::Gone),
            (Errno::ENOBUFS, Holder::Gone),
            (Errno::ENOMEM, Holder::Gone),
            (Errno::EAGAIN, Holder::Gone),
            (Errno::EPROTONOSUPPORT, Holder::Unseen),
            (Errno::EPERM, Holder::Unseen),
        ] {
            assert_eq!(instead(&errno.into()), expected, "{errno}");
        }
        assert_eq!(instead(&io::Error::other("damaged")), Holder::Gone);
    }
}
