//! Linux: cgroups, the kernel's tables under `/proc`, file system space, the link of the task server's address,
//! who has connected.

mod host;

mod capacity;

mod io_kind;

mod default_routes;

mod disk;

mod sockets;

mod cgroup;

mod link;

mod peers;

mod nftables;

mod barrier;

mod lead;

mod redirect;

mod usage;

mod memory;

mod handed;

mod agent_process;

mod keyring;

mod going_down;

mod descriptors;

pub use agent_process::{AgentProcess, ParentSignals, Program};
pub use barrier::BarrierOs;
pub use capacity::{
    capacity, cloud_init_result, dynamic_ports, in_fips_mode, is_of_administrators, is_root,
    missing_here, os_version,
};
pub use default_routes::is_ipv6_only;
pub use descriptors::raise_open_files;
pub use going_down::host_goes_down;
pub use handed::{end_with_parent, handed_descriptors, listen_ahead, may_listen, parent_id};
pub use host::{HostOptions, HostOs};
pub use keyring::{forget_key, kept_key};
pub use lead::LeadOs;
pub use link::TaskLink;
pub use memory::{release_start_up_code, share_heaps};
pub use peers::PeersOs;
pub use redirect::RedirectOs;
pub use usage::{UsageOptions, UsageOs};

pub use super::no_service::{EventLog, install, run, start, status, stop, uninstall};
pub use super::unix_local::{KeptLocal, LocalListener, LocalStream, MAY_CONNECT, connect_local};
pub(super) use super::unix_signals::Signals;

#[cfg(test)]
mod lab;

#[cfg(test)]
mod tests;
