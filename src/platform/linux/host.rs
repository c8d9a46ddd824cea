//! The host as the engine sees it. Every call is bounded in time, and what may block runs on a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::cgroup::{CgroupError, Limits, Systemd, Tree, prepare};
use super::io_kind::kind_of;
use super::{capacity, disk, sockets};
use crate::boundary::host::{CgroupLimits, DiskSpace, PortHolder};
use crate::boundary::{BoundaryError, ErrorKind, Host};
use crate::domain::host::CgroupSupport;
use crate::domain::ids::TaskId;
use crate::domain::port_mapping::Protocol;
use crate::domain::runtime::RuntimeInfo;
use crate::platform::ports;

/// Longest call into the kernel. A file system that answers later is as good as gone.
const KERNEL_LIMIT: Duration = Duration::from_secs(10);

/// Calls that may hang at once, each on its own thread; more are refused rather than piled up behind a dead disk.
const MAX_HANGING: usize = 32;

/// Settings of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostOptions {
    /// Where cgroups are mounted (`ECS_CGROUP_PATH`).
    pub cgroup_root: PathBuf,
    /// Period of CPU quotas (`ECS_CGROUP_CPU_PERIOD`), 8 to 100 ms.
    pub cpu_period: Duration,
    /// Most processes of a task (`ECS_TASK_PIDS_LIMIT`).
    pub pids_limit: Option<u32>,
    /// Program that speaks with systemd; `None` leaves systemd out, which only a tree without systemd bears.
    pub systemctl: Option<PathBuf>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            cgroup_root: PathBuf::from("/sys/fs/cgroup"),
            cpu_period: Duration::from_millis(100),
            pids_limit: None,
            systemctl: Some(PathBuf::from("systemctl")),
        }
    }
}

impl HostOptions {
    /// What operators set; the rest is as usual.
    pub fn of(cgroup_root: Option<PathBuf>, cpu_period: Duration, pids_limit: Option<u32>) -> Self {
        let usual = Self::default();
        Self {
            cgroup_root: cgroup_root.unwrap_or(usual.cgroup_root),
            cpu_period,
            pids_limit,
            systemctl: usual.systemctl,
        }
    }
}

/// This host.
#[derive(Debug)]
pub struct HostOs {
    tree: Tree,
    options: HostOptions,
    support: Mutex<CgroupSupport>,
    hanging: Arc<Semaphore>,
}

impl HostOs {
    /// Tasks have no cgroups until [`HostOs::probe_cgroups`] has found some.
    pub fn new(options: HostOptions) -> Self {
        Self {
            tree: Tree {
                root: options.cgroup_root.clone(),
            },
            options,
            support: Mutex::new(CgroupSupport::None),
            hanging: Arc::new(Semaphore::new(MAX_HANGING)),
        }
    }

    /// Finds out which cgroups tasks can have with this container engine, and uses them from now on. Where they should
    /// work but do not, the cause is logged and there are none.
    pub async fn probe_cgroups(&self, info: &RuntimeInfo) -> CgroupSupport {
        let found = if capacity::is_root() {
            self.try_cgroups(info).await
        } else {
            Ok(CgroupSupport::None)
        };
        let support = found.unwrap_or_else(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                event = "cgroups-unavailable",
                error,
                "tasks have no cgroups: their limits are not enforced"
            );
            CgroupSupport::None
        });
        *self.support.lock().unwrap_or_else(PoisonError::into_inner) = support;
        support
    }

    async fn try_cgroups(&self, info: &RuntimeInfo) -> Result<CgroupSupport, BoundaryError> {
        let operation = "prepare the parent of task cgroups".to_owned();
        let (tree, pids) = (self.tree.clone(), self.options.pids_limit);
        let (version, driver) = (info.cgroup_version.clone(), info.cgroup_driver.clone());
        let prepared = self.blocking(&operation, move || {
            prepare(&tree, (&version, &driver), pids)
        });
        let support = prepared
            .await?
            .map_err(|error| error.into_boundary(operation))?;
        if let Some(systemd) = self.systemd(support) {
            systemd.answers().await?;
        }
        Ok(support)
    }

    fn support(&self) -> CgroupSupport {
        *self.support.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// systemd, where it has to know about slices.
    fn systemd(&self, support: CgroupSupport) -> Option<Systemd> {
        let systemctl = self.options.systemctl.clone();
        let knows = support == CgroupSupport::V2Systemd;
        systemctl
            .filter(|_| knows)
            .map(|systemctl| Systemd { systemctl })
    }

    /// Runs a call that may block on a thread of its own, for as long as [`KERNEL_LIMIT`]. A call that hangs longer is
    /// left to its thread.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &str,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BoundaryError> {
        let permit = Arc::clone(&self.hanging).try_acquire_owned();
        let permit = permit.map_err(|_| {
            BoundaryError::new(
                operation,
                ErrorKind::Transient,
                "too many calls hang already",
            )
        })?;
        let thread = tokio::task::spawn_blocking(move || {
            let result = call();
            drop(permit);
            result
        });
        match tokio::time::timeout(KERNEL_LIMIT, thread).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                let message = "the call did not end properly";
                Err(BoundaryError::new(operation, ErrorKind::Transient, message).because(error))
            }
            Err(_) => Err(BoundaryError::deadline(operation, KERNEL_LIMIT)),
        }
    }

    async fn in_tree(
        &self,
        operation: String,
        work: impl FnOnce(&Tree, CgroupSupport) -> Result<(), CgroupError> + Send + 'static,
    ) -> Result<(), BoundaryError> {
        let (tree, support) = (self.tree.clone(), self.support());
        let done = self
            .blocking(&operation, move || work(&tree, support))
            .await?;
        done.map_err(|error| error.into_boundary(operation))
    }
}

#[async_trait]
impl Host for HostOs {
    async fn create_cgroup(
        &self,
        task: &TaskId,
        limits: CgroupLimits,
    ) -> Result<(), BoundaryError> {
        let limits = Limits {
            task: limits,
            cpu_period: self.options.cpu_period,
            pids: self.options.pids_limit,
        };
        if let Some(systemd) = self.systemd(self.support()) {
            systemd.start(task, limits).await?;
        }
        let id = task.clone();
        let operation = format!("create the cgroup of task {task}");
        self.in_tree(operation, move |tree, support| {
            tree.create(support, &id, limits)
        })
        .await
    }

    async fn remove_cgroup(&self, task: &TaskId) -> Result<(), BoundaryError> {
        let id = task.clone();
        let operation = format!("remove the cgroup of task {task}");
        // The directory goes first: the kernel refuses while a process is in it, systemd would end the process.
        self.in_tree(operation, move |tree, support| tree.remove(support, &id))
            .await?;
        match self.systemd(self.support()) {
            Some(systemd) => systemd.forget(task).await,
            None => Ok(()),
        }
    }

    async fn port_holder(&self, port: u16, protocol: Protocol) -> Option<PortHolder> {
        let find = move || sockets::holder("/proc".as_ref(), port, protocol);
        self.blocking("find the holder of a port", find)
            .await
            .ok()
            .flatten()
    }

    async fn listeners(&self, address: SocketAddr) -> Vec<PortHolder> {
        let find = move || sockets::listeners("/proc".as_ref(), address);
        self.blocking("find who listens at an address", find)
            .await
            .unwrap_or_default()
    }

    async fn port_is_free(&self, port: u16, protocol: Protocol) -> bool {
        // Binding is a call that does not wait.
        ports::is_free(port, protocol)
    }

    async fn disk_space(&self, path: &str) -> Result<DiskSpace, BoundaryError> {
        let operation = format!("read the space of {path}");
        let path = PathBuf::from(path);
        let space = self
            .blocking(&operation, move || disk::space(&path))
            .await?;
        space.map_err(|errno| {
            let cause = io::Error::from(errno);
            BoundaryError::new(operation, kind_of(&cause), errno.desc()).because(cause)
        })
    }
}
