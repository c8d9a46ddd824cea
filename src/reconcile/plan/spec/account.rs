//! The account of Active Directory that a container of Windows acts as: its credential spec as Docker takes it.

use super::container::SpecInputs;
use crate::domain::credential_spec::{SpecError, parse};
use crate::domain::definition::ContainerDefinition;
use crate::domain::host::OsType;
use crate::domain::reason::{Reason, ReasonName};

/// The definition with its credential spec among the security options, which is where Docker looks; elsewhere than on
/// Windows as it is.
///
/// # Errors
/// An entry that is none, or that has to be fetched or rewritten first.
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
        options.push(option_of(entry)?);
    }
    definition.docker_security_options = options;
    definition.credential_specs.clear();
    Ok(definition)
}

fn option_of(entry: &str) -> Result<String, Reason> {
    let refused = |words: String| Reason::new(ReasonName::UnsupportedError, words);
    let spec =
        parse(entry).map_err(|error| refused(format!("credential spec {entry}: {error}")))?;
    spec.security_option().ok_or_else(|| {
        refused(format!(
            "credential spec {entry}: only files that need no rewriting are supported yet"
        ))
    })
}
