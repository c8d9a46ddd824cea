//! The account of Active Directory that a container of Windows acts as: its credential spec as Docker takes it.

use super::container::SpecInputs;
use crate::domain::credential_spec::{SpecError, parse};
use crate::domain::definition::ContainerDefinition;
use crate::domain::host::OsType;
use crate::domain::reason::{Reason, ReasonName};

/// The definition with its credential spec among the security options, which is where Docker looks; elsewhere than on
/// Windows as it is. Whether the spec's file is there is a matter of `domain::fit`.
///
/// # Errors
/// An entry that is none.
pub(super) fn with_account(
    inputs: &SpecInputs<'_>,
    mut definition: ContainerDefinition,
) -> Result<ContainerDefinition, Reason> {
    if inputs.host.os_type != OsType::Windows {
        return Ok(definition);
    }
    let (given, mut options): (Vec<String>, Vec<String>) = definition
        .docker_security_options
        .into_iter()
        .partition(|option| parse(option) != Err(SpecError::Prefix));
    let entry = definition.credential_specs.first().or(given.first());
    if let Some(entry) = entry {
        let spec = parse(entry).map_err(|error| {
            let words = format!("credential spec {entry}: {error}");
            Reason::new(ReasonName::UnsupportedError, words)
        })?;
        let task = inputs.task.arn().task_id();
        options.push(spec.security_option(task, &definition.name));
    }
    definition.docker_security_options = options;
    definition.credential_specs.clear();
    Ok(definition)
}
