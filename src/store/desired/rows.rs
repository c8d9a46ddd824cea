//! What was asked of a task, as its row in `tasks`, and the two conversions.
//!
//! **Invariants.** A row made from a value turns back into an equal value. The row's text form, which the checksum
//! covers, leaves out absent fields, so that a later column that is NULL changes no checksum.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::domain::credentials::CredentialsId;
use crate::domain::definition::NetworkMode;
use crate::domain::ids::{ContainerName, Generation, TaskArn, UnixMillis};
use crate::domain::status::DesiredStatus;
use crate::domain::task::{DesiredTask, EcsFacts, Origin, TaskOptions};
use crate::domain::task_ids::{EndpointId, TaskIds};
use crate::store::codec;
use crate::store::error::RowError;
use crate::store::fields::{capped, number, reason, word};

/// Form of [`DesiredRow::definition`]; one that is higher was written by a later agent.
const DEFINITION_VERSION: i64 = 1;

/// A row of `tasks` without its id and checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::store) struct DesiredRow {
    pub arn: String,
    pub generation: i64,
    pub definition_version: i64,
    pub definition: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_as: Option<String>,
    pub ignore_compatibilities: bool,
    pub origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin_file: Option<String>,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason_message: Option<String>,
    pub remove: bool,
    pub arrived_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_role_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_ids: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_arns: Option<String>,
}

impl From<&DesiredTask> for DesiredRow {
    fn from(task: &DesiredTask) -> Self {
        let (origin, origin_file) = origin_words(&task.origin);
        Self {
            arn: task.arn.to_string(),
            generation: capped(task.generation.0),
            definition_version: DEFINITION_VERSION,
            definition: codec::encode(&task.definition),
            network_as: task
                .options
                .network_as
                .map(|mode| network_word(mode).to_owned()),
            ignore_compatibilities: task.options.ignore_compatibilities,
            origin: origin.to_owned(),
            origin_file,
            status: task.status.to_string(),
            stop_reason_name: task.stop_reason.as_ref().map(|r| r.name.to_string()),
            stop_reason_message: task.stop_reason.as_ref().map(|r| r.message.clone()),
            remove: task.remove,
            arrived_at: task.arrived_at.0,
            task_role_id: credentials_text(task.ids.task_role.as_ref()),
            execution_role_id: credentials_text(task.ids.execution_role.as_ref()),
            endpoint_ids: endpoints_text(&task.ids.endpoints),
            launch_type: task.ecs.launch_type.clone(),
            service_name: task.ecs.service_name.clone(),
            container_arns: arns_text(&task.ecs.container_arns),
        }
    }
}

impl TryFrom<DesiredRow> for DesiredTask {
    type Error = RowError;

    fn try_from(row: DesiredRow) -> Result<Self, RowError> {
        if row.definition_version > DEFINITION_VERSION {
            return Err(RowError::OutOfRange {
                column: "definition_version",
                value: row.definition_version,
            });
        }
        Ok(Self {
            arn: TaskArn::parse(&row.arn).map_err(|source| RowError::Id {
                column: "arn",
                source,
            })?,
            generation: Generation(number("generation", row.generation)?),
            definition: Arc::new(codec::decode(&row.definition)?),
            options: TaskOptions {
                network_as: row
                    .network_as
                    .map(|text| word("network_as", &text, network_mode))
                    .transpose()?,
                ignore_compatibilities: row.ignore_compatibilities,
            },
            ids: TaskIds {
                task_role: credentials("task_role_id", row.task_role_id)?,
                execution_role: credentials("execution_role_id", row.execution_role_id)?,
                endpoints: endpoints(row.endpoint_ids)?,
            },
            origin: origin(&row.origin, row.origin_file)?,
            ecs: EcsFacts {
                launch_type: row.launch_type,
                service_name: row.service_name,
                container_arns: arns(row.container_arns)?,
            },
            status: word("status", &row.status, DesiredStatus::from_text)?,
            stop_reason: reason(row.stop_reason_name, row.stop_reason_message)?,
            remove: row.remove,
            arrived_at: UnixMillis(row.arrived_at),
        })
    }
}

fn credentials_text(id: Option<&CredentialsId>) -> Option<String> {
    id.map(|id| id.expose().to_owned())
}

fn credentials(
    column: &'static str,
    text: Option<String>,
) -> Result<Option<CredentialsId>, RowError> {
    text.map(|text| CredentialsId::parse(&text))
        .transpose()
        .map_err(|source| RowError::Id { column, source })
}

fn endpoints_text(endpoints: &BTreeMap<ContainerName, EndpointId>) -> Option<String> {
    let pairs: Vec<String> = endpoints
        .iter()
        .map(|(container, id)| format!("{container}={}", id.expose()))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join(" "))
}

fn endpoints(text: Option<String>) -> Result<BTreeMap<ContainerName, EndpointId>, RowError> {
    let text = text.unwrap_or_default();
    // What it is worth must not get into an error that people read.
    let unreadable = || RowError::Incomplete {
        what: "an endpoint id",
    };
    text.split_ascii_whitespace()
        .map(|pair| {
            let (container, id) = pair.split_once('=').ok_or_else(unreadable)?;
            let container = ContainerName::parse(container).map_err(|_| unreadable())?;
            Ok((container, EndpointId::parse(id).map_err(|_| unreadable())?))
        })
        .collect()
}

fn arns_text(arns: &BTreeMap<ContainerName, String>) -> Option<String> {
    let pairs: Vec<String> = arns
        .iter()
        .map(|(container, arn)| format!("{container}={arn}"))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join(" "))
}

fn arns(text: Option<String>) -> Result<BTreeMap<ContainerName, String>, RowError> {
    let unreadable = || RowError::Incomplete {
        what: "the ARN of a container",
    };
    text.unwrap_or_default()
        .split_ascii_whitespace()
        .map(|pair| {
            let (container, arn) = pair.split_once('=').ok_or_else(unreadable)?;
            let container = ContainerName::parse(container).map_err(|_| unreadable())?;
            Ok((container, arn.to_owned()))
        })
        .collect()
}

fn origin_words(origin: &Origin) -> (&'static str, Option<String>) {
    match origin {
        Origin::Api => ("API", None),
        Origin::Run => ("RUN", None),
        Origin::File(name) => ("FILE", Some(name.clone())),
        Origin::Ecs => ("ECS", None),
        Origin::Adopted => ("ADOPTED", None),
    }
}

fn origin(text: &str, file: Option<String>) -> Result<Origin, RowError> {
    match (text, file) {
        ("API", None) => Ok(Origin::Api),
        ("RUN", None) => Ok(Origin::Run),
        ("FILE", Some(name)) => Ok(Origin::File(name)),
        ("ECS", None) => Ok(Origin::Ecs),
        ("ADOPTED", None) => Ok(Origin::Adopted),
        _ => Err(RowError::unknown("origin", text)),
    }
}

fn network_word(mode: NetworkMode) -> &'static str {
    match mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Host => "host",
        NetworkMode::None => "none",
        NetworkMode::Awsvpc => "awsvpc",
    }
}

fn network_mode(text: &str) -> Option<NetworkMode> {
    [
        NetworkMode::Bridge,
        NetworkMode::Host,
        NetworkMode::None,
        NetworkMode::Awsvpc,
    ]
    .into_iter()
    .find(|&mode| network_word(mode) == text)
}
