//! Reads task definition files and judges them on this host: the reader and the rules that every other way in uses.

use std::sync::Arc;

use crate::definition::{Finding, ParseOptions, Severity, parse};
use crate::domain::definition::TaskDefinition;
use crate::domain::fit::{Effect, FitPolicy, fit};
use crate::domain::host::HostFacts;
use crate::domain::task::TaskOptions;
use crate::standalone::desired::{Draft, Judge, Verdict};

/// The judge of an agent.
#[derive(Clone, Copy, Debug)]
pub struct DefinitionJudge {
    /// What the operator allows.
    pub policy: FitPolicy,
}

impl Judge for DefinitionJudge {
    fn read(&self, name: &str, bytes: &[u8]) -> Result<Draft, Verdict> {
        let options = ParseOptions {
            family_hint: Some(name.to_owned()),
            ..ParseOptions::default()
        };
        match parse(bytes, &options) {
            Ok(parsed) => Ok(Draft {
                definition: Arc::new(parsed.definition),
                warnings: lines(&parsed.warnings),
            }),
            Err(rejected) => {
                let (errors, warnings): (Vec<Finding>, _) = rejected
                    .findings
                    .into_iter()
                    .partition(|finding| finding.severity == Severity::Error);
                Err(Verdict {
                    refused: lines(&errors),
                    warnings: lines(&warnings),
                })
            }
        }
    }

    fn fit(&self, definition: &TaskDefinition, options: &TaskOptions, host: &HostFacts) -> Verdict {
        let mut verdict = Verdict::default();
        for finding in fit(definition, options, host, &self.policy) {
            let line = finding.to_string();
            match finding.effect {
                Effect::Refused => verdict.refused.push(line),
                Effect::Changed | Effect::Ignored => verdict.warnings.push(line),
            }
        }
        verdict
    }
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample;

    const JUDGE: DefinitionJudge = DefinitionJudge {
        policy: FitPolicy {
            disable_privileged: false,
            task_limits: true,
            credentials: false,
            execution_roles: false,
            memory_unbounded: false,
        },
    };

    #[test]
    fn a_file_names_the_family_of_a_definition_without_one() {
        let text =
            br#"{"containerDefinitions": [{"name": "a", "image": "busybox", "memory": 64}]}"#;
        let draft = JUDGE.read("web", text).expect("read");
        assert_eq!(draft.definition.family.as_str(), "web");
        let verdict = JUDGE.fit(&draft.definition, &TaskOptions::default(), &sample::host());
        assert_eq!(verdict.refused, [""; 0]);
    }

    #[test]
    fn every_reason_of_a_bad_file_is_a_line() {
        let text =
            br#"{"containerDefinitions": [{"name": "a b", "image": "UPPER", "memory": 64}]}"#;
        let reasons = JUDGE.read("web", text).expect_err("refused").refused;
        assert!(reasons.len() >= 2, "{reasons:?}");
    }

    #[test]
    fn a_warning_of_a_bad_file_is_no_reason() {
        let text = br#"{"containerDefinitions": [{"name": "a", "image": "busybox", "memory": 64, "colour": 1}],
            "networkMode": "nonsense"}"#;
        let verdict = JUDGE.read("web", text).expect_err("refused");
        let has = |lines: &[String], field: &str| lines.iter().any(|line| line.contains(field));
        assert!(has(&verdict.refused, "networkMode") && !has(&verdict.refused, "colour"));
        assert!(has(&verdict.warnings, "colour"), "{verdict:?}");
    }

    #[test]
    fn what_this_host_cannot_do_is_refused_with_its_field() {
        let text = br#"{"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "containerDefinitions": [{"name": "a", "image": "busybox", "memory": 64}]}"#;
        let draft = JUDGE.read("web", text).expect("read");
        let verdict = JUDGE.fit(&draft.definition, &TaskOptions::default(), &sample::host());
        assert!(
            verdict
                .refused
                .iter()
                .any(|line| line.starts_with("networkMode")),
            "{verdict:?}"
        );
    }
}
