//! Walks through descriptors: all sockets that are waited for are looked for in one walk.
//!
//! ```text
//! wanted ──► shallow: the first descriptors of each process ──► found
//!                 │ not found, and some process has more
//!                 └──► deep: the rest of those ──► found, or nobody's
//! ```
//!
//! **Invariants.** One walk of each kind runs at a time, and whoever comes meanwhile is in the next. A process with many
//! descriptors costs those who have few nothing but the first of its own.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::processes::{self, Held};

/// Descriptors of a process in a shallow walk: a client has some 20, and the lowest numbers are used first.
pub(super) const SHALLOW: usize = 256;

/// Descriptors that a deep walk goes through: half a second or so.
const DEEP: usize = 500_000;

/// A socket that somebody waits for.
#[derive(Debug)]
pub(super) struct Wanted<H> {
    inode: u64,
    hint: H,
    tell: oneshot::Sender<Step>,
}

/// What a walk says of one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This process has it there.
    Found(Held),
    /// None has it in what was looked at; these have more.
    Deeper(Arc<[u32]>),
}

/// Those who wait for a walk, and whose turn it is to do one.
#[derive(Debug)]
pub(super) struct Lane<H> {
    wanted: Mutex<Vec<Wanted<H>>>,
    turn: Arc<Semaphore>,
}

impl<H> Default for Lane<H> {
    fn default() -> Self {
        Self {
            wanted: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl<H: Send + 'static> Lane<H> {
    /// What a walk says of that socket. Cancel-safe: a walk that has begun is of use to those who still wait.
    pub(super) async fn find(
        &self,
        inode: u64,
        hint: H,
        walk: impl FnOnce(Vec<Wanted<H>>) + Send + 'static,
    ) -> Option<Step> {
        let (tell, mut told) = oneshot::channel();
        let wanted = Wanted { inode, hint, tell };
        self.wanted().push(wanted);
        let turn = tokio::select! {
            biased;
            step = &mut told => return step.ok(),
            turn = Arc::clone(&self.turn).acquire_owned() => turn.ok()?,
        };
        // The walk before this turn may have been ours.
        if let Ok(step) = told.try_recv() {
            return Some(step);
        }
        let all = std::mem::take(&mut *self.wanted());
        let _walking = tokio::task::spawn_blocking(move || {
            walk(all);
            drop(turn);
        });
        told.await.ok()
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, Vec<Wanted<H>>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Wanted<H> {
    /// What is known of where it may be.
    pub(super) fn hint(&self) -> &H {
        &self.hint
    }
}

/// Looks for the sockets in the first descriptors of these processes and tells all who wait.
pub(super) fn shallow<H>(proc: &Path, wanted: Vec<Wanted<H>>, pids: impl Iterator<Item = u32>) {
    let mut search = Search::of(&wanted);
    let (mut seen, mut more) = (HashSet::new(), Vec::new());
    for pid in pids {
        if search.is_over() {
            break;
        }
        if seen.insert(pid) && search.look(proc, pid, 0..SHALLOW) == SHALLOW {
            more.push(pid);
        }
    }
    search.tell(wanted, &more.into());
}

/// Looks for the sockets in the descriptors that the shallow walks of those who wait left out.
pub(super) fn deep(proc: &Path, wanted: Vec<Wanted<Arc<[u32]>>>) {
    let mut search = Search::of(&wanted);
    let mut left = DEEP;
    let mut seen = HashSet::new();
    for pid in wanted.iter().flat_map(|wanted| wanted.hint.iter()) {
        if search.is_over() || left == 0 {
            break;
        }
        if seen.insert(*pid) {
            let end = SHALLOW.saturating_add(left);
            left = left.saturating_sub(search.look(proc, *pid, SHALLOW..end));
        }
    }
    search.tell(wanted, &Arc::default());
}

/// Sockets that are looked for, and where they were found.
struct Search {
    open: HashSet<u64>,
    found: HashMap<u64, Held>,
}

impl Search {
    fn of<H>(wanted: &[Wanted<H>]) -> Self {
        // Whoever does not wait any more is not looked for.
        let open = wanted.iter().filter(|wanted| !wanted.tell.is_closed());
        Self {
            open: open.map(|wanted| wanted.inode).collect(),
            found: HashMap::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Looks at those descriptors of the process; how many there were.
    fn look(&mut self, proc: &Path, pid: u32, range: std::ops::Range<usize>) -> usize {
        let mut looked = 0;
        for held in processes::sockets(proc, pid, range) {
            looked += 1;
            let Some((inode, held)) = held else {
                continue;
            };
            if self.open.remove(&inode) {
                self.found.insert(inode, held);
            }
            if self.is_over() {
                break;
            }
        }
        looked
    }

    fn tell<H>(&self, wanted: Vec<Wanted<H>>, more: &Arc<[u32]>) {
        for wanted in wanted {
            let found = self.found.get(&wanted.inode).cloned();
            let step = found.map_or_else(|| Step::Deeper(Arc::clone(more)), Step::Found);
            // Nobody waits any more.
            let _gone = wanted.tell.send(step);
        }
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
