//! Prints a plan report: for people, and as JSON with every body whole.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::plan_report::{HostSource, Report, Step};
use crate::domain::host::OsType;
use crate::domain::names::LABEL_DEFINITION;

/// For people. The label that holds the whole definition is cut to its length.
///
/// # Errors
/// If it cannot be written.
pub fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Task definition {}", report.definition)?;
    if let HostSource::Assumed(os) = report.source {
        let system = match os {
            OsType::Linux => "Linux",
            OsType::Windows => "Windows",
        };
        writeln!(
            out,
            "Docker does not answer: facts about this host are unknown, a plain {system} host is assumed."
        )?;
        if let Some(trouble) = &report.trouble {
            writeln!(out, "  {trouble}")?;
        }
    }
    if !report.warnings.is_empty() || !report.findings.is_empty() {
        writeln!(out, "\nFindings:")?;
    }
    findings(report, out)?;
    if report.is_refused() {
        return writeln!(
            out,
            "\nThe task is refused on this host; nothing would be done."
        );
    }
    writeln!(out, "\nSteps, each as soon as what it waits for holds:")?;
    for (number, step) in (1_usize..).zip(&report.steps) {
        print_step(number, step, out)?;
    }
    Ok(())
}

/// What the reader had to say and what this host makes of the fields, one line each.
///
/// # Errors
/// If it cannot be written.
pub fn findings(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for (path, message) in &report.warnings {
        match path.as_str() {
            "" => writeln!(out, "  warning  {message}")?,
            path => writeln!(out, "  warning  {path}: {message}")?,
        }
    }
    for finding in &report.findings {
        let effect = finding.effect.as_str();
        writeln!(out, "  {effect:7}  {}: {}", finding.path, finding.message)?;
    }
    Ok(())
}

fn print_step(number: usize, step: &Step, out: &mut dyn Write) -> io::Result<()> {
    match &step.container {
        Some(container) => writeln!(out, "{number:3}. {container}: {}", step.call)?,
        None => writeln!(out, "{number:3}. {}", step.call)?,
    }
    for after in &step.after {
        writeln!(out, "     after {after}")?;
    }
    if let Some(note) = &step.note {
        writeln!(out, "     ({note})")?;
    }
    if let Some(body) = &step.body {
        for line in format!("{:#}", without_definition(body)).lines() {
            writeln!(out, "     {line}")?;
        }
    }
    Ok(())
}

fn without_definition(body: &Value) -> Value {
    let mut body = body.clone();
    let label = body
        .get_mut("Labels")
        .and_then(|labels| labels.get_mut(LABEL_DEFINITION));
    if let Some(label) = label {
        let length = label.as_str().map_or(0, str::len);
        *label = Value::String(format!("({length} bytes: the definition)"));
    }
    body
}

/// For programs.
pub fn json(report: &Report) -> Value {
    let warnings = report
        .warnings
        .iter()
        .map(|(path, message)| json!({"path": path, "effect": "warning", "message": message}));
    let findings = report.findings.iter().map(|finding| {
        json!({
            "path": finding.path,
            "effect": finding.effect.as_str(),
            "message": finding.message,
        })
    });
    let steps = report.steps.iter().map(|step| {
        json!({
            "container": step.container,
            "after": step.after,
            "call": step.call,
            "note": step.note,
            "body": step.body,
        })
    });
    json!({
        "definition": report.definition,
        "hostKnown": report.source == HostSource::Asked,
        "hostProblem": report.trouble,
        "refused": report.is_refused(),
        "findings": warnings.chain(findings).collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
    })
}
