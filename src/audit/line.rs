//! One entry as a line of ten fields (`http-endpoints.md` 3.4): pure.
//!
//! Entries of failures have all ten too, where the reference agent stops after the sixth.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::boundary::credentials::{AuditEntry, AuditEvent};
use crate::domain::credentials::RoleKind;
use crate::domain::ids::UnixMillis;

/// Version of the format.
const VERSION: u8 = 2;

/// Writes lines one after the other.
#[derive(Debug)]
pub(super) struct Lines {
    cluster: String,
    /// ARN of the container instance; empty while it has none.
    instance: String,
    /// The last instant written, in seconds, and its text: most lines of a batch share it.
    second: Option<(i64, String)>,
}

impl Lines {
    pub(super) fn new(cluster: String) -> Self {
        Self {
            cluster,
            instance: String::new(),
            second: None,
        }
    }

    /// The container instance that stands in lines from now on.
    pub(super) fn set_instance(&mut self, arn: Option<String>) {
        self.instance = arn.unwrap_or_default();
    }

    /// Appends the line of an entry.
    pub(super) fn write(&mut self, out: &mut String, entry: &AuditEntry) {
        self.set_second(entry.at);
        let time = self.second.as_ref().map_or("-", |(_, text)| text);
        let owner = entry.owner.as_ref().map(ToString::to_string);
        // Writing to a text does not fail.
        let _written = writeln!(
            out,
            "{time} {} {} {} {} {} {} {VERSION} {} {}",
            entry.status,
            entry.peer,
            Quoted(&entry.path),
            Quoted(&entry.user_agent),
            owner.as_deref().unwrap_or("-"),
            word(entry.event),
            or_dash(&self.cluster),
            or_dash(&self.instance),
        );
    }

    fn set_second(&mut self, at: UnixMillis) {
        let second = at.0.div_euclid(1000);
        if self
            .second
            .as_ref()
            .is_some_and(|(same, _)| *same == second)
        {
            return;
        }
        let text =
            Timestamp::from_second(second).map_or_else(|_| "-".to_owned(), |at| at.to_string());
        self.second = Some((second, text));
    }
}

/// What is not known is a dash.
fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// The reference agent's words where it has them.
fn word(event: AuditEvent) -> &'static str {
    match event {
        AuditEvent::Vended(RoleKind::Task) => "GetCredentials",
        AuditEvent::Vended(RoleKind::Execution) => "GetCredentialsExecutionRole",
        AuditEvent::Refused => "GetCredentialsInvalidRoleType",
        AuditEvent::RateLimited => "RateLimited",
    }
}

/// A text of a stranger between quotation marks, so that it cannot end them or the line.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TaskArn;

    fn entry() -> AuditEntry {
        let arn = "arn:aws:ecs:us-west-2:123456789012:task/lab/05a08064ba3d4371a201e79fe43db2f0";
        AuditEntry {
            at: UnixMillis(1_795_452_712_999),
            status: 200,
            peer: "172.17.0.3:38350".parse().unwrap(),
            path: "/v2/credentials".into(),
            user_agent: "Boto3/1.40 \"quoted\" \\".to_owned(),
            owner: Some(TaskArn::parse(arn).unwrap()),
            event: AuditEvent::Vended(RoleKind::Task),
            against: None,
        }
    }

    fn line(cluster: &str, instance: Option<&str>, entry: &AuditEntry) -> String {
        let mut out = String::new();
        let mut lines = Lines::new(cluster.to_owned());
        lines.set_instance(instance.map(str::to_owned));
        lines.write(&mut out, entry);
        out
    }

    #[test]
    fn a_line_has_the_ten_fields_of_the_reference_agent() {
        assert_eq!(
            line("lab", Some("arn:ci"), &entry()),
            "2026-11-23T16:51:52Z 200 172.17.0.3:38350 \"/v2/credentials\" \"Boto3/1.40 \\\"quoted\\\" \\\\\" \
             arn:aws:ecs:us-west-2:123456789012:task/lab/05a08064ba3d4371a201e79fe43db2f0 GetCredentials 2 lab \
             arn:ci\n"
        );
    }

    #[test]
    fn a_refusal_has_them_too_and_what_is_not_known_is_a_dash() {
        let refused = AuditEntry {
            status: 400,
            user_agent: String::new(),
            owner: None,
            event: AuditEvent::Refused,
            ..entry()
        };
        assert_eq!(
            line("", None, &refused),
            "2026-11-23T16:51:52Z 400 172.17.0.3:38350 \"/v2/credentials\" \"\" - \
             GetCredentialsInvalidRoleType 2 - -\n"
        );
    }

    #[test]
    fn a_user_agent_cannot_make_a_line_of_its_own() {
        let forged = AuditEntry {
            user_agent: "x\"\n2026-11-23T16:51:52Z 200".to_owned(),
            ..entry()
        };
        let line = line("", None, &forged);
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains(r#""x\"\x0a2026"#), "{line}");
    }
}
