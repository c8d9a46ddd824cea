//! What to do so that the host has the address: one step at a time, from what is seen. Pure.
//!
//! ```text
//! no link of ours ──make: dummy, else bridge──► link, down ──raise──► link, up ──add──► held
//!        └── the kernel has neither ──────────► loopback ─────────────────────add──► held
//! ```
//!
//! An address on a link of somebody else is left there: packets to it reach this host all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Where containers look for the task server.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// Bits of the prefix: the address alone.
pub(super) const PREFIX: u8 = 32;

/// Name of the link that is made for it.
pub(super) const LINK: &str = "berth0";

/// Name of loopback.
const LOOPBACK: &str = "lo";

/// A kind of link that can carry an address and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Made for this; a module that some kernels lack.
    Dummy,
    /// Without ports. Every host with Docker has it.
    Bridge,
}

/// A link of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) up: bool,
}

/// Links and addresses of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// By index.
    pub(super) links: BTreeMap<u32, Link>,
    /// Indices of links that carry the address.
    pub(super) holders: BTreeSet<u32>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the host has the address on the link of that name.
    Held(String),
    /// Make the link.
    Make(Kind),
    /// Set the link up.
    Raise(u32),
    /// Add the address to the link.
    Add(u32),
    /// There is no link that could carry it.
    Stuck,
}

/// A step that takes something away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// Remove the link.
    Link(u32),
    /// Take the address from the link.
    Address(u32),
}

/// The next step, given the kinds that the kernel has refused to make.
pub(super) fn next(seen: &Seen, refused: &BTreeSet<Kind>) -> Step {
    if let Some(name) = held(seen) {
        return Step::Held(name);
    }
    if let Some((index, link)) = named(seen, LINK) {
        return if link.up {
            Step::Add(index)
        } else {
            Step::Raise(index)
        };
    }
    let possible = [Kind::Dummy, Kind::Bridge]
        .into_iter()
        .find(|kind| !refused.contains(kind));
    if let Some(kind) = possible {
        return Step::Make(kind);
    }
    match named(seen, LOOPBACK) {
        Some((index, link)) if link.up => Step::Add(index),
        Some((index, _)) => Step::Raise(index),
        None => Step::Stuck,
    }
}

/// Name of a link that is up and carries the address; ours if several do.
pub(super) fn held(seen: &Seen) -> Option<String> {
    let holders = seen.holders.iter().filter_map(|i| seen.links.get(i));
    holders
        .filter(|link| link.up)
        .max_by_key(|link| link.name == LINK)
        .map(|link| link.name.clone())
}

/// What to take away so that nothing of ours is left.
pub(super) fn removals(seen: &Seen) -> Vec<Removal> {
    let loopback = named(seen, LOOPBACK)
        .filter(|(index, _)| seen.holders.contains(index))
        .map(|(index, _)| Removal::Address(index));
    let own = named(seen, LINK).map(|(index, _)| Removal::Link(index));
    own.into_iter().chain(loopback).collect()
}

fn named<'a>(seen: &'a Seen, name: &str) -> Option<(u32, &'a Link)> {
    let mut links = seen.links.iter();
    links
        .find(|(_, link)| link.name == name)
        .map(|(index, link)| (*index, link))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[Kind] = &[];
    const BOTH: &[Kind] = &[Kind::Dummy, Kind::Bridge];

    /// Links as `name up|down [held]`, numbered from 1.
    fn seen(links: &[&str]) -> Seen {
        let mut seen = Seen::default();
        for (index, text) in (1..).zip(links) {
            let mut words = text.split(' ');
            let name = words.next().unwrap().to_owned();
            let up = words.next() == Some("up");
            seen.links.insert(index, Link { name, up });
            if words.next() == Some("held") {
                seen.holders.insert(index);
            }
        }
        seen
    }

    #[test]
    fn each_state_has_one_next_step() {
        let held = |name: &str| Step::Held(name.to_owned());
        for (links, refused, expected) in [
            (&["lo up"][..], NONE, Step::Make(Kind::Dummy)),
            (&["lo up"], &[Kind::Dummy], Step::Make(Kind::Bridge)),
            (&["lo up"], BOTH, Step::Add(1)),
            (&["lo down"], BOTH, Step::Raise(1)),
            (&[], BOTH, Step::Stuck),
            (&["lo up", "berth0 down"], NONE, Step::Raise(2)),
            (&["lo up", "berth0 up"], NONE, Step::Add(2)),
            (&["lo up", "berth0 down held"], NONE, Step::Raise(2)),
            (&["lo up", "berth0 up held"], NONE, held("berth0")),
            (&["lo up held"], NONE, held("lo")),
            (&["lo up held", "berth0 up held"], NONE, held("berth0")),
            (&["lo up", "other up held"], NONE, held("other")),
            (&["lo up", "other down held"], NONE, Step::Make(Kind::Dummy)),
        ] {
            let refused = refused.iter().copied().collect();
            assert_eq!(next(&seen(links), &refused), expected, "{links:?}");
        }
    }

    #[test]
    fn only_what_is_ours_is_taken_away() {
        for (links, expected) in [
            (&["lo up"][..], vec![]),
            (&["lo up held"], vec![Removal::Address(1)]),
            (&["lo up", "berth0 up held"], vec![Removal::Link(2)]),
            (
                &["lo up held", "berth0 down"],
                vec![Removal::Link(2), Removal::Address(1)],
            ),
            (&["lo up", "other up held"], vec![]),
        ] {
            assert_eq!(removals(&seen(links)), expected, "{links:?}");
        }
    }
}
