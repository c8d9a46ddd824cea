//! Variables that the agent adds: where a container finds its metadata, its credentials and its region, and which GPUs
//! are its own.
//!
//! **Invariant.** They win over the definition's and the image's, but for the region: who sets one of its two names is
//! left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::container::SpecInputs;
use super::gpus;
use super::mounts::metadata_file;
use crate::domain::definition::ContainerDefinition;
use crate::domain::names::{METADATA_FILE_VARIABLE, metadata_file_in};

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
        let path = metadata_file_in(inputs.host.os_type, &bind.target);
        set(METADATA_FILE_VARIABLE, path);
    }
    if let Some(id) = ids.task_role.as_ref().filter(|_| endpoints.credentials) {
        let path = format!("/v2/credentials/{}", id.expose());
        set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", path);
    }
    if let Some(ids) = gpus::visible(inputs, container) {
        set(gpus::VARIABLE, ids);
    }
    let is_set = |name: &&str| container.environment.contains_key(*name);
    let region = endpoints.region.as_deref().or(inputs.task.arn().region());
    if let Some(region) = region.filter(|_| !REGIONS.iter().any(is_set)) {
        for name in REGIONS {
            set(name, region.to_owned());
        }
    }
    variables
}

/// Those of them that give way to the image: what it sets is known only where it is.
pub(super) fn left_to_image(injected: &BTreeMap<String, String>) -> BTreeSet<String> {
    let regions = REGIONS.into_iter().map(str::to_owned);
    regions.filter(|name| injected.contains_key(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credentials::CredentialsId;
    use crate::domain::host::OsType;
    use crate::domain::ids::TaskArn;
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
        check_on(OsType::Linux, task, endpoints, expected);
    }

    fn check_on(os: OsType, task: &Task, endpoints: Endpoints, expected: &[(&str, &str)]) {
        let mut host = sample::host();
        host.os_type = os;
        let settings = EngineSettings {
            endpoints,
            ..EngineSettings::default()
        };
        let inputs = SpecInputs {
            task,
            layout: &layout(&task.desired),
            host: &host,
            settings: &settings,
            definition_label: "{}",
        };
        let container = task.desired.definition.containers.first().unwrap();
        let found = injected(&inputs, container);
        let regions = expected.iter().filter(|(name, _)| name.ends_with("REGION"));
        let regions: BTreeSet<_> = regions.map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(left_to_image(&found), regions);
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
            log_roles: false,
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
        check(&task(&[]), files.clone(), &[variable]);
        let on_windows = (
            "ECS_CONTAINER_METADATA_FILE",
            r"C:\ProgramData\Amazon\ECS\metadata\00000000-0000-4000-8000-000000000000\ecs-container-metadata.json",
        );
        check_on(OsType::Windows, &task(&[]), files, &[on_windows]);
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
    fn a_task_of_ecs_knows_its_region_where_nobody_has_set_one() {
        let mut task = task(&[]);
        let arn = "arn:aws:ecs:eu-central-1:111122223333:task/lab/0123456789abcdef";
        task.desired.arn = TaskArn::parse(arn).unwrap();
        let of_task = [
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_REGION", "eu-central-1"),
        ];
        check(&task, Endpoints::default(), &of_task);
        let set = Endpoints {
            region: all().region,
            ..Endpoints::default()
        };
        let as_set = [
            ("AWS_DEFAULT_REGION", "us-west-2"),
            ("AWS_REGION", "us-west-2"),
        ];
        check(&task, set, &as_set);
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
