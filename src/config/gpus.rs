//! Settings of GPUs: where they are listed, and how Docker is told of those of a container.

use std::path::PathBuf;

use super::connected::ConnectedSection;
use super::ecs_env as env;
use super::reader::Reader;
use super::source::Origin;
use crate::reconcile::settings::GpuAccess;

/// Where the set-up of ECS instances lists the GPUs of the host; ECS agents know no other place.
const LIST: &str = "/var/lib/ecs/gpu/nvidia-gpu-info.json";

/// The file that lists the GPUs which tasks may have; `None` = tasks get none.
pub(super) fn list(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let asks = reader.truth(&env::GPU_SUPPORT);
    reader
        .is_done_on_linux(&env::GPU_SUPPORT, asks)
        .then(|| PathBuf::from(LIST))
}

/// How Docker is told of them: external instances have no runtime of their own for it.
pub(super) fn access(reader: &mut Reader<'_>, connected: Option<&ConnectedSection>) -> GpuAccess {
    let runtime = reader.text(&env::NVIDIA_RUNTIME).unwrap_or_default();
    let is_given = reader.origin(&env::NVIDIA_RUNTIME) != Origin::Default;
    reader.is_done_on_linux(&env::NVIDIA_RUNTIME, is_given);
    if connected.is_some_and(|section| section.external) {
        GpuAccess::Devices
    } else {
        GpuAccess::Runtime(runtime)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Origin, Strings};
    use super::*;
    use crate::domain::host::OsType;

    fn check(
        os: OsType,
        pairs: &[(&str, &str)],
        list: Option<&str>,
        access: &GpuAccess,
        problems: &[&str],
    ) {
        let config = Config::of_environment_on(os, pairs);
        assert_eq!(config.host.gpu_list.as_deref(), list.map(Path::new));
        assert_eq!(config.engine.gpus, *access, "{pairs:?}");
        let told: Vec<String> = config
            .problems
            .iter()
            .map(|problem| format!("{} {}", problem.setting, problem.message))
            .collect();
        assert_eq!(told, problems);
    }

    fn runtime(name: &str) -> GpuAccess {
        GpuAccess::Runtime(name.to_owned())
    }

    #[test]
    fn gpus_are_off_unless_asked_for_and_have_a_runtime_but_on_external_instances() {
        let on = ("ECS_ENABLE_GPU_SUPPORT", "true");
        let named = ("ECS_NVIDIA_RUNTIME", " mine ");
        let lab = ("ECS_CLUSTER", "lab");
        let linux = OsType::Linux;
        check(linux, &[], None, &runtime("nvidia"), &[]);
        check(linux, &[on], Some(LIST), &runtime("nvidia"), &[]);
        check(linux, &[on, lab, named], Some(LIST), &runtime("mine"), &[]);
        let blank = ("ECS_NVIDIA_RUNTIME", " ");
        check(linux, &[on, blank], Some(LIST), &runtime("nvidia"), &[]);
        let external = [on, lab, ("ECS_EXTERNAL", "true")];
        check(linux, &external, Some(LIST), &GpuAccess::Devices, &[]);
        let perhaps = ("ECS_ENABLE_GPU_SUPPORT", "perhaps");
        let words = Config::of_environment_on(linux, &[perhaps]).problems;
        assert!(words[0].message.ends_with("the default (false) counts"));
    }

    #[test]
    fn on_windows_they_have_no_effect_and_that_is_told() {
        let windows = OsType::Windows;
        check(windows, &[], None, &runtime(""), &[]);
        let off = [("ECS_ENABLE_GPU_SUPPORT", "false")];
        check(windows, &off, None, &runtime(""), &[]);
        let config = Config::of_environment_on(
            windows,
            &[
                ("ECS_ENABLE_GPU_SUPPORT", "true"),
                ("ECS_NVIDIA_RUNTIME", "mine"),
            ],
        );
        assert_eq!(config.host.gpu_list, None);
        let told: Vec<String> = config
            .problems
            .iter()
            .map(|problem| format!("{} {}", problem.setting, problem.message))
            .collect();
        assert_eq!(
            told,
            [
                "ECS_ENABLE_GPU_SUPPORT \"true\" has no effect on Windows; the default (false) counts",
                "ECS_NVIDIA_RUNTIME \"mine\" has no effect on Windows; it counts as not given",
            ]
        );
    }

    #[test]
    fn the_json_file_has_keys_of_its_own_for_them() {
        let (strings, refused) = Config::add_file(
            Strings::new(),
            Origin::File,
            Path::new("ecs.config.json"),
            r#"{"GPUSupportEnabled": true, "NvidiaRuntime": "mine"}"#,
        );
        assert_eq!(refused, []);
        let config = Config::read_on(OsType::Linux, &strings);
        assert_eq!(config.problems, []);
        assert_eq!(config.host.gpu_list.as_deref(), Some(Path::new(LIST)));
        assert_eq!(config.engine.gpus, runtime("mine"));
    }
}
