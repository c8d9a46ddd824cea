//! Every role that is wanted, and what is to be done about it now.
//!
//! ```text
//! set_wanted ─► Due ──due()──► Flying ──fetched: good──► Due, ahead of its end
//!                ▲               │
//!                └── in time ────┴──fetched: failed──► Failing ──due()──► Flying
//! ```
//!
//! While the source itself is in trouble (it cannot be reached, or asks to slow down) one role at a time tries it, the
//! one whose last try is longest ago; the first that succeeds ends that, and all go.
//!
//! **Invariants.** At most one fetch of an id at a time. What is held stays held until its end, whatever fails
//! meanwhile. Equal events give equal states.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::schedule::{self, Chance, LEAST_LIFE};
use crate::boundary::ErrorKind;
use crate::boundary::credentials::RoleReadiness;
use crate::domain::credentials::{CredentialsId, RoleGrant};
use crate::domain::ids::UnixMillis;

/// Fetches at once while the source is well: 1,000 tasks that arrive together are through in some seconds, and STS
/// does not ask to slow down (its limit is 600 a second).
pub const MAX_FETCHES: usize = 16;

/// A fetch that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: ErrorKind,
    /// In words, without a secret.
    pub message: String,
}

/// All roles.
#[derive(Debug, Default)]
pub struct Roles {
    by_id: BTreeMap<CredentialsId, Role>,
    outage: Option<Outage>,
    flying: usize,
}

/// One role.
#[derive(Debug)]
struct Role {
    grant: Arc<RoleGrant>,
    /// End of what is held.
    ends_at: Option<UnixMillis>,
    phase: Phase,
    /// When it was last tried: whose turn it is.
    tried_at: Option<UnixMillis>,
    failures: u32,
}

#[derive(Debug)]
enum Phase {
    Due(UnixMillis),
    Flying {
        /// What is being fetched may be out of date when it comes.
        again: bool,
    },
    Failing {
        failure: Failure,
        at: UnixMillis,
    },
}

/// The source is in trouble.
#[derive(Debug)]
struct Outage {
    failures: u32,
    last: Failure,
    next_at: UnixMillis,
}

impl Roles {
    /// These and no others are wanted. A fetch under way for one that is not is of no use any more.
    pub fn set_wanted(&mut self, grants: &[Arc<RoleGrant>], now: UnixMillis) {
        let wanted: BTreeMap<&CredentialsId, &Arc<RoleGrant>> =
            grants.iter().map(|grant| (&grant.id, grant)).collect();
        let flying = &mut self.flying;
        self.by_id.retain(|id, role| {
            let stays = wanted.get(id).is_some_and(|grant| ***grant == *role.grant);
            if !stays && matches!(role.phase, Phase::Flying { .. }) {
                *flying = flying.saturating_sub(1);
            }
            stays
        });
        for (id, grant) in wanted {
            self.by_id.entry(id.clone()).or_insert_with(|| Role {
                grant: Arc::clone(grant),
                ends_at: None,
                phase: Phase::Due(now),
                tried_at: None,
                failures: 0,
            });
        }
    }

    /// Takes the fetches that are to begin now.
    pub fn due(&mut self, now: UnixMillis) -> Vec<Arc<RoleGrant>> {
        let limit = match &self.outage {
            None => MAX_FETCHES,
            Some(outage) if outage.next_at <= now => 1,
            Some(_) => 0,
        };
        let free = limit.saturating_sub(self.flying);
        if free == 0 {
            return Vec::new();
        }
        let mut due: Vec<&mut Role> = self
            .by_id
            .values_mut()
            .filter(|role| role.phase.at().is_some_and(|at| at <= now))
            .collect();
        due.sort_by_key(|role| (role.tried_at, role.ends_at, role.grant.id.clone()));
        let begun = due.into_iter().take(free).map(|role| {
            role.phase = Phase::Flying { again: false };
            role.tried_at = Some(now);
            Arc::clone(&role.grant)
        });
        let begun: Vec<_> = begun.collect();
        self.flying = self.flying.saturating_add(begun.len());
        begun
    }

    /// When [`Roles::due`] may have something, if no event comes before.
    pub fn next(&self) -> Option<UnixMillis> {
        let limit = if self.outage.is_some() {
            1
        } else {
            MAX_FETCHES
        };
        if self.flying >= limit {
            return None;
        }
        let first = self
            .by_id
            .values()
            .filter_map(|role| role.phase.at())
            .min()?;
        let held_back = self.outage.as_ref().map(|outage| outage.next_at);
        Some(held_back.map_or(first, |at| first.max(at)))
    }

    /// A fetch ended: with credentials that end then, or not. False = nobody wants it any more, or what was fetched is
    /// of no use: nothing is to be stored.
    pub fn fetched(
        &mut self,
        grant: &RoleGrant,
        result: Result<UnixMillis, Failure>,
        now: UnixMillis,
        chance: Chance,
    ) -> bool {
        let Some(role) = self.by_id.get_mut(&grant.id) else {
            return false;
        };
        let (Phase::Flying { again }, true) = (&role.phase, *role.grant == *grant) else {
            return false;
        };
        let again = *again;
        self.flying = self.flying.saturating_sub(1);
        let result = result.and_then(|ends_at| {
            if ends_at.since(now) >= LEAST_LIFE {
                return Ok(ends_at);
            }
            Err(Failure {
                kind: ErrorKind::Invalid,
                message: "the source gave credentials that have expired".to_owned(),
            })
        });
        match result {
            Ok(ends_at) => {
                self.outage = None;
                role.failures = 0;
                role.ends_at = Some(ends_at);
                let next = schedule::refresh_at(now, ends_at, chance);
                role.phase = Phase::Due(if again { now } else { next });
                true
            }
            Err(failure) => {
                role.failures = role.failures.saturating_add(1);
                let kind = failure.kind;
                let at = if schedule::concerns_the_source(kind) {
                    let before = self.outage.as_ref().map_or(0, |outage| outage.failures);
                    let failures = before.saturating_add(1);
                    let next_at = now.plus(schedule::back_off(kind, failures, chance));
                    self.outage = Some(Outage {
                        failures,
                        last: failure.clone(),
                        next_at,
                    });
                    next_at
                } else {
                    self.outage = None;
                    now.plus(schedule::back_off(kind, role.failures, chance))
                };
                let at = if again { now } else { at };
                role.phase = Phase::Failing { failure, at };
                false
            }
        }
    }

    /// Somebody brought credentials that end then. False = nobody wants them.
    pub fn pushed(
        &mut self,
        id: &CredentialsId,
        ends_at: UnixMillis,
        now: UnixMillis,
        chance: Chance,
    ) -> bool {
        self.given(id, ends_at, schedule::refresh_at(now, ends_at, chance))
    }

    /// An earlier process has kept credentials that end then. False = nobody wants them.
    pub fn restored(
        &mut self,
        id: &CredentialsId,
        ends_at: UnixMillis,
        now: UnixMillis,
        chance: Chance,
    ) -> bool {
        self.given(id, ends_at, schedule::refresh_kept_at(now, ends_at, chance))
    }

    fn given(&mut self, id: &CredentialsId, ends_at: UnixMillis, next: UnixMillis) -> bool {
        let Some(role) = self.by_id.get_mut(id) else {
            return false;
        };
        role.failures = 0;
        role.ends_at = Some(ends_at);
        if !matches!(role.phase, Phase::Flying { .. }) {
            role.phase = Phase::Due(next);
        }
        true
    }

    /// What was fetched may be out of date: everything is fetched anew, and what is held goes on being served.
    pub fn out_of_date(&mut self, now: UnixMillis) {
        self.outage = None;
        for role in self.by_id.values_mut() {
            match &mut role.phase {
                Phase::Due(at) | Phase::Failing { at, .. } => *at = (*at).min(now),
                Phase::Flying { again } => *again = true,
            }
        }
    }

    /// How far a role is; `None` = it is not wanted.
    pub fn readiness(&self, id: &CredentialsId, now: UnixMillis) -> Option<RoleReadiness> {
        let role = self.by_id.get(id)?;
        if role.ends_at.is_some_and(|end| end > now) {
            return Some(RoleReadiness::Ready);
        }
        let failing = |failures, failure: &Failure, next_at| RoleReadiness::Failing {
            failures,
            kind: failure.kind,
            message: failure.message.clone(),
            next_at,
        };
        Some(match (&role.phase, &self.outage) {
            (Phase::Failing { failure, at }, _) => failing(role.failures, failure, *at),
            (Phase::Due(_), Some(outage)) => failing(outage.failures, &outage.last, outage.next_at),
            (Phase::Due(_), None) | (Phase::Flying { .. }, _) => RoleReadiness::Fetching,
        })
    }

    /// Failures of the source in a row; 0 = it is well. When this changes, so may the readiness of every role.
    pub fn outage(&self) -> u32 {
        self.outage.as_ref().map_or(0, |outage| outage.failures)
    }

    /// Failures of a role in a row.
    pub fn failures(&self, id: &CredentialsId) -> u32 {
        self.by_id.get(id).map_or(0, |role| role.failures)
    }

    /// Ids of the wanted roles.
    pub fn ids(&self) -> impl Iterator<Item = &CredentialsId> {
        self.by_id.keys()
    }

    /// Whether the id is wanted.
    pub fn is_wanted(&self, id: &CredentialsId) -> bool {
        self.by_id.contains_key(id)
    }

    /// Whether a fetch of the id is under way.
    pub fn is_flying(&self, id: &CredentialsId) -> bool {
        self.by_id
            .get(id)
            .is_some_and(|role| matches!(role.phase, Phase::Flying { .. }))
    }
}

impl Phase {
    /// When it is to be fetched; `None` = it is being.
    fn at(&self) -> Option<UnixMillis> {
        match self {
            Self::Due(at) | Self::Failing { at, .. } => Some(*at),
            Self::Flying { .. } => None,
        }
    }
}
