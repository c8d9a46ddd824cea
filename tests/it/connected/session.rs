//! Sessions with ACS: opened, refused, closed and opened again, and what is heard on them.

use std::time::Duration;

use berth::boundary::Clock as _;
use berth::domain::ids::TaskArn;
use serde_json::{Value, json};

use super::{Host, SERVE, arn, statuses, task};

#[tokio::test]
async fn check_037_and_042_later_sessions_ask_for_no_credentials_and_discover_nothing() {
    let host = Host::new().await;
    for count in 1..4_usize {
        host.plane
            .until("a session is open", || {
                (host.plane.opened().len() == count).then_some(())
            })
            .await;
        // Let go of at different points; each is opened again.
        host.plane
            .until("it is let go", || host.plane.vanish().then_some(()))
            .await;
    }
    let asks: Vec<String> = host
        .plane
        .opened()
        .into_iter()
        .take(3)
        .flat_map(|query| {
            query
                .into_iter()
                .filter(|(name, _)| name == "sendCredentials")
        })
        .map(|(_, value)| value)
        .collect();
    assert_eq!(asks, ["true", "false", "false"]);
    assert_eq!(host.plane.calls("DiscoverPollEndpoint").len(), 1);
}

#[tokio::test]
async fn check_042_a_refused_session_does_not_use_the_question_for_credentials_up() {
    let mut host = Host::unconnected().await;
    host.plane.refuse(403, r#"{"AccessDeniedException": "no"}"#);
    host.start();
    host.plane
        .until("a session is open", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    assert!(host.plane.opened()[0].contains(&("sendCredentials".to_owned(), "true".to_owned())));
}

#[tokio::test]
async fn check_047_and_048_an_inactive_instance_is_recognised_and_left_alone() {
    let mut host = Host::unconnected().await;
    host.plane
        .refuse(400, r#"{"InactiveInstanceException": "gone"}"#);
    host.start();
    host.until_told("InactiveInstance").await;
    // Whoever is refused otherwise has tried again twice meanwhile.
    let mut other = Host::unconnected().await;
    for _ in 0..2 {
        let body = r#"{"AccessDeniedException": "no"}"#;
        other.plane.refuse(403, body);
    }
    other.start();
    other
        .plane
        .until("a session is open", || {
            (other.plane.opened().len() == 1).then_some(())
        })
        .await;
    assert!(host.plane.opened().is_empty());
    assert_eq!(host.plane.calls("RegisterContainerInstance").len(), 1);
}

/// A server may write the head by itself, and the body in chunks.
#[tokio::test]
async fn check_047_an_inactive_instance_is_recognised_however_the_answer_is_cut() {
    const BODY: &str = r#"{"InactiveInstanceException": "gone"}"#;
    let sized = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    );
    let chunked = "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{BODY}\r\n", BODY.len());
    let (first, second) = BODY.split_at(9);
    for pieces in [
        &[&*sized, BODY][..],
        &[&*sized, first, second],
        &[chunked, &chunk, "0\r\n\r\n"],
        &[&*format!("{chunked}{chunk}0\r\n\r\n")],
    ] {
        let mut host = Host::unconnected().await;
        host.plane.refuse_in_pieces(pieces);
        host.start();
        host.until_told("InactiveInstanceException: gone").await;
        assert!(host.plane.opened().is_empty(), "{pieces:?}");
    }
}

/// What each code means is a table of the connection, the waits are tables of the link; here it is that none of them ends
/// connected mode.
#[tokio::test]
async fn check_050_a_session_that_is_closed_is_opened_again() {
    let host = Host::new().await;
    for (count, code) in [(1, 1000_u16), (2, 1001), (3, 1011), (4, 1008)] {
        host.plane
            .until("a session is open", || {
                (host.plane.opened().len() == count).then_some(())
            })
            .await;
        host.plane
            .until("it is closed", || host.plane.close(code).then_some(()))
            .await;
    }
    host.plane
        .until("a session is open again", || {
            (host.plane.opened().len() == 5).then_some(())
        })
        .await;
}

#[tokio::test]
async fn check_056_a_ping_is_answered() {
    let host = Host::new().await;
    host.plane
        .until("a session is open", || host.plane.ping().then_some(()))
        .await;
    host.plane
        .until("a pong", || (host.plane.pongs() > 0).then_some(()))
        .await;
}

#[tokio::test]
async fn check_058_rubbish_does_not_end_the_session() {
    let host = Host::new().await;
    for text in [
        "",
        "{",
        r#"{"type": "NewMessage"}"#,
        r#"{"type": "PayloadMessage", "message": {"tasks": 5}}"#,
    ] {
        host.plane.say_text(text).await;
    }
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h"}))
        .await;
    let ack = host
        .plane
        .until("an answer", || host.plane.heard().pop())
        .await;
    assert_eq!(
        ack,
        json!({"type": "HeartbeatAckRequest", "message": {"messageId": "h"}})
    );
    assert_eq!(host.plane.opened().len(), 1);
}

#[tokio::test]
async fn check_061_heartbeats_are_answered_while_a_payload_hangs() {
    let host = Host::new().await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h0"}))
        .await;
    host.plane
        .until("an answer", || host.plane.heard().pop())
        .await;
    host.sim.gate.hang_commits();
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h1"}))
        .await;
    host.plane
        .until("an answer", || {
            host.plane
                .heard_of("HeartbeatAckRequest")
                .into_iter()
                .find(|it| it["messageId"] == "h1")
        })
        .await;
    assert!(host.plane.heard_of("AckRequest").is_empty());
}

/// The clock is set a day forward and two days back: sessions, waits and tasks go by time that only goes on.
#[tokio::test]
async fn a_clock_that_jumps_ends_no_session_and_loses_no_task() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let host = Host::new().await;
    for (round, jump) in [(1, 0), (2, DAY), (3, -2 * DAY)] {
        host.sim.clock.set_forward(jump);
        let id = format!("t{round}");
        host.plane
            .payload(&id, round, &[task(&id, SERVE, "RUNNING")])
            .await;
        host.plane.acknowledged(&id).await;
        host.plane.change(&arn(&id), "RUNNING").await;
    }
    let stops: Vec<Value> = (1..4)
        .map(|round| task(&format!("t{round}"), SERVE, "STOPPED"))
        .collect();
    host.plane.payload("stops", 4, &stops).await;
    for round in 1..4 {
        let id = arn(&format!("t{round}"));
        host.plane.change(&id, "STOPPED").await;
        assert_eq!(
            statuses(&host.plane.changes_of(&id)),
            ["RUNNING", "STOPPED"]
        );
    }
    assert_eq!(host.plane.opened().len(), 1);
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
}

/// What `/healthz` gives the age of.
#[tokio::test]
async fn the_last_word_of_acs_has_an_instant() {
    let host = Host::new().await;
    let status = host.status.clone().expect("a status");
    assert_eq!(status.now().heard_at, None);
    host.plane.say_text("{").await;
    host.plane
        .say("HeartbeatMessage", json!({"messageId": "h"}))
        .await;
    let heard = host
        .plane
        .until("it is heard", || status.now().heard_at)
        .await;
    let now = host.sim.clock.now();
    assert!(now.since(heard) < Duration::from_mins(1));
}

#[tokio::test]
async fn an_agent_that_takes_leave_has_no_session_and_still_reports() {
    let mut host = Host::new().await;
    let known = TaskArn::parse(&arn("a")).expect("an ARN");
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    let opened = host.plane.opened().len();
    host.leave.cancel();
    host.until_told("goes down").await;
    host.plane
        .until("no session", || (!host.plane.ping()).then_some(()))
        .await;
    host.sim.stop(&known).await.expect("a task to stop");
    host.plane.change(&arn("a"), "STOPPED").await;
    // By the time that another host has opened a link again that was only broken, this one would have done so too.
    let other = Host::new().await;
    for count in 1..3_usize {
        other
            .plane
            .until("a session", || {
                (other.plane.opened().len() == count).then_some(())
            })
            .await;
        other
            .plane
            .until("it is let go", || other.plane.vanish().then_some(()))
            .await;
    }
    assert_eq!(host.plane.opened().len(), opened);
}
