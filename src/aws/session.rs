//! What a session of a role is called and carries: pure.

use std::collections::BTreeMap;

use crate::domain::ids::TaskArn;

/// Longest name of a session (the limit of STS).
const MAX_NAME: usize = 64;

/// Longest value of a tag (the limit of STS).
const MAX_TAG_VALUE: usize = 256;

/// Stands for the task's id in names and tags.
const TASK: &str = "{task}";

/// The session's name: the pattern with the task's id in it, with what STS does not allow replaced by `-` and cut.
pub(super) fn name(pattern: &str, owner: &TaskArn) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let text = pattern.replace(TASK, owner.task_id().as_str());
    let mut name: String = text
        .chars()
        .map(|c| if good(c) { c } else { '-' })
        .take(MAX_NAME)
        .collect();
    while name.len() < 2 {
        name.push('-');
    }
    name
}

/// The session's tags.
pub(super) fn tags(
    patterns: &BTreeMap<String, String>,
    owner: &TaskArn,
) -> impl Iterator<Item = (String, String)> {
    let task = owner.task_id().as_str();
    patterns.iter().map(move |(key, value)| {
        let value = value.replace(TASK, task);
        (key.clone(), value.chars().take(MAX_TAG_VALUE).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(id: &str) -> TaskArn {
        TaskArn::parse(&format!("arn:aws:ecs:local:000000000000:task/default/{id}")).unwrap()
    }

    #[test]
    fn a_session_has_a_name_that_sts_takes() {
        for (pattern, id, expected) in [
            ("berth-{task}", "abc", "berth-abc".to_owned()),
            ("{task}@host one", "a", "a@host-one".to_owned()),
            ("", "abc", "--".to_owned()),
            ("x", "abc", "x-".to_owned()),
            ("{task}", &"y".repeat(200), "y".repeat(64)),
        ] {
            assert_eq!(name(pattern, &owner(id)), expected);
        }
    }

    #[test]
    fn tags_can_name_the_task() {
        let patterns = [("task", "{task}"), ("team", "a b")];
        let patterns = patterns.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let tags: Vec<_> = tags(&patterns.into(), &owner("abc")).collect();
        let expected = [("task", "abc"), ("team", "a b")];
        assert_eq!(
            tags,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }
}
