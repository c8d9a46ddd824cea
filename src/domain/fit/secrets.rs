//! Rules for values that a task gets from outside its definition: they are got with the execution role.

use super::finding::{Case, Findings};
use crate::domain::secret_place::SecretPlace;

pub(super) fn places_and_roles(case: &Case<'_>, findings: &mut Findings) {
    let lacks = if case.definition.execution_role_arn.is_none() {
        Some("needs executionRoleArn: the role that it is got with")
    } else if !case.policy.execution_roles {
        Some("credentials of roles are not had here")
    } else {
        None
    };
    for (path, container) in case.containers() {
        let options = container.log_configuration.iter();
        let options: Vec<_> = options.flat_map(|log| &log.secret_options).collect();
        let used = [
            ("secrets", !container.secrets.is_empty()),
            (
                "repositoryCredentials",
                container.repository_credentials.is_some(),
            ),
            ("logConfiguration.secretOptions", !options.is_empty()),
        ];
        if let Some(why) = lacks {
            for (field, _) in used.iter().filter(|(_, used)| *used) {
                findings.refused(format!("{path}.{field}"), why);
            }
        }
        let own = container.secrets.iter().enumerate();
        let own = own.map(|(index, used)| (format!("{path}.secrets[{index}]"), used));
        let options = options.into_iter().enumerate().map(|(index, used)| {
            let at = format!("{path}.logConfiguration.secretOptions[{index}]");
            (at, used)
        });
        for (at, used) in own.chain(options) {
            if let Err(words) = SecretPlace::parse(&used.value_from) {
                findings.refused(format!("{at}.valueFrom"), words);
            }
        }
    }
}
