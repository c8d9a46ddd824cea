//! What Docker says of itself.

use super::super::wire;
use crate::domain::runtime::RuntimeInfo;

/// Docker's answer with the negotiated API version.
pub(in super::super) fn info(
    said: wire::Info,
    engine_version: &str,
    api_version: String,
) -> RuntimeInfo {
    let mut security_options: Vec<String> = said
        .security_options
        .iter()
        .map(|option| security_option(option).to_owned())
        .collect();
    security_options.sort();
    let version = if said.server_version.is_empty() {
        engine_version.to_owned()
    } else {
        said.server_version
    };
    RuntimeInfo {
        version,
        api_version,
        os_type: said.os_type,
        architecture: said.architecture,
        cpus: said.cpus,
        memory_bytes: said.mem_total,
        // Daemons that do not say know only the first.
        cgroup_version: said.cgroup_version.unwrap_or_else(|| "1".to_owned()),
        cgroup_driver: said.cgroup_driver.unwrap_or_else(|| "none".to_owned()),
        log_drivers: said.plugins.log,
        volume_drivers: said.plugins.volume,
        swap_limit: said.swap_limit,
        security_options,
        root_dir: said.docker_root_dir,
        os_version: said.os_version.filter(|text| !text.is_empty()),
        isolation: said.isolation.unwrap_or_default(),
    }
}

/// `name=seccomp,profile=default` since API 1.25, `seccomp` before.
fn security_option(text: &str) -> &str {
    text.split(',')
        .find_map(|part| part.strip_prefix("name="))
        .unwrap_or(text)
}
