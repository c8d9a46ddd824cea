//! The host's own credentials, from where AWS programs look for them: environment, profile (with single sign-on, web
//! identity, a process, other roles), and the instance where that is allowed.

use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_sts::config::Region;

use super::host::HostSettings;
use super::sts::InstanceMetadata;
use super::ways::Ways;

/// Region of STS where nobody names one: the one whose STS has always answered for all.
const FALLBACK_REGION: &str = "us-east-1";

/// The region: the setting, else what AWS programs use.
pub(super) async fn region(setting: Option<&str>) -> Region {
    if let Some(name) = setting {
        return Region::new(name.to_owned());
    }
    // The default chain of the SDK would ask the instance metadata service.
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::from_static(FALLBACK_REGION))
        .region()
        .await
        .unwrap_or(Region::from_static(FALLBACK_REGION))
}

/// The credentials. They are looked for at the first use.
pub(super) fn credentials(
    region: Region,
    ways: &Ways,
    settings: &HostSettings,
) -> CredentialsProviderChain {
    let config = ProviderConfig::without_region().with_region(Some(region));
    let direct = config.clone().with_http_client(ways.direct());
    let config = config.with_http_client(ways.client());
    let instance = || instance(&direct, &settings.metadata);
    let profile = ProfileFileCredentialsProvider::builder().configure(&config);
    let profile = match &settings.profile {
        Some(name) => profile.profile_name(name),
        None => profile,
    };
    // The agent owns the address that this one would ask.
    let profile = profile.with_custom_provider("EcsContainer", Unavailable("EcsContainer"));
    let profile = match instance() {
        Some(instance) => profile.with_custom_provider("Ec2InstanceMetadata", instance),
        None => {
            profile.with_custom_provider("Ec2InstanceMetadata", Unavailable("Ec2InstanceMetadata"))
        }
    };
    let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&config);
    let environment = EnvironmentVariableCredentialsProvider::new();
    let chain = CredentialsProviderChain::first_try("Environment", environment)
        .or_else("Profile", profile.build())
        .or_else("WebIdentityToken", web_identity.build());
    match instance() {
        Some(instance) => chain.or_else("Ec2InstanceMetadata", instance),
        None => chain,
    }
}

fn instance(
    config: &ProviderConfig,
    metadata: &InstanceMetadata,
) -> Option<ImdsCredentialsProvider> {
    let client = imds::Client::builder().configure(config);
    let client = match metadata {
        InstanceMetadata::Off => return None,
        InstanceMetadata::Usual => client,
        // A text that is no address fails at the first use, and says so there.
        InstanceMetadata::At(endpoint) => client.endpoint(endpoint).ok()?,
    };
    let provider = ImdsCredentialsProvider::builder().configure(config);
    Some(provider.imds_client(client.build()).build())
}

/// A source of credentials that a profile may name and that is not used here.
#[derive(Debug)]
struct Unavailable(&'static str);

impl ProvideCredentials for Unavailable {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let why = format!("the credential source {} is turned off here", self.0);
        future::ProvideCredentials::ready(Err(CredentialsError::invalid_configuration(why)))
    }
}
