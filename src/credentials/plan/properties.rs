//! Tables and properties of the roles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::roles::{Failure, MAX_FETCHES, Roles};
use super::schedule::Chance;
use crate::boundary::ErrorKind;
use crate::boundary::credentials::RoleReadiness;
use crate::domain::credentials::{CredentialsId, RoleArn, RoleGrant, RoleKind};
use crate::domain::ids::{TaskArn, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn grant(n: u32) -> Arc<RoleGrant> {
    let arn = format!("arn:aws:ecs:local:000000000000:task/default/{n:032x}");
    Arc::new(RoleGrant {
        id: CredentialsId::parse(&format!("id-{n}")).unwrap(),
        owner: TaskArn::parse(&arn).unwrap(),
        kind: RoleKind::Task,
        role: RoleArn::parse("arn:aws:iam::123456789012:role/web").unwrap(),
    })
}

fn failure(kind: ErrorKind) -> Failure {
    Failure {
        kind,
        message: "why".to_owned(),
    }
}

fn none() -> Chance {
    Chance::per_mille(0)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One wanted role, fetched with success now.
fn one_held(life: Duration) -> (Roles, Arc<RoleGrant>) {
    let (mut roles, grant) = (Roles::default(), grant(1));
    roles.set_wanted(&[Arc::clone(&grant)], NOW);
    assert_eq!(roles.due(NOW), [Arc::clone(&grant)]);
    assert!(roles.fetched(&grant, Ok(NOW.plus(life)), NOW, none()));
    (roles, grant)
}

fn is_ready(roles: &Roles, grant: &RoleGrant, now: UnixMillis) -> bool {
    roles.readiness(&grant.id, now) == Some(RoleReadiness::Ready)
}

#[test]
fn a_wanted_role_is_fetched_once_and_again_ahead_of_its_end() {
    let (mut roles, grant) = one_held(HOUR);
    assert!(roles.due(NOW).is_empty());
    let refresh = NOW.plus(Duration::from_mins(40));
    assert_eq!(roles.next(), Some(refresh));
    assert_eq!(roles.due(refresh), [Arc::clone(&grant)]);
    assert!(
        roles.due(refresh).is_empty(),
        "one fetch of an id at a time"
    );
    assert!(is_ready(&roles, &grant, refresh));
}

#[test]
fn what_is_held_is_ready_until_its_end_whatever_fails() {
    for kind in [
        ErrorKind::Denied,
        ErrorKind::Throttled,
        ErrorKind::DeadlineExceeded,
    ] {
        let (mut roles, grant) = one_held(HOUR);
        let refresh = NOW.plus(Duration::from_mins(40));
        roles.due(refresh);
        assert!(!roles.fetched(&grant, Err(failure(kind)), refresh, none()));
        assert!(is_ready(&roles, &grant, NOW.plus(secs(3599))), "{kind:?}");
        assert_eq!(
            roles.readiness(&grant.id, NOW.plus(HOUR)),
            Some(RoleReadiness::Failing {
                failures: 1,
                kind,
                message: "why".to_owned(),
                next_at: refresh.plus(Duration::from_millis(500)),
            })
        );
    }
}

#[test]
fn a_refused_role_holds_up_no_other_and_is_tried_ever_more_rarely() {
    let (mut roles, bad, good) = (Roles::default(), grant(1), grant(2));
    roles.set_wanted(&[Arc::clone(&bad), Arc::clone(&good)], NOW);
    assert_eq!(roles.due(NOW).len(), 2);
    let mut now = NOW;
    for wait in [500, 1000, 2000] {
        roles.fetched(&bad, Err(failure(ErrorKind::Denied)), now, none());
        assert_eq!(roles.outage(), 0);
        assert_eq!(roles.next(), Some(now.plus(Duration::from_millis(wait))));
        now = now.plus(Duration::from_millis(wait));
        assert_eq!(roles.due(now), [Arc::clone(&bad)]);
    }
    assert!(roles.fetched(&good, Ok(now.plus(HOUR)), now, none()));
}

#[test]
fn while_the_source_is_away_one_role_at_a_time_tries_in_turn_and_then_all_go() {
    let (mut roles, grants) = (Roles::default(), [grant(1), grant(2), grant(3)]);
    roles.set_wanted(&grants, NOW);
    assert_eq!(roles.due(NOW).len(), 3);
    for grant in &grants {
        roles.fetched(grant, Err(failure(ErrorKind::Unavailable)), NOW, none());
    }
    let mut tried = BTreeSet::new();
    let mut now = NOW;
    for _ in 0..3 {
        now = roles.next().unwrap();
        let due = roles.due(now);
        assert_eq!(due.len(), 1);
        tried.extend(due.iter().map(|grant| grant.id.clone()));
        roles.fetched(&due[0], Err(failure(ErrorKind::Unavailable)), now, none());
    }
    assert_eq!(tried.len(), 3, "each had its turn");
    // Also after a long time the wait is short: it is back within 5 s.
    for _ in 0..20 {
        now = roles.next().unwrap();
        let due = roles.due(now);
        roles.fetched(&due[0], Err(failure(ErrorKind::Unavailable)), now, none());
    }
    assert!(roles.next().unwrap().since(now) <= secs(5));
    now = roles.next().unwrap();
    let due = roles.due(now);
    assert!(roles.fetched(&due[0], Ok(now.plus(HOUR)), now, none()));
    assert_eq!(roles.outage(), 0);
    let waits = roles.next().unwrap().since(now);
    assert!(waits <= secs(4), "{waits:?}");
    assert_eq!(roles.due(now.plus(waits)).len(), 2);
}

#[test]
fn credentials_that_have_expired_are_a_failure() {
    let (mut roles, grant) = (Roles::default(), grant(1));
    roles.set_wanted(&[Arc::clone(&grant)], NOW);
    roles.due(NOW);
    assert!(!roles.fetched(&grant, Ok(NOW), NOW, none()));
    assert!(matches!(
        roles.readiness(&grant.id, NOW),
        Some(RoleReadiness::Failing {
            kind: ErrorKind::Invalid,
            ..
        })
    ));
}

#[test]
fn a_role_that_is_not_wanted_any_more_is_forgotten_and_its_fetch_is_of_no_use() {
    let (mut roles, grant) = (Roles::default(), grant(1));
    roles.set_wanted(&[Arc::clone(&grant)], NOW);
    roles.due(NOW);
    roles.set_wanted(&[], NOW);
    assert_eq!(roles.readiness(&grant.id, NOW), None);
    assert!(!roles.fetched(&grant, Ok(NOW.plus(HOUR)), NOW, none()));
    assert!(!roles.pushed(&grant.id, NOW.plus(HOUR), NOW, none()));
    assert_eq!(roles.next(), None);
}

#[test]
fn pushed_credentials_need_no_fetch_until_they_are_nearly_over() {
    let (mut roles, grant) = (Roles::default(), grant(1));
    roles.set_wanted(&[Arc::clone(&grant)], NOW);
    assert!(roles.pushed(&grant.id, NOW.plus(HOUR), NOW, none()));
    assert!(is_ready(&roles, &grant, NOW));
    assert!(roles.due(NOW).is_empty());
    assert_eq!(roles.next(), Some(NOW.plus(Duration::from_mins(40))));
}

#[test]
fn what_is_out_of_date_is_fetched_anew_also_if_it_is_just_being_fetched() {
    let (mut roles, held) = one_held(HOUR);
    let flying = grant(2);
    roles.set_wanted(&[Arc::clone(&held), Arc::clone(&flying)], NOW);
    assert_eq!(roles.due(NOW), [Arc::clone(&flying)]);
    roles.out_of_date(NOW);
    assert!(is_ready(&roles, &held, NOW));
    assert_eq!(roles.due(NOW), [Arc::clone(&held)]);
    assert!(roles.fetched(&flying, Ok(NOW.plus(HOUR)), NOW, none()));
    assert_eq!(roles.due(NOW), [flying]);
}

#[derive(Clone, Debug)]
enum Event {
    Want(BTreeSet<u32>),
    Pass(u64),
    End(u8, Option<ErrorKind>),
    Push(u32),
    OutOfDate,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let kind = prop_oneof![
        3 => Just(None),
        1 => Just(Some(ErrorKind::Denied)),
        1 => Just(Some(ErrorKind::Unavailable)),
        1 => Just(Some(ErrorKind::Throttled)),
    ];
    let event = prop_oneof![
        1 => proptest::collection::btree_set(0..30_u32, 0..30).prop_map(Event::Want),
        4 => (0..1_000_000_u64).prop_map(Event::Pass),
        6 => (any::<u8>(), kind).prop_map(|(pick, kind)| Event::End(pick, kind)),
        1 => (0..30_u32).prop_map(Event::Push),
        1 => Just(Event::OutOfDate),
    ];
    vec(event, 0..200)
}

proptest! {
    /// One fetch of an id at a time, never more than the limit, nothing forgotten: whatever is wanted is ready, under
    /// way, or has an instant at which it will be.
    #[test]
    fn nothing_is_fetched_twice_at_once_or_forgotten(events in events(), chance in 0..1000_u16) {
        let chance = Chance::per_mille(chance);
        let mut roles = Roles::default();
        let mut flying: Vec<Arc<RoleGrant>> = Vec::new();
        let mut now = NOW;
        for event in events {
            match event {
                Event::Want(set) => {
                    let grants: Vec<_> = set.into_iter().map(grant).collect();
                    roles.set_wanted(&grants, now);
                    flying.retain(|grant| roles.is_flying(&grant.id));
                }
                Event::Pass(millis) => now = now.plus(Duration::from_millis(millis)),
                Event::End(pick, kind) if !flying.is_empty() => {
                    let grant = flying.swap_remove(usize::from(pick) % flying.len());
                    let result = match kind {
                        None => Ok(now.plus(HOUR)),
                        Some(kind) => Err(failure(kind)),
                    };
                    let good = result.is_ok();
                    prop_assert_eq!(roles.fetched(&grant, result, now, chance), good);
                }
                Event::End(..) => {}
                Event::Push(n) => {
                    roles.pushed(&grant(n).id, now.plus(HOUR), now, chance);
                }
                Event::OutOfDate => roles.out_of_date(now),
            }
            for begun in roles.due(now) {
                prop_assert!(flying.iter().all(|other| other.id != begun.id), "twice at once");
                flying.push(begun);
            }
            prop_assert!(flying.len() <= MAX_FETCHES);
            let idle = roles.ids().filter(|id| !roles.is_flying(id)).count();
            prop_assert!(idle == 0 || roles.next().is_some() || !flying.is_empty(), "forgotten");
            if let Some(next) = roles.next() {
                prop_assert!(next > now, "what is due has been taken");
            }
        }
    }
}
