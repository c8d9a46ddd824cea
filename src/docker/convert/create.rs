//! The body of `POST /containers/create`, whole and as JSON.
//!
//! **Invariants.** A pure function of the spec: equal specs give equal bodies, byte for byte. A parameter that is not
//! set is absent, so that Docker's own default holds. What is not here: which values a spec has (`definition::fit`).

use serde_json::{Map, Value, json};

use super::host_config::host_config;
use crate::domain::definition::HealthCheck;
use crate::domain::port_mapping::Protocol;
use crate::domain::spec::ContainerSpec;

/// The body that creates the container.
pub fn create_body(spec: &ContainerSpec) -> Value {
    let definition = &spec.definition;
    let mut body = Body::default();
    body.set("Image", definition.image.as_str());
    body.set_some("Entrypoint", definition.entry_point.clone());
    body.set_some("Cmd", definition.command.clone());
    let environment = spec.environment.iter();
    body.set_list(
        "Env",
        environment.map(|(name, value)| format!("{name}={value}")),
    );
    body.set_map("Labels", &spec.labels);
    let ports = spec.ports.iter();
    body.set_map(
        "ExposedPorts",
        ports.map(|port| (port_key(port.container_port, port.protocol), json!({}))),
    );
    body.set_some("Healthcheck", definition.health_check.as_ref().map(health));
    body.set_some("User", definition.user.as_deref());
    body.set_some("WorkingDir", definition.working_directory.as_deref());
    body.set_some("Hostname", definition.hostname.as_deref());
    body.set_flag("Tty", definition.pseudo_terminal);
    body.set_flag("OpenStdin", definition.interactive);
    body.set_flag("NetworkDisabled", definition.disable_networking);
    // For stops that are not ours, such as the daemon's own shutdown; ours say how long they wait.
    body.set_some(
        "StopTimeout",
        definition.stop_timeout.map(|timeout| timeout.as_secs()),
    );
    if spec.pause {
        // It only holds namespaces and has nothing to finish.
        body.set("StopSignal", "SIGKILL");
    }
    body.set("HostConfig", host_config(spec));
    body.into_value()
}

/// The spec without the variables that are left to the image, if that sets one of them; `None` = it does not.
pub(in super::super) fn without_image_variables(
    spec: &ContainerSpec,
    image: &[String],
) -> Option<ContainerSpec> {
    let name = |line: &String| {
        spec.left_to_image
            .contains(line.split('=').next()?)
            .then_some(())
    };
    image.iter().find_map(name)?;
    let mut without = spec.clone();
    without
        .environment
        .retain(|name, _| !spec.left_to_image.contains(name));
    Some(without)
}

/// `80/tcp`.
pub(super) fn port_key(port: u16, protocol: Protocol) -> String {
    format!("{port}/{protocol}")
}

/// Docker wants times in nanoseconds, and no command after `NONE`.
fn health(check: &HealthCheck) -> Value {
    if check.command.first().is_some_and(|word| word == "NONE") {
        return json!({ "Test": ["NONE"] });
    }
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut body = Body::default();
    body.set("Test", check.command.clone());
    body.set("Interval", nanos(check.interval));
    body.set("Timeout", nanos(check.timeout));
    if !check.start_period.is_zero() {
        body.set("StartPeriod", nanos(check.start_period));
    }
    body.set("Retries", check.retries);
    body.into_value()
}

/// A JSON object that is built member by member and leaves out what is not set.
#[derive(Default)]
pub(super) struct Body {
    members: Map<String, Value>,
}

impl Body {
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.members.insert(key.to_owned(), value.into());
    }

    pub(super) fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(super) fn set_flag(&mut self, key: &str, value: bool) {
        if value {
            self.set(key, true);
        }
    }

    pub(super) fn set_list<T: Into<Value>>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = T>,
    ) {
        let list: Vec<Value> = values.into_iter().map(Into::into).collect();
        if !list.is_empty() {
            self.set(key, list);
        }
    }

    pub(super) fn set_map<K: ToString, V: MapValue>(
        &mut self,
        key: &str,
        entries: impl IntoIterator<Item = (K, V)>,
    ) {
        let map: Map<String, Value> = entries
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.to_value()))
            .collect();
        if !map.is_empty() {
            self.set(key, map);
        }
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.members)
    }
}

/// What [`Body::set_map`] takes: owned JSON and borrowed texts.
pub(super) trait MapValue {
    fn to_value(self) -> Value;
}

impl MapValue for Value {
    fn to_value(self) -> Value {
        self
    }
}

impl MapValue for &String {
    fn to_value(self) -> Value {
        Value::from(self.as_str())
    }
}
