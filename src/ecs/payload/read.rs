//! One task of a payload: who it is, what is wanted of it, what shall run, and its credentials.

use std::sync::Arc;

use serde_json::Value;

use super::task::definition_tree;
use super::tree::{Members, take, take_text};
use crate::definition::from_canonical;
use crate::domain::credentials::RoleKind;
use crate::domain::definition::TaskDefinition;
use crate::domain::ids::{ContainerName, TaskArn};
use crate::domain::status::DesiredStatus;
use crate::domain::task::EcsFacts;
use crate::ecs::acs::wire::RoleCredentials;
use crate::ecs::acs::{Delivery, Given};

/// A task that ACS sent.
#[derive(Clone, Debug, PartialEq)]
pub struct PayloadTask {
    /// The key.
    pub arn: TaskArn,
    /// Run or stop.
    pub status: DesiredStatus,
    /// What shall run.
    pub definition: Arc<TaskDefinition>,
    /// What is said of it beside that.
    pub ecs: EcsFacts,
    /// Credentials of its roles.
    pub deliveries: Vec<Delivery>,
    /// What of it this version does not pass on, by its place.
    pub ignored: Vec<String>,
}

/// A task that cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which task, if that much could be read.
    pub task: Option<TaskArn>,
    /// It is to stop, whatever the rest says.
    pub stops: bool,
    /// What kind of trouble.
    pub trouble: Trouble,
    /// Why, without a value that may be a secret.
    pub why: String,
}

/// What kind of trouble a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is no task: the payload is not acknowledged.
    NoTask,
    /// It is one, and can never run here: it is reported, and the payload acknowledged.
    CannotRun,
}

/// What a part of the conversion found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) trouble: Trouble,
    pub(super) why: String,
}

impl Fault {
    pub(super) fn no_task(why: impl Into<String>) -> Self {
        Self {
            trouble: Trouble::NoTask,
            why: why.into(),
        }
    }

    pub(super) fn cannot_run(why: impl Into<String>) -> Self {
        Self {
            trouble: Trouble::CannotRun,
            why: why.into(),
        }
    }
}

/// Reads a task.
///
/// # Errors
/// [`Unreadable`] says which task and why.
pub fn read_task(wire: Value) -> Result<PayloadTask, Unreadable> {
    let nobody = |why: String| Unreadable {
        task: None,
        stops: false,
        trouble: Trouble::NoTask,
        why,
    };
    let Value::Object(mut task) = wire else {
        return Err(nobody("has a task that is no object".to_owned()));
    };
    let arn =
        take_text(&mut task, "arn").ok_or_else(|| nobody("has a task without arn".to_owned()))?;
    let arn =
        TaskArn::parse(&arn).map_err(|error| nobody(format!("has a task whose arn {error}")))?;
    let status = desired_status(task.get("desiredStatus").cloned());
    read_members(&arn, task).map_err(|fault| Unreadable {
        task: Some(arn.clone()),
        stops: status == Ok(DesiredStatus::Stopped),
        trouble: fault.trouble,
        why: fault.why,
    })
}

fn read_members(arn: &TaskArn, mut task: Members) -> Result<PayloadTask, Fault> {
    let status = desired_status(take(&mut task, "desiredStatus"))?;
    let mut deliveries = Vec::new();
    let mut role = |name: &str, kind: RoleKind| -> Result<Option<String>, Fault> {
        let Some(wire) = take(&mut task, name) else {
            return Ok(None);
        };
        let given = read_role(name, wire)?;
        let role_arn = given.role_arn.clone();
        deliveries.push(Delivery {
            task: arn.clone(),
            kind,
            given,
        });
        Ok(role_arn)
    };
    let task_role = role("roleCredentials", RoleKind::Task)?;
    let execution_role = role("executionRoleCredentials", RoleKind::Execution)?;
    let ecs = ecs_facts(&mut task);
    let mut ignored = Vec::new();
    let mut tree = definition_tree(task, &mut ignored)?;
    for (name, role) in [
        ("taskRoleArn", task_role),
        ("executionRoleArn", execution_role),
    ] {
        if let Some(role) = role {
            tree.insert(name.to_owned(), role.into());
        }
    }
    let text = Value::Object(tree).to_string();
    let definition =
        from_canonical(&text).map_err(|rejected| Fault::no_task(rejected.to_string()))?;
    Ok(PayloadTask {
        arn: arn.clone(),
        status,
        definition: Arc::new(definition),
        ecs,
        deliveries,
        ignored,
    })
}

fn ecs_facts(task: &mut Members) -> EcsFacts {
    let containers = task.get_mut("containers").and_then(Value::as_array_mut);
    let arn = |container: &mut Value| {
        let arn = take_text(container.as_object_mut()?, "containerArn")?;
        // The rows separate them by blanks.
        let good = !arn.contains(char::is_whitespace);
        let name = container.get("name")?.as_str()?;
        Some((ContainerName::parse(name).ok()?, arn)).filter(|_| good)
    };
    EcsFacts {
        container_arns: containers.into_iter().flatten().filter_map(arn).collect(),
        launch_type: take_text(task, "launchType"),
        service_name: take_text(task, "serviceName"),
    }
}

fn read_role(name: &str, wire: Value) -> Result<Given, Fault> {
    // The words of the decoder could repeat a secret.
    let wire: RoleCredentials = serde_json::from_value(wire)
        .map_err(|_| Fault::no_task(format!("{name}: has a member of the wrong type")))?;
    Given::read(wire).map_err(|why| Fault::no_task(format!("{name}: {why}")))
}

/// Statuses before `STOPPED` all ask for the task to run (reference agent: none counts as not asked for yet).
fn desired_status(value: Option<Value>) -> Result<DesiredStatus, Fault> {
    match value {
        None => Ok(DesiredStatus::Running),
        Some(Value::String(text)) => match text.as_str() {
            "RUNNING" | "CREATED" | "MANIFEST_PULLED" | "NONE" | "UNKNOWN" => {
                Ok(DesiredStatus::Running)
            }
            "STOPPED" | "DEAD" => Ok(DesiredStatus::Stopped),
            _ => Err(Fault::no_task("desiredStatus: unrecognized task status")),
        },
        Some(_) => Err(Fault::no_task("desiredStatus: must be a text")),
    }
}
