//! Messages about network interfaces and volumes: whether they are whole, by the rules of the reference agent. Pure.
//!
//! This version makes no attachment: it acknowledges that it heard and reports nothing, and ECS gives up when its time
//! is over.

use std::time::Duration;

use serde_json::Value;

use super::wire::AckRequest;

/// How long ECS waits for a volume where it does not say (reference agent).
const VOLUME_WAIT: Duration = Duration::from_mins(5);

/// What a volume of EBS has.
const EBS: [&str; 5] = [
    "volumeId",
    "volumeSizeGib",
    "deviceName",
    "sourceVolumeHostPath",
    "volumeName",
];

/// What other volumes have, by their kind.
const OTHERS: [(&str, &[&str]); 2] = [
    (
        "EphemeralStorage",
        &[
            "volumeID",
            "deviceName",
            "resourceID",
            "volumeSizeInGiB",
            "requestedSizeInGiB",
        ],
    ),
    ("ElasticBlockStorage", &["volumeID", "deviceName"]),
];

const FILE_SYSTEMS: [&str; 5] = ["xfs", "ext2", "ext3", "ext4", "ntfs"];

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attachment {
    /// The answer.
    pub(super) ack: AckRequest,
    /// How long ECS waits for it.
    pub(super) wait: Duration,
}

/// About network interfaces: of a task, or of the instance.
pub(super) fn interfaces(message: &Value, of_task: bool) -> Result<Attachment, String> {
    let ack = addressed(message)?;
    if of_task {
        text(message, "taskArn")?;
    }
    let wait = wait_of(message).ok_or("waits no time")?;
    let interfaces = list(message, "elasticNetworkInterfaces");
    if interfaces.is_empty() {
        return Err("names no network interface".to_owned());
    }
    interfaces.iter().try_for_each(interface)?;
    Ok(Attachment { ack, wait })
}

fn interface(interface: &Value) -> Result<(), String> {
    let has_ipv4 = !list(interface, "ipv4Addresses").is_empty();
    let has_ipv6 = !list(interface, "ipv6Addresses").is_empty();
    let gateway = match (has_ipv4, has_ipv6) {
        (true, _) => "subnetGatewayIpv4Address",
        (false, true) => "subnetGatewayIpv6Address",
        (false, false) => return Err("has an interface without an address".to_owned()),
    };
    if text(interface, gateway)?.matches('/').count() != 1 {
        return Err(format!("has a {gateway} that is none"));
    }
    text(interface, "macAddress")?;
    text(interface, "ec2Id")?;
    match interface
        .get("interfaceAssociationProtocol")
        .and_then(Value::as_str)
    {
        None | Some("" | "default") => Ok(()),
        Some("vlan") => {
            let vlan = interface.get("interfaceVlanProperties");
            let vlan = vlan.ok_or("lacks interfaceVlanProperties")?;
            text(vlan, "vlanId")?;
            text(vlan, "trunkInterfaceMacAddress").map(|_| ())
        }
        Some(_) => Err("has an interfaceAssociationProtocol that is not supported".to_owned()),
    }
}

/// About a volume.
pub(super) fn volume(message: &Value) -> Result<Attachment, String> {
    let ack = addressed(message)?;
    for member in ["clusterArn", "containerInstanceArn"] {
        arn(message, member)?;
    }
    let attachment = message.get("attachment").ok_or("lacks attachment")?;
    arn(attachment, "attachmentArn")?;
    let properties = list(attachment, "attachmentProperties");
    let mut pairs = Vec::new();
    for property in properties {
        pairs.push((text(property, "name")?, text(property, "value")?));
    }
    let value = |name: &str| {
        let found = pairs.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("lacks the property {name}"))
    };
    let kind = attachment.get("attachmentType").and_then(Value::as_str);
    let needed: &[&str] = if kind == Some("amazonebs") {
        if value("fileSystem").is_ok_and(|system| !FILE_SYSTEMS.contains(&system)) {
            return Err("has a fileSystem that is not supported".to_owned());
        }
        &EBS
    } else {
        let kind = value("resourceType")?;
        let known = OTHERS.iter().find(|(known, _)| *known == kind);
        known.ok_or("has a resourceType that is not known")?.1
    };
    needed.iter().try_for_each(|name| value(name).map(|_| ()))?;
    Ok(Attachment {
        ack,
        wait: wait_of(message).unwrap_or(VOLUME_WAIT),
    })
}

fn addressed(message: &Value) -> Result<AckRequest, String> {
    let member = |name| text(message, name).map(|text| Some(text.to_owned()));
    Ok(AckRequest {
        cluster: member("clusterArn")?,
        container_instance: member("containerInstanceArn")?,
        message_id: member("messageId")?,
    })
}

fn text<'a>(message: &'a Value, member: &str) -> Result<&'a str, String> {
    let text = message.get(member).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| format!("lacks {member}"))
}

fn arn(message: &Value, member: &str) -> Result<(), String> {
    let text = text(message, member)?;
    let whole = text.starts_with("arn:") && text.splitn(6, ':').count() == 6;
    whole
        .then_some(())
        .ok_or_else(|| format!("has a {member} that is no ARN"))
}

fn list<'a>(message: &'a Value, member: &str) -> &'a [Value] {
    let list = message.get(member).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn wait_of(message: &Value) -> Option<Duration> {
    let millis = message.get("waitTimeoutMs")?.as_u64()?;
    (millis > 0).then(|| Duration::from_millis(millis))
}
