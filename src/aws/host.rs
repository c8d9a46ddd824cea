//! Credentials of this host, for whoever signs requests with them.

use aws_sdk_sts::config::{Region, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::chain;
use super::sts::InstanceMetadata;

/// Finds them when they are asked for.
pub type HostCredentials = SharedCredentialsProvider;

/// Credentials from where AWS programs look for them. Nothing is asked before the first use.
pub fn host_credentials(region: &str, metadata: &InstanceMetadata) -> HostCredentials {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let region = Region::new(region.to_owned());
    SharedCredentialsProvider::new(chain::credentials(region, http, metadata))
}
