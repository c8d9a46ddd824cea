//! Rules for what this version cannot do: refused by name where the task would miss it, ignored where it would not.

use super::finding::{Case, Findings};
use crate::domain::host::OsType;
use crate::domain::volume::VolumeSource;

const NOT_YET: &str = "not supported yet by this version";

pub(super) fn task_parameters(case: &Case<'_>, findings: &mut Findings) {
    let definition = case.definition;
    if definition.proxy_container.is_some() {
        findings.refused("proxyConfiguration", NOT_YET);
    }
    if !definition.inference_accelerators.is_empty() {
        findings.refused("inferenceAccelerators", NOT_YET);
    }
    if definition.ephemeral_storage_gib.is_some() {
        findings.ignored(
            "ephemeralStorage",
            "containers share the disk of this host and have no quota on it",
        );
    }
    if definition.enable_fault_injection {
        findings.ignored("enableFaultInjection", NOT_YET);
    }
}

pub(super) fn container_parameters(case: &Case<'_>, findings: &mut Findings) {
    let on_linux = case.host.os_type == OsType::Linux;
    for (path, container) in case.containers() {
        let used = [
            ("environmentFiles", !container.environment_files.is_empty()),
            ("firelensConfiguration", container.firelens.is_some()),
            // On Windows each is judged by itself.
            (
                "credentialSpecs",
                on_linux && !container.credential_specs.is_empty(),
            ),
        ];
        for (field, _) in used.iter().filter(|(_, used)| *used) {
            findings.refused(format!("{path}.{field}"), NOT_YET);
        }
        for (index, requirement) in container.resource_requirements.iter().enumerate() {
            let why = match requirement.kind.as_str() {
                "GPU" => "only tasks of ECS can have GPUs, since ECS chooses which",
                _ => NOT_YET,
            };
            findings.refused(
                format!("{path}.resourceRequirements[{index}]"),
                format!("{}: {why}", requirement.kind),
            );
        }
    }
}

pub(super) fn volumes(case: &Case<'_>, findings: &mut Findings) {
    for (index, volume) in case.definition.volumes.iter().enumerate() {
        let path = format!("volumes[{index}]");
        match &volume.source {
            VolumeSource::Aws(parameter) => {
                findings.refused(format!("{path}.{parameter}"), NOT_YET);
            }
            VolumeSource::Docker(docker) => {
                // `local` is part of Docker itself.
                let missing = docker.driver.as_ref().filter(|driver| {
                    *driver != "local" && !case.host.volume_drivers.contains(*driver)
                });
                if let Some(driver) = missing {
                    findings.refused(
                        format!("{path}.dockerVolumeConfiguration.driver"),
                        format!("Docker on this host has no volume driver {driver:?}"),
                    );
                }
            }
            VolumeSource::HostPath(_) | VolumeSource::Empty => {}
        }
    }
}

pub(super) fn roles(case: &Case<'_>, findings: &mut Findings) {
    if case.definition.task_role_arn.is_some() && !case.policy.credentials {
        findings.ignored("taskRoleArn", "credentials of roles are not served here");
    }
    if case.definition.execution_role_arn.is_some() && !case.policy.execution_roles {
        findings.ignored(
            "executionRoleArn",
            "credentials of roles are not had here; images of ECR are pulled with the host's own",
        );
    }
}
