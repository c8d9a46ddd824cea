//! What differs between operating systems, and the little that every system gives: clock, programs, paths, locks.
//!
//! `os` is the system that the agent was built for; all of them offer the same names. What one of them cannot do it
//! says with a typed error, never by doing nothing.
//!
//! **Invariant.** This is the only place with `cfg(target_os)`, and the only one that runs programs.

pub mod clock;

pub mod command;

pub mod lock;

pub mod local;

pub mod paths;

pub mod private;

pub mod rotating;

pub mod service;

// Compiled for the tests of every system.
#[cfg(any(windows, test))]
mod service_course;

pub mod task_host;

// Compiled for the tests of every system.
#[cfg(any(windows, test))]
mod port_owner;

pub mod signals;

pub mod event_log;

pub mod facts;

mod gpus;

pub mod os_family;

pub mod process;

mod bridge;

pub mod handed;

pub mod kept_key;

pub mod own_files;

mod ports;

#[cfg(not(windows))]
mod no_service;

#[cfg(unix)]
mod unix_local;

#[cfg(unix)]
mod unix_signals;

#[cfg(target_os = "linux")]
mod port_table;

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
use linux as os;

#[cfg(windows)]
mod windows;

#[cfg(windows)]
use windows as os;

// Compiled for the tests of every system, so that it keeps compiling.
#[cfg(any(not(target_os = "linux"), test))]
pub mod unsupported;

#[cfg(not(any(target_os = "linux", windows)))]
use unsupported as os;

pub use bridge::docker_bridge_address;
pub use clock::{SystemClock, SystemIds};
pub use facts::{Capacity, FactSettings, RawFacts, host_facts};
pub use gpus::{GpuListError, listed_gpus};
pub use handed::{Asked, ChildNews, Handed, KeptSocket, Launch, Listening};
pub use kept_key::{KEY_BYTES, KeptKey};
pub use lock::{DataDirLock, LockError};
pub use os::{
    AgentProcess, BarrierOs, HostOptions, HostOs, LeadOs, ParentSignals, PeersOs, Program,
    RedirectOs, TaskLink, UsageOptions, UsageOs, capacity, cloud_init_result, dynamic_ports,
    end_with_parent, forget_key, handed_descriptors, host_goes_down, in_fips_mode, is_ipv6_only,
    is_of_administrators, is_root, kept_key, listen_ahead, may_listen, missing_here, os_version,
    parent_id, raise_open_files, release_start_up_code, share_heaps,
};
pub use own_files::{same_disk, tree_bytes};
pub use private::{
    closed_directory, exchange_file, own_directory, private_directory, private_file,
    readable_directory, readable_file,
};
pub use process::{ProcessFigures, process_figures};
pub use signals::{ShutdownSignals, Stage, shutdown_signals};
