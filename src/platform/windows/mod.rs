//! Windows: who asks for the end, the named pipe of the admin API, the registry, the service manager, ports and disks.
//! What Windows has no counterpart of, or nothing here reaches yet, is what a system without support gives.

mod console;

mod event_log;

mod host;

mod named_pipe;

mod registry;

mod rights;

mod service;

mod task_link;

pub use super::unsupported::{
    AgentProcess, BarrierOs, LeadOs, ParentSignals, PeersOs, Program, RedirectOs, UsageOptions,
    UsageOs, cloud_init_result, dynamic_ports, end_with_parent, forget_key, handed_descriptors,
    in_fips_mode, is_ipv6_only, is_root, kept_key, listen_ahead, may_listen, missing_here,
    parent_id, raise_open_files, release_start_up_code, share_heaps,
};
pub use event_log::EventLog;
pub use host::{HostOptions, HostOs, capacity};
pub use named_pipe::{KeptLocal, LocalListener, LocalStream, MAY_CONNECT, connect_local};
pub use registry::os_version;
pub use rights::is_of_administrators;
pub use service::{host_goes_down, install, run, start, status, stop, uninstall};
pub use task_link::TaskLink;

pub(super) use console::Signals;
pub(super) use rights::{closed_directory, let_read, own_directory, private_directory};
