//! Settings in the user data of an EC2 instance: the JSON of a settings file, as one member of a document.

use serde_json::Value;

use super::file::OLD_CLUSTER;

/// The member (reference agent).
const MEMBER: &str = "ECSAgentConfiguration";

/// What a settings file would have of them; `None` = the user data is for somebody else, as most is.
pub fn settings_in(user_data: &str) -> Option<String> {
    let Value::Object(members) = serde_json::from_str(user_data).ok()? else {
        return None;
    };
    let is_ours = |name: &String| name.eq_ignore_ascii_case(MEMBER);
    let (_, ours) = members.into_iter().find(|(name, _)| is_ours(name))?;
    let Value::Object(mut ours) = ours else {
        return None;
    };
    // The older name of the cluster counts in files only (reference agent).
    ours.retain(|name, _| !name.eq_ignore_ascii_case(OLD_CLUSTER));
    Some(Value::Object(ours).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_with_the_member_has_settings() {
        let ours = r#"{"ecsagentconfiguration": {"Cluster": "a", "clusterarn": "b"}, "else": 1}"#;
        assert_eq!(settings_in(ours).as_deref(), Some(r#"{"Cluster":"a"}"#));
        for other in [
            "",
            "#!/bin/sh\necho ECS_CLUSTER=a >> /etc/ecs/ecs.config",
            "{",
            "[]",
            r#"{"Cluster": "a"}"#,
            r#"{"ECSAgentConfiguration": "a"}"#,
        ] {
            assert_eq!(settings_in(other), None, "{other}");
        }
    }
}
