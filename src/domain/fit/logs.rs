//! Rules about log drivers.

use super::finding::{Case, Findings};

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
        if log.driver == "awslogs" && case.host.log_drivers.contains("awslogs") {
            findings.changed(
                format!("{path}.logConfiguration"),
                "Docker itself sends the logs, with its own AWS credentials; if they are not accepted when the \
                 container starts, the host's log failure policy decides how it runs",
            );
        }
    }
}
