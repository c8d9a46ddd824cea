//! Rules about log drivers.

use super::finding::{Case, Findings};
use crate::domain::host::OsType;

/// The driver that Linux alone has.
pub(super) const JOURNALD: &str = "journald";

pub(super) fn driver(case: &Case<'_>, findings: &mut Findings) {
    for (path, container) in case.containers() {
        let Some(log) = &container.log_configuration else {
            continue;
        };
        let path = format!("{path}.logConfiguration.logDriver");
        match log.driver.as_str() {
            "awsfirelens" => findings.refused(path, "not supported yet by this version"),
            // Docker does not list `none`, which every engine has.
            "none" => {}
            // In the words of the engine, by `windows`.
            JOURNALD if case.host.os_type == OsType::Windows => {}
            driver if !case.host.log_drivers.contains(driver) => findings.refused(
                path,
                format!("Docker on this host has no log driver {driver:?}"),
            ),
            _ => {}
        }
    }
}

pub(super) fn policy(case: &Case<'_>, findings: &mut Findings) {
    for (path, container) in case.containers() {
        let Some(log) = &container.log_configuration else {
            continue;
        };
        let prefixed = log.options.contains_key("awslogs-stream-prefix");
        if log.driver == "awslogs" && prefixed {
            findings.changed(
                format!("{path}.logConfiguration.options.awslogs-stream-prefix"),
                "becomes the stream PREFIX/CONTAINER/TASK-ID, as ECS makes it: Docker does not know the option",
            );
        }
        if log.driver == "awslogs" && case.host.log_drivers.contains("awslogs") {
            findings.changed(
                format!("{path}.logConfiguration"),
                "Docker itself sends the logs, with the execution role where it can ask the agent for it, else with \
                 its own AWS credentials; if they are not accepted when the container starts, the host's log failure \
                 policy decides how it runs",
            );
        }
    }
}
