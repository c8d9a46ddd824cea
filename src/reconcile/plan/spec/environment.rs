//! Variables that the agent adds: where a container finds its metadata, its credentials and its region.
//!
//! **Invariant.** They win over the definition's, but for the region: who sets one of its two names is left alone.

use std::collections::BTreeMap;

use super::container::SpecInputs;
use super::mounts::metadata_file;
use crate::domain::definition::ContainerDefinition;
use crate::domain::names::{METADATA_FILE, METADATA_FILE_VARIABLE};

/// The address that containers know, from the days of the first agent.
const BASE: &str = "http://169.254.170.2";

/// What SDKs put into their user agent (reference: the control plane sets it for EC2 and external instances).
const EXECUTION_ENVIRONMENT: &str = "AWS_ECS_EC2";

const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The variables for a container of the definition.
pub(super) fn injected(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> BTreeMap<String, String> {
    let (ids, endpoints) = (&inputs.task.desired.ids, &inputs.settings.endpoints);
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
    if let Some(id) = ids
        .endpoints
        .get(&container.name)
        .filter(|_| endpoints.metadata)
    {
        let id = id.expose();
        set("ECS_CONTAINER_METADATA_URI", format!("{BASE}/v3/{id}"));
        set("ECS_CONTAINER_METADATA_URI_V4", format!("{BASE}/v4/{id}"));
        set("ECS_AGENT_URI", format!("{BASE}/api/{id}"));
        set("AWS_EXECUTION_ENV", EXECUTION_ENVIRONMENT.to_owned());
    }
    if let Some(bind) = metadata_file(inputs, container) {
        let path = format!("{}/{METADATA_FILE}", bind.target);
        set(METADATA_FILE_VARIABLE, path);
    }
    if let Some(id) = ids.task_role.as_ref().filter(|_| endpoints.credentials) {
        let path = format!("/v2/credentials/{}", id.expose());
        set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", path);
    }
    let is_set = |name: &&str| container.environment.contains_key(*name);
    if let Some(region) = endpoints
        .region
        .as_ref()
        .filter(|_| !REGIONS.iter().any(is_set))
    {
        for name in REGIONS {
            set(name, region.clone());
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credentials::CredentialsId;
    use crate::domain::layout::layout;
    use crate::domain::sample;
    use crate::domain::task::Task;
    use crate::domain::task_ids::EndpointId;
    use crate::reconcile::settings::{Endpoints, EngineSettings};

    fn task(user: &[(&str, &str)]) -> Task {
        let mut definition = sample::definition(&["app"]);
        for container in &mut definition.containers {
            let user = user
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            container.environment = user.collect();
        }
        let mut task = sample::task(definition);
        task.desired.ids.task_role = Some(CredentialsId::parse("role-id").unwrap());
        task.desired.ids.execution_role = Some(CredentialsId::parse("execution-id").unwrap());
        let endpoint = EndpointId::from_random(0);
        task.desired.ids.endpoints = [(sample::name("app"), endpoint)].into();
        task
    }

    fn check(task: &Task, endpoints: Endpoints, expected: &[(&str, &str)]) {
        let settings = EngineSettings {
            endpoints,
            ..EngineSettings::default()
        };
        let inputs = SpecInputs {
            task,
            layout: &layout(&task.desired),
            host: &sample::host(),
            settings: &settings,
            definition_label: "{}",
        };
        let container = task.desired.definition.containers.first().unwrap();
        let found = injected(&inputs, container);
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    fn all() -> Endpoints {
        Endpoints {
            metadata: true,
            credentials: true,
            region: Some("us-west-2".to_owned()),
            metadata_files: None,
        }
    }

    const METADATA: [(&str, &str); 4] = [
        ("AWS_EXECUTION_ENV", "AWS_ECS_EC2"),
        (
            "ECS_AGENT_URI",
            "http://169.254.170.2/api/00000000-0000-4000-8000-000000000000",
        ),
        (
            "ECS_CONTAINER_METADATA_URI",
            "http://169.254.170.2/v3/00000000-0000-4000-8000-000000000000",
        ),
        (
            "ECS_CONTAINER_METADATA_URI_V4",
            "http://169.254.170.2/v4/00000000-0000-4000-8000-000000000000",
        ),
    ];

    #[test]
    fn a_container_is_told_what_is_served_and_no_more() {
        check(&task(&[]), Endpoints::default(), &[]);
        let metadata = Endpoints {
            metadata: true,
            ..Endpoints::default()
        };
        check(&task(&[]), metadata, &METADATA);
        let credentials = Endpoints {
            credentials: true,
            ..Endpoints::default()
        };
        let path = (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "/v2/credentials/role-id",
        );
        check(&task(&[]), credentials, &[path]);
    }

    #[test]
    fn a_container_is_told_where_its_metadata_file_is() {
        let files = Endpoints {
            metadata_files: Some("/data/metadata".to_owned()),
            ..Endpoints::default()
        };
        let variable = (
            "ECS_CONTAINER_METADATA_FILE",
            "/opt/ecs/metadata/00000000-0000-4000-8000-000000000000/ecs-container-metadata.json",
        );
        check(&task(&[]), files, &[variable]);
    }

    #[test]
    fn a_region_of_the_user_is_left_alone() {
        let region = || Endpoints {
            region: all().region,
            ..Endpoints::default()
        };
        let both = [
            ("AWS_DEFAULT_REGION", "us-west-2"),
            ("AWS_REGION", "us-west-2"),
        ];
        check(&task(&[]), region(), &both);
        check(&task(&[("AWS_REGION", "eu-west-1")]), region(), &[]);
        check(&task(&[("AWS_DEFAULT_REGION", "")]), region(), &[]);
    }

    #[test]
    fn a_task_without_role_or_ids_gets_neither_credentials_nor_endpoints() {
        let mut task = task(&[("AWS_REGION", "x")]);
        task.desired.ids.task_role = None;
        check(&task, all(), &METADATA);
        task.desired.ids = crate::domain::task_ids::TaskIds::default();
        check(&task, all(), &[]);
    }
}
