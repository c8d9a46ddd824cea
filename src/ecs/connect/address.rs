//! The address of a session: the endpoint that was discovered, and a query. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a value: unreserved characters, as the signature has them too.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What the agent says of itself when it opens an ACS session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcsQuery<'a> {
    /// Short hash of the build.
    pub agent_hash: &'a str,
    /// Version.
    pub agent_version: &'a str,
    /// Cluster as it is configured.
    pub cluster: &'a str,
    /// ARN.
    pub container_instance: &'a str,
    /// Version of Docker; `None` = not known.
    pub docker_version: Option<&'a str>,
    /// Whether credentials of all tasks shall be sent.
    pub send_credentials: bool,
}

/// The address of an ACS session.
pub fn acs_url(endpoint: &str, query: &AcsQuery<'_>) -> String {
    let docker = query
        .docker_version
        .map(|version| format!("DockerVersion: {version}"));
    let parameters = [
        ("agentHash", Some(query.agent_hash)),
        ("agentVersion", Some(query.agent_version)),
        ("clusterArn", Some(query.cluster)),
        ("containerInstanceArn", Some(query.container_instance)),
        ("dockerVersion", docker.as_deref()),
        // 2: the service closes the session when answers to heartbeats are missing.
        ("protocolVersion", Some("2")),
        (
            "sendCredentials",
            Some(if query.send_credentials {
                "true"
            } else {
                "false"
            }),
        ),
        ("seqNum", Some("1")),
    ];
    with_query(endpoint, &parameters)
}

/// What the agent says of itself when it opens a telemetry session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcsQuery<'a> {
    /// Short hash of the build.
    pub agent_hash: &'a str,
    /// Version.
    pub agent_version: &'a str,
    /// Cluster as it is configured.
    pub cluster: &'a str,
    /// ARN.
    pub container_instance: &'a str,
    /// Version of Docker; `None` = not known.
    pub docker_version: Option<&'a str>,
}

/// The address of a telemetry session.
pub fn tcs_url(endpoint: &str, query: &TcsQuery<'_>) -> String {
    let parameters = [
        ("agentHash", Some(query.agent_hash)),
        ("agentVersion", Some(query.agent_version)),
        ("cluster", Some(query.cluster)),
        ("containerInstance", Some(query.container_instance)),
        ("dockerVersion", query.docker_version),
    ];
    with_query(endpoint, &parameters)
}

fn with_query(endpoint: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let slash = if endpoint.ends_with('/') { "" } else { "/" };
    let given = parameters
        .iter()
        .filter_map(|&(name, value)| Some((name, value?)));
    let pairs: Vec<String> = given
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, ESCAPED)))
        .collect();
    format!("{endpoint}{slash}ws?{}", pairs.join("&"))
}
