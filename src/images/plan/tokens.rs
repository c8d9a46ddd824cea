//! Tokens of registries that are kept: how long, how many, and which are let go of.
//!
//! **Invariant.** A token belongs to one registry, one place to ask and one set of credentials: it is given to nobody
//! who would ask with others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::boundary::registry::RegistryToken;
use crate::domain::ids::UnixMillis;
use crate::domain::registry::{EcrAccess, RegistryLogin};

/// Most tokens that are kept (reference agent).
pub const MAX_TOKENS: usize = 100;

/// Longest time that one is kept (reference agent); ECR makes them for twelve hours.
const LONGEST: Duration = Duration::from_hours(12);

/// How long before its end one is renewed at the latest (reference agent).
const LEAD: Duration = Duration::from_mins(30);

/// How much earlier at most, so that hosts that came together do not renew together (reference agent).
pub const SPREAD: Duration = Duration::from_mins(30);

/// The tokens.
#[derive(Debug, Default)]
pub struct Tokens(BTreeMap<EcrAccess, Kept>);

#[derive(Debug)]
struct Kept {
    token: RegistryToken,
    renew_at: UnixMillis,
    used_at: UnixMillis,
}

impl Tokens {
    /// One that need not be renewed yet.
    pub fn good(&mut self, access: &EcrAccess, now: UnixMillis) -> Option<RegistryToken> {
        let kept = self.0.get_mut(access)?;
        kept.used_at = now;
        (now < kept.renew_at).then(|| kept.token.clone())
    }

    /// One that has not ended: it will do where a new one cannot be had.
    pub fn last(&self, access: &EcrAccess, now: UnixMillis) -> Option<RegistryToken> {
        let kept = self.0.get(access)?;
        (now < kept.token.expires_at).then(|| kept.token.clone())
    }

    /// Keeps a new one; `luck` is drawn below [`SPREAD`]. The one that was not used for longest makes room.
    pub fn keep(
        &mut self,
        access: EcrAccess,
        token: RegistryToken,
        now: UnixMillis,
        luck: Duration,
    ) {
        let life = token.expires_at.since(now).min(LONGEST);
        let kept = Kept {
            renew_at: now.plus(life.saturating_sub(LEAD).saturating_sub(luck)),
            token,
            used_at: now,
        };
        self.0.insert(access, kept);
        while self.0.len() > MAX_TOKENS {
            let oldest = self.0.iter().min_by_key(|(_, kept)| kept.used_at);
            let Some(oldest) = oldest.map(|(access, _)| access.clone()) else {
                return;
            };
            self.0.remove(&oldest);
        }
    }

    /// The registry has refused that login: it is not given out again. Another that came meanwhile stays.
    pub fn refused(&mut self, access: &EcrAccess, login: &RegistryLogin) {
        let same = |kept: &Kept| kept.token.login == *login;
        if self.0.get(access).is_some_and(same) {
            self.0.remove(access);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = UnixMillis(1_000_000);

    fn access(registry: &str) -> EcrAccess {
        EcrAccess {
            region: "eu-west-1".to_owned(),
            registry_id: registry.to_owned(),
            endpoint: None,
            role: None,
            implied: true,
        }
    }

    fn token(password: &str, life: Duration) -> RegistryToken {
        RegistryToken {
            login: RegistryLogin {
                server: "r".to_owned(),
                username: "AWS".to_owned(),
                password: password.to_owned().into(),
            },
            expires_at: START.plus(life),
        }
    }

    /// For how long a token of that life is given out.
    fn kept_for(life: Duration, luck: Duration) -> Duration {
        let mut tokens = Tokens::default();
        tokens.keep(access("a"), token("p", life), START, luck);
        let minutes = 0..=48 * 60;
        let good = |minute: &u64| {
            let now = START.plus(Duration::from_mins(*minute));
            tokens.good(&access("a"), now).is_some()
        };
        let kept = minutes.into_iter().take_while(good).count();
        Duration::from_mins(u64::try_from(kept).unwrap())
    }

    #[test]
    fn check_144_a_token_is_renewed_30_to_60_minutes_ahead_of_its_end() {
        let (hours, none) = (Duration::from_hours(12), Duration::ZERO);
        let at_most = Duration::from_mins(11 * 60 + 30);
        assert_eq!(kept_for(hours, none), at_most);
        assert_eq!(kept_for(hours, SPREAD), Duration::from_hours(11));
        // Never longer than half a day, and one that ends sooner than that is used once.
        assert_eq!(kept_for(Duration::from_hours(40), none), at_most);
        assert_eq!(kept_for(Duration::from_mins(20), none), none);
    }

    #[test]
    fn check_144_a_token_that_is_due_will_do_until_it_has_ended() {
        let mut tokens = Tokens::default();
        let hour = Duration::from_hours(1);
        tokens.keep(access("a"), token("p", hour), START, Duration::ZERO);
        let at = |minutes| START.plus(Duration::from_mins(minutes));
        assert!(tokens.good(&access("a"), at(29)).is_some());
        assert!(tokens.good(&access("a"), at(30)).is_none());
        assert!(tokens.last(&access("a"), at(59)).is_some());
        assert!(tokens.last(&access("a"), at(60)).is_none());
        assert!(tokens.last(&access("b"), at(1)).is_none());
    }

    #[test]
    fn the_least_used_makes_room() {
        let mut tokens = Tokens::default();
        let hours = Duration::from_hours(12);
        for number in 0..u64::try_from(MAX_TOKENS).unwrap() {
            let now = START.plus(Duration::from_secs(number));
            let key = access(&number.to_string());
            tokens.keep(key, token("p", hours), now, Duration::ZERO);
        }
        let later = START.plus(Duration::from_hours(1));
        assert!(tokens.good(&access("0"), later).is_some());
        tokens.keep(access("new"), token("p", hours), later, Duration::ZERO);
        assert!(tokens.good(&access("0"), later).is_some());
        assert!(tokens.good(&access("1"), later).is_none());
        assert!(tokens.good(&access("2"), later).is_some());
    }

    #[test]
    fn a_refused_token_goes_and_a_newer_one_stays() {
        let mut tokens = Tokens::default();
        let (old, new) = (
            token("old", Duration::from_hours(12)),
            token("new", Duration::from_hours(12)),
        );
        tokens.keep(access("a"), old.clone(), START, Duration::ZERO);
        tokens.keep(access("a"), new.clone(), START, Duration::ZERO);
        tokens.refused(&access("a"), &old.login);
        assert_eq!(tokens.good(&access("a"), START), Some(new.clone()));
        tokens.refused(&access("a"), &new.login);
        assert_eq!(tokens.good(&access("a"), START), None);
    }
}
