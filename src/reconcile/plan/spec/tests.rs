//! Tables of definitions and the specs they become: one small change each, compared on the part it is about.

use std::collections::BTreeMap;

use super::*;
use crate::boundary::host::CgroupLimits;
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::{
    ContainerDefinition, Device, IpcMode, Link, LinuxParameters, LogConfiguration, NetworkMode,
    PidMode, ResourceRequirement, TaskDefinition, Tmpfs,
};
use crate::domain::host::{CgroupSupport, HostFacts, OsType};
use crate::domain::ids::{ContainerName, VolumeName};
use crate::domain::layout::layout;
use crate::domain::port_mapping::{ContainerPorts, PortMapping, PortReservation, Protocol};
use crate::domain::sample;
use crate::domain::spec::{
    Bind, ContainerSpec, GpuChoice, IpcChoice, LogChoice, NamespaceChoice, NetworkChoice,
};
use crate::domain::task::{KnownContainer, Task, TaskOptions};
use crate::domain::volume::{
    DockerVolume, MountPoint, Volume, VolumeScope, VolumeSource, VolumesFrom,
};
use crate::reconcile::settings::{EngineSettings, GpuAccess};

/// A task of two containers `a` and `b` on a plain Linux host, to be changed by a case.
struct Scene {
    definition: TaskDefinition,
    options: TaskOptions,
    known: BTreeMap<ContainerName, KnownContainer>,
    host: HostFacts,
    settings: EngineSettings,
}

impl Scene {
    fn new(change: impl FnOnce(&mut Self)) -> Self {
        let mut scene = Self {
            definition: sample::definition(&["a", "b"]),
            options: TaskOptions::default(),
            known: BTreeMap::new(),
            host: sample::host(),
            settings: EngineSettings::default(),
        };
        change(&mut scene);
        scene
    }

    fn a(&mut self) -> &mut ContainerDefinition {
        &mut self.definition.containers[0]
    }

    fn task(&self) -> Task {
        let mut task = Task::new(sample::desired(
            self.definition.clone(),
            self.options.clone(),
        ));
        task.known.containers = self.known.clone();
        let role = self.definition.execution_role_arn.as_ref();
        task.desired.ids.execution_role =
            role.and_then(|_| CredentialsId::parse("execution-id").ok());
        task
    }

    fn name_of(&self, container: &str) -> String {
        docker_name(&self.task(), &sample::name(container))
    }

    fn try_spec(&self, container: &ContainerName) -> Result<ContainerSpec, String> {
        let task = self.task();
        let layout = layout(&task.desired);
        let inputs = SpecInputs {
            task: &task,
            layout: &layout,
            host: &self.host,
            settings: &self.settings,
            definition_label: "{}",
        };
        container_spec(&inputs, container).map_err(|reason| reason.to_string())
    }

    fn spec(&self, container: &str) -> ContainerSpec {
        self.try_spec(&sample::name(container)).unwrap()
    }

    fn network_pause(&self) -> ContainerSpec {
        self.try_spec(&ContainerName::network_pause()).unwrap()
    }

    /// Published ports as `docker ps` writes them.
    fn ports(spec: &ContainerSpec) -> Vec<String> {
        spec.ports
            .iter()
            .map(|port| {
                let host = port.host_port.map_or("?".to_owned(), |p| p.to_string());
                format!("{host}->{}/{}", port.container_port, port.protocol)
            })
            .collect()
    }
}

/// What a case changes.
type Change = fn(&mut Scene);

/// Log options.
type Options = &'static [(&'static str, &'static str)];

/// Of the prefix `web`.
const STREAM: &str = "web/a/abc";

fn spec_of_a(change: impl FnOnce(&mut Scene)) -> ContainerSpec {
    Scene::new(change).spec("a")
}

fn error_of_a(change: impl FnOnce(&mut Scene)) -> String {
    Scene::new(change).try_spec(&sample::name("a")).unwrap_err()
}

fn awsvpc_as_bridge(scene: &mut Scene) {
    scene.definition.network_mode = NetworkMode::Awsvpc;
    scene.options.network_as = Some(NetworkMode::Bridge);
}

fn link_to(container: &str) -> Link {
    Link {
        container: sample::name(container),
        alias: "db".to_owned(),
    }
}

fn range(first: u16, last: u16) -> PortMapping {
    PortMapping {
        container: ContainerPorts::Range { first, last },
        ..sample::port(1, None)
    }
}

fn reserved(mapping: usize, first_host_port: u16, count: u16) -> KnownContainer {
    KnownContainer {
        reservations: vec![PortReservation {
            mapping,
            first_host_port,
            count,
            protocol: Protocol::Tcp,
        }],
        ..KnownContainer::default()
    }
}

fn volume(name: &str, source: VolumeSource) -> Volume {
    Volume {
        name: VolumeName::parse(name).unwrap(),
        source,
    }
}

fn docker_volume(scope: VolumeScope) -> DockerVolume {
    DockerVolume {
        scope,
        driver: Some("local".to_owned()),
        driver_opts: [("type".to_owned(), "tmpfs".to_owned())].into(),
        labels: [("mine".to_owned(), "1".to_owned())].into(),
    }
}

fn mount(volume: &str, path: &str) -> MountPoint {
    MountPoint {
        source_volume: VolumeName::parse(volume).unwrap(),
        container_path: path.to_owned(),
        read_only: true,
    }
}

#[test]
fn a_plain_container_has_defaults_and_the_agents_labels() {
    let spec = spec_of_a(|s| {
        s.a().environment = [("A".to_owned(), "1".to_owned())].into();
        s.a().docker_labels = [
            ("mine".to_owned(), "1".to_owned()),
            ("com.amazonaws.ecs.task-arn".to_owned(), "stolen".to_owned()),
        ]
        .into();
    });
    assert!(!spec.pause);
    assert!(spec.docker_name.starts_with("ecs-web-0-a-"));
    assert_eq!(spec.environment, spec.definition.environment);
    assert_eq!(spec.network, NetworkChoice::Bridge);
    assert_eq!(spec.pid, NamespaceChoice::Private);
    assert_eq!(spec.ipc, IpcChoice::Default);
    assert_eq!((spec.memory_mib, spec.log), (None, None));
    let labels: Vec<String> = spec
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    insta::assert_snapshot!(labels.join("\n"), @"
    berth.attempt=0
    berth.definition={}
    berth.instance=default
    com.amazonaws.ecs.cluster=default
    com.amazonaws.ecs.container-name=a
    com.amazonaws.ecs.task-arn=arn:aws:ecs:local:000000000000:task/default/abc
    com.amazonaws.ecs.task-definition-family=web
    com.amazonaws.ecs.task-definition-version=0
    mine=1
    ");
}

#[test]
fn a_new_attempt_has_a_new_name_that_others_follow() {
    let link = |s: &mut Scene| s.a().links = vec![link_to("b")];
    let first = Scene::new(link);
    let second = Scene::new(|s| {
        link(s);
        let known = KnownContainer {
            attempt: 1,
            ..KnownContainer::default()
        };
        s.known.insert(sample::name("b"), known);
    });
    assert_ne!(first.name_of("b"), second.name_of("b"));
    assert_eq!(second.spec("b").labels["berth.attempt"], "1");
    assert_eq!(
        second.spec("a").links,
        [(second.name_of("b"), "db".to_owned())]
    );
    assert_eq!(first.name_of("a"), second.name_of("a"));
}

#[test]
fn network_modes_become_dockers() {
    for (mode, network_as, expected) in [
        (NetworkMode::Bridge, None, NetworkChoice::Bridge),
        (NetworkMode::Host, None, NetworkChoice::Host),
        (NetworkMode::None, None, NetworkChoice::None),
        (
            NetworkMode::Awsvpc,
            Some(NetworkMode::Host),
            NetworkChoice::Host,
        ),
    ] {
        let spec = spec_of_a(|s| {
            s.definition.network_mode = mode;
            s.options.network_as = network_as;
            s.a().port_mappings = vec![sample::port(80, Some(8080))];
        });
        assert_eq!(spec.network, expected);
        let publishes = expected == NetworkChoice::Bridge;
        assert_eq!(!spec.ports.is_empty(), publishes, "{mode:?}");
    }
    assert_eq!(
        error_of_a(|s| s.definition.network_mode = NetworkMode::Awsvpc),
        "UnsupportedError: networkMode awsvpc needs a network interface from ECS, which this host cannot attach"
    );
}

#[test]
fn a_bridge_of_windows_is_its_nat() {
    let spec = spec_of_a(|s| {
        s.host.os_type = OsType::Windows;
        s.definition.network_mode = NetworkMode::Bridge;
        s.a().port_mappings = vec![sample::port(80, None)];
    });
    assert_eq!(spec.network, NetworkChoice::Nat);
    assert_eq!(spec.ports.len(), 1, "the engine draws the port of the host");
}

#[test]
fn a_container_without_networking_has_none_in_any_mode() {
    for mode in [NetworkMode::Bridge, NetworkMode::Host, NetworkMode::Awsvpc] {
        let scene = Scene::new(|s| {
            s.definition.network_mode = mode;
            s.options.network_as = Some(NetworkMode::Bridge);
            s.a().disable_networking = true;
            s.a().port_mappings = vec![sample::port(80, Some(80))];
        });
        let spec = scene.spec("a");
        assert_eq!(spec.network, NetworkChoice::None, "{mode:?}");
        assert_eq!(spec.ports, []);
        if mode == NetworkMode::Awsvpc {
            assert_eq!(scene.network_pause().ports, []);
        }
    }
}

#[test]
fn ports_are_given_left_to_docker_or_reserved() {
    let spec = spec_of_a(|s| {
        s.a().port_mappings = vec![
            sample::port(80, Some(8080)),
            sample::port(81, None),
            range(90, 92),
        ];
        s.known.insert(sample::name("a"), reserved(2, 50_000, 3));
    });
    assert_eq!(
        Scene::ports(&spec),
        [
            "8080->80/tcp",
            "?->81/tcp",
            "50000->90/tcp",
            "50001->91/tcp",
            "50002->92/tcp"
        ]
    );
}

#[test]
fn a_range_without_enough_host_ports_is_an_error() {
    let text = "HostConfigError: error retrieving docker port map: 3 contiguous host ports are unavailable";
    for known in [
        KnownContainer::default(),
        reserved(1, 50_000, 3),
        reserved(0, 50_000, 2),
        reserved(0, 65_534, 3),
    ] {
        let error = error_of_a(|s| {
            s.a().port_mappings = vec![range(90, 92)];
            s.known.insert(sample::name("a"), known);
        });
        assert_eq!(error, text);
    }
}

#[test]
fn a_shared_network_moves_to_its_holder_what_docker_refuses_on_the_others() {
    let scene = Scene::new(|s| {
        awsvpc_as_bridge(s);
        s.a().port_mappings = vec![sample::port(80, Some(80)), range(90, 91)];
        s.a().hostname = Some("one".to_owned());
        s.a().dns_servers = vec!["10.0.0.2".to_owned()];
        s.a().dns_search_domains = vec!["local".to_owned()];
        s.a().extra_hosts = vec![("db".to_owned(), "10.0.0.9".to_owned())];
        s.a().links = vec![link_to("b")];
        s.definition.containers[1].port_mappings =
            vec![sample::port(80, Some(80)), sample::port(53, None)];
        s.known.insert(sample::name("a"), reserved(1, 50_000, 2));
    });
    let holder = scene.network_pause();
    assert!(holder.pause);
    assert_eq!(holder.definition.image.to_string(), "berth/pause:1");
    assert_eq!(holder.network, NetworkChoice::Bridge);
    assert_eq!(holder.definition.hostname.as_deref(), Some("one"));
    assert_eq!(holder.definition.dns_servers, ["10.0.0.2"]);
    assert_eq!(holder.definition.dns_search_domains, ["local"]);
    assert_eq!(
        holder.definition.extra_hosts,
        [("db".to_owned(), "10.0.0.9".to_owned())]
    );
    assert_eq!(
        Scene::ports(&holder),
        ["80->80/tcp", "50000->90/tcp", "50001->91/tcp", "?->53/tcp"]
    );
    assert_eq!(
        holder.labels["com.amazonaws.ecs.container-name"],
        "~internal~ecs~pause"
    );

    let spec = scene.spec("a");
    assert_eq!(spec.network, NetworkChoice::Container(holder.docker_name));
    assert_eq!((spec.ports, spec.links), (vec![], vec![]));
    assert_eq!(spec.definition, sample::container("a"));
}

#[test]
fn namespaces_are_private_the_hosts_or_the_tasks() {
    for (pid_mode, expected) in [
        (PidMode::Private, NamespaceChoice::Private),
        (PidMode::Host, NamespaceChoice::Host),
    ] {
        assert_eq!(
            spec_of_a(|s| s.definition.pid_mode = pid_mode).pid,
            expected
        );
    }
    for (ipc_mode, expected) in [
        (IpcMode::Default, IpcChoice::Default),
        (IpcMode::Host, IpcChoice::Host),
        (IpcMode::None, IpcChoice::None),
    ] {
        assert_eq!(
            spec_of_a(|s| s.definition.ipc_mode = ipc_mode).ipc,
            expected
        );
    }
    for (ipc_mode, holders) in [
        (IpcMode::Task, IpcChoice::Shareable),
        (IpcMode::Default, IpcChoice::Default),
    ] {
        let scene = Scene::new(|s| {
            s.definition.pid_mode = PidMode::Task;
            s.definition.ipc_mode = ipc_mode;
        });
        let holder = scene.try_spec(&ContainerName::namespace_pause()).unwrap();
        assert!(holder.pause);
        assert_eq!(holder.network, NetworkChoice::None);
        assert_eq!(holder.pid, NamespaceChoice::Private);
        assert_eq!(holder.ipc, holders);
        let spec = scene.spec("a");
        let name = holder.docker_name;
        assert_eq!(spec.pid, NamespaceChoice::Container(name.clone()));
        if ipc_mode == IpcMode::Task {
            assert_eq!(spec.ipc, IpcChoice::Container(name));
        }
    }
}

#[test]
fn mounts_name_docker_volumes_and_host_paths() {
    let scene = Scene::new(|s| {
        s.definition.volumes = vec![
            volume("path", VolumeSource::HostPath("/srv".to_owned())),
            volume("empty", VolumeSource::Empty),
            volume(
                "shared",
                VolumeSource::Docker(docker_volume(VolumeScope::Shared {
                    autoprovision: false,
                })),
            ),
        ];
        s.a().mount_points = vec![
            mount("path", "/p"),
            mount("empty", "/e"),
            mount("shared", "/s"),
        ];
        s.a().volumes_from = vec![VolumesFrom {
            source_container: sample::name("b"),
            read_only: true,
        }];
    });
    let spec = scene.spec("a");
    let bind = |source: &str, target: &str| Bind {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only: true,
    };
    let empty = &spec.binds[1].source;
    assert!(empty.starts_with("ecs-web-0-empty-"), "{empty}");
    assert_eq!(
        spec.binds,
        [bind("/srv", "/p"), bind(empty, "/e"), bind("shared", "/s")]
    );
    assert_eq!(spec.volumes_from, [(scene.name_of("b"), true)]);
}

#[test]
fn mounts_of_windows_are_paths_of_windows_and_pipes() {
    let spec = spec_of_a(|s| {
        s.host.os_type = OsType::Windows;
        s.definition.volumes = vec![
            volume("logs", VolumeSource::HostPath(r"C:\Data//Logs\".to_owned())),
            volume("drive", VolumeSource::HostPath("D:".to_owned())),
            volume(
                "docker",
                VolumeSource::HostPath(r"\\.\pipe\Docker_Engine".to_owned()),
            ),
        ];
        s.a().mount_points = vec![
            mount("logs", "C:/Logs"),
            mount("drive", "D:"),
            mount("docker", r"\\.\pipe\docker_engine"),
        ];
    });
    let pairs = spec
        .binds
        .iter()
        .map(|bind| format!("{}:{}", bind.source, bind.target));
    assert_eq!(
        pairs.collect::<Vec<_>>(),
        [
            r"c:\data\logs:c:\logs",
            "d::d:",
            r"\\.\pipe\docker_engine:\\.\pipe\docker_engine",
        ]
    );
}

/// What the rules of the host say is ignored there is not sent, since Docker on Windows refuses it; limits of swap are.
#[test]
fn what_is_for_linux_does_not_reach_docker_on_windows() {
    let scene = |os| {
        Scene::new(|s| {
            s.host.os_type = os;
            s.a().links = vec![link_to("b")];
            s.a().system_controls = [("net.core.somaxconn".to_owned(), "1".to_owned())].into();
            s.a().linux_parameters = LinuxParameters {
                capabilities_add: vec!["NET_ADMIN".to_owned()],
                capabilities_drop: vec!["MKNOD".to_owned()],
                devices: vec![Device {
                    host_path: "/dev/fuse".to_owned(),
                    container_path: "/dev/fuse".to_owned(),
                    permissions: "rwm".to_owned(),
                }],
                init_process_enabled: true,
                shared_memory_mib: Some(64),
                tmpfs: vec![Tmpfs {
                    container_path: "/t".to_owned(),
                    size_mib: 1,
                    mount_options: Vec::new(),
                }],
                max_swap_mib: Some(128),
                swappiness: Some(10),
            };
        })
    };
    let linux = scene(OsType::Linux);
    let spec = linux.spec("a");
    let definition = &linux.definition.containers[0];
    assert_eq!(
        spec.definition.linux_parameters,
        definition.linux_parameters
    );
    assert!(!spec.links.is_empty() && !spec.definition.system_controls.is_empty());
    let spec = scene(OsType::Windows).spec("a");
    let swap = LinuxParameters {
        max_swap_mib: Some(128),
        swappiness: Some(10),
        ..LinuxParameters::default()
    };
    assert_eq!(spec.definition.linux_parameters, swap);
    assert!(spec.links.is_empty() && spec.definition.system_controls.is_empty());
}

#[test]
fn the_account_of_a_windows_container_is_a_security_option() {
    let options = |specs: &[&str], options: &[&str]| {
        let texts = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let (specs, options) = (texts(specs), texts(options));
        let scene = Scene::new(|s| {
            s.host.os_type = OsType::Windows;
            s.a().credential_specs = specs;
            s.a().docker_security_options = options;
        });
        scene.spec("a").definition.docker_security_options.clone()
    };
    let file = "credentialspec:file://web.json";
    let said = ["credentialspec=file://web.json"];
    assert_eq!(options(&[file], &[]), said);
    assert_eq!(options(&[], &[file]), said);
    assert_eq!(
        options(&[file], &["credentialspec:file://other.json"]),
        said
    );
    assert_eq!(
        options(
            &["credentialspec:arn:aws:s3:::b/web.json"],
            &["credentialspecdomainless:file://other.json"]
        ),
        ["credentialspec=file://s3_abc_web.json"]
    );
    assert_eq!(
        options(&[], &["credentialspecdomainless:file://web.json"]),
        ["credentialspec=file://abc_a_web.json"]
    );
    assert!(options(&[], &[]).is_empty());
    assert_eq!(
        error_of_a(|s| {
            s.host.os_type = OsType::Windows;
            s.a().credential_specs = vec!["credentialspec:arn:aws:kms:r:a:k".to_owned()];
        }),
        "UnsupportedError: credential spec credentialspec:arn:aws:kms:r:a:k: unsupported credentialspec ARN, only s3/ssm ARNs are valid"
    );
}

#[test]
fn what_cannot_be_resolved_is_an_error_in_the_reference_agents_words() {
    let cases: [(Change, &str); 6] = [
        (
            |s| s.a().mount_points = vec![mount("v", "/v")],
            "HostConfigError: Invalid volume referenced: v",
        ),
        (
            |s| {
                s.definition.volumes = vec![volume("v", VolumeSource::HostPath("/srv".to_owned()))];
                s.a().mount_points = vec![mount("v", "")];
            },
            "HostConfigError: Unable to resolve volume mounts; invalid path: v /srv:",
        ),
        (
            |s| {
                s.definition.volumes =
                    vec![volume("v", VolumeSource::Aws("efsVolumeConfiguration"))];
                s.a().mount_points = vec![mount("v", "/v")];
            },
            "UnsupportedError: efsVolumeConfiguration of volume v is not supported yet by this version",
        ),
        (
            |s| {
                s.a().volumes_from = vec![VolumesFrom {
                    source_container: sample::name("c"),
                    read_only: false,
                }];
            },
            "HostConfigError: Volume target not available: c",
        ),
        (
            |s| s.a().links = vec![link_to("c")],
            "HostConfigError: Link target not available: c",
        ),
        (
            |s| s.definition.containers[0].name = sample::name("other"),
            "CannotCreateContainerError: the task has no container a",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(error_of_a(change), expected);
    }
}

#[test]
fn cloudwatch_is_written_to_with_the_execution_role_that_docker_can_ask_for() {
    const ENDPOINT: &str = "awslogs-credentials-endpoint";
    let asks = |change: &dyn Fn(&mut Scene)| {
        let spec = spec_of_a(|s| {
            s.settings.endpoints.log_roles = true;
            s.definition.execution_role_arn = Some("arn:aws:iam::123456789012:role/x".to_owned());
            s.a().log_configuration = Some(LogConfiguration {
                driver: "awslogs".to_owned(),
                options: [].into(),
                secret_options: Vec::new(),
            });
            change(s);
        });
        spec.log.and_then(|log| log.options.get(ENDPOINT).cloned())
    };
    let log = |s: &mut Scene| s.a().log_configuration.clone().unwrap();
    let usual = asks(&|_| ());
    assert_eq!(usual.as_deref(), Some("/v2/credentials/execution-id"));
    assert_eq!(asks(&|s| s.settings.endpoints.log_roles = false), None);
    assert_eq!(asks(&|s| s.definition.execution_role_arn = None), None);
    let other = |s: &mut Scene| {
        let syslog = "syslog".to_owned();
        s.a().log_configuration = Some(LogConfiguration {
            driver: syslog,
            ..log(s)
        });
    };
    assert_eq!(asks(&other), None);
    let own = |s: &mut Scene| {
        let options = [(ENDPOINT.to_owned(), "/own".to_owned())].into();
        s.a().log_configuration = Some(LogConfiguration { options, ..log(s) });
    };
    assert_eq!(asks(&own).as_deref(), Some("/own"), "who says one has it");
}

#[test]
fn what_this_version_lacks_is_an_error_and_never_dropped() {
    let log = |driver: &str| LogConfiguration {
        driver: driver.to_owned(),
        options: [].into(),
        secret_options: Vec::new(),
    };
    let check = |change: &dyn Fn(&mut ContainerDefinition), field: &str| {
        assert_eq!(
            error_of_a(|s| change(s.a())),
            format!(
                "UnsupportedError: {field} of container a is not supported yet by this version"
            )
        );
    };
    check(
        &|c| c.environment_files = vec!["arn".to_owned()],
        "environmentFiles",
    );
    check(
        &|c| c.firelens = Some("fluentd".to_owned()),
        "firelensConfiguration",
    );
    check(
        &|c| c.credential_specs = vec!["credentialspec:x".to_owned()],
        "credentialSpecs",
    );
    check(
        &|c| {
            c.resource_requirements = vec![ResourceRequirement {
                kind: "GPU".to_owned(),
                value: "1".to_owned(),
            }];
        },
        "resourceRequirements",
    );
    check(
        &|c| c.log_configuration = Some(log("awsfirelens")),
        "log driver awsfirelens",
    );
}

/// `engine.md` 4.3.
#[test]
fn gpus_are_told_by_a_runtime_or_as_devices() {
    let spec = |access: GpuAccess| {
        Scene::new(|s| {
            s.a().gpu_ids = vec!["GPU-1".to_owned(), "GPU-2".to_owned()];
            let given = ("NVIDIA_VISIBLE_DEVICES".to_owned(), "all".to_owned());
            s.a().environment = [given].into();
            s.settings.gpus = access;
        })
    };
    let visible = |spec: &ContainerSpec| spec.environment.get("NVIDIA_VISIBLE_DEVICES").cloned();
    let by_runtime = spec(GpuAccess::Runtime("mine".to_owned()));
    let a = by_runtime.spec("a");
    assert_eq!(a.gpus, Some(GpuChoice::Runtime("mine".to_owned())));
    assert_eq!(visible(&a).as_deref(), Some("GPU-1,GPU-2"));
    let b = by_runtime.spec("b");
    assert_eq!((b.gpus.as_ref(), visible(&b)), (None, None));
    let as_devices = spec(GpuAccess::Devices).spec("a");
    let ids = vec!["GPU-1".to_owned(), "GPU-2".to_owned()];
    assert_eq!(as_devices.gpus, Some(GpuChoice::Devices(ids)));
    assert_eq!(visible(&as_devices).as_deref(), Some("all"), "its own");
    let nothing = spec(GpuAccess::Runtime(String::new())).try_spec(&sample::name("a"));
    assert_eq!(
        nothing.unwrap_err(),
        "HostConfigError: Runtime is not set for GPU containers"
    );
}

#[test]
fn memory_is_raised_to_the_least_and_falls_back_to_the_tasks_on_cgroup_v2() {
    let memory = |own: Option<u32>, change: Change| {
        spec_of_a(|s| {
            s.a().memory_mib = own;
            s.definition.memory_mib = Some(512);
            change(s);
        })
        .memory_mib
    };
    let propagate: Change = |s| {
        s.host.cgroups = CgroupSupport::V2Systemd;
        s.settings.propagate_task_memory = true;
    };
    let cases: [(Option<u32>, Change, Option<u32>); 10] = [
        (None, |_| {}, None),
        (Some(0), |_| {}, None),
        (Some(1), |_| {}, Some(4)),
        (Some(100), |_| {}, Some(100)),
        (Some(100), |s| s.host.os_type = OsType::Windows, Some(256)),
        (None, propagate, Some(512)),
        (Some(100), propagate, Some(100)),
        (None, |s| s.settings.propagate_task_memory = true, None),
        (None, |s| s.host.cgroups = CgroupSupport::V2Cgroupfs, None),
        (
            None,
            |s| {
                s.host.cgroups = CgroupSupport::V2Systemd;
                s.settings.propagate_task_memory = true;
                s.settings.task_limits = false;
            },
            None,
        ),
    ];
    for (own, change, expected) in cases {
        assert_eq!(memory(own, change), expected, "{own:?}");
    }
}

#[test]
fn cpu_shares_stay_in_what_the_kernel_takes() {
    for (units, linux) in [(0, 2), (1, 2), (256, 256), (300_000, 262_144)] {
        let on = |os_type| {
            let spec = spec_of_a(|s| {
                s.host.os_type = os_type;
                s.a().cpu_units = units;
            });
            (spec.cpu_shares, spec.cpu_percent.is_some())
        };
        assert_eq!(on(OsType::Linux), (linux, false));
        assert_eq!(on(OsType::Windows), (0, true));
    }
}

#[test]
fn windows_counts_in_percent_of_the_host() {
    for (cpus, units, percent) in [
        (4, 1024, 25),
        (4, 100, 2),
        (4, 10, 1),
        (4, 0, 1),
        (4, 1, 1),
        (2, 4096, 200),
        (1, 1, 1),
        (128, 1024, 1),
        (128, 131_072, 100),
    ] {
        let spec = spec_of_a(|s| {
            s.host.os_type = OsType::Windows;
            s.host.cpu_units = cpus * 1024;
            s.a().cpu_units = units;
        });
        assert_eq!(spec.cpu_percent, Some(percent), "{units} of {cpus} CPUs");
    }
}

/// The tables of `windows.md` 11.2 and 11.3 for both work-arounds. Given: `cpu`, `memory`, `memoryReservation`; asked
/// of Docker: `CpuPercent`, `Memory`, `MemoryReservation`; in MiB, and nothing is `-`.
#[test]
fn windows_without_limits_is_what_the_operator_says_it_is() {
    let numbers = |row: &str| -> Vec<Option<u32>> {
        let words = row.split(' ');
        words.map(|word| word.parse().ok()).collect()
    };
    for (switches, given, expected) in [
        ("", "0 - -", "1 - -"),
        ("cpu", "0 - -", "- - -"),
        ("cpu", "1 - -", "1 - -"),
        ("cpu", "10 - -", "1 - -"),
        ("cpu", "1024 - -", "25 - -"),
        ("cpu", "0 - 64", "- - 64"),
        ("memory", "0 - -", "1 - -"),
        ("memory", "0 - 64", "1 - -"),
        ("memory", "0 0 64", "1 - -"),
        ("memory", "0 512 64", "1 512 64"),
        ("memory", "0 64 -", "1 256 -"),
        ("cpu memory", "0 - 64", "- - -"),
        // On Linux neither says anything.
        ("linux cpu memory", "0 - 64", "- - 64"),
    ] {
        let spec = spec_of_a(|s| {
            let given = numbers(given);
            if !switches.contains("linux") {
                s.host.os_type = OsType::Windows;
            }
            s.host.cpu_units = 4 * 1024;
            s.settings.cpu_unbounded = switches.contains("cpu");
            s.settings.memory_unbounded = switches.contains("memory");
            s.a().cpu_units = given[0].unwrap();
            s.a().memory_mib = given[1];
            s.a().memory_reservation_mib = given[2];
        });
        let reservation = spec.definition.memory_reservation_mib;
        let asked = [spec.cpu_percent, spec.memory_mib, reservation];
        assert_eq!(asked.as_slice(), numbers(expected), "{switches} {given}");
    }
}

#[test]
fn a_task_with_limits_has_a_cgroup_that_all_its_containers_are_in() {
    let parent = |cgroups, task_limits, memory| {
        let scene = Scene::new(|s| {
            awsvpc_as_bridge(s);
            s.host.cgroups = cgroups;
            s.settings.task_limits = task_limits;
            s.definition.memory_mib = memory;
        });
        let parent = scene.spec("a").cgroup_parent;
        assert_eq!(scene.network_pause().cgroup_parent, parent);
        parent
    };
    assert_eq!(
        parent(CgroupSupport::V1, true, Some(512)).as_deref(),
        Some("/ecs/abc")
    );
    assert_eq!(
        parent(CgroupSupport::V2Systemd, true, Some(512)).as_deref(),
        Some("ecstasks-abc.slice")
    );
    assert_eq!(parent(CgroupSupport::V1, true, None), None);
    assert_eq!(parent(CgroupSupport::V1, false, Some(512)), None);
    assert_eq!(parent(CgroupSupport::None, true, Some(512)), None);
}

#[test]
fn the_cgroup_gets_a_quota_or_the_sum_of_shares() {
    let mut definition = sample::definition(&["a", "b"]);
    definition.containers[0].cpu_units = 100;
    assert_eq!(
        cgroup_limits(&definition),
        CgroupLimits {
            cpu_millis: None,
            cpu_shares: 102,
            memory_bytes: None
        }
    );
    definition.cpu_units = Some(256);
    definition.memory_mib = Some(512);
    definition.containers[0].cpu_units = u32::MAX;
    assert_eq!(
        cgroup_limits(&definition),
        CgroupLimits {
            cpu_millis: Some(250),
            cpu_shares: 262_144,
            memory_bytes: Some(536_870_912)
        }
    );
}

#[test]
fn drivers_that_send_logs_away_do_not_block() {
    let cases: [(&str, Options, Options); 9] = [
        ("json-file", &[("max-size", "1m")], &[("max-size", "1m")]),
        ("none", &[], &[]),
        ("local", &[], &[]),
        (
            "local",
            &[("mode", "non-blocking")],
            &[("max-buffer-size", "10m"), ("mode", "non-blocking")],
        ),
        (
            "awslogs",
            &[],
            &[("max-buffer-size", "10m"), ("mode", "non-blocking")],
        ),
        (
            "awslogs",
            &[("awslogs-stream-prefix", "web"), ("mode", "blocking")],
            &[("awslogs-stream", STREAM), ("mode", "blocking")],
        ),
        (
            "awslogs",
            &[
                ("awslogs-stream", "own"),
                ("awslogs-stream-prefix", "web"),
                ("mode", "blocking"),
            ],
            &[("awslogs-stream", "own"), ("mode", "blocking")],
        ),
        ("syslog", &[("mode", "blocking")], &[("mode", "blocking")]),
        (
            "syslog",
            &[("max-buffer-size", "1m")],
            &[("max-buffer-size", "1m"), ("mode", "non-blocking")],
        ),
    ];
    for (driver, given, expected) in cases {
        let map = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let spec = spec_of_a(|s| {
            s.a().log_configuration = Some(LogConfiguration {
                driver: driver.to_owned(),
                options: map(given),
                secret_options: Vec::new(),
            });
        });
        let expected = LogChoice {
            driver: driver.to_owned(),
            options: map(expected),
        };
        assert_eq!(spec.log, Some(expected));
    }
}

#[test]
fn a_log_driver_that_refused_is_replaced_by_capped_files_and_nothing_else_changes() {
    let with_log = |s: &mut Scene| {
        s.a().log_configuration = Some(LogConfiguration {
            driver: "awslogs".to_owned(),
            options: [].into(),
            secret_options: Vec::new(),
        });
    };
    let spec = spec_of_a(with_log);
    let degraded = spec_of_a(|s| {
        with_log(s);
        let known = KnownContainer {
            degraded_log: true,
            ..KnownContainer::default()
        };
        s.known.insert(sample::name("a"), known);
    });
    let log = degraded.log.clone().unwrap();
    assert_eq!(log.driver, "json-file");
    assert_eq!(
        (&*log.options["max-size"], &*log.options["max-file"]),
        ("10m", "2")
    );
    assert_eq!(degraded_log(spec.clone()), degraded);
    assert_eq!(
        ContainerSpec {
            log: spec.log.clone(),
            ..degraded
        },
        spec
    );
}

#[test]
fn volumes_of_the_task_are_marked_and_shared_ones_are_not() {
    let definition = {
        let mut definition = sample::definition(&["a"]);
        definition.volumes = vec![
            volume("path", VolumeSource::HostPath("/srv".to_owned())),
            volume("empty", VolumeSource::Empty),
            volume(
                "own",
                VolumeSource::Docker(docker_volume(VolumeScope::Task)),
            ),
            volume(
                "shared",
                VolumeSource::Docker(docker_volume(VolumeScope::Shared {
                    autoprovision: true,
                })),
            ),
        ];
        definition
    };
    let desired = sample::desired(definition, TaskOptions::default());
    let spec = |name: &str| {
        volume_spec(
            &desired,
            &EngineSettings::default(),
            &VolumeName::parse(name).unwrap(),
        )
    };
    assert_eq!(spec("path"), None);
    assert_eq!(spec("missing"), None);
    let empty = spec("empty").unwrap();
    assert!(empty.name.starts_with("ecs-web-0-empty-"));
    assert_eq!((empty.driver, empty.driver_opts.len()), (None, 0));
    assert_eq!(
        empty.labels["com.amazonaws.ecs.task-arn"],
        desired.arn.to_string()
    );
    let own = spec("own").unwrap();
    assert_eq!(own.labels.len(), 4);
    assert_eq!(own.driver_opts["type"], "tmpfs");
    let shared = spec("shared").unwrap();
    assert_eq!(shared.name, "shared");
    assert_eq!(shared.labels, [("mine".to_owned(), "1".to_owned())].into());
}
