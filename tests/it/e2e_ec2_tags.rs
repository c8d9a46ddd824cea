//! Tags of an instance, asked with the agent's own call of a peer that others have written (moto).
#![cfg(feature = "e2e")]

use berth::ecs::register::{tags_of_answer, tags_question};

use crate::support::moto::{Moto, connector};

#[tokio::test]
async fn check_027_a_peer_tells_the_tags_that_an_instance_was_started_with() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let connector = connector();
    let url = format!("{}/", moto.endpoint.trim_end_matches('/'));
    let ask = async |form: String| {
        let (status, text) = connector.query("ec2", &url, form).await.expect("an answer");
        assert_eq!(status, 200, "{text}");
        text
    };
    let tags = "TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=team\
                &TagSpecification.1.Tag.1.Value=a%20%26%20%3Cb%3E&TagSpecification.1.Tag.2.Key=stage\
                &TagSpecification.1.Tag.2.Value=test";
    let started = ask(format!(
        "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1&InstanceType=t2.micro&{tags}"
    ))
    .await;
    let (_, rest) = started.split_once("<instanceId>").expect("an instance");
    let (id, _) = rest.split_once('<').expect("an id");
    let tags = tags_of_answer(&ask(tags_question(id)).await).expect("tags");
    let tags: Vec<_> = tags.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(tags, [("stage", "test"), ("team", "a & <b>")]);
    let none = tags_of_answer(&ask(tags_question("i-0")).await).expect("an answer");
    assert_eq!(none.len(), 0);
}
