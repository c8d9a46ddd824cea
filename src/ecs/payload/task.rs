//! The task level, and what of it is of no use here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::container::container_tree;
use super::read::Fault;
use super::tree::{
    Members, pass, pass_counts, put, put_list, put_some, take, take_list, take_text,
};
use super::volumes::volume_tree;

/// Members that say nothing about what runs.
const OF_NO_USE: [&str; 9] = [
    "taskClusterArn",
    "zone",
    "taskDefinitionAccountId",
    "overrides",
    "agentConfiguration",
    "group",
    "trustedExecutionConfiguration",
    // The interface of an `awsvpc` task: hosts that cannot have one refuse the network mode.
    "elasticNetworkInterfaces",
    // Those of volumes are looked at before.
    "attachments",
];

/// The tree of the definition, roles left out.
pub(super) fn definition_tree(
    mut task: Members,
    ignored: &mut Vec<String>,
) -> Result<Members, Fault> {
    let mut tree = Members::new();
    put_some(&mut tree, "family", take_text(&mut task, "family"));
    put_some(&mut tree, "revision", revision(&mut task));
    pass(
        &mut task,
        &mut tree,
        &["networkMode", "pidMode", "ipcMode", "enableFaultInjection"],
    );
    put_some(&mut tree, "cpu", cpu_units(&mut task)?);
    pass_counts(&mut task, &mut tree, &["memory"]);
    if let Some(Value::Object(mut proxy)) = take(&mut task, "proxyConfiguration") {
        let name = take_text(&mut proxy, "containerName");
        put(
            &mut tree,
            "proxyConfiguration",
            json!({"containerName": name}),
        );
    }
    let associations = take_list(&mut task, "associations");
    let containers =
        take(&mut task, "containers").ok_or_else(|| Fault::no_task("containers: has none"))?;
    let containers = match containers {
        Value::Array(items) => {
            let mut trees = Vec::with_capacity(items.len());
            for (index, item) in items.into_iter().enumerate() {
                let at = format!("containers[{index}]");
                let mut container = container_tree(item, &at, ignored)?;
                let devices = devices(&associations, &container);
                put_list(&mut container, "resourceRequirements", devices);
                trees.push(Value::Object(container));
            }
            Value::Array(trees)
        }
        // The reader says what is wrong with it.
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => other,
    };
    put(&mut tree, "containerDefinitions", containers);
    let attachments = take_list(&mut task, "attachments");
    let attached = attached(&attachments);
    let volumes = take_list(&mut task, "volumes").into_iter();
    let volumes: Result<Vec<Value>, Fault> = volumes
        .map(|volume| volume_tree(volume, &attached))
        .collect();
    put_list(&mut tree, "volumes", volumes?);
    for name in OF_NO_USE {
        task.remove(name);
    }
    ignored.extend(
        task.into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, _)| name),
    );
    Ok(tree)
}

/// Names of the volumes that come as attachments: they have no type of their own.
fn attached(attachments: &[Value]) -> BTreeSet<&str> {
    let of_volumes = attachments.iter().filter(|attachment| {
        let kind = attachment.get("attachmentType").and_then(Value::as_str);
        matches!(kind, Some("amazonebs" | "s3files"))
    });
    let properties = of_volumes
        .filter_map(|attachment| attachment.get("attachmentProperties")?.as_array())
        .flatten();
    properties
        .filter(|property| property.get("name").and_then(Value::as_str) == Some("volumeName"))
        .filter_map(|property| property.get("value")?.as_str())
        .collect()
}

/// `version` is a text of digits.
fn revision(task: &mut Members) -> Option<u32> {
    let text = take_text(task, "version")?;
    text.parse().ok()
}

/// `cpu` counts vCPUs here.
fn cpu_units(task: &mut Members) -> Result<Option<String>, Fault> {
    match take(task, "cpu") {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(cpus) if cpus.abs() < f64::EPSILON => Ok(None),
            // In the words of task definitions; units are whole, so what is below one is cut.
            Some(cpus) if (0.0..=192.0).contains(&cpus) => {
                Ok(Some(format!("{:.0}", (cpus * 1024.0).floor())))
            }
            Some(_) | None => Err(Fault::no_task(
                "cpu: must be a number of vCPUs from 0 to 192",
            )),
        },
    }
}

/// Devices that an association gives the container.
fn devices(associations: &[Value], container: &Members) -> Vec<Value> {
    let name = container.get("name");
    let has = |association: &&Value| {
        let containers = association.get("containers").and_then(Value::as_array);
        containers.is_some_and(|containers| containers.iter().any(|given| Some(given) == name))
    };
    let kind = |association: &Value| {
        association
            .get("type")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let mine: Vec<String> = associations.iter().filter(has).filter_map(kind).collect();
    let gpus = mine.iter().filter(|kind| *kind == "gpu").count();
    let accelerators = mine.iter().filter(|kind| *kind == "elastic-inference");
    let mut needs: Vec<Value> = accelerators
        .map(|_| json!({"type": "InferenceAccelerator", "value": "elastic-inference"}))
        .collect();
    if gpus > 0 {
        needs.push(json!({"type": "GPU", "value": gpus.to_string()}));
    }
    needs
}
