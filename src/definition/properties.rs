//! Properties of the parser: it never panics, whatever the bytes, and its canonical form loses nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{canonical, from_canonical};
use crate::domain::definition::{
    ContainerDefinition, Device, HealthCheck, IpcMode, Link, LinuxParameters, LogConfiguration,
    NetworkMode, PidMode, ResourceRequirement, RestartPolicy, RuntimePlatform, SecretRef,
    TaskDefinition, Tmpfs, Ulimit,
};
use crate::domain::depends_on::{Condition, Dependency};
use crate::domain::ids::{ContainerName, Family, VolumeName};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::{ContainerPorts, PortMapping, Protocol};
use crate::domain::registry::EcrAuth;
use crate::domain::volume::{
    DockerVolume, MountPoint, Volume, VolumeScope, VolumeSource, VolumesFrom,
};
use crate::testing::fuzz;

/// A document with about every key, for mutations to start from.
const FULL: &str = r#"{"family": "f", "revision": 3, "taskRoleArn": "r", "networkMode": "bridge", "cpu": "1 vcpu",
"memory": "2 gb", "containerDefinitions": [{"name": "web", "image": "nginx:1", "essential": true, "cpu": 1,
"memoryReservation": 64, "command": ["a", "$X"], "environment": [{"name": "A", "value": "{{ x }}"}],
"secrets": [{"name": "S", "valueFrom": "arn:x"}], "portMappings": [{"containerPort": 80, "hostPort": 8080,
"protocol": "tcp"}, {"containerPortRange": "90-99"}], "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}],
"links": ["db:d"], "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}], "stopTimeout": 5,
"restartPolicy": {"enabled": true, "ignoredExitCodes": [0]}, "linuxParameters": {"tmpfs": [{"containerPath": "/t",
"size": 5}], "devices": [{"hostPath": "/dev/x"}], "capabilities": {"add": ["ALL"]}}, "ulimits": [{"name": "core",
"softLimit": 1, "hardLimit": -1}], "logConfiguration": {"logDriver": "awslogs", "options": {"a": "b"}}},
{"name": "db", "image": "<IMAGE>", "healthCheck": {"command": ["CMD", "x"], "interval": 5}}],
"volumes": [{"name": "v", "host": {"sourcePath": "/srv"}}, {"name": "w", "dockerVolumeConfiguration":
{"scope": "shared", "autoprovision": true}}], "tags": [{"key": "k", "value": "v"}]}"#;

/// Pieces that mean something to some part of the parser.
const PIECES: [&str; 24] = [
    "null",
    "\"\"",
    "[]",
    "{}",
    "-1",
    "1e400",
    "70000",
    "0.5",
    "\"1 gb\"",
    "\"<X>\"",
    "\"${\"",
    "\"$$$\"",
    "\"{{\"",
    "{\"name\":1}",
    "[[]]",
    "\"..\"",
    "\\u0000",
    "\"\\ud800\"",
    "\u{feff}",
    ",",
    ":",
    "\"Name\":",
    "true",
    "é",
];

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(data in vec(any::<u8>(), 0..400)) {
        fuzz::definition(&data);
    }

    #[test]
    fn a_mutated_document_is_read_or_refused(
        edits in vec((any::<Index>(), 0..12_usize, select(&PIECES[..])), 1..6),
    ) {
        let mut text = FULL.as_bytes().to_vec();
        for (place, removed, piece) in edits {
            let start = place.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, piece.bytes());
        }
        fuzz::definition(&text);
    }

    #[test]
    fn one_value_of_a_document_may_be_anything(place in any::<Index>(), piece in select(&PIECES[..14])) {
        let mut document: serde_json::Value = serde_json::from_str(FULL).unwrap();
        let mut values = Vec::new();
        pointers(&document, "", &mut values);
        let pointer = &values[place.index(values.len())];
        if let Ok(value) = serde_json::from_str(piece) {
            *document.pointer_mut(pointer).unwrap() = value;
        }
        fuzz::definition(document.to_string().as_bytes());
    }

    #[test]
    fn names_of_things_are_read_or_refused(text in "[a-z0-9:/@._<>A-Z-]{0,80}") {
        fuzz::image_reference(text.as_bytes());
        fuzz::task_arn(text.as_bytes());
        fuzz::task_arn(format!("arn:aws:ecs:r:1:task/{text}").as_bytes());
    }

    #[test]
    fn the_canonical_form_loses_nothing(definition in task()) {
        let written = canonical(&definition);
        prop_assert_eq!(from_canonical(&written), Ok(definition));
    }
}

#[test]
fn the_document_that_mutations_start_from_is_read() {
    let variables = BTreeMap::from([("IMAGE".to_owned(), "postgres".to_owned())]);
    let options = super::ParseOptions {
        variables,
        family_hint: None,
    };
    let parsed = super::parse(FULL.as_bytes(), &options);
    assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
}

fn pointers(value: &serde_json::Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), out);
            }
        }
        serde_json::Value::Object(entries) => {
            for (key, item) in entries {
                pointers(item, &format!("{at}/{key}"), out);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

fn word() -> BoxedStrategy<String> {
    "[a-zA-Z0-9_-]{1,12}".boxed()
}

/// A text that is there; what is empty is absent.
fn text() -> BoxedStrategy<String> {
    prop_oneof!["\\PC{1,16}", "[$<{%\\[]{1,3}[A-Z]{1,3}[$>}%\\]]{0,3}"].boxed()
}

fn texts() -> BoxedStrategy<Vec<String>> {
    vec(text(), 0..3).boxed()
}

fn map() -> BoxedStrategy<BTreeMap<String, String>> {
    btree_map(text(), "\\PC{0,8}", 0..3).boxed()
}

/// A map in the list form, where an empty value would be absent.
fn full_map() -> BoxedStrategy<BTreeMap<String, String>> {
    btree_map(text(), text(), 0..3).boxed()
}

fn name() -> BoxedStrategy<ContainerName> {
    word()
        .prop_map(|w| ContainerName::parse(&w).unwrap())
        .boxed()
}

fn secs() -> BoxedStrategy<Duration> {
    any::<u32>()
        .prop_map(|secs| Duration::from_secs(secs.into()))
        .boxed()
}

fn secrets() -> BoxedStrategy<Vec<SecretRef>> {
    let secret = (text(), text()).prop_map(|(name, value_from)| SecretRef { name, value_from });
    vec(secret, 0..2).boxed()
}

fn protocol() -> BoxedStrategy<Protocol> {
    select(vec![Protocol::Tcp, Protocol::Udp]).boxed()
}

fn port_mapping() -> BoxedStrategy<PortMapping> {
    let ports = prop_oneof![
        (1..=u16::MAX).prop_map(ContainerPorts::Single),
        (1..=u16::MAX, 0..9_u16).prop_map(|(first, more)| ContainerPorts::Range {
            first,
            last: first.saturating_add(more)
        }),
    ];
    let app = select(vec![
        "http".to_owned(),
        "http2".to_owned(),
        "grpc".to_owned(),
    ]);
    (ports, of(1..=u16::MAX), protocol(), of(text()), of(app))
        .prop_map(
            |(container, host_port, protocol, name, app_protocol)| PortMapping {
                container,
                host_port,
                protocol,
                name,
                app_protocol,
            },
        )
        .boxed()
}

fn volume() -> BoxedStrategy<Volume> {
    let scope = prop_oneof![
        Just(VolumeScope::Task),
        any::<bool>().prop_map(|autoprovision| VolumeScope::Shared { autoprovision }),
    ];
    let docker =
        (scope, of(text()), map(), map()).prop_map(|(scope, driver, driver_opts, labels)| {
            VolumeSource::Docker(DockerVolume {
                scope,
                driver,
                driver_opts,
                labels,
            })
        });
    let aws = [
        "efsVolumeConfiguration",
        "fsxWindowsFileServerVolumeConfiguration",
        "s3filesVolumeConfiguration",
        "configuredAtLaunch",
    ];
    let source = prop_oneof![
        Just(VolumeSource::Empty),
        text().prop_map(VolumeSource::HostPath),
        docker,
        select(aws.to_vec()).prop_map(VolumeSource::Aws),
    ];
    (word(), source)
        .prop_map(|(name, source)| Volume {
            name: VolumeName::parse(&name).unwrap(),
            source,
        })
        .boxed()
}

fn linux_parameters() -> BoxedStrategy<LinuxParameters> {
    let permissions = select(vec!["r", "rw", "rwm", "wm", "m"]);
    let device =
        (text(), text(), permissions).prop_map(|(host_path, container_path, permissions)| Device {
            host_path,
            container_path,
            permissions: permissions.to_owned(),
        });
    let tmpfs =
        (text(), any::<u32>(), texts()).prop_map(|(container_path, size_mib, mount_options)| {
            Tmpfs {
                container_path,
                size_mib,
                mount_options,
            }
        });
    (
        (texts(), texts(), vec(device, 0..2), any::<bool>()),
        (
            of(any::<u32>()),
            vec(tmpfs, 0..2),
            of(any::<u32>()),
            of(any::<u8>()),
        ),
    )
        .prop_map(
            |((add, drop, devices, init), (shared, tmpfs, swap, swappiness))| LinuxParameters {
                capabilities_add: add,
                capabilities_drop: drop,
                devices,
                init_process_enabled: init,
                shared_memory_mib: shared,
                tmpfs,
                max_swap_mib: swap,
                swappiness,
            },
        )
        .boxed()
}

type Change = Box<dyn Fn(&mut ContainerDefinition)>;

fn change<T: Clone + std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + 'static,
    set: fn(&mut ContainerDefinition, T),
) -> BoxedStrategy<Settable> {
    values
        .prop_map(move |value| Settable::new(move |container| set(container, value.clone())))
        .boxed()
}

/// One field's value on its way into a container.
struct Settable(Change);

impl Settable {
    fn new(set: impl Fn(&mut ContainerDefinition) + 'static) -> Self {
        Self(Box::new(set))
    }
}

impl std::fmt::Debug for Settable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settable")
    }
}

fn lifecycle() -> Vec<BoxedStrategy<Settable>> {
    let conditions = vec![
        Condition::Create,
        Condition::Start,
        Condition::Complete,
        Condition::Success,
        Condition::Healthy,
    ];
    let edge = (name(), select(conditions)).prop_map(|(container, condition)| Dependency {
        container,
        condition,
    });
    let restart = (vec(any::<i64>(), 0..3), secs()).prop_map(|(codes, period)| RestartPolicy {
        ignored_exit_codes: codes,
        restart_attempt_period: period,
    });
    let health = (vec(text(), 1..3), secs(), secs(), any::<u32>(), secs()).prop_map(
        |(command, interval, timeout, retries, start_period)| HealthCheck {
            command,
            interval,
            timeout,
            retries,
            start_period,
        },
    );
    let link = (name(), word()).prop_map(|(container, alias)| Link { container, alias });
    let from = (name(), any::<bool>()).prop_map(|(source_container, read_only)| VolumesFrom {
        source_container,
        read_only,
    });
    let mount = (word(), text(), any::<bool>()).prop_map(|(volume, container_path, read_only)| {
        MountPoint {
            source_volume: VolumeName::parse(&volume).unwrap(),
            container_path,
            read_only,
        }
    });
    vec![
        change(vec(edge, 0..3), |c, v| c.depends_on = v),
        change(of(restart), |c, v| c.restart_policy = v),
        change(of(health), |c, v| c.health_check = v),
        change(vec(link, 0..2), |c, v| c.links = v),
        change(vec(from, 0..2), |c, v| c.volumes_from = v),
        change(vec(mount, 0..2), |c, v| c.mount_points = v),
        change(of(secs()), |c, v| c.start_timeout = v),
        change(of(secs()), |c, v| c.stop_timeout = v),
        change(any::<bool>(), |c, v| c.essential = v),
    ]
}

fn process() -> Vec<BoxedStrategy<Settable>> {
    let words = || of(vec("\\PC{0,9}", 1..3));
    vec![
        change(words(), |c, v| c.entry_point = v),
        change(words(), |c, v| c.command = v),
        change(map(), |c, v| c.environment = v),
        change(texts(), |c, v| c.environment_files = v),
        change(secrets(), |c, v| c.secrets = v),
        change(of(text()), |c, v| c.user = v),
        change(of(text()), |c, v| c.working_directory = v),
        change(any::<(bool, bool)>(), |c, (interactive, terminal)| {
            c.interactive = interactive;
            c.pseudo_terminal = terminal;
        }),
        change(
            any::<(bool, bool, bool)>(),
            |c, (network, privileged, readonly)| {
                c.disable_networking = network;
                c.privileged = privileged;
                c.readonly_root_filesystem = readonly;
            },
        ),
    ]
}

fn surroundings() -> Vec<BoxedStrategy<Settable>> {
    let log =
        (text(), map(), secrets()).prop_map(|(driver, options, secret_options)| LogConfiguration {
            driver,
            options,
            secret_options,
        });
    let limit = (text(), any::<i64>(), any::<i64>()).prop_map(|(name, soft, hard)| Ulimit {
        name,
        soft,
        hard,
    });
    let kinds = select(vec!["GPU", "InferenceAccelerator"]);
    let need = (kinds, text()).prop_map(|(kind, value)| ResourceRequirement {
        kind: kind.to_owned(),
        value,
    });
    let ecr = (text(), text(), of(text()), any::<bool>()).prop_map(
        |(region, registry_id, endpoint, use_execution_role)| EcrAuth {
            region,
            registry_id,
            endpoint,
            use_execution_role,
        },
    );
    let firelens = select(vec!["fluentd".to_owned(), "fluentbit".to_owned()]);
    vec![
        change(
            any::<(u32, Option<u32>, Option<u32>)>(),
            |c, (cpu, hard, soft)| {
                c.cpu_units = cpu;
                c.memory_mib = hard;
                c.memory_reservation_mib = soft;
            },
        ),
        change(of(log), |c, v| c.log_configuration = v),
        change(linux_parameters(), |c, v| c.linux_parameters = v),
        change(vec(limit, 0..2), |c, v| c.ulimits = v),
        change(full_map(), |c, v| c.system_controls = v),
        change(vec(need, 0..2), |c, v| c.resource_requirements = v),
        change(texts(), |c, v| c.gpu_ids = v),
        change(vec(port_mapping(), 0..3), |c, v| c.port_mappings = v),
        change(of(text()), |c, v| c.hostname = v),
        change((texts(), texts()), |c, (servers, domains)| {
            c.dns_servers = servers;
            c.dns_search_domains = domains;
        }),
        change(vec((text(), text()), 0..2), |c, v| c.extra_hosts = v),
        change(map(), |c, v| c.docker_labels = v),
        change((texts(), texts()), |c, (options, specs)| {
            c.docker_security_options = options;
            c.credential_specs = specs;
        }),
        change(of(firelens), |c, v| c.firelens = v),
        change(of(text()), |c, v| c.repository_credentials = v),
        change(of(ecr), |c, v| c.registry_authentication = v),
    ]
}

fn container() -> BoxedStrategy<ContainerDefinition> {
    let image = select(vec!["a", "a:1", "host:5000/a/b:tag", "localhost/x"]);
    (name(), image, lifecycle(), process(), surroundings())
        .prop_map(|(name, image, lifecycle, process, surroundings)| {
            let mut container = ContainerDefinition::new(name, ImageRef::parse(image).unwrap());
            for Settable(set) in lifecycle.iter().chain(&process).chain(&surroundings) {
                set(&mut container);
            }
            container
        })
        .boxed()
}

fn modes() -> BoxedStrategy<(NetworkMode, PidMode, IpcMode)> {
    (
        select(vec![
            NetworkMode::Bridge,
            NetworkMode::Host,
            NetworkMode::None,
            NetworkMode::Awsvpc,
        ]),
        select(vec![PidMode::Private, PidMode::Task, PidMode::Host]),
        select(vec![
            IpcMode::Default,
            IpcMode::Task,
            IpcMode::Host,
            IpcMode::None,
        ]),
    )
        .boxed()
}

fn platform() -> BoxedStrategy<RuntimePlatform> {
    let systems = select(vec![
        "LINUX".to_owned(),
        "WINDOWS_SERVER_2022_CORE".to_owned(),
    ]);
    let architectures = select(vec!["X86_64".to_owned(), "ARM64".to_owned()]);
    (of(systems), of(architectures))
        .prop_map(
            |(operating_system_family, cpu_architecture)| RuntimePlatform {
                operating_system_family,
                cpu_architecture,
            },
        )
        .boxed()
}

fn task() -> BoxedStrategy<TaskDefinition> {
    let compatibilities = vec(select(vec!["EC2".to_owned(), "EXTERNAL".to_owned()]), 0..2);
    (
        (word(), any::<u32>(), of(text()), of(text()), modes()),
        (
            of(any::<u32>()),
            of(any::<u32>()),
            vec(container(), 1..3),
            vec(volume(), 0..3),
        ),
        (
            texts(),
            compatibilities,
            texts(),
            platform(),
            of(any::<u32>()),
        ),
        (any::<bool>(), full_map(), of(text()), texts()),
    )
        .prop_map(|(identity, sizes, placement, rest)| {
            let mut task = TaskDefinition::new(Family::parse(&identity.0).unwrap(), sizes.2);
            task.revision = identity.1;
            task.task_role_arn = identity.2;
            task.execution_role_arn = identity.3;
            (task.network_mode, task.pid_mode, task.ipc_mode) = identity.4;
            task.cpu_units = sizes.0;
            task.memory_mib = sizes.1;
            task.volumes = sizes.3;
            task.placement_constraints = placement.0;
            task.requires_compatibilities = placement.1;
            task.requires_attributes = placement.2;
            task.runtime_platform = placement.3;
            task.ephemeral_storage_gib = placement.4;
            task.enable_fault_injection = rest.0;
            task.tags = rest.1;
            task.proxy_container = rest.2;
            task.inference_accelerators = rest.3;
            task
        })
        .boxed()
}
