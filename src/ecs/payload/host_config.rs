//! `dockerConfig.hostConfig`: Docker's `HostConfig` into the words of task definitions.

use serde_json::{Value, json};

use super::tree::{Members, mebibytes, put, put_list, put_some, take, take_list, take_text};

/// Members that the task says itself, or that are Docker's way to say nothing.
const OF_NO_USE: [&str; 6] = [
    "NetworkMode",
    "PidMode",
    "IpcMode",
    "PortBindings",
    "CpuShares",
    "VolumesFrom",
];

/// Lays it over the container: what it says counts.
pub(super) fn overlay(mut host: Members, at: &str, tree: &mut Members, ignored: &mut Vec<String>) {
    rights(&mut host, tree);
    names(&mut host, tree);
    limits(&mut host, tree);
    log(&mut host, tree);
    put_some(tree, "linuxParameters", linux_parameters(&mut host, tree));
    for name in OF_NO_USE {
        host.remove(name);
    }
    let left = host.into_iter().filter(|(_, value)| says_something(value));
    ignored.extend(left.map(|(name, _)| format!("{at}.dockerConfig.hostConfig.{name}")));
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn rights(host: &mut Members, tree: &mut Members) {
    put_some(tree, "privileged", take(host, "Privileged"));
    put_some(tree, "readonlyRootFilesystem", take(host, "ReadonlyRootfs"));
    put_some(tree, "dockerSecurityOptions", take(host, "SecurityOpt"));
}

fn names(host: &mut Members, tree: &mut Members) {
    put_some(tree, "dnsServers", take(host, "Dns"));
    put_some(tree, "dnsSearchDomains", take(host, "DnsSearch"));
    let hosts = take_list(host, "ExtraHosts");
    let hosts = hosts
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|text| text.split_once(':'));
    let hosts = hosts.map(|(name, address)| json!({"hostname": name, "ipAddress": address}));
    put_list(tree, "extraHosts", hosts.collect());
}

fn limits(host: &mut Members, tree: &mut Members) {
    let mut size = |docker: &str| take(host, docker).as_ref().and_then(mebibytes);
    put_some(tree, "memory", size("Memory"));
    put_some(tree, "memoryReservation", size("MemoryReservation"));
    let ulimits = take_list(host, "Ulimits").into_iter().map(|limit| {
        let member = |name: &str| limit.get(name).cloned().unwrap_or_default();
        json!({"name": member("Name"), "softLimit": member("Soft"), "hardLimit": member("Hard")})
    });
    put_list(tree, "ulimits", ulimits.collect());
    if let Some(Value::Object(controls)) = take(host, "Sysctls") {
        put_list(
            tree,
            "systemControls",
            super::tree::pairs(&controls, "namespace"),
        );
    }
}

fn log(host: &mut Members, tree: &mut Members) {
    if let Some(Value::Object(mut log)) = take(host, "LogConfig")
        && let Some(driver) = take_text(&mut log, "Type")
    {
        let mut configuration = Members::new();
        put(&mut configuration, "logDriver", driver);
        put_some(&mut configuration, "options", take(&mut log, "Config"));
        put(tree, "logConfiguration", Value::Object(configuration));
    }
}

fn linux_parameters(host: &mut Members, tree: &Members) -> Option<Value> {
    let mut out = Members::new();
    let mut capabilities = Members::new();
    put_some(&mut capabilities, "add", take(host, "CapAdd"));
    put_some(&mut capabilities, "drop", take(host, "CapDrop"));
    if !capabilities.is_empty() {
        put(&mut out, "capabilities", Value::Object(capabilities));
    }
    put_list(
        &mut out,
        "devices",
        take_list(host, "Devices").iter().map(device).collect(),
    );
    put_some(&mut out, "initProcessEnabled", take(host, "Init"));
    put_some(
        &mut out,
        "sharedMemorySize",
        take(host, "ShmSize").as_ref().and_then(mebibytes),
    );
    if let Some(Value::Object(mounts)) = take(host, "Tmpfs") {
        put_list(&mut out, "tmpfs", mounts.iter().map(tmpfs).collect());
    }
    put_some(&mut out, "maxSwap", max_swap(host, tree));
    put_some(&mut out, "swappiness", take(host, "MemorySwappiness"));
    (!out.is_empty()).then(|| Value::Object(out))
}

/// Docker's number is memory and swap together.
fn max_swap(host: &mut Members, tree: &Members) -> Option<u64> {
    let both = take(host, "MemorySwap").as_ref().and_then(mebibytes)?;
    let memory = tree.get("memory").and_then(Value::as_u64)?;
    both.checked_sub(memory)
}

fn device(device: &Value) -> Value {
    let member = |name: &str| device.get(name).cloned().unwrap_or_default();
    let letters = member("CgroupPermissions");
    let letters = letters.as_str().unwrap_or_default();
    let words = [('r', "read"), ('w', "write"), ('m', "mknod")];
    let permissions: Vec<&str> = words
        .iter()
        .filter(|(letter, _)| letters.contains(*letter))
        .map(|&(_, word)| word)
        .collect();
    json!({
        "hostPath": member("PathOnHost"),
        "containerPath": member("PathInContainer"),
        "permissions": permissions,
    })
}

/// Options separated by commas, the size among them.
fn tmpfs((path, options): (&String, &Value)) -> Value {
    let options = options
        .as_str()
        .unwrap_or_default()
        .split(',')
        .filter(|option| !option.is_empty());
    let (sizes, others): (Vec<&str>, Vec<&str>) =
        options.partition(|option| option.starts_with("size="));
    let size = sizes
        .first()
        .and_then(|option| size_mib(option.trim_start_matches("size=")));
    json!({"containerPath": path, "size": size, "mountOptions": others})
}

/// A size as mount options have it, in MiB: bytes, or with `k`, `m` or `g`.
fn size_mib(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    Some(
        match text.trim_start_matches(|c: char| c.is_ascii_digit()) {
            "g" => number.checked_mul(1024)?,
            "m" => number,
            "k" => number.div_ceil(1024),
            _ => number.div_ceil(1024 * 1024),
        },
    )
}
