//! All settings, one section a component, validated.
//!
//! **Invariant.** [`Config::read`] always gives a usable configuration (promise 4); what was wrong is in
//! [`Config::problems`], to be logged once at start and printed by `berth check-config`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connected::{
    ConnectedSection, FIPS_MODE, IPV6_ROUTES, NetworkSection, connected, is_ipv6_only, network,
};
use super::credentials::{
    AuditSection, CredentialsFrom, CredentialsSection, InstanceMetadataSetting, ServicesSection,
    TaskServerSection, audit, credentials, instance_metadata, services, task_server,
};
use super::ecs_env as env;
use super::file;
use super::gpus;
use super::reader::{Effective, Problem, Reader};
use super::source::{Origin, Strings, keep_ours};
use crate::domain::host::OsType;
use crate::domain::ids::ClusterName;
use crate::domain::windows_path;
use crate::reconcile::settings::{Endpoints, EngineSettings, LogFailurePolicy, PullBehavior};

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of the state database; `None` = the system's place.
    pub data_dir: Option<PathBuf>,
    /// Socket of the admin API; `None` = in the data directory.
    pub admin_socket: Option<PathBuf>,
    /// Listeners on TCP.
    pub listen: ListenSection,
    /// How long a new version of the agent may take to be ready.
    pub upgrade_wait: Duration,
    /// How long tasks of ECS may take to stop when the host goes down; `None` = they are left alone.
    pub host_shutdown: Option<Duration>,
    /// Cluster name in ARNs.
    pub cluster: ClusterName,
    /// Connected mode; `None` = standalone.
    pub connected: Option<ConnectedSection>,
    /// How AWS is reached.
    pub network: NetworkSection,
    /// Log lines.
    pub log: LogSection,
    /// File of the log lines of a service; `None` = in the log directory.
    pub log_file: Option<PathBuf>,
    /// The container engine.
    pub docker: DockerSection,
    /// The engine; its `instance` is still to be filled in from the data directory.
    pub engine: EngineSettings,
    /// Images.
    pub images: ImagesSection,
    /// The host.
    pub host: HostSection,
    /// Readings of what containers use.
    pub usage: UsageSection,
    /// Task definition files.
    pub standalone: StandaloneSection,
    /// Where the instance metadata service is asked.
    pub instance_metadata: InstanceMetadataSetting,
    /// Docker's log driver for `CloudWatch` gets the execution role.
    pub log_roles: bool,
    /// Profile of the host's own credentials; `None` = as the environment says.
    pub profile: Option<String>,
    /// Credentials of roles.
    pub credentials: CredentialsSection,
    /// Where the services are that are called for tasks.
    pub services: ServicesSection,
    /// What containers ask.
    pub task_server: TaskServerSection,
    /// The record of requests for credentials.
    pub audit: AuditSection,
    /// What was wrong, in reading order.
    pub problems: Vec<Problem>,
    /// Every setting as it counts, in the table's order.
    pub effective: Vec<Effective>,
}

/// Listeners on TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenSection {
    /// The introspection API.
    pub introspection: SocketAddr,
    /// Task metadata and credentials.
    pub task_server: SocketAddr,
    /// Also at the address where containers ask.
    pub task_address: bool,
    /// Containers are led to `task_server` by rules instead.
    pub task_redirect: bool,
    /// Those rules keep others from loopback.
    pub filter_loopback: bool,
    /// How containers, which ask at port 80 of the address, get here. Not a setting: the host decides.
    pub front: Front,
}

/// How what is asked at port 80 of the address of containers gets to the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Front {
    /// Rules lead from there to the port of `task_server`: port 80 of this host is anybody's.
    #[default]
    Led,
    /// The agent listens at port 80 there, so that no task can have the port.
    Own,
}

impl ListenSection {
    /// Whether this agent serves at the address of containers and keeps it on this host. Rules of the other way would
    /// lead past it.
    pub fn at_address(&self) -> bool {
        self.task_address && !self.task_redirect
    }
}

/// Log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSection {
    /// Least level.
    pub level: LogLevel,
    /// Form.
    pub format: LogFormat,
}

/// Least level of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Why something is done.
    Debug,
    /// What an operator would tell a colleague.
    Info,
    /// Degraded and recovered.
    Warn,
    /// Someone must act; `crit` reads as this.
    Error,
    /// Nothing.
    None,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The container engine.
#[derive(Clone, PartialEq, Eq)]
pub struct DockerSection {
    /// `unix:///…`, `tcp://…`, `npipe:////…`; `None` = the system's own.
    pub host: Option<String>,
    /// Deadline of a create call.
    pub create_timeout: Duration,
    /// Deadline of a start call.
    pub start_timeout: Duration,
    /// Credentials of private registries.
    pub registry_auth: Option<RegistryAuthText>,
}

/// `ECS_ENGINE_AUTH_TYPE` and `ECS_ENGINE_AUTH_DATA` as given. Has no `Debug`, so that it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAuthText {
    /// `docker` or `dockercfg`.
    pub form: &'static str,
    /// JSON.
    pub data: String,
}

impl std::fmt::Debug for DockerSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerSection")
            .field("host", &self.host)
            .field("create_timeout", &self.create_timeout)
            .field("start_timeout", &self.start_timeout)
            .field(
                "registry_auth",
                &self.registry_auth.as_ref().map(|_| "(not shown)"),
            )
            .finish()
    }
}

/// Images: pulls and clean-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagesSection {
    /// How many at once.
    pub parallel_pulls: usize,
    /// Deadline of a whole pull.
    pub pull_timeout: Duration,
    /// Longest silence during a pull.
    pub pull_inactivity: Duration,
    /// Deadline of a question to a registry.
    pub manifest_timeout: Duration,
    /// `None` = images are kept.
    pub cleanup: Option<ImageCleanupSection>,
    /// From one count of what takes the disk to the next.
    pub disk_use_interval: Duration,
}

/// Image clean-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageCleanupSection {
    /// From one run to the next.
    pub interval: Duration,
    /// Youngest age since the pull.
    pub minimum_age: Duration,
    /// How many in one run.
    pub per_cycle: usize,
    /// Images no task has used: youngest age since they were built; `None` = they are kept.
    pub untracked_minimum_age: Option<Duration>,
    /// Never removed.
    pub excluded: Vec<String>,
}

/// The host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSection {
    /// MiB that tasks may not have.
    pub reserved_memory_mib: u32,
    /// TCP ports that tasks may not have.
    pub reserved_ports: Vec<u16>,
    /// UDP ports that tasks may not have.
    pub reserved_ports_udp: Vec<u16>,
    /// Host ports for ranges; `None` = the system's own range.
    pub dynamic_ports: Option<(u16, u16)>,
    /// Where cgroups are mounted; `None` = the usual place.
    pub cgroup_path: Option<PathBuf>,
    /// Period of CPU quotas, 8 to 100 ms.
    pub cgroup_cpu_period: Duration,
    /// Most processes of a task; `None` = no limit.
    pub task_pids_limit: Option<u32>,
    /// Tasks are kept from the instance metadata service.
    pub block_instance_metadata: bool,
    /// Families whose tasks are not.
    pub instance_metadata_families: Vec<String>,
    /// Distribution and version; `None` = as the system says.
    pub detailed_family: Option<String>,
    /// Where the GPUs are listed that tasks may have; `None` = tasks get none.
    pub gpu_list: Option<PathBuf>,
    /// For placement constraints.
    pub attributes: BTreeMap<String, String>,
}

/// Readings of what containers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageSection {
    /// Whether there are any.
    pub enabled: bool,
    /// From one to the next, 5 to 20 s; `None` = the component's own.
    pub interval: Option<Duration>,
}

/// Task definition files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandaloneSection {
    /// Where they lie; `None` = no directory is watched.
    pub tasks_dir: Option<PathBuf>,
    /// When an ended task is started anew.
    pub replace_stopped: ReplaceStopped,
}

/// `BERTH_REPLACE_STOPPED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplaceStopped {
    /// However it ended.
    Always,
    /// If it ended other than with exit code 0.
    #[default]
    OnFailure,
    /// Never.
    Never,
}

impl Config {
    /// What these variables of the environment alone make, for tests.
    #[cfg(test)]
    pub(crate) fn of_environment(pairs: &[(&str, &str)]) -> Self {
        Self::of_environment_on(OsType::of_build(), pairs)
    }

    /// The same on that system.
    #[cfg(test)]
    pub(crate) fn of_environment_on(os: OsType, pairs: &[(&str, &str)]) -> Self {
        let texts = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Self::read_on(os, &Strings::new().below(Origin::Environment, texts))
    }

    /// Reads everything from `strings`. Never fails.
    pub fn read(strings: &Strings) -> Self {
        Self::read_on(OsType::of_build(), strings)
    }

    /// The same on that system, which says what a path can be and what is usual.
    pub(super) fn read_on(os: OsType, strings: &Strings) -> Self {
        let mut reader = Reader::new(os, strings);
        let data_dir = data_dir(&mut reader);
        let cluster = cluster(&mut reader);
        let ipv6_only = is_ipv6_only(&mut reader);
        let connected = connected(&mut reader, ipv6_only);
        let on_ec2 = connected.as_ref().is_some_and(|it| !it.external);
        let metadata = instance_metadata(&mut reader, on_ec2);
        let listen = listen(&mut reader);
        let mut config = Self {
            data_dir,
            admin_socket: reader.path(&env::ADMIN_SOCKET),
            listen,
            upgrade_wait: reader.duration(&env::UPGRADE_WAIT),
            host_shutdown: host_shutdown(&mut reader),
            engine: engine(&mut reader, &cluster),
            cluster,
            connected,
            network: network(&mut reader, ipv6_only),
            log: log(&mut reader),
            docker: docker(&mut reader),
            images: images(&mut reader),
            host: host(&mut reader, listen),
            usage: usage(&mut reader),
            standalone: standalone(&mut reader),
            credentials: credentials(&mut reader),
            services: services(&mut reader),
            instance_metadata: metadata,
            profile: reader.text(&env::PROFILE),
            log_roles: reader.truth(&env::LOG_ROLES) && os == OsType::Linux,
            task_server: task_server(&mut reader),
            log_file: reader.path(&env::LOG_FILE),
            audit: audit(&mut reader),
            problems: Vec::new(),
            effective: Vec::new(),
        };
        config.engine.execution_roles = config.credentials.source != CredentialsFrom::Off;
        config.engine.gpus = gpus::access(&mut reader, config.connected.as_ref());
        reader.report_strangers();
        config.problems = reader.problems;
        let place = |name: &str| env::ALL.iter().position(|setting| setting.name == name);
        config.effective = reader.effective;
        config
            .effective
            .sort_by_key(|effective| place(effective.setting));
        config
    }

    /// Adds what the user data of the instance has: the JSON of a settings file. Says what of it was refused.
    pub fn add_user_data(strings: Strings, settings: &str) -> (Strings, Vec<Problem>) {
        let origin = Origin::Host(USER_DATA);
        let read = file::read(settings);
        let problems = read.refused.into_iter().map(|(setting, message)| Problem {
            setting,
            origin,
            message,
        });
        // Where the agent listens and keeps its state is asked by programs that do not ask the instance.
        let mut texts = keep_ours(read.texts);
        texts.retain(|name, _| {
            !name.starts_with("BERTH_") && !INSIDE_ITS_CONTAINER.contains(&name.as_str())
        });
        (strings.below(origin, texts), problems.collect())
    }

    /// Adds what a host whose kernel is in FIPS mode asks for by itself.
    pub fn add_fips_mode(strings: Strings) -> Strings {
        let used = (env::FIPS_ENDPOINT.name.to_owned(), "true".to_owned());
        strings.below(Origin::Host(FIPS_MODE), [used])
    }

    /// Adds what a host says by itself that has a default route of IPv6 and none of IPv4.
    pub fn add_ipv6_only(strings: Strings) -> Strings {
        let alone = (env::IP_COMPATIBILITY.name.to_owned(), "ipv6".to_owned());
        strings.below(Origin::Host(IPV6_ROUTES), [alone])
    }

    /// Adds the content of a settings file below what `strings` has, and says what of it was refused. Of lines for an
    /// environment, which may name other programs' variables, what could be ours is taken; paths inside the container of
    /// that agent are nothing here.
    pub fn add_file(
        strings: Strings,
        origin: Origin,
        path: &Path,
        content: &str,
    ) -> (Strings, Vec<Problem>) {
        let read = file::read(content);
        let problems = read
            .refused
            .into_iter()
            .map(|(part, why)| Problem {
                setting: part,
                origin,
                message: match origin {
                    Origin::Host(_) => why,
                    Origin::Flag | Origin::Environment | Origin::File | Origin::Default => {
                        format!("{why} (in {})", path.display())
                    }
                },
            })
            .collect();
        let texts = match origin {
            Origin::Host(_) => {
                let mut texts = keep_ours(read.texts);
                texts.retain(|name, _| !INSIDE_ITS_CONTAINER.contains(&name.as_str()));
                texts
            }
            Origin::Flag | Origin::Environment | Origin::File | Origin::Default => read.texts,
        };
        (strings.below(origin, texts), problems)
    }
}

/// Paths that a host's file for the ECS agent names inside that agent's container.
const INSIDE_ITS_CONTAINER: [&str; 3] =
    [env::DATA_DIR.name, env::LOG_FILE.name, env::AUDIT_LOG.name];

/// The task server of containers has it on Windows: no task can (`windows.md` 15.4).
const TASK_SERVER_PORT: u16 = 80;

/// What says of settings that they are in the user data of the instance.
const USER_DATA: &str = "user data of the instance";

/// Longest settings file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = file::MAX_FILE_BYTES;

/// How long tasks of ECS may take to stop when the host goes down; `None` = they are left alone.
fn host_shutdown(reader: &mut Reader<'_>) -> Option<Duration> {
    let limit = reader.duration(&env::HOST_SHUTDOWN_WAIT);
    reader.truth(&env::HOST_SHUTDOWN).then_some(limit)
}

fn data_dir(reader: &mut Reader<'_>) -> Option<PathBuf> {
    reader.fit_path(&env::DATA_DIR, windows_path::no_place_for_state)
}

fn cluster(reader: &mut Reader<'_>) -> ClusterName {
    let named = reader.parsed(&env::CLUSTER, |text| {
        // The ARN of a cluster ends in its name.
        let name = text.rsplit('/').next().unwrap_or_default();
        ClusterName::parse(name).map_err(|error| error.to_string())
    });
    named.unwrap_or_else(fallback_cluster)
}

#[expect(
    clippy::expect_used,
    reason = "the table's default is a cluster name; a test reads it"
)]
fn fallback_cluster() -> ClusterName {
    ClusterName::parse(env::CLUSTER.default_on(OsType::Linux))
        .expect("the default cluster name is one")
}

fn listen(reader: &mut Reader<'_>) -> ListenSection {
    let mut introspection = address(reader, &env::INTROSPECTION_ADDRESS);
    if reader.truth(&env::INTROSPECTION_OFFHOST) {
        introspection.set_ip(Ipv4Addr::UNSPECIFIED.into());
    }
    ListenSection {
        introspection,
        task_server: address(reader, &env::TASK_SERVER_ADDRESS),
        task_address: reader.truth(&env::TASK_ADDRESS),
        task_redirect: reader.truth(&env::TASK_REDIRECT),
        filter_loopback: !reader.truth(&env::SKIP_LOCALHOST_FILTER),
        front: Front::default(),
    }
}

fn address(reader: &mut Reader<'_>, setting: &'static env::Setting) -> SocketAddr {
    let read = |text: &str| {
        let why = "is not of the form <address>:<port>";
        text.parse().map_err(|_| why.to_owned())
    };
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    reader.parsed(setting, read).unwrap_or(nowhere)
}

fn engine(reader: &mut Reader<'_>, cluster: &ClusterName) -> EngineSettings {
    let [task_limits, propagate_task_memory] = [&env::TASK_LIMITS, &env::PROPAGATE_TASK_MEMORY]
        .map(|setting| {
            let asks = reader.truth(setting);
            reader.is_done_on_linux(setting, asks)
        });
    EngineSettings {
        cluster: cluster.to_string(),
        stop_timeout: reader.duration(&env::STOP_TIMEOUT),
        cleanup_wait: reader.duration(&env::CLEANUP_WAIT),
        cleanup_jitter: reader.duration(&env::CLEANUP_JITTER),
        pull_behavior: pull_behavior(reader.word(&env::PULL_BEHAVIOR)),
        task_limits,
        disable_privileged: reader.truth(&env::DISABLE_PRIVILEGED),
        log_failure: match reader.word(&env::LOG_FAILURE) {
            "fail" => LogFailurePolicy::Fail,
            _ => LogFailurePolicy::Degrade,
        },
        propagate_task_memory,
        cpu_unbounded: reader.truth(&env::CPU_UNBOUNDED),
        memory_unbounded: reader.truth(&env::MEMORY_UNBOUNDED),
        match_shared_volume: reader.truth(&env::MATCH_SHARED_VOLUME),
        endpoints: Endpoints {
            region: reader.text(&env::REGION),
            ..Endpoints::default()
        },
        credentials_wait: reader.duration(&env::CREDENTIALS_WAIT),
        ..EngineSettings::default()
    }
}

/// The behaviour of that word of `ECS_IMAGE_PULL_BEHAVIOR`.
pub fn pull_behavior(word: &str) -> PullBehavior {
    match word {
        "always" => PullBehavior::Always,
        "once" => PullBehavior::Once,
        "prefer-cached" => PullBehavior::PreferCached,
        _ => PullBehavior::Default,
    }
}

fn log(reader: &mut Reader<'_>) -> LogSection {
    LogSection {
        level: match reader.word(&env::LOG_LEVEL) {
            "debug" => LogLevel::Debug,
            "warn" => LogLevel::Warn,
            "error" | "crit" => LogLevel::Error,
            "none" => LogLevel::None,
            _ => LogLevel::Info,
        },
        format: match reader.word(&env::LOG_FORMAT) {
            "json" => LogFormat::Json,
            "logfmt" => LogFormat::Human,
            _ => LogFormat::Auto,
        },
    }
}

fn docker(reader: &mut Reader<'_>) -> DockerSection {
    let form = reader.word(&env::AUTH_TYPE);
    let data = reader.secret(&env::AUTH_DATA);
    let registry_auth = match data {
        Some(data) if !form.is_empty() => Some(RegistryAuthText { form, data }),
        Some(_) => {
            reader.set_aside(&env::AUTH_DATA, "needs ECS_ENGINE_AUTH_TYPE");
            None
        }
        None => None,
    };
    DockerSection {
        host: reader.text(&env::DOCKER_HOST),
        create_timeout: reader.duration(&env::CREATE_TIMEOUT),
        start_timeout: reader.duration(&env::START_TIMEOUT),
        registry_auth,
    }
}

fn images(reader: &mut Reader<'_>) -> ImagesSection {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let untracked = reader.truth(&env::UNTRACKED_IMAGES);
    let untracked_age = reader.duration(&env::UNTRACKED_MINIMUM_AGE);
    let cleanup = ImageCleanupSection {
        interval: reader.duration(&env::IMAGE_CLEANUP_INTERVAL),
        minimum_age: reader.duration(&env::IMAGE_MINIMUM_AGE),
        per_cycle: count(reader.number(&env::IMAGES_PER_CYCLE)),
        untracked_minimum_age: untracked.then_some(untracked_age),
        excluded: reader.list(&env::EXCLUDED_IMAGES),
    };
    ImagesSection {
        parallel_pulls: count(reader.number(&env::PARALLEL_PULLS)),
        pull_timeout: reader.duration(&env::PULL_TIMEOUT),
        pull_inactivity: reader.duration(&env::PULL_INACTIVITY),
        manifest_timeout: reader.duration(&env::MANIFEST_TIMEOUT),
        cleanup: (!reader.truth(&env::DISABLE_IMAGE_CLEANUP)).then_some(cleanup),
        disk_use_interval: reader.duration(&env::DISK_USE_INTERVAL),
    }
}

fn host(reader: &mut Reader<'_>, listen: ListenSection) -> HostSection {
    let task_server = match reader.os {
        OsType::Windows => listen.at_address().then_some(TASK_SERVER_PORT),
        OsType::Linux => None,
    };
    let pids = u32::try_from(reader.number(&env::TASK_PIDS_LIMIT)).unwrap_or(0);
    let limits_pids = reader.is_done_on_linux(&env::TASK_PIDS_LIMIT, pids > 0);
    HostSection {
        reserved_memory_mib: u32::try_from(reader.number(&env::RESERVED_MEMORY)).unwrap_or(0),
        reserved_ports: reader.ports_with(&env::RESERVED_PORTS, task_server),
        reserved_ports_udp: reader.ports(&env::RESERVED_PORTS_UDP),
        dynamic_ports: reader.port_range(&env::DYNAMIC_PORTS),
        cgroup_path: reader.path(&env::CGROUP_PATH),
        cgroup_cpu_period: reader.duration(&env::CGROUP_CPU_PERIOD),
        task_pids_limit: limits_pids.then_some(pids),
        block_instance_metadata: reader.truth(&env::BLOCK_INSTANCE_METADATA),
        instance_metadata_families: reader.list(&env::INSTANCE_METADATA_FAMILIES),
        detailed_family: reader.text(&env::DETAILED_FAMILY),
        gpu_list: gpus::list(reader),
        attributes: reader.attributes(&env::ATTRIBUTES),
    }
}

fn usage(reader: &mut Reader<'_>) -> UsageSection {
    let interval = reader.duration(&env::POLLING_METRICS_WAIT);
    UsageSection {
        enabled: !reader.truth(&env::DISABLE_METRICS),
        interval: reader.truth(&env::POLL_METRICS).then_some(interval),
    }
}

fn standalone(reader: &mut Reader<'_>) -> StandaloneSection {
    StandaloneSection {
        tasks_dir: reader.path(&env::TASKS_DIR),
        replace_stopped: match reader.word(&env::REPLACE_STOPPED) {
            "always" => ReplaceStopped::Always,
            "never" => ReplaceStopped::Never,
            _ => ReplaceStopped::OnFailure,
        },
    }
}
