//! Pulls from a real registry on loopback, and from registries that refuse, break or say nothing.
#![cfg(feature = "e2e")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use berth::boundary::{ContainerRuntime, ImageRuntime};
use berth::domain::definition::ContainerDefinition;
use berth::domain::image::ImageRef;
use berth::domain::status::TaskStatus;
use berth::domain::task::Step;
use berth::images::ImagesConfig;
use berth::reconcile::settings::PullBehavior;
use berth::reconcile::snapshot::TaskView;
use serde_json::json;

use crate::support::registry::{Pretender, Registry, Say};
use crate::support::rig::{Rig, Setup, with_setup};
use crate::support::view::{SERVE, cause, is, known};

/// Far from the minutes of tries that follow a word which is not final, also on a busy machine; the promise is 5 s.
const FINAL_WORD: Duration = Duration::from_secs(30);

fn pulling(behavior: PullBehavior) -> Setup {
    Setup {
        images: ImagesConfig {
            behavior,
            ..ImagesConfig::default()
        },
        ..Setup::default()
    }
}

async fn with_registry(behavior: PullBehavior, test: impl AsyncFnOnce(&mut Rig, &Registry)) {
    let Some(registry) = Registry::start().await else {
        return;
    };
    with_setup(pulling(behavior), async |rig| {
        test(rig, &registry).await;
        forget(rig, &registry.address).await;
    })
    .await;
}

/// Removes the images of a registry that is about to go.
async fn forget(rig: &Rig, address: &str) {
    for listed in rig.docker.list().await.expect("a list") {
        rig.docker.remove(listed.id.as_str()).await.expect("gone");
    }
    for image in rig.docker.list_images().await.expect("a list") {
        for tag in image.tags.iter().filter(|tag| tag.starts_with(address)) {
            rig.docker.remove_image(tag).await.ok();
        }
    }
}

fn container(rig: &Rig, image: &str) -> ContainerDefinition {
    ContainerDefinition {
        image: ImageRef::parse(image).expect("a reference"),
        ..rig.shell("app", SERVE)
    }
}

fn failures(view: &TaskView) -> u32 {
    let containers = view.task.known.containers.values();
    containers
        .filter_map(|one| one.retry.as_ref())
        .filter(|retry| retry.step == Step::Pull)
        .map(|retry| retry.failures)
        .sum()
}

/// Words of the registry's refusal, wherever they are kept.
fn words(view: &TaskView) -> String {
    let reason = known(view, "app").reason.as_ref();
    format!(
        "{} {}",
        cause(view),
        reason.map(ToString::to_string).unwrap_or_default()
    )
}

#[tokio::test]
async fn two_tasks_share_one_pull_and_know_its_digest() {
    with_registry(PullBehavior::Default, async |rig, registry| {
        let reference = registry.push(rig, "web:1").await;
        let pushed = registry.requests().len();
        let (first, second) = (
            rig.put(vec![container(rig, &reference)]).await,
            rig.put(vec![container(rig, &reference)]).await,
        );
        let mut digests = BTreeSet::new();
        for arn in [&first, &second] {
            let view = rig.until_task(arn, "runs", is(TaskStatus::Running)).await;
            digests.insert(known(&view, "app").image_digest.clone().expect("a digest"));
        }
        assert_eq!(digests.len(), 1);
        let digest = digests.pop_first().expect("a digest");
        assert!(digest.starts_with("sha256:"), "{digest}");
        let requests = registry.requests().split_off(pushed);
        let layers = requests
            .iter()
            .filter(|line| line.contains("GET /v2/web/blobs/"));
        assert!(
            layers.count() <= 2,
            "a configuration and a layer: {requests:#?}"
        );
    })
    .await;
}

#[tokio::test]
async fn pull_behaviours_ask_the_registry_as_often_as_they_say() {
    for (behavior, expected) in [
        (PullBehavior::Default, true),
        (PullBehavior::Always, true),
        (PullBehavior::Once, false),
        (PullBehavior::PreferCached, false),
    ] {
        with_registry(behavior, async |rig, registry| {
            let reference = registry.push(rig, "web:1").await;
            let arn = rig.put(vec![container(rig, &reference)]).await;
            rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
            let before = registry.requests().len();
            let arn = rig.put(vec![container(rig, &reference)]).await;
            rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
            let asked = registry.requests().len() > before;
            assert_eq!(asked, expected, "{behavior:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_image_that_is_not_there_fails_the_task_at_once() {
    with_registry(PullBehavior::Default, async |rig, registry| {
        let reference = format!("{}/web:missing", registry.address);
        let began = Instant::now();
        let arn = rig.put(vec![container(rig, &reference)]).await;
        let view = rig.until_task(&arn, "fails", is(TaskStatus::Stopped)).await;
        assert!(began.elapsed() < FINAL_WORD, "{:?}", began.elapsed());
        assert!(
            words(&view).contains("manifest unknown"),
            "{}",
            words(&view)
        );
    })
    .await;
}

#[tokio::test]
async fn progress_of_a_pull_is_shown() {
    with_registry(PullBehavior::Default, async |rig, registry| {
        // Incompressible, so that it takes Docker a while.
        let bytes: Vec<u8> = (0..48 << 20).map(|_| rand::random()).collect();
        let big = format!("{}-big", rig.image);
        let archive = crate::support::images::archive_with(&big, &bytes);
        rig.docker.load_image(archive).await.expect("load");
        let small = std::mem::replace(&mut rig.image, big.clone());
        let reference = registry.push(rig, "big:1").await;
        rig.image = small;
        rig.docker.remove_image(&big).await.expect("remove");
        let arn = rig.put(vec![container(rig, &reference)]).await;
        rig.until_task(&arn, "shows bytes", |view| {
            view.in_flight.iter().any(|flight| {
                let shown = flight
                    .progress
                    .map_or(0, |progress| progress.downloaded_bytes);
                flight.step == Step::Pull && shown > 0
            })
        })
        .await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
    })
    .await;
}

#[tokio::test]
async fn an_index_for_other_hosts_is_refused_before_anything_is_pulled() {
    let entry = json!({
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "size": 7143,
        "digest": format!("sha256:{}", "ab".repeat(32)),
        "platform": { "architecture": "s390x", "os": "linux" },
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [entry],
    });
    let registry = Pretender::start(Say::Index(index.to_string())).await;
    with_setup(pulling(PullBehavior::Default), async |rig| {
        let reference = format!("{}/web:1", registry.address);
        let began = Instant::now();
        let arn = rig.put(vec![container(rig, &reference)]).await;
        let view = rig.until_task(&arn, "fails", is(TaskStatus::Stopped)).await;
        assert!(began.elapsed() < FINAL_WORD, "{:?}", began.elapsed());
        assert!(words(&view).contains("s390x"), "{}", words(&view));
        assert_eq!(view.task.known.pull_started_at, None);
    })
    .await;
}

#[tokio::test]
async fn refusals_are_final_and_trouble_is_waited_out() {
    let denied = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access is denied\"}]}";
    let slow = "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"too many requests\"}]}";
    let basic = "WWW-Authenticate: Basic realm=\"test\"\r\nContent-Type: application/json\r\n";
    let json = "Content-Type: application/json\r\n";
    for (say, is_final) in [
        (Say::Status("401 Unauthorized", basic, denied), true),
        (Say::Status("403 Forbidden", json, denied), true),
        (Say::Status("429 Too Many Requests", json, slow), false),
        (Say::Status("500 Internal Server Error", json, "{}"), false),
        (Say::Status("503 Service Unavailable", json, "{}"), false),
    ] {
        let registry = Pretender::start(say.clone()).await;
        with_setup(pulling(PullBehavior::Default), async |rig| {
            let reference = format!("{}/web:1", registry.address);
            let arn = rig.put(vec![container(rig, &reference)]).await;
            let what = format!("{say:?}");
            let view = rig
                .until_task(&arn, &what, |view| {
                    view.task.known.status == TaskStatus::Stopped || failures(view) >= 2
                })
                .await;
            let ended = view.task.known.status == TaskStatus::Stopped;
            assert_eq!(ended, is_final, "{what}: {}", words(&view));
        })
        .await;
    }
}

#[tokio::test]
async fn a_registry_that_says_nothing_is_given_up_and_holds_up_nothing_else() {
    let registry = Pretender::start(Say::Nothing).await;
    let mut setup = pulling(PullBehavior::Default);
    setup.images.manifest = Duration::from_secs(1);
    setup.images.begin = Duration::from_secs(2);
    with_setup(setup, async |rig| {
        let Some(real) = Registry::start().await else {
            return;
        };
        let works = real.push(rig, "web:1").await;
        let mut hung = Vec::new();
        for index in 0..4 {
            let reference = format!("{}/web:{index}", registry.address);
            hung.push(rig.put(vec![container(rig, &reference)]).await);
        }
        let good = rig.put(vec![container(rig, &works)]).await;
        rig.until_task(&good, "runs", is(TaskStatus::Running)).await;
        let view = rig
            .until_task(&hung[0], "backs off", |view| failures(view) >= 1)
            .await;
        let known = known(&view, "app");
        let why = &known.retry.as_ref().expect("a retry").reason;
        assert!(why.to_string().contains("pullBegin"), "{why}");
        for arn in &hung {
            rig.remove(arn).await;
        }
        rig.until("they go", |snapshot| snapshot.tasks.len() == 1)
            .await;
        forget(rig, &real.address).await;
    })
    .await;
}
