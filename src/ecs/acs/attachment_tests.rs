//! Messages about attachments, by the numbers of the checks: whole ones are acknowledged at once, others are not.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::domain::ids::TaskArn;

const INSTANCE: &str = "arn:aws:ecs:us-west-2:1:container-instance/lab/i";
const CLUSTER: &str = "arn:aws:ecs:us-west-2:1:cluster/lab";

struct NoTasks;

impl Tasks for NoTasks {
    fn knows(&self, _: &TaskArn) -> bool {
        false
    }

    fn wanted_running(&self) -> Vec<TaskArn> {
        Vec::new()
    }
}

/// What is said to the message, and for how long ECS waits for what is not attached.
fn say(kind: &str, message: &Value) -> (Vec<Value>, Option<Duration>) {
    let text = json!({"type": kind, "message": message}).to_string();
    let (alive, effects) = Session::new(None).on_frame(&text, &NoTasks);
    assert!(alive);
    let (mut said, mut wait) = (Vec::new(), None);
    for effect in effects {
        match effect {
            Effect::Send(message) => said.push(serde_json::from_str(&encode(&message)).unwrap()),
            Effect::Note(Note::NotAttached(_, time)) => wait = Some(time),
            Effect::Note(_) => {}
            other @ (Effect::Do(..) | Effect::Reject(..) | Effect::CheckHealth) => {
                panic!("{other:?}")
            }
        }
    }
    (said, wait)
}

fn ack() -> Vec<Value> {
    vec![json!({"type": "AckRequest", "message": {
        "cluster": CLUSTER, "containerInstance": INSTANCE, "messageId": "m",
    }})]
}

fn changed(mut message: Value, change: impl FnOnce(&mut Value)) -> Value {
    change(&mut message);
    message
}

fn interface() -> Value {
    json!({
        "ec2Id": "eni-1", "macAddress": "02:00:00:00:00:01", "attachmentArn": "arn:aws:ecs:us-west-2:1:attachment/a",
        "ipv4Addresses": [{"privateAddress": "10.0.0.5", "primary": true}], "subnetGatewayIpv4Address": "10.0.0.1/24",
    })
}

fn interfaces() -> Value {
    json!({
        "messageId": "m", "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE,
        "taskArn": "arn:aws:ecs:us-west-2:1:task/lab/a", "waitTimeoutMs": 60_000,
        "elasticNetworkInterfaces": [interface()],
    })
}

const OF_TASK: &str = "AttachTaskNetworkInterfacesMessage";
const OF_INSTANCE: &str = "AttachInstanceNetworkInterfacesMessage";

#[test]
fn check_064_080_and_083_a_message_about_interfaces_is_acknowledged_and_nothing_is_reported() {
    let of_instance = changed(interfaces(), |it| {
        drop(it.as_object_mut().unwrap().remove("taskArn"));
    });
    for (kind, message) in [(OF_TASK, interfaces()), (OF_INSTANCE, of_instance)] {
        for _again in 0..2 {
            let (said, wait) = say(kind, &message);
            assert_eq!(said, ack(), "{kind}");
            assert_eq!(wait, Some(Duration::from_mins(1)));
        }
    }
    let ipv6 = changed(interfaces(), |it| {
        it["elasticNetworkInterfaces"][0]["ipv4Addresses"] = json!([]);
        it["elasticNetworkInterfaces"][0]["ipv6Addresses"] = json!([{"address": "fd00::5"}]);
        it["elasticNetworkInterfaces"][0]["subnetGatewayIpv6Address"] = json!("fd00::1/64");
    });
    assert_eq!(say(OF_TASK, &ipv6).0, ack());
    let vlan = changed(interfaces(), |it| {
        let interface = &mut it["elasticNetworkInterfaces"][0];
        interface["interfaceAssociationProtocol"] = json!("vlan");
        interface["interfaceVlanProperties"] =
            json!({"vlanId": "7", "trunkInterfaceMacAddress": "02:00:00:00:00:02"});
    });
    assert_eq!(say(OF_TASK, &vlan).0, ack());
}

#[test]
fn check_081_a_message_about_interfaces_that_lacks_something_is_not_acknowledged() {
    let whole = |change: &dyn Fn(&mut Value)| changed(interfaces(), |it| change(it));
    let interface = |name: &'static str, value: Value| {
        changed(interfaces(), |it| {
            it["elasticNetworkInterfaces"][0][name] = value;
        })
    };
    for message in [
        whole(&|it| it["messageId"] = json!("")),
        whole(&|it| it["clusterArn"] = json!(null)),
        whole(&|it| it["containerInstanceArn"] = json!("")),
        whole(&|it| it["taskArn"] = json!("")),
        whole(&|it| it["waitTimeoutMs"] = json!(0)),
        whole(&|it| it["waitTimeoutMs"] = json!(-5)),
        whole(&|it| it["elasticNetworkInterfaces"] = json!([])),
        interface("macAddress", json!("")),
        interface("ec2Id", json!(null)),
        interface("ipv4Addresses", json!([])),
        interface("subnetGatewayIpv4Address", json!("10.0.0.1")),
        interface("subnetGatewayIpv4Address", json!("10.0.0.1/2/4")),
        interface("interfaceAssociationProtocol", json!("tunnel")),
        interface("interfaceAssociationProtocol", json!("vlan")),
    ] {
        assert_eq!(say(OF_TASK, &message), (Vec::new(), None), "{message}");
    }
}

fn volume() -> Value {
    let properties = [
        ("volumeId", "vol-1"),
        ("volumeSizeGib", "5"),
        ("deviceName", "/dev/nvme1n1"),
        ("sourceVolumeHostPath", "ebs"),
        ("volumeName", "data"),
    ];
    let properties = properties.map(|(name, value)| json!({"name": name, "value": value}));
    json!({
        "messageId": "m", "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE,
        "attachment": {
            "attachmentArn": "arn:aws:ecs:us-west-2:1:attachment/a", "attachmentType": "amazonebs",
            "attachmentProperties": properties,
        },
    })
}

const CONFIRM: &str = "ConfirmAttachmentMessage";

#[test]
fn check_086_a_message_about_a_volume_is_acknowledged_and_has_five_minutes() {
    assert_eq!(
        say(CONFIRM, &volume()),
        (ack(), Some(Duration::from_mins(5)))
    );
    let short = changed(volume(), |it| it["waitTimeoutMs"] = json!(1000));
    assert_eq!(say(CONFIRM, &short), (ack(), Some(Duration::from_secs(1))));
    let other = changed(volume(), |it| {
        it["attachment"]["attachmentType"] = json!("other");
        it["attachment"]["attachmentProperties"] = json!([
            {"name": "resourceType", "value": "ElasticBlockStorage"},
            {"name": "volumeID", "value": "vol-1"}, {"name": "deviceName", "value": "/dev/x"},
        ]);
    });
    assert_eq!(say(CONFIRM, &other).0, ack());
}

#[test]
fn a_message_about_a_volume_that_lacks_something_is_not_acknowledged() {
    let whole = |change: &dyn Fn(&mut Value)| changed(volume(), |it| change(it));
    for message in [
        whole(&|it| it["messageId"] = json!("")),
        whole(&|it| it["clusterArn"] = json!("lab")),
        whole(&|it| it["attachment"] = json!(null)),
        whole(&|it| it["attachment"]["attachmentArn"] = json!("arn:aws")),
        whole(&|it| it["attachment"]["attachmentProperties"][0]["value"] = json!("")),
        whole(&|it| it["attachment"]["attachmentProperties"][4]["name"] = json!("x")),
        whole(&|it| it["attachment"]["attachmentType"] = json!("other")),
        whole(&|it| {
            let more = json!({"name": "fileSystem", "value": "zfs"});
            it["attachment"]["attachmentProperties"]
                .as_array_mut()
                .unwrap()
                .push(more);
        }),
    ] {
        assert_eq!(say(CONFIRM, &message), (Vec::new(), None), "{message}");
    }
}
