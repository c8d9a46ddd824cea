//! The control plane's side of a payload: how a registered task definition becomes a task of ACS.
//!
//! Written from what the service sends: container parameters of Docker travel as JSON texts in `dockerConfig`. It is
//! the counterpart of `crate::ecs::payload`, made without looking at it, so that the two can disagree.

use serde_json::{Map, Value, json};

use crate::domain::definition::{
    ContainerDefinition, IpcMode, LinuxParameters, NetworkMode, PidMode, TaskDefinition,
};
use crate::domain::port_mapping::{ContainerPorts, PortMapping};
use crate::domain::volume::{Volume, VolumeScope, VolumeSource};

const MIB: u64 = 1024 * 1024;

/// A task of a payload; roles and attachments left out.
pub fn task(definition: &TaskDefinition, arn: &str, desired_status: &str) -> Value {
    let mut task = json!({
        "arn": arn,
        "desiredStatus": desired_status,
        "family": definition.family.as_str(),
        "version": definition.revision.to_string(),
        "overrides": "{}",
        "launchType": "EC2",
        "taskDefinitionAccountId": "123456789012",
        "networkMode": network(definition.network_mode),
        "enableFaultInjection": definition.enable_fault_injection,
        "containers": definition.containers.iter().map(|it| container(definition, it)).collect::<Vec<_>>(),
        "volumes": definition.volumes.iter().map(volume).collect::<Vec<_>>(),
        "associations": definition.containers.iter().flat_map(associations).collect::<Vec<_>>(),
    });
    let cpus = definition.cpu_units.map(|units| f64::from(units) / 1024.0);
    set(&mut task, "cpu", cpus);
    set(&mut task, "memory", definition.memory_mib);
    set(
        &mut task,
        "pidMode",
        match definition.pid_mode {
            PidMode::Private => None,
            PidMode::Task => Some("task"),
            PidMode::Host => Some("host"),
        },
    );
    set(
        &mut task,
        "ipcMode",
        match definition.ipc_mode {
            IpcMode::Default => None,
            IpcMode::Task => Some("task"),
            IpcMode::Host => Some("host"),
            IpcMode::None => Some("none"),
        },
    );
    if let Some(name) = &definition.proxy_container {
        set(
            &mut task,
            "proxyConfiguration",
            Some(json!({"type": "APPMESH", "containerName": name, "properties": {}})),
        );
    }
    task
}

fn set(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Value::Object(members), Some(value)) = (object, value) {
        members.insert(name.to_owned(), value.into());
    }
}

fn network(mode: NetworkMode) -> &'static str {
    match mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Host => "host",
        NetworkMode::None => "none",
        NetworkMode::Awsvpc => "awsvpc",
    }
}

/// What the scheduler has chosen for a container that needs devices: one entry each.
fn associations(c: &ContainerDefinition) -> Vec<Value> {
    let mut chosen: Vec<(String, &str)> = Vec::new();
    for need in &c.resource_requirements {
        let (kind, count) = match need.kind.as_str() {
            "GPU" => ("gpu", need.value.parse().unwrap_or(0)),
            _ => ("elastic-inference", 1),
        };
        chosen.extend((0..count).map(|index| (format!("{kind}-{}-{index}", c.name), kind)));
    }
    chosen.extend(c.gpu_ids.iter().map(|id| (id.clone(), "gpu")));
    let entry = |(name, kind): (String, &str)| {
        json!({
            "name": name,
            "type": kind,
            "containers": [c.name.as_str()],
            "content": {"encoding": "base64", "value": ""},
        })
    };
    chosen.into_iter().map(entry).collect()
}

fn container(task: &TaskDefinition, c: &ContainerDefinition) -> Value {
    let environment: Map<String, Value> = c
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let mut out = json!({
        "name": c.name.as_str(),
        "image": c.image.as_str(),
        "essential": c.essential,
        "cpu": c.cpu_units,
        "memory": c.memory_mib.unwrap_or(0),
        "environment": environment,
        "overrides": "{}",
        "links": c.links.iter().map(|link| format!("{}:{}", link.container, link.alias)).collect::<Vec<_>>(),
        "mountPoints": c.mount_points.iter().map(|mount| json!({
            "sourceVolume": mount.source_volume.as_str(),
            "containerPath": mount.container_path,
            "readOnly": mount.read_only,
        })).collect::<Vec<_>>(),
        "volumesFrom": c.volumes_from.iter().map(|from| json!({
            "sourceContainer": from.source_container.as_str(),
            "readOnly": from.read_only,
        })).collect::<Vec<_>>(),
        "portMappings": c.port_mappings.iter().map(port_mapping).collect::<Vec<_>>(),
        "dependsOn": c.depends_on.iter().map(|edge| json!({
            "containerName": edge.container.as_str(),
            "condition": edge.condition.as_str(),
        })).collect::<Vec<_>>(),
        "secrets": secrets(c),
        "environmentFiles": c.environment_files.iter().map(|arn| json!({"value": arn, "type": "s3"})).collect::<Vec<_>>(),
        "credentialSpecs": c.credential_specs,
        "dockerConfig": {
            "version": "1.17",
            "config": config(c).to_string(),
            "hostConfig": host_config(task, c).to_string(),
        },
    });
    put_options(c, &mut out);
    out
}

fn put_options(c: &ContainerDefinition, out: &mut Value) {
    set(out, "command", c.command.clone());
    set(out, "entryPoint", c.entry_point.clone());
    set(
        out,
        "startTimeout",
        c.start_timeout.map(|time| time.as_secs()),
    );
    set(
        out,
        "stopTimeout",
        c.stop_timeout.map(|time| time.as_secs()),
    );
    set(
        out,
        "healthCheckType",
        c.health_check.as_ref().map(|_| "docker"),
    );
    set(
        out,
        "restartPolicy",
        c.restart_policy.as_ref().map(|policy| {
            json!({
                "enabled": true,
                "ignoredExitCodes": policy.ignored_exit_codes,
                "restartAttemptPeriod": policy.restart_attempt_period.as_secs(),
            })
        }),
    );
    set(
        out,
        "firelensConfiguration",
        c.firelens
            .as_ref()
            .map(|kind| json!({"type": kind, "options": {}})),
    );
    set(
        out,
        "registryAuthentication",
        c.repository_credentials.as_ref().map(|parameter| {
            json!({
                "type": "asm",
                "asmAuthData": {"credentialsParameter": parameter, "region": "us-west-2"},
            })
        }),
    );
    set(
        out,
        "registryAuthentication",
        c.registry_authentication.as_ref().map(|ecr| {
            json!({
                "type": "ecr",
                "ecrAuthData": {
                    "region": ecr.region, "registryId": ecr.registry_id, "endpointOverride": ecr.endpoint,
                    "useExecutionRole": ecr.use_execution_role,
                },
            })
        }),
    );
}

fn port_mapping(mapping: &PortMapping) -> Value {
    let mut out =
        json!({"hostPort": mapping.host_port.unwrap_or(0), "protocol": mapping.protocol.as_str()});
    match mapping.container {
        ContainerPorts::Single(port) => set(&mut out, "containerPort", Some(port)),
        ContainerPorts::Range { first, last } => {
            set(
                &mut out,
                "containerPortRange",
                Some(format!("{first}-{last}")),
            );
        }
    }
    out
}

fn secrets(c: &ContainerDefinition) -> Vec<Value> {
    let secret = |name: &str, value_from: &str, target: &str| {
        json!({
            "name": name, "valueFrom": value_from, "target": target, "provider": "ssm",
            "type": "ENVIRONMENT_VARIABLE", "region": "us-west-2",
        })
    };
    let own = c
        .secrets
        .iter()
        .map(|it| secret(&it.name, &it.value_from, "CONTAINER"));
    let log = c
        .log_configuration
        .iter()
        .flat_map(|log| &log.secret_options);
    own.chain(log.map(|it| secret(&it.name, &it.value_from, "LOG_DRIVER")))
        .collect()
}

fn config(c: &ContainerDefinition) -> Value {
    let mut out = json!({});
    set(&mut out, "User", c.user.clone());
    set(&mut out, "WorkingDir", c.working_directory.clone());
    set(&mut out, "Hostname", c.hostname.clone());
    if !c.docker_labels.is_empty() {
        set(&mut out, "Labels", Some(json!(c.docker_labels)));
    }
    for (name, flag) in [
        ("NetworkDisabled", c.disable_networking),
        ("OpenStdin", c.interactive),
        ("Tty", c.pseudo_terminal),
    ] {
        set(&mut out, name, flag.then_some(true));
    }
    set(
        &mut out,
        "Healthcheck",
        c.health_check.as_ref().map(|check| {
            json!({
                "Test": check.command,
                "Interval": check.interval.as_secs() * 1_000_000_000,
                "Timeout": check.timeout.as_secs() * 1_000_000_000,
                "StartPeriod": check.start_period.as_secs() * 1_000_000_000,
                "Retries": check.retries,
            })
        }),
    );
    out
}

fn host_config(task: &TaskDefinition, c: &ContainerDefinition) -> Value {
    let linux = &c.linux_parameters;
    let mut out = json!({
        "NetworkMode": network(task.network_mode),
        "CapAdd": linux.capabilities_add,
        "CapDrop": linux.capabilities_drop,
    });
    let bytes = |mib: u32| u64::from(mib) * MIB;
    set(
        &mut out,
        "MemoryReservation",
        c.memory_reservation_mib.map(bytes),
    );
    set(&mut out, "Privileged", c.privileged.then_some(true));
    set(
        &mut out,
        "ReadonlyRootfs",
        c.readonly_root_filesystem.then_some(true),
    );
    set(&mut out, "SecurityOpt", some(&c.docker_security_options));
    set(&mut out, "Dns", some(&c.dns_servers));
    set(&mut out, "DnsSearch", some(&c.dns_search_domains));
    let hosts: Vec<String> = c
        .extra_hosts
        .iter()
        .map(|(name, address)| format!("{name}:{address}"))
        .collect();
    set(&mut out, "ExtraHosts", some(&hosts));
    let limits: Vec<Value> = c
        .ulimits
        .iter()
        .map(|limit| json!({"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard}))
        .collect();
    set(&mut out, "Ulimits", (!limits.is_empty()).then_some(limits));
    if !c.system_controls.is_empty() {
        set(&mut out, "Sysctls", Some(json!(c.system_controls)));
    }
    set(
        &mut out,
        "LogConfig",
        c.log_configuration
            .as_ref()
            .map(|log| json!({"Type": log.driver, "Config": log.options})),
    );
    put_linux(c, linux, &mut out);
    out
}

fn put_linux(c: &ContainerDefinition, linux: &LinuxParameters, out: &mut Value) {
    let bytes = |mib: u32| u64::from(mib) * MIB;
    let devices: Vec<Value> = linux
        .devices
        .iter()
        .map(|device| {
            json!({
                "PathOnHost": device.host_path,
                "PathInContainer": device.container_path,
                "CgroupPermissions": device.permissions,
            })
        })
        .collect();
    set(out, "Devices", (!devices.is_empty()).then_some(devices));
    set(out, "Init", linux.init_process_enabled.then_some(true));
    set(out, "ShmSize", linux.shared_memory_mib.map(bytes));
    let tmpfs: Map<String, Value> = linux
        .tmpfs
        .iter()
        .map(|mount| {
            let mut options = mount.mount_options.clone();
            options.push(format!("size={}m", mount.size_mib));
            (mount.container_path.clone(), options.join(",").into())
        })
        .collect();
    set(
        out,
        "Tmpfs",
        (!tmpfs.is_empty()).then_some(Value::Object(tmpfs)),
    );
    let swap = linux
        .max_swap_mib
        .zip(c.memory_mib)
        .map(|(swap, memory)| bytes(swap) + bytes(memory));
    set(out, "MemorySwap", swap);
    set(out, "MemorySwappiness", linux.swappiness);
}

fn some(texts: &[String]) -> Option<Vec<String>> {
    (!texts.is_empty()).then(|| texts.to_vec())
}

fn volume(volume: &Volume) -> Value {
    let mut out = json!({"name": volume.name.as_str()});
    let (kind, configuration) = match &volume.source {
        VolumeSource::Empty => ("host", Some(("host", json!({"sourcePath": ""})))),
        VolumeSource::HostPath(path) => ("host", Some(("host", json!({"sourcePath": path})))),
        VolumeSource::Docker(docker) => {
            let mut inner = json!({
                "scope": if docker.scope == VolumeScope::Task { "task" } else { "shared" },
                "autoprovision": docker.scope == VolumeScope::Shared { autoprovision: true },
                "driverOpts": docker.driver_opts,
                "labels": docker.labels,
            });
            set(&mut inner, "driver", docker.driver.clone());
            ("docker", Some(("dockerVolumeConfiguration", inner)))
        }
        VolumeSource::Aws("efsVolumeConfiguration") => (
            "efs",
            Some(("efsVolumeConfiguration", json!({"fileSystemId": "fs-1"}))),
        ),
        VolumeSource::Aws("fsxWindowsFileServerVolumeConfiguration") => (
            "fsxWindowsFileServer",
            Some((
                "fsxWindowsFileServerVolumeConfiguration",
                json!({"fileSystemId": "fs-1"}),
            )),
        ),
        VolumeSource::Aws("s3filesVolumeConfiguration") => ("s3files", None),
        VolumeSource::Aws(_) => ("ebs", None),
    };
    set(&mut out, "type", Some(kind));
    if let Some((name, configuration)) = configuration {
        set(&mut out, name, Some(configuration));
    }
    out
}
