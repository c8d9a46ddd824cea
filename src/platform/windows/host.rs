//! This host as Windows shows it: who has a port, how much room is on a disk, how many CPUs there are. There are no
//! cgroups.

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows_sys::Win32::System::Threading::{ALL_PROCESSOR_GROUPS, GetActiveProcessorCount};

use crate::boundary::host::{CgroupLimits, DiskSpace, PortHolder};
use crate::boundary::{BoundaryError, ErrorKind, Host};
use crate::domain::host::CgroupSupport;
use crate::domain::ids::TaskId;
use crate::domain::port_mapping::Protocol;
use crate::domain::runtime::RuntimeInfo;
use crate::platform::command::Command;
use crate::platform::facts::Capacity;
use crate::platform::port_owner::{name_of_process, netstat_args, process_of_port, tasklist_args};
use crate::platform::ports;
pub use crate::platform::unsupported::HostOptions;

/// Longest run of a program that shows something.
const SHOW_LIMIT: Duration = Duration::from_secs(10);

/// This host.
#[derive(Debug)]
pub struct HostOs {}

impl HostOs {
    /// Takes options like the other systems do.
    pub fn new(_options: HostOptions) -> Self {
        Self {}
    }

    /// There are no cgroups.
    #[expect(clippy::unused_async, reason = "the same signature on every system")]
    pub async fn probe_cgroups(&self, _info: &RuntimeInfo) -> CgroupSupport {
        CgroupSupport::None
    }
}

#[async_trait]
impl Host for HostOs {
    async fn create_cgroup(&self, task: &TaskId, _: CgroupLimits) -> Result<(), BoundaryError> {
        Err(BoundaryError::new(
            format!("create the cgroup of task {task}"),
            ErrorKind::Invalid,
            "Windows has no cgroups",
        ))
    }

    async fn remove_cgroup(&self, _: &TaskId) -> Result<(), BoundaryError> {
        // None can have been made.
        Ok(())
    }

    async fn port_holder(&self, port: u16, protocol: Protocol) -> Option<PortHolder> {
        let printed = show("netstat", &netstat_args(protocol)).await?;
        let pid = process_of_port(&printed, port, protocol)?;
        let named = show("tasklist", &tasklist_args(pid)).await;
        let command = named.and_then(|printed| name_of_process(&printed, pid));
        Some(PortHolder {
            pid,
            command: command.unwrap_or_default(),
        })
    }

    async fn port_is_free(&self, port: u16, protocol: Protocol) -> bool {
        ports::is_free(port, protocol)
    }

    async fn disk_space(&self, path: &str) -> Result<DiskSpace, BoundaryError> {
        let path = PathBuf::from(path);
        let shown = path.display().to_string();
        let read = tokio::task::spawn_blocking(move || space(&path)).await;
        let read = read.map_err(io::Error::other).and_then(|space| space);
        read.map_err(|error| {
            let operation = format!("read the space of {shown}");
            BoundaryError::new(operation, ErrorKind::Invalid, "the disk does not say")
                .because(error)
        })
    }
}

/// CPUs of all groups of processors: a group has 64 at most, and the standard library, like Docker, counts those of one.
/// The memory is not known here.
pub fn capacity() -> Capacity {
    #[expect(
        unsafe_code,
        reason = "the standard library counts the CPUs of one group"
    )]
    // SAFETY: The call takes a number and gives one; a failure is 0, which counts as not known.
    let cpus = unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) };
    Capacity {
        cpus,
        memory_bytes: 0,
    }
}

/// What the program prints, if it is there and does well.
async fn show(program: &str, args: &[String]) -> Option<String> {
    let output = Command::new(program, SHOW_LIMIT)
        .args(args)
        .run()
        .await
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Space of the disk that holds the directory, as this process may use it. Blocks while the disk does not answer.
fn space(directory: &Path) -> io::Result<DiskSpace> {
    let wide: Vec<u16> = directory.as_os_str().encode_wide().chain([0]).collect();
    let (mut free_bytes, mut total_bytes) = (0_u64, 0_u64);
    #[expect(
        unsafe_code,
        reason = "the standard library does not say how full a disk is"
    )]
    // SAFETY: The name ends with a zero, both places are valid, and the third figure is not asked for.
    let read = unsafe {
        GetDiskFreeSpaceExW(
            wide.as_ptr(),
            &raw mut free_bytes,
            &raw mut total_bytes,
            std::ptr::null_mut(),
        )
    };
    if read == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(DiskSpace {
        free_bytes,
        total_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_cpus() {
        let one_group = std::thread::available_parallelism().map_or(1, usize::from);
        assert!(usize::try_from(capacity().cpus).unwrap() >= one_group);
    }

    #[tokio::test]
    async fn a_disk_says_how_full_it_is_and_a_path_that_is_not_there_says_nothing() {
        let host = HostOs::new(HostOptions::default());
        let space = host.disk_space(r"C:\").await.unwrap();
        assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes);
        assert!(host.disk_space(r"C:\no\such\place").await.is_err());
    }
}
