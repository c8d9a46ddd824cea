//! Log driver and options, and the driver that stands in when the chosen one refuses to start.

use crate::domain::definition::ContainerDefinition;
use crate::domain::spec::{ContainerSpec, LogChoice};

const MODE: &str = "mode";

const NON_BLOCKING: &str = "non-blocking";

const MAX_BUFFER_SIZE: &str = "max-buffer-size";

/// Buffer of a non-blocking driver (reference agent: 10m unless given).
const BUFFER_SIZE: &str = "10m";

/// Drivers that write locally and cannot be down; they keep Docker's default mode.
const LOCAL_DRIVERS: [&str; 3] = ["none", "json-file", "local"];

/// The container's log settings; `None` leaves the choice to Docker.
///
/// Drivers that send logs away are non-blocking unless the definition says otherwise (the ECS default since 2025),
/// so a slow backend loses lines instead of stopping the process.
pub(super) fn choose(container: &ContainerDefinition) -> Option<LogChoice> {
    let log = container.log_configuration.as_ref()?;
    let mut options = log.options.clone();
    if !LOCAL_DRIVERS.contains(&log.driver.as_str()) {
        options
            .entry(MODE.to_owned())
            .or_insert_with(|| NON_BLOCKING.to_owned());
    }
    if options.get(MODE).is_some_and(|mode| mode == NON_BLOCKING) {
        options
            .entry(MAX_BUFFER_SIZE.to_owned())
            .or_insert_with(|| BUFFER_SIZE.to_owned());
    }
    Some(LogChoice {
        driver: log.driver.clone(),
        options,
    })
}

/// The same container with logs in capped local files: what `LogFailurePolicy::Degrade` starts instead.
#[must_use]
pub fn degraded_log(spec: ContainerSpec) -> ContainerSpec {
    ContainerSpec {
        log: Some(LogChoice {
            driver: "json-file".to_owned(),
            options: [("max-size", "10m"), ("max-file", "2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }),
        ..spec
    }
}
