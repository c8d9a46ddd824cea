//! Docker Engine restarted and killed under load. It is one of the test's own: the machine's is never touched.
#![cfg(feature = "e2e")]

use berth::boundary::ContainerRuntime;
use berth::domain::definition::NetworkMode;
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;
use berth::domain::task::TaskOptions;
use nix::sys::signal::Signal;

use crate::support::dockerd::Dockerd;
use crate::support::rig::{Rig, Setup, with_setup};
use crate::support::view::{SERVE, exit_code, is};

/// Tasks that run while Docker goes.
const TASKS: usize = 5;

async fn with_dockerd(live_restore: bool, test: impl AsyncFnOnce(&mut Rig, &mut Dockerd)) {
    let Some(mut dockerd) = Dockerd::start(live_restore).await else {
        return;
    };
    let setup = Setup {
        docker: Some(dockerd.endpoint()),
        ..Setup::default()
    };
    let work = with_setup(setup, async |rig| test(rig, &mut dockerd).await);
    let done = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(work)).await;
    dockerd.end().await;
    if let Err(failure) = done {
        std::panic::resume_unwind(failure);
    }
}

async fn put(rig: &mut Rig, command: &str) -> TaskArn {
    let mut definition = Rig::definition(vec![rig.shell("app", command)]);
    definition.network_mode = NetworkMode::None;
    let options = TaskOptions::default();
    rig.put_definition(definition, options).await
}

async fn serve(rig: &mut Rig) -> Vec<TaskArn> {
    let mut arns = Vec::new();
    for _ in 0..TASKS {
        arns.push(put(rig, SERVE).await);
    }
    for arn in &arns {
        rig.until_task(arn, "runs", is(TaskStatus::Running)).await;
    }
    arns
}

/// Process ids of the tasks' containers.
async fn pids(rig: &Rig, arns: &[TaskArn]) -> Vec<Option<u32>> {
    let mut pids = Vec::new();
    for arn in arns {
        let id = rig.docker_id(arn, "app");
        let found = rig.docker.inspect(id.as_str()).await.expect("inspect");
        pids.push(found.expect("there").pid);
    }
    pids
}

/// A list that began after Docker came back.
async fn until_listed_again(rig: &Rig) {
    let before = rig.handle.snapshot().engine.relisted_at;
    rig.until("lists twice", |snapshot| {
        snapshot.engine.relisted_at > before && snapshot.engine.runtime_error.is_none()
    })
    .await;
}

#[tokio::test]
async fn live_restore_keeps_every_container_through_kills_and_restarts() {
    with_dockerd(true, async |rig, dockerd| {
        let stay = serve(rig).await;
        let before = pids(rig, &stay).await;
        for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL] {
            // Load: something is being started whenever Docker goes.
            let late = put(rig, "exit 4").await;
            dockerd.restart(signal).await;
            until_listed_again(rig).await;
            let view = rig.until_task(&late, "ends", is(TaskStatus::Stopped)).await;
            assert_eq!(exit_code(&view, "app"), Some(4), "{signal}");
        }
        assert_eq!(pids(rig, &stay).await, before);
        for arn in &stay {
            let view = rig.until_task(arn, "is known", |_| true).await;
            assert_eq!(view.task.known.status, TaskStatus::Running);
        }
        rig.assert_one_live_each(&stay).await;
    })
    .await;
}

#[tokio::test]
async fn without_live_restore_the_ends_are_found_with_their_codes() {
    with_dockerd(false, async |rig, dockerd| {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let arns = serve(rig).await;
            dockerd.restart(signal).await;
            for arn in &arns {
                let view = rig.until_task(arn, "stops", is(TaskStatus::Stopped)).await;
                let id = rig.docker_id(arn, "app");
                let found = rig.docker.inspect(id.as_str()).await.expect("inspect");
                let exit = found.expect("kept").exit.expect("an exit");
                assert_eq!(exit_code(&view, "app"), exit.code, "{signal}");
            }
            rig.assert_one_live_each(&[]).await;
            let again = serve(rig).await;
            rig.assert_one_live_each(&again).await;
            for arn in &again {
                rig.stop(arn).await;
            }
            for arn in &again {
                rig.until_task(arn, "stops", is(TaskStatus::Stopped)).await;
            }
        }
    })
    .await;
}
