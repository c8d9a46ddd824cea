//! The canonical form: compact register-task-definition JSON with its keys in a fixed order.
//!
//! It is what a definition is stored and compared as. `revision` and `requiresAttributes` of
//! describe-task-definition are in it where they say something, because the value has them.
//!
//! **Invariants.** Equal definitions give equal text; every field of the value is in the text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::linux::PERMISSIONS;
use super::task::{IPC_MODES, NETWORK_MODES, PID_MODES};
use crate::domain::definition::{
    ContainerDefinition, HealthCheck, LinuxParameters, LogConfiguration, NetworkMode,
    RestartPolicy, RuntimePlatform, SecretRef, TaskDefinition,
};
use crate::domain::port_mapping::{ContainerPorts, PortMapping};
use crate::domain::volume::{DockerVolume, Volume, VolumeScope, VolumeSource};

/// The definition as text that `from_canonical` reads back.
pub fn canonical(definition: &TaskDefinition) -> String {
    let d = definition;
    let containers = d.containers.iter().map(container).collect();
    let mut out = Writer::default();
    out.put("family", d.family.as_str());
    if d.revision != 0 {
        out.put("revision", d.revision);
    }
    out.some("taskRoleArn", d.task_role_arn.as_deref());
    out.some("executionRoleArn", d.execution_role_arn.as_deref());
    if d.network_mode != NetworkMode::default() {
        out.some("networkMode", word_of(&NETWORK_MODES, d.network_mode));
    }
    out.some("pidMode", word_of(&PID_MODES, d.pid_mode));
    out.some("ipcMode", word_of(&IPC_MODES, d.ipc_mode));
    out.some("cpu", d.cpu_units.map(|units| units.to_string()));
    out.some("memory", d.memory_mib.map(|mib| mib.to_string()));
    out.list("containerDefinitions", containers);
    out.list("volumes", d.volumes.iter().map(volume).collect());
    out.each(
        "placementConstraints",
        &d.placement_constraints,
        |text| json!({"type": "memberOf", "expression": text}),
    );
    out.texts("requiresCompatibilities", &d.requires_compatibilities);
    out.each(
        "requiresAttributes",
        &d.requires_attributes,
        |name| json!({"name": name}),
    );
    out.object("runtimePlatform", platform(&d.runtime_platform));
    out.some(
        "ephemeralStorage",
        d.ephemeral_storage_gib.map(|gib| json!({"sizeInGiB": gib})),
    );
    out.flag("enableFaultInjection", d.enable_fault_injection);
    out.pairs("tags", "key", &d.tags);
    out.some(
        "proxyConfiguration",
        d.proxy_container
            .as_ref()
            .map(|name| json!({"containerName": name})),
    );
    out.each(
        "inferenceAccelerators",
        &d.inference_accelerators,
        |name| json!({"deviceName": name}),
    );
    out.into_value().to_string()
}

fn container(c: &ContainerDefinition) -> Value {
    let mut out = Writer::default();
    out.put("name", c.name.as_str());
    out.put("image", c.image.as_str());
    out.put("essential", c.essential);
    if c.cpu_units != 0 {
        out.put("cpu", c.cpu_units);
    }
    out.some("memory", c.memory_mib);
    out.some("memoryReservation", c.memory_reservation_mib);
    out.texts("entryPoint", c.entry_point.as_deref().unwrap_or_default());
    out.texts("command", c.command.as_deref().unwrap_or_default());
    out.pairs("environment", "name", &c.environment);
    out.each(
        "environmentFiles",
        &c.environment_files,
        |arn| json!({"value": arn, "type": "s3"}),
    );
    out.each("secrets", &c.secrets, secret);
    out.each("portMappings", &c.port_mappings, port_mapping);
    put_relations(c, &mut out);
    out.some("startTimeout", c.start_timeout.map(secs));
    out.some("stopTimeout", c.stop_timeout.map(secs));
    out.some(
        "restartPolicy",
        c.restart_policy.as_ref().map(restart_policy),
    );
    out.some("healthCheck", c.health_check.as_ref().map(health_check));
    out.some(
        "logConfiguration",
        c.log_configuration.as_ref().map(log_configuration),
    );
    out.object("linuxParameters", linux_parameters(&c.linux_parameters));
    out.each(
        "ulimits",
        &c.ulimits,
        |limit| json!({"name": limit.name, "softLimit": limit.soft, "hardLimit": limit.hard}),
    );
    out.pairs("systemControls", "namespace", &c.system_controls);
    out.each(
        "resourceRequirements",
        &c.resource_requirements,
        |need| json!({"type": need.kind, "value": need.value}),
    );
    out.texts("gpuIds", &c.gpu_ids);
    put_surroundings(c, &mut out);
    out.into_value()
}

fn put_relations(c: &ContainerDefinition, out: &mut Writer) {
    out.each("mountPoints", &c.mount_points, |mount| {
        json!({
            "sourceVolume": mount.source_volume.as_str(),
            "containerPath": mount.container_path,
            "readOnly": mount.read_only,
        })
    });
    out.each("volumesFrom", &c.volumes_from, |from| {
        json!({"sourceContainer": from.source_container.as_str(), "readOnly": from.read_only})
    });
    out.each("links", &c.links, |link| {
        format!("{}:{}", link.container, link.alias).into()
    });
    out.each("dependsOn", &c.depends_on, |edge| {
        json!({"containerName": edge.container.as_str(), "condition": edge.condition.as_str()})
    });
}

fn put_surroundings(c: &ContainerDefinition, out: &mut Writer) {
    out.some("user", c.user.as_deref());
    out.some("workingDirectory", c.working_directory.as_deref());
    out.some("hostname", c.hostname.as_deref());
    out.flag("disableNetworking", c.disable_networking);
    out.flag("privileged", c.privileged);
    out.flag("readonlyRootFilesystem", c.readonly_root_filesystem);
    out.flag("interactive", c.interactive);
    out.flag("pseudoTerminal", c.pseudo_terminal);
    out.texts("dnsServers", &c.dns_servers);
    out.texts("dnsSearchDomains", &c.dns_search_domains);
    out.each(
        "extraHosts",
        &c.extra_hosts,
        |(hostname, address)| json!({"hostname": hostname, "ipAddress": address}),
    );
    out.map("dockerLabels", &c.docker_labels);
    out.texts("dockerSecurityOptions", &c.docker_security_options);
    out.texts("credentialSpecs", &c.credential_specs);
    out.some(
        "firelensConfiguration",
        c.firelens.as_ref().map(|kind| json!({"type": kind})),
    );
    out.some(
        "repositoryCredentials",
        c.repository_credentials
            .as_ref()
            .map(|parameter| json!({"credentialsParameter": parameter})),
    );
    if let Some(auth) = &c.registry_authentication {
        let mut data = Writer::default();
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        data.some("region", said(&auth.region));
        data.some("registryId", said(&auth.registry_id));
        data.some("endpointOverride", auth.endpoint.as_deref());
        data.flag("useExecutionRole", auth.use_execution_role);
        let mut out_auth = Writer::default();
        out_auth.put("type", "ecr");
        out_auth.object("ecrAuthData", data);
        out.object("registryAuthentication", out_auth);
    }
}

fn platform(platform: &RuntimePlatform) -> Writer {
    let mut out = Writer::default();
    out.some(
        "operatingSystemFamily",
        platform.operating_system_family.as_deref(),
    );
    out.some("cpuArchitecture", platform.cpu_architecture.as_deref());
    out
}

fn volume(volume: &Volume) -> Value {
    let mut out = Writer::default();
    out.put("name", volume.name.as_str());
    match &volume.source {
        VolumeSource::Empty => {}
        VolumeSource::HostPath(path) => out.put("host", json!({"sourcePath": path})),
        VolumeSource::Docker(docker) => out.put("dockerVolumeConfiguration", docker_volume(docker)),
        VolumeSource::Aws(name) if *name == super::volumes::AT_LAUNCH => out.put(name, true),
        VolumeSource::Aws(name) => out.put(name, json!({})),
    }
    out.into_value()
}

fn docker_volume(docker: &DockerVolume) -> Value {
    let mut out = Writer::default();
    match docker.scope {
        VolumeScope::Task => out.put("scope", "task"),
        VolumeScope::Shared { autoprovision } => {
            out.put("scope", "shared");
            out.put("autoprovision", autoprovision);
        }
    }
    out.some("driver", docker.driver.as_deref());
    out.map("driverOpts", &docker.driver_opts);
    out.map("labels", &docker.labels);
    out.into_value()
}

fn port_mapping(mapping: &PortMapping) -> Value {
    let mut out = Writer::default();
    match mapping.container {
        ContainerPorts::Single(port) => out.put("containerPort", port),
        ContainerPorts::Range { first, last } => {
            out.put("containerPortRange", format!("{first}-{last}"));
        }
    }
    out.some("hostPort", mapping.host_port);
    out.put("protocol", mapping.protocol.as_str());
    out.some("name", mapping.name.as_deref());
    out.some("appProtocol", mapping.app_protocol.as_deref());
    out.into_value()
}

fn secret(secret: &SecretRef) -> Value {
    json!({"name": secret.name, "valueFrom": secret.value_from})
}

fn restart_policy(policy: &RestartPolicy) -> Value {
    let codes = policy.ignored_exit_codes.iter().copied();
    let mut out = Writer::default();
    out.put("enabled", true);
    out.list("ignoredExitCodes", codes.map(Value::from).collect());
    out.put("restartAttemptPeriod", secs(policy.restart_attempt_period));
    out.into_value()
}

fn health_check(check: &HealthCheck) -> Value {
    json!({
        "command": check.command,
        "interval": secs(check.interval),
        "timeout": secs(check.timeout),
        "retries": check.retries,
        "startPeriod": secs(check.start_period),
    })
}

fn log_configuration(log: &LogConfiguration) -> Value {
    let mut out = Writer::default();
    out.put("logDriver", log.driver.as_str());
    out.map("options", &log.options);
    out.each("secretOptions", &log.secret_options, secret);
    out.into_value()
}

fn linux_parameters(linux: &LinuxParameters) -> Writer {
    let mut capabilities = Writer::default();
    capabilities.texts("add", &linux.capabilities_add);
    capabilities.texts("drop", &linux.capabilities_drop);
    let mut out = Writer::default();
    out.object("capabilities", capabilities);
    out.each("devices", &linux.devices, |device| {
        let permissions: Vec<&str> = PERMISSIONS
            .iter()
            .filter(|&&(_, letter)| device.permissions.contains(letter))
            .map(|&(word, _)| word)
            .collect();
        json!({
            "hostPath": device.host_path,
            "containerPath": device.container_path,
            "permissions": permissions,
        })
    });
    out.flag("initProcessEnabled", linux.init_process_enabled);
    out.some("sharedMemorySize", linux.shared_memory_mib);
    out.each("tmpfs", &linux.tmpfs, |tmpfs| {
        json!({
            "containerPath": tmpfs.container_path,
            "size": tmpfs.size_mib,
            "mountOptions": tmpfs.mount_options,
        })
    });
    out.some("maxSwap", linux.max_swap_mib);
    out.some("swappiness", linux.swappiness);
    out
}

fn secs(duration: Duration) -> u64 {
    duration.as_secs()
}

fn word_of<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> Option<&'static str> {
    table
        .iter()
        .find(|(_, candidate)| *candidate == value)
        .map(|&(word, _)| word)
}

/// An object under construction; what is absent or empty is left out.
#[derive(Default)]
struct Writer(Map<String, Value>);

impl Writer {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.put(name, true);
        }
    }

    fn list(&mut self, name: &str, items: Vec<Value>) {
        if !items.is_empty() {
            self.put(name, items);
        }
    }

    fn each<T>(&mut self, name: &str, items: &[T], write: impl Fn(&T) -> Value) {
        self.list(name, items.iter().map(write).collect());
    }

    fn texts(&mut self, name: &str, items: &[String]) {
        self.list(name, items.iter().cloned().map(Value::String).collect());
    }

    fn map(&mut self, name: &str, map: &BTreeMap<String, String>) {
        if !map.is_empty() {
            let entries = map.iter().map(|(key, value)| (key.clone(), value.clone()));
            self.put(name, entries.collect::<Value>());
        }
    }

    /// A map in ECS' other form: a list of objects with `key_name` and `value`.
    fn pairs(&mut self, name: &str, key_name: &str, map: &BTreeMap<String, String>) {
        let entries = map.iter().map(|(key, value)| {
            let mut entry = Self::default();
            entry.put(key_name, key.as_str());
            entry.put("value", value.as_str());
            entry.into_value()
        });
        self.list(name, entries.collect());
    }

    fn object(&mut self, name: &str, object: Self) {
        if !object.0.is_empty() {
            self.put(name, object.into_value());
        }
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}
