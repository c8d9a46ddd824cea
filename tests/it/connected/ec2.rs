//! A host of EC2: who it is, where it is, what EC2 is about to do with it. The instance metadata service is one on
//! loopback.

use std::sync::Arc;

use berth::aws::{Imds, InstanceMetadata as Setting};
use berth::boundary::EcsFactsSource as _;
use berth::boundary::ecs_facts::InstancePlace;
use berth::boundary::store::InstanceStore as _;
use berth::boundary::{ErrorKind, InstanceFact, InstanceMetadata};
use berth::ecs::Ec2Settings;
use serde_json::json;

use super::{Host, SERVE, arn, statuses, task};
use crate::support::berth::Berth;
use crate::support::control_plane::{INSTANCE, REGION};
use crate::support::instance_metadata::InstanceService;

const DOCUMENT: &str = "{\n  \"instanceId\" : \"i-1\",\n  \"region\" : \"us-west-2\"\n}";
const NOTICE: &str = "meta-data/spot/instance-action";

/// A service that knows the instance.
async fn instance() -> InstanceService {
    let service = InstanceService::start().await;
    service.tell("dynamic/instance-identity/document", DOCUMENT);
    service.tell("dynamic/instance-identity/signature", "signed\nby EC2");
    service.tell("meta-data/instance-id", "i-1");
    service
}

fn client(service: &InstanceService) -> Arc<dyn InstanceMetadata> {
    Arc::new(Imds::new(&Setting::At(service.url())).expect("an address"))
}

async fn host_of(service: &InstanceService) -> Host {
    let mut host = Host::unconnected().await;
    host.metadata = Some(client(service));
    host
}

async fn registered(host: &Host, times: usize) {
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == times).then_some(())
        })
        .await;
}

/// Of a host that looks for notices.
const LOOKS: Ec2Settings = Ec2Settings {
    spot_draining: true,
    rebalance_draining: false,
    warm_pools: false,
    propagate_tags: false,
};

/// A host that looks for notices has begun to and looked twice more: by then any other that does has looked too.
async fn somebody_looks() {
    let service = instance().await;
    let mut host = host_of(&service).await;
    host.ec2 = LOOKS;
    host.start();
    let looks = || {
        service
            .asked()
            .iter()
            .filter(|path| *path == NOTICE)
            .count()
    };
    let plane = &host.plane;
    plane
        .until("it looks", || (looks() > 2).then_some(()))
        .await;
}

#[tokio::test]
async fn a_fact_is_asked_for_with_a_token_and_what_is_not_there_is_no_failure() {
    let service = instance().await;
    let client = client(&service);
    let id = client.read(InstanceFact::InstanceId).await;
    assert_eq!(id.expect("an answer").as_deref(), Some("i-1"));
    let notice = client.read(InstanceFact::SpotAction).await;
    assert_eq!(notice.expect("an answer"), None);
    assert_eq!(service.strangers(), 0);
    assert_eq!(service.asked(), ["meta-data/instance-id", NOTICE]);
    service.fail(Some(503));
    let failed = client.read(InstanceFact::OutpostArn).await;
    assert_eq!(failed.expect_err("none").kind, ErrorKind::Transient);
    assert!(Imds::new(&Setting::Off).is_none());
}

#[tokio::test]
async fn nobody_at_the_address_is_a_failure_soon() {
    let address = {
        let service = instance().await;
        service.url()
    };
    let client = Imds::new(&Setting::At(address)).expect("an address");
    let failed = client.read(InstanceFact::InstanceId).await;
    assert_eq!(failed.expect_err("none").kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn check_027_tags_of_the_instance_are_those_of_ec2_and_the_operators_before_them() {
    let service = instance().await;
    let mut host = host_of(&service).await;
    host.ec2.propagate_tags = true;
    host.tags = [("team", "ops"), ("own", "1")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    host.plane.tag("team", "web");
    host.plane.tag("stage", "a &lt; b");
    host.plane.tag("aws:cloudformation:stack-name", "s");
    host.plane
        .fail("DescribeTags", 1, 503, "RequestLimitExceeded");
    host.start();
    registered(&host, 1).await;
    let questions = host.plane.calls("DescribeTags");
    assert_eq!(questions.len(), 2, "tried again");
    let form = questions[1].as_str().expect("a form");
    assert!(form.contains("Filter.1.Value.1=i%2D1&"), "{form}");
    let registrations = host.plane.calls("RegisterContainerInstance");
    let mut tags: Vec<(&str, &str)> = registrations[0]["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .filter_map(|tag| Some((tag["key"].as_str()?, tag["value"].as_str()?)))
        .collect();
    tags.sort_unstable();
    assert_eq!(tags, [("own", "1"), ("stage", "a < b"), ("team", "ops")]);
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
}

#[tokio::test]
async fn check_027_without_tags_there_is_no_such_member() {
    let host = Host::new().await;
    registered(&host, 1).await;
    let call = &host.plane.calls("RegisterContainerInstance")[0];
    assert_eq!(call.get("tags"), None);
    assert_eq!(host.plane.calls("DescribeTags").len(), 0);
}

#[tokio::test]
async fn check_015_020_and_035_an_instance_is_registered_with_its_document_as_it_stands() {
    let service = instance().await;
    service.tell(
        "meta-data/outpost-arn",
        "arn:aws:outposts:us-west-2:1:outpost/op-1",
    );
    let mut host = host_of(&service).await;
    host.region = None;
    host.start();
    registered(&host, 1).await;
    let call = &host.plane.calls("RegisterContainerInstance")[0];
    assert_eq!(call["instanceIdentityDocument"], DOCUMENT);
    assert_eq!(call["instanceIdentityDocumentSignature"], "signed\nby EC2");
    let attributes = call["attributes"].as_array().expect("a list");
    let outpost =
        json!({"name": "ecs.outpost-arn", "value": "arn:aws:outposts:us-west-2:1:outpost/op-1"});
    assert!(attributes.contains(&outpost), "{attributes:?}");
    assert!(
        !attributes
            .iter()
            .any(|it| it["name"] == "ecs.cpu-architecture")
    );
    // The region was in the document: signatures name it.
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
    let facts = host.sim.store.facts().await.expect("facts");
    assert_eq!(facts["ec2-instance-id"], "i-1");
}

#[tokio::test]
async fn check_001_without_a_region_nothing_is_called_and_tasks_run() {
    let mut host = Host::unconnected().await;
    host.region = None;
    host.start();
    host.until_told("AWS_DEFAULT_REGION").await;
    assert_eq!(host.plane.all_calls().len(), 0);
    assert!(host.sim.agent_runs());
}

#[tokio::test]
async fn check_009_state_of_another_instance_is_not_reported_and_the_host_registers_anew() {
    let service = instance().await;
    let mut host = host_of(&service).await;
    host.start();
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    host.crash().await;
    service.tell("meta-data/instance-id", "i-2");
    host.start();
    registered(&host, 2).await;
    let again = &host.plane.calls("RegisterContainerInstance")[1];
    assert_eq!(again.get("containerInstanceArn"), None);
    host.plane
        .until("the task is gone", || {
            host.sim.store.tasks().is_empty().then_some(())
        })
        .await;
    assert_eq!(statuses(&host.plane.changes_of(&arn("a"))), ["RUNNING"]);
    let facts = host.sim.store.facts().await.expect("facts");
    assert_eq!(facts["ec2-instance-id"], "i-2");
}

#[tokio::test]
async fn check_011_and_025_an_instance_whose_metadata_is_away_is_the_one_it_was() {
    let service = instance().await;
    let mut host = host_of(&service).await;
    host.region = None;
    host.start();
    registered(&host, 1).await;
    host.crash().await;
    service.fail(Some(404));
    host.start();
    registered(&host, 2).await;
    let again = &host.plane.calls("RegisterContainerInstance")[1];
    assert_eq!(again["containerInstanceArn"], INSTANCE);
    assert_eq!(again["instanceIdentityDocument"], "");
    assert_eq!(again["instanceIdentityDocumentSignature"], "");
    let query = &host.plane.opened()[1];
    assert!(query.iter().any(|(_, value)| value.contains(REGION)));
    assert_eq!(
        host.plane.bad_signatures(),
        [""; 0],
        "the region is that of the ARN"
    );
}

#[tokio::test]
async fn check_002_user_data_gives_settings_to_a_host_that_is_to_connect() {
    let service = instance().await;
    service.tell(
        "user-data",
        r#"{"ECSAgentConfiguration": {"Cluster": "launched", "AWSRegion": "eu-west-3"}}"#,
    );
    let berth = Berth::default()
        .env("ECS_CLUSTER", "lab")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url());
    let shown = berth.run(&["check-config", "--json"]).await.json();
    assert_eq!(shown["settings"]["ECS_CLUSTER"]["value"], "lab");
    let region = &shown["settings"]["AWS_DEFAULT_REGION"];
    assert_eq!(region["value"], "eu-west-3");
    assert_eq!(region["origin"], "user data of the instance");
    let asked = service.asked().len();
    for (name, value) in [
        ("ECS_EXTERNAL", "true"),
        ("BERTH_MODE", "standalone"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        let other = berth.clone().env(name, value);
        other.run(&["check-config"]).await;
        assert_eq!(service.asked().len(), asked, "{name}");
    }
    service.fail(Some(503));
    let done = berth.run(&["check-config", "--json"]).await;
    assert_eq!(
        done.json()["settings"]["AWS_DEFAULT_REGION"]["value"],
        serde_json::Value::Null
    );
    assert!(done.err.contains("user-data-unread"), "{done:?}");
}

const NO_SOURCE: &str = r#"{"v1": {"datasource": "DataSourceNone", "errors": []}}"#;

#[tokio::test]
async fn check_012_a_host_whose_user_data_cloud_init_has_not_seen_is_not_registered() {
    let packed: &[u8] = &[0x1f, 0x8b, 8, 0, 0xff];
    for user_data in [b"#!/bin/sh\necho ECS_CLUSTER=other", packed] {
        let service = instance().await;
        service.tell("user-data", user_data);
        let mut host = host_of(&service).await;
        host.cloud_init = NO_SOURCE;
        host.start();
        host.until_told("cloud-init has not seen").await;
        assert_eq!(host.plane.calls("RegisterContainerInstance").len(), 0);
        assert!(host.sim.agent_runs());
    }
}

#[tokio::test]
async fn check_012_without_user_data_or_with_a_source_the_host_is_registered() {
    let seen = r#"{"v1": {"datasource": "DataSourceEc2Local", "errors": []}}"#;
    for (cloud_init, user_data) in [(NO_SOURCE, ""), (seen, "x"), ("", "x"), ("{", "x")] {
        let service = instance().await;
        service.tell("user-data", user_data);
        let mut host = host_of(&service).await;
        host.cloud_init = cloud_init;
        host.start();
        registered(&host, 1).await;
    }
}

#[tokio::test]
async fn check_014_an_external_instance_asks_no_metadata() {
    let service = instance().await;
    let mut host = host_of(&service).await;
    host.external = true;
    host.cloud_init = NO_SOURCE;
    host.ec2.spot_draining = true;
    host.start();
    registered(&host, 1).await;
    assert_eq!(service.asked(), [""; 0]);
}

#[tokio::test]
async fn check_021_no_vpc_is_named_without_network_interfaces_of_tasks() {
    let service = instance().await;
    let mut host = host_of(&service).await;
    host.start();
    registered(&host, 1).await;
    let call = &host.plane.calls("RegisterContainerInstance")[0];
    let attributes = call["attributes"].as_array().expect("a list");
    let named = attributes.iter().filter_map(|it| it["name"].as_str());
    let vpc: Vec<&str> = named
        .filter(|name| ["ecs.vpc-id", "ecs.subnet-id"].contains(name))
        .collect();
    assert_eq!(vpc, [""; 0]);
}

#[tokio::test]
async fn where_the_instance_is_is_known_for_containers_to_read() {
    let service = instance().await;
    let mac = "0a:1b:2c:3d:4e:5f";
    service.tell("meta-data/mac", mac);
    let vpc = format!("meta-data/network/interfaces/macs/{mac}/vpc-id");
    service.tell(&vpc, "vpc-1");
    service.tell("meta-data/placement/availability-zone-id", "usw2-az1");
    service.tell("meta-data/local-ipv4", "10.0.0.9");
    let mut host = host_of(&service).await;
    host.start();
    let place = host.plane.until("it is known", || host.facts.place()).await;
    let expected = InstancePlace {
        vpc: Some("vpc-1".to_owned()),
        zone_id: Some("usw2-az1".to_owned()),
        private_ipv4: Some("10.0.0.9".to_owned()),
        ..InstancePlace::default()
    };
    assert_eq!(*place, expected);
}

#[tokio::test]
async fn check_138_a_notice_of_interruption_drains_the_instance_once() {
    let service = instance().await;
    let mut host = host_of(&service).await;
    host.ec2 = LOOKS;
    host.plane
        .fail("UpdateContainerInstancesState", 1, 500, "ServerException");
    host.start();
    registered(&host, 1).await;
    service.tell(
        NOTICE,
        r#"{"action": "sleep", "time": "2026-01-01T00:00:00Z"}"#,
    );
    let asked = service.asked().len();
    host.plane
        .until("it is looked at", || {
            (service.asked().len() > asked + 2).then_some(())
        })
        .await;
    assert_eq!(host.plane.calls("UpdateContainerInstancesState").len(), 0);
    service.tell(
        NOTICE,
        r#"{"action": "terminate", "time": "2026-01-01T00:00:00Z"}"#,
    );
    host.plane
        .until("it drains", || {
            (host.plane.calls("UpdateContainerInstancesState").len() == 2).then_some(())
        })
        .await;
    let expected =
        json!({"cluster": "lab", "containerInstances": [INSTANCE], "status": "DRAINING"});
    assert_eq!(
        host.plane.calls("UpdateContainerInstancesState")[1],
        expected
    );
    let asked = service.asked().len();
    somebody_looks().await;
    assert_eq!(service.asked().len(), asked, "nobody looks any more");
    assert_eq!(host.plane.calls("UpdateContainerInstancesState").len(), 2);
}

#[tokio::test]
async fn a_recommendation_to_rebalance_drains_the_instance_where_it_is_asked_for() {
    const REBALANCE: &str = "meta-data/events/recommendations/rebalance";
    let service = instance().await;
    service.tell(REBALANCE, r#"{"noticeTime": "2026-01-01T00:00:00Z"}"#);
    let mut host = host_of(&service).await;
    host.ec2.rebalance_draining = true;
    host.start();
    host.plane
        .until("it drains", || {
            host.plane.calls("UpdateContainerInstancesState").pop()
        })
        .await;
    assert!(!service.asked().iter().any(|path| path == NOTICE));
}

#[tokio::test]
async fn check_139_without_the_setting_nobody_looks_for_notices() {
    let service = instance().await;
    service.tell(NOTICE, r#"{"action": "terminate"}"#);
    let mut host = host_of(&service).await;
    host.start();
    registered(&host, 1).await;
    somebody_looks().await;
    assert!(!service.asked().iter().any(|path| path == NOTICE));
    assert_eq!(host.plane.calls("UpdateContainerInstancesState").len(), 0);
}

#[tokio::test]
async fn check_140_an_instance_of_a_warm_pool_is_not_registered_before_it_is_in_service() {
    let service = instance().await;
    service.tell(
        "meta-data/autoscaling/target-lifecycle-state",
        "Warmed:Stopped",
    );
    let mut host = host_of(&service).await;
    host.ec2.warm_pools = true;
    host.start();
    host.until_told("Warmed:Stopped").await;
    assert_eq!(host.plane.all_calls().len(), 0);
    host.crash().await;
    service.tell("meta-data/autoscaling/target-lifecycle-state", "InService");
    host.start();
    registered(&host, 1).await;
}
