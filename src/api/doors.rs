//! Who may be connected at once: a hall for those who have not asked yet, and rooms for those who have.
//!
//! ```text
//! connect ──► hall (by address) ──first head──► known ──► room (by task, process or address) ──► close
//!              │ full: the longest silent one goes           │ full: 503
//! ```
//!
//! Pure but for the count. **Invariants.** Whoever is silent never keeps out whoever asks. Nobody has more places in the
//! rooms than are left for the others.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::caller::{Caller, HostProcess};
use crate::domain::ids::TaskArn;

/// Connections open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// In the hall: of this host together, whose programs cannot be told apart there.
    pub(super) silent_host: usize,
    /// In the hall: of any other address.
    pub(super) silent_other: usize,
    /// In the hall altogether.
    pub(super) silent: usize,
    /// In the rooms: of one task, process or address.
    pub(super) each: usize,
    /// In the rooms altogether. Nobody has more of them than are free, the host as a whole included.
    pub(super) known: usize,
}

impl Places {
    /// Both together.
    pub(super) fn all(self) -> usize {
        self.silent.saturating_add(self.known)
    }
}

/// Where a connection comes from, before anybody is asked who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Host,
    Address(IpAddr),
}

/// Who shares places in the rooms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Task(TaskArn),
    Process(u32),
    Foreign(String),
    /// Nothing more is known.
    Only(Origin),
}

/// Counts connections; clones share the count.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    places: Places,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the next connection.
    next: u64,
    /// Those who have just come, the oldest first; never more than there is room for.
    hall: BTreeMap<u64, Silent>,
    waiting: HashMap<Origin, usize>,
    rooms: HashMap<u64, Who>,
    known: HashMap<Who, usize>,
}

#[derive(Debug)]
struct Silent {
    origin: Origin,
    /// Its first head is there: it is not sent away any more.
    has_asked: bool,
    leave: CancellationToken,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Inside {
    number: u64,
    origin: Origin,
    leave: CancellationToken,
    doors: Doors,
}

impl Doors {
    /// Nobody is inside.
    pub(super) fn new(places: Places) -> Self {
        Self {
            places,
            state: Arc::default(),
        }
    }

    /// One more of that peer; `None` = all who came before it are being answered.
    pub(super) fn enter(&self, peer: SocketAddr, local: SocketAddr) -> Option<Inside> {
        let origin = Origin::of(peer.ip().to_canonical(), local.ip().to_canonical());
        let mut state = self.state();
        let own = match origin {
            Origin::Host => self.places.silent_host,
            Origin::Address(_) => self.places.silent_other,
        };
        let goes = if count(&state.waiting, &origin) >= own {
            Some(state.longest_silent(|silent| silent.origin == origin)?)
        } else if state.hall.len() >= self.places.silent {
            Some(state.of_the_most()?)
        } else {
            None
        };
        if let Some(silent) = goes.and_then(|number| state.leave_hall(number)) {
            silent.leave.cancel();
        }
        let number = state.next;
        state.next = number.saturating_add(1);
        let leave = CancellationToken::new();
        let silent = Silent {
            origin,
            has_asked: false,
            leave: leave.clone(),
        };
        state.hall.insert(number, silent);
        more(&mut state.waiting, origin);
        drop(state);
        Some(Inside {
            number,
            origin,
            leave,
            doors: self.clone(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Ends when somebody else needs the place.
    pub(super) fn sent_away(&self) -> CancellationToken {
        self.leave.clone()
    }

    /// The first head is there: the connection stays. `false` = it has been sent away already.
    pub(super) fn has_asked(&self) -> bool {
        let mut state = self.doors.state();
        let found = state.hall.get_mut(&self.number);
        found.map(|silent| silent.has_asked = true).is_some()
    }

    /// It is known who it is; `false` = that one has as many as it may.
    pub(super) fn is(&self, caller: &Caller) -> bool {
        let who = match caller {
            Caller::Task(arn) => Who::Task(arn.clone()),
            Caller::Host(HostProcess { pid: Some(pid), .. }) => Who::Process(*pid),
            Caller::Foreign(words) => Who::Foreign(words.clone()),
            Caller::Host(_) | Caller::Unknown(_) => Who::Only(self.origin),
        };
        let places = self.doors.places;
        let mut state = self.doors.state();
        state.leave_hall(self.number);
        let free = places.known.saturating_sub(state.rooms.len());
        let most = match who {
            // Programs that cannot be told apart are many.
            Who::Only(Origin::Host) => free,
            Who::Task(_) | Who::Process(_) | Who::Foreign(_) | Who::Only(Origin::Address(_)) => {
                free.min(places.each)
            }
        };
        if count(&state.known, &who) >= most {
            return false;
        }
        more(&mut state.known, who.clone());
        state.rooms.insert(self.number, who);
        true
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut state = self.doors.state();
        state.leave_hall(self.number);
        if let Some(who) = state.rooms.remove(&self.number) {
            less(&mut state.known, &who);
        }
    }
}

impl State {
    /// The one that has been silent longest of those.
    fn longest_silent(&self, of: impl Fn(&Silent) -> bool) -> Option<u64> {
        let mut silent = self.hall.iter();
        let found = silent.find(|(_, silent)| !silent.has_asked && of(silent));
        found.map(|(number, _)| *number)
    }

    /// The longest silent one of whoever has most in the hall.
    fn of_the_most(&self) -> Option<u64> {
        let most = self.waiting.iter().max_by_key(|(_, count)| **count);
        let most = most.map(|(origin, _)| *origin);
        self.longest_silent(|silent| Some(silent.origin) == most)
            .or_else(|| self.longest_silent(|_| true))
    }

    fn leave_hall(&mut self, number: u64) -> Option<Silent> {
        let silent = self.hall.remove(&number)?;
        less(&mut self.waiting, &silent.origin);
        Some(silent)
    }
}

impl Origin {
    /// The host's own addresses are one: a program may choose any of 127.0.0.0/8, and whoever asks an address of this
    /// host from that address is on it.
    fn of(peer: IpAddr, local: IpAddr) -> Self {
        if peer.is_loopback() || peer == local {
            Self::Host
        } else {
            Self::Address(peer)
        }
    }
}

fn count<K: Hash + Eq>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or_default()
}

fn more<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
