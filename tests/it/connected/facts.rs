//! What ECS says of the host and its tasks, as containers are shown it.

use std::sync::Arc;

use berth::boundary::EcsFactsSource as _;
use berth::boundary::ecs_facts::TagsError;
use berth::domain::ids::TaskArn;
use berth::ecs::FactsApi;
use berth::testing::sim;

use super::{Host, SERVE, arn};
use crate::support::control_plane::{INSTANCE, REGION};

async fn registered(host: &Host) {
    host.plane
        .until("it is registered", || host.facts.availability_zone())
        .await;
}

#[tokio::test]
async fn tags_and_zone_are_those_of_the_control_plane() {
    let mut host = Host::unconnected().await;
    let task = TaskArn::parse(&arn("a")).expect("an ARN");
    let early = host.facts.tags(&task).await;
    assert!(early.instance.is_err() && early.task.is_err(), "{early:?}");
    host.start();
    registered(&host).await;
    assert_eq!(
        host.facts.availability_zone().as_deref(),
        Some("us-west-2a")
    );
    let of = |arn: &str| Ok(Arc::new([("of".to_owned(), arn.to_owned())].into()));
    for _ in 0..2 {
        let tags = host.facts.tags(&task).await;
        assert_eq!((tags.instance, tags.task), (of(INSTANCE), of(&arn("a"))));
    }
    // Who asks in a loop does not use the account's calls up.
    assert_eq!(host.plane.calls("ListTagsForResource").len(), 2);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code() {
    let host = Host::new().await;
    registered(&host).await;
    let task = TaskArn::parse(&arn("a")).expect("an ARN");
    host.plane
        .fail("ListTagsForResource", 2, 400, "AccessDeniedException");
    let refused = host.facts.tags(&task).await;
    let expected = TagsError {
        resource_arn: arn("a"),
        code: Some("AccessDeniedException".to_owned()),
        message: "made to fail".to_owned(),
        status: Some(400),
        request_id: None,
    };
    assert_eq!(refused.task, Err(expected));
    assert!(refused.instance.is_err());
}

#[tokio::test]
async fn a_zone_that_is_not_to_be_shown_is_not() {
    let mut host = Host::unconnected().await;
    host.hide_zone = true;
    host.start();
    host.plane
        .until("it is registered", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    assert_eq!(host.facts.availability_zone(), None);
}

#[tokio::test]
async fn check_035_who_and_where_the_host_was_is_known_after_a_restart_though_ecs_does_not_answer()
{
    let mut host = Host::new().await;
    registered(&host).await;
    host.crash().await;
    host.facts = FactsApi::default();
    host.plane.hold(Some("RegisterContainerInstance"));
    host.start();
    registered(&host).await;
    assert_eq!(host.facts.container_instance().as_deref(), Some(INSTANCE));
    let told = host.status.as_ref().expect("a status").now();
    assert_eq!(told.instance.as_deref(), Some(INSTANCE));
    assert!(!told.connected);
    host.plane.hold(None);
}

#[tokio::test]
async fn a_task_of_the_hosts_own_is_told_the_region_that_was_found() {
    let host = Host::new().await;
    registered(&host).await;
    let own = TaskArn::parse("arn:aws:ecs:local:000000000000:task/lab/own").expect("an ARN");
    let definition = sim::task(vec![sim::shell("app", "image", SERVE)]);
    host.sim.put(&own, definition).await.expect("it is taken");
    let region = || {
        let containers = host.sim.world.containers();
        let of_own = containers.iter().find(|container| container.task == own)?;
        of_own.spec.environment.get("AWS_REGION").cloned()
    };
    assert_eq!(host.plane.until("it is made", region).await, REGION);
}
