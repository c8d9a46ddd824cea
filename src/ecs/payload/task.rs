//! The task level, and what of it is of no use here.

use std::collections::{BTreeMap, BTreeSet};

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
    let containers = container_trees(containers, &associations, ignored)?;
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

/// The containers, each with the devices that ECS has chosen for it.
fn container_trees(
    containers: Value,
    associations: &[Value],
    ignored: &mut Vec<String>,
) -> Result<Value, Fault> {
    let items = match containers {
        Value::Array(items) => items,
        // The reader says what is wrong with it.
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => return Ok(other),
    };
    let mut gpus = gpus(associations)?;
    let mut trees = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let at = format!("containers[{index}]");
        let mut container = container_tree(item, &at, ignored)?;
        let accelerators = accelerators(associations, &container);
        put_list(&mut container, "resourceRequirements", accelerators);
        let name = container.get("name").and_then(Value::as_str);
        let own = name.and_then(|name| gpus.remove(name));
        put_list(&mut container, "gpuIds", own.unwrap_or_default());
        trees.push(Value::Object(container));
    }
    match gpus.into_iter().next() {
        None => Ok(Value::Array(trees)),
        Some((name, ids)) => {
            let id = ids.first().and_then(Value::as_str).unwrap_or_default();
            Err(Fault::cannot_run(format!(
                "could not find container with name {name} for associating GPU {id}"
            )))
        }
    }
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

/// Ids of GPUs by the name of the container that each is for, which is one alone (reference agent).
fn gpus(associations: &[Value]) -> Result<BTreeMap<&str, Vec<Value>>, Fault> {
    let mut gpus: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for association in associations.iter().filter(|it| is_of_type(it, "gpu")) {
        let id = association.get("name").and_then(Value::as_str);
        let id = id.unwrap_or_default();
        match containers_of(association) {
            [Value::String(container)] => gpus.entry(container).or_default().push(id.into()),
            _ => {
                return Err(Fault::cannot_run(format!(
                    "could not associate multiple containers to GPU {id}"
                )));
            }
        }
    }
    Ok(gpus)
}

/// Requirements of accelerators that associations stand for.
fn accelerators(associations: &[Value], container: &Members) -> Vec<Value> {
    let name = container.get("name");
    let mine = |association: &&Value| {
        let mut containers = containers_of(association).iter();
        is_of_type(association, "elastic-inference") && containers.any(|given| Some(given) == name)
    };
    let mine = associations.iter().filter(mine);
    mine.map(|_| json!({"type": "InferenceAccelerator", "value": "elastic-inference"}))
        .collect()
}

fn is_of_type(association: &Value, kind: &str) -> bool {
    association.get("type").and_then(Value::as_str) == Some(kind)
}

fn containers_of(association: &Value) -> &[Value] {
    let containers = association.get("containers").and_then(Value::as_array);
    containers.map(Vec::as_slice).unwrap_or_default()
}
