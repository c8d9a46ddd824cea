//! Looks at everything that an agent needs of this host, with or without an agent, and says what to do.
//!
//! **Invariants.** Changes nothing: what it makes to try something is taken away again. Each look has a deadline.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::holders;
use super::instance::instance_of;
use super::metadata_barrier;
use super::network::{network, ways};
use super::place::data_dir_of;
use super::settings;
use super::task_way;
use crate::api::observe::probes::Check;
use crate::aws::{DevFile, Sts, StsConfig};
use crate::boundary::host::PortHolder;
use crate::boundary::{Clock, ContainerRuntime, Host};
use crate::config::Config;
use crate::config::credentials::CredentialsFrom;
use crate::docker::Docker;
use crate::domain::host::OsType;
use crate::domain::ids::UnixMillis;
use crate::error::ErrorChain;
use crate::platform::{HostOs, SystemClock, listed_gpus};

/// Longest look at Docker or a disk.
const DEADLINE: Duration = Duration::from_secs(5);

/// Room below which a state directory is in danger: the database is small, but a full disk stops the agent.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;

/// Part of Docker's disk, in percent, below which pulls are in danger.
const LITTLE_DISK_PERCENT: u64 = 10;

/// 2026-01-01: no clock that is right shows an earlier time.
const EARLIEST: UnixMillis = UnixMillis(1_767_225_600_000);

/// Everything that was looked at. `agent_runs`: an agent answers on this host.
pub async fn examine(config: &Config, agent_runs: bool) -> Vec<Check> {
    let host = HostOs::new(settings::host(config));
    let mut checks = vec![of_settings(config), clock(&SystemClock)];
    let data_dir = data_dir_of(config);
    checks.push(state_directory(&data_dir, &host).await);
    let (docker, root) = docker(config, &data_dir).await;
    checks.push(docker);
    if let Some(root) = root {
        checks.push(docker_disk(&root, &host).await);
    }
    checks.push(ports(config, &host, agent_runs).await);
    checks.push(task_way::check(config, &host, agent_runs).await);
    checks.push(instance_metadata(config, OsType::of_build(), agent_runs).await);
    checks.push(registry_auth(config));
    checks.extend(config.host.gpu_list.as_deref().map(gpus));
    checks.push(role_credentials(config).await);
    checks
}

fn of_settings(config: &Config) -> Check {
    let problems: Vec<String> = config
        .problems
        .iter()
        .map(|problem| format!("{}: {}", problem.setting, problem.message))
        .collect();
    if problems.is_empty() {
        Check::pass("settings", "all of them count")
    } else {
        Check::warn("settings", problems.join("; "))
            .hint("defaults count instead; `berth check-config` shows all")
    }
}

fn clock(clock: &dyn Clock) -> Check {
    if clock.now() < EARLIEST {
        Check::fail("clock", "it shows a time that is long past").hint(
            "set the time, best with an NTP client: credentials and certificates fail otherwise",
        )
    } else {
        Check::pass("clock", "shows a time that can be")
    }
}

async fn state_directory(dir: &Path, host: &HostOs) -> Check {
    let name = "state";
    let shown = dir.display();
    if !dir.exists() {
        return Check::pass(name, format!("{shown} will be made by the agent"));
    }
    let trial = dir.join(".berth-doctor");
    if let Err(error) = std::fs::write(&trial, b"") {
        return Check::fail(name, format!("{shown} cannot be written: {error}"))
            .hint("run berth as the user of the agent, or name another place with --data-dir");
    }
    // What cannot be removed can be written over next time.
    let _left = std::fs::remove_file(&trial);
    match host.disk_space(&dir.to_string_lossy()).await {
        Ok(space) if space.free_bytes < LITTLE_ROOM => {
            let free = space.free_bytes / 1_000_000;
            Check::warn(name, format!("{shown} has only {free} MB left"))
                .hint("make room: with a full disk nothing is started or stopped")
        }
        Ok(_) => Check::pass(name, format!("{shown} can be written")),
        Err(error) => Check::warn(
            name,
            format!("the space of {shown} cannot be read: {error}"),
        ),
    }
}

/// Docker, and where it keeps images.
async fn docker(config: &Config, data_dir: &Path) -> (Check, Option<String>) {
    const HINT: &str = "start the Docker service, or name its address with DOCKER_HOST; root or the group docker may use it";
    let failed = |words: String| (Check::fail("docker", words).hint(HINT), None);
    let docker = match Docker::new(settings::docker(config, &instance_of(data_dir))) {
        Ok(docker) => docker,
        Err(error) => return failed(ErrorChain(&error).to_string()),
    };
    match tokio::time::timeout(DEADLINE, docker.info()).await {
        Ok(Ok(info)) => {
            let words = format!("Docker {} answers, API {}", info.version, info.api_version);
            (Check::pass("docker", words), Some(info.root_dir))
        }
        Ok(Err(error)) => failed(ErrorChain(&error).to_string()),
        Err(_) => failed(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

async fn docker_disk(root: &str, host: &HostOs) -> Check {
    let name = "docker-disk";
    match host.disk_space(root).await {
        Ok(space) => {
            let free = u128::from(space.free_bytes) * 100 / u128::from(space.total_bytes.max(1));
            if free < u128::from(LITTLE_DISK_PERCENT) {
                Check::warn(name, format!("{root} has {free} % left"))
                    .hint("`berth top` and /v1/images show what takes it; `docker system df` what others have")
            } else {
                Check::pass(name, format!("{root} has {free} % left"))
            }
        }
        Err(error) => Check::warn(name, format!("the space of {root} cannot be read: {error}")),
    }
}

/// The addresses that the agent itself listens at; port 0 is any that is free.
async fn ports(config: &Config, host: &HostOs, agent_runs: bool) -> Check {
    let listen = config.listen;
    let own = [listen.introspection, listen.task_server];
    let mut taken = Vec::new();
    for address in own.into_iter().filter(|address| address.port() != 0) {
        if is_free(address) {
            continue;
        }
        let found = host.listeners(address).await;
        if !are_the_agents(&found, agent_runs) {
            taken.push(taken_by(address.port(), &found));
        }
    }
    if taken.is_empty() {
        let [first, second] = own.map(|address| address.port());
        Check::pass(
            "ports",
            format!("{first} and {second} are free or the agent's"),
        )
    } else {
        Check::warn("ports", format!("taken: {}", taken.join(", ")))
            .hint("another ECS agent? Its tasks and this one's would not know of each other")
    }
}

/// Bound for a moment. An address that this host has not is nobody's.
fn is_free(address: SocketAddr) -> bool {
    let bound = TcpListener::bind(address);
    bound.map_or_else(|error| error.kind() != io::ErrorKind::AddrInUse, |_| true)
}

/// Whether those who have a socket are the agent that runs, or the service manager, which keeps it for one that does
/// not: no other agent has its sockets from there.
fn are_the_agents(found: &[PortHolder], agent_runs: bool) -> bool {
    let mut all = found.iter();
    if agent_runs {
        all.any(holders::is_berth)
    } else {
        !found.is_empty() && all.all(holders::is_keeper)
    }
}

fn taken_by(port: u16, found: &[PortHolder]) -> String {
    holders::user_of(found).map_or_else(
        || port.to_string(),
        |holder| format!("{port} by {} (process {})", holder.command, holder.pid),
    )
}

/// Whether tasks are kept from the instance metadata service, or could be. On Windows nothing does.
async fn instance_metadata(config: &Config, os: OsType, agent_runs: bool) -> Check {
    let name = "instance-metadata";
    if !config.host.block_instance_metadata {
        return Check::pass(
            name,
            "tasks may reach it: BERTH_BLOCK_INSTANCE_METADATA is false",
        );
    }
    if os == OsType::Windows {
        return Check::warn(
            name,
            "tasks may reach it, and what the host's own role may do: nothing keeps them from it on Windows",
        )
        .hint("give that role few rights; BERTH_BLOCK_INSTANCE_METADATA=false says that tasks may");
    }
    match metadata_barrier::is_up().await {
        Ok(true) => Check::pass(name, "tasks with a network of their own do not reach it"),
        Ok(false) if agent_runs => Check::warn(name, "tasks may reach it: there are no rules")
            .hint("/healthz and /readyz of the agent say why it cannot set them"),
        Ok(false) => Check::pass(name, "tasks are kept from it by the agent"),
        Err(error) => Check::warn(name, format!("tasks may reach it: {}", ErrorChain(&error)))
            .hint("install nftables (a kernel with nf_tables and the program nft), and run the agent as root"),
    }
}

fn registry_auth(config: &Config) -> Check {
    let words = if config.docker.registry_auth.is_some() {
        "credentials of private registries are set"
    } else {
        "no credentials of private registries are set"
    };
    Check::pass("registry-credentials", words)
}

/// What the list of GPUs says, where tasks get any. Other tasks run without it.
fn gpus(list: &Path) -> Check {
    const HINT: &str = "have the driver of NVIDIA and what writes the list set up (docs/operating.md), then restart the agent: \
                        ECS hears of GPUs when it registers";
    let name = "gpus";
    match listed_gpus(list) {
        Ok(gpus) if gpus.ids.is_empty() => {
            Check::warn(name, format!("{} lists none", list.display())).hint(HINT)
        }
        Ok(gpus) => {
            let driver = gpus.driver_version.unwrap_or_else(|| "unknown".to_owned());
            let count = gpus.ids.len();
            Check::pass(name, format!("{count} for tasks of ECS, driver {driver}"))
        }
        Err(error) => Check::warn(name, ErrorChain(&error).to_string()).hint(HINT),
    }
}

/// What credentials of task roles are made from. Tasks without a role need none, so nothing here is fatal.
async fn role_credentials(config: &Config) -> Check {
    const NAME: &str = "role-credentials";
    match &config.credentials.source {
        CredentialsFrom::Off => Check::pass(NAME, "roles are not served (BERTH_CREDENTIALS=off)"),
        CredentialsFrom::Dev(path) => {
            let file = DevFile::new(path.clone(), Arc::new(SystemClock));
            match file.look().await {
                Ok(roles) => {
                    let shown = path.display();
                    Check::pass(
                        NAME,
                        format!("fixed ones from {shown}, {roles} roles named"),
                    )
                }
                Err(error) => Check::warn(NAME, ErrorChain(&error).to_string())
                    .hint("mend the file of BERTH_CREDENTIALS_FILE: tasks with a role wait for it"),
            }
        }
        CredentialsFrom::Sts(section) => {
            let settings = StsConfig {
                limit: DEADLINE,
                ..settings::sts(config, section)
            };
            let sts = Sts::new(settings, &ways(&network(&config.network)));
            match sts.look().await {
                Ok(()) => Check::pass(NAME, "this host has its own to assume roles with"),
                Err(error) => Check::warn(
                    NAME,
                    format!("this host has none of its own: {}", error.message),
                )
                .hint(
                    "tasks with a role wait: give the host AWS credentials (environment, profile, or the \
                     instance's with BERTH_INSTANCE_METADATA=on), or set BERTH_CREDENTIALS to dev or off",
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::observe::probes::CheckStatus;
    use crate::config::{Origin, Strings};

    fn config(dir: &Path) -> Config {
        let texts = [
            ("ECS_DATADIR", dir.display().to_string()),
            ("DOCKER_HOST", "unix:///nonexistent/docker.sock".to_owned()),
            ("ECS_CLUSTR", "x".to_owned()),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text));
        Config::read(&Strings::new().below(Origin::Environment, texts))
    }

    #[tokio::test]
    async fn each_trouble_is_named_with_what_to_do_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let checks = examine(&config(dir.path()), false).await;
        let status = |name: &str| {
            let check = checks.iter().find(|check| check.name == name);
            check.map(|check| (check.status, check.hint.is_some()))
        };
        assert_eq!(
            status("docker"),
            Some((CheckStatus::Fail, true)),
            "{checks:?}"
        );
        assert_eq!(status("settings"), Some((CheckStatus::Warn, true)));
        assert_eq!(status("state"), Some((CheckStatus::Pass, false)));
        assert_eq!(status("clock"), Some((CheckStatus::Pass, false)));
        let left = std::fs::read_dir(dir.path()).expect("a directory").count();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn the_ports_and_the_address_of_the_settings_are_looked_at() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(dir.path());
        let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
        config.listen.introspection = stranger.local_addr().expect("an address");
        config.listen.task_server.set_port(0);
        let host = HostOs::new(settings::host(&config));
        let taken = ports(&config, &host, false).await;
        assert_eq!(taken.status, CheckStatus::Warn, "{taken:?}");
        let port = config.listen.introspection.port().to_string();
        assert!(taken.message.contains(&port), "{taken:?}");
        config.listen.introspection.set_port(0);
        let free = ports(&config, &host, false).await;
        assert_eq!(free.status, CheckStatus::Pass, "{free:?}");
        // An address that nobody wants is nobody's trouble.
        config.listen.task_address = false;
        let address = task_way::check(&config, &host, true).await;
        assert_eq!(address.status, CheckStatus::Pass);
    }

    #[test]
    fn a_list_of_gpus_that_is_no_good_or_empty_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let list = dir.path().join("gpus.json");
        assert_eq!(gpus(&list).status, CheckStatus::Warn, "missing");
        for (text, status) in [
            ("{", CheckStatus::Warn),
            ("{}", CheckStatus::Warn),
            (r#"{"GPUIDs": ["GPU-1"]}"#, CheckStatus::Pass),
        ] {
            std::fs::write(&list, text).expect("written");
            let check = gpus(&list);
            assert_eq!(check.status, status, "{check:?}");
            assert_eq!(check.hint.is_some(), status == CheckStatus::Warn);
        }
    }

    #[test]
    fn a_socket_is_the_agents_where_it_has_it_or_the_service_manager_keeps_it() {
        let holder = |(pid, command): (u32, &str)| PortHolder {
            pid,
            command: command.to_owned(),
        };
        let (systemd, berth, other) = ((1, "systemd"), (70, "berth"), (80, "agent"));
        for (holders, runs, idle) in [
            (&[systemd, berth][..], true, false),
            (&[berth], true, false),
            (&[systemd], false, true),
            (&[systemd, other], false, false),
            (&[other], false, false),
            (&[], false, false),
        ] {
            let holders: Vec<_> = holders.iter().copied().map(holder).collect();
            assert_eq!(are_the_agents(&holders, true), runs, "{holders:?}");
            assert_eq!(are_the_agents(&holders, false), idle, "{holders:?}");
        }
        let words = taken_by(80, &[holder(systemd), holder(other)]);
        assert_eq!(words, "80 by agent (process 80)");
        assert_eq!(taken_by(80, &[]), "80");
    }

    #[tokio::test]
    async fn on_windows_tasks_reach_the_instance_metadata_service_whether_an_agent_runs_or_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = config(dir.path());
        for agent_runs in [false, true] {
            let check = instance_metadata(&config, OsType::Windows, agent_runs).await;
            assert_eq!(check.status, CheckStatus::Warn, "{check:?}");
            assert!(check.message.contains("nothing keeps them"), "{check:?}");
        }
        config.host.block_instance_metadata = false;
        let wanted = instance_metadata(&config, OsType::Windows, true).await;
        assert_eq!(wanted.status, CheckStatus::Pass);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let host = HostOs::new(settings::host(&config(dir.path())));
        let check = state_directory(&file, &host).await;
        assert_eq!(check.status, CheckStatus::Fail, "{check:?}");
    }

    #[tokio::test]
    async fn what_roles_are_made_from_is_looked_at() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("credentials.json");
        let look = async |source: CredentialsFrom| {
            let mut config = config(dir.path());
            config.credentials.source = source;
            role_credentials(&config).await
        };
        let off = look(CredentialsFrom::Off).await;
        assert_eq!(off.status, CheckStatus::Pass);
        let missing = look(CredentialsFrom::Dev(file.clone())).await;
        assert_eq!(
            (missing.status, missing.hint.is_some()),
            (CheckStatus::Warn, true)
        );
        std::fs::write(&file, "{\"AccessKeyId\": marked}").expect("a file");
        let bad = look(CredentialsFrom::Dev(file.clone())).await;
        assert!(bad.message.contains("line 1, column"), "{bad:?}");
        assert!(!bad.message.contains("marked"), "{bad:?}");
        let good = r#"{"AccessKeyId": "a", "SecretAccessKey": "s"}"#;
        std::fs::write(&file, good).expect("a file");
        let good = look(CredentialsFrom::Dev(file)).await;
        assert_eq!(good.status, CheckStatus::Pass, "{good:?}");
    }

    #[test]
    fn a_clock_that_stands_at_its_beginning_is_told() {
        struct Old;
        impl Clock for Old {
            fn now(&self) -> UnixMillis {
                UnixMillis(0)
            }
        }
        assert_eq!(clock(&Old).status, CheckStatus::Fail);
    }
}
