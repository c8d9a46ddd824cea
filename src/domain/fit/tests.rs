//! One table a rule. Every case changes the one field it is about and compares all findings, so that a rule that
//! speaks up uncalled fails as well.

use super::*;
use crate::domain::definition::{
    IpcMode, Link, LogConfiguration, NetworkMode, PidMode, ResourceRequirement, SecretRef,
    TaskDefinition, Ulimit,
};
use crate::domain::host::{CgroupSupport, HostFacts, OsType};
use crate::domain::ids::VolumeName;
use crate::domain::port_mapping::Protocol;
use crate::domain::sample;
use crate::domain::task::TaskOptions;
use crate::domain::volume::{DockerVolume, Volume, VolumeScope, VolumeSource};

/// A task of two containers on a plain Linux host, to be changed by a case.
struct Scene {
    definition: TaskDefinition,
    options: TaskOptions,
    host: HostFacts,
    policy: FitPolicy,
}

fn check(change: impl FnOnce(&mut Scene), expected: &[&str]) {
    let mut scene = Scene {
        definition: sample::definition(&["a", "b"]),
        options: TaskOptions::default(),
        host: sample::host(),
        policy: FitPolicy {
            disable_privileged: false,
            task_limits: true,
            credentials: false,
        },
    };
    change(&mut scene);
    let found: Vec<String> = fit(
        &scene.definition,
        &scene.options,
        &scene.host,
        &scene.policy,
    )
    .iter()
    .map(ToString::to_string)
    .collect();
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
            let secret = SecretRef {
                name: "A".to_owned(),
                value_from: "arn".to_owned(),
            };
            let c = &mut s.definition.containers[1];
            c.secrets = vec![secret.clone()];
            c.environment_files = text(&["arn"]);
            c.repository_credentials = Some("arn".to_owned());
            c.firelens = Some("fluentbit".to_owned());
            c.credential_specs = text(&["credentialspec:x"]);
            c.log_configuration = Some(log("syslog"));
            c.log_configuration.as_mut().unwrap().secret_options = vec![secret];
            c.resource_requirements = vec![ResourceRequirement {
                kind: "GPU".to_owned(),
                value: "1".to_owned(),
            }];
        },
        &[
            "proxyConfiguration: refused: not supported yet by this version",
            "inferenceAccelerators: refused: not supported yet by this version",
            "containerDefinitions[1].secrets: refused: not supported yet by this version",
            "containerDefinitions[1].environmentFiles: refused: not supported yet by this version",
            "containerDefinitions[1].repositoryCredentials: refused: not supported yet by this version",
            "containerDefinitions[1].firelensConfiguration: refused: not supported yet by this version",
            "containerDefinitions[1].credentialSpecs: refused: not supported yet by this version",
            "containerDefinitions[1].logConfiguration.secretOptions: refused: not supported yet by this version",
            "containerDefinitions[1].resourceRequirements[0]: refused: GPU: not supported yet by this version",
        ],
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
            "executionRoleArn: ignored: this version does not assume roles yet; images are pulled with the host's own credentials",
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
            "containerDefinitions[0].logConfiguration: changed: Docker itself sends the logs, with its own AWS credentials; if they are not accepted when the container starts, the host's log failure policy decides how it runs",
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

#[test]
fn a_windows_host_says_what_it_raises_and_what_it_leaves_to_docker() {
    check(
        |s| {
            on_windows(s);
            let c = &mut s.definition.containers[0];
            c.memory_mib = Some(6);
            c.user = Some("app".to_owned());
            c.extra_hosts = vec![("db".to_owned(), "10.0.0.1".to_owned())];
            c.linux_parameters.swappiness = Some(10);
        },
        &[
            "containerDefinitions[0].linuxParameters.swappiness: refused: invalid option: Windows does not support MemorySwappiness",
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

#[test]
fn a_windows_host_takes_credential_specs_that_are_files() {
    check(
        |s| {
            on_windows(s);
            let c = &mut s.definition.containers[0];
            c.credential_specs = text(&["credentialspec:file://web.json"]);
            c.docker_security_options = text(&["credentialspec:file://web.json"]);
        },
        &[],
    );
    check(
        |s| {
            on_windows(s);
            let c = &mut s.definition.containers[0];
            c.credential_specs = text(&["credentialspec:arn:aws:s3:::b/k", "x"]);
            c.docker_security_options = text(&["credentialspecdomainless:file://web.json"]);
        },
        &[
            "containerDefinitions[0].credentialSpecs[0]: refused: only files that need no rewriting are supported yet",
            "containerDefinitions[0].credentialSpecs[1]: refused: does not begin with `credentialspec:` or `credentialspecdomainless:`",
            "containerDefinitions[0].dockerSecurityOptions[0]: refused: only files that need no rewriting are supported yet",
        ],
    );
}
