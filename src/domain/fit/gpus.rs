//! Rule for the GPUs that ECS has chosen for a container: it does not run without one of them.

use super::finding::{Case, Findings};
use crate::domain::host::OsType;

pub(super) fn chosen(case: &Case<'_>, findings: &mut Findings) {
    for (path, container) in case.containers() {
        for (index, id) in container.gpu_ids.iter().enumerate() {
            let why = match (&case.host.gpus, case.host.os_type) {
                (_, OsType::Windows) => "tasks get no GPUs on Windows".to_owned(),
                (None, OsType::Linux) => {
                    "tasks get no GPUs here: ECS_ENABLE_GPU_SUPPORT is not on".to_owned()
                }
                (Some(gpus), OsType::Linux) if gpus.ids.contains(id) => continue,
                (Some(_), OsType::Linux) => {
                    format!("GPU {id} is not in the list of this host's GPUs")
                }
            };
            findings.refused(format!("{path}.gpuIds[{index}]"), why);
        }
    }
}
