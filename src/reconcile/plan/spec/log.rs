//! Log driver and options, and the driver that stands in when the chosen one refuses to start.

use super::container::SpecInputs;
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::ContainerDefinition;
use crate::domain::spec::{ContainerSpec, LogChoice};
use crate::domain::task::DesiredTask;
use crate::reconcile::settings::EngineSettings;

const MODE: &str = "mode";

const NON_BLOCKING: &str = "non-blocking";

const MAX_BUFFER_SIZE: &str = "max-buffer-size";

/// Buffer of a non-blocking driver (reference agent: 10m unless given).
const BUFFER_SIZE: &str = "10m";

const AWSLOGS: &str = "awslogs";

/// An option of ECS, which Docker does not know.
const STREAM_PREFIX: &str = "awslogs-stream-prefix";

const STREAM: &str = "awslogs-stream";

/// Where the driver asks for credentials, below the address that containers have for that.
const CREDENTIALS: &str = "awslogs-credentials-endpoint";

/// Drivers that write locally and cannot be down; they keep Docker's default mode.
const LOCAL_DRIVERS: [&str; 3] = ["none", "json-file", "local"];

/// The container's log settings; `None` leaves the choice to Docker.
///
/// Drivers that send logs away are non-blocking unless the definition says otherwise (the ECS default since 2025),
/// so a slow backend loses lines instead of stopping the process.
///
/// `CloudWatch` is written to with the task's execution role, where it has one that Docker can ask for.
///
/// Of a prefix of streams the control plane makes the stream before an agent is told of it; without one it is made here,
/// with the same parts.
pub(super) fn choose(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Option<LogChoice> {
    let task = inputs.task.arn().task_id();
    let log = container.log_configuration.as_ref()?;
    let mut options = log.options.clone();
    if log.driver == AWSLOGS
        && let Some(prefix) = options.remove(STREAM_PREFIX)
    {
        let stream = || format!("{prefix}/{}/{task}", container.name);
        options.entry(STREAM.to_owned()).or_insert_with(stream);
    }
    if let Some(role) = log_role(inputs.settings, &inputs.task.desired, container) {
        let path = || format!("/v2/credentials/{}", role.expose());
        options.entry(CREDENTIALS.to_owned()).or_insert_with(path);
    }
    if !LOCAL_DRIVERS.contains(&log.driver.as_str()) {
        options
            .entry(MODE.to_owned())
            .or_insert_with(|| NON_BLOCKING.to_owned());
    }
    if options.get(MODE).is_some_and(|mode| mode == NON_BLOCKING) {
        options
            .entry(MAX_BUFFER_SIZE.to_owned())
            .or_insert_with(|| BUFFER_SIZE.to_owned());
    }
    Some(LogChoice {
        driver: log.driver.clone(),
        options,
    })
}

/// The execution role that the container's log driver asks for; `None` = it does not.
pub fn log_role<'t>(
    settings: &EngineSettings,
    desired: &'t DesiredTask,
    container: &ContainerDefinition,
) -> Option<&'t CredentialsId> {
    let log = container.log_configuration.as_ref()?;
    let asks = settings.endpoints.log_roles && log.driver == AWSLOGS;
    let role = desired.ids.execution_role.as_ref().filter(|_| asks)?;
    let named = desired.definition.execution_role_arn.is_some();
    (named && !log.options.contains_key(CREDENTIALS)).then_some(role)
}

/// The same container with logs in capped local files: what `LogFailurePolicy::Degrade` starts instead.
#[must_use]
pub fn degraded_log(spec: ContainerSpec) -> ContainerSpec {
    ContainerSpec {
        log: Some(LogChoice {
            driver: "json-file".to_owned(),
            options: [("max-size", "10m"), ("max-file", "2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }),
        ..spec
    }
}
