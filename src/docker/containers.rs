//! `ContainerRuntime` on Docker. Each method makes its postcondition true or says why not.

use std::time::Duration;

use async_trait::async_trait;
use bollard::query_parameters::{
    KillContainerOptions, RemoveContainerOptions, StartContainerOptions, StopContainerOptions,
};
use futures_util::stream::BoxStream;
use serde_json::json;

use super::client::{Call, Docker};
use super::convert::container::{holder, is_of_spec, listed, observed};
use super::convert::create::{create_body, without_image_variables};
use super::convert::info;
use super::error::is_about_image;
use super::raw::Request;
use super::wire;
use crate::boundary::{BoundaryError, ContainerRuntime, ErrorKind, EventStream};
use crate::domain::ids::DockerId;
use crate::domain::names::LABEL_INSTANCE;
use crate::domain::runtime::{
    ListedContainer, ObservedContainer, OutputChunk, OutputRange, RuntimeInfo,
};
use crate::domain::spec::ContainerSpec;

/// First wait between looks at a removal that somebody else has begun; doubles up to the next one.
const REMOVAL_POLL_MIN: Duration = Duration::from_millis(50);

/// Longest wait between such looks.
const REMOVAL_POLL_MAX: Duration = Duration::from_secs(2);

#[async_trait]
impl ContainerRuntime for Docker {
    async fn info(&self) -> Result<RuntimeInfo, BoundaryError> {
        let connection = self.negotiate().await?;
        let call = Call::engine("ask Docker for its capabilities", self.deadlines().info);
        let said = self.ask(&call, Request::get("/info")).await?;
        let version = connection.version.to_string();
        Ok(info::info(said, &connection.engine_version, version))
    }

    async fn list(&self) -> Result<Vec<ListedContainer>, BoundaryError> {
        let call = Call::engine("list containers", self.deadlines().list);
        let request = Request::get("/containers/json")
            .query("all", "true")
            .query("filters", self.own_label().to_string());
        let said: Vec<wire::Summary> = self.ask(&call, request).await?;
        Ok(said.into_iter().filter_map(listed).collect())
    }

    async fn inspect(&self, id_or_name: &str) -> Result<Option<ObservedContainer>, BoundaryError> {
        let call = self.inspect_call(id_or_name);
        let Some(said) = self.inspect_raw(&call, id_or_name).await? else {
            return Ok(None);
        };
        match observed(said) {
            Some(container) => Ok(Some(container)),
            None => Err(call.unreadable("it has no id or no known state")),
        }
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<DockerId, BoundaryError> {
        let operation = format!("create container {}", spec.docker_name);
        let call = Call::engine(operation, self.deadlines().create);
        let yielding = self.yielding(spec).await?;
        let request = Request::post("/containers/create")
            .query("name", spec.docker_name.as_str())
            .json(&create_body(yielding.as_ref().unwrap_or(spec)));
        match self.ask::<wire::Created>(&call, request).await {
            Ok(created) => DockerId::parse(&created.id).map_err(|cause| call.unreadable(cause)),
            Err(refusal) if refusal.kind == ErrorKind::Conflict => self.adopt(spec, refusal).await,
            // Of the things that a create names, only the image is looked for again by the caller.
            Err(error) if error.kind == ErrorKind::NotFound && !is_about_image(&error.message) => {
                let kind = ErrorKind::Transient;
                Err(BoundaryError { kind, ..error })
            }
            Err(error) => Err(error),
        }
    }

    async fn start(&self, id: &DockerId) -> Result<(), BoundaryError> {
        let call = Call::engine(format!("start container {id}"), self.deadlines().start);
        let id = id.as_str();
        // Docker answers 304 for one that runs, which bollard takes as success.
        self.run(&call, async |docker| {
            docker
                .start_container(id, None::<StartContainerOptions>)
                .await
        })
        .await
    }

    async fn stop(&self, id: &DockerId, grace: Duration) -> Result<(), BoundaryError> {
        let limit = grace.saturating_add(self.deadlines().stop_margin);
        let call = Call::engine(format!("stop container {id}"), limit);
        let options = StopContainerOptions {
            signal: None,
            t: Some(whole_secs(grace)),
        };
        let id = id.as_str();
        let done = self
            .run(&call, async |docker| {
                docker.stop_container(id, Some(options)).await
            })
            .await;
        or_gone(done)
    }

    async fn kill(&self, id: &DockerId) -> Result<(), BoundaryError> {
        let call = Call::engine(format!("kill container {id}"), self.deadlines().stop_margin);
        let options = KillContainerOptions {
            signal: "SIGKILL".to_owned(),
        };
        let id = id.as_str();
        let done = self
            .run(&call, async |docker| {
                docker.kill_container(id, Some(options)).await
            })
            .await;
        match or_gone(done) {
            // A kill conflicts only with a container that does not run.
            Err(error) if error.kind == ErrorKind::Conflict => Ok(()),
            done => done,
        }
    }

    async fn remove(&self, id_or_name: &str) -> Result<(), BoundaryError> {
        let operation = format!("remove container {id_or_name}");
        let call = Call::engine(operation, self.deadlines().remove);
        self.within(&call, async {
            let Some(id) = self.own_id(id_or_name).await? else {
                return Ok(());
            };
            let id = id.as_str();
            let options = RemoveContainerOptions {
                force: true,
                v: true,
                link: false,
            };
            let done = self
                .run(&call, async |docker| {
                    docker.remove_container(id, Some(options)).await
                })
                .await;
            match or_gone(done) {
                // A forced removal conflicts only with one that is under way.
                Err(error) if error.kind == ErrorKind::Conflict => self.until_gone(id).await,
                done => done,
            }
        })
        .await
    }

    async fn events(&self) -> Result<EventStream, BoundaryError> {
        self.event_stream().await
    }

    async fn logs(
        &self,
        id: &DockerId,
        range: OutputRange,
    ) -> Result<BoxStream<'static, Result<OutputChunk, BoundaryError>>, BoundaryError> {
        self.output(id, range).await
    }
}

impl Docker {
    /// Filter for containers of this agent's data directory.
    pub(super) fn own_label(&self) -> serde_json::Value {
        let label = format!("{LABEL_INSTANCE}={}", self.config().instance);
        json!({ "label": [label] })
    }

    /// The spec without what its image sets; `None` = as it is.
    async fn yielding(&self, spec: &ContainerSpec) -> Result<Option<ContainerSpec>, BoundaryError> {
        if spec.left_to_image.is_empty() {
            return Ok(None);
        }
        let image = &spec.definition.image;
        let operation = format!("see what variables image {image} sets");
        let call = Call::engine(operation, self.deadlines().inspect);
        let request = Request::get(&format!("/images/{image}/json"));
        // That there is no image is for the creation to say.
        let said: Option<wire::Image> = or_none(self.ask(&call, request).await)?;
        Ok(said.and_then(|said| without_image_variables(spec, &said.config.env)))
    }

    pub(super) fn inspect_call(&self, id_or_name: &str) -> Call {
        let operation = format!("inspect container {id_or_name}");
        Call::engine(operation, self.deadlines().inspect)
    }

    /// Docker's own answer; `None` if there is no such container.
    pub(super) async fn inspect_raw(
        &self,
        call: &Call,
        id_or_name: &str,
    ) -> Result<Option<wire::Inspect>, BoundaryError> {
        let request = Request::get(&format!("/containers/{id_or_name}/json"));
        or_none(self.ask(call, request).await)
    }

    /// The name is taken: by this very container, made in an earlier attempt at this call, or by a stranger.
    async fn adopt(
        &self,
        spec: &ContainerSpec,
        refusal: BoundaryError,
    ) -> Result<DockerId, BoundaryError> {
        match self.inspect(&spec.docker_name).await? {
            Some(found) if is_of_spec(spec, &found) => Ok(found.id),
            Some(found) => {
                let words = format!("the name is held by {}", holder(&found));
                let operation = refusal.operation.clone();
                let error = BoundaryError::new(operation, ErrorKind::Conflict, words);
                Err(error.because(refusal))
            }
            // Docker reserves the name before it shows the container, and keeps it a little after it is gone.
            None => {
                let words = "the name is held by a container that is just coming or going";
                let operation = refusal.operation.clone();
                let error = BoundaryError::new(operation, ErrorKind::Transient, words);
                Err(error.because(refusal))
            }
        }
    }

    /// Id of the container to remove. A name may have gone to a container of somebody else, who would lose it.
    async fn own_id(&self, id_or_name: &str) -> Result<Option<DockerId>, BoundaryError> {
        // A name of ours has a dash in it.
        if let Ok(id) = DockerId::parse(id_or_name) {
            return Ok(Some(id));
        }
        let own = self.config().instance.as_str();
        let found = self.inspect(id_or_name).await?;
        let found =
            found.filter(|found| found.labels.get(LABEL_INSTANCE).map(String::as_str) == Some(own));
        Ok(found.map(|found| found.id))
    }

    /// Looks until the container is gone. Its end is the caller's deadline.
    async fn until_gone(&self, id_or_name: &str) -> Result<(), BoundaryError> {
        let call = self.inspect_call(id_or_name);
        let mut wait = REMOVAL_POLL_MIN;
        while self.inspect_raw(&call, id_or_name).await?.is_some() {
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(REMOVAL_POLL_MAX);
        }
        Ok(())
    }
}

/// What is gone needs no more stopping or removing.
pub(super) fn or_gone(done: Result<(), BoundaryError>) -> Result<(), BoundaryError> {
    or_none(done).map(Option::unwrap_or_default)
}

/// Absence is an observation, not an error.
pub(super) fn or_none<T>(done: Result<T, BoundaryError>) -> Result<Option<T>, BoundaryError> {
    match done {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Docker takes whole seconds; a part of one is given as a whole one, so that nothing dies early.
fn whole_secs(grace: Duration) -> i32 {
    let part = u64::from(grace.subsec_nanos() > 0);
    i32::try_from(grace.as_secs().saturating_add(part)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn grace_is_rounded_up_to_whole_seconds() {
        for (millis, secs) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (u64::MAX, i32::MAX)] {
            assert_eq!(whole_secs(Duration::from_millis(millis)), secs, "{millis}");
        }
    }
}
