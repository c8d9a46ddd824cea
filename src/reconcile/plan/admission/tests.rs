//! Tables for each verdict and for the port search, and the properties that hold whatever arrives: never over
//! capacity, first come first served for each contended resource, nobody starved.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::draining::Draining;
use crate::domain::host::{HostFacts, ResourceDemand};
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::domain::port_mapping::{PortReservation, Protocol};
use crate::domain::sample;
use crate::domain::task::KnownContainer;

type Asks = (TaskArn, ResourceDemand);

fn asks(id: &str, cpu_units: u32, memory_mib: u32, ports: &[u16]) -> Asks {
    let ports = ports.iter().map(|&port| (port, Protocol::Tcp)).collect();
    (
        sample::arn(id),
        ResourceDemand {
            cpu_units,
            memory_mib,
            ports,
            gpus: BTreeSet::new(),
        },
    )
}

/// The same with GPUs.
fn with_gpus((arn, mut demand): Asks, ids: &[&str]) -> Asks {
    demand.gpus = ids.iter().map(|&id| id.to_owned()).collect();
    (arn, demand)
}

/// One line a task, in the order of their ids; ARNs are cut to the id.
fn show(holders: &[Asks], waiting: &[Asks]) -> String {
    decide(&sample::host(), holders, waiting)
        .iter()
        .map(|(arn, verdict)| {
            let text = match verdict {
                Verdict::Admitted => "admitted".to_owned(),
                Verdict::Waiting { for_what, port } => format!(
                    "waits for {for_what}{}",
                    port.as_ref()
                        .map_or(String::new(), |(port, _, holder)| format!(
                            " [{port} {holder}]"
                        ))
                ),
                Verdict::Draining(why) => why.clone(),
                Verdict::Impossible(why) => format!("never: {why}"),
            };
            format!("{}: {text}", arn.task_id())
                .replace("arn:aws:ecs:local:000000000000:task/default/", "")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn nobody_is_admitted_while_the_instance_drains_and_the_impossible_stays_so() {
    let waiting = [
        asks("a", 1, 1, &[]),
        asks("b", 2048, 1, &[]),
        asks("c", 9999, 1, &[]),
    ];
    let verdicts = decide(&sample::host(), &[], &waiting);
    let draining = Draining {
        since: UnixMillis(1),
        reason: "a new kernel".to_owned(),
    };
    let closed: Vec<Verdict> = unless_draining(verdicts.clone(), Some(&draining))
        .into_values()
        .collect();
    let waits =
        Verdict::Draining("the instance drains, and no task starts on it: a new kernel".to_owned());
    assert_eq!(closed[..2], [waits.clone(), waits]);
    assert!(matches!(closed[2], Verdict::Impossible(_)));
    assert_eq!(unless_draining(verdicts.clone(), None), verdicts);
}

#[test]
fn tasks_are_admitted_in_order_while_there_is_room() {
    insta::assert_snapshot!(
        show(
            &[asks("run", 1024, 2048, &[80])],
            &[
                asks("a", 512, 1024, &[81]),
                asks("b", 512, 1024, &[]),
                asks("c", 1, 0, &[]),
                asks("d", 0, 1, &[]),
                asks("e", 0, 0, &[82]),
            ],
        ),
        @"
        a: admitted
        b: admitted
        c: waits for 1 CPU units (0 free)
        d: waits for 1 MiB of memory (0 free)
        e: admitted
        "
    );
}

#[test]
fn nobody_overtakes_for_what_an_earlier_task_is_short_of() {
    insta::assert_snapshot!(
        show(
            &[asks("run", 2000, 0, &[])],
            &[
                asks("big", 1024, 64, &[]),
                asks("cpu", 1, 0, &[]),
                asks("memory", 0, 4032, &[]),
                asks("more", 0, 4033, &[]),
            ],
        ),
        @"
        big: waits for 1024 CPU units (48 free)
        cpu: waits for CPU units, for which task big came earlier
        memory: admitted
        more: waits for 4033 MiB of memory (0 free)
        "
    );
}

#[test]
fn a_port_names_its_holder_and_holds_up_nothing_else() {
    insta::assert_snapshot!(
        show(
            &[asks("run", 0, 0, &[80])],
            &[
                asks("first", 2048, 4096, &[80, 81]),
                asks("other", 2048, 4096, &[82]),
                asks("second", 0, 0, &[81]),
            ],
        ),
        @"
        first: waits for port 80/tcp, held by task run [80 run]
        other: admitted
        second: waits for port 81/tcp, for which task first came earlier [81 first]
        "
    );
}

#[test]
fn a_gpu_names_its_holder_and_holds_up_nothing_else() {
    insta::assert_snapshot!(
        show(
            &[with_gpus(asks("run", 0, 0, &[]), &["GPU-1"])],
            &[
                with_gpus(asks("first", 2048, 4096, &[]), &["GPU-1", "GPU-2"]),
                with_gpus(asks("other", 2048, 4096, &[]), &["GPU-3"]),
                with_gpus(asks("second", 0, 0, &[]), &["GPU-2"]),
            ],
        ),
        @"
        first: waits for GPU GPU-1, held by task run
        other: admitted
        second: waits for GPU GPU-2, for which task first came earlier
        "
    );
}

#[test]
fn what_the_host_never_has_is_impossible_and_holds_up_nobody() {
    insta::assert_snapshot!(
        show(
            &[],
            &[
                asks("big", 2049, 4097, &[22, 80]),
                asks("next", 2048, 4096, &[80]),
            ],
        ),
        @"
        big: never: wants 2049 CPU units, the host has 2048; wants 4097 MiB of memory, the host has 4096 MiB for tasks; wants port 22/tcp, which is reserved for the host itself
        next: admitted
        "
    );
}

#[test]
fn holders_beyond_the_hosts_capacity_leave_nothing() {
    insta::assert_snapshot!(
        show(&[asks("x", 5000, 5000, &[]), asks("y", 1, 1, &[])], &[asks("a", 1, 0, &[])]),
        @"a: waits for 1 CPU units (0 free)"
    );
}

#[test]
fn the_demand_counts_ports_reserved_for_ranges() {
    let mut definition = sample::definition(&["a"]);
    definition.containers[0].cpu_units = 10;
    definition.containers[0].port_mappings = vec![sample::port(80, Some(8080))];
    let mut task = sample::task(definition);
    let known = KnownContainer {
        reservations: vec![PortReservation {
            mapping: 1,
            first_host_port: 65_534,
            count: 3,
            protocol: Protocol::Udp,
        }],
        ..KnownContainer::default()
    };
    task.known.containers.insert(sample::name("a"), known);
    let demand = demand(&task);
    assert_eq!(demand.cpu_units, 10);
    assert_eq!(
        demand.ports,
        BTreeSet::from([
            (8080, Protocol::Tcp),
            (65_534, Protocol::Udp),
            (65_535, Protocol::Udp)
        ])
    );
}

#[test]
fn ports_are_drawn_round_robin_and_in_one_piece() {
    let host = HostFacts {
        dynamic_ports: (100, 109),
        reserved_ports: [(102, Protocol::Tcp)].into(),
        ..sample::host()
    };
    let taken = BTreeSet::from([
        (105, Protocol::Tcp),
        (107, Protocol::Tcp),
        (101, Protocol::Udp),
    ]);
    for (count, start_after, expected) in [
        (1, 0, Some(100)),
        (1, 99, Some(100)),
        (1, 100, Some(101)),
        (1, 101, Some(103)),
        (1, 109, Some(100)),
        (1, u16::MAX, Some(100)),
        (2, 100, Some(103)),
        (2, 103, Some(108)),
        (2, 108, Some(100)),
        (3, 0, None),
        (0, 0, None),
    ] {
        let chosen = choose_ports(count, Protocol::Tcp, &host, &taken, start_after);
        assert_eq!(chosen, expected, "{count} after {start_after}");
    }
}

#[test]
fn a_range_may_reach_past_where_the_search_began() {
    let host = HostFacts {
        dynamic_ports: (65_530, 65_535),
        ..sample::host()
    };
    assert_eq!(
        choose_ports(6, Protocol::Tcp, &host, &BTreeSet::new(), 65_532),
        Some(65_530)
    );
}

/// Demands that contend: a few units of a host of ten, ports out of four.
fn demands(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<ResourceDemand>> {
    let port = prop::sample::select(vec![1_u16, 2, 3, 4]);
    let gpu = prop::sample::select(vec!["GPU-1", "GPU-2", "GPU-3"]);
    let one = (
        0..12_u32,
        0..12_u32,
        prop::collection::btree_set(port, 0..3),
        prop::collection::btree_set(gpu, 0..2),
    )
        .prop_map(|(cpu_units, memory_mib, ports, gpus)| ResourceDemand {
            cpu_units,
            memory_mib,
            ports: ports.into_iter().map(|p| (p, Protocol::Tcp)).collect(),
            gpus: gpus.into_iter().map(str::to_owned).collect(),
        });
    prop::collection::vec(one, count)
}

fn small_host() -> HostFacts {
    HostFacts {
        cpu_units: 10,
        memory_mib: 10,
        ..sample::host()
    }
}

fn named(demands: Vec<ResourceDemand>, prefix: &str) -> Vec<Asks> {
    demands
        .into_iter()
        .enumerate()
        .map(|(index, demand)| (sample::arn(&format!("{prefix}{index}")), demand))
        .collect()
}

/// Whether all of these fit on the host at once.
fn fits(host: &HostFacts, held: &[Asks]) -> bool {
    let cpu: u32 = held.iter().map(|(_, demand)| demand.cpu_units).sum();
    let memory: u32 = held.iter().map(|(_, demand)| demand.memory_mib).sum();
    let ports: Vec<_> = held.iter().flat_map(|(_, demand)| &demand.ports).collect();
    let distinct: BTreeSet<_> = ports.iter().collect();
    let gpus: Vec<_> = held.iter().flat_map(|(_, demand)| &demand.gpus).collect();
    let one_each = gpus.iter().collect::<BTreeSet<_>>().len() == gpus.len();
    cpu <= host.cpu_units && memory <= host.memory_mib && ports.len() == distinct.len() && one_each
}

/// Moves what was admitted to the holders, drops what is impossible.
fn apply(verdicts: &BTreeMap<TaskArn, Verdict>, holders: &mut Vec<Asks>, waiting: &mut Vec<Asks>) {
    waiting.retain(|asks| match &verdicts[&asks.0] {
        Verdict::Admitted => {
            holders.push(asks.clone());
            false
        }
        Verdict::Impossible(_) => false,
        Verdict::Waiting { .. } | Verdict::Draining(_) => true,
    });
}

/// Resources of which the demand is short when only `held` is there.
fn short_of(host: &HostFacts, held: &[Asks], demand: &ResourceDemand) -> BTreeSet<String> {
    let cpu: u32 = held.iter().map(|(_, d)| d.cpu_units).sum();
    let memory: u32 = held.iter().map(|(_, d)| d.memory_mib).sum();
    let mut short = BTreeSet::new();
    if demand.cpu_units > host.cpu_units - cpu {
        short.insert("cpu".to_owned());
    }
    if demand.memory_mib > host.memory_mib - memory {
        short.insert("memory".to_owned());
    }
    for port in &demand.ports {
        if held.iter().any(|(_, d)| d.ports.contains(port)) {
            short.insert(format!("{port:?}"));
        }
    }
    for gpu in &demand.gpus {
        if held.iter().any(|(_, d)| d.gpus.contains(gpu)) {
            short.insert(gpu.clone());
        }
    }
    short
}

fn needs(demand: &ResourceDemand) -> BTreeSet<String> {
    let mut needs: BTreeSet<String> = demand.ports.iter().map(|p| format!("{p:?}")).collect();
    needs.extend(demand.gpus.iter().cloned());
    if demand.cpu_units > 0 {
        needs.insert("cpu".to_owned());
    }
    if demand.memory_mib > 0 {
        needs.insert("memory".to_owned());
    }
    needs
}

proptest! {
    #[test]
    fn what_is_granted_never_exceeds_the_host(first in demands(0..8), second in demands(0..8)) {
        let host = small_host();
        let mut holders = Vec::new();
        for batch in [named(first, "a"), named(second, "b")] {
            let mut waiting = batch;
            let verdicts = decide(&host, &holders, &waiting);
            prop_assert_eq!(verdicts.len(), waiting.len());
            apply(&verdicts, &mut holders, &mut waiting);
            prop_assert!(fits(&host, &holders));
        }
    }

    #[test]
    fn a_later_task_never_gets_what_an_earlier_one_is_short_of(all in demands(1..12)) {
        let host = small_host();
        let waiting = named(all, "t");
        let verdicts = decide(&host, &[], &waiting);
        let mut granted: Vec<Asks> = Vec::new();
        let mut contended: BTreeSet<String> = BTreeSet::new();
        for asks in &waiting {
            match &verdicts[&asks.0] {
                Verdict::Admitted => {
                    prop_assert!(needs(&asks.1).is_disjoint(&contended));
                    granted.push(asks.clone());
                }
                Verdict::Waiting { .. } => {
                    contended.extend(short_of(&host, &granted, &asks.1));
                }
                Verdict::Impossible(_) | Verdict::Draining(_) => {}
            }
        }
    }

    #[test]
    fn a_task_that_needs_nothing_that_others_wait_for_passes(
        all in demands(0..8),
        port in 5_u16..9,
    ) {
        let mut waiting = named(all, "t");
        let own = asks("own", 0, 0, &[port]);
        waiting.push(own.clone());
        prop_assert_eq!(&decide(&small_host(), &[], &waiting)[&own.0], &Verdict::Admitted);
    }

    #[test]
    fn everything_possible_is_admitted_once_others_leave(
        all in demands(1..12),
        leavers in prop::collection::vec(any::<prop::sample::Index>(), 24),
    ) {
        let host = small_host();
        let mut waiting = named(all, "t");
        let mut holders = Vec::new();
        // One round for each task that may have to leave before the last is admitted, and one to begin with.
        for leaver in leavers.iter().take(waiting.len() + 1) {
            let verdicts = decide(&host, &holders, &waiting);
            apply(&verdicts, &mut holders, &mut waiting);
            if !holders.is_empty() {
                holders.remove(leaver.index(holders.len()));
            }
        }
        prop_assert!(waiting.is_empty(), "{waiting:?}");
    }

    #[test]
    fn a_task_short_of_units_is_not_starved_by_newcomers(
        held in demands(1..6),
        cpu in 1..11_u32,
        memory in 1..11_u32,
        newcomers in demands(6..7),
    ) {
        let host = small_host();
        let mut old = Vec::new();
        let mut rest = named(held, "old");
        apply(&decide(&host, &[], &rest.clone()), &mut old, &mut rest);
        let patient = asks("patient", cpu, memory, &[]);
        let mut waiting = vec![patient.clone()];
        let mut young: Vec<Asks> = Vec::new();
        for newcomer in named(newcomers, "new") {
            waiting.push(newcomer);
            let all: Vec<Asks> = old.iter().chain(&young).cloned().collect();
            let verdicts = decide(&host, &all, &waiting);
            apply(&verdicts, &mut young, &mut waiting);
            // The newcomers stay for good; only those that were there before leave.
            old.pop();
        }
        prop_assert!(!waiting.contains(&patient));
    }

    #[test]
    fn chosen_ports_are_all_usable_and_found_whenever_there_are_some(
        low in 1000_u16..1010,
        length in 0_u16..20,
        count in 1_u16..6,
        start_after in 990_u16..1040,
        taken in prop::collection::btree_set(1000_u16..1030, 0..16),
    ) {
        let high = low + length;
        let host = HostFacts { dynamic_ports: (low, high), ..sample::host() };
        let usable = |port: u16| (low..=high).contains(&port) && !taken.contains(&port);
        let keys = taken.iter().map(|&port| (port, Protocol::Tcp)).collect();
        let good = |first: u16| (first..first + count).all(usable);
        match choose_ports(count, Protocol::Tcp, &host, &keys, start_after) {
            Some(first) => prop_assert!(good(first), "{first}"),
            None => prop_assert!(!(low..=high).any(good)),
        }
    }
}
