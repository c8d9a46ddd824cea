//! A system that the agent cannot work on yet. Everything is there so that the rest compiles; what would need the
//! system says that it does not have it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use super::facts::Capacity;
use super::handed::{Asked, ChildNews, Handed, Launch};
use super::kept_key::{KEY_BYTES, KeptKey};
use super::os_family::OsVersion;
use super::ports;
use crate::boundary::connections::{Connections, Ends, Holder, NoConnections};
use crate::boundary::host::{CgroupLimits, DiskSpace, PortHolder};
use crate::boundary::usage::{UsageRound, UsageTarget};
use crate::boundary::{
    BoundaryError, ErrorKind, HeldAddress, Host, MetadataBarrier, TaskAddress, TaskLead,
    TaskRedirect, UsageSource,
};
use crate::domain::host::CgroupSupport;
use crate::domain::ids::TaskId;
use crate::domain::port_mapping::Protocol;
use crate::domain::runtime::RuntimeInfo;
use crate::domain::secret::Secret;

#[cfg(all(unix, not(target_os = "linux")))]
pub use super::no_service::{EventLog, install, run, start, status, stop, uninstall};
#[cfg(all(unix, not(target_os = "linux")))]
pub use super::unix_local::{KeptLocal, LocalListener, LocalStream, MAY_CONNECT, connect_local};
#[cfg(all(unix, not(target_os = "linux")))]
pub(super) use super::unix_signals::Signals;

/// Nobody says so here.
#[expect(clippy::unused_async, reason = "the same signature on every system")]
pub async fn host_goes_down() -> bool {
    false
}

/// There is nothing to set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostOptions {}

impl HostOptions {
    /// Takes what the other systems do.
    pub fn of(
        _cgroup_root: Option<PathBuf>,
        _cpu_period: Duration,
        _pids_limit: Option<u32>,
    ) -> Self {
        Self {}
    }
}

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

/// The address of the task server, which this host cannot be given.
#[derive(Debug, Default)]
pub struct TaskLink {}

#[async_trait]
impl TaskAddress for TaskLink {
    async fn ensure(&self) -> Result<HeldAddress, BoundaryError> {
        Err(missing("set up the address of the task server".to_owned()))
    }

    async fn look(&self) -> Result<Option<HeldAddress>, BoundaryError> {
        Ok(None)
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        // It cannot have been set up.
        Ok(())
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        std::future::pending().await
    }
}

/// There is nothing to set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageOptions {}

impl UsageOptions {
    /// Takes a place like the other systems do.
    pub fn at(_cgroup_root: Option<PathBuf>) -> Self {
        Self {}
    }
}

/// Usage on this host.
#[derive(Debug)]
pub struct UsageOs {}

impl UsageOs {
    /// Takes options like the other systems do.
    pub fn new(_options: UsageOptions) -> Self {
        Self {}
    }
}

impl UsageSource for UsageOs {
    fn read(&self, targets: &[UsageTarget]) -> UsageRound {
        let read = targets.iter().map(|target| {
            let refused = missing(format!("read the usage of container {}", target.id));
            (target.id.clone(), Err(refused))
        });
        UsageRound {
            containers: read.collect(),
            ..UsageRound::default()
        }
    }
}

/// Connections, of which nothing is shown.
#[derive(Debug)]
pub struct PeersOs(NoConnections);

impl PeersOs {
    /// Takes options like the other systems do.
    pub fn new(_options: UsageOptions) -> Self {
        Self(NoConnections)
    }
}

#[async_trait]
impl Connections for PeersOs {
    async fn holder(&self, ends: Ends, likely: Vec<UsageTarget>) -> Holder {
        self.0.holder(ends, likely).await
    }

    async fn is_inside(&self, ends: Ends, container: UsageTarget) -> Option<bool> {
        self.0.is_inside(ends, container).await
    }

    async fn has_address(&self, container: UsageTarget, address: IpAddr) -> Option<bool> {
        self.0.has_address(container, address).await
    }
}

/// The barrier before the instance metadata service, which this host cannot be given.
#[derive(Debug, Default)]
pub struct BarrierOs {}

#[async_trait]
impl MetadataBarrier for BarrierOs {
    async fn ensure(&self, _: &BTreeSet<IpAddr>) -> Result<bool, BoundaryError> {
        let operation = "keep containers from the instance metadata service";
        Err(missing(operation.to_owned()))
    }

    async fn is_up(&self) -> Result<bool, BoundaryError> {
        Ok(false)
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        // It cannot have been put up.
        Ok(())
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        std::future::pending().await
    }
}

/// Rules that lead to the task server, which this host cannot be given.
#[derive(Debug)]
pub struct RedirectOs {}

impl RedirectOs {
    /// Takes what the other systems do.
    pub fn new(_server: SocketAddr, _filter: bool) -> Self {
        Self {}
    }
}

#[async_trait]
impl TaskRedirect for RedirectOs {
    async fn ensure(&self) -> Result<bool, BoundaryError> {
        let operation = "send what containers ask for to the task server";
        Err(missing(operation.to_owned()))
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        // They cannot have been set.
        Ok(())
    }
}

/// Rules that lead containers to another port, which this host cannot be given.
#[derive(Debug, Default)]
pub struct LeadOs {}

#[async_trait]
impl TaskLead for LeadOs {
    async fn is_possible(&self) -> Result<(), BoundaryError> {
        Err(missing("lead containers to the task server".to_owned()))
    }

    async fn ensure(&self, _: u16) -> Result<bool, BoundaryError> {
        self.is_possible().await.map(|()| false)
    }

    async fn look(&self) -> Result<Option<u16>, BoundaryError> {
        Ok(None)
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        // They cannot have been set.
        Ok(())
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        std::future::pending().await
    }
}

/// A program; none can be held here.
#[derive(Debug)]
pub struct Program(Infallible);

impl Program {
    /// There is none.
    ///
    /// # Errors
    /// Always.
    pub fn open(_path: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Where it lay.
    pub fn path(&self) -> &Path {
        match self.0 {}
    }
}

/// A child; none can be started here.
#[derive(Debug)]
pub struct AgentProcess(Infallible);

impl AgentProcess {
    /// There is no program that could be started.
    ///
    /// # Errors
    /// Never comes to it.
    pub fn start(program: &Program, _launch: &Launch<'_>) -> io::Result<Self> {
        match program.0 {}
    }

    /// News of it.
    #[expect(clippy::unused_async, reason = "the same signature on every system")]
    pub async fn next(&mut self) -> ChildNews {
        match self.0 {}
    }

    /// Its process id.
    pub fn id(&self) -> Option<u32> {
        match self.0 {}
    }

    /// Asks it to end.
    ///
    /// # Errors
    /// Never comes to it.
    pub fn tell(&self) -> io::Result<()> {
        match self.0 {}
    }

    /// Ends it.
    ///
    /// # Errors
    /// Never comes to it.
    pub fn kill(&self) -> io::Result<()> {
        match self.0 {}
    }
}

/// Signals of a parent; there are none here.
#[derive(Debug)]
pub struct ParentSignals(Infallible);

impl ParentSignals {
    /// There are none.
    ///
    /// # Errors
    /// Always.
    pub fn listen() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What is asked.
    #[expect(clippy::unused_async, reason = "the same signature on every system")]
    pub async fn next(&mut self) -> Asked {
        match self.0 {}
    }
}

/// Nobody keeps a key here.
///
/// # Errors
/// Always.
pub fn kept_key(_name: &str, _fresh: &Secret<[u8; KEY_BYTES]>) -> io::Result<KeptKey> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There is none.
///
/// # Errors
/// None.
pub fn forget_key(_name: &str) -> io::Result<()> {
    Ok(())
}

/// Nothing is handed over.
pub fn handed_descriptors(_count: usize) -> Vec<Handed> {
    Vec::new()
}

/// Not known.
pub fn parent_id() -> u32 {
    0
}

/// Cannot be arranged.
///
/// # Errors
/// Always.
pub fn end_with_parent(_parent: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A socket that listens at an address of this host.
///
/// # Errors
/// Of the system.
pub fn listen_ahead(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether [`listen_ahead`] would succeed now.
///
/// # Errors
/// Those of `listen_ahead`.
pub fn may_listen(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// CPUs that the agent may use; the memory is not known here.
pub fn capacity() -> Capacity {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    Capacity {
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
        memory_bytes: 0,
    }
}

/// Only Windows has several.
pub fn os_version() -> OsVersion {
    OsVersion::default()
}

/// What the agent does without here, for people.
pub fn missing_here() -> &'static [&'static str] {
    &[
        "limits of tasks by cgroups",
        "usage of containers from the kernel",
        "who has connected to the task server",
        "the barrier before the instance metadata service",
        "berth supervise",
        "credentials that outlive the agent",
    ]
}

/// The range that IANA sets aside for ports that nobody asks for by number; also the default of Windows.
pub fn dynamic_ports() -> (u16, u16) {
    (49152, 65535)
}

/// The system has its own way with heaps.
pub fn share_heaps(_most: u8) {}

/// The system has no such limit.
pub fn raise_open_files() {}

/// The system keeps what it likes.
pub fn release_start_up_code() -> usize {
    0
}

/// Whoever may write where the system's files lie is one.
///
/// # Errors
/// None.
pub fn is_of_administrators(_file: &File) -> io::Result<bool> {
    Ok(true)
}

/// The word of Linux alone is taken (reference agent).
pub fn in_fips_mode() -> bool {
    false
}

/// Not asked here (reference agent).
pub fn cloud_init_result() -> String {
    String::new()
}

/// Not asked here (reference agent).
pub fn is_ipv6_only() -> bool {
    false
}

/// Not known here, so not assumed.
pub fn is_root() -> bool {
    false
}

fn missing(operation: String) -> BoundaryError {
    BoundaryError::new(
        operation,
        ErrorKind::Invalid,
        "this version of the agent cannot do that on this operating system",
    )
}

#[async_trait]
impl Host for HostOs {
    async fn create_cgroup(&self, task: &TaskId, _: CgroupLimits) -> Result<(), BoundaryError> {
        Err(missing(format!("create the cgroup of task {task}")))
    }

    async fn remove_cgroup(&self, _: &TaskId) -> Result<(), BoundaryError> {
        // None can have been made.
        Ok(())
    }

    async fn port_holder(&self, _: u16, _: Protocol) -> Option<PortHolder> {
        None
    }

    async fn port_is_free(&self, port: u16, protocol: Protocol) -> bool {
        ports::is_free(port, protocol)
    }

    async fn disk_space(&self, path: &str) -> Result<DiskSpace, BoundaryError> {
        Err(missing(format!("read the space of {path}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::DockerId;

    #[tokio::test]
    async fn what_is_missing_says_so() {
        let host = HostOs::new(HostOptions::default());
        let task = TaskId::parse("0123456789abcdef0123456789abcdef").unwrap();
        let limits = CgroupLimits {
            cpu_millis: None,
            cpu_shares: 2,
            memory_bytes: None,
        };
        let refused = host.create_cgroup(&task, limits).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert_eq!(
            host.disk_space("/").await.unwrap_err().kind,
            ErrorKind::Invalid
        );
        let target = UsageTarget {
            id: DockerId::parse("ab").unwrap(),
            task: task.clone(),
        };
        let read = UsageOs::new(UsageOptions::default()).read(std::slice::from_ref(&target));
        let refused = read.containers.get(&target.id).unwrap();
        assert_eq!(refused.as_ref().unwrap_err().kind, ErrorKind::Invalid);
        assert!(host.remove_cgroup(&task).await.is_ok());
        let peers = PeersOs::new(UsageOptions::default());
        assert_eq!(peers.has_address(target, [127, 0, 0, 1].into()).await, None);
        let barrier = BarrierOs::default();
        let refused = barrier.ensure(&BTreeSet::new()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(!barrier.is_up().await.unwrap() && barrier.release().await.is_ok());
        let redirect = RedirectOs::new(([127, 0, 0, 1], 1).into(), true);
        assert_eq!(
            redirect.ensure().await.unwrap_err().kind,
            ErrorKind::Invalid
        );
        assert!(redirect.release().await.is_ok());
        let lead = LeadOs::default();
        assert_eq!(lead.ensure(1).await.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(lead.look().await.unwrap(), None);
        assert!(lead.release().await.is_ok());
        let link = TaskLink::default();
        assert_eq!(link.ensure().await.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(link.look().await.unwrap(), None);
        assert!(link.release().await.is_ok());
        assert_eq!(host.port_holder(1, Protocol::Tcp).await, None);
        assert_eq!(dynamic_ports().1, 65535);
        assert!(host.port_is_free(0, Protocol::Tcp).await);
        assert!(Program::open(Path::new("/")).is_err() && ParentSignals::listen().is_err());
        assert!(kept_key("x", &Secret::new([0; KEY_BYTES])).is_err() && forget_key("x").is_ok());
        assert!(end_with_parent(parent_id()).is_err());
        assert!(handed_descriptors(3).is_empty());
        let listener = listen_ahead("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(listener.local_addr().unwrap().port() > 0);
        assert!(capacity().cpus > 0 && !is_root());
    }
}
