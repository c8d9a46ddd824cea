//! The engine on real Docker: life, order, exits, and what happens behind its back.
#![cfg(feature = "e2e")]

use std::time::Duration;

use berth::boundary::ContainerRuntime;
use berth::domain::definition::HealthCheck;
use berth::domain::depends_on::{Condition, Dependency};
use berth::domain::status::{ContainerStatus, TaskStatus};

use crate::support::rig::with_engine;
use crate::support::view::{SERVE, exit_code, is, name};

#[tokio::test]
async fn a_task_runs_stops_and_leaves_nothing() {
    with_engine(async |rig| {
        let arn = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        rig.stop(&arn).await;
        let view = rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
        assert_eq!(exit_code(&view, "app"), Some(0));
        rig.remove(&arn).await;
        rig.until("goes", |snapshot| snapshot.tasks.is_empty())
            .await;
        assert!(rig.docker.list().await.expect("a list").is_empty());
    })
    .await;
}

#[tokio::test]
async fn containers_start_in_the_order_they_depend_on_each_other() {
    with_engine(async |rig| {
        let mut init = rig.shell("init", "exit 0");
        init.essential = false;
        let mut web = rig.shell("web", SERVE);
        web.depends_on = vec![Dependency {
            container: name("init"),
            condition: Condition::Success,
        }];
        web.health_check = Some(HealthCheck {
            command: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            retries: 3,
            start_period: Duration::ZERO,
        });
        let mut sidecar = rig.shell("sidecar", SERVE);
        sidecar.depends_on = vec![Dependency {
            container: name("web"),
            condition: Condition::Healthy,
        }];
        let arn = rig.put(vec![sidecar, web, init]).await;
        let view = rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        let known = &view.task.known.containers;
        assert_eq!(known[&name("init")].status, ContainerStatus::Stopped);
        let began = |container: &str| known[&name(container)].started_at.expect("a start");
        assert!(began("init") <= began("web") && began("web") < began("sidecar"));
    })
    .await;
}

#[tokio::test]
async fn an_essential_exit_stops_the_rest_and_keeps_its_code() {
    with_engine(async |rig| {
        let arn = rig
            .put(vec![rig.shell("app", "exit 3"), rig.shell("side", SERVE)])
            .await;
        let view = rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
        assert_eq!(exit_code(&view, "app"), Some(3));
        let cause = view
            .task
            .known
            .stop
            .as_ref()
            .expect("a cause")
            .reason
            .to_string();
        assert_eq!(
            cause,
            "EssentialContainerExited: essential container app exited with code 3"
        );
    })
    .await;
}

#[tokio::test]
async fn a_restart_of_the_engine_leaves_containers_alone_and_finds_exits_of_the_meantime() {
    with_engine(async |rig| {
        let stays = rig.put(vec![rig.shell("app", SERVE)]).await;
        let ends = rig.put(vec![rig.shell("app", "sleep 8; exit 7")]).await;
        rig.until_task(&stays, "runs", is(TaskStatus::Running))
            .await;
        rig.until_task(&ends, "runs", is(TaskStatus::Running)).await;
        let before = rig.docker_id(&stays, "app");
        let pid = rig
            .docker
            .inspect(before.as_str())
            .await
            .expect("inspect")
            .expect("there")
            .pid;
        rig.crash().await;
        let gone = async {
            loop {
                let all = rig.docker.list().await.expect("a list");
                if all
                    .iter()
                    .any(|one| one.task == ends && !one.state.may_live())
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone)
            .await
            .expect("it ends");
        rig.restart();
        let view = rig
            .until_task(&ends, "is found", is(TaskStatus::Stopped))
            .await;
        assert_eq!(exit_code(&view, "app"), Some(7));
        rig.until_task(&stays, "still runs", is(TaskStatus::Running))
            .await;
        let after = rig
            .docker
            .inspect(before.as_str())
            .await
            .expect("inspect")
            .expect("there")
            .pid;
        assert_eq!(pid, after);
        let told = rig.store.all_events();
        let ends_told = told
            .iter()
            .filter(|e| e.event.arn == ends && e.event.kind == "Stopped")
            .count();
        assert_eq!(ends_told, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_removed_behind_its_back_is_noticed() {
    with_engine(async |rig| {
        let arn = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        let id = rig.docker_id(&arn, "app");
        rig.docker.remove(id.as_str()).await.expect("a removal");
        let view = rig
            .until_task(&arn, "is noticed", is(TaskStatus::Stopped))
            .await;
        assert!(view.task.known.containers[&name("app")].exit.is_some());
    })
    .await;
}
