//! A real Docker Engine, with an instance label that is this test's alone.
#![cfg(feature = "e2e")]

use std::time::Duration;

use berth::boundary::{ContainerRuntime, ErrorKind};
use berth::docker::{Docker, DockerConfig};

/// How often an engine is asked that is there and does not answer in time: each question has 10 s.
const TRIES: usize = 30;

/// The platform's Docker for a fresh instance; `None`, said on standard error, where it does not answer.
pub(crate) async fn docker() -> Option<(Docker, String)> {
    docker_at(None).await
}

/// Like [`docker`], at that endpoint.
pub(crate) async fn docker_at(endpoint: Option<String>) -> Option<(Docker, String)> {
    let instance = format!("it-{:016x}", rand::random::<u64>());
    let docker = adapter(endpoint, instance.clone());
    for left in (0..TRIES).rev() {
        let Err(error) = docker.info().await else {
            return Some((docker, instance));
        };
        // One that writes gigabytes of images to a slow disk is slow, not away.
        let is_slow = matches!(
            error.kind,
            ErrorKind::DeadlineExceeded | ErrorKind::Transient
        );
        if !is_slow || left == 0 {
            berth::testing::skip::skipped(error);
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}

/// Removes what a test of that instance left, and what it made in the name of `<instance>-other`. Containers are
/// found by label, so nothing of anybody else is touched.
pub(crate) async fn clean_up(instance: &str) {
    clean_up_at(None, instance).await;
}

/// Like [`clean_up`], at that endpoint.
pub(crate) async fn clean_up_at(endpoint: Option<String>, instance: &str) {
    for instance in [instance.to_owned(), format!("{instance}-other")] {
        let docker = adapter(endpoint.clone(), instance);
        for entry in docker.list().await.unwrap_or_default() {
            docker.remove(entry.id.as_str()).await.ok();
        }
    }
}

fn adapter(endpoint: Option<String>, instance: String) -> Docker {
    let config = DockerConfig {
        endpoint,
        ..DockerConfig::new(instance)
    };
    Docker::new(config).expect("an endpoint")
}
