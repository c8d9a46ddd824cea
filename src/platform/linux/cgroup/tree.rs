//! Directories and files of a cgroup tree, under a root that tests choose.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::boundary::host::CgroupLimits;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::platform::linux::io_kind::kind_of;

/// A cgroup tree.
#[derive(Clone, Debug)]
pub(in crate::platform::linux) struct Tree {
    /// Where the controllers are mounted: `/sys/fs/cgroup`.
    pub(in crate::platform::linux) root: PathBuf,
}

/// Limits of one task's cgroup with the settings that are equal for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::platform::linux) struct Limits {
    /// What the task says.
    pub(in crate::platform::linux) task: CgroupLimits,
    /// Period of the CPU quota (`ECS_CGROUP_CPU_PERIOD`).
    pub(in crate::platform::linux) cpu_period: Duration,
    /// Most processes (`ECS_TASK_PIDS_LIMIT`).
    pub(in crate::platform::linux) pids: Option<u32>,
}

/// One setting: file name and content.
pub(super) type Setting = (&'static str, String);

/// Why a cgroup is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(in crate::platform::linux) enum CgroupError {
    /// This host has no cgroups for tasks.
    #[error("tasks have no cgroups on this host")]
    Unsupported,
    /// A directory.
    #[error("{what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A setting.
    #[error("write {value:?} to {}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// What was written.
        value: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A controller that the kernel did not turn on.
    #[error("the controller {controller} is not on in {}", path.display())]
    NoController {
        /// Cgroup.
        path: PathBuf,
        /// Controller.
        controller: &'static str,
    },
}

impl CgroupError {
    /// As the engine sees it.
    pub(in crate::platform::linux) fn into_boundary(self, operation: String) -> BoundaryError {
        let kind = match &self {
            Self::Unsupported | Self::NoController { .. } => ErrorKind::Invalid,
            Self::Io { source, .. } | Self::Write { source, .. } => kind_of(source),
        };
        BoundaryError::new(operation, kind, self.to_string()).because(self)
    }
}

impl Limits {
    /// CPU quota in microseconds of each period, at least the kernel's 1,000; `None` = no quota.
    pub(super) fn quota_micros(self) -> Option<u64> {
        let quota = |millis: u64| millis.saturating_mul(self.period_micros()) / 1000;
        self.task.cpu_millis.map(|millis| quota(millis).max(1000))
    }

    /// Period of the quota in microseconds.
    pub(super) fn period_micros(self) -> u64 {
        u64::try_from(self.cpu_period.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Tree {
    /// The directory exists.
    pub(super) fn make_dir(&self, path: &Path) -> Result<(), CgroupError> {
        let path = self.root.join(path);
        match fs::create_dir(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(CgroupError::Io {
                what: "make the cgroup",
                path,
                source,
            }),
            _ => Ok(()),
        }
    }

    /// The settings are made in this order.
    pub(super) fn set(&self, dir: &Path, settings: &[Setting]) -> Result<(), CgroupError> {
        for (file, value) in settings {
            let path = self.root.join(dir).join(file);
            fs::write(&path, value).map_err(|source| CgroupError::Write {
                path,
                value: value.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Content of a setting without the line's end.
    pub(super) fn get(&self, path: &Path) -> Result<String, CgroupError> {
        let path = self.root.join(path);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(source) => Err(CgroupError::Io {
                what: "read",
                path,
                source,
            }),
        }
    }

    /// The directory and those in it are gone. The files in it are the kernel's and go with it.
    pub(super) fn remove_dir(&self, path: &Path) -> Result<(), CgroupError> {
        let path = self.root.join(path);
        remove_with_children(&path).map_err(|source| CgroupError::Io {
            what: "remove the cgroup",
            path,
            source,
        })
    }
}

fn remove_with_children(path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_with_children(&entry.path())?;
        }
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
