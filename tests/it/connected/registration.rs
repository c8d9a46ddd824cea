//! Who this host is to the control plane: registered, refused, registered again.

use berth::boundary::store::InstanceStore as _;
use serde_json::json;

use super::{Host, arn, task};
use crate::support::control_plane::INSTANCE;

#[tokio::test]
async fn check_004_and_005_calls_are_signed_and_say_who_calls() {
    let host = Host::new().await;
    host.plane
        .payload("m1", 1, &[task("a", "exit 3", "RUNNING")])
        .await;
    let stopped = host.plane.change(&arn("a"), "STOPPED").await;
    assert_eq!(stopped["containers"][0]["exitCode"], 3);
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
    for call in host.plane.all_calls() {
        let expected =
            "Amazon ECS Agent - v1.2.3 (abcdef01) (linux; debian_12) (+http://aws.amazon.com/ecs/)";
        assert_eq!(call.user_agent, expected, "{}", call.operation);
    }
}

#[tokio::test]
async fn check_008_and_016_tries_of_one_start_share_a_token_and_a_restart_is_the_same_instance() {
    let mut host = Host::unconnected().await;
    host.plane
        .fail("RegisterContainerInstance", 1, 500, "ServerException");
    host.start();
    let calls = |host: &Host| host.plane.calls("RegisterContainerInstance");
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    let first = calls(&host);
    assert_eq!(first.len(), 2, "check 032: tried again");
    assert_eq!(first[0]["clientToken"], first[1]["clientToken"]);
    host.crash().await;
    host.start();
    host.plane
        .until("it is registered again", || {
            (host.plane.opened().len() == 2).then_some(())
        })
        .await;
    let again = &calls(&host)[2];
    assert_ne!(again["clientToken"], first[0]["clientToken"]);
    assert_eq!(again["containerInstanceArn"], INSTANCE);
    let facts = host.sim.store.facts().await.expect("facts");
    assert_eq!(facts["container-instance-arn"], INSTANCE, "check 035");
    assert_eq!(facts["availability-zone"], "us-west-2a", "check 035");
}

#[tokio::test]
async fn check_017_four_resources_go_out_with_their_types_and_nothing_else() {
    let host = Host::new().await;
    let call = host
        .plane
        .until("it registers", || {
            host.plane.calls("RegisterContainerInstance").pop()
        })
        .await;
    let expected = json!([
        {"name": "CPU", "type": "INTEGER", "integerValue": 2048},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": 8192},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
    ]);
    assert_eq!(call["totalResources"], expected);
}

#[tokio::test]
async fn check_028_gpus_go_out_as_platform_devices() {
    for (gpus, expected) in [
        (None, None),
        (Some(Vec::new()), Some(json!([]))),
        (
            Some(vec!["GPU-1", "GPU-2"]),
            Some(json!([{"id": "GPU-1", "type": "GPU"}, {"id": "GPU-2", "type": "GPU"}])),
        ),
    ] {
        let mut host = Host::unconnected().await;
        host.list_gpus(gpus.as_deref());
        host.start();
        let registered = || host.plane.calls("RegisterContainerInstance").pop();
        let call = host.plane.until("it registers", registered).await;
        assert_eq!(call.get("platformDevices"), expected.as_ref());
        let resources = call["totalResources"].as_array().map(Vec::len);
        assert_eq!(resources, Some(4));
    }
}

#[tokio::test]
async fn check_010_another_cluster_than_before_is_not_registered_in() {
    let mut host = Host::new().await;
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    host.crash().await;
    host.cluster = Some("other".to_owned());
    host.start();
    host.until_told("registered in cluster lab").await;
    assert_eq!(host.plane.calls("RegisterContainerInstance").len(), 1);
}

/// ECS would never hear of them, also when they are mended.
#[tokio::test]
async fn check_019_a_host_whose_attributes_cannot_be_read_registers_when_they_can() {
    let mut host = Host::unconnected().await;
    host.unread = vec!["ECS_INSTANCE_ATTRIBUTES"];
    host.start();
    host.until_told("ECS_INSTANCE_ATTRIBUTES").await;
    assert!(host.sim.agent_runs());
    assert_eq!(host.plane.all_calls().len(), 0);
    host.crash().await;
    host.unread.clear();
    host.start();
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    host.crash().await;
    host.unread = vec!["ECS_INSTANCE_ATTRIBUTES"];
    host.start();
    host.plane
        .until("it is registered again", || {
            (host.plane.opened().len() == 2).then_some(())
        })
        .await;
}

#[tokio::test]
async fn check_029_a_refusal_for_good_is_told_and_tasks_go_on() {
    let mut host = Host::unconnected().await;
    host.plane
        .fail("RegisterContainerInstance", 1, 400, "ClientException");
    host.start();
    host.until_told("ClientException").await;
    assert!(host.sim.agent_runs());
}

#[tokio::test]
async fn check_033_the_default_cluster_is_made_when_it_is_missing() {
    let mut host = Host::unconnected().await;
    host.cluster = None;
    host.plane.fail(
        "RegisterContainerInstance",
        1,
        400,
        "ClusterNotFoundException",
    );
    host.start();
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    let operations: Vec<String> = host
        .plane
        .all_calls()
        .into_iter()
        .map(|call| call.operation)
        .collect();
    let expected = [
        "RegisterContainerInstance",
        "CreateCluster",
        "RegisterContainerInstance",
        "DiscoverPollEndpoint",
    ];
    assert_eq!(operations, expected);
    assert_eq!(
        host.plane.calls("CreateCluster"),
        [json!({"clusterName": "default"})]
    );
}

#[tokio::test]
async fn check_141_an_agent_that_ends_leaves_its_instance_registered() {
    let mut host = Host::new().await;
    host.plane
        .until("a session is open", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    let (stop, mut running) = host.agent.take().expect("an agent");
    stop.cancel();
    while running.join_next().await.is_some() {}
    let calls = host.plane.all_calls().into_iter();
    let operations: Vec<String> = calls.map(|call| call.operation).collect();
    let expected = ["RegisterContainerInstance", "DiscoverPollEndpoint"];
    assert_eq!(operations, expected);
}
