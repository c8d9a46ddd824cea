//! What is wrong with a task definition, and the collector that every reader writes to.
//!
//! **Invariant.** The collector holds at most [`MAX_FINDINGS`]; what comes after is counted, not kept, so a hostile
//! file cannot make its own complaint list the problem.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use crate::domain::definition::TaskDefinition;

/// Most findings kept of one document: far above what a person reads, far below what fills memory.
const MAX_FINDINGS: usize = 1_000;

/// Longest path kept, in bytes: real ones stay below 100, only a made-up key can be longer.
const MAX_PATH_BYTES: usize = 300;

/// One complaint about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: `containerDefinitions[0].portMappings[1].hostPort`; empty for the whole document.
    pub path: String,
    /// Whether it stops the definition from running.
    pub severity: Severity,
    /// What is wrong and what would be right, as a lower-case fragment.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The definition runs; somebody should look.
    Warning,
    /// The definition is refused.
    Error,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// A refused task definition: every reason, and the warnings beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// At least one is an error.
    pub findings: Vec<Finding>,
    /// What could be read of it, never to be run: a host may have further reasons.
    pub partial: Option<Box<TaskDefinition>>,
}

impl Rejected {
    pub(super) fn whole_document(message: impl Into<String>) -> Self {
        Self {
            findings: vec![Finding {
                path: String::new(),
                severity: Severity::Error,
                message: message.into(),
            }],
            partial: None,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Rejected {}

/// What a document is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// A person's file: ECS' rules apply.
    Input,
    /// Our own canonical text: only what the types cannot hold is refused, so that a rule added later never makes a
    /// stored definition unreadable.
    Stored,
}

/// Collects findings while a document is read.
#[derive(Debug)]
pub(super) struct Notes {
    rules: Rules,
    variables: BTreeMap<String, String>,
    findings: RefCell<Vec<Finding>>,
    left_off: Cell<usize>,
    errors: Cell<usize>,
}

impl Notes {
    pub(super) fn new(rules: Rules, variables: BTreeMap<String, String>) -> Self {
        Self {
            rules,
            variables,
            findings: RefCell::default(),
            left_off: Cell::new(0),
            errors: Cell::new(0),
        }
    }

    /// A collector with the same rules and variables whose findings nobody reads.
    pub(super) fn quiet_twin(&self) -> Self {
        Self::new(self.rules, self.variables.clone())
    }

    /// Values for placeholders.
    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Whether ECS' rules apply, beyond what the types can hold.
    pub(super) fn checks_rules(&self) -> bool {
        self.rules == Rules::Input
    }

    /// Something that cannot be taken.
    pub(super) fn error(&self, path: &str, message: impl Into<String>) {
        self.errors.set(self.errors.get().saturating_add(1));
        self.push(path, Severity::Error, message);
    }

    /// Something that a rule of ECS or Docker forbids, though the types could hold it.
    pub(super) fn rule(&self, path: &str, message: impl Into<String>) {
        if self.checks_rules() {
            self.error(path, message);
        }
    }

    /// Something to look at.
    pub(super) fn warn(&self, path: &str, message: impl Into<String>) {
        if self.checks_rules() {
            self.push(path, Severity::Warning, message);
        }
    }

    /// Whether further findings are only counted: a reason to save the work of wording them.
    pub(super) fn is_full(&self) -> bool {
        self.findings.borrow().len() >= MAX_FINDINGS
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors.get() > 0
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        let left_off = self.left_off.get();
        if left_off > 0 {
            let severity = if self.errors.get() > 0 {
                Severity::Error
            } else {
                Severity::Warning
            };
            findings.push(Finding {
                path: String::new(),
                severity,
                message: format!("and {left_off} more findings, not listed"),
            });
        }
        findings
    }

    fn push(&self, path: &str, severity: Severity, message: impl Into<String>) {
        let mut findings = self.findings.borrow_mut();
        if findings.len() >= MAX_FINDINGS {
            self.left_off.set(self.left_off.get().saturating_add(1));
            return;
        }
        findings.push(Finding {
            path: clip(path, MAX_PATH_BYTES).into_owned(),
            severity,
            message: message.into(),
        });
    }
}

/// The text, cut to at most `limit` bytes and marked where it was cut.
pub(super) fn clip(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(limit);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_findings_beyond_the_limit_and_stays_refused() {
        let notes = Notes::new(Rules::Input, BTreeMap::new());
        for _ in 0..MAX_FINDINGS {
            notes.warn("a", "b");
        }
        assert!(notes.is_full());
        notes.error("a", "the one that counts");
        assert!(notes.has_errors());
        let findings = notes.into_findings();
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        let last = findings.last().unwrap();
        assert_eq!(last.severity, Severity::Error);
        assert_eq!(last.to_string(), "and 1 more findings, not listed");
    }

    #[test]
    fn long_paths_are_cut_between_characters() {
        let notes = Notes::new(Rules::Input, BTreeMap::new());
        notes.error(&"ä".repeat(MAX_PATH_BYTES), "b");
        let findings = notes.into_findings();
        assert_eq!(
            findings[0].path,
            format!("{}…", "ä".repeat(MAX_PATH_BYTES / 2))
        );
    }

    #[test]
    fn stored_documents_are_held_to_no_rules() {
        let notes = Notes::new(Rules::Stored, BTreeMap::new());
        notes.rule("a", "b");
        notes.warn("a", "b");
        assert!(!notes.has_errors());
        assert!(notes.into_findings().is_empty());
    }

    #[test]
    fn prints_one_finding_a_line() {
        let notes = Notes::new(Rules::Input, BTreeMap::new());
        notes.warn("family", "is odd");
        notes.error("", "is no object");
        let rejected = Rejected {
            findings: notes.into_findings(),
            partial: None,
        };
        assert_eq!(
            rejected.to_string(),
            "warning: family: is odd\nis no object"
        );
    }
}
