//! One volume of a payload.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::read::Fault;
use super::tree::{Members, put, put_some, take, take_text};

/// The tree of a volume.
pub(super) fn volume_tree(wire: Value, attached: &BTreeSet<&str>) -> Result<Value, Fault> {
    let Value::Object(mut wire) = wire else {
        return Err(Fault::no_task("volumes: has an item that is no object"));
    };
    let name = take_text(&mut wire, "name");
    let name = name.ok_or_else(|| Fault::no_task("invalid Volume; must include a name"))?;
    let attachment = || {
        attached
            .contains(name.as_str())
            .then(|| "attachment".to_owned())
    };
    let kind = take_text(&mut wire, "type").or_else(attachment);
    let mut tree = Members::new();
    put(&mut tree, "name", name);
    match kind.as_deref() {
        None | Some("host") => {
            if let Some(Value::Object(mut host)) = take(&mut wire, "host") {
                let path = take_text(&mut host, "sourcePath");
                put_some(
                    &mut tree,
                    "host",
                    path.map(|path| json!({"sourcePath": path})),
                );
            }
        }
        Some("docker") => {
            let configuration = take(&mut wire, "dockerVolumeConfiguration");
            let configuration = configuration
                .ok_or_else(|| Fault::no_task("invalid volume: empty volume configuration"))?;
            put(&mut tree, "dockerVolumeConfiguration", configuration);
        }
        // This version has none of these, and the host says so where the task is admitted.
        Some("efs") => put(&mut tree, "efsVolumeConfiguration", json!({})),
        Some("fsxWindowsFileServer") => put(
            &mut tree,
            "fsxWindowsFileServerVolumeConfiguration",
            json!({}),
        ),
        Some("ebs" | "amazonebs" | "attachment") => put(&mut tree, "configuredAtLaunch", true),
        Some("s3files") => put(&mut tree, "s3filesVolumeConfiguration", json!({})),
        Some(other) => {
            let other: String = other.chars().take(80).collect();
            return Err(Fault::no_task(format!(
                "unrecognized volume type: {other:?}"
            )));
        }
    }
    Ok(Value::Object(tree))
}
