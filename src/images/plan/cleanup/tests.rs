//! Tables for each reason to keep, and the property that protects what is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::boundary::host::DiskSpace;
use crate::boundary::store::ImageRecord;
use crate::domain::ids::UnixMillis;
use crate::domain::image::PullBehavior;
use crate::domain::runtime::LocalImage;
use crate::images::CleanupConfig;
use crate::images::plan::name::canonical;

const HOUR: i64 = 3_600_000;
const NOW: UnixMillis = UnixMillis(100 * HOUR);

fn image(id: &str, tags: &[&str]) -> LocalImage {
    LocalImage {
        id: id.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        digests: Vec::new(),
        size_bytes: 10,
        created_at: UnixMillis(0),
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        os_version: None,
    }
}

fn record(name: &str, id: &str, pulled_hours_ago: Option<i64>, used_hours_ago: i64) -> ImageRecord {
    ImageRecord {
        reference: name.to_owned(),
        image_id: id.to_owned(),
        pulled_at: pulled_hours_ago.map(|hours| UnixMillis(NOW.0 - hours * HOUR)),
        last_used_at: UnixMillis(NOW.0 - used_hours_ago * HOUR),
        size_bytes: 10,
    }
}

fn host(images: &[LocalImage], records: &[ImageRecord]) -> HostImages {
    HostImages {
        now: NOW,
        images: images.to_vec(),
        records: records
            .iter()
            .map(|record| (record.reference.clone(), record.clone()))
            .collect::<BTreeMap<_, _>>(),
        ..HostImages::default()
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// One old image that the agent pulled as `web:1`; the test adds why it stays.
fn check_kept(expected: KeepReason, change: impl FnOnce(&mut CleanupConfig, &mut HostImages)) {
    let mut config = CleanupConfig::default();
    let mut host = host(
        &[image("i1", &["web:1"])],
        &[record("web:1", "i1", Some(9), 8)],
    );
    assert_eq!(removed(&select(&config, Mode::Emergency, &host)), ["i1"]);
    change(&mut config, &mut host);
    let plan = select(&config, Mode::Emergency, &host);
    assert_eq!(plan.remove, []);
    let reasons: Vec<KeepReason> = plan.keep.iter().map(|kept| kept.reason).collect();
    assert_eq!(reasons, [expected]);
}

fn removed(plan: &CleanupPlan) -> Vec<&str> {
    plan.remove
        .iter()
        .map(|removal| removal.image_id.as_str())
        .collect()
}

#[test]
fn each_reason_to_keep_holds_even_in_an_emergency() {
    check_kept(KeepReason::Needed, |_, host| {
        host.needed = set(&["docker.io/library/web:1"]);
    });
    check_kept(KeepReason::InUse, |_, host| host.in_use = set(&["i1"]));
    check_kept(KeepReason::Busy, |_, host| host.busy = set(&["web:1"]));
    check_kept(KeepReason::Excluded, |config, _| {
        config.excluded = set(&["web:1"]);
    });
    check_kept(KeepReason::NotOurs, |_, host| host.records.clear());
    check_kept(KeepReason::NotOurs, |_, host| {
        for image in &mut host.images {
            image.tags.push("mine:1".to_owned());
        }
    });
    check_kept(KeepReason::Internal, |config, host| {
        config.untracked = true;
        host.images = vec![image("i1", &["berth/pause:1"])];
    });
    check_kept(KeepReason::JustUsed, |_, host| {
        for record in host.records.values_mut() {
            record.last_used_at = NOW;
        }
    });
}

#[test]
fn an_image_that_a_needed_name_meant_is_needed() {
    check_kept(KeepReason::Needed, |_, host| {
        host.images = vec![image("i1", &[])];
        host.needed = set(&["web:1"]);
    });
}

#[test]
fn by_age_as_many_go_as_the_operator_says() {
    let names: Vec<_> = (0..150)
        .map(|n| (format!("i{n}"), format!("n{n}:1")))
        .collect();
    let images: Vec<_> = names
        .iter()
        .map(|(id, name)| image(id, &[name.as_str()]))
        .collect();
    let records: Vec<_> = names
        .iter()
        .map(|(id, name)| record(name, id, Some(50), 9))
        .collect();
    let config = CleanupConfig {
        per_cycle: 120,
        ..CleanupConfig::default()
    };
    let host = host(&images, &records);
    assert_eq!(select(&config, Mode::Age, &host).remove.len(), 120);
}

#[test]
fn by_age_the_longest_unused_go_first_and_only_a_few() {
    let images = [
        image("young", &["young:1"]),
        image("a", &["a:1"]),
        image("b", &["b:1"]),
        image("c", &["c:1"]),
    ];
    let records = [
        record("young:1", "young", Some(0), 1),
        record("a:1", "a", Some(50), 3),
        record("b:1", "b", Some(50), 9),
        record("c:1", "c", Some(50), 6),
    ];
    let config = CleanupConfig {
        per_cycle: 2,
        ..CleanupConfig::default()
    };
    let host = host(&images, &records);
    let plan = select(&config, Mode::Age, &host);
    assert_eq!(removed(&plan), ["b", "c"]);
    assert_eq!(
        plan.keep
            .iter()
            .map(|k| (k.name.as_str(), k.reason))
            .collect::<Vec<_>>(),
        [
            ("young:1", KeepReason::TooYoung),
            ("a:1", KeepReason::Later)
        ]
    );
    assert_eq!(
        removed(&select(&config, Mode::Pressure, &host)),
        ["b", "c", "a", "young"]
    );
    assert_eq!(removed(&select(&config, Mode::Idle, &host)), [""; 0]);
}

#[test]
fn strangers_go_after_ours_and_the_smallest_first() {
    let mut large = image("large", &["large:1"]);
    large.size_bytes = 99;
    let images = [
        large,
        image("small", &["<none>:<none>"]),
        image("ours", &["web:1"]),
    ];
    let config = CleanupConfig {
        untracked: true,
        ..CleanupConfig::default()
    };
    let plan = select(
        &config,
        Mode::Age,
        &host(&images, &[record("web:1", "ours", Some(9), 1)]),
    );
    assert_eq!(removed(&plan), ["ours", "small", "large"]);
    assert_eq!(plan.remove[1].names, ["small"], "no name: removed by id");
}

#[test]
fn an_image_that_lost_its_name_to_a_newer_pull_goes_by_its_digest() {
    let mut old = image("old", &[]);
    old.digests = vec!["web@sha256:0".to_owned()];
    let mut superseded = record("web:1", "old", Some(9), 9);
    superseded.reference = "old".to_owned();
    let plan = select(
        &CleanupConfig::default(),
        Mode::Age,
        &host(&[old], &[superseded]),
    );
    assert_eq!(plan.remove[0].names, ["web@sha256:0"]);
    assert_eq!(plan.remove[0].records, ["old"]);
}

#[test]
fn records_of_lost_images_are_forgotten_unless_needed() {
    let records = [
        record("gone:1", "g", Some(9), 9),
        record("needed:1", "n", Some(9), 9),
        record("here:1", "h", Some(9), 9),
    ];
    let mut host = host(&[image("h", &["here:1"])], &records);
    host.needed = set(&["needed:1"]);
    for mode in [Mode::Disabled, Mode::Idle, Mode::Age] {
        assert_eq!(
            select(&CleanupConfig::default(), mode, &host).forget,
            ["gone:1"]
        );
    }
}

#[test]
fn the_disk_and_the_time_choose_the_mode() {
    let config = CleanupConfig::default();
    let disk = |used: u64| {
        Some(DiskSpace {
            free_bytes: 1000 - used,
            total_bytes: 1000,
        })
    };
    let long_ago = Some(Duration::from_mins(30));
    let recently = Some(Duration::from_mins(29));
    let default = PullBehavior::Default;
    for (behavior, disk, since, expected) in [
        (default, disk(100), None, Mode::Age),
        (default, disk(100), long_ago, Mode::Age),
        (default, disk(849), recently, Mode::Idle),
        (default, None, recently, Mode::Idle),
        (default, disk(850), recently, Mode::Pressure),
        (default, disk(950), recently, Mode::Emergency),
        (PullBehavior::PreferCached, disk(990), None, Mode::Disabled),
    ] {
        assert_eq!(mode(&config, behavior, disk, since), expected, "{disk:?}");
    }
    assert!(enough(&config, Mode::Pressure, disk(750)));
    assert!(!enough(&config, Mode::Pressure, disk(760)));
    assert!(!enough(&config, Mode::Age, disk(1)));
    let off = CleanupConfig {
        enabled: false,
        ..config
    };
    assert_eq!(mode(&off, default, disk(990), None), Mode::Disabled);
}

proptest! {
    /// Whatever the host looks like, no plan touches what is needed, in use, busy, excluded or not ours.
    #[test]
    fn never_removes_what_is_needed_or_in_use(
        images in prop::collection::vec((0u8..12, prop::collection::vec(0u8..12, 0..3)), 0..10),
        records in prop::collection::vec((0u8..12, 0u8..12, prop::option::of(0i64..5), 0i64..5), 0..10),
        needed in prop::collection::btree_set(0u8..12, 0..4),
        in_use in prop::collection::btree_set(0u8..12, 0..4),
        untracked: bool,
        mode in prop::sample::select(vec![Mode::Idle, Mode::Age, Mode::Pressure, Mode::Emergency]),
    ) {
        let name = |n: u8| format!("n{n}:1");
        let id = |n: u8| format!("i{n}");
        let by_id: BTreeMap<u8, Vec<u8>> = images.into_iter().collect();
        let images: Vec<LocalImage> = by_id.iter().map(|(n, tags)| {
            let tags: Vec<String> = tags.iter().map(|&tag| name(tag)).collect();
            image(&id(*n), &tags.iter().map(String::as_str).collect::<Vec<_>>())
        }).collect();
        let records: Vec<ImageRecord> = records
            .into_iter()
            .map(|(n, i, pulled, used)| record(&name(n), &id(i), pulled, used))
            .collect();
        let mut host = host(&images, &records);
        host.needed = needed.into_iter().map(name).collect();
        host.in_use = in_use.into_iter().map(id).collect();
        let config = CleanupConfig { untracked, ..CleanupConfig::default() };

        let plan = select(&config, mode, &host);
        prop_assert_eq!(plan.remove.len() + plan.keep.len(), host.images.len());
        for removal in &plan.remove {
            prop_assert!(!host.in_use.contains(&removal.image_id));
            for name in &removal.names {
                prop_assert!(!host.needed.contains(&canonical(name)));
            }
            let pulled = host.records.values()
                .any(|r| r.image_id == removal.image_id && r.pulled_at.is_some());
            prop_assert!(untracked || pulled);
        }
        for forgotten in &plan.forget {
            prop_assert!(!host.needed.contains(forgotten));
        }
    }
}
