//! One container definition.

use std::collections::BTreeSet;
use std::time::Duration;

use super::context::Context;
use super::placeholders;
use super::reader::{Cursor, Kind, Object, word_advice};
use super::sizes::Quantity;
use super::{environment, health, lifecycle, linux, logs, paths, ports, task, volumes};
use crate::domain::definition::{ContainerDefinition, NetworkMode};
use crate::domain::ids::ContainerName;
use crate::domain::image::ImageRef;
use crate::domain::registry::EcrAuth;

pub(super) static CONTAINER: Kind = Kind {
    name: "a container definition",
    fields: &[
        "name",
        "image",
        "essential",
        "cpu",
        "memory",
        "memoryReservation",
        "entryPoint",
        "command",
        "environment",
        "environmentFiles",
        "secrets",
        "portMappings",
        "mountPoints",
        "volumesFrom",
        "links",
        "dependsOn",
        "startTimeout",
        "stopTimeout",
        "restartPolicy",
        "healthCheck",
        "logConfiguration",
        "linuxParameters",
        "ulimits",
        "systemControls",
        "resourceRequirements",
        "gpuIds",
        "user",
        "workingDirectory",
        "hostname",
        "disableNetworking",
        "privileged",
        "readonlyRootFilesystem",
        "interactive",
        "pseudoTerminal",
        "dnsServers",
        "dnsSearchDomains",
        "extraHosts",
        "dockerLabels",
        "dockerSecurityOptions",
        "credentialSpecs",
        "firelensConfiguration",
        "repositoryCredentials",
        "registryAuthentication",
    ],
    ignored: &["versionConsistency"],
    sibling: Some(&task::TASK),
};

static EXTRA_HOST: Kind = Kind {
    name: "an extra host",
    fields: &["hostname", "ipAddress"],
    ignored: &[],
    sibling: None,
};

static REPOSITORY_CREDENTIALS: Kind = Kind {
    name: "a reference to repository credentials",
    fields: &["credentialsParameter"],
    ignored: &[],
    sibling: None,
};

static REGISTRY_AUTHENTICATION: Kind = Kind {
    name: "an authentication at a registry",
    fields: &["type", "ecrAuthData"],
    ignored: &[],
    sibling: None,
};

static ECR_AUTH_DATA: Kind = Kind {
    name: "data of an authentication at ECR",
    fields: &[
        "region",
        "registryId",
        "endpointOverride",
        "useExecutionRole",
    ],
    ignored: &[],
    sibling: None,
};

/// CPU units of a container; Docker's shares end at 262144.
const CPU_UNITS: std::ops::RangeInclusive<u32> = 0..=196_608;

/// Least memory of a container in MiB: Docker refuses less.
pub(super) const MIN_MEMORY_MIB: u32 = 6;

/// Memory of a container in MiB.
const MEMORY_MIB: std::ops::RangeInclusive<u32> = MIN_MEMORY_MIB..=33_554_432;

/// Reads one entry of `containerDefinitions`.
pub(super) fn read(cursor: &Cursor<'_>, context: &Context) -> Option<ContainerDefinition> {
    let object = cursor.object(&CONTAINER)?;
    let name = read_name(&object).or_else(|| ContainerName::parse("~unnamed~").ok())?;
    let image = read_image(&object).or_else(|| ImageRef::parse("unnamed").ok())?;
    let mut container = ContainerDefinition::new(name, image);
    read_process(&object, &mut container);
    read_resources(&object, context, &mut container);
    read_relations(&object, context, &mut container);
    read_network(&object, context, &mut container);
    read_host_facing(&object, &mut container);
    check_names(&object, &container);
    Some(container)
}

fn read_name(object: &Object<'_>) -> Option<ContainerName> {
    let cursor = object.required("name")?;
    let text = cursor.text()?;
    if text.contains('~') {
        cursor.rule("has the character '~', allowed are letters, digits, '-' and '_'");
        return (!cursor.notes().checks_rules())
            .then(|| ContainerName::parse(&text).ok())
            .flatten();
    }
    ContainerName::parse(&text)
        .map_err(|error| cursor.error(error.to_string()))
        .ok()
}

fn read_image(object: &Object<'_>) -> Option<ImageRef> {
    let cursor = object.required("image")?;
    let text = cursor.text()?;
    match ImageRef::parse(&text) {
        Ok(image) => {
            if let Some(word) = stand_in(&image) {
                cursor.warn(format!(
                    "{word} looks like a stand-in: fill it with --var {word}=VALUE"
                ));
            }
            Some(image)
        }
        Err(error) => {
            let advice = placeholders::shouted_word(&text).map_or_else(String::new, word_advice);
            cursor.error(format!("{error}{advice}"));
            None
        }
    }
}

/// A word in capitals that is a part of the registry's name or the whole tag. What looks like a stand-in anywhere is
/// told of by the reader of texts.
fn stand_in(image: &ImageRef) -> Option<&str> {
    let host = image.registry_host().and_then(placeholders::shouted_word);
    let whole_tag = |tag: &&str| placeholders::shouted_word(tag) == Some(tag);
    let word = host.or_else(|| image.tag().filter(whole_tag))?;
    placeholders::suspect_words(word)
        .next()
        .is_none()
        .then_some(word)
}

fn read_process(object: &Object<'_>, container: &mut ContainerDefinition) {
    container.essential = object.flag("essential", true);
    container.entry_point = read_words(object, "entryPoint");
    container.command = read_words(object, "command");
    container.environment = environment::read_variables(object);
    container.environment_files = environment::read_files(object);
    container.secrets = environment::read_secrets(object, "secrets");
    container.user = object.text("user");
    container.working_directory = object.get("workingDirectory").and_then(read_path);
    container.interactive = object.flag("interactive", false);
    container.pseudo_terminal = object.flag("pseudoTerminal", false);
    container.health_check = object.get("healthCheck").and_then(health::read);
    container.restart_policy = object
        .get("restartPolicy")
        .and_then(lifecycle::read_restart_policy);
    container.start_timeout = seconds(object, "startTimeout");
    container.stop_timeout = seconds(object, "stopTimeout");
}

fn read_words(object: &Object<'_>, name: &str) -> Option<Vec<String>> {
    let words = object.free_texts(name)?;
    for (index, word) in words.iter().enumerate() {
        if word.contains('\0') {
            object.rule_of_item(name, index, "has a NUL character, no argument can");
        }
    }
    Some(words)
}

fn read_resources(object: &Object<'_>, context: &Context, container: &mut ContainerDefinition) {
    let limits = ["memory", "memoryReservation"];
    if !context.task_gives_memory && limits.iter().all(|name| object.get(name).is_none()) {
        object.warn_whole(
            "has no memory limit: ECS wants memory or memoryReservation, here or in the task",
        );
    }
    container.cpu_units = object
        .number("cpu", Quantity::CpuUnits, CPU_UNITS)
        .unwrap_or_default();
    container.memory_mib = object.number("memory", Quantity::Mebibytes, MEMORY_MIB);
    container.memory_reservation_mib =
        object.number("memoryReservation", Quantity::Mebibytes, MEMORY_MIB);
    container.ulimits = object.each("ulimits", linux::read_ulimit);
    container.resource_requirements = object.each("resourceRequirements", linux::read_requirement);
    container.gpu_ids = object.texts("gpuIds");
    if !container.gpu_ids.is_empty() {
        // Those of ECS come in canonical text, of which rules are not asked.
        object.rule(
            "gpuIds",
            "is for ECS to say, which chooses the GPUs of its tasks",
        );
    }
    container.linux_parameters = object
        .get("linuxParameters")
        .and_then(linux::read_parameters)
        .unwrap_or_default();
}

fn read_relations(object: &Object<'_>, context: &Context, container: &mut ContainerDefinition) {
    container.mount_points = volumes::read_mount_points(object, context);
    container.volumes_from = object.each("volumesFrom", |item| {
        volumes::read_volumes_from(item, context)
    });
    container.links = object.each("links", |item| lifecycle::read_link(item, context));
    container.depends_on = object.each("dependsOn", |item| {
        lifecycle::read_dependency(item, context)
    });
}

fn read_network(object: &Object<'_>, context: &Context, container: &mut ContainerDefinition) {
    container.port_mappings = object.each("portMappings", |item| ports::read(item, context));
    container.hostname = object.text("hostname");
    container.disable_networking = object.flag("disableNetworking", false);
    container.dns_servers = object.texts("dnsServers");
    container.dns_search_domains = object.texts("dnsSearchDomains");
    container.extra_hosts = object.each("extraHosts", read_extra_host);
    container.system_controls = linux::read_system_controls(object, context);
    if context.network_mode != NetworkMode::Bridge && !container.links.is_empty() {
        object.rule("links", "work in network mode bridge only");
    }
    if context.network_mode == NetworkMode::None && !container.port_mappings.is_empty() {
        object.rule("portMappings", "must be absent in network mode none");
    }
}

fn read_host_facing(object: &Object<'_>, container: &mut ContainerDefinition) {
    container.privileged = object.flag("privileged", false);
    container.readonly_root_filesystem = object.flag("readonlyRootFilesystem", false);
    container.docker_labels = object.map("dockerLabels");
    container.docker_security_options = object.texts("dockerSecurityOptions");
    container.credential_specs = object.texts("credentialSpecs");
    container.log_configuration = object.get("logConfiguration").and_then(logs::read);
    container.firelens = object
        .get("firelensConfiguration")
        .and_then(logs::read_firelens);
    container.repository_credentials = object.get("repositoryCredentials").and_then(|cursor| {
        cursor
            .object(&REPOSITORY_CREDENTIALS)?
            .required("credentialsParameter")?
            .text()
    });
    container.registry_authentication = object
        .get("registryAuthentication")
        .and_then(read_registry_authentication);
}

/// As a payload of ECS says it; of type `ecr` only, since the other is `repositoryCredentials`.
fn read_registry_authentication(cursor: &Cursor<'_>) -> Option<EcrAuth> {
    let object = cursor.object(&REGISTRY_AUTHENTICATION)?;
    object.required("type")?.choice(&[("ecr", ())])?;
    let Some(data) = object.get("ecrAuthData") else {
        return Some(EcrAuth::default());
    };
    let data = data.object(&ECR_AUTH_DATA)?;
    Some(EcrAuth {
        region: data.text("region").unwrap_or_default(),
        registry_id: data.text("registryId").unwrap_or_default(),
        endpoint: data.text("endpointOverride"),
        use_execution_role: data.flag("useExecutionRole", false),
    })
}

/// One name must not get its value from two places.
fn check_names(object: &Object<'_>, container: &ContainerDefinition) {
    let mut seen = BTreeSet::new();
    for secret in &container.secrets {
        if container.environment.contains_key(&secret.name) {
            object.rule(
                "secrets",
                format!("{} is given by environment too", secret.name),
            );
        }
        if !seen.insert(&secret.name) {
            object.rule("secrets", format!("{} is given twice", secret.name));
        }
    }
}

fn read_extra_host(cursor: &Cursor<'_>) -> Option<(String, String)> {
    let object = cursor.object(&EXTRA_HOST)?;
    let hostname = object.required("hostname").and_then(Cursor::text);
    let address = object.required("ipAddress").and_then(|cursor| {
        let text = cursor.text()?;
        if text.parse::<std::net::IpAddr>().is_err() && text != "host-gateway" {
            cursor.rule("must be an IP address");
        }
        Some(text)
    });
    Some((hostname?, address?))
}

/// An absolute path.
pub(super) fn read_path(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    if let Some(problem) = paths::problem(&text) {
        cursor.rule(problem);
    }
    Some(text)
}

fn seconds(object: &Object<'_>, name: &str) -> Option<Duration> {
    let secs: u32 = object.number(name, Quantity::Count, 0..=u32::MAX)?;
    Some(Duration::from_secs(secs.into()))
}
