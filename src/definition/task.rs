//! The task level of a task definition.
//!
//! Its containers and volumes are put together in `parts`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::container;
use super::parts::{Parts, Surroundings, stand_in_family};
use super::reader::{Cursor, Kind, Object, quote};
use super::sizes::Quantity;
use super::validate;
use crate::domain::definition::{IpcMode, NetworkMode, PidMode, RuntimePlatform, TaskDefinition};
use crate::domain::ids::Family;

pub(super) static TASK: Kind = Kind {
    name: "a task definition",
    fields: &[
        "family",
        "revision",
        "taskRoleArn",
        "executionRoleArn",
        "networkMode",
        "pidMode",
        "ipcMode",
        "cpu",
        "memory",
        "containerDefinitions",
        "volumes",
        "placementConstraints",
        "requiresCompatibilities",
        "requiresAttributes",
        "runtimePlatform",
        "ephemeralStorage",
        "enableFaultInjection",
        "tags",
        "proxyConfiguration",
        "inferenceAccelerators",
    ],
    ignored: &[
        "taskDefinitionArn",
        "status",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
    ],
    sibling: Some(&container::CONTAINER),
};

static TAG: Kind = Kind {
    name: "a tag",
    fields: &["key", "value"],
    ignored: &[],
    sibling: None,
};

static ATTRIBUTE: Kind = Kind {
    name: "an attribute",
    fields: &["name"],
    ignored: &["value", "targetType", "targetId"],
    sibling: None,
};

static CONSTRAINT: Kind = Kind {
    name: "a placement constraint",
    fields: &["type", "expression"],
    ignored: &[],
    sibling: None,
};

static PLATFORM: Kind = Kind {
    name: "a runtime platform",
    fields: &["operatingSystemFamily", "cpuArchitecture"],
    ignored: &[],
    sibling: None,
};

static STORAGE: Kind = Kind {
    name: "an ephemeral storage",
    fields: &["sizeInGiB"],
    ignored: &[],
    sibling: None,
};

static PROXY: Kind = Kind {
    name: "a proxy configuration",
    fields: &["containerName"],
    ignored: &["type", "properties"],
    sibling: None,
};

static ACCELERATOR: Kind = Kind {
    name: "an inference accelerator",
    fields: &["deviceName"],
    ignored: &["deviceType"],
    sibling: None,
};

pub(super) const NETWORK_MODES: [(&str, NetworkMode); 5] = [
    ("bridge", NetworkMode::Bridge),
    ("host", NetworkMode::Host),
    ("awsvpc", NetworkMode::Awsvpc),
    ("none", NetworkMode::None),
    // The word for hosts of Windows (`windows.md` 10.1). Written it is the first of its meaning.
    ("default", NetworkMode::Bridge),
];

pub(super) const PID_MODES: [(&str, PidMode); 2] =
    [("host", PidMode::Host), ("task", PidMode::Task)];

pub(super) const IPC_MODES: [(&str, IpcMode); 3] = [
    ("host", IpcMode::Host),
    ("task", IpcMode::Task),
    ("none", IpcMode::None),
];

const COMPATIBILITIES: [(&str, &str); 4] = [
    ("EC2", "EC2"),
    ("FARGATE", "FARGATE"),
    ("EXTERNAL", "EXTERNAL"),
    ("MANAGED_INSTANCES", "MANAGED_INSTANCES"),
];

const ARCHITECTURES: [(&str, &str); 2] = [("X86_64", "X86_64"), ("ARM64", "ARM64")];

/// CPU units of a task: ECS takes 0.125 to 192 vCPUs.
const TASK_CPU_UNITS: std::ops::RangeInclusive<u32> = 128..=196_608;

/// Memory of a task in MiB, up to 32 TiB: larger than any host there is.
const TASK_MEMORY_MIB: std::ops::RangeInclusive<u32> = 6..=33_554_432;

/// Reads a whole task definition. `outer_tags` are the `tags` beside a `taskDefinition` wrapper.
pub(super) fn read(
    cursor: &Cursor<'_>,
    outer_tags: Option<&Value>,
    hint: Option<Family>,
) -> Option<TaskDefinition> {
    let object = cursor.object(&TASK)?;
    let family = read_family(&object, hint);
    let network_mode = object
        .choice("networkMode", &NETWORK_MODES)
        .unwrap_or_default();
    let containers = read_containers(&object);
    let volumes = object.get("volumes").map(Cursor::items).unwrap_or_default();
    let around = Surroundings {
        network_mode,
        gives_memory: object.get("memory").is_some(),
    };
    let parts = Parts::read(cursor, &containers, &volumes, &around)?;

    let mut definition = TaskDefinition::new(family.or_else(stand_in_family)?, parts.containers);
    definition.volumes = parts.volumes;
    definition.network_mode = network_mode;
    read_task_fields(&object, &mut definition);
    if let Some(tags) = outer_tags {
        let tags = Cursor::new(tags, "tags".to_owned(), cursor.notes());
        definition.tags.extend(read_tags(&tags));
    }
    validate::check(&definition, &parts.layout, cursor.notes());
    Some(definition)
}

/// The containers; a list of nulls holds none.
fn read_containers<'a>(object: &Object<'a>) -> Vec<Cursor<'a>> {
    let Some(cursor) = object.required("containerDefinitions") else {
        return Vec::new();
    };
    if let Value::Object(entries) = cursor.value
        && let Some(first) = first_of_named(entries)
    {
        let first = quote(first);
        cursor.error(format!(
            "must be a list, is an object with a key for each container: \
             write [{{\"name\": {first}, …}}, …]"
        ));
        return Vec::new();
    }
    let containers = cursor.items();
    if containers.is_empty() && cursor.value.is_array() {
        cursor.error("is empty");
    }
    containers
}

/// The first key of an object whose keys name containers, rather than the fields of one.
fn first_of_named(entries: &Map<String, Value>) -> Option<&str> {
    let named = entries.values().all(Value::is_object)
        && !entries
            .keys()
            .any(|key| container::CONTAINER.fields.contains(&key.as_str()));
    entries.keys().next().filter(|_| named).map(String::as_str)
}

fn read_family(object: &Object<'_>, hint: Option<Family>) -> Option<Family> {
    if hint.is_some() && object.get("family").is_none() {
        return hint;
    }
    let cursor = object.required("family")?;
    let text = cursor.text()?;
    Family::parse(&text)
        .map_err(|error| cursor.error(error.to_string()))
        .ok()
}

fn read_task_fields(object: &Object<'_>, definition: &mut TaskDefinition) {
    definition.revision = object
        .number("revision", Quantity::Count, 0..=u32::MAX)
        .unwrap_or_default();
    definition.task_role_arn = object.text("taskRoleArn");
    definition.execution_role_arn = object.text("executionRoleArn");
    definition.pid_mode = object.choice("pidMode", &PID_MODES).unwrap_or_default();
    definition.ipc_mode = object.choice("ipcMode", &IPC_MODES).unwrap_or_default();
    definition.cpu_units = object.number("cpu", Quantity::CpuUnits, TASK_CPU_UNITS);
    definition.memory_mib = object.number("memory", Quantity::Mebibytes, TASK_MEMORY_MIB);
    definition.placement_constraints = object.each("placementConstraints", read_constraint);
    definition.requires_compatibilities = object.each("requiresCompatibilities", |item| {
        item.choice(&COMPATIBILITIES).map(str::to_owned)
    });
    definition.requires_attributes = object.each("requiresAttributes", |item| {
        item.object(&ATTRIBUTE)?.required("name")?.text()
    });
    definition.runtime_platform = object
        .get("runtimePlatform")
        .and_then(read_platform)
        .unwrap_or_default();
    definition.ephemeral_storage_gib = object.get("ephemeralStorage").and_then(|cursor| {
        let size = cursor.object(&STORAGE)?;
        size.required("sizeInGiB")?
            .number(Quantity::Count, 20..=200)
    });
    definition.enable_fault_injection = object.flag("enableFaultInjection", false);
    definition.tags = object.get("tags").map(read_tags).unwrap_or_default();
    definition.proxy_container = object
        .get("proxyConfiguration")
        .and_then(|cursor| cursor.object(&PROXY)?.required("containerName")?.text());
    definition.inference_accelerators = object.each("inferenceAccelerators", |item| {
        item.object(&ACCELERATOR)?.required("deviceName")?.text()
    });
}

fn read_constraint(cursor: &Cursor<'_>) -> Option<String> {
    let object = cursor.object(&CONSTRAINT)?;
    if let Some(kind) = object.get("type") {
        kind.choice(&[("memberOf", ())]);
    }
    // Free text: `<` and `>` compare here.
    object.required("expression")?.free_text()
}

fn read_platform(cursor: &Cursor<'_>) -> Option<RuntimePlatform> {
    let object = cursor.object(&PLATFORM)?;
    let operating_system_family = object.get("operatingSystemFamily").and_then(|cursor| {
        let text = cursor.text()?;
        let upper = text.to_ascii_uppercase();
        if upper != text {
            cursor.rule(format!("is written {text}, ECS reads {upper}"));
        } else if text != "LINUX" && !text.starts_with("WINDOWS_SERVER_") {
            cursor.rule("must be LINUX or one of WINDOWS_SERVER_…");
        }
        Some(upper)
    });
    let cpu_architecture = object.get("cpuArchitecture").and_then(|cursor| {
        match cursor.value.as_str() {
            Some("amd64" | "x64") => cursor.rule("is Docker's word, ECS' is X86_64"),
            Some("aarch64" | "arm64/v8") => cursor.rule("is Docker's word, ECS' is ARM64"),
            _ => return cursor.choice(&ARCHITECTURES).map(str::to_owned),
        }
        None
    });
    Some(RuntimePlatform {
        operating_system_family,
        cpu_architecture,
    })
}

fn read_tags(cursor: &Cursor<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for item in cursor.items() {
        let Some(object) = item.object(&TAG) else {
            continue;
        };
        let Some(key) = object.required("key").and_then(Cursor::label) else {
            continue;
        };
        let value = object
            .get("value")
            .and_then(Cursor::free_text)
            .unwrap_or_default();
        if key.to_ascii_lowercase().starts_with("aws:") {
            object.rule("key", "begins with aws:, which is kept for AWS itself");
        }
        if key.chars().count() > 128 || value.chars().count() > 256 {
            item.rule("is too long: a key has at most 128 characters, a value 256");
        }
        if tags.insert(key, value).is_some() {
            object.rule("key", "is given twice");
        }
    }
    tags
}
