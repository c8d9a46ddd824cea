//! Rules that decide whether a definition is meant for a host like this one.

use super::finding::{Case, Findings};
use crate::domain::host::OsType;
use crate::domain::placement::Expression;

/// Compatibilities that plain Docker satisfies.
const SATISFIED: [&str; 3] = ["EC2", "EXTERNAL", "MANAGED_INSTANCES"];

/// How names of Windows releases begin; a host that does not know its own is just `windows`.
const WINDOWS_SERVER: &str = "WINDOWS_SERVER_";

pub(super) fn compatibilities(case: &Case<'_>, findings: &mut Findings) {
    const PATH: &str = "requiresCompatibilities";
    let required = &case.definition.requires_compatibilities;
    if required.is_empty() || required.iter().any(|one| SATISFIED.contains(&one.as_str())) {
        return;
    }
    let listed = required.join(", ");
    if case.options.ignore_compatibilities || case.options.network_as.is_some() {
        findings.changed(
            PATH,
            format!("made for {listed} only, run on this host's Docker because the options say so"),
        );
    } else {
        findings.refused(
            PATH,
            format!(
                "made for {listed} only, and this host is none of them; run it with \
                 --ignore-compatibilities or --network-as"
            ),
        );
    }
}

pub(super) fn runtime_platform(case: &Case<'_>, findings: &mut Findings) {
    let platform = &case.definition.runtime_platform;
    let host = case.host;
    if let Some(family) = &platform.operating_system_family {
        let wanted = if family.starts_with("WINDOWS") {
            OsType::Windows
        } else {
            OsType::Linux
        };
        if wanted != host.os_type {
            findings.refused(
                "runtimePlatform.operatingSystemFamily",
                format!(
                    "made for {family}, this host runs {} containers",
                    host.os_type.as_str()
                ),
            );
        }
    }
    if let (Some(wanted), Some(has)) = (
        &platform.operating_system_family,
        host.attributes.get("ecs.os-family"),
    ) && [wanted, has]
        .iter()
        .all(|family| family.starts_with(WINDOWS_SERVER))
        && wanted != has
    {
        findings.refused(
            "runtimePlatform.operatingSystemFamily",
            format!("made for {wanted}, this host is {has}"),
        );
    }
    if let Some(architecture) = &platform.cpu_architecture
        && *architecture != host.cpu_architecture
    {
        findings.refused(
            "runtimePlatform.cpuArchitecture",
            format!(
                "made for {architecture}, this host is {}",
                host.cpu_architecture
            ),
        );
    }
}

pub(super) fn placement_constraints(case: &Case<'_>, findings: &mut Findings) {
    for (index, text) in case.definition.placement_constraints.iter().enumerate() {
        let path = format!("placementConstraints[{index}].expression");
        match Expression::parse(text) {
            Err(error) => findings.refused(path, format!("{text:?} cannot be judged: {error}")),
            Ok(expression) if !expression.holds(&case.host.attributes) => {
                let values: Vec<String> = expression
                    .attributes()
                    .into_iter()
                    .map(|name| match case.host.attributes.get(name) {
                        Some(value) => format!("{name} is {value:?}"),
                        None => format!("{name} is not set"),
                    })
                    .collect();
                findings.refused(
                    path,
                    format!("{text:?} is not true of this host: {}", values.join(", ")),
                );
            }
            Ok(_) => {}
        }
    }
}

/// ECS derives these from the other fields to pick a host; those fields have rules of their own.
pub(super) fn required_attributes(case: &Case<'_>, findings: &mut Findings) {
    let missing: Vec<&str> = case
        .definition
        .requires_attributes
        .iter()
        .map(String::as_str)
        .filter(|name| !case.host.attributes.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        findings.ignored(
            "requiresAttributes",
            format!(
                "only ECS' scheduler asks for these, this host does not state them: {}",
                missing.join(", ")
            ),
        );
    }
}
