//! Desired state as the text of the container label `berth.definition`: compact JSON.
//!
//! **Invariants.** Equal desired states give equal texts. A member that is absent has its default, so that an older
//! text reads; a text of a later version does not. What a stop asked for is not in it: what runs decides (ADR 0004).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::boundary::DesiredCodec;
use crate::definition::{canonical, from_canonical};
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::NetworkMode;
use crate::domain::ids::{ContainerName, Generation, TaskArn, UnixMillis};
use crate::domain::status::DesiredStatus;
use crate::domain::task::{DesiredTask, EcsFacts, Origin, TaskOptions};
use crate::domain::task_ids::{EndpointId, TaskIds};

/// Version of the text.
const VERSION: u64 = 1;

/// Longest text that is read, in bytes: Docker carries labels of this size, and no definition is larger.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// The codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelCodec;

impl DesiredCodec for LabelCodec {
    fn encode(&self, desired: &DesiredTask) -> String {
        let text = canonical(&desired.definition);
        // Canonical text is JSON; were it not, the text itself is kept for whoever looks.
        let definition = serde_json::from_str(&text).unwrap_or(Value::String(text));
        json!({
            "v": VERSION,
            "generation": desired.generation.0,
            "arrivedAt": desired.arrived_at.0,
            "origin": origin(&desired.origin),
            "options": options(&desired.options),
            "ids": ids(&desired.ids),
            "definition": definition,
        })
        .to_string()
    }

    fn decode(&self, arn: &TaskArn, text: &str) -> Option<DesiredTask> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let value: Value = serde_json::from_str(text).ok()?;
        if value.get("v")?.as_u64()? != VERSION {
            return None;
        }
        let definition = from_canonical(&value.get("definition")?.to_string()).ok()?;
        let number = |name: &str| value.get(name).and_then(Value::as_i64);
        Some(DesiredTask {
            arn: arn.clone(),
            generation: Generation(value.get("generation")?.as_u64()?),
            definition: Arc::new(definition),
            options: read_options(value.get("options")),
            ids: value.get("ids").map(read_ids).unwrap_or_default(),
            origin: read_origin(value.get("origin")),
            ecs: EcsFacts::default(),
            status: DesiredStatus::Running,
            stop_reason: None,
            remove: false,
            arrived_at: UnixMillis(number("arrivedAt").unwrap_or_default()),
        })
    }
}

fn origin(origin: &Origin) -> Value {
    match origin {
        Origin::Api => json!("api"),
        Origin::Run => json!("run"),
        Origin::File(name) => json!({ "file": name }),
        Origin::Ecs => json!("ecs"),
        Origin::Adopted => json!("adopted"),
    }
}

fn read_origin(value: Option<&Value>) -> Origin {
    let file = value.and_then(|value| value.get("file")?.as_str());
    match (file, value.and_then(Value::as_str)) {
        (Some(name), _) => Origin::File(name.to_owned()),
        (None, Some("api")) => Origin::Api,
        (None, Some("run")) => Origin::Run,
        (None, Some("ecs")) => Origin::Ecs,
        (None, _) => Origin::Adopted,
    }
}

fn options(options: &TaskOptions) -> Value {
    let mut members = Map::new();
    if let Some(mode) = options.network_as {
        members.insert("networkAs".to_owned(), json!(word(mode)));
    }
    if options.ignore_compatibilities {
        members.insert("ignoreCompatibilities".to_owned(), json!(true));
    }
    Value::Object(members)
}

fn read_options(value: Option<&Value>) -> TaskOptions {
    let member = |name: &str| value.and_then(|value| value.get(name));
    let mode = member("networkAs").and_then(Value::as_str);
    TaskOptions {
        network_as: MODES.into_iter().find(|known| Some(word(*known)) == mode),
        ignore_compatibilities: member("ignoreCompatibilities") == Some(&json!(true)),
    }
}

fn ids(ids: &TaskIds) -> Value {
    let endpoints: Map<String, Value> = ids
        .endpoints
        .iter()
        .map(|(container, id)| (container.to_string(), json!(id.expose())))
        .collect();
    json!({
        "taskRole": ids.task_role.as_ref().map(CredentialsId::expose),
        "executionRole": ids.execution_role.as_ref().map(CredentialsId::expose),
        "endpoints": endpoints,
    })
}

/// An id that cannot be read is as good as none: its container keeps running, and what asks with it gets an error.
fn read_ids(value: &Value) -> TaskIds {
    let credentials = |name: &str| CredentialsId::parse(value.get(name)?.as_str()?).ok();
    let endpoints = value.get("endpoints").and_then(Value::as_object);
    TaskIds {
        task_role: credentials("taskRole"),
        execution_role: credentials("executionRole"),
        endpoints: endpoints
            .into_iter()
            .flatten()
            .filter_map(|(name, id)| {
                let id = EndpointId::parse(id.as_str()?).ok()?;
                Some((ContainerName::parse(name).ok()?, id))
            })
            .collect(),
    }
}

const MODES: [NetworkMode; 4] = [
    NetworkMode::Bridge,
    NetworkMode::Host,
    NetworkMode::None,
    NetworkMode::Awsvpc,
];

fn word(mode: NetworkMode) -> &'static str {
    match mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Host => "host",
        NetworkMode::None => "none",
        NetworkMode::Awsvpc => "awsvpc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample;

    #[test]
    fn desired_state_reads_back_as_written() {
        for (origin, network_as, ignore_compatibilities) in [
            (Origin::Api, None, false),
            (Origin::Run, Some(NetworkMode::Bridge), true),
            (
                Origin::File("web site".to_owned()),
                Some(NetworkMode::Host),
                false,
            ),
            (Origin::Adopted, None, true),
        ] {
            let options = TaskOptions {
                network_as,
                ignore_compatibilities,
            };
            let desired = DesiredTask {
                origin,
                ids: some_ids(),
                ..sample::desired(sample::definition(&["app", "db"]), options)
            };
            let text = LabelCodec.encode(&desired);
            assert_eq!(LabelCodec.decode(&desired.arn, &text), Some(desired));
        }
    }

    fn some_ids() -> TaskIds {
        TaskIds {
            task_role: Some(CredentialsId::parse("a19d").unwrap()),
            execution_role: None,
            endpoints: [(sample::name("app"), EndpointId::from_random(7))].into(),
        }
    }

    #[test]
    fn a_text_of_before_there_were_ids_reads_and_has_none() {
        let mut desired = sample::desired(sample::definition(&["app"]), TaskOptions::default());
        desired.ids = some_ids();
        let mut value: Value = serde_json::from_str(&LabelCodec.encode(&desired)).unwrap();
        value.as_object_mut().unwrap().remove("ids");
        let read = LabelCodec.decode(&desired.arn, &value.to_string()).unwrap();
        assert_eq!(read.ids, TaskIds::default());
    }

    #[test]
    fn the_text_is_the_same_for_the_same_state() {
        let desired = sample::desired(sample::definition(&["app"]), TaskOptions::default());
        assert_eq!(
            LabelCodec.encode(&desired),
            LabelCodec.encode(&desired.clone())
        );
    }

    #[test]
    fn damaged_and_later_texts_are_not_read() {
        let desired = sample::desired(sample::definition(&["app"]), TaskOptions::default());
        let text = LabelCodec.encode(&desired);
        for bad in [
            String::new(),
            "{}".to_owned(),
            "[1]".to_owned(),
            text.replace("\"v\":1", "\"v\":2"),
            text.replace("\"definition\"", "\"other\""),
            text.get(..text.len() / 2).unwrap_or_default().to_owned(),
        ] {
            assert_eq!(LabelCodec.decode(&desired.arn, &bad), None, "{bad}");
        }
    }
}
