//! Plans for the admin API: the report of `berth plan`, over the host as the running engine knows it.

use super::plan_report::{HostSource, Report};
use super::planner::{self, KnownHost};
use crate::api::admin::{PlanOptions, PlanReport, PlanSource, PlanStep};
use crate::config::Config;
use crate::definition::{Finding, ParseOptions, Rejected, Severity, parse};
use crate::reconcile::ReconcilerHandle;

/// Answers from memory.
pub(super) struct EnginePlans {
    config: Config,
    engine: ReconcilerHandle,
}

impl EnginePlans {
    /// Plans by these settings on the engine's host.
    pub(super) fn new(config: Config, engine: ReconcilerHandle) -> Self {
        Self { config, engine }
    }
}

impl PlanSource for EnginePlans {
    fn plan(&self, text: &[u8], options: &PlanOptions) -> Result<PlanReport, Rejected> {
        let how = ParseOptions {
            variables: options.variables.clone(),
            family_hint: options.family_hint.clone(),
        };
        let engine = &self.engine.snapshot().engine;
        let host = match &engine.host {
            Some(facts) => KnownHost {
                facts: facts.as_ref().clone(),
                source: HostSource::Asked,
                trouble: None,
            },
            None => planner::assumed_host(&self.config, engine.runtime_error.clone()),
        };
        let parsed = parse(text, &how).map_err(|mut rejected| {
            if let Some(partial) = &rejected.partial {
                let more = planner::reasons(&self.config, &host, partial, &options.task);
                rejected.findings.extend(more);
            }
            rejected
        })?;
        let (family, revision) = (
            parsed.definition.family.to_string(),
            parsed.definition.revision,
        );
        let task = options.task.clone();
        let report = planner::answer(&self.config, &host, parsed.definition, task, Vec::new());
        let report = report.map_err(|error| Rejected {
            findings: vec![Finding {
                path: String::new(),
                severity: Severity::Error,
                message: error.to_string(),
            }],
            partial: None,
        })?;
        Ok(answer(family, revision, parsed.warnings, report))
    }
}

fn answer(family: String, revision: u32, warnings: Vec<Finding>, report: Report) -> PlanReport {
    let refused = report.is_refused();
    let steps = report
        .steps
        .into_iter()
        .filter(|_| !refused)
        .map(|step| PlanStep {
            container: step.container,
            after: step.after,
            call: step.call,
            note: step.note,
            body: step.body,
        });
    PlanReport {
        family,
        revision,
        warnings,
        findings: report.findings,
        steps: steps.collect(),
    }
}
