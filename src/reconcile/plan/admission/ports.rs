//! Host ports for `containerPortRange`: contiguous, drawn round robin from the host's dynamic range.
//!
//! Not here: whether a socket can be bound. Who knows of a bound port counts it among the taken ones.

use std::collections::BTreeSet;

use crate::domain::host::HostFacts;
use crate::domain::port_mapping::Protocol;

/// The first port of `count` contiguous ones that are neither reserved nor taken, searched once around the host's
/// dynamic range from behind `start_after`, the port that was drawn last; `None` if there are none.
pub fn choose_ports(
    count: u16,
    protocol: Protocol,
    host: &HostFacts,
    taken: &BTreeSet<(u16, Protocol)>,
    start_after: u16,
) -> Option<u16> {
    let (low, high) = host.dynamic_ports;
    let start = match start_after.checked_add(1) {
        Some(next) if (low..=high).contains(&next) => next,
        Some(_) | None => low,
    };
    let usable = |port: u16| {
        let key = (port, protocol);
        !host.reserved_ports.contains(&key) && !taken.contains(&key)
    };
    // Ranges that begin before `start` may reach past it.
    let wrapped_end = start.saturating_add(count.saturating_sub(2)).min(high);
    first_run(start, high, count, &usable).or_else(|| first_run(low, wrapped_end, count, &usable))
}

/// First port of the first `count` ports in a row in `from..=to` that are all usable.
fn first_run(from: u16, to: u16, count: u16, usable: &dyn Fn(u16) -> bool) -> Option<u16> {
    let mut run = 0_u16;
    for port in from..=to {
        run = if usable(port) {
            run.saturating_add(1)
        } else {
            0
        };
        if run > 0 && run == count {
            return Some(port.saturating_sub(count.saturating_sub(1)));
        }
    }
    None
}
