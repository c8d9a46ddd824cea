//! Windows: who asks for the end, the named pipe of the admin API, the registry, the service manager, ports and disks.
//! What Windows has no counterpart of, or nothing here reaches yet, is what a system without support gives.

mod console;

mod event_log;

mod host;

mod named_pipe;

mod registry;

mod service;

mod task_link;

pub use super::unsupported::{
    AgentProcess, BarrierOs, ParentSignals, PeersOs, Program, RedirectOs, UsageOptions, UsageOs,
    capacity, dynamic_ports, end_with_parent, forget_key, handed_descriptors, is_root, kept_key,
    listen_ahead, missing_here, parent_id, release_start_up_code,
};
pub use event_log::EventLog;
pub use host::{HostOptions, HostOs};
pub use named_pipe::{KeptLocal, LocalListener, LocalStream, MAY_CONNECT, connect_local};
pub use registry::os_version;
pub use service::{install, run, start, status, stop, uninstall};
pub use task_link::TaskLink;

pub(super) use console::Signals;
