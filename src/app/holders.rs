//! Which of the processes that have a socket it is about: a service manager keeps those of others.

use crate::boundary::host::PortHolder;

/// The process that keeps sockets for others on Linux.
const INIT: u32 = 1;

/// Whether it is an agent of this program, or its parent.
pub(super) fn is_berth(holder: &PortHolder) -> bool {
    holder.command.starts_with("berth")
}

/// Whether it has sockets for others only.
pub(super) fn is_keeper(holder: &PortHolder) -> bool {
    holder.pid == INIT && holder.command == "systemd"
}

/// The one that people are told of.
pub(super) fn user_of(holders: &[PortHolder]) -> Option<&PortHolder> {
    let mut users = holders.iter().filter(|holder| !is_keeper(holder));
    users.next().or_else(|| holders.first())
}
