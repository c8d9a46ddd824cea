//! What ECS and EC2 say of this host and its tasks for containers to read.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::ids::TaskArn;

/// Where it is asked.
#[async_trait]
pub trait EcsFactsSource: Send + Sync {
    /// The zone that the host is in; `None` = it is in none, or that is not known yet. Does not wait.
    fn availability_zone(&self) -> Option<Arc<str>>;

    /// ARN of the container instance that the host is; `None` = it is none yet. Does not wait.
    fn container_instance(&self) -> Option<Arc<str>>;

    /// Where EC2 has put the host; `None` = that is not known yet. Does not wait.
    fn place(&self) -> Option<Arc<InstancePlace>>;

    /// Returns when more of that has become known. Cancel-safe; one may wait at a time.
    async fn changed(&self);

    /// Tags of the container instance and of the task. Comes back within some seconds.
    async fn tags(&self, task: &TaskArn) -> ResourceTags;

    /// Tags of the container instance alone. Comes back within some seconds.
    async fn instance_tags(&self) -> Tags;
}

/// Where an instance of EC2 is. What it does not say, and all of a host that is none, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstancePlace {
    /// Id of the VPC of its first interface.
    pub vpc: Option<String>,
    /// Id of its zone, which is the same in all accounts.
    pub zone_id: Option<String>,
    /// Its address in the VPC.
    pub private_ipv4: Option<String>,
    /// Its address on the Internet.
    pub public_ipv4: Option<String>,
    /// Its address where it has none of version 4.
    pub ipv6: Option<String>,
}

/// Tags of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceTags {
    /// Of the container instance.
    pub instance: Tags,
    /// Of the task.
    pub task: Tags,
}

/// Tags of one, or why there are none.
pub type Tags = Result<Arc<BTreeMap<String, String>>, TagsError>;

/// A call for tags that failed; members are those that containers are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagsError {
    /// Whose tags.
    pub resource_arn: String,
    /// Code of the answer, if there was one.
    pub code: Option<String>,
    /// In words.
    pub message: String,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// Id of the request.
    pub request_id: Option<String>,
}
