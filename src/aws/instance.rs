//! The instance metadata service of EC2, version 2: a token for a session, then one text a path.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::imds::Client;
use aws_config::imds::client::error::ImdsError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::sts::InstanceMetadata;
use crate::boundary::{self, BoundaryError, ErrorKind, InstanceFact};

/// Longest wait for a connection or an answer: the service is on the same machine.
const STEP_LIMIT: Duration = Duration::from_secs(1);

/// Longest that one fact may take, with the token.
const LIMIT: Duration = Duration::from_secs(3);

/// The service.
#[derive(Debug)]
pub struct Imds(Client);

impl Imds {
    /// Nothing is asked before the first fact is. `None` = it is not to be asked, or its address is none.
    pub fn new(setting: &InstanceMetadata) -> Option<Self> {
        // It is never reached by way of a proxy.
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config =
            aws_config::provider_config::ProviderConfig::without_region().with_http_client(http);
        let client = Client::builder()
            .configure(&config)
            .max_attempts(1)
            .connect_timeout(STEP_LIMIT)
            .read_timeout(STEP_LIMIT);
        let client = match setting {
            InstanceMetadata::Off => return None,
            InstanceMetadata::Usual => client,
            InstanceMetadata::At(endpoint) => client.endpoint(endpoint).ok()?,
        };
        Some(Self(client.build()))
    }
}

/// Where the fact is; of the VPC, which interface is the first.
fn path(fact: InstanceFact) -> &'static str {
    match fact {
        InstanceFact::IdentityDocument => "/latest/dynamic/instance-identity/document",
        InstanceFact::IdentitySignature => "/latest/dynamic/instance-identity/signature",
        InstanceFact::InstanceId => "/latest/meta-data/instance-id",
        InstanceFact::OutpostArn => "/latest/meta-data/outpost-arn",
        InstanceFact::SpotAction => "/latest/meta-data/spot/instance-action",
        InstanceFact::RebalanceRecommendation => {
            "/latest/meta-data/events/recommendations/rebalance"
        }
        InstanceFact::TargetLifecycleState => {
            "/latest/meta-data/autoscaling/target-lifecycle-state"
        }
        InstanceFact::VpcId => "/latest/meta-data/mac",
        InstanceFact::ZoneId => "/latest/meta-data/placement/availability-zone-id",
        InstanceFact::PrivateIpv4 => "/latest/meta-data/local-ipv4",
        InstanceFact::PublicIpv4 => "/latest/meta-data/public-ipv4",
        InstanceFact::Ipv6 => "/latest/meta-data/ipv6",
        InstanceFact::UserData => "/latest/user-data",
    }
}

/// Where the VPC of an interface is; `None` = it is no interface.
fn path_of_vpc(mac: &str) -> Option<String> {
    let mac = mac.trim();
    let is_mac = mac.bytes().all(|it| it.is_ascii_hexdigit() || it == b':');
    (is_mac && !mac.is_empty())
        .then(|| format!("/latest/meta-data/network/interfaces/macs/{mac}/vpc-id"))
}

#[async_trait]
impl boundary::InstanceMetadata for Imds {
    async fn read(&self, fact: InstanceFact) -> Result<Option<String>, BoundaryError> {
        let said = self.text(path(fact)).await?;
        match (fact, said) {
            (InstanceFact::VpcId, Some(mac)) => match path_of_vpc(&mac) {
                Some(path) => self.text(&path).await,
                None => Ok(None),
            },
            (_, said) => Ok(said),
        }
    }
}

impl Imds {
    /// What is at that path; `None` = nothing is.
    async fn text(&self, path: &str) -> Result<Option<String>, BoundaryError> {
        let operation = format!("ask the instance metadata service for {path}");
        let Ok(answer) = tokio::time::timeout(LIMIT, self.0.get(path)).await else {
            return Err(BoundaryError::deadline(operation, LIMIT));
        };
        match answer {
            Ok(text) => Ok(Some(text.into())),
            Err(ImdsError::ErrorResponse(answer)) => match answer.response().status().as_u16() {
                404 => Ok(None),
                status => {
                    let words = format!("it answers with status {status}");
                    Err(BoundaryError::new(operation, kind(status), words))
                }
            },
            Err(error) if is_no_text(&error) => Ok(Some(char::REPLACEMENT_CHARACTER.into())),
            Err(error) => {
                // The chain of causes may quote what was answered; the first of them does not.
                let words = error.to_string();
                Err(BoundaryError::new(operation, ErrorKind::Unavailable, words))
            }
        }
    }
}

/// Whether what was answered is packed, as user data may be: the client has no other word for it.
fn is_no_text(error: &ImdsError) -> bool {
    let cause = error.source().map(ToString::to_string);
    cause.is_some_and(|words| words.contains("invalid UTF-8"))
}

fn kind(status: u16) -> ErrorKind {
    match status {
        429 => ErrorKind::Throttled,
        500..=599 => ErrorKind::Transient,
        401 | 403 => ErrorKind::Denied,
        _ => ErrorKind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_of_an_interface_alone() {
        assert_eq!(
            path_of_vpc("0a:1b:2c:3d:4e:5f\n").as_deref(),
            Some("/latest/meta-data/network/interfaces/macs/0a:1b:2c:3d:4e:5f/vpc-id")
        );
        for bad in ["", "../../iam", "0a/x", "<html>"] {
            assert_eq!(path_of_vpc(bad), None, "{bad}");
        }
    }
}
