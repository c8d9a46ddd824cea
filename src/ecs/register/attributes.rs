//! Attributes of the container instance: the scheduler places tasks by them.
//!
//! **Invariant.** A capability is named only if this version has it and this host can do it.

use super::request::{Identity, gpus};
use crate::domain::host::{CgroupSupport, ECS_LOG_DRIVERS, HostFacts, LOG_DRIVER_OF_LINUX, OsType};
use crate::ecs::config::EcsConfig;

/// Names of before there was a scheme.
const OLD: &str = "com.amazonaws.ecs.capability.";

/// Names since.
const NEW: &str = "ecs.capability.";

/// What the engine can do on every host.
const ALWAYS: [&str; 6] = [
    "ecr-endpoint",
    "container-ordering",
    "full-sync",
    "network.container-port-range",
    "container-restart-policy",
    "docker-plugin.local",
];

/// What it can do where credentials of execution roles are had.
const WITH_EXECUTION_ROLES: [&str; 5] = [
    "private-registry-authentication.secretsmanager",
    "secrets.ssm.environment-variables",
    "secrets.ssm.bootstrap.log-driver",
    "secrets.asm.environment-variables",
    "secrets.asm.bootstrap.log-driver",
];

/// What it can do on Linux.
const ON_LINUX: [&str; 1] = ["pid-ipc-namespace-sharing"];

/// Versions of Docker's API that task definitions may ask for. An engine that this agent works with serves all that
/// came after 1.24, and those before count as served (reference agent).
const API_VERSIONS: [u8; 13] = [17, 18, 19, 20, 21, 22, 23, 24, 25, 28, 29, 30, 32];

/// The newest of them that task definitions for Windows ask for (`windows.md` 9).
const NEWEST_OF_WINDOWS: u8 = 30;

/// An attribute; `None` = a name alone.
pub(super) type Attribute = (String, Option<String>);

/// All attributes, in the order of the reference agent; those of the operator for a new instance only.
pub(super) fn attributes(
    config: &EcsConfig,
    host: &HostFacts,
    identity: &Identity,
) -> Vec<Attribute> {
    let is_new = identity.instance.is_none();
    let custom = config.attributes.iter().filter(|_| is_new);
    let custom = custom.map(|(name, value)| (name.clone(), Some(value.clone())));
    let mut all: Vec<Attribute> = custom.collect();
    all.extend(
        capabilities(config, host)
            .into_iter()
            .map(|name| (name, None)),
    );
    if let Some(version) = gpus(host).and_then(|gpus| gpus.driver_version.as_ref()) {
        all.push((format!("{NEW}nvidia-driver-version.{version}"), None));
        all.push((format!("{NEW}gpu-driver-version"), Some(version.clone())));
    }
    if config.external {
        all.push((format!("{NEW}external"), None));
    }
    let family = host.attributes.get("ecs.os-family").cloned();
    let family = family.unwrap_or_else(|| match host.os_type {
        OsType::Linux => "LINUX".to_owned(),
        OsType::Windows => "windows".to_owned(),
    });
    all.push((
        "ecs.os-type".to_owned(),
        Some(host.os_type.as_str().to_owned()),
    ));
    all.push(("ecs.os-family".to_owned(), Some(family.clone())));
    let detailed = host.attributes.get("ecs.os-type-detailed").cloned();
    let detailed = detailed.unwrap_or(family);
    all.push(("ecs.os-type-detailed".to_owned(), Some(detailed)));
    if config.external {
        all.push(("ecs.cpu-architecture".to_owned(), Some(architecture(host))));
    }
    if let Some(outpost) = &identity.ec2.outpost {
        all.push(("ecs.outpost-arn".to_owned(), Some(outpost.clone())));
    }
    all
}

fn capabilities(config: &EcsConfig, host: &HostFacts) -> Vec<String> {
    let features = config.features;
    let mut names: Vec<String> = Vec::new();
    let mut add = |prefix: &str, name: &str| names.push(format!("{prefix}{name}"));
    if features.privileged {
        add(OLD, "privileged-container");
    }
    let on_windows = host.os_type == OsType::Windows;
    for version in API_VERSIONS {
        if on_windows && version > NEWEST_OF_WINDOWS {
            continue;
        }
        add(OLD, &format!("docker-remote-api.1.{version}"));
    }
    for driver in log_drivers(config, host) {
        add(OLD, &format!("logging-driver.{driver}"));
    }
    if host.selinux && !on_windows {
        add(OLD, "selinux");
    }
    if host.apparmor && !on_windows {
        add(OLD, "apparmor");
    }
    if features.task_roles {
        add(OLD, "task-iam-role");
        add(OLD, "task-iam-role-network-host");
    }
    if features.execution_roles {
        add(NEW, "execution-role-ecr-pull");
        for name in WITH_EXECUTION_ROLES {
            add(NEW, name);
        }
    }
    if features.log_roles && !on_windows && host.log_drivers.contains("awslogs") {
        add(NEW, "execution-role-awslogs");
    }
    if features.task_limits && !on_windows && host.cgroups != CgroupSupport::None {
        add(NEW, "task-cpu-mem-limit");
        add(NEW, "increased-task-cpu-limit");
    }
    add(OLD, "ecr-auth");
    if features.health_checks {
        add(NEW, "container-health-check");
    }
    for name in ALWAYS {
        add(NEW, name);
    }
    if on_windows {
        // No other volume driver has a name there.
        return names;
    }
    for name in ON_LINUX {
        add(NEW, name);
    }
    for driver in host
        .volume_drivers
        .iter()
        .filter(|driver| *driver != "local")
    {
        let plugin = driver.strip_suffix(":latest").unwrap_or(driver);
        add(NEW, &format!("docker-plugin.{}", plugin.replace(':', ".")));
        if plugin != driver {
            add(NEW, &format!("docker-plugin.{plugin}.latest"));
        }
    }
    names
}

/// Log drivers that Docker has and the operator has not left out.
fn log_drivers(config: &EcsConfig, host: &HostFacts) -> impl Iterator<Item = &'static str> {
    let on_windows = host.os_type == OsType::Windows;
    ECS_LOG_DRIVERS.into_iter().filter(move |driver| {
        let wanted = config.log_drivers.is_empty() || config.log_drivers.contains(*driver);
        // Docker does not list the driver that does nothing.
        let is_there = *driver == "none" || host.log_drivers.contains(*driver);
        wanted && is_there && !(on_windows && *driver == LOG_DRIVER_OF_LINUX)
    })
}

/// As the reference agent spells it, which is not as task definitions do.
fn architecture(host: &HostFacts) -> String {
    match host.cpu_architecture.as_str() {
        "X86_64" => "x86_64".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}
