//! What people and other programs do to containers behind the engine's back, on real Docker.
#![cfg(feature = "e2e")]

use berth::boundary::{ContainerRuntime, ImageRuntime};
use berth::domain::definition::RestartPolicy;
use berth::domain::status::{ContainerStatus, TaskStatus};
use std::time::Duration;

use crate::support::proxy::{Proxy, Rules};
use crate::support::rig::{Rig, Setup, with_engine, with_setup};
use crate::support::view::{SERVE, eventually, exit_code, is, known};

/// Events of that kind that the engine has told.
fn told(rig: &Rig, kind: &str) -> usize {
    let all = rig.store.all_events();
    all.iter().filter(|told| told.event.kind == kind).count()
}

#[tokio::test]
async fn a_container_removed_by_force_ends_its_task() {
    with_engine(async |rig| {
        let arn = rig
            .put(vec![rig.shell("app", SERVE), rig.shell("side", SERVE)])
            .await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        let id = rig.docker_id(&arn, "app");
        let answer = rig
            .meddle("DELETE", &format!("/containers/{id}?force=1"))
            .await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let view = rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
        // `rm -f` kills first, and the event of that end has the code, whether or not a look still finds the container.
        assert_eq!(exit_code(&view, "app"), Some(137));
        assert_eq!(exit_code(&view, "side"), Some(0));
        assert_eq!(told(rig, "Stopped"), 2, "one end for each container");
        // Docker's list is a moment behind its events.
        eventually("nothing lives", async || {
            let listed = rig.docker.list().await.expect("a list");
            listed.iter().all(|one| !one.state.may_live()).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_and_a_kill_by_somebody_else_are_ends_with_their_codes() {
    with_engine(async |rig| {
        for (how, code) in [
            ("stop?t=10", 0),
            ("kill?signal=KILL", 137),
            ("kill?signal=TERM", 0),
        ] {
            let listens = format!("trap 'exit 0' TERM; echo listens; {SERVE}");
            let arn = rig.put(vec![rig.shell("app", &listens)]).await;
            rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
            // A signal before the shell has read the first word would be lost on it.
            eventually("it hears signals", async || {
                rig.output(&arn, "app")
                    .await
                    .contains("listens")
                    .then_some(())
            })
            .await;
            let id = rig.docker_id(&arn, "app");
            rig.meddle("POST", &format!("/containers/{id}/{how}")).await;
            let view = rig.until_task(&arn, how, is(TaskStatus::Stopped)).await;
            assert_eq!(exit_code(&view, "app"), Some(code), "{how}");
            assert!(!known(&view, "app").exit.as_ref().unwrap().oom_killed);
        }
    })
    .await;
}

#[tokio::test]
async fn a_restart_by_hand_keeps_the_task_running() {
    with_engine(async |rig| {
        // A process that ends at once, and one that needs the whole grace time and SIGKILL.
        for (command, grace) in [(SERVE, 10), ("sleep 100000", 1)] {
            let arn = rig.put(vec![rig.shell("app", command)]).await;
            rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
            let (id, before) = (rig.docker_id(&arn, "app"), told(rig, "RestartedOutside"));
            let path = format!("/containers/{id}/restart?t={grace}");
            let answer = rig.meddle("POST", &path).await;
            assert_eq!(answer.status, 204, "{answer:?}");
            rig.until("is told", |_| told(rig, "RestartedOutside") > before)
                .await;
            let view = rig.until_task(&arn, "runs on", |_| true).await;
            assert_eq!(view.task.known.status, TaskStatus::Running);
            assert_eq!(known(&view, "app").status, ContainerStatus::Running);
            assert_eq!(known(&view, "app").exit, None);
            assert_eq!(known(&view, "app").restart_count, 0);
            let live = rig.docker.list().await.expect("a list");
            let live = live
                .iter()
                .filter(|one| one.task == arn && one.state.may_live());
            assert_eq!(live.count(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_paused_container_stays_and_can_be_stopped() {
    with_engine(async |rig| {
        let arn = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        let id = rig.docker_id(&arn, "app");
        let pause = format!("/containers/{id}/pause");
        rig.meddle("POST", &pause).await;
        let shown = |view: &berth::reconcile::snapshot::TaskView| {
            let mut conditions = view.task.known.conditions.iter();
            conditions.any(|one| one.cause == berth::domain::task::Cause::Paused)
        };
        rig.until_task(&arn, "shows the pause", shown).await;
        rig.meddle("POST", &format!("/containers/{id}/unpause"))
            .await;
        let view = rig.until_task(&arn, "goes on", |view| !shown(view)).await;
        assert_eq!(view.task.known.status, TaskStatus::Running);
        rig.meddle("POST", &pause).await;
        rig.until_task(&arn, "shows the pause", shown).await;
        rig.stop(&arn).await;
        let view = rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
        assert!(exit_code(&view, "app").is_some());
        let left = rig.docker.inspect(id.as_str()).await.expect("inspect");
        assert!(!left.expect("it is kept").state.may_live());
    })
    .await;
}

#[tokio::test]
async fn a_stopped_container_that_somebody_starts_is_stopped_again() {
    with_engine(async |rig| {
        let arn = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        rig.stop(&arn).await;
        rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
        let (id, ends) = (rig.docker_id(&arn, "app"), told(rig, "Stopped"));
        let answer = rig.meddle("POST", &format!("/containers/{id}/start")).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        eventually("it is stopped again", async || {
            let found = rig.docker.inspect(id.as_str()).await.expect("inspect");
            (!found.expect("it is kept").state.may_live()).then_some(())
        })
        .await;
        assert_eq!(told(rig, "Stopped"), ends, "an end is told once");
    })
    .await;
}

#[tokio::test]
async fn a_container_that_somebody_renames_stays_its_tasks() {
    with_engine(async |rig| {
        let arn = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        let id = rig.docker_id(&arn, "app");
        let to = format!("renamed-{}", rig.instance);
        let path = format!("/containers/{id}/rename?name={to}");
        let answer = rig.meddle("POST", &path).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let same = async |rig: &mut Rig, what: &str| {
            let view = rig.until_task(&arn, what, is(TaskStatus::Running)).await;
            let listed = rig.docker.list().await.expect("a list");
            let ids: Vec<_> = listed.iter().map(|one| &one.id).collect();
            assert_eq!(ids, [&id], "{what}");
            assert_eq!(known(&view, "app").docker_id.as_ref(), Some(&id), "{what}");
        };
        rig.crash().await;
        rig.restart();
        rig.until("looks", |snapshot| snapshot.engine.relisted_at.is_some())
            .await;
        same(rig, "after a restart").await;
        rig.crash().await;
        rig.store = berth::testing::memory_store::MemoryStore::default();
        rig.restart();
        rig.until("is found", |snapshot| snapshot.tasks.contains_key(&arn))
            .await;
        same(rig, "without rows").await;
        rig.stop(&arn).await;
        let view = rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
        assert_eq!(exit_code(&view, "app"), Some(0));
        rig.remove(&arn).await;
        rig.until("is gone", |snapshot| snapshot.tasks.is_empty())
            .await;
        assert_eq!(rig.docker.inspect(&to).await.expect("inspect"), None);
    })
    .await;
}

#[tokio::test]
async fn an_image_that_goes_before_the_create_is_asked_for_again() {
    let proxy = Proxy::start(crate::support::http::DOCKER_SOCKET);
    let setup = Setup {
        through: Some(proxy.endpoint()),
        ..Setup::default()
    };
    with_setup(setup, async |rig| {
        proxy.set(Rules {
            hang: vec!["/containers/create".to_owned()],
            ..Rules::default()
        });
        let arn = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until_task(&arn, "has its image", |view| {
            known_status(view) == Some(ContainerStatus::Pulled)
        })
        .await;
        rig.docker.remove_image(&rig.image).await.expect("removed");
        proxy.heal();
        rig.until("is missed", |_| {
            let snapshot = rig.handle.snapshot();
            snapshot.tasks[&arn]
                .task
                .known
                .containers
                .values()
                .any(|one| one.retry.is_some())
        })
        .await;
        crate::support::images::load_busybox(&rig.docker, &rig.image).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
    })
    .await;
}

fn known_status(view: &berth::reconcile::snapshot::TaskView) -> Option<ContainerStatus> {
    let mut containers = view.task.known.containers.values();
    containers.next().map(|one| one.status)
}

#[tokio::test]
async fn a_policy_restarts_what_somebody_stopped_by_hand() {
    with_engine(async |rig| {
        let mut app = rig.shell("app", SERVE);
        app.restart_policy = Some(RestartPolicy {
            ignored_exit_codes: Vec::new(),
            restart_attempt_period: Duration::ZERO,
        });
        let arn = rig.put(vec![app]).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        let id = rig.docker_id(&arn, "app");
        rig.meddle("POST", &format!("/containers/{id}/stop")).await;
        let view = rig
            .until_task(&arn, "is restarted", |view| {
                known(view, "app").restart_count == 1 && known(view, "app").exit.is_none()
            })
            .await;
        assert_eq!(view.task.known.status, TaskStatus::Running);
    })
    .await;
}
