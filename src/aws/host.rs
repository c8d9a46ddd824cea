//! Credentials of this host, for whoever signs requests with them.
//!
//! Programs that rotate credentials (the agent of Systems Manager on an external instance) write them into the profile
//! file while this agent runs, and the SDK reads that file once a provider. So each look makes a provider anew, and
//! what has no end of its own is looked for again after a minute.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts::config::{Credentials, Region, SharedCredentialsProvider};

use super::chain;
use super::sts::InstanceMetadata;
use super::ways::Ways;
use crate::boundary::Clock;

/// How long credentials without an end are good (reference agent).
const LIFETIME: Duration = Duration::from_mins(1);

/// Finds them when they are asked for.
pub type HostCredentials = SharedCredentialsProvider;

/// Where they are looked for, beside where AWS programs always do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Whether they may come from the instance.
    pub metadata: InstanceMetadata,
    /// Profile of the profile files; `None` = as the environment says.
    pub profile: Option<String>,
}

/// Credentials from where AWS programs look for them. Nothing is asked before the first use.
pub fn host_credentials(
    region: &str,
    settings: &HostSettings,
    ways: Ways,
    clock: Arc<dyn Clock>,
) -> HostCredentials {
    let (region, settings) = (Region::new(region.to_owned()), settings.clone());
    let make = move || chain::credentials(region.clone(), &ways, &settings);
    SharedCredentialsProvider::new(Fresh { make, clock })
}

/// Makes a provider for each look.
pub(super) struct Fresh<M> {
    pub(super) make: M,
    pub(super) clock: Arc<dyn Clock>,
}

impl<M> fmt::Debug for Fresh<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fresh")
    }
}

impl<M, P> ProvideCredentials for Fresh<M>
where
    M: Fn() -> P + Send + Sync,
    P: ProvideCredentials,
{
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let found = (self.make)().provide_credentials().await?;
            Ok(self.with_end(found))
        })
    }
}

impl<M> Fresh<M> {
    fn with_end(&self, found: Credentials) -> Credentials {
        if found.expiry().is_some() {
            return found;
        }
        let now = u64::try_from(self.clock.now().0).unwrap_or_default();
        let end = SystemTime::UNIX_EPOCH + Duration::from_millis(now) + LIFETIME;
        Credentials::new(
            found.access_key_id(),
            found.secret_access_key(),
            found.session_token().map(ToOwned::to_owned),
            Some(end),
            "host",
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::testing::clock::TokioClock;

    #[tokio::test(start_paused = true)]
    async fn check_007_credentials_without_an_end_are_looked_for_again_after_a_minute() {
        let clock = Arc::new(TokioClock::new());
        let made = AtomicU32::new(0);
        let fresh = Fresh {
            make: || {
                let number = made.fetch_add(1, Ordering::Relaxed);
                Credentials::new(format!("KEY{number}"), "secret", None, None, "file")
            },
            clock: clock.clone(),
        };
        let now =
            SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(clock.now().0).unwrap());
        for expected in ["KEY0", "KEY1"] {
            let found = fresh.provide_credentials().await.unwrap();
            assert_eq!(found.access_key_id(), expected);
            assert_eq!(found.expiry(), Some(now + LIFETIME));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_with_an_end_keep_it() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        let fresh = Fresh {
            make: || Credentials::new("KEY", "secret", None, Some(end), "instance"),
            clock: Arc::new(TokioClock::new()),
        };
        let found = fresh.provide_credentials().await.unwrap();
        assert_eq!(found.expiry(), Some(end));
    }
}
