//! Looks at everything that an agent needs of this host, with or without an agent, and says what to do.
//!
//! **Invariants.** Changes nothing: what it makes to try something is taken away again. Each look has a deadline.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::instance::instance_of;
use super::metadata_barrier;
use super::place::data_dir_of;
use super::settings;
use crate::api::observe::probes::Check;
use crate::aws::{DevFile, Sts, StsConfig};
use crate::boundary::{Clock, ContainerRuntime, Host};
use crate::config::Config;
use crate::config::credentials::CredentialsFrom;
use crate::docker::Docker;
use crate::domain::ids::UnixMillis;
use crate::domain::port_mapping::Protocol;
use crate::error::ErrorChain;
use crate::platform::{HostOs, SystemClock};

/// Longest look at Docker or a disk.
const DEADLINE: Duration = Duration::from_secs(5);

/// Room below which a state directory is in danger: the database is small, but a full disk stops the agent.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;

/// Part of Docker's disk, in percent, below which pulls are in danger.
const LITTLE_DISK_PERCENT: u64 = 10;

/// 2026-01-01: no clock that is right shows an earlier time.
const EARLIEST: UnixMillis = UnixMillis(1_767_225_600_000);

/// Where containers ask for credentials and metadata.
const TASK_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

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
    checks.push(address(config, agent_runs));
    checks.push(instance_metadata(config, agent_runs).await);
    checks.push(registry_auth(config));
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

/// The ports that the agent itself listens on; 0 is any that is free.
async fn ports(config: &Config, host: &HostOs, agent_runs: bool) -> Check {
    let listen = config.listen;
    let (first, second) = (listen.introspection.port(), listen.task_server.port());
    let mut taken = Vec::new();
    for port in [first, second].into_iter().filter(|&port| port != 0) {
        if host.port_is_free(port, Protocol::Tcp).await {
            continue;
        }
        let holder = host.port_holder(port, Protocol::Tcp).await;
        taken.push(match holder {
            Some(holder) if agent_runs && holder.command.starts_with("berth") => continue,
            Some(holder) => format!("{port} by {} (process {})", holder.command, holder.pid),
            None => port.to_string(),
        });
    }
    if taken.is_empty() {
        Check::pass(
            "ports",
            format!("{first} and {second} are free or the agent's"),
        )
    } else {
        Check::warn("ports", format!("taken: {}", taken.join(", ")))
            .hint("another ECS agent? Its tasks and this one's would not know of each other")
    }
}

/// Bound for a moment on no port of its own: succeeds where the address is this host's.
fn address(config: &Config, agent_runs: bool) -> Check {
    if !config.listen.task_address {
        let words = "containers are not served there: BERTH_TASK_ADDRESS is false";
        return Check::pass("address", format!("{TASK_ADDRESS}: {words}"));
    }
    let ours = TcpListener::bind((TASK_ADDRESS, 0)).is_ok();
    match (ours, agent_runs) {
        (true, _) => Check::pass("address", format!("{TASK_ADDRESS} is this host's")),
        (false, true) => Check::warn("address", format!("{TASK_ADDRESS} is not this host's")).hint(
            "containers cannot reach credentials and metadata there; /readyz of the agent says why",
        ),
        (false, false) => Check::pass("address", format!("{TASK_ADDRESS} is added by the agent")),
    }
}

/// Whether tasks are kept from the instance metadata service, or could be.
async fn instance_metadata(config: &Config, agent_runs: bool) -> Check {
    let name = "instance-metadata";
    if !config.host.block_instance_metadata {
        return Check::pass(
            name,
            "tasks may reach it: BERTH_BLOCK_INSTANCE_METADATA is false",
        );
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
            let sts = Sts::new(StsConfig {
                limit: DEADLINE,
                ..settings::sts(section)
            });
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
        assert_eq!(address(&config, true).status, CheckStatus::Pass);
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
