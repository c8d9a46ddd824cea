//! Registration with a control plane that others have written (moto): what it says of the instance afterwards. Sessions
//! and reports it does not have, and a cluster that is missing it does not tell as ECS does.
#![cfg(feature = "e2e")]

use serde_json::{Value, json};

use crate::support::agent::with_site;
use crate::support::control_plane::{KEY, REGION, SECRET};
use crate::support::http::{get, post};
use crate::support::instance_metadata::InstanceService;
use crate::support::moto::{Moto, connector};
use crate::support::view::eventually;

/// An instance of EC2 as moto has it; its id.
async fn instance(url: &str) -> String {
    let connector = connector();
    let form = "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1";
    let asked = connector.query("ec2", url, form.to_owned()).await;
    let (status, text) = asked.expect("an answer");
    assert_eq!(status, 200, "{text}");
    let (_, rest) = text.split_once("<instanceId>").expect("an instance");
    let (id, _) = rest.split_once('<').expect("an id");
    id.to_owned()
}

/// A call of the ECS API as any client makes it.
async fn ask(url: &str, operation: &str, body: &Value) -> Value {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let scope = format!("{KEY}/20260101/{REGION}/ecs/aws4_request");
    let headers = format!(
        "Content-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n"
    );
    let address = address.parse().expect("an address");
    let answer = post(address, &headers, &body.to_string()).await;
    let answer = answer.expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

#[tokio::test]
async fn a_peer_that_others_have_written_has_the_instance_in_its_cluster() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let url = format!("{}/", moto.endpoint.trim_end_matches('/'));
    ask(&url, "CreateCluster", &json!({"clusterName": "lab"})).await;
    let id = instance(&url).await;
    let service = InstanceService::start().await;
    let document = json!({"instanceId": id, "region": REGION}).to_string();
    service.tell("dynamic/instance-identity/document", &document);
    service.tell("dynamic/instance-identity/signature", "signed");
    service.tell("meta-data/instance-id", &id);
    with_site(async |site| {
        site.berth = std::mem::take(&mut site.berth)
            .env("ECS_CLUSTER", "lab")
            .env("ECS_BACKEND_HOST", &url)
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url());
        let agent = site.agent(&[]).await;
        let listed = eventually("an instance in the cluster", async || {
            let listed = ask(&url, "ListContainerInstances", &json!({"cluster": "lab"})).await;
            let arn = listed["containerInstanceArns"].get(0)?.as_str()?.to_owned();
            Some(arn)
        })
        .await;
        let question = json!({"cluster": "lab", "containerInstances": [listed]});
        let described = ask(&url, "DescribeContainerInstances", &question).await;
        let instance = &described["containerInstances"][0];
        assert_eq!(
            (&instance["ec2InstanceId"], &instance["status"]),
            (&json!(id), &json!("ACTIVE"))
        );
        // It has attributes of its own instead of those that it was told, which no instance may live with.
        let introspection = site.listener("introspection").await;
        eventually("what is wrong with the registration", async || {
            let ready = get(introspection, "/readyz").await.ok()?;
            ready
                .contains("another value of attribute ecs.os-type")
                .then_some(())
        })
        .await;
        assert!(agent.end().await.success());
    })
    .await;
}
