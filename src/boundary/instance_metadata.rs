//! What an EC2 instance can tell of itself.

use async_trait::async_trait;

use super::error::BoundaryError;

/// One thing that it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceFact {
    /// The identity document, JSON; its text is signed and must not be changed.
    IdentityDocument,
    /// The signature of that text.
    IdentitySignature,
    /// The instance's id.
    InstanceId,
    /// The Outpost that it runs on.
    OutpostArn,
    /// What EC2 is about to do with it, JSON.
    SpotAction,
    /// EC2 expects to interrupt it sooner than others, JSON.
    RebalanceRecommendation,
    /// Where an Auto Scaling group wants it to be.
    TargetLifecycleState,
    /// Id of the VPC of its first interface.
    VpcId,
    /// Id of its availability zone.
    ZoneId,
    /// Its address in the VPC.
    PrivateIpv4,
    /// Its address on the Internet.
    PublicIpv4,
    /// Its address of version 6.
    Ipv6,
    /// What whoever launched it has told it; may hold secrets, and may be no text.
    UserData,
}

/// The instance metadata service.
#[async_trait]
pub trait InstanceMetadata: Send + Sync {
    /// The text as it stands; U+FFFD for what is none; `None` = the instance has no such thing. Comes back within a few seconds, and tries once:
    /// who asks decides what a failure is worth.
    async fn read(&self, fact: InstanceFact) -> Result<Option<String>, BoundaryError>;
}
