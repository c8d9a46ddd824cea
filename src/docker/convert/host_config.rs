//! `HostConfig` of a create call: what the container takes from the host.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::create::{Body, port_key};
use crate::domain::spec::{ContainerSpec, GpuChoice, IpcChoice, NamespaceChoice, NetworkChoice};

const BYTES_PER_MIB: u64 = 1024 * 1024;

/// The `HostConfig` object.
pub(super) fn host_config(spec: &ContainerSpec) -> Value {
    let mut body = Body::default();
    mounts(spec, &mut body);
    limits(spec, &mut body);
    namespaces(spec, &mut body);
    names(spec, &mut body);
    rights(spec, &mut body);
    gpus(spec, &mut body);
    log(spec, &mut body);
    body.into_value()
}

fn mounts(spec: &ContainerSpec, body: &mut Body) {
    let read_only = |flag: bool| if flag { ":ro" } else { "" };
    let binds = spec.binds.iter();
    body.set_list(
        "Binds",
        binds.map(|bind| {
            format!(
                "{}:{}{}",
                bind.source,
                bind.target,
                read_only(bind.read_only)
            )
        }),
    );
    let from = spec.volumes_from.iter();
    body.set_list(
        "VolumesFrom",
        from.map(|(name, flag)| format!("{name}{}", read_only(*flag))),
    );
    let parameters = &spec.definition.linux_parameters;
    let tmpfs = parameters.tmpfs.iter().map(|mount| {
        let mut options = mount.mount_options.clone();
        options.push(format!("size={}m", mount.size_mib));
        (&mount.container_path, Value::from(options.join(",")))
    });
    body.set_map("Tmpfs", tmpfs);
    let devices = parameters.devices.iter().map(|device| {
        json!({
            "PathOnHost": device.host_path,
            "PathInContainer": device.container_path,
            "CgroupPermissions": device.permissions,
        })
    });
    body.set_list("Devices", devices);
}

fn limits(spec: &ContainerSpec, body: &mut Body) {
    let bytes = |mib: u32| u64::from(mib).saturating_mul(BYTES_PER_MIB);
    let parameters = &spec.definition.linux_parameters;
    body.set_some("Memory", spec.memory_mib.map(bytes));
    let reservation = spec.definition.memory_reservation_mib;
    body.set_some("MemoryReservation", reservation.map(bytes));
    // AWS: `maxSwap` is swap on top of memory, Docker's number is both together; `swappiness` counts only with it.
    if let (Some(memory), Some(swap)) = (spec.memory_mib, parameters.max_swap_mib) {
        body.set("MemorySwap", bytes(memory).saturating_add(bytes(swap)));
        body.set_some("MemorySwappiness", parameters.swappiness);
    }
    body.set("CpuShares", spec.cpu_shares);
    body.set_some("CpuPercent", spec.cpu_percent);
    body.set_some("CgroupParent", spec.cgroup_parent.as_deref());
    body.set_some("ShmSize", parameters.shared_memory_mib.map(bytes));
    let ulimits = spec
        .definition
        .ulimits
        .iter()
        .map(|limit| json!({ "Name": limit.name, "Soft": limit.soft, "Hard": limit.hard }));
    body.set_list("Ulimits", ulimits);
    body.set_map("Sysctls", &spec.definition.system_controls);
}

fn namespaces(spec: &ContainerSpec, body: &mut Body) {
    let network = match &spec.network {
        NetworkChoice::Bridge => "bridge".to_owned(),
        NetworkChoice::Nat => "nat".to_owned(),
        NetworkChoice::Host => "host".to_owned(),
        NetworkChoice::None => "none".to_owned(),
        NetworkChoice::Container(name) => format!("container:{name}"),
    };
    body.set("NetworkMode", network);
    let pid = match &spec.pid {
        NamespaceChoice::Private => None,
        NamespaceChoice::Host => Some("host".to_owned()),
        NamespaceChoice::Container(name) => Some(format!("container:{name}")),
    };
    body.set_some("PidMode", pid);
    let ipc = match &spec.ipc {
        IpcChoice::Default => None,
        IpcChoice::None => Some("none".to_owned()),
        IpcChoice::Host => Some("host".to_owned()),
        IpcChoice::Shareable => Some("shareable".to_owned()),
        IpcChoice::Container(name) => Some(format!("container:{name}")),
    };
    body.set_some("IpcMode", ipc);
}

fn names(spec: &ContainerSpec, body: &mut Body) {
    // One container port may have several host ports.
    let mut bindings: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for port in &spec.ports {
        let host_port = port.host_port.map_or_else(String::new, |p| p.to_string());
        bindings
            .entry((port.container_port, port.protocol))
            .or_default()
            .push(json!({ "HostPort": host_port }));
    }
    let bindings = bindings
        .into_iter()
        .map(|((port, protocol), list)| (port_key(port, protocol), Value::from(list)));
    body.set_map("PortBindings", bindings);
    let links = spec.links.iter();
    body.set_list(
        "Links",
        links.map(|(name, alias)| format!("{name}:{alias}")),
    );
    let definition = &spec.definition;
    body.set_list("Dns", definition.dns_servers.clone());
    body.set_list("DnsSearch", definition.dns_search_domains.clone());
    let hosts = definition.extra_hosts.iter().chain(&spec.extra_hosts);
    body.set_list(
        "ExtraHosts",
        hosts.map(|(host, address)| format!("{host}:{address}")),
    );
}

fn rights(spec: &ContainerSpec, body: &mut Body) {
    let definition = &spec.definition;
    let parameters = &definition.linux_parameters;
    body.set_flag("Privileged", definition.privileged);
    body.set_flag("ReadonlyRootfs", definition.readonly_root_filesystem);
    body.set_list("CapAdd", parameters.capabilities_add.clone());
    body.set_list("CapDrop", parameters.capabilities_drop.clone());
    body.set_list("SecurityOpt", definition.docker_security_options.clone());
    body.set_flag("Init", parameters.init_process_enabled);
}

fn gpus(spec: &ContainerSpec, body: &mut Body) {
    match &spec.gpus {
        None => {}
        Some(GpuChoice::Runtime(name)) => body.set("Runtime", name.as_str()),
        Some(GpuChoice::Devices(ids)) => {
            let request = json!({ "DeviceIDs": ids, "Capabilities": [["gpu"]] });
            body.set_list("DeviceRequests", [request]);
        }
    }
}

fn log(spec: &ContainerSpec, body: &mut Body) {
    let config = match &spec.log {
        Some(log) => {
            let mut config = Body::default();
            config.set("Type", log.driver.as_str());
            config.set_map("Config", &log.options);
            Some(config.into_value())
        }
        // Nobody reads what a pause container says.
        None if spec.pause => Some(json!({ "Type": "none" })),
        None => None,
    };
    body.set_some("LogConfig", config);
}
