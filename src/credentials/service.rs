//! The service: fetches what is due, keeps the slots up to date, wakes who waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::config::{CredentialsConfig, Encode};
use super::handle::{CredentialsHandle, PUSH_CAPACITY, Push, Shared};
use super::plan::roles::{Failure, Roles};
use super::plan::schedule::{Chance, LEAST_LIFE, concerns_the_source};
use super::slot::Slots;
use crate::boundary::credentials::{CredentialsKeeper, CredentialsSource};
use crate::boundary::{BoundaryError, Clock, ErrorKind, Ids};
use crate::domain::credentials::{Credentials, CredentialsId, RoleGrant};
use crate::error::ErrorChain;

/// Longest sleep: a step of the wall clock is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);

/// The outside of the service.
pub struct Outside {
    /// Makes credentials.
    pub source: Arc<dyn CredentialsSource>,
    /// Keeps them beyond the end of the process.
    pub keeper: Arc<dyn CredentialsKeeper>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub ids: Arc<dyn Ids>,
    /// The answers' form.
    pub encode: Encode,
}

/// Builds the service and its handle. Nothing is fetched until [`CredentialsService::run`] is polled.
pub fn service(
    config: &CredentialsConfig,
    outside: Outside,
) -> (CredentialsService, CredentialsHandle) {
    let (wanted_sender, wanted) = watch::channel(Arc::from([]));
    let (push_sender, pushes) = mpsc::channel(PUSH_CAPACITY);
    let clock = Arc::clone(&outside.clock);
    let shared = Arc::new(Shared {
        slots: Slots::default(),
        changed: Notify::new(),
        encode: outside.encode,
    });
    let handle = CredentialsHandle {
        shared: Arc::clone(&shared),
        wanted: Arc::new(wanted_sender),
        pushes: push_sender,
        clock,
        binding: config.binding,
        patience: config.patience,
    };
    let service = CredentialsService {
        shared,
        outside,
        roles: Roles::default(),
        wanted,
        pushes,
        fetches: JoinSet::new(),
        under_way: HashMap::new(),
    };
    (service, handle)
}

/// Owns the fetches.
pub struct CredentialsService {
    shared: Arc<Shared>,
    outside: Outside,
    roles: Roles,
    wanted: watch::Receiver<Arc<[Arc<RoleGrant>]>>,
    pushes: mpsc::Receiver<Push>,
    fetches: JoinSet<Result<Credentials, BoundaryError>>,
    under_way: HashMap<Id, (Arc<RoleGrant>, AbortHandle)>,
}

type Ended = Result<(Id, Result<Credentials, BoundaryError>), JoinError>;

enum Event {
    Wanted,
    Pushed(Push),
    Fetched(Ended),
    OutOfDate,
    Due,
    Stop,
}

impl CredentialsService {
    /// What an earlier process has kept for the roles that are wanted now is served from now on, and refreshed ahead of
    /// its end: at once, where that is near.
    pub fn restore(&mut self) {
        let grants = Arc::clone(&self.wanted.borrow());
        let now = self.outside.clock.now();
        self.roles.set_wanted(&grants, now);
        let mut restored: usize = 0;
        for (id, credentials) in self.outside.keeper.take_back(&grants) {
            let ends_at = credentials.expiration.at;
            let chance = self.chance();
            if ends_at.since(now) < LEAST_LIFE || !self.roles.restored(&id, ends_at, now, chance) {
                continue;
            }
            if let Some(slot) = self.shared.slots.get(id.expose()) {
                slot.hold(credentials, self.outside.encode);
            }
            self.publish(&id);
            restored = restored.saturating_add(1);
        }
        if restored > 0 {
            info!(
                event = "credentials-restored",
                restored, "credentials of before the restart are served"
            );
        }
    }

    /// Runs until `shutdown`. What is held goes on being served by the handle.
    pub async fn run(mut self, shutdown: CancellationToken) {
        self.wanted.mark_changed();
        loop {
            match self.next(&shutdown).await {
                Event::Wanted => self.take_wanted(),
                Event::Pushed(push) => self.take_push(push),
                Event::Fetched(ended) => self.take_fetched(ended),
                Event::OutOfDate => self.roles.out_of_date(self.outside.clock.now()),
                Event::Due => {}
                Event::Stop => break,
            }
            self.begin_due();
        }
        self.fetches.shutdown().await;
    }

    async fn next(&mut self, shutdown: &CancellationToken) -> Event {
        let now = self.outside.clock.now();
        let until_due = self.roles.next().map(|at| at.since(now));
        let sleep = tokio::time::sleep(until_due.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP));
        // Each arm is cancel-safe: the token, channels and join set by their documentation, the source by its
        // trait's, the sleep because it is made anew.
        tokio::select! {
            () = shutdown.cancelled() => Event::Stop,
            changed = self.wanted.changed() => changed.map_or(Event::Stop, |()| Event::Wanted),
            Some(push) = self.pushes.recv() => Event::Pushed(push),
            Some(ended) = self.fetches.join_next_with_id() => Event::Fetched(ended),
            () = self.outside.source.changed() => Event::OutOfDate,
            () = sleep => Event::Due,
        }
    }

    fn take_wanted(&mut self) {
        let grants = Arc::clone(&self.wanted.borrow_and_update());
        let before: Vec<CredentialsId> = self.roles.ids().cloned().collect();
        self.roles.set_wanted(&grants, self.outside.clock.now());
        for id in before.iter().filter(|id| !self.roles.is_wanted(id)) {
            self.outside.keeper.forget(id);
        }
        self.under_way.retain(|_, (grant, abort)| {
            let wanted = self.roles.is_flying(&grant.id);
            if !wanted {
                abort.abort();
            }
            wanted
        });
    }

    fn take_push(&mut self, push: Push) {
        let (now, chance) = (self.outside.clock.now(), self.chance());
        let ends_at = push.credentials.expiration.at;
        if self.roles.pushed(&push.id, ends_at, now, chance) {
            self.hold(&push.id, push.credentials);
            self.publish(&push.id);
        }
    }

    fn take_fetched(&mut self, ended: Ended) {
        let (id, result) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let broken = BoundaryError::new(
                    "fetch credentials",
                    ErrorKind::Transient,
                    "the agent failed unexpectedly",
                );
                (error.id(), Err(broken))
            }
        };
        // What was aborted is not there any more.
        let Some((grant, _)) = self.under_way.remove(&id) else {
            return;
        };
        let (now, chance) = (self.outside.clock.now(), self.chance());
        let outage = self.roles.outage();
        match result {
            Ok(credentials) => {
                let ends_at = credentials.expiration.at;
                if self.roles.fetched(&grant, Ok(ends_at), now, chance) {
                    self.hold(&grant.id, credentials);
                }
            }
            Err(error) => {
                let failure = Failure {
                    kind: error.kind,
                    message: ErrorChain(&error).to_string(),
                };
                self.roles
                    .fetched(&grant, Err(failure.clone()), now, chance);
                self.tell_failure(&grant, &failure);
            }
        }
        if self.roles.outage() == outage {
            self.publish(&grant.id);
        } else {
            if self.roles.outage() == 0 {
                info!(
                    event = "credentials-source-recovered",
                    "credentials can be fetched again"
                );
            }
            let ids: Vec<CredentialsId> = self.roles.ids().cloned().collect();
            for id in ids {
                self.publish(&id);
            }
        }
    }

    /// Changes are told, levels are not: the first failure of a role or of the source.
    fn tell_failure(&self, grant: &RoleGrant, failure: &Failure) {
        let (owner, kind, role) = (&grant.owner, grant.kind.as_str(), &grant.role);
        let error = &failure.message;
        if concerns_the_source(failure.kind) && self.roles.outage() == 1 {
            warn!(
                event = "credentials-source-failing",
                error, "credentials cannot be fetched; what is held is served until its end"
            );
        } else if !concerns_the_source(failure.kind) && self.roles.failures(&grant.id) == 1 {
            warn!(event = "credentials-refused-by-source", task.arn = %owner, kind, %role, error, "credentials of a role cannot be had");
        } else {
            debug!(task.arn = %owner, kind, %role, error, "fetch failed again");
        }
    }

    fn hold(&self, id: &CredentialsId, credentials: Credentials) {
        if let Some(slot) = self.shared.slots.get(id.expose()) {
            self.outside.keeper.keep(&slot.grant, &credentials);
            slot.hold(credentials, self.outside.encode);
        }
    }

    /// Says how far the role is to requests that wait and to the engine.
    fn publish(&self, id: &CredentialsId) {
        let now = self.outside.clock.now();
        let (Some(readiness), Some(slot)) = (
            self.roles.readiness(id, now),
            self.shared.slots.get(id.expose()),
        ) else {
            return;
        };
        if slot.set_readiness(readiness) {
            self.shared.changed.notify_one();
        }
    }

    fn begin_due(&mut self) {
        for grant in self.roles.due(self.outside.clock.now()) {
            let source = Arc::clone(&self.outside.source);
            let wish = Arc::clone(&grant);
            let abort = self.fetches.spawn(async move { source.fetch(&wish).await });
            self.publish(&grant.id);
            self.under_way.insert(abort.id(), (grant, abort));
        }
    }

    fn chance(&self) -> Chance {
        let part = self.outside.ids.jitter(Duration::from_secs(1)).as_millis();
        Chance::per_mille(u16::try_from(part).unwrap_or_default())
    }
}
