//! A task definition after parsing: what shall run, in types that hold only what makes sense.
//!
//! Names follow register-task-definition as AWS documents it. Absent, `null`, `""` and `[]` have already become
//! `None` or empty here; sizes have become numbers. What is not here: how text becomes these values
//! (`crate::definition`) and what a host makes of them (`crate::domain::fit`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::depends_on::Dependency;
use super::ids::{ContainerName, Family, VolumeName};
use super::image::ImageRef;
use super::port_mapping::PortMapping;
use super::registry::EcrAuth;
use super::volume::{MountPoint, Volume, VolumesFrom};

/// One ECS task definition.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefinition {
    /// `family`.
    pub family: Family,
    /// `revision`; 0 when the input has none.
    pub revision: u32,
    /// `taskRoleArn`.
    pub task_role_arn: Option<String>,
    /// `executionRoleArn`.
    pub execution_role_arn: Option<String>,
    /// `networkMode`; ECS' default is bridge on Linux.
    pub network_mode: NetworkMode,
    /// `pidMode`.
    pub pid_mode: PidMode,
    /// `ipcMode`.
    pub ipc_mode: IpcMode,
    /// `cpu` of the task in CPU units (1024 = one vCPU); `None` = no task limit.
    pub cpu_units: Option<u32>,
    /// `memory` of the task in MiB; `None` = no task limit.
    pub memory_mib: Option<u32>,
    /// `containerDefinitions` in the given order; never empty, names are unique.
    pub containers: Vec<ContainerDefinition>,
    /// `volumes`; names are unique.
    pub volumes: Vec<Volume>,
    /// `placementConstraints[].expression` of type `memberOf`.
    pub placement_constraints: Vec<String>,
    /// `requiresCompatibilities`, upper case: `EC2`, `FARGATE`, `EXTERNAL`, `MANAGED_INSTANCES`.
    pub requires_compatibilities: Vec<String>,
    /// `requiresAttributes[].name`, from describe-task-definition.
    pub requires_attributes: Vec<String>,
    /// `runtimePlatform`.
    pub runtime_platform: RuntimePlatform,
    /// `ephemeralStorage.sizeInGiB`.
    pub ephemeral_storage_gib: Option<u32>,
    /// `enableFaultInjection`.
    pub enable_fault_injection: bool,
    /// `tags`.
    pub tags: BTreeMap<String, String>,
    /// `proxyConfiguration.containerName`: App Mesh, which plain Docker cannot do.
    pub proxy_container: Option<String>,
    /// Names of `inferenceAccelerators`.
    pub inference_accelerators: Vec<String>,
}

/// `networkMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkMode {
    /// Docker's bridge, and the default.
    #[default]
    Bridge,
    /// The host's network namespace.
    Host,
    /// No network.
    None,
    /// One network interface for the task; needs ECS, or `--network-as` in standalone mode.
    Awsvpc,
}

/// `pidMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PidMode {
    /// Each container has its own.
    #[default]
    Private,
    /// All containers of the task share one.
    Task,
    /// The host's.
    Host,
}

/// `ipcMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpcMode {
    /// Docker's default.
    #[default]
    Default,
    /// All containers of the task share one.
    Task,
    /// The host's.
    Host,
    /// Private to each container.
    None,
}

/// `runtimePlatform`, as written and upper-cased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimePlatform {
    /// `operatingSystemFamily`: `LINUX`, `WINDOWS_SERVER_2022_CORE`, …
    pub operating_system_family: Option<String>,
    /// `cpuArchitecture`: `X86_64`, `ARM64`.
    pub cpu_architecture: Option<String>,
}

/// One entry of `containerDefinitions`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags are ECS' own, each a parameter of its own"
)]
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerDefinition {
    /// `name`.
    pub name: ContainerName,
    /// `image`.
    pub image: ImageRef,
    /// `essential`; true unless said otherwise.
    pub essential: bool,
    /// `cpu` in CPU units; 0 = none given.
    pub cpu_units: u32,
    /// `memory`: hard limit in MiB.
    pub memory_mib: Option<u32>,
    /// `memoryReservation`: soft limit in MiB.
    pub memory_reservation_mib: Option<u32>,
    /// `entryPoint`.
    pub entry_point: Option<Vec<String>>,
    /// `command`.
    pub command: Option<Vec<String>>,
    /// `environment`; of a name given twice the last counts.
    pub environment: BTreeMap<String, String>,
    /// `environmentFiles[].value`: S3 object ARNs.
    pub environment_files: Vec<String>,
    /// `secrets`.
    pub secrets: Vec<SecretRef>,
    /// `portMappings`.
    pub port_mappings: Vec<PortMapping>,
    /// `mountPoints`.
    pub mount_points: Vec<MountPoint>,
    /// `volumesFrom`.
    pub volumes_from: Vec<VolumesFrom>,
    /// `links`: container name and alias.
    pub links: Vec<Link>,
    /// `dependsOn`.
    pub depends_on: Vec<Dependency>,
    /// `startTimeout`: how long others wait for this container to meet their condition (reference: counts from
    /// its first start).
    pub start_timeout: Option<Duration>,
    /// `stopTimeout`: from SIGTERM to SIGKILL.
    pub stop_timeout: Option<Duration>,
    /// `restartPolicy`, if enabled.
    pub restart_policy: Option<RestartPolicy>,
    /// `healthCheck`.
    pub health_check: Option<HealthCheck>,
    /// `logConfiguration`.
    pub log_configuration: Option<LogConfiguration>,
    /// `linuxParameters`.
    pub linux_parameters: LinuxParameters,
    /// `ulimits`.
    pub ulimits: Vec<Ulimit>,
    /// `systemControls`: kernel parameter to value.
    pub system_controls: BTreeMap<String, String>,
    /// `resourceRequirements`.
    pub resource_requirements: Vec<ResourceRequirement>,
    /// Ids of the GPUs that ECS has chosen for the container, which payloads have instead of a requirement of GPUs.
    pub gpu_ids: Vec<String>,
    /// `user`.
    pub user: Option<String>,
    /// `workingDirectory`.
    pub working_directory: Option<String>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `disableNetworking`.
    pub disable_networking: bool,
    /// `privileged`.
    pub privileged: bool,
    /// `readonlyRootFilesystem`.
    pub readonly_root_filesystem: bool,
    /// `interactive`: keep stdin open.
    pub interactive: bool,
    /// `pseudoTerminal`.
    pub pseudo_terminal: bool,
    /// `dnsServers`.
    pub dns_servers: Vec<String>,
    /// `dnsSearchDomains`.
    pub dns_search_domains: Vec<String>,
    /// `extraHosts`: host name and address.
    pub extra_hosts: Vec<(String, String)>,
    /// `dockerLabels`.
    pub docker_labels: BTreeMap<String, String>,
    /// `dockerSecurityOptions`.
    pub docker_security_options: Vec<String>,
    /// `credentialSpecs`.
    pub credential_specs: Vec<String>,
    /// `firelensConfiguration.type`.
    pub firelens: Option<String>,
    /// `repositoryCredentials.credentialsParameter`.
    pub repository_credentials: Option<String>,
    /// `registryAuthentication` of type `ecr`, which payloads of ECS have beside what is registered.
    pub registry_authentication: Option<EcrAuth>,
}

/// `secrets[]`, also `logConfiguration.secretOptions[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// `name`: environment variable or log option.
    pub name: String,
    /// `valueFrom`: an ARN or parameter name.
    pub value_from: String,
}

impl ContainerDefinition {
    /// Where the values are that it gets from outside: of variables, then of log options.
    pub fn secrets_used(&self) -> impl Iterator<Item = &SecretRef> {
        let log = self.log_configuration.iter();
        let options = log.flat_map(|log| &log.secret_options);
        self.secrets.iter().chain(options)
    }
}

/// `links[]`, from `name[:alias]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The linked container.
    pub container: ContainerName,
    /// Name under which it is reached.
    pub alias: String,
}

/// `restartPolicy` with `enabled` true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// `ignoredExitCodes`: exits that are final.
    pub ignored_exit_codes: Vec<i64>,
    /// `restartAttemptPeriod`: shortest time a container must have run to be restarted; ECS' default is 300 s.
    pub restart_attempt_period: Duration,
}

/// `healthCheck`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// `command`, beginning with `CMD`, `CMD-SHELL` or `NONE`.
    pub command: Vec<String>,
    /// `interval`; default 30 s.
    pub interval: Duration,
    /// `timeout`; default 5 s.
    pub timeout: Duration,
    /// `retries`; default 3.
    pub retries: u32,
    /// `startPeriod`; default none.
    pub start_period: Duration,
}

/// `logConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfiguration {
    /// `logDriver`.
    pub driver: String,
    /// `options`.
    pub options: BTreeMap<String, String>,
    /// `secretOptions`.
    pub secret_options: Vec<SecretRef>,
}

/// `linuxParameters`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxParameters {
    /// `capabilities.add`.
    pub capabilities_add: Vec<String>,
    /// `capabilities.drop`.
    pub capabilities_drop: Vec<String>,
    /// `devices`.
    pub devices: Vec<Device>,
    /// `initProcessEnabled`.
    pub init_process_enabled: bool,
    /// `sharedMemorySize` in MiB.
    pub shared_memory_mib: Option<u32>,
    /// `tmpfs`.
    pub tmpfs: Vec<Tmpfs>,
    /// `maxSwap` in MiB: swap on top of `memory`.
    pub max_swap_mib: Option<u32>,
    /// `swappiness`, 0 to 100.
    pub swappiness: Option<u8>,
}

/// `linuxParameters.devices[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `hostPath`.
    pub host_path: String,
    /// `containerPath`; the host path if absent.
    pub container_path: String,
    /// `permissions` as Docker writes them: a subset of `rwm`.
    pub permissions: String,
}

/// `linuxParameters.tmpfs[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// `containerPath`.
    pub container_path: String,
    /// `size` in MiB.
    pub size_mib: u32,
    /// `mountOptions`.
    pub mount_options: Vec<String>,
}

/// `ulimits[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// `name`, without `RLIMIT_`, lower case.
    pub name: String,
    /// `softLimit`.
    pub soft: i64,
    /// `hardLimit`.
    pub hard: i64,
}

/// `resourceRequirements[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRequirement {
    /// `type`: `GPU`, `InferenceAccelerator`.
    pub kind: String,
    /// `value`.
    pub value: String,
}

impl TaskDefinition {
    /// The container of that name.
    pub fn container(&self, name: &ContainerName) -> Option<&ContainerDefinition> {
        self.containers
            .iter()
            .find(|container| &container.name == name)
    }

    /// The volume of that name.
    pub fn volume(&self, name: &VolumeName) -> Option<&Volume> {
        self.volumes.iter().find(|volume| &volume.name == name)
    }
}

impl ContainerDefinition {
    /// A container with every parameter at its ECS default.
    pub fn new(name: ContainerName, image: ImageRef) -> Self {
        Self {
            name,
            image,
            essential: true,
            cpu_units: 0,
            memory_mib: None,
            memory_reservation_mib: None,
            entry_point: None,
            command: None,
            environment: BTreeMap::new(),
            environment_files: Vec::new(),
            secrets: Vec::new(),
            port_mappings: Vec::new(),
            mount_points: Vec::new(),
            volumes_from: Vec::new(),
            links: Vec::new(),
            depends_on: Vec::new(),
            start_timeout: None,
            stop_timeout: None,
            restart_policy: None,
            health_check: None,
            log_configuration: None,
            linux_parameters: LinuxParameters::default(),
            ulimits: Vec::new(),
            system_controls: BTreeMap::new(),
            resource_requirements: Vec::new(),
            gpu_ids: Vec::new(),
            user: None,
            working_directory: None,
            hostname: None,
            disable_networking: false,
            privileged: false,
            readonly_root_filesystem: false,
            interactive: false,
            pseudo_terminal: false,
            dns_servers: Vec::new(),
            dns_search_domains: Vec::new(),
            extra_hosts: Vec::new(),
            docker_labels: BTreeMap::new(),
            docker_security_options: Vec::new(),
            credential_specs: Vec::new(),
            firelens: None,
            repository_credentials: None,
            registry_authentication: None,
        }
    }
}

impl TaskDefinition {
    /// A definition with these containers and every other parameter at its ECS default.
    pub fn new(family: Family, containers: Vec<ContainerDefinition>) -> Self {
        Self {
            family,
            revision: 0,
            task_role_arn: None,
            execution_role_arn: None,
            network_mode: NetworkMode::default(),
            pid_mode: PidMode::default(),
            ipc_mode: IpcMode::default(),
            cpu_units: None,
            memory_mib: None,
            containers,
            volumes: Vec::new(),
            placement_constraints: Vec::new(),
            requires_compatibilities: Vec::new(),
            requires_attributes: Vec::new(),
            runtime_platform: RuntimePlatform::default(),
            ephemeral_storage_gib: None,
            enable_fault_injection: false,
            tags: BTreeMap::new(),
            proxy_container: None,
            inference_accelerators: Vec::new(),
        }
    }
}
