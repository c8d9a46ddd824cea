//! A Docker API that loses events, hangs for one container or for all, or is away.
#![cfg(feature = "e2e")]

use std::time::{Duration, Instant};

use berth::docker::Deadlines;
use berth::domain::ids::TaskArn;
use berth::domain::status::TaskStatus;

use crate::support::http::DOCKER_SOCKET;
use crate::support::proxy::{Proxy, Rules};
use crate::support::rig::{Rig, Setup, with_setup};
use crate::support::view::{SERVE, exit_code, is};

/// Shorter than the operator's, so that a call that hangs is given up within the test.
fn impatient() -> Deadlines {
    Deadlines {
        info: Duration::from_secs(3),
        list: Duration::from_secs(3),
        inspect: Duration::from_secs(3),
        create: Duration::from_secs(4),
        start: Duration::from_secs(4),
        stop_margin: Duration::from_secs(3),
        remove: Duration::from_secs(4),
        ..Deadlines::default()
    }
}

/// An engine behind a proxy.
async fn with_proxy(deadlines: Deadlines, test: impl AsyncFnOnce(&mut Rig, &Proxy)) {
    let proxy = Proxy::start(DOCKER_SOCKET);
    let setup = Setup {
        through: Some(proxy.endpoint()),
        deadlines,
        ..Setup::default()
    };
    with_setup(setup, async |rig| test(rig, &proxy).await).await;
}

/// Puts so many tasks of one container and waits until they run.
async fn serve(rig: &mut Rig, count: usize) -> Vec<TaskArn> {
    let mut arns = Vec::new();
    for _ in 0..count {
        arns.push(rig.put(vec![rig.shell("app", SERVE)]).await);
    }
    for arn in &arns {
        rig.until_task(arn, "runs", is(TaskStatus::Running)).await;
    }
    arns
}

#[tokio::test]
async fn exits_are_found_without_any_event() {
    let proxy = Proxy::start(DOCKER_SOCKET);
    proxy.set(Rules {
        mute_events: true,
        ..Rules::default()
    });
    let setup = Setup {
        through: Some(proxy.endpoint()),
        ..Setup::default()
    };
    with_setup(setup, async |rig| {
        let arns = serve(rig, 3).await;
        let relist = rig.setup.engine.relist_idle;
        for (arn, code) in arns.iter().zip([137, 0, 137]) {
            let signal = if code == 0 { "TERM" } else { "KILL" };
            let id = rig.docker_id(arn, "app");
            let path = format!("/containers/{id}/kill?signal={signal}");
            let killed = Instant::now();
            rig.meddle("POST", &path).await;
            let view = rig
                .until_task(arn, "is found", is(TaskStatus::Stopped))
                .await;
            assert_eq!(exit_code(&view, "app"), Some(code));
            let took = killed.elapsed();
            eprintln!("found after {} ms", took.as_millis());
            // Twice the promise: this machine does other work too.
            assert!(took < relist * 2 + Duration::from_secs(1), "{took:?}");
        }
        assert_eq!(rig.handle.snapshot().engine.events_seen, 0);
        assert!(rig.handle.snapshot().engine.events_missed >= 3);
    })
    .await;
}

#[tokio::test]
async fn one_container_that_hangs_holds_up_nothing_else() {
    with_proxy(impatient(), async |rig, proxy| {
        let mut arns = serve(rig, 30).await;
        let hung = arns.remove(0);
        let id = rig.docker_id(&hung, "app");
        proxy.set(Rules {
            hang: vec![id.to_string()],
            ..Rules::default()
        });
        rig.stop(&hung).await;
        let more = serve(rig, 5).await;
        arns.extend(more);
        for arn in &arns {
            rig.stop(arn).await;
        }
        for arn in &arns {
            let view = rig.until_task(arn, "stops", is(TaskStatus::Stopped)).await;
            assert_eq!(exit_code(&view, "app"), Some(0));
        }
        let view = rig.until_task(&hung, "is known", |_| true).await;
        assert_ne!(
            view.task.known.status,
            TaskStatus::Stopped,
            "its process lives"
        );
        rig.assert_one_live_each(std::slice::from_ref(&hung)).await;
        proxy.heal();
        let view = rig
            .until_task(&hung, "stops too", is(TaskStatus::Stopped))
            .await;
        assert_eq!(exit_code(&view, "app"), Some(0));
    })
    .await;
}

/// How long nothing answers in the test that follows.
const SILENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_docker_that_answers_nothing_is_no_observation() {
    with_proxy(impatient(), async |rig, proxy| {
        let stay = serve(rig, 6).await;
        let ends = rig.put(vec![rig.shell("app", "sleep 12; exit 5")]).await;
        rig.until_task(&ends, "runs", is(TaskStatus::Running)).await;
        proxy.set(Rules {
            hang: vec![String::new()],
            ..Rules::default()
        });
        let late = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.stop(&stay[0]).await;
        let over = tokio::time::sleep(SILENCE);
        let mut changes = rig.handle.changes();
        let mut over = std::pin::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => break,
                _ = changes.changed() => {}
            }
            for (arn, view) in &rig.handle.snapshot().tasks {
                assert_ne!(view.task.known.status, TaskStatus::Stopped, "{arn}");
            }
        }
        rig.until("is said", |snapshot| {
            snapshot.engine.runtime_error.is_some()
        })
        .await;
        proxy.heal();
        rig.until_task(&late, "runs", is(TaskStatus::Running)).await;
        let view = rig
            .until_task(&ends, "is found", is(TaskStatus::Stopped))
            .await;
        assert_eq!(exit_code(&view, "app"), Some(5));
        rig.until_task(&stay[0], "stops", is(TaskStatus::Stopped))
            .await;
        let live: Vec<TaskArn> = stay.iter().skip(1).chain([&late]).cloned().collect();
        for arn in &live {
            rig.until_task(arn, "runs", is(TaskStatus::Running)).await;
        }
        rig.assert_one_live_each(&live).await;
    })
    .await;
}

#[tokio::test]
async fn answers_that_never_come_do_not_double_what_was_done() {
    with_proxy(impatient(), async |rig, proxy| {
        proxy.set(Rules {
            swallow: ["/containers/create", "/start"].map(str::to_owned).to_vec(),
            ..Rules::default()
        });
        let arn = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until("is missed", |snapshot| {
            let known = &snapshot.tasks[&arn].task.known;
            known.containers.values().any(|one| one.retry.is_some())
        })
        .await;
        proxy.heal();
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        rig.assert_one_live_each(std::slice::from_ref(&arn)).await;
    })
    .await;
}

#[tokio::test]
async fn a_docker_that_is_away_is_waited_for() {
    with_proxy(Deadlines::default(), async |rig, proxy| {
        let stays = serve(rig, 2).await;
        proxy.set(Rules {
            refuse: true,
            ..Rules::default()
        });
        let late = rig.put(vec![rig.shell("app", SERVE)]).await;
        rig.until("is said", |snapshot| {
            snapshot.engine.runtime_error.is_some()
        })
        .await;
        proxy.set(Rules {
            delay: Some(Duration::from_millis(200)),
            ..Rules::default()
        });
        rig.until_task(&late, "runs", is(TaskStatus::Running)).await;
        let all: Vec<TaskArn> = stays.into_iter().chain([late]).collect();
        rig.assert_one_live_each(&all).await;
    })
    .await;
}
