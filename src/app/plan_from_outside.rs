//! What a planned task gets from outside its definition: values of secrets, and logins of registries.
//!
//! **Invariant.** Nothing is fetched: a plan names what would be asked for, with whose credentials, and shows where a
//! value would go.

use super::plan_report::{Question, Step};
use crate::boundary::secrets::SecretValues;
use crate::domain::definition::ContainerDefinition;
use crate::domain::registry::{ExecutionRole, RegistryAccess, execution_role};
use crate::domain::secret::Secret;
use crate::domain::spec::ContainerSpec;
use crate::reconcile::plan::spec::with_secrets;

/// Stands where a value would go.
const STAND_IN: &str = "(secret)";

/// Values of variables and log options, got before the container is made.
pub(super) fn values(question: &Question<'_>, container: &ContainerDefinition) -> Option<Step> {
    let role = execution_role(&question.desired);
    let names: Vec<&str> = container
        .secrets_used()
        .map(|used| used.name.as_str())
        .collect();
    let places = container
        .secrets_used()
        .map(|used| format!("{} from {}", used.name, used.value_from));
    (!names.is_empty()).then(|| Step {
        note: Some(places.collect::<Vec<_>>().join(", ")),
        ..Step::new(
            Some(&container.name),
            format!("get {} with {}", names.join(", "), whose(role.as_ref())),
        )
    })
}

/// The login that the image is pulled with.
pub(super) fn login(question: &Question<'_>, container: &ContainerDefinition) -> Option<Step> {
    let roles = question.settings.execution_roles;
    let access = RegistryAccess::of(container, &question.desired, roles);
    let role = whose(access.role());
    let (call, note) = match &access {
        RegistryAccess::Operator => return None,
        RegistryAccess::Secret(secret) => (
            format!(
                "get the registry's login from {} with {role}",
                secret.parameter
            ),
            None,
        ),
        RegistryAccess::Ecr(ecr) => (
            format!("get a token of ECR in {} with {role}", ecr.region),
            ecr.implied
                .then(|| "unless a login is set for this registry".to_owned()),
        ),
    };
    Some(Step {
        note,
        ..Step::new(Some(&container.name), call)
    })
}

fn whose(role: Option<&ExecutionRole>) -> &str {
    role.map_or("this host's credentials", |role| role.arn.as_str())
}

/// The spec with a stand-in wherever a value would go.
pub(super) fn with_stand_ins(spec: &ContainerSpec) -> ContainerSpec {
    let stand_in = || Secret::new(STAND_IN.to_owned());
    let places = spec.definition.secrets_used();
    let values = SecretValues(
        places
            .map(|used| (used.value_from.clone(), stand_in()))
            .collect(),
    );
    with_secrets(spec, &values).unwrap_or_else(|_missing| spec.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::app::plan_report::{HostSource, report};
    use crate::domain::definition::{LogConfiguration, SecretRef};
    use crate::domain::image::ImageRef;
    use crate::domain::sample;
    use crate::domain::task::TaskOptions;
    use crate::domain::task_ids::TaskIds;
    use crate::reconcile::settings::EngineSettings;

    const ROLE: &str = "arn:aws:iam::123456789012:role/pull";

    /// Steps of a task with one container, which is changed so, and an execution role.
    fn steps(change: impl FnOnce(&mut ContainerDefinition)) -> Vec<Step> {
        let mut definition = sample::definition(&["app"]);
        definition.execution_role_arn = Some(ROLE.to_owned());
        change(&mut definition.containers[0]);
        let ids = TaskIds::placeholders(std::iter::empty(), &definition);
        let mut desired = sample::desired(definition, TaskOptions::default());
        desired.ids = ids;
        let report = report(&Question {
            desired,
            warnings: Vec::new(),
            host: &sample::host(),
            source: HostSource::Asked,
            settings: &EngineSettings::default(),
            definition_label: "{}",
        });
        assert!(!report.is_refused(), "{report:?}");
        report.steps
    }

    fn calls(steps: &[Step]) -> Vec<&str> {
        let calls = steps.iter().map(|step| step.call.as_str());
        calls.filter(|call| call.starts_with("get ")).collect()
    }

    fn used(name: &str) -> SecretRef {
        SecretRef {
            name: name.to_owned(),
            value_from: format!("/{name}"),
        }
    }

    #[test]
    fn secrets_are_got_between_pull_and_create_and_stand_in_its_body() {
        let steps = steps(|app| {
            app.secrets = vec![used("KEY"), used("PASS")];
            app.log_configuration = Some(LogConfiguration {
                driver: "json-file".to_owned(),
                options: std::collections::BTreeMap::new(),
                secret_options: vec![used("tag")],
            });
        });
        assert_eq!(calls(&steps), [format!("get KEY, PASS, tag with {ROLE}")]);
        assert_eq!(
            steps[1].note.as_deref(),
            Some("KEY from /KEY, PASS from /PASS, tag from /tag")
        );
        let body: &Value = steps[2].body.as_ref().expect("a body");
        let lines: Vec<&str> = body["Env"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(lines.contains(&"KEY=(secret)"), "{lines:?}");
        assert!(lines.contains(&"PASS=(secret)"), "{lines:?}");
        assert_eq!(body["HostConfig"]["LogConfig"]["Config"]["tag"], STAND_IN);
    }

    #[test]
    fn logins_of_registries_are_got_before_the_pull() {
        let mine = steps(|app| app.repository_credentials = Some("my-login".to_owned()));
        let expected = format!("get the registry's login from my-login with {ROLE}");
        assert_eq!(mine[0].call, expected);
        assert!(mine[1].call.starts_with("POST /images/create"), "{mine:?}");

        let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";
        let ecr = steps(|app| app.image = ImageRef::parse(image).expect("an image"));
        assert_eq!(
            ecr[0].call,
            format!("get a token of ECR in eu-west-1 with {ROLE}")
        );
        assert_eq!(calls(&steps(|_| ())), [""; 0]);
    }
}
