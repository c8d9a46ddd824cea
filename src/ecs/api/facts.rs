//! Tags of this instance and its tasks, and where it is, for containers that ask.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::RequestId as _;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::from_sdk;
use crate::boundary::ecs_facts::{EcsFactsSource, InstancePlace, ResourceTags, Tags, TagsError};
use crate::domain::ids::TaskArn;

/// Longest call: below the time in which the answer to a container must be written.
const LIMIT: Duration = Duration::from_secs(2);

/// How long tags are kept: containers that ask in a loop shall not use the account's calls up.
const KEPT: Duration = Duration::from_secs(5);

/// Most resources whose tags are kept.
const MOST_KEPT: usize = 1024;

/// Asks ECS, once it is known where that is. Clones share that.
#[derive(Clone, Debug, Default)]
pub struct FactsApi(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    client: OnceLock<Client>,
    instance: OnceLock<Arc<str>>,
    zone: OnceLock<Arc<str>>,
    place: OnceLock<Arc<InstancePlace>>,
    /// For the one that waits for more.
    changed: Notify,
    kept: Mutex<HashMap<String, (Instant, Tags)>>,
}

impl FactsApi {
    /// From now on it asks there.
    pub(super) fn begin(&self, client: Client) {
        // A second time says the same.
        let _known = self.0.client.set(client);
    }

    /// This host is that instance, in that zone.
    pub(in crate::ecs) fn registered(&self, instance: &str, zone: Option<&str>) {
        // A second registration is the same instance in the same zone.
        let _known = self.0.instance.set(instance.into());
        if let Some(zone) = zone.filter(|zone| !zone.is_empty()) {
            let _known = self.0.zone.set(zone.into());
        }
        self.0.changed.notify_one();
    }

    /// This host is there.
    pub(in crate::ecs) fn placed(&self, place: InstancePlace) {
        // A second time says the same.
        let _known = self.0.place.set(Arc::new(place));
        self.0.changed.notify_one();
    }

    async fn of(&self, arn: Option<&str>) -> Tags {
        let (Some(client), Some(arn)) = (self.0.client.get(), arn) else {
            return Err(TagsError {
                message: "the agent is not registered with ECS yet".to_owned(),
                resource_arn: arn.unwrap_or_default().to_owned(),
                ..TagsError::default()
            });
        };
        if let Some(tags) = self.kept(arn) {
            return tags;
        }
        let tags = ask(client, arn).await;
        self.keep(arn, &tags);
        tags
    }

    fn kept(&self, arn: &str) -> Option<Tags> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, tags) = kept.get(arn)?;
        (at.elapsed() < KEPT).then(|| tags.clone())
    }

    fn keep(&self, arn: &str, tags: &Tags) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, (at, _)| at.elapsed() < KEPT);
        }
        if kept.len() < MOST_KEPT {
            kept.insert(arn.to_owned(), (Instant::now(), tags.clone()));
        }
    }
}

#[async_trait]
impl EcsFactsSource for FactsApi {
    fn availability_zone(&self) -> Option<Arc<str>> {
        self.0.zone.get().cloned()
    }

    fn container_instance(&self) -> Option<Arc<str>> {
        self.0.instance.get().cloned()
    }

    fn place(&self) -> Option<Arc<InstancePlace>> {
        self.0.place.get().cloned()
    }

    async fn changed(&self) {
        self.0.changed.notified().await;
    }

    async fn tags(&self, task: &TaskArn) -> ResourceTags {
        let of_task = self.of(Some(task.as_str()));
        let (instance, task) = tokio::join!(self.instance_tags(), of_task);
        ResourceTags { instance, task }
    }

    async fn instance_tags(&self) -> Tags {
        self.of(self.0.instance.get().map(|arn| &**arn)).await
    }
}

async fn ask(client: &Client, arn: &str) -> Tags {
    let call = client.list_tags_for_resource().resource_arn(arn).send();
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(answer)) => {
            let tags = answer.tags.unwrap_or_default().into_iter();
            let pairs = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
            Ok(Arc::new(pairs.collect::<BTreeMap<_, _>>()))
        }
        Ok(Err(error)) => Err(refused(arn, &error)),
        Err(_) => Err(TagsError {
            resource_arn: arn.to_owned(),
            message: format!("no answer within {} s", LIMIT.as_secs()),
            ..TagsError::default()
        }),
    }
}

fn refused<E>(arn: &str, error: &SdkError<E, HttpResponse>) -> TagsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let answer = error.raw_response();
    let said = error.as_service_error();
    TagsError {
        resource_arn: arn.to_owned(),
        code: said.and_then(ProvideErrorMetadata::code).map(str::to_owned),
        message: said.and_then(ProvideErrorMetadata::message).map_or_else(
            || from_sdk("ListTagsForResource", error).message,
            str::to_owned,
        ),
        status: answer.map(|answer| answer.status().as_u16()),
        request_id: error.request_id().map(str::to_owned),
    }
}
