//! Logins at registries: the operator's, or tokens that are asked for when they are needed and kept for a while.
//!
//! **Invariants.** Who asks for the same token meanwhile waits for the one call under way. A token is shown to no
//! registry but its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use super::plan::login::{kept_login, login_for, server_of};
use super::plan::reason;
use super::plan::tokens::{SPREAD, Tokens};
use crate::boundary::images::ImageError;
use crate::boundary::registry::{RegistryToken, TokenSource};
use crate::boundary::{Clock, ErrorKind, Ids, SecretSource};
use crate::domain::image::ImageRef;
use crate::domain::registry::{EcrAccess, RegistryAccess, RegistryLogin, SecretAccess, is_for};
use crate::domain::secret_place::SecretPart;

/// A call under way, for all who wait for it.
type Fetch = BoxFuture<'static, Result<RegistryToken, Failure>>;

/// Why there is no token.
type Failure = (ErrorKind, String);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Logins(Arc<Inner>);

struct Inner {
    operator: Vec<RegistryLogin>,
    source: Arc<dyn TokenSource>,
    secrets: Arc<dyn SecretSource>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tokens: Tokens,
    fetches: BTreeMap<EcrAccess, WeakShared<Fetch>>,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins")
    }
}

/// What a registry is asked with.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// `None` = nobody in particular.
    pub(super) login: Option<RegistryLogin>,
    /// It was kept from an earlier pull, so that a new one may do where it does not.
    pub(super) kept: bool,
}

impl Logins {
    pub(super) fn new(
        operator: Vec<RegistryLogin>,
        (source, secrets): (Arc<dyn TokenSource>, Arc<dyn SecretSource>),
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self(Arc::new(Inner {
            operator,
            source,
            secrets,
            clock,
            ids,
            state: Mutex::default(),
        }))
    }

    /// What the image's registry is asked with.
    pub(super) async fn of(
        &self,
        image: &ImageRef,
        access: &RegistryAccess,
    ) -> Result<Given, ImageError> {
        let set = || login_for(image, &self.0.operator).cloned();
        let ecr = match access {
            RegistryAccess::Operator => {
                return Ok(Given {
                    login: set(),
                    kept: false,
                });
            }
            RegistryAccess::Secret(secret) => return self.kept(image, secret).await,
            RegistryAccess::Ecr(ecr) => ecr,
        };
        if let Some(login) = set().filter(|_| ecr.implied) {
            return Ok(Given {
                login: Some(login),
                kept: false,
            });
        }
        let (token, kept) = self
            .token(ecr)
            .await
            .map_err(|(kind, message)| reason::no_token(kind, message))?;
        if !is_for(&token.login.server, image) {
            let server = &token.login.server;
            let message = format!("ecr auth: the token is for {server}, not for {image}");
            return Err(reason::no_token(ErrorKind::Invalid, message));
        }
        Ok(Given {
            login: Some(token.login),
            kept,
        })
    }

    /// A login that is kept in Secrets Manager.
    async fn kept(&self, image: &ImageRef, access: &SecretAccess) -> Result<Given, ImageError> {
        let Some(role) = &access.role else {
            let words = "asm resource: unable to find execution role credentials";
            return Err(reason::no_login(ErrorKind::Invalid, words));
        };
        let mut part = SecretPart::whole(&access.parameter);
        part.region = part.region.or_else(|| access.region.clone());
        let text = self.0.secrets.secret(&role.id, &part).await;
        let text = text.map_err(|error| {
            let id = &access.parameter;
            let words = format!(
                "asm fetching secret from the service for {id}: {}",
                error.message
            );
            reason::no_login(error.kind, words)
        })?;
        let login = kept_login(text.expose());
        let (username, password) =
            login.map_err(|words| reason::no_login(ErrorKind::Invalid, words))?;
        Ok(Given {
            login: Some(RegistryLogin {
                server: server_of(image),
                username,
                password,
            }),
            kept: false,
        })
    }

    /// The registry has refused it. Whether it is worth asking for another.
    pub(super) fn refused(&self, access: &RegistryAccess, given: &Given) -> bool {
        let (RegistryAccess::Ecr(ecr), Some(login)) = (access, &given.login) else {
            return false;
        };
        self.state().tokens.refused(ecr, login);
        given.kept
    }

    /// A token, and whether it was kept.
    async fn token(&self, ecr: &EcrAccess) -> Result<(RegistryToken, bool), Failure> {
        let now = self.0.clock.now();
        let fetch = {
            let mut state = self.state();
            if let Some(token) = state.tokens.good(ecr, now) {
                return Ok((token, true));
            }
            let under_way = state.fetches.get(ecr).and_then(WeakShared::upgrade);
            under_way.unwrap_or_else(|| {
                let fetch = self.fetch(ecr.clone());
                if let Some(weak) = fetch.downgrade() {
                    state.fetches.insert(ecr.clone(), weak);
                }
                fetch
            })
        };
        match fetch.await {
            Ok(token) => Ok((token, false)),
            Err(failure) => {
                let last = self.state().tokens.last(ecr, self.0.clock.now());
                last.map(|token| (token, true)).ok_or(failure)
            }
        }
    }

    fn fetch(&self, ecr: EcrAccess) -> Shared<Fetch> {
        let logins = self.clone();
        let call = async move {
            let answer = logins.0.source.token(&ecr).await;
            let answer = answer.map_err(|error| (error.kind, error.message));
            let mut state = logins.state();
            state.fetches.remove(&ecr);
            if let Ok(token) = &answer {
                let (now, luck) = (logins.0.clock.now(), logins.0.ids.jitter(SPREAD));
                state.tokens.keep(ecr, token.clone(), now, luck);
            }
            answer
        };
        call.boxed().shared()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
