//! How Docker is told of the GPUs that ECS has chosen for a container (`engine.md` 4.3).

use super::container::SpecInputs;
use crate::domain::definition::ContainerDefinition;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::spec::GpuChoice;
use crate::reconcile::settings::GpuAccess;

/// In which NVIDIA's runtime reads the ids.
pub(super) const VARIABLE: &str = "NVIDIA_VISIBLE_DEVICES";

/// By runtime or as devices; `None` = the container has no GPU.
///
/// # Errors
/// The host gives GPUs by a runtime, and none is set (words of the reference agent).
pub(super) fn choose(
    inputs: &SpecInputs<'_>,
    container: &ContainerDefinition,
) -> Result<Option<GpuChoice>, Reason> {
    if container.gpu_ids.is_empty() {
        return Ok(None);
    }
    match &inputs.settings.gpus {
        GpuAccess::Devices => Ok(Some(GpuChoice::Devices(container.gpu_ids.clone()))),
        GpuAccess::Runtime(name) if name.is_empty() => Err(Reason::new(
            ReasonName::HostConfigError,
            "Runtime is not set for GPU containers",
        )),
        GpuAccess::Runtime(name) => Ok(Some(GpuChoice::Runtime(name.clone()))),
    }
}

/// The content of [`VARIABLE`]; `None` = the container does not get it.
pub(super) fn visible(inputs: &SpecInputs<'_>, container: &ContainerDefinition) -> Option<String> {
    match &inputs.settings.gpus {
        GpuAccess::Runtime(_) if !container.gpu_ids.is_empty() => Some(container.gpu_ids.join(",")),
        GpuAccess::Runtime(_) | GpuAccess::Devices => None,
    }
}
