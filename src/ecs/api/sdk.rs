//! Calls through the SDK.
//!
//! The public model of the API lacks `clientToken` of a registration and `zoneId` of a discovery: both are put into
//! the request before it is signed. The SDK does not try again by itself: who asked decides about that.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::http::{HttpRequest, HttpResponse};
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::config::{
    BehaviorVersion, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_ecs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::types::{
    Attribute, ContainerInstanceStatus, PlatformDevice, PlatformDeviceType, Resource, Tag,
};
use serde_json::{Map, Value};

use super::error::from_sdk;
use super::facts::FactsApi;
use super::protection::ProtectionApi;
use super::user_agent::UserAgent;
use super::{ApiError, ControlPlane, Endpoints, Registered, Registration, Resources};
use super::{http, submit};
use crate::ecs::config::EcsConfig;
use crate::ecs::report::TaskChange;

/// Credentials of this host, as the SDK takes them.
pub type HostCredentials = SharedCredentialsProvider;

/// Longest wait for a connection, as for those of sessions: a network that is back is noticed by the next try. The
/// kernel tries it again less and less often: in 30 s, as the reference agent gives it, not for the last 15.
const CONNECT_LIMIT: Duration = Duration::from_secs(8);

/// The control plane.
pub struct Sdk {
    client: Client,
    limit: Duration,
}

impl Sdk {
    /// Nothing is asked before the first call.
    pub fn new(config: &EcsConfig, region: &str, credentials: HostCredentials, os: &str) -> Self {
        let limits = TimeoutConfig::builder()
            .connect_timeout(CONNECT_LIMIT)
            .operation_timeout(config.call_limit);
        let mut client = aws_sdk_ecs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(credentials)
            .http_client(http::client(config, region))
            .timeout_config(limits.build())
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(UserAgent::new(&config.version, os));
        let kinds = config.network.endpoints;
        let fips = kinds.fips.count_in(region);
        client = match &config.endpoint {
            Some(endpoint) => client.endpoint_url(endpoint),
            // Of an endpoint that is named nothing else can be asked.
            None => client.use_fips(fips).use_dual_stack(kinds.dual_stack),
        };
        Self {
            client: Client::from_conf(client.build()),
            limit: config.call_limit,
        }
    }

    /// Calls for tags go where these calls go.
    pub fn serve_facts(&self, facts: &FactsApi) {
        facts.begin(self.client.clone());
    }

    /// Calls about the protection of tasks go where these calls go.
    pub fn serve_protection(&self, protection: &ProtectionApi, cluster: &str) {
        protection.begin(self.client.clone(), cluster);
    }

    /// The SDK's own limit does not bound everything that it does before a call.
    async fn within<T, E>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, ApiError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match tokio::time::timeout(self.limit, call).await {
            Ok(answer) => answer.map_err(|error| from_sdk(operation, &error)),
            Err(_) => Err(ApiError::late(operation, self.limit)),
        }
    }
}

#[async_trait]
impl ControlPlane for Sdk {
    async fn register(&self, registration: &Registration) -> Result<Registered, ApiError> {
        const OPERATION: &str = "RegisterContainerInstance";
        let tags: Vec<Tag> = registration
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect();
        let attributes = registration.attributes.iter().map(attribute);
        let attributes: Result<Vec<Attribute>, BuildError> = attributes.collect();
        let attributes = attributes.map_err(|_| ApiError::without(OPERATION, "attribute name"))?;
        let (document, signature) = registration.identity.clone();
        let devices = registration.gpus.as_deref().map(devices).transpose();
        let devices = devices.map_err(|_| ApiError::without(OPERATION, "device id"))?;
        let token = registration.client_token.clone();
        let call = self
            .client
            .register_container_instance()
            .cluster(&registration.cluster)
            .set_container_instance_arn(registration.instance.clone())
            .instance_identity_document(document)
            .instance_identity_document_signature(signature)
            .set_total_resources(Some(resources(&registration.resources)))
            .set_platform_devices(devices)
            .set_attributes(Some(attributes))
            .set_tags((!tags.is_empty()).then_some(tags))
            .customize()
            .mutate_request(move |request| add_member(request, "clientToken", &token));
        let answer = self.within(OPERATION, call.send()).await?;
        let instance = answer.container_instance;
        let instance = instance.filter(|instance| {
            instance
                .container_instance_arn()
                .is_some_and(|arn| !arn.is_empty())
        });
        let instance =
            instance.ok_or_else(|| ApiError::without(OPERATION, "containerInstanceArn"))?;
        let attributes: BTreeMap<String, Option<String>> = instance
            .attributes()
            .iter()
            .map(|attribute| (attribute.name.clone(), attribute.value.clone()))
            .collect();
        Ok(Registered {
            instance: instance.container_instance_arn.unwrap_or_default(),
            attributes,
        })
    }

    async fn create_cluster(&self, name: &str) -> Result<String, ApiError> {
        const OPERATION: &str = "CreateCluster";
        let call = self.client.create_cluster().cluster_name(name);
        let answer = self.within(OPERATION, call.send()).await?;
        let name = answer.cluster.and_then(|cluster| cluster.cluster_name);
        name.ok_or_else(|| ApiError::without(OPERATION, "clusterName"))
    }

    async fn discover(&self, instance: &str, cluster: &str) -> Result<Endpoints, ApiError> {
        let call = self
            .client
            .discover_poll_endpoint()
            .container_instance(instance)
            .cluster(cluster)
            .customize()
            .mutate_request(|request| add_member(request, "zoneId", ""));
        let answer = self.within("DiscoverPollEndpoint", call.send()).await?;
        Ok(Endpoints {
            acs: answer.endpoint.filter(|endpoint| !endpoint.is_empty()),
            telemetry: answer
                .telemetry_endpoint
                .filter(|endpoint| !endpoint.is_empty()),
        })
    }

    async fn drain(&self, cluster: &str, instance: &str) -> Result<(), ApiError> {
        let call = self
            .client
            .update_container_instances_state()
            .cluster(cluster)
            .container_instances(instance)
            .status(ContainerInstanceStatus::Draining);
        let answer = self
            .within("UpdateContainerInstancesState", call.send())
            .await;
        answer.map(|_| ())
    }

    async fn submit(&self, cluster: &str, change: &TaskChange) -> Result<(), ApiError> {
        let containers: Vec<_> = change.containers.iter().map(submit::container).collect();
        let call = self
            .client
            .submit_task_state_change()
            .cluster(cluster)
            .task(change.task.as_str())
            .status(change.status)
            .reason(&change.reason)
            .set_containers((!containers.is_empty()).then_some(containers))
            .set_pull_started_at(change.pull_started_at.map(submit::instant))
            .set_pull_stopped_at(change.pull_stopped_at.map(submit::instant))
            .set_execution_stopped_at(change.execution_stopped_at.map(submit::instant));
        let answer = self.within("SubmitTaskStateChange", call.send()).await;
        answer.map(|_| ())
    }
}

fn attribute((name, value): &(String, Option<String>)) -> Result<Attribute, BuildError> {
    Attribute::builder()
        .name(name)
        .set_value(value.clone())
        .build()
}

fn devices(gpus: &[String]) -> Result<Vec<PlatformDevice>, BuildError> {
    let device = |id: &String| {
        PlatformDevice::builder()
            .id(id)
            .r#type(PlatformDeviceType::Gpu)
            .build()
    };
    gpus.iter().map(device).collect()
}

fn resources(resources: &Resources) -> Vec<Resource> {
    let number = |name: &str, value: u32| {
        Resource::builder()
            .name(name)
            .r#type("INTEGER")
            .integer_value(i32::try_from(value).unwrap_or(i32::MAX))
            .build()
    };
    let ports = |name: &str, ports: &[u16]| {
        let ports = ports.iter().map(ToString::to_string).collect();
        Resource::builder()
            .name(name)
            .r#type("STRINGSET")
            .set_string_set_value(Some(ports))
            .build()
    };
    vec![
        number("CPU", resources.cpu_units),
        number("MEMORY", resources.memory_mib),
        ports("PORTS", &resources.ports),
        ports("PORTS_UDP", &resources.ports_udp),
    ]
}

/// Adds a member to the body, which the SDK has made and holds in memory.
fn add_member(request: &mut HttpRequest, name: &str, value: &str) {
    let body = request.body().bytes().unwrap_or_default();
    let mut members: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    members.insert(name.to_owned(), value.into());
    let body = Value::Object(members).to_string();
    request
        .headers_mut()
        .insert("content-length", body.len().to_string());
    *request.body_mut() = body.into();
}
