//! A real Docker Engine, with an instance label that is this test's alone.
#![cfg(feature = "e2e")]

use berth::boundary::ContainerRuntime;
use berth::docker::{Docker, DockerConfig};

/// The platform's Docker for a fresh instance; `None`, said on standard error, where it does not answer.
pub(crate) async fn docker() -> Option<(Docker, String)> {
    let instance = format!("it-{:016x}", rand::random::<u64>());
    let docker = Docker::new(DockerConfig::new(instance.clone())).expect("the default endpoint");
    match docker.info().await {
        Ok(_) => Some((docker, instance)),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Removes what a test of that instance left, and what it made in the name of `<instance>-other`. Containers are
/// found by label, so nothing of anybody else is touched.
pub(crate) async fn clean_up(instance: &str) {
    for instance in [instance.to_owned(), format!("{instance}-other")] {
        let docker = Docker::new(DockerConfig::new(instance)).expect("the default endpoint");
        for entry in docker.list().await.unwrap_or_default() {
            docker.remove(entry.id.as_str()).await.ok();
        }
    }
}
