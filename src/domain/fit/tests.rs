//! One table a rule. Every case changes the one field it is about and compares all findings, so that a rule that
//! speaks up uncalled fails as well.

use super::*;
use crate::domain::definition::{
    Device, IpcMode, Link, LogConfiguration, NetworkMode, PidMode, ResourceRequirement, SecretRef,
    TaskDefinition, Tmpfs, Ulimit,
};
use crate::domain::host::{CgroupSupport, Gpus, HostFacts, OsType};
use crate::domain::ids::VolumeName;
use crate::domain::port_mapping::Protocol;
use crate::domain::sample;
use crate::domain::task::TaskOptions;
use crate::domain::volume::{DockerVolume, MountPoint, Volume, VolumeScope, VolumeSource};

/// A task of two containers on a plain Linux host, to be changed by a case.
struct Scene {
    definition: TaskDefinition,
    options: TaskOptions,
    host: HostFacts,
    policy: FitPolicy,
}

fn scene() -> Scene {
    Scene {
        definition: sample::definition(&["a", "b"]),
        options: TaskOptions::default(),
        host: sample::host(),
        policy: FitPolicy {
            disable_privileged: false,
            task_limits: true,
            credentials: false,
            execution_roles: false,
            memory_unbounded: false,
        },
    }
}

impl Scene {
    fn fit(&self) -> Vec<FitFinding> {
        fit(&self.definition, &self.options, &self.host, &self.policy)
    }
}

fn check(change: impl FnOnce(&mut Scene), expected: &[&str]) {
    let mut scene = scene();
    change(&mut scene);
    let found: Vec<String> = scene.fit().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

fn text(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

fn log(driver: &str) -> LogConfiguration {
    LogConfiguration {
        driver: driver.to_owned(),
        options: [].into(),
        secret_options: Vec::new(),
    }
}

fn on_windows(scene: &mut Scene) {
    scene.host.os_type = OsType::Windows;
    scene.host.cgroups = CgroupSupport::None;
}

fn awsvpc_as(scene: &mut Scene, mode: NetworkMode) {
    scene.definition.network_mode = NetworkMode::Awsvpc;
    scene.options.network_as = Some(mode);
}

const AS_BRIDGE: &str = "networkMode: changed: awsvpc is run as bridge: the containers share one network namespace, \
                         held by a pause container, and ports are published on this host";

#[test]
fn a_plain_definition_fits() {
    check(|_| {}, &[]);
    check(
        |s| {
            let c = &mut s.definition.containers[0];
            c.privileged = true;
            c.hostname = Some("h".to_owned());
            c.links = vec![Link {
                container: sample::name("b"),
                alias: "b".to_owned(),
            }];
            c.port_mappings = vec![sample::port(80, Some(8080)), sample::port(81, None)];
            c.memory_mib = Some(6);
            c.system_controls = [("net.core.somaxconn".to_owned(), "1024".to_owned())].into();
            s.definition.memory_mib = Some(512);
            s.definition.requires_compatibilities = text(&["EC2", "FARGATE"]);
            s.definition.placement_constraints = text(&["attribute:stack == prod"]);
        },
        &[],
    );
}

#[test]
fn compatibilities_need_one_that_this_host_satisfies() {
    for satisfied in ["EC2", "EXTERNAL", "MANAGED_INSTANCES"] {
        check(
            |s| s.definition.requires_compatibilities = text(&["FARGATE", satisfied]),
            &[],
        );
    }
    check(
        |s| s.definition.requires_compatibilities = text(&["FARGATE"]),
        &[
            "requiresCompatibilities: refused: made for FARGATE only, and this host is none of them; run it with --ignore-compatibilities or --network-as",
        ],
    );
    check(
        |s| {
            s.definition.requires_compatibilities = text(&["FARGATE"]);
            s.options.ignore_compatibilities = true;
        },
        &[
            "requiresCompatibilities: changed: made for FARGATE only, run on this host's Docker because the options say so",
        ],
    );
    check(
        |s| {
            s.definition.requires_compatibilities = text(&["FARGATE"]);
            s.options.network_as = Some(NetworkMode::Bridge);
        },
        &[
            "requiresCompatibilities: changed: made for FARGATE only, run on this host's Docker because the options say so",
        ],
    );
}

#[test]
fn another_platform_is_refused_naming_both() {
    let on = |family: &'static str, architecture: &'static str| {
        move |s: &mut Scene| {
            s.definition.runtime_platform.operating_system_family = Some(family.to_owned());
            s.definition.runtime_platform.cpu_architecture = Some(architecture.to_owned());
        }
    };
    check(on("LINUX", "X86_64"), &[]);
    check(
        on("WINDOWS_SERVER_2022_CORE", "ARM64"),
        &[
            "runtimePlatform.operatingSystemFamily: refused: made for WINDOWS_SERVER_2022_CORE, this host runs linux containers",
            "runtimePlatform.cpuArchitecture: refused: made for ARM64, this host is X86_64",
        ],
    );
}

#[test]
fn placement_constraints_must_hold_here() {
    check(
        |s| {
            s.definition.placement_constraints = text(&[
                "attribute:stack == prod",
                "memberOf(ecs.os-type == 'windows' and attribute:gpu exists)",
                "task:group == x",
            ]);
        },
        &[
            r#"placementConstraints[1].expression: refused: "memberOf(ecs.os-type == 'windows' and attribute:gpu exists)" is not true of this host: ecs.os-type is "linux", gpu is not set"#,
            r#"placementConstraints[2].expression: refused: "task:group == x" cannot be judged: "task:group" cannot be judged on a single host, only attribute:<name> can at character 1"#,
        ],
    );
}

#[test]
fn attributes_for_the_scheduler_are_named_and_ignored() {
    check(
        |s| s.definition.requires_attributes = text(&["stack", "ecs.capability.x", "y"]),
        &[
            "requiresAttributes: ignored: only ECS' scheduler asks for these, this host does not state them: ecs.capability.x, y",
        ],
    );
}

#[test]
fn what_this_version_lacks_is_refused_by_name() {
    check(
        |s| {
            s.definition.proxy_container = Some("envoy".to_owned());
            s.definition.inference_accelerators = text(&["x"]);
            let c = &mut s.definition.containers[1];
            c.environment_files = text(&["arn"]);
            c.firelens = Some("fluentbit".to_owned());
            c.credential_specs = text(&["credentialspec:x"]);
            c.resource_requirements = vec![ResourceRequirement {
                kind: "GPU".to_owned(),
                value: "1".to_owned(),
            }];
        },
        &[
            "proxyConfiguration: refused: not supported yet by this version",
            "inferenceAccelerators: refused: not supported yet by this version",
            "containerDefinitions[1].environmentFiles: refused: not supported yet by this version",
            "containerDefinitions[1].firelensConfiguration: refused: not supported yet by this version",
            "containerDefinitions[1].credentialSpecs: refused: not supported yet by this version",
            "containerDefinitions[1].resourceRequirements[0]: refused: GPU: only tasks of ECS can have GPUs, since ECS chooses which",
        ],
    );
}

#[test]
fn a_gpu_that_is_not_there_is_refused_by_name() {
    let listed = |scene: &mut Scene| {
        scene.host.gpus = Some(Gpus {
            driver_version: None,
            ids: ["GPU-1", "GPU-2"].map(str::to_owned).into(),
        });
    };
    let wants = |scene: &mut Scene, ids: &[&str]| {
        scene.definition.containers[1].gpu_ids = text(ids);
    };
    check(
        |s| {
            listed(s);
            wants(s, &["GPU-2", "GPU-1"]);
        },
        &[],
    );
    check(
        |s| {
            listed(s);
            wants(s, &["GPU-1", "GPU-9"]);
        },
        &[
            "containerDefinitions[1].gpuIds[1]: refused: GPU GPU-9 is not in the list of this host's GPUs",
        ],
    );
    check(
        |s| wants(s, &["GPU-1"]),
        &[
            "containerDefinitions[1].gpuIds[0]: refused: tasks get no GPUs here: ECS_ENABLE_GPU_SUPPORT is not on",
        ],
    );
    check(
        |s| {
            on_windows(s);
            listed(s);
            wants(s, &["GPU-1"]);
        },
        &["containerDefinitions[1].gpuIds[0]: refused: tasks get no GPUs on Windows"],
    );
}

/// Two secrets and the login of a registry, one of which is at no place.
fn with_secrets(scene: &mut Scene) {
    let used = |name: &str, place: &str| SecretRef {
        name: name.to_owned(),
        value_from: place.to_owned(),
    };
    let container = &mut scene.definition.containers[1];
    container.secrets = vec![used("A", "parameter"), used("B", "arn:aws:s3:::b/k")];
    container.repository_credentials = Some("login".to_owned());
    container.log_configuration = Some(log("syslog"));
    let log = container.log_configuration.as_mut().unwrap();
    log.secret_options = vec![used("o", "parameter")];
}

const NO_PLACE: &str = "containerDefinitions[1].secrets[1].valueFrom: refused: arn:aws:s3:::b/k is an ARN of neither a \
                        parameter of Systems Manager nor a secret of Secrets Manager";

#[test]
fn secrets_need_an_execution_role_and_a_place() {
    check(
        with_secrets,
        &[
            "containerDefinitions[1].secrets: refused: needs executionRoleArn: the role that it is got with",
            "containerDefinitions[1].repositoryCredentials: refused: needs executionRoleArn: the role that it is got with",
            "containerDefinitions[1].logConfiguration.secretOptions: refused: needs executionRoleArn: the role that it is got with",
            NO_PLACE,
        ],
    );
    check(
        |s| {
            with_secrets(s);
            s.definition.execution_role_arn = Some("arn".to_owned());
            s.policy.execution_roles = true;
        },
        &[NO_PLACE],
    );
}

#[test]
fn what_a_task_runs_without_is_ignored_by_name() {
    check(
        |s| {
            s.definition.ephemeral_storage_gib = Some(50);
            s.definition.enable_fault_injection = true;
            s.definition.task_role_arn = Some("arn".to_owned());
            s.definition.execution_role_arn = Some("arn".to_owned());
        },
        &[
            "ephemeralStorage: ignored: containers share the disk of this host and have no quota on it",
            "enableFaultInjection: ignored: not supported yet by this version",
            "taskRoleArn: ignored: credentials of roles are not served here",
            "executionRoleArn: ignored: credentials of roles are not had here; images of ECR are pulled with the host's own",
        ],
    );
}

#[test]
fn volumes_need_a_source_and_a_driver_of_this_host() {
    let volume = |source| Volume {
        name: VolumeName::parse("v").unwrap(),
        source,
    };
    let docker = |driver: &str| {
        volume(VolumeSource::Docker(DockerVolume {
            scope: VolumeScope::Task,
            driver: Some(driver.to_owned()),
            driver_opts: [].into(),
            labels: [].into(),
        }))
    };
    check(
        |s| {
            s.host.volume_drivers = ["rexray".to_owned()].into();
            s.definition.volumes = vec![
                volume(VolumeSource::Empty),
                docker("local"),
                docker("rexray"),
                docker("ebs"),
                volume(VolumeSource::Aws("efsVolumeConfiguration")),
            ];
        },
        &[
            "volumes[3].dockerVolumeConfiguration.driver: refused: Docker on this host has no volume driver \"ebs\"",
            "volumes[4].efsVolumeConfiguration: refused: not supported yet by this version",
        ],
    );
}

#[test]
fn paths_of_a_linux_host_are_its_own() {
    let foreign = "refused: does not begin with `/`, as every path of a Linux host does";
    let colon = "refused: has a `:`, which divides the parts of a mount for Docker";
    let no_mode = "refused: has a `:`, and what follows is no mode of a mount such as shared or z";
    let mount = |path: &str| MountPoint {
        source_volume: VolumeName::parse("v").unwrap(),
        container_path: path.to_owned(),
        read_only: false,
    };
    let volume = |path: &str| Volume {
        name: VolumeName::parse("v").unwrap(),
        source: VolumeSource::HostPath(path.to_owned()),
    };
    let change = |s: &mut Scene| {
        s.definition.volumes = vec![volume("C:\\data"), volume("/a:b"), volume("/a")];
        let a = &mut s.definition.containers[0];
        a.working_directory = Some("C:\\app".to_owned());
        a.mount_points = vec![mount("D:"), mount("/x:y"), mount("/"), mount("/x")];
        a.linux_parameters.tmpfs = vec![Tmpfs {
            container_path: "/".to_owned(),
            size_mib: 1,
            mount_options: Vec::new(),
        }];
        a.linux_parameters.devices = vec![Device {
            host_path: "/dev/pci:0".to_owned(),
            container_path: "\\dev".to_owned(),
            permissions: "rwm".to_owned(),
        }];
    };
    let first = "containerDefinitions[0]";
    let root = "refused: is the root of the container, over which Docker mounts nothing";
    let expected = [
        format!("volumes[0].host.sourcePath: {foreign}"),
        format!("volumes[1].host.sourcePath: {colon}"),
        format!("{first}.workingDirectory: {foreign}"),
        format!("{first}.mountPoints[0].containerPath: {foreign}"),
        format!("{first}.mountPoints[1].containerPath: {no_mode}"),
        format!("{first}.mountPoints[2].containerPath: {root}"),
        format!("{first}.linuxParameters.tmpfs[0].containerPath: {root}"),
        format!("{first}.linuxParameters.devices[0].containerPath: {foreign}"),
    ];
    check(change, &expected.each_ref().map(String::as_str));
}

#[test]
fn awsvpc_is_refused_or_replaced_in_words() {
    check(
        |s| s.definition.network_mode = NetworkMode::Awsvpc,
        &[
            "networkMode: refused: awsvpc needs a network interface from ECS; run it with --network-as bridge",
        ],
    );
    check(|s| awsvpc_as(s, NetworkMode::Bridge), &[AS_BRIDGE]);
    check(
        |s| awsvpc_as(s, NetworkMode::Host),
        &["networkMode: changed: awsvpc is run as host: the containers share this host's network"],
    );
    check(
        |s| awsvpc_as(s, NetworkMode::None),
        &["networkMode: changed: awsvpc is run as none: the containers have no network"],
    );
}

#[test]
fn awsvpc_has_no_holder_of_its_network_on_windows() {
    check(
        |s| {
            on_windows(s);
            s.definition.network_mode = NetworkMode::Awsvpc;
        },
        &[
            "networkMode: refused: awsvpc needs a network interface from ECS; a task of this host has the network of networkMode default, or none",
        ],
    );
    check(
        |s| {
            on_windows(s);
            awsvpc_as(s, NetworkMode::Bridge);
        },
        &[
            "networkMode: refused: awsvpc cannot be run as bridge on Windows: the pause container that would hold the network is a program of Linux; write networkMode default",
        ],
    );
}

#[test]
fn links_need_the_bridge() {
    let linked = |s: &mut Scene| {
        s.definition.containers[0].links = vec![Link {
            container: sample::name("b"),
            alias: "b".to_owned(),
        }];
    };
    for mode in [NetworkMode::Host, NetworkMode::None] {
        check(
            |s| {
                linked(s);
                s.definition.network_mode = mode;
            },
            &[
                "containerDefinitions[0].links: refused: Docker links containers on the bridge network only",
            ],
        );
    }
    check(
        |s| {
            linked(s);
            awsvpc_as(s, NetworkMode::Bridge);
        },
        &[
            AS_BRIDGE,
            "containerDefinitions[0].links: ignored: the containers share one network and reach each other on 127.0.0.1",
        ],
    );
}

#[test]
fn a_shared_network_has_one_host_name() {
    check(
        |s| {
            awsvpc_as(s, NetworkMode::Bridge);
            s.definition.containers[1].hostname = Some("one".to_owned());
        },
        &[
            AS_BRIDGE,
            "containerDefinitions[1].hostname: changed: becomes the host name of all containers of the task",
        ],
    );
    check(
        |s| {
            awsvpc_as(s, NetworkMode::Bridge);
            s.definition.containers[0].hostname = Some("one".to_owned());
            s.definition.containers[1].hostname = Some("two".to_owned());
        },
        &[
            AS_BRIDGE,
            "containerDefinitions[0].hostname: ignored: the containers share one host name and ask for different ones",
            "containerDefinitions[1].hostname: ignored: the containers share one host name and ask for different ones",
        ],
    );
}

#[test]
fn a_shared_network_resolves_names_for_all() {
    let asks = |s: &mut Scene| {
        let c = &mut s.definition.containers[0];
        c.dns_servers = text(&["10.0.0.2"]);
        c.dns_search_domains = text(&["local"]);
        c.extra_hosts = vec![("db".to_owned(), "10.0.0.9".to_owned())];
    };
    check(asks, &[]);
    check(
        |s| {
            asks(s);
            awsvpc_as(s, NetworkMode::Bridge);
        },
        &[
            AS_BRIDGE,
            "containerDefinitions[0].dnsServers: changed: holds for all containers of the task, since they share one network",
            "containerDefinitions[0].dnsSearchDomains: changed: holds for all containers of the task, since they share one network",
            "containerDefinitions[0].extraHosts: changed: holds for all containers of the task, since they share one network",
        ],
    );
}

#[test]
fn ports_need_a_network_that_publishes_them() {
    let mapped = |mode| {
        move |s: &mut Scene| {
            s.definition.network_mode = mode;
            s.definition.containers[0].port_mappings = vec![
                sample::port(80, Some(8080)),
                sample::port(81, Some(81)),
                sample::port(82, None),
            ];
        }
    };
    check(mapped(NetworkMode::Bridge), &[]);
    check(
        mapped(NetworkMode::Host),
        &[
            "containerDefinitions[0].portMappings[0].hostPort: ignored: on the host's network the container's own port 80 counts",
        ],
    );
    check(
        |s| {
            s.definition.network_mode = NetworkMode::None;
            s.definition.containers[1].port_mappings = vec![sample::port(80, None)];
        },
        &[
            "containerDefinitions[1].portMappings[0]: refused: a task without network cannot publish ports",
        ],
    );
    check(
        |s| {
            s.definition.containers[1].disable_networking = true;
            s.definition.containers[1].port_mappings = vec![sample::port(80, Some(22))];
        },
        &[
            "containerDefinitions[1].portMappings[0]: ignored: the container has no network (disableNetworking)",
        ],
    );
}

#[test]
fn a_host_port_is_reserved_or_wanted_once() {
    check(
        |s| {
            let udp = |port| crate::domain::port_mapping::PortMapping {
                protocol: Protocol::Udp,
                ..sample::port(port, Some(port))
            };
            s.definition.containers[0].port_mappings = vec![
                sample::port(80, Some(22)),
                sample::port(81, Some(8080)),
                udp(22),
                udp(8080),
            ];
            s.definition.containers[1].port_mappings = vec![sample::port(82, Some(8080))];
        },
        &[
            "containerDefinitions[0].portMappings[0]: refused: port 22/tcp of this host is reserved for the host itself",
            "containerDefinitions[1].portMappings[0]: refused: port 8080/tcp of this host is wanted twice by this task",
        ],
    );
}

#[test]
fn a_port_at_which_the_agent_answers_is_told_apart_from_those_of_the_host() {
    check(
        |s| {
            s.host.front_port = Some(22);
            s.definition.containers[0].port_mappings = vec![sample::port(80, Some(22))];
        },
        &[
            "containerDefinitions[0].portMappings[0]: refused: port 22/tcp of this host is reserved for the agent, which answers containers there (`berth doctor` says why)",
        ],
    );
}

#[test]
fn more_memory_than_the_host_has_is_refused() {
    check(
        |s| {
            s.definition.containers[0].memory_mib = Some(5000);
            s.definition.memory_mib = Some(6000);
        },
        &[
            "containerDefinitions[0].memory: refused: wants 5000 MiB of memory, this host has 4096 MiB for tasks",
            "memory: refused: wants 6000 MiB of memory, this host has 4096 MiB for tasks",
        ],
    );
    check(
        |s| {
            s.definition.containers[0].memory_reservation_mib = Some(4000);
            s.definition.containers[1].memory_mib = Some(100);
        },
        &[
            "containerDefinitions: refused: wants 4100 MiB of memory, this host has 4096 MiB for tasks",
        ],
    );
}

#[test]
fn more_cpu_than_the_host_has_is_refused() {
    check(
        |s| {
            s.definition.containers[0].cpu_units = 3000;
            s.definition.cpu_units = Some(4096);
        },
        &[
            "containerDefinitions[0].cpu: refused: wants 3000 CPU units, this host has 2048 (1024 a core)",
            "cpu: refused: wants 4096 CPU units, this host has 2048 (1024 a core)",
        ],
    );
    check(
        |s| {
            s.definition.containers[0].cpu_units = 2000;
            s.definition.containers[1].cpu_units = 49;
        },
        &["containerDefinitions: refused: wants 2049 CPU units, this host has 2048 (1024 a core)"],
    );
}

#[test]
fn memory_under_what_docker_takes_is_refused() {
    check(
        |s| {
            s.definition.containers[0].memory_mib = Some(5);
            s.definition.containers[1].memory_reservation_mib = Some(5);
        },
        &[
            "containerDefinitions[0].memory: refused: Docker accepts no less than 6 MiB",
            "containerDefinitions[1].memoryReservation: refused: Docker accepts no less than 6 MiB",
        ],
    );
}

#[test]
fn limits_of_the_task_need_a_cgroup() {
    let limited = |s: &mut Scene| {
        s.definition.cpu_units = Some(512);
        s.definition.memory_mib = Some(512);
    };
    check(limited, &[]);
    check(
        |s| {
            limited(s);
            s.policy.task_limits = false;
        },
        &[
            "cpu: ignored: limits of a task as a whole are switched off on this host; it only counts when the host's resources are shared out",
            "memory: ignored: limits of a task as a whole are switched off on this host; it only counts when the host's resources are shared out",
        ],
    );
    check(
        |s| {
            s.definition.memory_mib = Some(512);
            s.host.cgroups = CgroupSupport::None;
        },
        &[
            "memory: ignored: this host cannot limit a task as a whole; it only counts when the host's resources are shared out",
        ],
    );
}

#[test]
fn swap_needs_a_kernel_that_limits_it() {
    let swapping = |s: &mut Scene| {
        let linux = &mut s.definition.containers[0].linux_parameters;
        linux.max_swap_mib = Some(64);
        linux.swappiness = Some(10);
    };
    check(swapping, &[]);
    check(
        |s| {
            swapping(s);
            s.host.swap_limit = false;
        },
        &[
            "containerDefinitions[0].linuxParameters.maxSwap: ignored: the kernel of this host cannot limit swap",
            "containerDefinitions[0].linuxParameters.swappiness: ignored: the kernel of this host has no swappiness for containers",
        ],
    );
    check(
        |s| {
            swapping(s);
            s.host.cgroups = CgroupSupport::V2Systemd;
        },
        &[
            "containerDefinitions[0].linuxParameters.swappiness: ignored: the kernel of this host has no swappiness for containers",
        ],
    );
}

#[test]
fn log_drivers_must_be_there() {
    check(
        |s| {
            s.definition.containers[0].log_configuration = Some(log("none"));
            s.definition.containers[1].log_configuration = Some(log("splunk"));
        },
        &[
            "containerDefinitions[1].logConfiguration.logDriver: refused: Docker on this host has no log driver \"splunk\"",
        ],
    );
    check(
        |s| s.definition.containers[0].log_configuration = Some(log("awsfirelens")),
        &[
            "containerDefinitions[0].logConfiguration.logDriver: refused: not supported yet by this version",
        ],
    );
    check(
        |s| s.definition.containers[0].log_configuration = Some(log("awslogs")),
        &[
            "containerDefinitions[0].logConfiguration: changed: Docker itself sends the logs, with the execution role where it can ask the agent for it, else with its own AWS credentials; if they are not accepted when the container starts, the host's log failure policy decides how it runs",
        ],
    );
}

#[test]
fn privileged_can_be_switched_off() {
    check(
        |s| {
            s.definition.containers[1].privileged = true;
            s.policy.disable_privileged = true;
        },
        &[
            "containerDefinitions[1].privileged: refused: privileged containers are switched off on this host (ECS_DISABLE_PRIVILEGED)",
        ],
    );
}

#[test]
fn security_options_need_their_module() {
    let options = [
        "no-new-privileges",
        "no-new-privileges:true",
        "apparmor:docker-default",
        "label:type:x",
        "seccomp=unconfined",
        "credentialspec:file://x",
        "magic",
    ];
    let set = |s: &mut Scene| {
        s.definition.containers[0].docker_security_options = text(&options);
    };
    let lacking = [
        "containerDefinitions[0].dockerSecurityOptions[5]: refused: not supported yet by this version",
        "containerDefinitions[0].dockerSecurityOptions[6]: refused: Docker does not know the security option \"magic\"",
    ];
    check(
        |s| {
            set(s);
            s.host.selinux = true;
        },
        &lacking,
    );
    check(
        |s| {
            set(s);
            s.host.apparmor = false;
        },
        &[
            "containerDefinitions[0].dockerSecurityOptions[2]: refused: this host has no AppArmor",
            "containerDefinitions[0].dockerSecurityOptions[3]: ignored: this host has no SELinux",
            lacking[0],
            lacking[1],
        ],
    );
}

/// Docker knows one there, and says of others when the container starts what is said here before (`windows.md` 10.2).
#[test]
fn a_windows_host_takes_no_security_option_but_credential_specs() {
    check(
        |s| {
            on_windows(s);
            s.definition.containers[0].docker_security_options = text(&[
                "credentialspec:file://web.json",
                "credentialspec=file://web.json",
                "no-new-privileges",
                "apparmor:docker-default",
                "label:type:x",
                "seccomp=unconfined",
                "magic",
            ]);
        },
        &[
            "containerDefinitions[0].dockerSecurityOptions[2]: refused: security option not supported: no-new-privileges: Windows containers take credential specs alone",
            "containerDefinitions[0].dockerSecurityOptions[3]: refused: security option not supported: apparmor: Windows containers take credential specs alone",
            "containerDefinitions[0].dockerSecurityOptions[4]: refused: security option not supported: label: Windows containers take credential specs alone",
            "containerDefinitions[0].dockerSecurityOptions[5]: refused: security option not supported: seccomp: Windows containers take credential specs alone",
            "containerDefinitions[0].dockerSecurityOptions[6]: refused: security option not supported: magic: Windows containers take credential specs alone",
        ],
    );
}

#[test]
fn kernel_parameters_need_a_namespace_of_the_task() {
    let set = |s: &mut Scene| {
        s.definition.containers[0].system_controls = ["net.core.somaxconn", "kernel.shmmax"]
            .map(|name| (name.to_owned(), "1".to_owned()))
            .into();
    };
    check(set, &[]);
    check(
        |s| {
            set(s);
            s.definition.network_mode = NetworkMode::Host;
            s.definition.ipc_mode = IpcMode::Host;
        },
        &[
            "containerDefinitions[0].systemControls: refused: kernel.shmmax belongs to the host's IPC namespace, which the task uses",
            "containerDefinitions[0].systemControls: refused: net.core.somaxconn belongs to the host's network, which the task uses",
        ],
    );
    check(
        |s| {
            s.definition.containers[0].system_controls =
                [("vm.swappiness".to_owned(), "1".to_owned())].into();
        },
        &[
            "containerDefinitions[0].systemControls: refused: vm.swappiness is not a parameter that a container can have of its own",
        ],
    );
}

#[test]
fn a_windows_host_shares_no_namespaces() {
    check(
        |s| {
            on_windows(s);
            s.definition.network_mode = NetworkMode::Host;
            s.definition.pid_mode = PidMode::Task;
            s.definition.ipc_mode = IpcMode::None;
        },
        &[
            "networkMode: refused: Windows containers cannot share this namespace",
            "pidMode: refused: Windows containers cannot share this namespace",
            "ipcMode: refused: Windows containers cannot share this namespace",
        ],
    );
}

#[test]
fn a_windows_host_refuses_or_ignores_what_is_for_linux() {
    check(
        |s| {
            on_windows(s);
            let c = &mut s.definition.containers[0];
            c.privileged = true;
            c.readonly_root_filesystem = true;
            c.memory_reservation_mib = Some(5);
            c.ulimits = vec![Ulimit {
                name: "nofile".to_owned(),
                soft: 1,
                hard: 1,
            }];
            c.system_controls = [("net.core.somaxconn".to_owned(), "1".to_owned())].into();
            c.linux_parameters.init_process_enabled = true;
        },
        &[
            "containerDefinitions[0].privileged: refused: invalid --privileged: Windows does not support this feature",
            "containerDefinitions[0].readonlyRootFilesystem: refused: invalid --read-only: Windows does not support this feature",
            "containerDefinitions[0].ulimits: refused: invalid option: Windows does not support Ulimits",
            "containerDefinitions[0].memoryReservation: refused: invalid option: Windows does not support MemoryReservation",
            "containerDefinitions[0].systemControls: ignored: has no effect on Windows containers",
            "containerDefinitions[0].linuxParameters: ignored: has no effect on Windows containers",
        ],
    );
}

/// As if Docker had been asked, as long as nothing else is in the way (`windows.md` 10.3).
#[test]
fn what_docker_would_refuse_stops_the_task_in_its_words() {
    let reason = |change: fn(&mut Scene)| {
        let mut scene = scene();
        on_windows(&mut scene);
        change(&mut scene);
        refusal(&scene.fit()).map(|reason| reason.to_string())
    };
    let said = |words: &str| Some(words.to_owned());
    assert_eq!(reason(|_| {}), None);
    assert_eq!(
        reason(|s| {
            for container in &mut s.definition.containers {
                container.privileged = true;
                container.memory_reservation_mib = Some(5);
                container.user = Some("app".to_owned());
            }
        }),
        said(
            "CannotCreateContainerError: invalid --privileged: Windows does not support this feature; \
             invalid option: Windows does not support MemoryReservation"
        )
    );
    assert_eq!(
        reason(|s| {
            s.definition.pid_mode = PidMode::Host;
            s.definition.containers[0].privileged = true;
        }),
        said(
            "UnsupportedError: pidMode: Windows containers cannot share this namespace; \
             containerDefinitions[0].privileged: invalid --privileged: Windows does not support this feature"
        )
    );
}

#[test]
fn a_reservation_is_left_out_only_where_the_operator_wants_no_limit() {
    const REFUSED: &str = "containerDefinitions[0].memoryReservation: refused: invalid option: Windows does not support MemoryReservation";
    const LEFT_OUT: &str = "containerDefinitions[0].memoryReservation: changed: left out: the container has no limit of memory (ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND)";
    for (wanted, memory, said) in [
        (false, None, REFUSED),
        (false, Some(512), REFUSED),
        (true, Some(512), REFUSED),
        (true, None, LEFT_OUT),
        (true, Some(0), LEFT_OUT),
    ] {
        check(
            |s| {
                on_windows(s);
                s.policy.memory_unbounded = wanted;
                let c = &mut s.definition.containers[0];
                c.memory_mib = memory;
                c.memory_reservation_mib = Some(64);
            },
            &[said],
        );
    }
}

#[test]
fn a_windows_host_says_what_it_raises_and_what_it_leaves_to_docker() {
    check(
        |s| {
            on_windows(s);
            let c = &mut s.definition.containers[0];
            c.memory_mib = Some(6);
            c.user = Some("app".to_owned());
            c.extra_hosts = vec![("db".to_owned(), "10.0.0.1".to_owned())];
            c.linux_parameters.max_swap_mib = Some(64);
            c.linux_parameters.swappiness = Some(10);
            c.log_configuration = Some(log("journald"));
            s.host.swap_limit = false;
            s.host.log_drivers.remove("journald");
        },
        &[
            "containerDefinitions[0].linuxParameters.maxSwap: refused: invalid option: Windows does not support MemorySwap",
            "containerDefinitions[0].linuxParameters.swappiness: refused: invalid option: Windows does not support MemorySwappiness",
            "containerDefinitions[0].logConfiguration.logDriver: refused: logger: no log driver named 'journald' is registered",
            "containerDefinitions[0].extraHosts: changed: not supported by ECS on Windows: Docker is given it and may do something else with it",
            "containerDefinitions[0].user: changed: not supported by ECS on Windows: Docker is given it and may do something else with it",
            "containerDefinitions[0].memory: changed: raised to 256 MiB, the least on Windows",
        ],
    );
}

#[test]
fn a_windows_release_runs_what_is_made_for_it() {
    let on = |family: &'static str, wanted: &'static str| {
        move |s: &mut Scene| {
            on_windows(s);
            let attributes = &mut s.host.attributes;
            attributes.insert("ecs.os-family".to_owned(), family.to_owned());
            s.definition.runtime_platform.operating_system_family = Some(wanted.to_owned());
        }
    };
    let host = "WINDOWS_SERVER_2022_CORE";
    check(on(host, host), &[]);
    // Which one it is cannot be told: placement leaves such a host out, a person may know better.
    check(on("windows", host), &[]);
    check(
        on(host, "WINDOWS_SERVER_2019_CORE"),
        &[
            "runtimePlatform.operatingSystemFamily: refused: made for WINDOWS_SERVER_2019_CORE, this host is WINDOWS_SERVER_2022_CORE",
        ],
    );
    check(
        on(host, "LINUX"),
        &[
            "runtimePlatform.operatingSystemFamily: refused: made for LINUX, this host runs windows containers",
        ],
    );
}

/// What each path is worth is in the table of `windows_path`; here is who asks it, and on which system.
#[test]
fn paths_of_mounts_are_judged_on_the_system_that_mounts_them() {
    let mounts = |s: &mut Scene| {
        let path = |path: &str| VolumeSource::HostPath(path.to_owned());
        let shared = VolumeSource::Docker(DockerVolume {
            scope: VolumeScope::Shared {
                autoprovision: true,
            },
            driver: None,
            driver_opts: [].into(),
            labels: [].into(),
        });
        let volume = |name: &str, source| Volume {
            name: VolumeName::parse(name).unwrap(),
            source,
        };
        s.definition.volumes = vec![
            volume("good", path(r"C:\data")),
            volume("device", path(r"C:\con")),
            volume("share", path(r"\\server\share")),
            volume("aux", shared),
            // A volume of the task has a longer name in Docker.
            volume("nul", VolumeSource::Empty),
        ];
        let mount = |volume: &str, path: &str| MountPoint {
            source_volume: VolumeName::parse(volume).unwrap(),
            container_path: path.to_owned(),
            read_only: false,
        };
        s.definition.containers[0].mount_points =
            vec![mount("good", r"C:\x"), mount("device", r"C:\x.")];
    };
    let foreign = [
        "volumes[0].host.sourcePath",
        "volumes[1].host.sourcePath",
        "volumes[2].host.sourcePath",
        "containerDefinitions[0].mountPoints[0].containerPath",
        "containerDefinitions[0].mountPoints[1].containerPath",
    ]
    .map(|place| {
        format!("{place}: refused: does not begin with `/`, as every path of a Linux host does")
    });
    check(mounts, &foreign.each_ref().map(String::as_str));
    check(
        |s| {
            on_windows(s);
            mounts(s);
        },
        &[
            "volumes[1].host.sourcePath: refused: has the name of a device of Windows, such as CON, NUL or COM1",
            "volumes[2].host.sourcePath: changed: is on another host: Docker is given it as it is and may refuse it; map the share to a drive with New-SmbGlobalMapping and name that",
            "volumes[3].name: refused: is the name of a device of Windows, which no volume can have",
            "containerDefinitions[0].mountPoints[1].containerPath: refused: has a name that ends with a dot or a blank, which Windows drops: write it without",
        ],
    );
}

#[test]
fn a_windows_host_takes_credential_specs_that_are_files() {
    const S3: &str = "credentialspec:arn:aws:s3:::b/k";
    const PARAMETER: &str = "credentialspec:arn:aws:ssm:r:1:parameter/p";
    const DOMAINLESS: &str = "credentialspecdomainless:file://web.json";
    // As the plan shows them.
    const OF_S3: &str = "Docker would be told credentialspec=file://s3_<task>_k";
    const OF_SSM: &str =
        "Docker would be told credentialspec=file://<SHA-256 of task, container and ARN>";
    const REWRITTEN: &str = "Docker would be told credentialspec=file://<task>_a_web.json";
    const NO_ROLE: &str = "credentialspec resource: unable to find execution role credentials";
    for (entry, has_role, words, told) in [
        ("credentialspec:file://web.json", false, None, ""),
        (S3, false, Some(NO_ROLE), OF_S3),
        (PARAMETER, false, Some(NO_ROLE), OF_SSM),
        (
            S3,
            true,
            Some(
                "this version does not fetch credential specs from S3 yet: put the object into Docker's directory of them and write credentialspec:file://NAME",
            ),
            OF_S3,
        ),
        (
            PARAMETER,
            true,
            Some(
                "this version does not fetch credential specs from SSM yet: put the parameter's value into Docker's directory of them and write credentialspec:file://NAME",
            ),
            OF_SSM,
        ),
        (
            DOMAINLESS,
            true,
            Some(
                "this version does not support domainless accounts yet: join the host to the domain and write credentialspec:file://NAME",
            ),
            REWRITTEN,
        ),
    ] {
        for of_account in [true, false] {
            let field = if of_account {
                "credentialSpecs"
            } else {
                "dockerSecurityOptions"
            };
            let words = words.map(|words| {
                format!("containerDefinitions[0].{field}[0]: refused: {words}; {told}")
            });
            let role = has_role.then_some(
                "executionRoleArn: ignored: credentials of roles are not had here; images of ECR are pulled with the host's own",
            );
            let expected: Vec<&str> = role.into_iter().chain(words.as_deref()).collect();
            check(
                |s| {
                    on_windows(s);
                    s.definition.execution_role_arn = has_role.then(|| "arn".to_owned());
                    let c = &mut s.definition.containers[0];
                    if of_account {
                        c.credential_specs = text(&[entry]);
                    } else {
                        c.docker_security_options = text(&[entry]);
                    }
                },
                &expected,
            );
        }
    }
}

#[test]
fn a_container_of_windows_has_one_credential_spec() {
    const FILE: &str = "credentialspec:file://web.json";
    const OTHER: &str = "credentialspec:arn:aws:s3:::b/k";
    let given = |specs: &'static [&str], options: &'static [&str]| {
        move |s: &mut Scene| {
            on_windows(s);
            let c = &mut s.definition.containers[0];
            c.credential_specs = text(specs);
            c.docker_security_options = text(options);
        }
    };
    check(
        given(&[FILE, OTHER], &[OTHER]),
        &[
            "containerDefinitions[0].credentialSpecs[1]: ignored: left out: a container has one credential spec, and credentialSpecs[0] is before it",
            "containerDefinitions[0].dockerSecurityOptions[0]: ignored: left out: a container has one credential spec, and credentialSpecs[0] is before it",
        ],
    );
    check(
        given(&[], &["credentialspec=file://own.json", FILE, OTHER]),
        &[
            "containerDefinitions[0].dockerSecurityOptions[2]: ignored: left out: a container has one credential spec, and dockerSecurityOptions[1] is before it",
        ],
    );
    check(
        given(&["x"], &[FILE]),
        &[
            "containerDefinitions[0].credentialSpecs[0]: refused: does not begin with `credentialspec:` or `credentialspecdomainless:`",
            "containerDefinitions[0].dockerSecurityOptions[0]: ignored: left out: a container has one credential spec, and credentialSpecs[0] is before it",
        ],
    );
}
