//! A state change in the SDK's types.

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{ContainerStateChange, NetworkBinding, TransportProtocol};

use crate::domain::ids::UnixMillis;
use crate::ecs::report::{self, ContainerChange, PortsReported};

/// One container.
pub(super) fn container(change: &ContainerChange) -> ContainerStateChange {
    let bindings: Vec<NetworkBinding> = change.network_bindings.iter().map(binding).collect();
    ContainerStateChange::builder()
        .container_name(&change.name)
        .status(change.status)
        .set_runtime_id(change.runtime_id.clone())
        .set_exit_code(change.exit_code)
        .set_reason(change.reason.clone())
        .set_image_digest(change.image_digest.clone())
        .set_network_bindings((!bindings.is_empty()).then_some(bindings))
        .build()
}

fn binding(binding: &report::NetworkBinding) -> NetworkBinding {
    let built = NetworkBinding::builder()
        .bind_ip(&binding.bind_ip)
        .protocol(TransportProtocol::from(binding.protocol));
    match &binding.ports {
        PortsReported::One(container, host) => built
            .container_port(i32::from(*container))
            .host_port(i32::from(*host)),
        PortsReported::Range(container, host) => {
            built.container_port_range(container).host_port_range(host)
        }
    }
    .build()
}

/// Whole milliseconds.
pub(super) fn instant(at: UnixMillis) -> DateTime {
    DateTime::from_millis(at.0)
}
