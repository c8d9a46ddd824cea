//! cgroup v2 on a tree of plain files, v1 on the kernel's own where there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::boundary::host::CgroupLimits;
use crate::boundary::{ErrorKind, Host, Ids};
use crate::domain::host::CgroupSupport;
use crate::domain::ids::TaskId;
use crate::domain::runtime::RuntimeInfo;
use crate::platform::SystemIds;

fn info(version: &str, driver: &str) -> RuntimeInfo {
    RuntimeInfo {
        version: String::new(),
        api_version: String::new(),
        os_type: "linux".to_owned(),
        architecture: String::new(),
        cpus: 1,
        memory_bytes: 1,
        cgroup_version: version.to_owned(),
        cgroup_driver: driver.to_owned(),
        log_drivers: Vec::new(),
        volume_drivers: Vec::new(),
        swap_limit: false,
        security_options: Vec::new(),
        root_dir: String::new(),
        os_version: None,
        isolation: String::new(),
    }
}

const LIMITS: CgroupLimits = CgroupLimits {
    cpu_millis: Some(250),
    cpu_shares: 1024,
    memory_bytes: Some(64 * 1024 * 1024),
};

fn task() -> TaskId {
    TaskId::parse("0123456789abcdef0123456789abcdef").unwrap()
}

/// A root as cgroup v2 shows it.
fn v2_tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("cgroup.controllers"),
        "cpuset cpu io memory pids\n",
    )
    .unwrap();
    root
}

fn host(root: &Path, systemctl: Option<PathBuf>) -> HostOs {
    HostOs::new(HostOptions {
        cgroup_root: root.to_owned(),
        pids_limit: Some(100),
        systemctl,
        ..HostOptions::default()
    })
}

/// Plain files do not go away with their directory as the kernel's do.
fn drop_files(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_file() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_v2_task_has_its_limits_and_controllers_all_the_way_down() {
    if !is_root() {
        return;
    }
    for (driver, support, dir) in [
        (
            "cgroupfs",
            CgroupSupport::V2Cgroupfs,
            "ecs/0123456789abcdef0123456789abcdef",
        ),
        (
            "systemd",
            CgroupSupport::V2Systemd,
            "ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice",
        ),
    ] {
        let root = v2_tree();
        let host = host(root.path(), None);
        assert_eq!(host.probe_cgroups(&info("2", driver)).await, support);
        for _ in 0..2 {
            host.create_cgroup(&task(), LIMITS).await.unwrap();
        }
        let dir = root.path().join(dir);
        for (file, value) in [
            ("cpu.max", "25000 100000"),
            ("cpu.weight", "39"),
            ("memory.max", "67108864"),
            ("pids.max", "100"),
        ] {
            assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), value, "{file}");
        }
        for level in [root.path(), dir.parent().unwrap(), &dir] {
            let on = fs::read_to_string(level.join("cgroup.subtree_control")).unwrap();
            assert_eq!(on, "+cpu +memory +pids");
        }
        drop_files(&dir);
        for _ in 0..2 {
            host.remove_cgroup(&task()).await.unwrap();
        }
        assert!(!dir.exists());
    }
}

#[tokio::test]
async fn systemd_hears_of_a_slice_before_and_after() {
    use std::os::unix::fs::PermissionsExt as _;
    if !is_root() {
        return;
    }
    let root = v2_tree();
    let said = root.path().join("said");
    let systemctl = root.path().join("systemctl");
    fs::write(
        &systemctl,
        format!("#!/bin/sh\necho \"$1\" >> {}\n", said.display()),
    )
    .unwrap();
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    let host = host(root.path(), Some(systemctl.clone()));
    host.probe_cgroups(&info("2", "systemd")).await;
    host.create_cgroup(&task(), LIMITS).await.unwrap();
    drop_files(
        &root
            .path()
            .join("ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice"),
    );
    host.remove_cgroup(&task()).await.unwrap();
    assert_eq!(
        fs::read_to_string(said).unwrap(),
        "show\nset-property\nstart\nstop\nrevert\n"
    );

    fs::remove_file(systemctl).unwrap();
    let error = host.create_cgroup(&task(), LIMITS).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let none = host.probe_cgroups(&info("2", "systemd")).await;
    assert_eq!(none, CgroupSupport::None, "nobody to speak to");
}

#[tokio::test]
async fn what_does_not_fit_is_no_support() {
    let root = v2_tree();
    fs::write(root.path().join("cgroup.controllers"), "cpu io\n").unwrap();
    for (version, driver) in [
        ("2", "cgroupfs"),
        ("2", "none"),
        ("1", "systemd"),
        ("1", "cgroupfs"),
        ("", ""),
    ] {
        let host = host(root.path(), None);
        let support = host.probe_cgroups(&info(version, driver)).await;
        assert_eq!(support, CgroupSupport::None, "{version} {driver}");
        let error = host.create_cgroup(&task(), LIMITS).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(
            host.remove_cgroup(&task()).await.is_ok(),
            "there is nothing to remove"
        );
    }
}

#[tokio::test]
async fn a_controller_that_stays_off_is_named() {
    if !is_root() {
        return;
    }
    let root = v2_tree();
    let host = host(root.path(), None);
    host.probe_cgroups(&info("2", "cgroupfs")).await;
    let control = root.path().join("ecs/cgroup.subtree_control");
    fs::remove_file(&control).unwrap();
    std::os::unix::fs::symlink("/dev/null", &control).unwrap();
    let error = host.create_cgroup(&task(), LIMITS).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(
        error.message.contains("the controller cpu is not on"),
        "{error}"
    );
}

/// The kernel's own v1 tree; skipped where the agent is not root or the host has none.
#[tokio::test]
async fn a_v1_task_is_limited_by_the_kernel() {
    let root = Path::new("/sys/fs/cgroup");
    let writable = |controller: &str| root.join(controller).join("tasks").exists();
    if !is_root() || !writable("cpu") || !writable("memory") {
        return;
    }
    let host = host(root, None);
    assert_eq!(
        host.probe_cgroups(&info("1", "cgroupfs")).await,
        CgroupSupport::V1
    );
    let task = SystemIds.task_id();
    let file = |name: &str| root.join(name.replace('@', &format!("ecs/{task}")));
    host.create_cgroup(&task, LIMITS).await.unwrap();
    for (name, value) in [
        ("cpu/@/cpu.cfs_quota_us", "25000"),
        ("cpu/@/cpu.cfs_period_us", "100000"),
        ("cpu/@/cpu.shares", "1024"),
        ("memory/@/memory.limit_in_bytes", "67108864"),
        ("memory/@/memory.use_hierarchy", "1"),
        ("pids/@/pids.max", "100"),
    ] {
        let path = file(name);
        assert_eq!(
            fs::read_to_string(&path).unwrap().trim(),
            value,
            "{}",
            path.display()
        );
    }

    // A process in it keeps it there; with the process it goes.
    let mut sleeper = tokio_sleeper();
    let pid = sleeper.id().unwrap().to_string();
    fs::write(file("memory/@/cgroup.procs"), &pid).unwrap();
    let busy = host.remove_cgroup(&task).await.unwrap_err();
    assert_eq!(busy.kind, ErrorKind::Conflict);
    sleeper.kill().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), async {
        while host.remove_cgroup(&task).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(!file("memory/@").exists() && !file("cpuset/@").exists());
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test needs the process itself, not its output"
)]
fn tokio_sleeper() -> tokio::process::Child {
    let mut command = tokio::process::Command::new("/bin/sleep");
    command.arg("600").kill_on_drop(true).spawn().unwrap()
}

#[tokio::test]
async fn the_host_tells_its_space_and_its_ports() {
    let host = HostOs::new(HostOptions::default());
    assert!(host.disk_space("/").await.unwrap().total_bytes > 0);
    let missing = host.disk_space("/no/such/path").await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = crate::domain::port_mapping::Protocol::Tcp;
    assert!(!host.port_is_free(port, tcp).await);
    assert_eq!(
        host.port_holder(port, tcp).await.unwrap().pid,
        std::process::id()
    );
}
