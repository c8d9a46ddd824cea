//! One action against the boundary. Decides nothing: an `if` on a domain fact here belongs in the planner.
//!
//! Deadlines are the adapters'. Lanes limit how many calls of a kind run at once, so that stops never queue behind
//! starts and neither behind pulls; pulls are limited by the image source. A call that hangs leaves its lane.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::boundary::error::{BoundaryError, ErrorKind};
use crate::boundary::{ContainerRuntime, Host, ImageSource, TaskSecrets, VolumeRuntime};
use crate::domain::ids::{DockerId, TaskId};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::Protocol;
use crate::domain::registry::RegistryAccess;
use crate::domain::runtime::VolumeSpec;
use crate::domain::spec::ContainerSpec;
use crate::error::ErrorChain;

use super::action::{Action, Existing, Failure, Outcome, Verb};
use super::plan::spec;
use super::settings::EngineSettings;

/// Removals at once: each costs the engine's disk, none is urgent.
const PARALLEL_REMOVALS: usize = 8;

/// How long a call may hold its place in a lane: ten times what Docker takes for a start on a busy disk. One that takes
/// longer goes on beside the lane.
const LONGEST_HOLD: Duration = Duration::from_secs(3);

/// Looks at once: cheap, and each may hang on its container.
const PARALLEL_LOOKS: usize = 32;

/// What actions are done with.
#[derive(Clone)]
pub struct Executor {
    runtime: Arc<dyn ContainerRuntime>,
    volumes: Arc<dyn VolumeRuntime>,
    images: Arc<dyn ImageSource>,
    secrets: Arc<dyn TaskSecrets>,
    host: Arc<dyn Host>,
    starts: Arc<Semaphore>,
    stops: Arc<Semaphore>,
    removals: Arc<Semaphore>,
    looks: Arc<Semaphore>,
}

impl Executor {
    /// An executor with empty lanes.
    pub fn new(
        runtime: Arc<dyn ContainerRuntime>,
        volumes: Arc<dyn VolumeRuntime>,
        (images, secrets): (Arc<dyn ImageSource>, Arc<dyn TaskSecrets>),
        host: Arc<dyn Host>,
        settings: &EngineSettings,
    ) -> Self {
        Self {
            runtime,
            volumes,
            images,
            secrets,
            host,
            starts: Arc::new(Semaphore::new(settings.parallel_starts)),
            stops: Arc::new(Semaphore::new(settings.parallel_stops)),
            removals: Arc::new(Semaphore::new(PARALLEL_REMOVALS)),
            looks: Arc::new(Semaphore::new(PARALLEL_LOOKS)),
        }
    }

    /// Does the action and says what came of it. Safe to drop at any await.
    pub async fn execute(&self, task: &TaskId, action: &Action) -> Outcome {
        let lane = match &action.verb {
            Verb::Pull { .. } | Verb::FetchSecrets { .. } | Verb::Kill { .. } => None,
            Verb::Create { .. }
            | Verb::Start { .. }
            | Verb::CreateCgroup { .. }
            | Verb::CreateVolume { .. } => Some(&self.starts),
            Verb::Stop { .. } => Some(&self.stops),
            Verb::Inspect { .. } | Verb::ExpectVolume { .. } => Some(&self.looks),
            Verb::Remove { .. } | Verb::RemoveCgroup | Verb::RemoveVolume { .. } => {
                Some(&self.removals)
            }
        };
        let place = match lane {
            Some(lane) => Arc::clone(lane).acquire_owned().await.ok(),
            None => None,
        };
        hold(place, self.act(task, action)).await
    }

    async fn act(&self, task: &TaskId, action: &Action) -> Outcome {
        match &action.verb {
            Verb::Pull {
                image,
                access,
                essential,
            } => self.pull(image, access, *essential).await,
            Verb::Create { spec, replaces } => {
                if let Some(earlier) = replaces
                    && let Err(error) = self.runtime.remove(earlier).await
                {
                    return failed(&error);
                }
                self.create(task, spec).await
            }
            Verb::FetchSecrets { wish } => done(self.secrets.fetch(wish).await, Outcome::Ready),
            Verb::Start { id, ports } => self.start(id, ports).await,
            Verb::Stop { id, grace } => {
                let stopped = self.runtime.stop(id, *grace).await;
                self.seen_after(stopped, id).await
            }
            Verb::Kill { id } => {
                let killed = self.runtime.kill(id).await;
                self.seen_after(killed, id).await
            }
            Verb::Inspect { id_or_name } => self.look(id_or_name).await,
            Verb::Remove { ids_or_names } => self.remove(ids_or_names).await,
            Verb::CreateCgroup { limits } => {
                done(self.host.create_cgroup(task, *limits).await, Outcome::Ready)
            }
            Verb::RemoveCgroup => done(self.host.remove_cgroup(task).await, Outcome::Gone),
            Verb::CreateVolume { spec, existing } => self.create_volume(spec, *existing).await,
            Verb::ExpectVolume { name } => self.expect_volume(name).await,
            Verb::RemoveVolume { name } => {
                done(self.volumes.remove_volume(name).await, Outcome::Gone)
            }
        }
    }

    async fn pull(&self, image: &ImageRef, access: &RegistryAccess, essential: bool) -> Outcome {
        match self.images.ensure(image, access, essential).await {
            Ok(ready) => Outcome::ImageReady(Box::new(ready)),
            Err(error) => Outcome::Failed(Failure {
                kind: error.kind,
                name: Some(error.reason.name),
                message: error.reason.message,
                permanent: error.permanent,
                port_holder: None,
            }),
        }
    }

    /// The values are put in here, at the last moment, and nowhere else.
    async fn create(&self, task: &TaskId, spec: &ContainerSpec) -> Outcome {
        let filled = match spec.definition.secrets_used().next() {
            None => None,
            Some(_) => match spec::with_secrets(spec, &self.secrets.held(task)) {
                Ok(filled) => Some(filled),
                Err(words) => {
                    // Whoever asked for the step will ask for them first.
                    let error = BoundaryError::new("create", ErrorKind::Transient, words);
                    return failed(&error);
                }
            },
        };
        let created = self.runtime.create(filled.as_ref().unwrap_or(spec)).await;
        created.map_or_else(|error| failed(&error), Outcome::Created)
    }

    async fn start(&self, id: &DockerId, ports: &[(u16, Protocol)]) -> Outcome {
        match self.runtime.start(id).await {
            Ok(()) => self.look(id.as_str()).await,
            Err(error) => {
                let mut failure = failure_of(&error);
                for &(port, protocol) in ports {
                    if error.kind != ErrorKind::PortTaken || failure.port_holder.is_some() {
                        break;
                    }
                    failure.port_holder = self
                        .host
                        .port_holder(port, protocol)
                        .await
                        .map(|holder| (port, holder));
                }
                Outcome::Failed(failure)
            }
        }
    }

    async fn seen_after(&self, result: Result<(), BoundaryError>, id: &DockerId) -> Outcome {
        match result {
            Ok(()) => self.look(id.as_str()).await,
            Err(error) => failed(&error),
        }
    }

    async fn look(&self, id_or_name: &str) -> Outcome {
        match self.runtime.inspect(id_or_name).await {
            Ok(observed) => Outcome::Seen(observed.map(Box::new)),
            Err(error) => failed(&error),
        }
    }

    async fn remove(&self, ids_or_names: &[String]) -> Outcome {
        for id_or_name in ids_or_names {
            if let Err(error) = self.runtime.remove(id_or_name).await {
                return failed(&error);
            }
        }
        Outcome::Gone
    }

    async fn create_volume(&self, spec: &VolumeSpec, existing: Existing) -> Outcome {
        if let Some(outcome) = self.find_volume(spec, existing).await {
            return outcome;
        }
        match self.volumes.create_volume(spec).await {
            // Somebody has made it since, with another driver: another task of this agent, perhaps.
            Err(error) if error.kind == ErrorKind::Conflict => {
                let found = self.find_volume(spec, existing).await;
                found.unwrap_or_else(|| failed(&error))
            }
            created => done(created, Outcome::Ready),
        }
    }

    /// What comes of a volume that exists; `None` = it does not, or is the task's own and made whatever there is.
    async fn find_volume(&self, spec: &VolumeSpec, existing: Existing) -> Option<Outcome> {
        if existing == Existing::Own {
            return None;
        }
        match self.volumes.inspect_volume(&spec.name).await {
            Ok(found) if existing == Existing::Matched => Some(matched(&found?, spec)),
            Ok(found) => found.map(|_| Outcome::Ready),
            Err(error) => Some(failed(&error)),
        }
    }

    async fn expect_volume(&self, name: &str) -> Outcome {
        match self.volumes.inspect_volume(name).await {
            Ok(Some(_)) => Outcome::Ready,
            Ok(None) => Outcome::Failed(Failure {
                kind: ErrorKind::NotFound,
                name: None,
                message: format!(
                    "initialize volume: volume detection failed, volume '{name}' does not exist and autoprovision is \
                     set to false"
                ),
                permanent: true,
                port_holder: None,
            }),
            Err(error) => failed(&error),
        }
    }
}

/// Does the work in its place in a lane. Work that hangs gives its place up, so that it holds up only itself.
async fn hold(place: Option<OwnedSemaphorePermit>, work: impl Future<Output = Outcome>) -> Outcome {
    let mut work = pin!(work);
    match tokio::time::timeout(LONGEST_HOLD, &mut work).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => {
            drop(place);
            work.await
        }
    }
}

fn matched(found: &VolumeSpec, spec: &VolumeSpec) -> Outcome {
    if found.labels != spec.labels {
        return mismatch("labels", &found.labels, &spec.labels);
    }
    if found.driver_opts != spec.driver_opts {
        return mismatch("options", &found.driver_opts, &spec.driver_opts);
    }
    Outcome::Ready
}

fn mismatch(
    what: &str,
    existing: &std::collections::BTreeMap<String, String>,
    expected: &std::collections::BTreeMap<String, String>,
) -> Outcome {
    Outcome::Failed(Failure {
        kind: ErrorKind::Conflict,
        name: None,
        message: format!(
            "initialize volume: non-autoprovisioned volume does not match existing volume {what}: existing: \
             {existing:?}, expected: {expected:?}"
        ),
        permanent: true,
        port_holder: None,
    })
}

fn done(result: Result<(), BoundaryError>, outcome: Outcome) -> Outcome {
    match result {
        Ok(()) => outcome,
        Err(error) => failed(&error),
    }
}

fn failed(error: &BoundaryError) -> Outcome {
    Outcome::Failed(failure_of(error))
}

/// The other side's words; where there is a further cause, with it.
fn failure_of(error: &BoundaryError) -> Failure {
    let message = match &error.source {
        Some(source) => format!("{}: {}", error.message, ErrorChain(source.as_ref())),
        None => error.message.clone(),
    };
    Failure {
        kind: error.kind,
        name: None,
        message,
        permanent: false,
        port_holder: None,
    }
}
