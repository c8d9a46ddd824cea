//! The table of settings: names, syntaxes, defaults and bounds, as the reference agent has them where it has them.
//!
//! **Invariants.** Every setting berth reads is in [`ALL`]; every default reads under its own syntax. Names of the
//! reference agent that have no effect here are in [`WITHOUT_EFFECT`], so that they are told apart from misspelt ones.
//! What a value does is written where its section is used.

use std::time::Duration;

use crate::domain::host::OsType;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Name in the environment and in `KEY=value` files.
    pub name: &'static str,
    /// Key in the JSON settings file of ECS agents, where it has one.
    pub json_key: Option<&'static str>,
    /// How its text is read.
    pub kind: Kind,
    /// Text that counts when nobody gives one, except where [`Setting::default_on`] has another; empty = none.
    default: &'static str,
    /// What it governs, for people.
    pub about: &'static str,
}

/// Syntax and bounds of a setting.
#[derive(Debug)]
pub enum Kind {
    /// Any text, blanks at both ends cut.
    Text,
    /// A text that is never shown.
    Secret,
    /// A path of the host.
    Path,
    /// A truth value.
    Truth,
    /// A duration within bounds.
    Duration(Bounds<Duration>),
    /// A whole number within bounds.
    Number(Bounds<u64>),
    /// A JSON list of ports; an empty one counts as not given.
    Ports,
    /// `low-high`.
    PortRange,
    /// A JSON object of texts.
    Attributes,
    /// Texts separated by commas.
    List,
    /// `steady,burst`: requests a second and at once.
    Rate,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
}

/// Smallest and largest value, both allowed, and what happens outside.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<T> {
    /// Smallest.
    pub min: T,
    /// Largest.
    pub max: T,
    /// Outside.
    pub outside: Outside,
}

/// What a value outside the bounds becomes. A zero always becomes the default without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The nearest bound.
    Clamp,
    /// The default.
    Default,
}

const FOREVER: Duration = Duration::MAX;

const fn at_least(min: Duration, outside: Outside) -> Kind {
    Kind::Duration(Bounds {
        min,
        max: FOREVER,
        outside,
    })
}

const fn between(min: u64, max: u64) -> Kind {
    Kind::Number(Bounds {
        min,
        max,
        outside: Outside::Default,
    })
}

macro_rules! settings {
    ($($constant:ident $name:literal $json:expr, $kind:expr, $default:literal, $about:literal;)+) => {
        $(
            #[doc = $about]
            pub const $constant: Setting = Setting {
                name: $name,
                json_key: $json,
                kind: $kind,
                default: $default,
                about: $about,
            };
        )+

        /// Every setting, in the order of `berth check-config`.
        pub const ALL: &[&Setting] = &[$(&$constant),+];
    };
}

settings! {
    DATA_DIR "ECS_DATADIR" Some("DataDir"), Kind::Path, "",
        "Directory of the state database; none given: the system's place for it.";
    CLUSTER "ECS_CLUSTER" Some("Cluster"), Kind::Text, "default",
        "Cluster of this host, by name or ARN; given, the agent connects to ECS.";
    MODE "BERTH_MODE" None, Kind::Word(&["auto", "connected", "standalone"]), "auto",
        "Whether tasks come from ECS; auto: if a cluster is given.";
    BACKEND_HOST "ECS_BACKEND_HOST" Some("APIEndpoint"), Kind::Text, "",
        "Address of the ECS API; none given: that of the region.";
    EXTERNAL "ECS_EXTERNAL" Some("External"), Kind::Truth, "false",
        "Whether this host is none of EC2 and registers as an external instance.";
    INSTANCE_TAGS "ECS_CONTAINER_INSTANCE_TAGS" Some("ContainerInstanceTags"), Kind::Attributes, "",
        "Tags of the container instance, JSON.";
    HTTP_PROXY "HTTP_PROXY" None, Kind::Secret, "",
        "Proxy of connections to ECS, and of calls for tasks, in clear text; over TLS for sessions without another.";
    HTTPS_PROXY "HTTPS_PROXY" None, Kind::Secret, "",
        "Proxy of connections to ECS, and of calls for tasks, over TLS.";
    NO_PROXY "NO_PROXY" None, Kind::Text, "",
        "Who is reached without a proxy: names, addresses, networks, with a port where only that is meant.";
    HTTP_PROXY_SMALL "http_proxy" None, Kind::Secret, "",
        "`HTTP_PROXY` where that is not given.";
    HTTPS_PROXY_SMALL "https_proxy" None, Kind::Secret, "",
        "`HTTPS_PROXY` where that is not given.";
    NO_PROXY_SMALL "no_proxy" None, Kind::Text, "",
        "`NO_PROXY` where that is not given.";
    CA_BUNDLE "AWS_CA_BUNDLE" None, Kind::Path, "",
        "File of certificates, PEM: authorities that are trusted beside the host's own in connections to ECS and in calls for tasks.";
    FIPS_ENDPOINT "AWS_USE_FIPS_ENDPOINT" None, Kind::Truth, "false",
        "Whether the endpoints of ECS and ECR that are validated for FIPS are used; none given: if the kernel is in FIPS mode and the region has them; `ECS_BACKEND_HOST` and `AWS_ENDPOINT_URL_ECR` count before it.";
    DUAL_STACK_ENDPOINT "AWS_USE_DUALSTACK_ENDPOINT" None, Kind::Truth, "false",
        "Whether the endpoints of ECS and ECR with IPv6 are used; none given: where there is IPv6 alone; `ECS_BACKEND_HOST` and `AWS_ENDPOINT_URL_ECR` count before it.";
    IP_COMPATIBILITY "ECS_INSTANCE_IP_COMPATIBILITY" None, Kind::Word(&["ipv4", "ipv6"]), "",
        "Whether this host reaches others over IPv6 alone; none given: if it has a default route of IPv6 and none of IPv4.";
    SPOT_DRAINING "ECS_ENABLE_SPOT_INSTANCE_DRAINING" Some("SpotInstanceDrainingEnabled"), Kind::Truth, "false",
        "Whether the instance drains when EC2 says that it will be interrupted.";
    REBALANCE_DRAINING "BERTH_REBALANCE_DRAINING" None, Kind::Truth, "false",
        "Whether it drains when EC2 recommends to rebalance: the interruption may come later, or not at all.";
    WARM_POOLS "ECS_WARM_POOLS_CHECK" Some("WarmPoolsSupport"), Kind::Truth, "false",
        "Whether registration waits until the Auto Scaling group wants the instance in service.";
    PROPAGATE_TAGS "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM" Some("ContainerInstancePropagateTagsFrom"),
        Kind::Word(&["none", "ec2_instance"]), "none",
        "Whose tags the container instance has beside those of `ECS_CONTAINER_INSTANCE_TAGS`.";
    EC2_ENDPOINT "BERTH_EC2_ENDPOINT" None, Kind::Text, "",
        "Address of the EC2 API, which is asked for those tags; none given: that of the region.";
    DETAILED_FAMILY "ECS_DETAILED_OS_FAMILY" None, Kind::Text, "",
        "Distribution and version of Linux in the attribute `ecs.os-type-detailed`; none given: as `/etc/os-release` says.";
    HIDE_ZONE "ECS_DISABLE_TASK_METADATA_AZ" Some("TaskMetadataAZDisabled"), Kind::Truth, "false",
        "Whether task metadata does not name the availability zone.";
    NO_HEALTH_CHECKS "ECS_DISABLE_DOCKER_HEALTH_CHECK" Some("DisableDockerHealthCheck"), Kind::Truth, "false",
        "Whether the instance does not say that it does health checks, so that ECS places no task with one.";
    LOG_DRIVERS "ECS_AVAILABLE_LOGGING_DRIVERS" Some("AvailableLoggingDrivers"), Kind::List, "",
        "Log drivers that ECS is told of, JSON, as far as Docker has them; none given: all that it has.";
    EXCLUDE_IPV6_BINDINGS "ECS_EXCLUDE_IPV6_PORTBINDING" Some("ShouldExcludeIPv6PortBinding"), Kind::Truth, "true",
        "Whether ports that are published on IPv6 are kept from ECS; where there is IPv6 alone those on IPv4 are instead.";
    ADMIN_SOCKET "BERTH_ADMIN_SOCKET" None, Kind::Path, "",
        "Socket of the admin API; none given: `berth.sock` in the data directory, which only the agent's user can enter.";
    INTROSPECTION_ADDRESS "BERTH_INTROSPECTION_ADDRESS" None, Kind::Text, "127.0.0.1:51678",
        "Where the introspection API listens.";
    INTROSPECTION_OFFHOST "ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS" None, Kind::Truth, "false",
        "Whether other hosts may ask the introspection API, for its classic paths.";
    TASK_SERVER_ADDRESS "BERTH_TASK_SERVER_ADDRESS" None, Kind::Text, "127.0.0.1:51679",
        "Where task metadata and credentials are served on this host.";
    TASK_ADDRESS "BERTH_TASK_ADDRESS" None, Kind::Truth, "true",
        "Whether the agent gives this host 169.254.170.2 and serves containers there.";
    TASK_REDIRECT "BERTH_TASK_REDIRECT" None, Kind::Truth, "false",
        "Whether, instead, rules of iptables send what containers ask for there to `BERTH_TASK_SERVER_ADDRESS`.";
    SKIP_LOCALHOST_FILTER "ECS_SKIP_LOCALHOST_TRAFFIC_FILTER" None, Kind::Truth, "false",
        "Whether those rules leave out the one that drops packets for loopback from outside.";
    BLOCK_INSTANCE_METADATA "BERTH_BLOCK_INSTANCE_METADATA" None, Kind::Truth, "true",
        "Whether tasks with a network of their own are kept from the instance metadata service.";
    INSTANCE_METADATA_FAMILIES "BERTH_INSTANCE_METADATA_FAMILIES" None, Kind::List, "",
        "Families of task definitions whose tasks may reach it all the same.";
    HOST_SHUTDOWN "BERTH_STOP_TASKS_AT_SHUTDOWN" None, Kind::Truth, "true",
        "Whether tasks of ECS are stopped in their order when the host is shut down (systemd, or a service of Windows).";
    HOST_SHUTDOWN_WAIT "BERTH_HOST_SHUTDOWN_WAIT" None,
        Kind::Duration(Bounds {
            min: Duration::from_secs(1),
            // `berth supervise` and the unit leave time for this and for the agent's own end.
            max: Duration::from_secs(25),
            outside: Outside::Clamp,
        }), "25s",
        "How long that and telling ECS may take, 25 s at most.";
    UPGRADE_WAIT "BERTH_UPGRADE_WAIT" None, at_least(Duration::from_secs(1), Outside::Clamp), "30s",
        "How long a new version may take to be ready before `berth supervise` brings the old one back.";
    REGION "AWS_DEFAULT_REGION" Some("AWSRegion"), Kind::Text, "",
        "Region of ECS, and the one that containers are told if they set none.";
    TASKS_DIR "BERTH_TASKS_DIR" None, Kind::Path, "",
        "Directory of task definition files to run.";
    REPLACE_STOPPED "BERTH_REPLACE_STOPPED" None, Kind::Word(&["always", "on-failure", "never"]), "on-failure",
        "When a task of a file that has ended by itself is started anew.";
    LOG_LEVEL "ECS_LOGLEVEL" None, Kind::Word(&["debug", "info", "warn", "error", "crit", "none"]), "info",
        "Least level of log lines.";
    LOG_FORMAT "ECS_LOG_OUTPUT_FORMAT" None, Kind::Word(&["auto", "logfmt", "json"]), "auto",
        "Form of log lines; auto: for people on a terminal, JSON elsewhere.";

    DOCKER_HOST "DOCKER_HOST" Some("DockerEndpoint"), Kind::Text, "",
        "Address of the Docker Engine; none given: the system's own.";
    START_TIMEOUT "ECS_CONTAINER_START_TIMEOUT" Some("ContainerStartTimeout"),
        at_least(Duration::from_secs(45), Outside::Clamp), "3m",
        "Longest wait for Docker to start a container.";
    CREATE_TIMEOUT "ECS_CONTAINER_CREATE_TIMEOUT" Some("ContainerCreateTimeout"),
        at_least(Duration::from_mins(1), Outside::Clamp), "4m",
        "Longest wait for Docker to create a container.";
    STOP_TIMEOUT "ECS_CONTAINER_STOP_TIMEOUT" Some("DockerStopTimeout"),
        at_least(Duration::from_secs(1), Outside::Clamp), "30s",
        "From SIGTERM to SIGKILL where the container does not say.";
    AUTH_TYPE "ECS_ENGINE_AUTH_TYPE" Some("EngineAuthType"), Kind::Word(&["docker", "dockercfg"]), "",
        "Form of the registry credentials in `ECS_ENGINE_AUTH_DATA`.";
    AUTH_DATA "ECS_ENGINE_AUTH_DATA" Some("EngineAuthData"), Kind::Secret, "",
        "Credentials of private registries, JSON.";

    CLEANUP_WAIT "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION" Some("TaskCleanupWaitDuration"),
        at_least(Duration::from_secs(1), Outside::Default), "3h",
        "How long a stopped task is kept.";
    CLEANUP_JITTER "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER" Some("TaskCleanupWaitDurationJitter"),
        at_least(Duration::ZERO, Outside::Default), "0",
        "How much longer at most, another time for each task, so that many that stopped together do not go together.";
    TASK_LIMITS "ECS_ENABLE_TASK_CPU_MEM_LIMIT" Some("TaskCPUMemLimit"), Kind::Truth, "true",
        "Whether task limits become a cgroup.";
    PROPAGATE_TASK_MEMORY "ECS_PROPAGATE_TASK_MEMORY_LIMIT_CGROUPV2" Some("PropagateTaskMemoryLimitCgroupV2"),
        Kind::Truth, "false",
        "On cgroup v2, containers without a memory limit get the task's.";
    CPU_UNBOUNDED "ECS_ENABLE_CPU_UNBOUNDED_WINDOWS_WORKAROUND" None, Kind::Truth, "false",
        "On Windows, a container whose `cpu` is 0 has no limit instead of 1 percent of the host.";
    MEMORY_UNBOUNDED "ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND" None, Kind::Truth, "false",
        "On Windows, a container with `memoryReservation` alone has no limit instead of being refused.";
    DISABLE_PRIVILEGED "ECS_DISABLE_PRIVILEGED" Some("PrivilegedDisabled"), Kind::Truth, "false",
        "Refuse privileged containers.";
    MATCH_SHARED_VOLUME "ECS_SHARED_VOLUME_MATCH_FULL_CONFIG" Some("SharedVolumeMatchFullConfig"),
        Kind::Truth, "false",
        "Compare labels and options of a shared volume that exists.";
    LOG_ROLES "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE" Some("OverrideAWSLogsExecutionRole"), Kind::Truth, "true",
        "On Linux, whether the log driver awslogs writes with the execution role of a task that has one.";
    LOG_FAILURE "BERTH_LOG_FAILURE" None, Kind::Word(&["degrade", "fail"]), "degrade",
        "What happens to a container whose log backend does not answer when it starts.";

    PULL_BEHAVIOR "ECS_IMAGE_PULL_BEHAVIOR" Some("ImagePullBehavior"),
        Kind::Word(&["default", "always", "once", "prefer-cached"]), "default",
        "When images are pulled.";
    PULL_TIMEOUT "ECS_IMAGE_PULL_TIMEOUT" Some("ImagePullTimeout"),
        at_least(Duration::from_secs(1), Outside::Default), "2h",
        "Longest time of one pull.";
    PULL_INACTIVITY "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT" Some("ImagePullInactivityTimeout"),
        at_least(Duration::from_mins(1), Outside::Clamp), "1m",
        "Longest silence during a pull.";
    MANIFEST_TIMEOUT "ECS_MANIFEST_PULL_TIMEOUT" Some("ManifestPullTimeout"),
        at_least(Duration::from_secs(30), Outside::Clamp), "1m",
        "Longest wait for a registry to say which digest a tag is.";
    PARALLEL_PULLS "BERTH_PARALLEL_PULLS" None, between(1, 64), "8",
        "How many images may be pulled at once.";
    DISABLE_IMAGE_CLEANUP "ECS_DISABLE_IMAGE_CLEANUP" Some("ImageCleanupDisabled"), Kind::Truth, "false",
        "Keep all images.";
    IMAGE_CLEANUP_INTERVAL "ECS_IMAGE_CLEANUP_INTERVAL" Some("ImageCleanupInterval"),
        at_least(Duration::from_mins(10), Outside::Default), "30m",
        "From one image clean-up to the next.";
    IMAGE_MINIMUM_AGE "ECS_IMAGE_MINIMUM_CLEANUP_AGE" Some("MinimumImageDeletionAge"),
        at_least(Duration::from_nanos(1), Outside::Default), "1h",
        "Youngest age since its pull at which an image may be removed.";
    IMAGES_PER_CYCLE "ECS_NUM_IMAGES_DELETE_PER_CYCLE" Some("NumImagesToDeletePerCycle"),
        between(1, u64::MAX), "5",
        "How many images one clean-up may remove.";
    UNTRACKED_IMAGES "ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP" Some("DeleteNonECSImagesEnabled"), Kind::Truth, "false",
        "Also remove images that no task has used.";
    UNTRACKED_MINIMUM_AGE "NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE" Some("NonECSMinimumImageDeletionAge"),
        at_least(Duration::from_nanos(1), Outside::Default), "1h",
        "Youngest age since it was built at which such an image may be removed.";
    EXCLUDED_IMAGES "ECS_EXCLUDE_UNTRACKED_IMAGE" Some("ImageCleanupExclusionList"), Kind::List, "",
        "Images that are never removed.";
    DISK_USE_INTERVAL "BERTH_DISK_USE_INTERVAL" None,
        at_least(Duration::from_secs(10), Outside::Clamp), "10m",
        "How often Docker is asked what takes its disk, first after a tenth of it; less often where that takes it long.";

    RESERVED_MEMORY "ECS_RESERVED_MEMORY" Some("ReservedMemory"), between(0, 65_535), "0",
        "Memory in MiB that tasks may not have.";
    RESERVED_PORTS "ECS_RESERVED_PORTS" Some("ReservedPorts"), Kind::Ports, "[22,2375,2376,51678,51679]",
        "TCP ports that tasks may not have.";
    RESERVED_PORTS_UDP "ECS_RESERVED_PORTS_UDP" Some("ReservedPortsUDP"), Kind::Ports, "[]",
        "UDP ports that tasks may not have.";
    DYNAMIC_PORTS "ECS_DYNAMIC_HOST_PORT_RANGE" Some("DynamicHostPortRange"), Kind::PortRange, "",
        "Host ports for container port ranges; none given: the system's own range.";
    CGROUP_PATH "ECS_CGROUP_PATH" Some("CgroupPath"), Kind::Path, "/sys/fs/cgroup",
        "Where cgroups are mounted.";
    CGROUP_CPU_PERIOD "ECS_CGROUP_CPU_PERIOD" Some("CgroupCPUPeriod"),
        Kind::Duration(Bounds {
            min: Duration::from_millis(8),
            max: Duration::from_millis(100),
            outside: Outside::Default,
        }), "100ms",
        "Period of the CPU quotas of tasks.";
    TASK_PIDS_LIMIT "ECS_TASK_PIDS_LIMIT" Some("TaskPidsLimit"), between(0, 4_194_304), "0",
        "Most processes of a task; 0: no limit.";
    DISABLE_METRICS "ECS_DISABLE_METRICS" Some("DisableMetrics"), Kind::Truth, "false",
        "Whether nobody reads what containers use: no usage, no history, no stats in task metadata.";
    POLL_METRICS "ECS_POLL_METRICS" Some("PollMetrics"), Kind::Truth, "false",
        "Whether usage is read at the interval below instead of every 5s.";
    POLLING_METRICS_WAIT "ECS_POLLING_METRICS_WAIT_DURATION" Some("PollingMetricsWaitDuration"),
        Kind::Duration(Bounds {
            min: Duration::from_secs(5),
            max: Duration::from_secs(20),
            outside: Outside::Clamp,
        }), "10s",
        "From one reading of usage to the next, with `ECS_POLL_METRICS`.";
    GPU_SUPPORT "ECS_ENABLE_GPU_SUPPORT" Some("GPUSupportEnabled"), Kind::Truth, "false",
        "On Linux, whether tasks of ECS get the GPUs that `/var/lib/ecs/gpu/nvidia-gpu-info.json` lists.";
    NVIDIA_RUNTIME "ECS_NVIDIA_RUNTIME" Some("NvidiaRuntime"), Kind::Text, "nvidia",
        "Docker's runtime for containers with GPUs; external instances need none.";
    ATTRIBUTES "ECS_INSTANCE_ATTRIBUTES" Some("InstanceAttributes"), Kind::Attributes, "",
        "Attributes of this host for placement constraints.";

    CREDENTIALS "BERTH_CREDENTIALS" None, Kind::Word(&["sts", "dev", "off"]), "sts",
        "Where credentials of task roles come from: STS, the file in `BERTH_CREDENTIALS_FILE`, or nowhere.";
    CREDENTIALS_FILE "BERTH_CREDENTIALS_FILE" None, Kind::Path, "",
        "File of fixed credentials for `BERTH_CREDENTIALS=dev`, JSON.";
    CREDENTIALS_BINDING "BERTH_CREDENTIALS_BINDING" None, Kind::Word(&["enforce", "audit", "off"]), "enforce",
        "Whether credentials are given to their task only: others are refused, noted, or served.";
    CREDENTIALS_KEEP "BERTH_CREDENTIALS_KEEP" None, Kind::Truth, "true",
        "Whether credentials outlive the agent's process: sealed on disk, with a key that only the kernel has.";
    CREDENTIALS_WAIT "BERTH_CREDENTIALS_WAIT" None,
        at_least(Duration::from_secs(1), Outside::Default), "5m",
        "How long a task waits for the credentials of its role before it is given up.";
    STS_ENDPOINT "BERTH_STS_ENDPOINT" None, Kind::Text, "",
        "Address of STS; none given: that of the region.";
    STS_REGION "BERTH_STS_REGION" None, Kind::Text, "",
        "Region of STS; none given: the one that AWS programs on this host use, else us-east-1.";
    ECR_ENDPOINT "AWS_ENDPOINT_URL_ECR" None, Kind::Text, "",
        "Address of ECR where a task names none; none given: that of the region.";
    SSM_ENDPOINT "AWS_ENDPOINT_URL_SSM" None, Kind::Text, "",
        "Address of Systems Manager, for secrets of tasks; none given: that of the region.";
    SECRETS_ENDPOINT "AWS_ENDPOINT_URL_SECRETS_MANAGER" None, Kind::Text, "",
        "Address of Secrets Manager, for secrets of tasks; none given: that of the region.";
    ROLE_DURATION "BERTH_ROLE_DURATION" None,
        Kind::Duration(Bounds {
            min: Duration::from_mins(15),
            max: Duration::from_hours(12),
            outside: Outside::Clamp,
        }), "1h",
        "How long assumed roles last.";
    ROLE_SESSION_NAME "BERTH_ROLE_SESSION_NAME" None, Kind::Text, "berth-{task}",
        "Name of role sessions; `{task}` stands for the task's id.";
    ROLE_EXTERNAL_ID "BERTH_ROLE_EXTERNAL_ID" None, Kind::Text, "",
        "External id that trust policies of roles ask for.";
    ROLE_TAGS "BERTH_ROLE_TAGS" None, Kind::Attributes, "",
        "Tags of role sessions, JSON; `{task}` in a value stands for the task's id.";
    PROFILE "ECS_ALTERNATE_CREDENTIAL_PROFILE" None, Kind::Text, "",
        "Profile of the host's own credentials in the profile files; none given: as `AWS_PROFILE` says.";
    INSTANCE_METADATA "BERTH_INSTANCE_METADATA" None, Kind::Text, "auto",
        "Whether the instance metadata service of EC2 is asked: off, on, or its address; auto: on if connected and not external.";
    METADATA_ENDPOINT "AWS_EC2_METADATA_SERVICE_ENDPOINT" None, Kind::Text, "",
        "Address of the instance metadata service where it is asked; none given: its usual one.";
    METADATA_DISABLED "AWS_EC2_METADATA_DISABLED" None, Kind::Truth, "false",
        "Never ask the instance metadata service.";
    METADATA_FILES "ECS_ENABLE_CONTAINER_METADATA" Some("ContainerMetadataEnabled"), Kind::Truth, "false",
        "Whether each container gets a file with its metadata.";
    TASK_SERVER_RATE "ECS_TASK_METADATA_RPS_LIMIT" None, Kind::Rate, "",
        "How often a task may ask for one path of the task server, `steady,burst`; none given, or a zero: 50000 of it.";
    LOG_FILE "ECS_LOGFILE" None, Kind::Path, "",
        "File of log lines of a service of Windows; none given: `log\\ecs-agent.log` below `%ProgramData%\\Amazon\\ECS`.";
    AUDIT_LOG "ECS_AUDIT_LOGFILE" Some("CredentialsAuditLogFile"), Kind::Path, "",
        "File of the record of requests for credentials; none given: `audit.log` in the data directory.";
    AUDIT_LOG_DISABLED "ECS_AUDIT_LOGFILE_DISABLED" Some("CredentialsAuditLogDisabled"), Kind::Truth, "false",
        "Keep no record of requests for credentials.";
    LOG_FILE_SIZE "ECS_LOG_MAX_FILE_SIZE_MB" None, between(1, 10_000), "5",
        "Size in million bytes at which that file is set aside.";
    LOG_ROLL_COUNT "ECS_LOG_MAX_ROLL_COUNT" None, between(1, 1000), "24",
        "How many of those that were set aside are kept.";
}

/// Defaults that are others on Windows (`windows.md` 8): what Windows itself, Docker and the agent listen on; a container
/// starts more slowly; layers are some GiB, and unpacking one says nothing meanwhile.
const ON_WINDOWS: [(&str, &str); 5] = [
    (
        RESERVED_PORTS.name,
        "[53,135,139,445,2375,2376,3389,5985,5986,51678,51679]",
    ),
    (START_TIMEOUT.name, "8m"),
    (PULL_INACTIVITY.name, "3m"),
    (TASK_LIMITS.name, "false"),
    (NVIDIA_RUNTIME.name, ""),
];

/// Shortest wait there for Docker to start a container.
const SHORTEST_START_ON_WINDOWS: Duration = Duration::from_mins(2);

impl Setting {
    /// Text that counts on that system when nobody gives one; empty = none.
    pub fn default_on(&self, os: OsType) -> &'static str {
        let other = match os {
            OsType::Windows => ON_WINDOWS.iter().find(|(name, _)| *name == self.name),
            OsType::Linux => None,
        };
        other.map_or(self.default, |(_, default)| default)
    }

    /// Bounds on that system, if it is a duration.
    pub(super) fn duration_on(&self, os: OsType) -> Option<Bounds<Duration>> {
        let Kind::Duration(bounds) = self.kind else {
            return None;
        };
        let min = match os {
            OsType::Windows if self.name == START_TIMEOUT.name => SHORTEST_START_ON_WINDOWS,
            OsType::Windows | OsType::Linux => bounds.min,
        };
        Some(Bounds { min, ..bounds })
    }
}

/// Settings of ECS agents that this version knows and does not act on.
pub const WITHOUT_EFFECT: &[&str] = &[
    "CREDENTIALS_FETCHER_HOST_DIR",
    "CREDENTIALS_FETCHER_SECRET_NAME_FOR_DOMAINLESS_GMSA",
    "ECS_AGENT_APPARMOR_PROFILE",
    "ECS_AGENT_HEALTHCHECK_HOST",
    "ECS_AGENT_LABELS",
    "ECS_AGENT_PID_NAMESPACE_HOST",
    "ECS_AGENT_RUN_PRIVILEGED",
    "ECS_APPARMOR_CAPABLE",
    "ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES",
    "ECS_AWSVPC_BLOCK_IMDS",
    "ECS_CHECKPOINT",
    "ECS_CNI_LOGLEVEL",
    "ECS_CNI_PLUGINS_PATH",
    "ECS_CONTAINER_METADATA_FILE",
    "ECS_DOMAIN_JOINED_LINUX_INSTANCE",
    "ECS_EBSTA_SUPPORTED",
    "ECS_ENABLE_FIRELENS_ASYNC",
    "ECS_ENABLE_HIGH_DENSITY_ENI",
    "ECS_ENABLE_INF_SUPPORT",
    "ECS_ENABLE_PROMETHEUS_METRICS",
    "ECS_ENABLE_RUNTIME_STATS",
    "ECS_ENABLE_TASK_ENI",
    "ECS_ENABLE_TASK_IAM_ROLE",
    "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST",
    "ECS_FSX_WINDOWS_FILE_SERVER_SUPPORTED",
    "ECS_GMSA_SUPPORTED",
    "ECS_HOST_DATA_DIR",
    "ECS_INIT_DOCKER_LOG_FILE_NUM",
    "ECS_INIT_DOCKER_LOG_FILE_SIZE",
    "ECS_LOGLEVEL_ON_INSTANCE",
    "ECS_LOG_DRIVER",
    "ECS_LOG_OPTS",
    "ECS_LOG_ROLLOVER_TYPE",
    "ECS_OFFHOST_INTROSPECTION_INTERFACE_NAME",
    "ECS_PAUSE_LABELS",
    "ECS_PULL_DEPENDENT_CONTAINERS_UPFRONT",
    "ECS_SELINUX_CAPABLE",
    "ECS_UPDATES_ENABLED",
    "ECS_UPDATE_DOWNLOAD_DIR",
    "ECS_VOLUME_PLUGIN_CAPABILITIES",
    "NONECS_NUM_CONTAINERS_DELETE_PER_CYCLE",
];

/// Names of all settings that are known, those without effect too.
pub fn names() -> impl Iterator<Item = &'static str> {
    let ours = ALL.iter().map(|setting| setting.name);
    ours.chain(WITHOUT_EFFECT.iter().copied())
}

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    ALL.iter().find(|setting| setting.name == name).copied()
}

/// The known name that a misspelt one most likely means: at most three edits away, or alike by 0.88 of 1.
pub fn nearest(name: &str) -> Option<&'static str> {
    const MOST_EDITS: usize = 3;
    names()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(edits, known)| *edits <= MOST_EDITS || strsim::jaro(name, known) >= 0.88)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_is_listed_twice() {
        let mut seen = BTreeSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name}");
        }
        let mut keys = BTreeSet::new();
        for key in ALL.iter().filter_map(|setting| setting.json_key) {
            assert!(keys.insert(key.to_lowercase()), "{key}");
        }
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        for (given, meant) in [
            ("ECS_CLUSTERS", Some("ECS_CLUSTER")),
            ("ECS_DATA_DIR", Some("ECS_DATADIR")),
            ("ECS_RESERVED_PROTS", Some("ECS_RESERVED_PORTS")),
            ("ECS_IMAGE_PULL_BEHAVIOUR", Some("ECS_IMAGE_PULL_BEHAVIOR")),
            ("ECS_XYZZY", None),
        ] {
            assert_eq!(nearest(given), meant, "{given}");
        }
    }
}
