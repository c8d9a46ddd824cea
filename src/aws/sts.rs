//! Roles assumed through STS with the host's own credentials.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::{
    Region, SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use aws_sdk_sts::types::Tag;

use super::host::HostSettings;
use super::ways::Ways;
use super::{chain, error, session, ways};
use crate::boundary::credentials::CredentialsSource;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::credentials::{Credentials, Expiration, RoleGrant};
use crate::domain::ids::UnixMillis;

/// Longest wait for a connection to STS.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsConfig {
    /// Address of STS; `None` = the region's.
    pub endpoint: Option<String>,
    /// Region; `None` = what AWS programs on this host use.
    pub region: Option<String>,
    /// Name of sessions; `{task}` stands for the task's id.
    pub session_name: String,
    /// How long credentials live.
    pub duration: Duration,
    /// External id that trust policies may ask for.
    pub external_id: Option<String>,
    /// Tags of sessions; `{task}` stands for the task's id.
    pub tags: BTreeMap<String, String>,
    /// Where the host's own credentials are looked for.
    pub host: HostSettings,
    /// Longest call, the search for the host's own credentials included.
    pub limit: Duration,
}

impl Default for StsConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            session_name: "berth-{task}".to_owned(),
            duration: Duration::from_hours(1),
            external_id: None,
            tags: BTreeMap::new(),
            host: HostSettings::default(),
            // Short, so that a source that is back is found soon.
            limit: Duration::from_secs(10),
        }
    }
}

/// Whether the instance metadata service is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InstanceMetadata {
    /// Never.
    #[default]
    Off,
    /// At its usual address.
    Usual,
    /// There.
    At(String),
}

/// The source.
pub struct Sts {
    config: StsConfig,
    http: SharedHttpClient,
    /// Keeps base credentials; made anew when they are refused, since they may have been changed.
    client: ArcSwapOption<Client>,
    /// The host's own credentials.
    base: Base,
}

/// Finds the host's own credentials.
type Base = Box<dyn Fn(&StsConfig, Region) -> SharedCredentialsProvider + Send + Sync>;

impl Sts {
    /// Nothing is asked before the first fetch.
    pub fn new(config: StsConfig, ways: &Ways) -> Self {
        let own = ways.clone();
        let base = move |config: &StsConfig, region| {
            let chain = chain::credentials(region, &own, &config.host);
            SharedCredentialsProvider::new(chain)
        };
        Self::with_base(config, Box::new(base)).by(ways)
    }

    /// The same by those ways.
    pub(super) fn by(self, ways: &Ways) -> Self {
        Self {
            http: ways.client(),
            ..self
        }
    }

    /// A source with base credentials of its own, whatever this host has.
    #[cfg(any(test, feature = "testing"))]
    pub fn with_key(config: StsConfig, access_key_id: &str, secret_access_key: &str) -> Self {
        let own = aws_sdk_sts::config::Credentials::new(
            access_key_id,
            secret_access_key,
            None,
            None,
            "fixed",
        );
        let base = move |_: &StsConfig, _| SharedCredentialsProvider::new(own.clone());
        Self::with_base(config, Box::new(base))
    }

    pub(super) fn with_base(config: StsConfig, base: Base) -> Self {
        Self {
            config,
            http: ways::direct(),
            client: ArcSwapOption::empty(),
            base,
        }
    }

    /// Whether this host has credentials of its own to ask STS with; STS itself is not asked.
    ///
    /// # Errors
    /// `Unavailable` with what is wrong with them, `DeadlineExceeded`.
    pub async fn look(&self) -> Result<(), BoundaryError> {
        let operation = "look for the host's own AWS credentials";
        let looking = async {
            let region = chain::region(self.config.region.as_deref()).await;
            let base = (self.base)(&self.config, region);
            base.provide_credentials().await
        };
        match tokio::time::timeout(self.config.limit, looking).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let words = error::words_of_base(&error);
                Err(BoundaryError::new(operation, ErrorKind::Unavailable, words))
            }
            Err(_) => Err(BoundaryError::deadline(operation, self.config.limit)),
        }
    }

    async fn client(&self) -> Arc<Client> {
        if let Some(client) = self.client.load_full() {
            return client;
        }
        let region = chain::region(self.config.region.as_deref()).await;
        let base = (self.base)(&self.config, region.clone());
        let limits = TimeoutConfig::builder()
            .connect_timeout(CONNECT_LIMIT)
            .operation_timeout(self.config.limit);
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(base)
            .http_client(self.http.clone())
            .timeout_config(limits.build())
            // Whoever asked decides when to try again.
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = &self.config.endpoint {
            config = config.endpoint_url(endpoint);
        }
        let client = Arc::new(Client::from_conf(config.build()));
        self.client.store(Some(Arc::clone(&client)));
        client
    }
}

#[async_trait]
impl CredentialsSource for Sts {
    async fn fetch(&self, grant: &RoleGrant) -> Result<Credentials, BoundaryError> {
        let operation = format!("assume {}", grant.role);
        let seconds = i32::try_from(self.config.duration.as_secs()).unwrap_or(i32::MAX);
        let tags = session::tags(&self.config.tags, &grant.owner)
            .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok())
            .collect::<Vec<_>>();
        let client = self.client().await;
        let call = client
            .assume_role()
            .role_arn(grant.role.as_str())
            .role_session_name(session::name(&self.config.session_name, &grant.owner))
            .duration_seconds(seconds)
            .set_external_id(self.config.external_id.clone())
            .set_tags((!tags.is_empty()).then_some(tags));
        // The client's own limit does not bound everything that it does before the call.
        let Ok(answer) = tokio::time::timeout(self.config.limit, call.send()).await else {
            return Err(BoundaryError::deadline(operation, self.config.limit));
        };
        match answer {
            Ok(output) => credentials(output).ok_or_else(|| {
                let words = "STS gave an answer without credentials";
                BoundaryError::new(operation, ErrorKind::Transient, words)
            }),
            Err(refused) => {
                let error = error::from_sdk(operation, self.config.limit, &refused);
                if matches!(error.kind, ErrorKind::Denied | ErrorKind::Unavailable) {
                    self.client.store(None);
                }
                Err(error)
            }
        }
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

fn credentials(output: AssumeRoleOutput) -> Option<Credentials> {
    let given = output.credentials?;
    let at = UnixMillis(given.expiration.to_millis().ok()?);
    // Whole seconds, as the control plane writes them; cut, so that it is never later than it is.
    let text = jiff::Timestamp::from_second(at.0.div_euclid(1000)).ok()?;
    let complete = !given.access_key_id.is_empty() && !given.secret_access_key.is_empty();
    complete.then(|| Credentials {
        access_key_id: given.access_key_id.into(),
        secret_access_key: given.secret_access_key.into(),
        session_token: given.session_token.into(),
        expiration: Expiration {
            text: text.to_string(),
            at,
        },
    })
}
