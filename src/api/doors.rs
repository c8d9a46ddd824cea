//! How many connections an address may have open at once. Pure but for the count.
//!
//! One address that opens all it can leaves places for others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PerAddress {
    /// Of the host itself: all its programs, and readers of streams among them.
    pub(super) host: usize,
    /// Of any other address.
    pub(super) other: usize,
}

/// Counts connections by address; clones share the count.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    limit: PerAddress,
    /// No longer than there are connections.
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Inside {
    address: IpAddr,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Doors {
    /// Nobody is inside.
    pub(super) fn new(limit: PerAddress) -> Self {
        Self {
            limit,
            open: Arc::default(),
        }
    }

    /// One more of that address; `None` = it has as many as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Inside> {
        // The host's own addresses are one: a program may choose any of 127.0.0.0/8.
        let address = match address.to_canonical() {
            own if own.is_loopback() => IpAddr::from([127, 0, 0, 1]),
            other => other,
        };
        let limit = if address.is_loopback() {
            self.limit.host
        } else {
            self.limit.other
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count = count.saturating_add(1);
        drop(open);
        Some(Inside {
            address,
            open: Arc::clone(&self.open),
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_places_and_gives_them_back() {
        let doors = Doors::new(PerAddress { host: 3, other: 2 });
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let enter = |text| doors.enter(ip(text));
        let mut inside = vec![enter("172.17.0.2"), enter("172.17.0.2")];
        assert!(inside.iter().all(Option::is_some));
        assert!(enter("172.17.0.2").is_none());
        assert!(enter("::ffff:172.17.0.2").is_none(), "the same address");
        assert!(enter("172.17.0.3").is_some());
        let host = ["127.0.0.1", "::1", "127.0.0.9"].map(enter);
        assert!(host.iter().all(Option::is_some));
        assert!(enter("127.0.0.2").is_none(), "the host is one");
        inside.pop();
        assert!(enter("172.17.0.2").is_some());
        drop((inside, host));
        assert!(doors.open.lock().expect("a map").is_empty());
    }
}
