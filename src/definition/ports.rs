//! Port mappings.

use super::context::{Context, TakenPorts};
use super::reader::{Cursor, Kind, Object, quote};
use super::sizes::Quantity;
use crate::domain::definition::NetworkMode;
use crate::domain::port_mapping::{ContainerPorts, PortMapping, Protocol};

static PORT_MAPPING: Kind = Kind {
    name: "a port mapping",
    fields: &[
        "containerPort",
        "containerPortRange",
        "hostPort",
        "protocol",
        "name",
        "appProtocol",
    ],
    ignored: &["hostPortRange"],
    sibling: None,
};

const PROTOCOLS: [(&str, Protocol); 2] = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];

const APP_PROTOCOLS: [(&str, &str); 3] = [("http", "http"), ("http2", "http2"), ("grpc", "grpc")];

/// Reads one entry of `portMappings` and takes its ports.
pub(super) fn read(cursor: &Cursor<'_>, context: &Context) -> Option<PortMapping> {
    let object = cursor.object(&PORT_MAPPING)?;
    let container = read_container_ports(&object);
    let host_port = object
        .number::<u16>("hostPort", Quantity::Count, 0..=u16::MAX)
        .filter(|&port| port != 0);
    let protocol = read_protocol(&object);
    let name = object.text("name");
    let app_protocol = object
        .choice("appProtocol", &APP_PROTOCOLS)
        .map(str::to_owned);
    let mapping = PortMapping {
        container: container?,
        host_port,
        protocol: protocol?,
        name,
        app_protocol,
    };
    check_host_port(&object, &mapping, context.network_mode);
    if let Some((first, last)) = taken(&mapping, context.network_mode) {
        context.taken_ports.borrow_mut().push(TakenPorts {
            protocol: mapping.protocol,
            first,
            last,
            path: cursor.path.clone(),
        });
    }
    Some(mapping)
}

fn read_container_ports(object: &Object<'_>) -> Option<ContainerPorts> {
    let Some(range) = object.get("containerPortRange") else {
        let port = object
            .required("containerPort")?
            .number(Quantity::Count, 1..=u16::MAX)?;
        return Some(ContainerPorts::Single(port));
    };
    if object.get("containerPort").is_some() {
        range.rule("stands beside containerPort: give one of them");
    }
    let text = range.text()?;
    let bounds = text.split_once('-').and_then(|(first, last)| {
        let first: u16 = first.trim().parse().ok()?;
        let last: u16 = last.trim().parse().ok()?;
        (1 <= first && first <= last).then_some(ContainerPorts::Range { first, last })
    });
    if bounds.is_none() {
        range.error(format!(
            "must be first-last with 1 <= first <= last <= 65535, is {}",
            quote(&text)
        ));
    }
    bounds
}

fn read_protocol(object: &Object<'_>) -> Option<Protocol> {
    let Some(cursor) = object.get("protocol") else {
        return Some(Protocol::default());
    };
    if let Some(word @ ("http" | "http2" | "https" | "grpc")) = cursor.value.as_str() {
        cursor.error(format!(
            "must be tcp, udp, is \"{word}\": write tcp; appProtocol says what is spoken over it"
        ));
        return None;
    }
    cursor.choice(&PROTOCOLS)
}

fn check_host_port(object: &Object<'_>, mapping: &PortMapping, mode: NetworkMode) {
    let Some(host_port) = mapping.host_port else {
        return;
    };
    let mode_name = match mode {
        NetworkMode::Host => "host",
        NetworkMode::Awsvpc => "awsvpc",
        NetworkMode::Bridge | NetworkMode::None => "",
    };
    match mapping.container {
        ContainerPorts::Range { .. } => object.rule(
            "hostPort",
            "must be absent beside containerPortRange: the agent chooses the host's ports",
        ),
        ContainerPorts::Single(port) if port != host_port && !mode_name.is_empty() => object.rule(
            "hostPort",
            format!(
                "must be absent or {port} like containerPort in network mode {mode_name}, is {host_port}"
            ),
        ),
        ContainerPorts::Single(_) => {}
    }
}

/// First and last port that the mapping takes where the task's containers, or the host's, share ports.
fn taken(mapping: &PortMapping, mode: NetworkMode) -> Option<(u16, u16)> {
    match mode {
        NetworkMode::None => None,
        NetworkMode::Bridge => mapping.host_port.map(|port| (port, port)),
        NetworkMode::Host | NetworkMode::Awsvpc => {
            let first = mapping.container.first();
            let further = mapping.container.count().saturating_sub(1);
            Some((first, first.saturating_add(further)))
        }
    }
}
