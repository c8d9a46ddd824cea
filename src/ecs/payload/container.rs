//! One container of a payload.

use serde_json::{Value, json};

use super::docker_config;
use super::host_config;
use super::read::Fault;
use super::tree::{Members, pairs, pass, pass_counts, put, put_list, take, take_list, take_text};

/// Members that say nothing about what runs, or say it again.
const OF_NO_USE: [&str; 5] = [
    "healthCheckType",
    // Their effect is in `dockerConfig.hostConfig` (reference agent: not read).
    "linuxParameters",
    "privileged",
    "networkInterfaceNames",
    "logsAuthStrategy",
];

/// The tree of a container definition.
pub(super) fn container_tree(
    wire: Value,
    at: &str,
    ignored: &mut Vec<String>,
) -> Result<Members, Fault> {
    let Value::Object(mut wire) = wire else {
        return Err(Fault::no_task(format!("{at}: is no object")));
    };
    let mut tree = Members::new();
    pass(
        &mut wire,
        &mut tree,
        &[
            "name",
            "image",
            "command",
            "entryPoint",
            "links",
            "dependsOn",
        ],
    );
    pass(
        &mut wire,
        &mut tree,
        &[
            "mountPoints",
            "volumesFrom",
            "environmentFiles",
            "credentialSpecs",
        ],
    );
    pass_counts(
        &mut wire,
        &mut tree,
        &["cpu", "memory", "startTimeout", "stopTimeout"],
    );
    // On the wire what is not there is false.
    let essential = take(&mut wire, "essential").unwrap_or(Value::Bool(false));
    put(&mut tree, "essential", essential);
    put_list(&mut tree, "portMappings", ports(&mut wire));
    if let Some(environment) = take(&mut wire, "environment") {
        let list = match environment {
            Value::Object(map) => Value::Array(pairs(&map, "name")),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)) => other,
        };
        put(&mut tree, "environment", list);
    }
    override_command(take(&mut wire, "overrides"), at, &mut tree)?;
    if let Some(policy) = take(&mut wire, "restartPolicy") {
        put(&mut tree, "restartPolicy", policy);
    }
    let (secrets, log_secrets) = secrets(&mut wire);
    put_list(&mut tree, "secrets", secrets);
    registry(&mut wire, &mut tree);
    if let Some(Value::Object(mut firelens)) = take(&mut wire, "firelensConfiguration") {
        let kind = take_text(&mut firelens, "type");
        put(&mut tree, "firelensConfiguration", json!({"type": kind}));
    }
    docker(&mut wire, at, &mut tree, ignored, log_secrets)?;
    for name in OF_NO_USE {
        wire.remove(name);
    }
    let left = wire.into_iter().filter(|(_, value)| !value.is_null());
    ignored.extend(left.map(|(name, _)| format!("{at}.{name}")));
    Ok(tree)
}

/// What Docker is told, in ECS' words, and with its log driver the secrets that are for it.
fn docker(
    wire: &mut Members,
    at: &str,
    tree: &mut Members,
    ignored: &mut Vec<String>,
    log_secrets: Vec<Value>,
) -> Result<(), Fault> {
    if let Some(Value::Object(mut docker)) = take(wire, "dockerConfig") {
        let mut part =
            |name: &str, words: &str| decode(&mut docker, name, &format!("{at}: {words}"));
        let config = part("config", "Unable decode given docker config")?;
        let host = part("hostConfig", "Unable to decode given host config")?;
        docker_config::overlay(config, at, tree, ignored);
        host_config::overlay(host, at, tree, ignored);
    }
    if let (false, Some(Value::Object(log))) =
        (log_secrets.is_empty(), tree.get_mut("logConfiguration"))
    {
        put(log, "secretOptions", log_secrets);
    }
    Ok(())
}

/// JSON in a text.
fn decode(docker: &mut Members, name: &str, words: &str) -> Result<Members, Fault> {
    let Some(text) = take_text(docker, name) else {
        return Ok(Members::new());
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Null) => Ok(Members::new()),
        Ok(_) => Err(Fault::cannot_run(format!("{words}: is no object"))),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            Err(Fault::cannot_run(format!(
                "{words}: line {line} column {column}"
            )))
        }
    }
}

fn ports(wire: &mut Members) -> Vec<Value> {
    let mut list = take_list(wire, "portMappings");
    for item in &mut list {
        if let Value::Object(mapping) = item {
            // Either a port or a range; the other is zero or empty.
            mapping.retain(|name, value| {
                name == "hostPort" || (value.as_u64() != Some(0) && value != "")
            });
        }
    }
    list
}

/// `overrides` may hold a command and nothing else (reference agent's decoder).
fn override_command(overrides: Option<Value>, at: &str, tree: &mut Members) -> Result<(), Fault> {
    let overrides = match overrides {
        None => return Ok(()),
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|_| Fault::no_task(format!("{at}.overrides: is no JSON")))?,
        Some(other) => other,
    };
    let Value::Object(mut overrides) = overrides else {
        return Err(Fault::no_task(format!("{at}.overrides: is no object")));
    };
    if let Some(command) = take(&mut overrides, "command") {
        put(tree, "command", command);
    }
    match overrides.keys().find(|key| key.as_str() != "command") {
        None => Ok(()),
        Some(key) => {
            let key: String = key.chars().take(80).collect();
            Err(Fault::no_task(format!(
                "{at}.overrides: has the unknown member {key:?}"
            )))
        }
    }
}

/// Secrets of the container and of its log driver.
fn secrets(wire: &mut Members) -> (Vec<Value>, Vec<Value>) {
    let for_log =
        |secret: &Value| secret.get("target").and_then(Value::as_str) == Some("LOG_DRIVER");
    let (log, own): (Vec<Value>, Vec<Value>) =
        take_list(wire, "secrets").into_iter().partition(for_log);
    let plain = |secret: Value| {
        let member = |name: &str| secret.get(name).cloned().unwrap_or_default();
        json!({"name": member("name"), "valueFrom": member("valueFrom")})
    };
    (
        own.into_iter().map(plain).collect(),
        log.into_iter().map(plain).collect(),
    )
}

/// Credentials of a private registry kept in Secrets Manager, or what a token of ECR is asked with.
fn registry(wire: &mut Members, tree: &mut Members) {
    let Some(Value::Object(mut registry)) = take(wire, "registryAuthentication") else {
        return;
    };
    if registry.get("type").and_then(Value::as_str) == Some("ecr") {
        let data = take(&mut registry, "ecrAuthData").unwrap_or_else(|| json!({}));
        let said = json!({"type": "ecr", "ecrAuthData": data});
        put(tree, "registryAuthentication", said);
    } else if let Some(Value::Object(mut asm)) = take(&mut registry, "asmAuthData")
        && let Some(parameter) = take_text(&mut asm, "credentialsParameter")
    {
        put(
            tree,
            "repositoryCredentials",
            json!({"credentialsParameter": parameter}),
        );
    }
}
