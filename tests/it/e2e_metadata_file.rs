//! The metadata file as a container reads it.
#![cfg(feature = "e2e")]

use serde_json::Value;

use super::support::agent::with_site;
use super::support::view::eventually;

/// Shows the file at the first instruction, then when it is ready, and whether it can be written.
const READER: &str = "cat $ECS_CONTAINER_METADATA_FILE; echo; echo first; \
    until grep -q READY $ECS_CONTAINER_METADATA_FILE; do sleep 1; done; \
    cat $ECS_CONTAINER_METADATA_FILE; echo; echo second; \
    (echo x > ${ECS_CONTAINER_METADATA_FILE%/*}/x) || echo not-writable; \
    echo asked; trap 'exit 0' TERM; sleep 100000 & wait";

#[tokio::test]
async fn a_container_reads_of_itself_from_its_first_instruction_on() {
    with_site(async |site| {
        site.berth = std::mem::take(&mut site.berth).env("ECS_ENABLE_CONTAINER_METADATA", "true");
        let agent = site.agent(&[]).await;
        let definition = site.one("reader", READER);
        agent.put("reader", &definition).await.expect("a put");
        let logs = eventually("the container has read it", async || {
            let logs = site.run(&["logs", &site.id("reader")]).await;
            logs.out.contains("asked").then_some(logs.out)
        })
        .await;
        let (first, rest) = logs.split_once("first").expect("a first version");
        let (second, rest) = rest.split_once("second").expect("a second version");
        let parse = |text: &str| {
            serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        let (first, second) = (parse(first), parse(second));
        for version in [&first, &second] {
            let arn = version["TaskARN"].as_str().expect("an ARN");
            assert!(arn.ends_with(&site.id("reader")), "{arn}");
            assert_eq!(version["ContainerName"], "app");
            assert_eq!(version["TaskDefinitionFamily"], "reader");
        }
        assert_eq!(
            (&first["MetadataFileStatus"], &first["ContainerID"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(second["MetadataFileStatus"], "READY");
        assert_eq!(
            second["ContainerID"],
            site.containers().await[0].id.as_str()
        );
        assert_eq!(second["Networks"][0]["NetworkMode"], "bridge");
        assert!(rest.contains("not-writable"), "{rest}");

        let directory = site.data().join("metadata/default").join(site.id("reader"));
        assert!(directory.join("app/ecs-container-metadata.json").exists());
        site.run(&["rm", "--force", &site.id("reader")]).await;
        eventually("the file goes with its task", async || {
            (!directory.exists()).then_some(())
        })
        .await;
        agent.end().await;
    })
    .await;
}
