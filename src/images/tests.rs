//! The service against the fake registry, in paused time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fake::{Fake, Script};
use super::plan::cleanup::{KeepReason, Mode};
use super::*;
use crate::boundary::host::DiskSpace;
use crate::boundary::images::OwnFiles;
use crate::boundary::store::ImageRecord;
use crate::boundary::{ErrorKind, ImageInventory as _, ImageSource as _};
use crate::domain::ids::UnixMillis;
use crate::domain::image::{ImageRef, PullBehavior};
use crate::domain::reason::ReasonName;
use crate::domain::registry::{EcrAccess, RegistryAccess, RegistryLogin};
use crate::domain::runtime::{ImagePlatform, RemoteManifest};
use crate::testing::clock::SeededIds;

pub(super) const HOUR: i64 = 3_600_000;

/// A service that runs until this is dropped.
pub(super) struct Bench {
    pub(super) fake: Fake,
    pub(super) images: ImagesHandle,
    _running: tokio::task::JoinSet<()>,
    _stop: DropGuard,
}

fn bench_with(config: ImagesConfig, known: Vec<ImageRecord>) -> Bench {
    let fake = Fake::default();
    fake.model().architecture = "amd64".to_owned();
    fake.model().now = 100 * HOUR;
    let (service, images) = service(
        config,
        Outside {
            runtime: Arc::new(fake.clone()),
            host: Arc::new(fake.clone()),
            tokens: Arc::new(fake.clone()),
            secrets: Arc::new(fake.clone()),
            logins: vec![login("set.example", "set")],
            clock: Arc::new(fake.clone()),
            ids: Arc::new(SeededIds::new(1)),
            own_files: Arc::new(|_| OwnFiles {
                bytes: 5,
                same_disk: true,
            }),
            known,
        },
    );
    images.set_host(HostPlatform::linux("x86_64"), "/images");
    let stop = CancellationToken::new();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(service.run(stop.clone()));
    Bench {
        fake,
        images,
        _running: running,
        _stop: stop.drop_guard(),
    }
}

pub(super) fn bench(behavior: PullBehavior) -> Bench {
    let config = ImagesConfig {
        behavior,
        ..ImagesConfig::default()
    };
    bench_with(config, Vec::new())
}

impl Bench {
    pub(super) async fn ensure(&self, name: &str) -> Result<ReadyImage, ImageError> {
        self.images
            .ensure(
                &ImageRef::parse(name).unwrap(),
                &RegistryAccess::Operator,
                true,
            )
            .await
    }

    pub(super) async fn ensure_as(
        &self,
        name: &str,
        access: &EcrAccess,
    ) -> Result<ReadyImage, ImageError> {
        let image = ImageRef::parse(name).unwrap();
        let access = RegistryAccess::Ecr(access.clone());
        self.images.ensure(&image, &access, true).await
    }

    fn script(&self, name: &str, script: Script) {
        let scripts = &mut self.fake.model().scripts;
        scripts
            .entry(name.to_owned())
            .or_default()
            .push_back(script);
    }

    fn manifest(&self, name: &str, answer: Result<(&str, &str), ErrorKind>) {
        let answer = answer.map(|(digest, architecture)| RemoteManifest {
            digest: digest.to_owned(),
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            platforms: vec![ImagePlatform {
                os: "linux".to_owned(),
                architecture: architecture.to_owned(),
                os_version: None,
            }],
        });
        self.fake.model().manifests.insert(name.to_owned(), answer);
    }
}

fn login(server: &str, password: &str) -> RegistryLogin {
    RegistryLogin {
        server: server.to_owned(),
        username: "AWS".to_owned(),
        password: password.to_owned().into(),
    }
}

fn record(name: &str, id: &str) -> ImageRecord {
    ImageRecord {
        reference: name.to_owned(),
        image_id: id.to_owned(),
        pulled_at: Some(UnixMillis(HOUR)),
        last_used_at: UnixMillis(HOUR),
        size_bytes: 100,
    }
}

#[tokio::test(start_paused = true)]
async fn callers_of_one_image_share_one_pull() {
    let bench = bench(PullBehavior::Default);
    bench.script("web:1", Script::steady(10, 5));
    let all = join_all((0..50).map(|_| bench.ensure("web:1"))).await;
    let ids: BTreeSet<String> = all
        .into_iter()
        .map(|ready| ready.unwrap().image_id)
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(bench.fake.calls("pull"), ["web:1"]);
    assert!(bench.images.progress().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_nobody_waits_for_is_cancelled() {
    let bench = bench(PullBehavior::Default);
    bench.script("web:1", Script::steady(1000, 5));
    let first = bench.ensure("web:1");
    let second = timeout(Duration::from_secs(3), bench.ensure("web:1"));
    let (first, second) = tokio::join!(timeout(Duration::from_secs(6), first), second);
    assert!(first.is_err() && second.is_err());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.fake.model().pulling, 0);
    assert_eq!(
        bench.fake.calls("pull").len(),
        1,
        "one waiter kept it alive"
    );
    assert_eq!(bench.images.progress().len(), 0);
    assert!(
        bench.ensure("web:1").await.unwrap().pulled,
        "a later call begins anew"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cached_image_costs_one_inspect_and_no_network() {
    for (behavior, known) in [
        (PullBehavior::PreferCached, Vec::new()),
        (PullBehavior::Once, vec![record("web:1", "sha256:here")]),
    ] {
        let config = ImagesConfig {
            behavior,
            ..ImagesConfig::default()
        };
        let bench = bench_with(config, known);
        bench.fake.model().put("web:1", "sha256:here");
        let ready = bench.ensure("web:1").await.unwrap();
        assert_eq!((ready.pulled, ready.started_at), (false, None));
        assert_eq!(bench.fake.model().calls, ["inspect web:1"], "{behavior:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_image_costs_one_look_and_a_later_task_looks_again() {
    let known = vec![record("web:1", "sha256:here")];
    let config = ImagesConfig {
        behavior: PullBehavior::Once,
        ..ImagesConfig::default()
    };
    let bench = bench_with(config, known);
    bench.fake.model().put("web:1", "sha256:here");
    for _ in 0..50 {
        bench.ensure("web:1").await.unwrap();
    }
    assert_eq!(bench.fake.model().calls, ["inspect web:1"]);
    tokio::time::advance(Duration::from_secs(2)).await;
    bench.ensure("web:1").await.unwrap();
    assert_eq!(bench.fake.calls("inspect").len(), 2);
    // What a sweep takes away is not taken for there. The wall clock alone goes on: the look is still young.
    bench.fake.model().now += 1000 * HOUR;
    bench.fake.model().disk = Some(DiskSpace {
        free_bytes: 50,
        total_bytes: 100,
    });
    bench.images.sweep().await;
    assert_eq!(bench.fake.calls("remove"), ["web:1"]);
    bench.fake.model().calls.clear();
    let ready = bench.ensure("web:1").await;
    assert!(
        ready.is_ok_and(|ready| ready.pulled),
        "pulled, since it is gone"
    );
}

#[tokio::test(start_paused = true)]
async fn once_pulls_what_it_does_not_remember() {
    let bench = bench(PullBehavior::Once);
    bench.fake.model().put("web:1", "sha256:strange");
    assert!(bench.ensure("web:1").await.unwrap().pulled);
    assert!(!bench.ensure("web:1").await.unwrap().pulled);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_registry_is_final_and_quick_however_many_wait() {
    let config = ImagesConfig {
        behavior: PullBehavior::Always,
        max_parallel: 1,
        ..ImagesConfig::default()
    };
    let bench = bench_with(config, Vec::new());
    bench.script("slow:1", Script::steady(600, 5));
    bench.manifest("unknown:1", Err(ErrorKind::NotFound));
    bench.manifest("secret:1", Err(ErrorKind::Denied));
    bench.manifest("other:1", Ok(("sha256:d", "arm64")));
    bench.script("late:1", Script::fails(ErrorKind::NotFound));
    let begun = Instant::now();
    let refusals = async {
        for (name, kind, reason) in [
            (
                "unknown:1",
                ErrorKind::NotFound,
                ReasonName::CannotPullImageManifestError,
            ),
            (
                "secret:1",
                ErrorKind::Denied,
                ReasonName::CannotPullImageManifestError,
            ),
            (
                "other:1",
                ErrorKind::Invalid,
                ReasonName::CannotPullContainerError,
            ),
        ] {
            let error = bench.ensure(name).await.unwrap_err();
            assert_eq!(
                (error.permanent, error.kind, error.reason.name),
                (true, kind, reason)
            );
        }
        begun.elapsed()
    };
    let (slow, quick) = tokio::join!(bench.ensure("slow:1"), refusals);
    assert!(slow.is_ok() && quick < Duration::from_secs(5), "{quick:?}");
    let late = bench.ensure("late:1").await.unwrap_err();
    assert!(late.permanent);
    assert_eq!(
        bench.fake.calls("pull"),
        ["slow:1", "late:1"],
        "one try each"
    );
}

#[tokio::test(start_paused = true)]
async fn an_odd_answer_about_the_manifest_does_not_block_the_pull() {
    for kind in [
        ErrorKind::Invalid,
        ErrorKind::Transient,
        ErrorKind::Throttled,
    ] {
        let bench = bench(PullBehavior::Always);
        bench.manifest("web:1", Err(kind));
        let ready = bench.ensure("web:1").await.unwrap();
        assert_eq!((ready.pulled, ready.digest), (true, None), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_digest_is_the_registrys_and_a_pin_is_not_asked_for() {
    let bench = bench(PullBehavior::Always);
    bench.manifest("web:1", Ok(("sha256:d", "amd64")));
    let ready = bench.ensure("web:1").await.unwrap();
    assert_eq!(ready.digest.as_deref(), Some("sha256:d"));
    assert_eq!(ready.record.pulled_at, ready.stopped_at);

    let pin = format!("web@sha256:{}", "c".repeat(64));
    let pinned = bench.ensure(&pin).await.unwrap();
    assert_eq!(pinned.digest.as_deref(), pin.strip_prefix("web@"));
    assert_eq!(bench.fake.calls("manifest"), ["web:1"]);
}

/// There the layers are large, and a later Windows does not help an image that is for an earlier one.
#[tokio::test(start_paused = true)]
async fn on_windows_a_pin_for_another_windows_is_refused_before_its_layers() {
    let bench = bench(PullBehavior::Always);
    bench.images.set_host(windows_2022(), "/images");
    let offers = |version: &str| RemoteManifest {
        digest: "sha256:d".to_owned(),
        media_type: "application/vnd.docker.distribution.manifest.v2+json".to_owned(),
        platforms: vec![ImagePlatform {
            os: "windows".to_owned(),
            architecture: "amd64".to_owned(),
            os_version: Some(version.to_owned()),
        }],
    };
    let pin = |letter: &str| format!("web@sha256:{}", letter.repeat(64));
    for (name, answer) in [
        (pin("a"), Ok(offers("10.0.26100.1"))),
        (pin("b"), Ok(offers("10.0.20348.1906"))),
        // It cannot be asked: the pull tells.
        (pin("c"), Err(ErrorKind::Unavailable)),
    ] {
        bench.fake.model().manifests.insert(name, answer);
    }
    let error = bench.ensure(&pin("a")).await.unwrap_err();
    assert_eq!((error.permanent, error.kind), (true, ErrorKind::Invalid));
    assert!(
        error
            .reason
            .message
            .ends_with("the image is for Windows 10.0.26100.1, this host runs Windows 10.0.20348"),
        "{error:?}"
    );
    for letter in ["b", "c"] {
        // What the fake pulls is for Linux, which is seen after it.
        let error = bench.ensure(&pin(letter)).await.unwrap_err();
        assert!(error.reason.message.contains("linux/amd64"), "{error:?}");
    }
    assert_eq!(bench.fake.calls("pull"), [pin("b"), pin("c")]);
}

fn windows_2022() -> HostPlatform {
    HostPlatform {
        os: "windows".to_owned(),
        architecture: "amd64".to_owned(),
        os_version: Some("10.0.20348".to_owned()),
        shares_kernel: true,
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_default_behaviour_falls_back_to_the_host() {
    for (behavior, falls_back) in [
        (PullBehavior::Default, true),
        (PullBehavior::Always, false),
        (PullBehavior::Once, false),
    ] {
        let bench = bench(behavior);
        bench.fake.model().put("web:1", "sha256:here");
        bench.script("web:1", Script::fails(ErrorKind::Unavailable));
        let result = bench.ensure("web:1").await;
        assert_eq!(result.is_ok(), falls_back, "{behavior:?}");
        match result {
            Ok(ready) => {
                assert_eq!(
                    ready.warning.as_deref(),
                    Some(
                        "pull failed, using the image on the host: \
                         CannotPullContainerError: pull refused"
                    )
                );
                assert_eq!((ready.pulled, ready.record.pulled_at), (false, None));
            }
            Err(error) => assert!(!error.permanent),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_pull_without_an_image_on_the_host_is_the_pulls_error() {
    let bench = bench(PullBehavior::Default);
    bench.script("web:1", Script::fails(ErrorKind::Unavailable));
    let error = bench.ensure("web:1").await.unwrap_err();
    assert_eq!(
        (error.permanent, error.kind),
        (false, ErrorKind::Unavailable)
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_for_another_host_is_refused_after_its_pull_too() {
    let bench = bench(PullBehavior::Default);
    bench.fake.model().architecture = "arm64".to_owned();
    let error = bench.ensure("web:1").await.unwrap_err();
    assert!(error.permanent);
    assert_eq!(
        error.reason.message,
        "web:1: the image is for linux/arm64, this host runs linux/amd64"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_says_nothing_new_ends_but_a_slow_one_does_not() {
    let bench = bench(PullBehavior::Always);
    bench.script("stuck:1", Script::stuck());
    bench.script("slow:1", Script::steady(600, 1));
    let begun = Instant::now();
    let error = bench.ensure("stuck:1").await.unwrap_err();
    // A minute from its first message on.
    assert_eq!(begun.elapsed().as_secs(), 61);
    assert_eq!(
        (error.permanent, error.kind),
        (false, ErrorKind::DeadlineExceeded)
    );
    assert_eq!(
        error.reason.message,
        "inactivity time exceeded timeout while pulling image"
    );
    assert!(bench.ensure("slow:1").await.unwrap().pulled);
}

/// As when the registry takes its time before Docker has anything to tell.
#[tokio::test(start_paused = true)]
async fn the_first_message_of_a_pull_may_take_five_minutes() {
    let bench = bench(PullBehavior::Always);
    bench.script("late:1", Script::late(Duration::from_secs(290)));
    assert!(bench.ensure("late:1").await.unwrap().pulled);
    bench.script("never:1", Script::late(Duration::from_hours(1)));
    let begun = Instant::now();
    let error = bench.ensure("never:1").await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 300);
    assert_eq!(
        (error.permanent, error.kind),
        (false, ErrorKind::DeadlineExceeded)
    );
    assert_eq!(
        error.reason.to_string(),
        "DockerTimeoutError: Could not transition to pullBegin; timed out after waiting 5m0s"
    );
}

#[tokio::test(start_paused = true)]
async fn unpacking_that_counts_seconds_is_progress() {
    let bench = bench(PullBehavior::Always);
    bench.script("large:1", Script::unpacks(300));
    assert!(bench.ensure("large:1").await.unwrap().pulled);
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_takes_too_long_ends() {
    let bench = bench(PullBehavior::Always);
    bench.script("web:1", Script::steady(3 * 3600, 1));
    let error = bench.ensure("web:1").await.unwrap_err();
    assert_eq!(error.reason.name, ReasonName::DockerTimeoutError);
}

#[tokio::test(start_paused = true)]
async fn pulls_are_bounded_and_show_their_place_in_the_queue() {
    let config = ImagesConfig {
        max_parallel: 2,
        ..ImagesConfig::default()
    };
    let bench = bench_with(config, Vec::new());
    let names: Vec<String> = (0..6).map(|n| format!("web{n}:1")).collect();
    for name in &names {
        bench.script(name, Script::steady(10, 5));
    }
    let watch = async {
        tokio::time::sleep(Duration::from_millis(4500)).await;
        bench.images.progress()
    };
    let (all, seen) = tokio::join!(join_all(names.iter().map(|name| bench.ensure(name))), watch);
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(bench.fake.model().most_pulling, 2);
    let mut positions = Vec::new();
    let mut rates = Vec::new();
    for view in seen.values() {
        match &view.state {
            PullState::Waiting { position } => positions.push(*position),
            PullState::Pulling { bytes_per_sec, .. } => rates.push(*bytes_per_sec),
            PullState::Checking | PullState::Resolving => {}
        }
    }
    positions.sort_unstable();
    assert_eq!((positions, rates), (vec![1, 2, 3, 4], vec![5, 5]));
}

#[tokio::test(start_paused = true)]
async fn a_silent_pull_does_not_hold_up_the_others() {
    let config = ImagesConfig {
        max_parallel: 1,
        ..ImagesConfig::default()
    };
    let bench = bench_with(config, Vec::new());
    bench.script("stuck:1", Script::stuck());
    let begun = Instant::now();
    let other = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let ready = bench.ensure("web:1").await;
        (ready, begun.elapsed())
    };
    let (stuck, (other, took)) = tokio::join!(bench.ensure("stuck:1"), other);
    assert!(stuck.is_err() && other.is_ok());
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_pause_image_is_made_and_never_pulled() {
    let bench = bench(PullBehavior::Always);
    for _ in 0..2 {
        let ready = bench.ensure(pause::PAUSE_IMAGE).await.unwrap();
        assert_eq!(
            (ready.image_id.as_str(), ready.pulled),
            ("sha256:pause", false)
        );
    }
    assert_eq!(bench.fake.calls("load").len(), 1);
    assert!(bench.ensure("berth/other:1").await.unwrap_err().permanent);
    assert_eq!(bench.fake.calls("pull"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_hears_that_the_service_stops() {
    let bench = bench(PullBehavior::Default);
    bench.script("web:1", Script::stuck());
    let Bench {
        images,
        _stop: stop,
        _running: mut running,
        ..
    } = bench;
    let image = ImageRef::parse("web:1").unwrap();
    let (result, ()) = tokio::join!(
        images.ensure(&image, &RegistryAccess::Operator, true),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(stop);
            running.join_next().await;
        }
    );
    assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
    assert_eq!(
        images
            .ensure(&image, &RegistryAccess::Operator, true)
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Cancelled
    );
}

#[tokio::test(start_paused = true)]
async fn a_sweep_keeps_what_is_needed_and_forgets_what_is_gone() {
    let known = ["old:1", "needed:1", "gone:1"]
        .map(|name| record(name, name))
        .to_vec();
    let bench = bench_with(ImagesConfig::default(), known);
    for name in ["old:1", "needed:1", "strange:1"] {
        bench.fake.model().put(name, name);
    }
    bench.images.set_needed(["needed:1".to_owned()].into());
    bench.fake.model().disk = Some(DiskSpace {
        free_bytes: 50,
        total_bytes: 100,
    });
    let report = bench.images.sweep().await;
    assert_eq!(report.mode, Mode::Age);
    assert_eq!(bench.fake.calls("remove"), ["old:1"]);
    let mut forgotten = report.forgotten.clone();
    forgotten.sort_unstable();
    assert_eq!(forgotten, ["gone:1", "old:1"]);
    let kept: Vec<_> = report
        .kept
        .iter()
        .map(|kept| (kept.name.as_str(), kept.reason))
        .collect();
    assert_eq!(
        kept,
        [
            ("needed:1", KeepReason::Needed),
            ("strange:1", KeepReason::NotOurs)
        ]
    );
    assert_eq!(
        bench.images.sweep().await.mode,
        Mode::Idle,
        "not time again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_keeps_no_image_longer_than_its_age() {
    // Pulled and used before the clock was set back by a hundred hours.
    let ahead = ImageRecord {
        pulled_at: Some(UnixMillis(200 * HOUR)),
        last_used_at: UnixMillis(200 * HOUR),
        ..record("web:1", "web:1")
    };
    let bench = bench_with(ImagesConfig::default(), vec![ahead]);
    bench.fake.model().put("web:1", "web:1");
    assert_eq!(bench.images.sweep().await.mode, Mode::Age);
    assert_eq!(
        bench.fake.calls("remove"),
        [""; 0],
        "its age counts from now on"
    );
    bench.fake.model().now += 2 * HOUR;
    assert_eq!(bench.images.sweep().await.mode, Mode::Age);
    assert_eq!(bench.fake.calls("remove"), ["web:1"]);
    // Back to before the last look.
    bench.fake.model().now -= 50 * HOUR;
    assert_eq!(bench.images.sweep().await.mode, Mode::Age);
    assert_eq!(bench.images.sweep().await.mode, Mode::Idle);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_swept_until_it_has_room() {
    let names = ["a:1", "b:1", "c:1", "d:1"];
    for (used, mode, paced) in [
        (90_usize, Mode::Pressure, true),
        (96, Mode::Emergency, false),
    ] {
        let bench = bench_with(
            ImagesConfig::default(),
            names.map(|name| record(name, name)).to_vec(),
        );
        for name in names {
            bench.fake.model().put(name, name);
        }
        bench.fake.model().freed_each = 8;
        bench.fake.model().disk = Some(DiskSpace {
            free_bytes: u64::try_from(100 - used).unwrap(),
            total_bytes: 100,
        });
        let begun = Instant::now();
        let report = bench.images.sweep().await;
        assert_eq!(report.mode, mode);
        let removals = (used - 75).div_ceil(8);
        assert_eq!(report.removed.len(), removals);
        assert_eq!(begun.elapsed() > Duration::ZERO, paced);
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_comes_into_use_while_the_sweep_runs_is_kept() {
    let known = ["a:1", "b:1"].map(|name| record(name, name)).to_vec();
    let bench = bench_with(ImagesConfig::default(), known);
    for name in ["a:1", "b:1"] {
        bench.fake.model().put(name, name);
    }
    let (report, ()) = tokio::join!(bench.images.sweep(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        bench.images.set_needed(["b:1".to_owned()].into());
    });
    assert_eq!(report.removed.len(), 1);
    assert_eq!(bench.fake.calls("remove"), ["a:1"]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_disk_is_said_and_age_still_counts() {
    let bench = bench_with(ImagesConfig::default(), Vec::new());
    let report = bench.images.sweep().await;
    assert_eq!(
        (report.mode, report.trouble.as_deref()),
        (Mode::Age, Some("stat /images: gone"))
    );
}

/// Looks again and again, in the test's own time, until the engine has been asked so often.
async fn asked(bench: &Bench, times: usize) {
    while bench.fake.calls("disk-use").len() < times {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_the_disk_is_asked_slowly_and_remembered() {
    let bench = bench(PullBehavior::Default);
    bench.fake.model().disk = Some(DiskSpace {
        free_bytes: 60,
        total_bytes: 100,
    });
    let stop = CancellationToken::new();
    let mut watching = tokio::task::JoinSet::new();
    watching.spawn(bench.images.clone().watch_disk(stop.clone()));
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(59)).await;
    let early = bench.images.inventory();
    assert_eq!(early.disk_use, None);
    assert_eq!(early.disk.map(|disk| disk.space.free_bytes), Some(60));
    asked(&bench, 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = bench.images.inventory().disk_use.expect("it has looked");
    assert_eq!(seen.engine.image_bytes, 7);
    assert_eq!(seen.own.map(|own| own.bytes), Some(5));
    assert_eq!(seen.space.free_bytes, 60);
    // A count of half a minute makes the next pause 50 minutes long.
    bench.fake.model().counting = Duration::from_secs(30);
    asked(&bench, 2).await;
    let second = began.elapsed();
    assert!(second >= Duration::from_mins(11), "{second:?}");
    asked(&bench, 3).await;
    let third = began.elapsed().saturating_sub(second);
    assert!(third >= Duration::from_mins(50), "{third:?}");
    stop.cancel();
    watching.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_be_looked_at_is_not_made_up_and_is_tried_again() {
    let bench = bench(PullBehavior::Default);
    let stop = CancellationToken::new();
    let mut watching = tokio::task::JoinSet::new();
    watching.spawn(bench.images.clone().watch_disk(stop.clone()));
    asked(&bench, 2).await;
    assert_eq!(bench.images.inventory().disk_use, None);
    stop.cancel();
    watching.join_all().await;
}
