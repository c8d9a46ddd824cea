//! State changes: told once and in order, whatever the control plane does meanwhile.

use std::time::Duration;

use berth::domain::ids::{ContainerName, TaskArn};
use berth::domain::status::{ContainerStatus, TaskStatus};
use serde_json::json;

use super::{Host, SERVE, arn, statuses, task};

#[tokio::test]
async fn check_104_what_was_acknowledged_is_not_told_again_after_a_restart() {
    let mut host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    let stored = TaskArn::parse(&arn("a")).expect("an ARN");
    host.plane
        .until("it is written down", || {
            host.sim.store.task(&stored)?.known.reported.status
        })
        .await;
    host.crash().await;
    host.start();
    // What is sent before would go to the session that is over.
    let again = || (host.plane.opened().len() == 2).then_some(());
    host.plane.until("a session is open again", again).await;
    stop_is_told(&host).await;
}

/// The task is stopped by ECS, and both of its changes are told once.
async fn stop_is_told(host: &Host) {
    host.plane
        .payload("m2", 2, &[task("a", SERVE, "STOPPED")])
        .await;
    host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(
        statuses(&host.plane.changes_of(&arn("a"))),
        ["RUNNING", "STOPPED"]
    );
}

#[tokio::test]
async fn check_106_a_change_with_invalid_parameters_is_given_up_and_later_ones_are_sent() {
    let host = Host::new().await;
    host.plane
        .fail("SubmitTaskStateChange", 1, 400, "InvalidParameterException");
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    let events = || host.sim.store.all_events().into_iter();
    let said = host
        .plane
        .until("the timeline says so", || {
            events().find(|stored| stored.event.kind == "ReportRefused")
        })
        .await;
    let words = "SubmitTaskStateChange: InvalidParameterException";
    assert!(said.event.message.contains(words), "{said:?}");
    stop_is_told(&host).await;
}

/// A container ends while the change that it runs is under way, and that is refused: its end is told all the same.
#[tokio::test]
async fn check_106_what_happens_while_a_change_is_refused_is_told() {
    const SUBMIT: &str = "SubmitTaskStateChange";
    let host = Host::new().await;
    host.plane.fail(SUBMIT, 1, 400, "InvalidParameterException");
    host.plane.hold(Some(SUBMIT));
    let mut two = task("a", SERVE, "RUNNING");
    let mut side = two["containers"][0].clone();
    side["name"] = "side".into();
    side["essential"] = false.into();
    two["containers"].as_array_mut().expect("a list").push(side);
    host.plane.payload("m1", 1, &[two]).await;
    let sent = host.plane.change(&arn("a"), "RUNNING").await;
    assert_eq!(sent["containers"].as_array().map(Vec::len), Some(2));
    let end = |name: &str, code| {
        let all = host.sim.world.containers();
        let found = all.iter().find(|it| it.name.as_str() == name);
        host.sim
            .world
            .end_process(&found.expect("a container").id, code, false);
    };
    end("side", 3);
    let known = TaskArn::parse(&arn("a")).expect("an ARN");
    let side = ContainerName::parse("side").expect("a name");
    host.plane
        .until("its end is known", || {
            let task = host.sim.store.task(&known)?;
            let side = task.known.containers.get(&side)?;
            (side.status == ContainerStatus::Stopped).then_some(())
        })
        .await;
    host.plane.hold(None);
    host.plane
        .until("the change is given up", || {
            let mut events = host.sim.store.all_events().into_iter();
            events.find(|stored| stored.event.kind == "ReportRefused")
        })
        .await;
    end("main", 0);
    let stopped = host.plane.change(&arn("a"), "STOPPED").await;
    let told = stopped["containers"].as_array().expect("a list");
    let side = told.iter().find(|it| it["containerName"] == "side");
    let side = side.expect("the end of the container");
    assert_eq!(
        (&side["status"], &side["exitCode"]),
        (&json!("STOPPED"), &json!(3))
    );
}

#[tokio::test]
async fn check_107_any_other_failure_is_tried_again_and_holds_up_no_other_task() {
    for (status, code) in [
        (400, "AccessDeniedException"),
        (500, "ServerException"),
        (400, "ThrottlingException"),
    ] {
        let host = Host::new().await;
        host.plane.fail("SubmitTaskStateChange", 1, status, code);
        host.plane
            .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
            .await;
        host.plane.change(&arn("a"), "RUNNING").await;
        host.plane
            .payload("m2", 2, &[task("b", SERVE, "RUNNING")])
            .await;
        host.plane.change(&arn("b"), "RUNNING").await;
        host.plane
            .until("it is sent again", || {
                (host.plane.changes_of(&arn("a")).len() == 2).then_some(())
            })
            .await;
    }
}

/// The control plane is away while a task ends; it is told when it is back.
#[tokio::test]
async fn what_happens_while_the_control_plane_is_away_is_told_when_it_is_back() {
    let host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", "sleep 1; exit 7", "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    host.plane.away(true);
    host.plane
        .until("it ends", || {
            (host.status_of(&arn("a")) == Some(TaskStatus::Stopped)).then_some(())
        })
        .await;
    host.plane.away(false);
    let stopped = host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(stopped["containers"][0]["exitCode"], 7);
    host.plane
        .until("a session is open again", || {
            (host.plane.opened().len() > 1).then_some(())
        })
        .await;
}

/// kill -9 again and again in the middle of payloads, acknowledgements and reports: each task is told in order, its
/// end with its exit code, and never anything after that. A report whose answer the crash has swallowed comes again,
/// the same; nothing else does.
#[tokio::test]
async fn crashes_lose_no_end_and_turn_no_order() {
    const ROUNDS: u64 = 100;
    /// Points of a round at which it is killed, 3 ms apart.
    const POINTS: u64 = 25;
    let mut host = Host::new().await;
    for round in 0..ROUNDS {
        let id = format!("r{round}");
        host.plane
            .payload(
                &id,
                i64::try_from(round).expect("a number") + 1,
                &[task(&id, "exit 4", "RUNNING")],
            )
            .await;
        // At another point each time: from before the frame is read to after the end is told.
        tokio::time::sleep(Duration::from_millis(round % POINTS * 3)).await;
        let opened = host.plane.opened().len();
        host.crash().await;
        host.start();
        host.plane
            .until("a session is open again", || {
                (host.plane.opened().len() > opened).then_some(())
            })
            .await;
    }
    // ACS sends again what it has no acknowledgement of.
    for round in 0..ROUNDS {
        let id = format!("r{round}");
        let acks = host.plane.heard_of("AckRequest");
        if !acks.iter().any(|ack| ack["messageId"] == *id) {
            host.plane
                .payload(&id, 100, &[task(&id, "exit 4", "RUNNING")])
                .await;
            host.plane.acknowledged(&id).await;
        }
    }
    for round in 0..ROUNDS {
        let id = arn(&format!("r{round}"));
        let stopped = host.plane.change(&id, "STOPPED").await;
        assert_eq!(stopped["containers"][0]["exitCode"], 4, "{id}");
        let changes = host.plane.changes_of(&id);
        let mut told = statuses(&changes);
        told.dedup();
        assert!(
            told == ["RUNNING", "STOPPED"] || told == ["STOPPED"],
            "{id}: {told:?}"
        );
    }
}
