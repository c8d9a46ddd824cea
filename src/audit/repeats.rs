//! Requests that are alike: the first of a span are written one by one, the others as one line with their number: pure.
//!
//! Otherwise one task that asks in a loop pushes everything else out of the record within seconds.
//!
//! **Invariants.** Each request is written, or counted in a line that will be. What is alike has one caller, one task
//! that it is about, one answer and one thing that speaks against it; how many such kinds there can be is bounded.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::boundary::credentials::{AuditEntry, AuditEvent};

/// Refusals of one kind in a span that are written one by one: more than an SDK tries before it gives up.
const REFUSALS: u64 = 10;

/// The same of credentials that were given out, and of ids that were another's: 100 a second, where the reference agent
/// serves a caller no more than 40 times.
const VENDS: u64 = 1000;

/// Kinds that a span tells apart; the callers of what comes beyond are not: 256 of 500 bytes.
const MAX_KINDS: usize = 256;

/// What has been asked in this span.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    hasher: RandomState,
    kinds: HashMap<u64, Kind>,
}

#[derive(Debug)]
struct Kind {
    count: u64,
    /// What stands in the line of those that are only counted.
    like: AuditEntry,
}

impl Repeats {
    /// Whether the request is to be written; it is counted otherwise.
    pub(super) fn admit(&mut self, entry: &AuditEntry) -> bool {
        let of_caller = self.key(Some(caller(entry.peer)), entry);
        let has_place = self.kinds.len() < MAX_KINDS || self.kinds.contains_key(&of_caller);
        let key = if has_place {
            of_caller
        } else {
            self.key(None, entry)
        };
        let kind = self.kinds.entry(key).or_insert_with(|| Kind {
            count: 0,
            like: like(entry, has_place),
        });
        kind.count = kind.count.saturating_add(1);
        kind.like.at = entry.at;
        kind.count <= most(entry)
    }

    /// Ends the span: a line for each kind of which some were only counted, in the order of the last of each.
    pub(super) fn close(&mut self) -> Vec<AuditEntry> {
        let kinds = self.kinds.drain().map(|(_, kind)| kind);
        let mut lines: Vec<AuditEntry> = kinds
            .filter_map(|Kind { count, mut like }| {
                let more = count.saturating_sub(most(&like));
                like.user_agent = format!("{more} more like this");
                (more > 0).then_some(like)
            })
            .collect();
        let place = |line: &AuditEntry| {
            let answer = (line.status, line.event, line.against);
            (line.at, line.peer, answer, line.owner.clone())
        };
        lines.sort_by_cached_key(place);
        lines
    }

    /// Of everybody where there is no caller.
    fn key(&self, caller: Option<IpAddr>, entry: &AuditEntry) -> u64 {
        let owner = caller.and(entry.owner.as_ref());
        let answer = (entry.status, entry.event, entry.against);
        self.hasher.hash_one((caller, owner, answer))
    }
}

/// How many of its kind are written one by one.
fn most(entry: &AuditEntry) -> u64 {
    match entry.event {
        AuditEvent::Vended(_) => VENDS,
        AuditEvent::Refused | AuditEvent::RateLimited if entry.against.is_some() => VENDS,
        AuditEvent::Refused | AuditEvent::RateLimited => REFUSALS,
    }
}

/// Port 0, which nobody asks from, stands for all ports.
fn like(entry: &AuditEntry, of_caller: bool) -> AuditEntry {
    let (caller, owner) = if of_caller {
        (caller(entry.peer), entry.owner.clone())
    } else {
        (Ipv4Addr::UNSPECIFIED.into(), None)
    };
    AuditEntry {
        peer: SocketAddr::new(caller, 0),
        owner,
        user_agent: String::new(),
        ..entry.clone()
    }
}

/// Programs of the host may ask from any of its loopback addresses.
fn caller(peer: SocketAddr) -> IpAddr {
    let ip = peer.ip().to_canonical();
    if ip.is_loopback() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        ip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credentials::RoleKind;
    use crate::domain::ids::{TaskArn, UnixMillis};

    fn entry(peer: &str, status: u16) -> AuditEntry {
        AuditEntry {
            at: UnixMillis(0),
            status,
            peer: peer.parse().unwrap(),
            path: "/v2/credentials".into(),
            user_agent: "sdk".to_owned(),
            owner: None,
            event: AuditEvent::Refused,
            against: None,
        }
    }

    fn owned(entry: AuditEntry, task: &str) -> AuditEntry {
        let arn = format!("arn:aws:ecs:local:000000000000:task/default/{task}");
        AuditEntry {
            owner: Some(TaskArn::parse(&arn).unwrap()),
            ..entry
        }
    }

    fn admitted(repeats: &mut Repeats, entry: &AuditEntry, times: u64) -> u64 {
        let one_by_one = (0..times).map(|_| u64::from(repeats.admit(entry)));
        one_by_one.sum()
    }

    #[test]
    fn the_first_of_each_kind_are_written_and_the_others_counted() {
        let a = entry("172.17.0.2:1000", 400);
        let vended = AuditEntry {
            event: AuditEvent::Vended(RoleKind::Task),
            ..owned(entry("172.17.0.2:1000", 200), "t1")
        };
        let mismatch = AuditEntry {
            against: Some("other-task"),
            ..owned(a.clone(), "t1")
        };
        let mut repeats = Repeats::default();
        for (entry, expected) in [
            (&a, REFUSALS),
            (&entry("172.17.0.3:1000", 400), REFUSALS),
            (&entry("172.17.0.2:1000", 503), REFUSALS),
            (&owned(entry("172.17.0.2:1000", 503), "t1"), REFUSALS),
            (&owned(entry("172.17.0.2:1000", 503), "t2"), REFUSALS),
            (&vended, VENDS),
            (&mismatch, VENDS),
            // Another port is the same caller, and so is another loopback address.
            (&entry("172.17.0.2:2000", 400), 0),
            (&entry("[::ffff:172.17.0.2]:2000", 400), 0),
            (&entry("127.0.0.1:1", 400), REFUSALS),
            (&entry("127.8.9.10:1", 400), 0),
            (&entry("[::1]:1", 400), 0),
        ] {
            assert_eq!(admitted(&mut repeats, entry, 2000), expected, "{entry:?}");
        }
        let lines = repeats.close();
        let of_a = lines
            .iter()
            .find(|line| line.peer == "172.17.0.2:0".parse().unwrap() && line.status == 400);
        let expected = AuditEntry {
            peer: "172.17.0.2:0".parse().unwrap(),
            user_agent: format!("{} more like this", 3 * 2000 - REFUSALS),
            ..a.clone()
        };
        assert_eq!(of_a, Some(&expected), "{lines:?}");
        // A new span.
        assert_eq!(repeats.close(), []);
        assert_eq!(admitted(&mut repeats, &a, 5), 5);
        assert_eq!(repeats.close(), [], "nothing was left out");
    }

    #[test]
    fn no_number_of_callers_grows_the_agent_or_the_record() {
        let mut repeats = Repeats::default();
        let mut written = 0;
        for number in 0..100_000_u32 {
            let ip = Ipv4Addr::from_bits(0x0a00_0000 + number);
            let one = entry(&format!("{ip}:1"), 400);
            written += usize::from(repeats.admit(&one));
        }
        assert!(written <= MAX_KINDS + 10, "{written}");
        assert!(repeats.kinds.len() <= MAX_KINDS + 1);
        let lines = repeats.close();
        let peers: Vec<_> = lines.iter().map(|line| line.peer.to_string()).collect();
        assert_eq!(peers, ["0.0.0.0:0"]);
    }
}
