//! A refused task definition as `run` and `plan` say it: every reason at once, this host's beside the definition's own.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::input::{DefinitionArgs, InputError};
use crate::app::plan_report::Report;
use crate::app::{plan_print, planner};
use crate::config::Config;
use crate::definition::{Finding, MAX_FILE_BYTES, Severity};
use crate::domain::definition::TaskDefinition;
use crate::domain::fit::{Effect, FitFinding};

/// Longest that this host is waited for: what is refused is refused soon.
const SOON: Duration = Duration::from_secs(2);

/// Every reason.
pub(super) struct Refusal {
    /// For people: the error of the command.
    pub(super) error: InputError,
    /// For programs: a plan without steps.
    pub(super) report: Report,
}

/// Asks this host for its reasons too.
///
/// # Errors
/// Whatever else kept the definition from being read.
pub(super) async fn refusal(
    error: InputError,
    args: &DefinitionArgs,
    config: &Config,
) -> Result<Refusal, InputError> {
    let (path, mut findings, partial) = reasons(error)?;
    // Whoever waits for the definition's own reasons does not wait for a Docker that hangs.
    let asked = tokio::time::timeout(SOON, planner::ask_host(config)).await;
    let silent = || planner::assumed_host(config, Some("it does not answer".to_owned()));
    let host = asked.unwrap_or_else(|_| silent());
    if let Some(partial) = &partial {
        let options = args.task_options();
        findings.extend(planner::reasons(config, &host, partial, &options));
    }
    let definition = match &partial {
        Some(partial) => format!("{}:{}", partial.family, partial.revision),
        None => path.display().to_string(),
    };
    let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) = findings
        .iter()
        .partition(|finding| finding.severity == Severity::Error);
    let refused = errors.into_iter().map(|finding| FitFinding {
        path: finding.path.clone(),
        effect: Effect::Refused,
        message: finding.message.clone(),
        is_dockers: false,
    });
    let warnings = warnings.into_iter();
    let report = Report {
        definition,
        source: host.source,
        trouble: host.trouble,
        warnings: warnings
            .map(|finding| (finding.path.clone(), finding.message.clone()))
            .collect(),
        findings: refused.collect(),
        steps: Vec::new(),
    };
    let error = InputError::Refused {
        path,
        findings,
        partial,
    };
    Ok(Refusal { error, report })
}

/// The file, what is wrong with it, and what could be read of it.
type Reasons = (PathBuf, Vec<Finding>, Option<Box<TaskDefinition>>);

/// A file that is too large is refused as a whole, and not read.
fn reasons(error: InputError) -> Result<Reasons, InputError> {
    match error {
        InputError::Refused {
            path,
            findings,
            partial,
        } => Ok((path, findings, partial)),
        InputError::TooLarge { path } => {
            let whole = Finding {
                path: String::new(),
                severity: Severity::Error,
                message: format!("is larger than {MAX_FILE_BYTES} bytes"),
            };
            Ok((path, vec![whole], None))
        }
        other @ (InputError::Read { .. } | InputError::Flag(_)) => Err(other),
    }
}

/// The plan among the objects that a run prints.
pub(super) fn among_others(report: &Report) -> Value {
    let mut plan = plan_print::json(report);
    if let Some(members) = plan.as_object_mut() {
        members.insert("type".to_owned(), json!("refusal"));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_is_refused_as_a_whole() {
        let path = PathBuf::from("web.json");
        let (file, findings, partial) =
            reasons(InputError::TooLarge { path: path.clone() }).expect("a refusal");
        assert_eq!((file, partial), (path.clone(), None));
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["is larger than 10485760 bytes"]);
        let source = std::io::Error::other("gone");
        assert!(reasons(InputError::Read { path, source }).is_err());
    }
}
