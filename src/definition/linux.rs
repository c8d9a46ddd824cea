//! What a container asks of the kernel: capabilities, devices, tmpfs, swap, ulimits, kernel parameters and devices.

use std::collections::BTreeMap;

use super::container::read_path;
use super::context::Context;
use super::reader::{Cursor, Kind, Object, quote};
use super::sizes::Quantity;
use super::suggest;
use crate::domain::definition::{
    Device, LinuxParameters, NetworkMode, ResourceRequirement, Tmpfs, Ulimit,
};

static LINUX_PARAMETERS: Kind = Kind {
    name: "a set of Linux parameters",
    fields: &[
        "capabilities",
        "devices",
        "initProcessEnabled",
        "sharedMemorySize",
        "tmpfs",
        "maxSwap",
        "swappiness",
    ],
    ignored: &[],
    sibling: None,
};

static CAPABILITIES: Kind = Kind {
    name: "a set of capabilities",
    fields: &["add", "drop"],
    ignored: &[],
    sibling: None,
};

static DEVICE: Kind = Kind {
    name: "a device",
    fields: &["hostPath", "containerPath", "permissions"],
    ignored: &[],
    sibling: None,
};

static TMPFS: Kind = Kind {
    name: "a tmpfs",
    fields: &["containerPath", "size", "mountOptions"],
    ignored: &[],
    sibling: None,
};

static ULIMIT: Kind = Kind {
    name: "an ulimit",
    fields: &["name", "softLimit", "hardLimit"],
    ignored: &[],
    sibling: None,
};

static SYSTEM_CONTROL: Kind = Kind {
    name: "a system control",
    fields: &["namespace", "value"],
    ignored: &[],
    sibling: None,
};

static REQUIREMENT: Kind = Kind {
    name: "a resource requirement",
    fields: &["type", "value"],
    ignored: &[],
    sibling: None,
};

/// Capabilities of Linux without `CAP_`, and `ALL`.
const CAPABILITY_NAMES: [&str; 42] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

const ULIMIT_NAMES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Device permissions: ECS' word and Docker's letter, in Docker's order.
pub(super) const PERMISSIONS: [(&str, char); 3] = [("read", 'r'), ("write", 'w'), ("mknod", 'm')];

/// Reads `linuxParameters`.
pub(super) fn read_parameters(cursor: &Cursor<'_>) -> Option<LinuxParameters> {
    let object = cursor.object(&LINUX_PARAMETERS)?;
    let mut parameters = LinuxParameters {
        devices: object.each("devices", read_device),
        init_process_enabled: object.flag("initProcessEnabled", false),
        shared_memory_mib: object.number("sharedMemorySize", Quantity::Mebibytes, 1..=u32::MAX),
        tmpfs: object.each("tmpfs", read_tmpfs),
        max_swap_mib: object.number("maxSwap", Quantity::Mebibytes, 0..=u32::MAX),
        swappiness: object.number("swappiness", Quantity::Count, 0..=100),
        ..LinuxParameters::default()
    };
    if let Some(capabilities) = object
        .get("capabilities")
        .and_then(|cursor| cursor.object(&CAPABILITIES))
    {
        parameters.capabilities_add = capabilities.each("add", read_capability);
        parameters.capabilities_drop = capabilities.each("drop", read_capability);
    }
    Some(parameters)
}

/// Reads one entry of `ulimits`.
pub(super) fn read_ulimit(cursor: &Cursor<'_>) -> Option<Ulimit> {
    let object = cursor.object(&ULIMIT)?;
    let name = object.required("name").and_then(|cursor| {
        let text = cursor.text()?;
        if !ULIMIT_NAMES.contains(&text.as_str()) {
            let plain = text.to_ascii_lowercase();
            let plain = plain.strip_prefix("rlimit_").unwrap_or(&plain);
            let advice = match suggest::nearest(plain, ULIMIT_NAMES) {
                Some(near) => format!(": did you mean {near}?"),
                None => format!(", must be one of {}", ULIMIT_NAMES.join(", ")),
            };
            cursor.rule(format!("{} is no ulimit{advice}", quote(&text)));
        }
        Some(text)
    });
    let limit = |name| {
        object
            .required(name)
            .and_then(|cursor| cursor.number(Quantity::Count, -1..=i64::MAX))
    };
    let (soft, hard) = (limit("softLimit"), limit("hardLimit"));
    let (name, soft, hard) = (name?, soft?, hard?);
    // -1 is no limit, so above every number.
    if hard != -1 && (soft == -1 || soft > hard) {
        object.rule(
            "softLimit",
            format!("must be at most hardLimit ({hard}), is {soft}"),
        );
    }
    Some(Ulimit { name, soft, hard })
}

/// `systemControls`: of a parameter given twice the last counts.
pub(super) fn read_system_controls(
    container: &Object<'_>,
    context: &Context,
) -> BTreeMap<String, String> {
    let read = |item: &Cursor<'_>| {
        let object = item.object(&SYSTEM_CONTROL)?;
        let namespace = object.required("namespace").and_then(Cursor::text);
        let value = object.required("value").and_then(Cursor::text);
        let (namespace, value) = (namespace?, value?);
        let own = [
            "net.",
            "kernel.msg",
            "kernel.sem",
            "kernel.shm",
            "fs.mqueue.",
        ];
        if !own.iter().any(|prefix| namespace.starts_with(prefix)) {
            object.rule(
                "namespace",
                "is a parameter of the whole host; a container has its own net.*, fs.mqueue.*, \
                 kernel.msg*, kernel.sem and kernel.shm*",
            );
        } else if namespace.starts_with("net.") && context.network_mode == NetworkMode::Host {
            object.rule("namespace", "is the host's in network mode host");
        }
        Some((namespace, value))
    };
    container.each("systemControls", read).into_iter().collect()
}

/// Reads one entry of `resourceRequirements`.
pub(super) fn read_requirement(cursor: &Cursor<'_>) -> Option<ResourceRequirement> {
    const KINDS: [(&str, &str); 2] = [
        ("GPU", "GPU"),
        ("InferenceAccelerator", "InferenceAccelerator"),
    ];
    let object = cursor.object(&REQUIREMENT)?;
    let kind = object
        .required("type")
        .and_then(|cursor| cursor.choice(&KINDS));
    let value = object.required("value").and_then(|cursor| {
        if cursor.value.is_number() {
            return cursor
                .number(Quantity::Count, 1..=u32::MAX)
                .map(|count| count.to_string());
        }
        let text = cursor.text()?;
        if kind == Some("GPU") && !text.parse::<u32>().is_ok_and(|count| count > 0) {
            cursor.rule(format!("must be a number of GPUs, is {}", quote(&text)));
        }
        Some(text)
    });
    Some(ResourceRequirement {
        kind: kind?.to_owned(),
        value: value?,
    })
}

fn read_capability(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    if !CAPABILITY_NAMES.contains(&text.as_str()) {
        let upper = text.to_ascii_uppercase();
        let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let advice = match suggest::nearest(plain, CAPABILITY_NAMES) {
            Some(near) => format!(": write {near}"),
            None => String::new(),
        };
        cursor.rule(format!("{} is no capability{advice}", quote(&text)));
    }
    Some(text)
}

fn read_device(cursor: &Cursor<'_>) -> Option<Device> {
    let object = cursor.object(&DEVICE)?;
    let host_path = object.required("hostPath").and_then(read_path);
    let container_path = object.get("containerPath").and_then(read_path);
    let letters = object.each("permissions", |item| item.choice(&PERMISSIONS));
    let permissions = PERMISSIONS
        .iter()
        .map(|&(_, letter)| letter)
        .filter(|letter| letters.is_empty() || letters.contains(letter))
        .collect();
    let host_path = host_path?;
    Some(Device {
        container_path: container_path.unwrap_or_else(|| host_path.clone()),
        host_path,
        permissions,
    })
}

fn read_tmpfs(cursor: &Cursor<'_>) -> Option<Tmpfs> {
    let object = cursor.object(&TMPFS)?;
    let container_path = object.required("containerPath").and_then(read_path);
    let size_mib = object
        .required("size")
        .and_then(|cursor| cursor.number(Quantity::Mebibytes, 1..=u32::MAX));
    let mount_options = object.texts("mountOptions");
    Some(Tmpfs {
        container_path: container_path?,
        size_mib: size_mib?,
        mount_options,
    })
}
