//! Any value that can be stored is given back as it was.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::domain::container_facts::{ContainerMount, ContainerNetwork, ProbeResult};
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::NetworkMode;
use crate::domain::ids::{ContainerName, DockerId, Generation, UnixMillis, VolumeName};
use crate::domain::port_mapping::{PortBinding, PortReservation, Protocol};
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::status::{ContainerStatus, DesiredStatus, Health, TaskStatus};
use crate::domain::task::{
    Cause, DesiredTask, EcsFacts, Exit, KnownContainer, KnownResource, KnownTask, Origin, Reported,
    ResourceKey, ResourceStatus, Retry, Step, StopCause, TaskCondition, TaskOptions,
};
use crate::domain::task_ids::{EndpointId, TaskIds};
use crate::store::checksum::Checksums;
use crate::store::desired::rows::DesiredRow;
use crate::store::known::rows::KnownRows;
use crate::testing::store_contract::{desired, full_known};

fn at() -> impl Strategy<Value = UnixMillis> {
    any::<i64>().prop_map(UnixMillis)
}

fn maybe_at() -> impl Strategy<Value = Option<UnixMillis>> {
    option::of(at())
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn word<T: Copy + std::fmt::Debug + 'static>(words: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(words)
}

fn reason() -> impl Strategy<Value = Reason> {
    let names = &[
        ReasonName::CannotPullContainerError,
        ReasonName::OutOfMemoryError,
        ReasonName::UserInitiated,
    ];
    (word(names), text()).prop_map(|(name, message)| Reason::new(name, message))
}

fn retry() -> impl Strategy<Value = Option<Retry>> {
    let steps = &[Step::Pull, Step::Start, Step::SetUp, Step::TearDown];
    let retry = (word(steps), any::<u32>(), at(), reason());
    option::of(
        retry.prop_map(|(step, failures, not_before, reason)| Retry {
            step,
            failures,
            not_before,
            reason,
        }),
    )
}

fn name() -> impl Strategy<Value = ContainerName> {
    "[a-zA-Z0-9_~-]{1,8}".prop_map(|text| ContainerName::parse(&text).unwrap())
}

fn protocol() -> impl Strategy<Value = Protocol> {
    word(&[Protocol::Tcp, Protocol::Udp])
}

fn bindings() -> impl Strategy<Value = Vec<PortBinding>> {
    let binding = (any::<u16>(), protocol(), text(), any::<u16>());
    vec(
        binding.prop_map(
            |(container_port, protocol, bind_ip, host_port)| PortBinding {
                container_port,
                protocol,
                bind_ip,
                host_port,
            },
        ),
        0..3,
    )
}

fn reservations() -> impl Strategy<Value = Vec<PortReservation>> {
    let reservation = (0_usize..1000, any::<u16>(), any::<u16>(), protocol());
    vec(
        reservation.prop_map(
            |(mapping, first_host_port, count, protocol)| PortReservation {
                mapping,
                first_host_port,
                count,
                protocol,
            },
        ),
        0..3,
    )
}

fn exit() -> impl Strategy<Value = Option<Exit>> {
    let exit = (option::of(any::<i64>()), at(), any::<bool>());
    option::of(exit.prop_map(|(code, at, oom_killed)| Exit {
        code,
        at,
        oom_killed,
    }))
}

type Facts = (
    Option<UnixMillis>,
    Option<ProbeResult>,
    Vec<ContainerNetwork>,
    Vec<ContainerMount>,
);

fn facts() -> impl Strategy<Value = Facts> {
    let probe =
        (any::<i64>(), text()).prop_map(|(exit_code, output)| ProbeResult { exit_code, output });
    let network = (
        text(),
        text(),
        any::<u8>(),
        any::<u8>(),
        [text(), text(), text(), text()],
    );
    let network = network.prop_map(|(name, ipv4, ipv4_prefix, ipv6_prefix, rest)| {
        let [ipv4_gateway, ipv6, ipv6_gateway, mac] = rest;
        ContainerNetwork {
            name,
            ipv4,
            ipv4_prefix,
            ipv4_gateway,
            ipv6,
            ipv6_prefix,
            ipv6_gateway,
            mac,
        }
    });
    let mount = (text(), text(), text()).prop_map(|(name, source, destination)| ContainerMount {
        name,
        source,
        destination,
    });
    (
        maybe_at(),
        option::of(probe),
        vec(network, 0..3),
        vec(mount, 0..3),
    )
}

fn ids() -> impl Strategy<Value = TaskIds> {
    let credentials =
        || option::of("[0-9a-f-]{1,40}".prop_map(|text| CredentialsId::parse(&text).unwrap()));
    let endpoints = btree_map(
        name(),
        any::<u128>().prop_map(EndpointId::from_random),
        0..3,
    );
    (credentials(), credentials(), endpoints).prop_map(|(task_role, execution_role, endpoints)| {
        TaskIds {
            task_role,
            execution_role,
            endpoints,
        }
    })
}

fn container() -> impl Strategy<Value = KnownContainer> {
    let statuses = &[
        ContainerStatus::None,
        ContainerStatus::Pulled,
        ContainerStatus::Created,
        ContainerStatus::Running,
        ContainerStatus::Stopped,
    ];
    let what = (
        word(statuses),
        any::<u32>(),
        option::of("[0-9a-f]{64}".prop_map(|text| DockerId::parse(&text).unwrap())),
        option::of(text()),
        option::of(text()),
        word(&[Health::Unknown, Health::Healthy, Health::Unhealthy]),
    );
    let times = (
        maybe_at(),
        maybe_at(),
        maybe_at(),
        maybe_at(),
        maybe_at(),
        maybe_at(),
    );
    let rest = (
        (exit(), option::of(reason()), retry(), facts()),
        (bindings(), reservations()),
        (any::<u32>(), any::<bool>(), any::<bool>()),
    );
    (what, times, rest).prop_map(|(what, times, rest)| {
        let (status, attempt, docker_id, image_id, image_digest, health) = what;
        let ((exit, reason, retry, facts), (bindings, reservations), counts) = rest;
        let (created_at, probe, networks, mounts) = facts;
        KnownContainer {
            status,
            attempt,
            docker_id,
            image_id,
            image_digest,
            created_at,
            started_at: times.0,
            running_since: times.1,
            exit,
            reason,
            health,
            health_since: times.2,
            probe,
            restart_count: counts.0,
            last_restart_at: times.3,
            stop_requested_at: times.4,
            bindings,
            networks,
            mounts,
            reservations,
            degraded_log: counts.1,
            settles_at: times.5,
            retry,
            removed: counts.2,
        }
    })
}

fn resources() -> impl Strategy<Value = BTreeMap<ResourceKey, KnownResource>> {
    let volume = "[a-z]{1,4}".prop_map(|text| VolumeName::parse(&text).unwrap());
    let key = prop_oneof![
        Just(ResourceKey::Cgroup),
        volume.prop_map(ResourceKey::Volume)
    ];
    let statuses = &[
        ResourceStatus::Registered,
        ResourceStatus::Created,
        ResourceStatus::Removed,
    ];
    let resource =
        (word(statuses), retry()).prop_map(|(status, retry)| KnownResource { status, retry });
    btree_map(key, resource, 0..3)
}

fn condition() -> impl Strategy<Value = TaskCondition> {
    let causes = &[Cause::Pulling, Cause::BackingOff, Cause::CleaningUp];
    let words = (option::of(name()), word(causes), text(), text());
    (words, at(), maybe_at(), maybe_at()).prop_map(
        |((container, cause, message, next_action), since, deadline, next_at)| TaskCondition {
            container,
            cause,
            message,
            since,
            deadline,
            next_action,
            next_at,
        },
    )
}

fn known() -> impl Strategy<Value = KnownTask> {
    let statuses = &[
        TaskStatus::Pending,
        TaskStatus::Created,
        TaskStatus::Running,
        TaskStatus::Stopped,
    ];
    let stop = (reason(), at()).prop_map(|(reason, at)| StopCause { reason, at });
    let what = (
        word(statuses),
        0..=i64::MAX.unsigned_abs(),
        option::of(stop),
    );
    let times = (
        maybe_at(),
        maybe_at(),
        maybe_at(),
        maybe_at(),
        maybe_at(),
        maybe_at(),
    );
    let told = word(&[ContainerStatus::Pulled, ContainerStatus::Stopped]);
    let reported = (option::of(word(statuses)), btree_map(name(), told, 0..3))
        .prop_map(|(status, containers)| Reported { status, containers });
    let lists = (
        btree_map(name(), container(), 0..3),
        resources(),
        vec(condition(), 0..3),
        reported,
    );
    (what, times, lists).prop_map(|(what, times, lists)| KnownTask {
        status: what.0,
        observed_generation: Generation(what.1),
        admitted_at: times.0,
        stop: what.2,
        pull_started_at: times.1,
        pull_stopped_at: times.2,
        started_at: times.3,
        execution_stopped_at: times.4,
        stopped_at: times.5,
        containers: lists.0,
        resources: lists.1,
        conditions: lists.2,
        reported: lists.3,
    })
}

fn ecs_facts() -> impl Strategy<Value = EcsFacts> {
    let arns = proptest::collection::btree_map("[a-z]{1,4}", "arn:[a-z=:/]{0,9}", 0..3);
    (option::of(text()), option::of(text()), arns).prop_map(|(launch_type, service_name, arns)| {
        let named = |(name, arn): (String, String)| (ContainerName::parse(&name).unwrap(), arn);
        EcsFacts {
            launch_type,
            service_name,
            container_arns: arns.into_iter().map(named).collect(),
        }
    })
}

fn any_desired() -> impl Strategy<Value = DesiredTask> {
    let modes = &[
        NetworkMode::Bridge,
        NetworkMode::Host,
        NetworkMode::None,
        NetworkMode::Awsvpc,
    ];
    let origin = prop_oneof![
        Just(Origin::Api),
        Just(Origin::Run),
        Just(Origin::Adopted),
        Just(Origin::Ecs),
        text().prop_map(Origin::File),
    ];
    let options = (option::of(word(modes)), any::<bool>());
    let rest = (
        word(&[DesiredStatus::Running, DesiredStatus::Stopped]),
        option::of(reason()),
        any::<bool>(),
        at(),
        ids(),
        ecs_facts(),
    );
    (0..=i64::MAX.unsigned_abs(), options, origin, rest).prop_map(
        |(generation, (network_as, ignore_compatibilities), origin, rest)| DesiredTask {
            options: TaskOptions {
                network_as,
                ignore_compatibilities,
            },
            origin,
            status: rest.0,
            stop_reason: rest.1,
            remove: rest.2,
            arrived_at: rest.3,
            ids: rest.4,
            ecs: rest.5,
            ..desired("a", generation)
        },
    )
}

proptest! {
    #[test]
    fn desired_state_survives_its_row(task in any_desired()) {
        prop_assert_eq!(DesiredTask::try_from(DesiredRow::from(&task)).unwrap(), task);
    }

    #[test]
    fn known_state_survives_its_rows(task in known()) {
        prop_assert_eq!(KnownTask::try_from(KnownRows::from(&task)).unwrap(), task);
    }
}

/// A checksum that changes without the row is every task set aside by an update. If this fails, a column was added,
/// renamed or reordered in a way that old rows do not survive (ADR 0003).
#[test]
fn checksums_of_old_rows_stay_the_same() {
    let desired = Checksums::Used.of(&DesiredRow::from(&desired("a", 1)));
    let mut known = full_known();
    known.reported = Reported::default();
    // What came with later migrations, and is NULL or missing in rows of before.
    for container in known.containers.values_mut() {
        container.created_at = None;
        container.probe = None;
        container.networks.clear();
        container.mounts.clear();
    }
    let known = Checksums::Used.of(&KnownRows::from(&known));
    assert_eq!(desired, Some(-5_627_745_007_766_622_174));
    assert_eq!(known, Some(8_266_901_389_275_115_282));
}
