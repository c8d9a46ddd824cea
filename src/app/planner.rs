//! Answers what a task would do on this host without an agent: asks Docker what it is, or assumes a plain Linux host.
//!
//! **Invariant.** Nothing is made or changed. Cgroups are therefore not tried, only read off Docker's own words.

use std::sync::Arc;

use super::codec::LabelCodec;
use super::instance::instance_of;
use super::place::data_dir_of;
use super::plan_report::{HostSource, Question, Report, report};
use super::settings;
use crate::boundary::{ContainerRuntime, DesiredCodec};
use crate::config::Config;
use crate::docker::Docker;
use crate::domain::definition::TaskDefinition;
use crate::domain::host::{CgroupSupport, HostFacts};
use crate::domain::ids::{Generation, IdError, TaskArn, TaskId, UnixMillis};
use crate::domain::layout::layout;
use crate::domain::runtime::RuntimeInfo;
use crate::domain::status::DesiredStatus;
use crate::domain::task::{DesiredTask, Origin, TaskOptions};
use crate::domain::task_ids::TaskIds;
use crate::error::ErrorChain;
use crate::platform::{self, RawFacts, host_facts};
use crate::reconcile::settings::EngineSettings;

/// Stands for the task id in names and labels, since the real one is chosen when the task is started.
const PLACEHOLDER_ID: &str = "00000000000000000000000000000000";

/// Most bytes of labels in one plan: definitions of ECS stay below 64 KiB, with a hundred containers 6 MiB.
const MAX_LABELS_BYTES: usize = 64 * 1024 * 1024;

/// What is known of the host.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownHost {
    /// Facts.
    pub facts: HostFacts,
    /// Where they come from.
    pub source: HostSource,
    /// Why Docker could not be asked.
    pub trouble: Option<String>,
}

/// Docker could not be asked what it is, so that nothing can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Docker cannot be used: {0}")]
pub struct NoRuntime(pub String);

/// Asks Docker what it is. Where it does not answer, a plain Linux host stands in.
pub async fn ask_host(config: &Config) -> KnownHost {
    let docker = Docker::new(settings::docker(config, ""));
    let answer = match docker {
        Ok(docker) => docker.info().await,
        Err(error) => Err(error),
    };
    let (info, trouble) = match answer {
        Ok(info) => (info, None),
        Err(error) => (plain_linux(), Some(ErrorChain(&error).to_string())),
    };
    known_host(config, &info, trouble)
}

/// A plain Linux host, where Docker has not answered an agent yet; `trouble` says why, as far as that is known.
pub fn assumed_host(config: &Config, trouble: Option<String>) -> KnownHost {
    let trouble = trouble.unwrap_or_else(|| "it has not been asked yet".to_owned());
    known_host(config, &plain_linux(), Some(trouble))
}

fn known_host(config: &Config, info: &RuntimeInfo, trouble: Option<String>) -> KnownHost {
    let facts = host_facts(RawFacts {
        info,
        capacity: platform::capacity(),
        os_version: &platform::os_version(),
        cgroups: cgroups(info, platform::is_root()),
        dynamic_ports: platform::dynamic_ports(),
        settings: &settings::facts(config),
    });
    let source = match trouble {
        Some(_) => HostSource::Assumed,
        None => HostSource::Asked,
    };
    KnownHost {
        facts,
        source,
        trouble,
    }
}

/// What a task would do on that host.
///
/// # Errors
/// None in practice: the placeholder is a task id.
pub fn answer(
    config: &Config,
    host: &KnownHost,
    definition: TaskDefinition,
    options: TaskOptions,
    warnings: Vec<(String, String)>,
) -> Result<Report, IdError> {
    let mut desired = DesiredTask {
        arn: TaskArn::standalone(&config.cluster, &TaskId::parse(PLACEHOLDER_ID)?),
        generation: Generation(1),
        definition: Arc::new(definition),
        options,
        ids: TaskIds::default(),
        origin: Origin::Run,
        status: DesiredStatus::Running,
        stop_reason: None,
        remove: false,
        arrived_at: UnixMillis(0),
    };
    let has_role = desired.definition.task_role_arn.is_some();
    let layout = layout(&desired);
    let names = layout.containers.iter().map(|container| &container.name);
    desired.ids = TaskIds::placeholders(names, has_role);
    let engine: EngineSettings = settings::engine(config, &instance_of(&data_dir_of(config)));
    let label = shown_label(LabelCodec.encode(&desired), layout.containers.len());
    let report = report(&Question {
        desired,
        warnings,
        host: &host.facts,
        source: host.source,
        settings: &engine,
        definition_label: &label,
    });
    Ok(Report {
        trouble: host.trouble.clone(),
        ..report
    })
}

/// The label of every container, or what stands for it where so many copies of so long a text would fill memory.
fn shown_label(label: String, containers: usize) -> String {
    if label.len().saturating_mul(containers) > MAX_LABELS_BYTES {
        format!("({} bytes: the definition)", label.len())
    } else {
        label
    }
}

/// What cgroups there would be, by what Docker says. The agent tries them when it starts.
fn cgroups(info: &RuntimeInfo, is_root: bool) -> CgroupSupport {
    if !is_root || info.os_type == "windows" {
        return CgroupSupport::None;
    }
    match (info.cgroup_version.as_str(), info.cgroup_driver.as_str()) {
        ("1", _) => CgroupSupport::V1,
        ("2", "systemd") => CgroupSupport::V2Systemd,
        ("2", "cgroupfs") => CgroupSupport::V2Cgroupfs,
        _ => CgroupSupport::None,
    }
}

/// Docker as a fresh installation on Linux has it.
fn plain_linux() -> RuntimeInfo {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    RuntimeInfo {
        version: String::new(),
        api_version: String::new(),
        os_type: "linux".to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        cpus: 0,
        memory_bytes: 0,
        cgroup_version: "2".to_owned(),
        cgroup_driver: "systemd".to_owned(),
        log_drivers: words(&[
            "awslogs",
            "fluentd",
            "gelf",
            "journald",
            "json-file",
            "local",
            "splunk",
            "syslog",
        ]),
        volume_drivers: words(&["local"]),
        swap_limit: true,
        security_options: words(&["name=seccomp,profile=default"]),
        root_dir: "/var/lib/docker".to_owned(),
        os_version: None,
        isolation: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin as SettingOrigin, Strings};
    use crate::domain::sample;

    #[tokio::test]
    async fn without_docker_a_plain_linux_host_is_assumed() {
        let dir = tempfile::tempdir().expect("a directory");
        let nobody = format!("unix://{}/docker.sock", dir.path().display());
        let texts = [("DOCKER_HOST".to_owned(), nobody)];
        let config = Config::read(&Strings::new().below(SettingOrigin::Environment, texts));
        let host = ask_host(&config).await;
        assert_eq!(host.source, HostSource::Assumed);
        let trouble = host.trouble.clone().expect("a reason");
        assert!(trouble.contains("docker.sock"), "{trouble}");
        let definition = sample::definition(&["app"]);
        let report = answer(
            &config,
            &host,
            definition,
            TaskOptions::default(),
            Vec::new(),
        );
        let report = report.expect("an answer");
        assert!(!report.is_refused(), "{report:?}");
        assert_eq!(report.steps.len(), 3);
    }

    #[test]
    fn a_plan_does_not_hold_a_long_definition_for_each_of_many_containers() {
        assert_eq!(shown_label("{}".to_owned(), 500), "{}");
        let long = "x".repeat(MAX_LABELS_BYTES / 500 + 1);
        assert_eq!(shown_label(long.clone(), 499).len(), long.len());
        assert_eq!(shown_label(long, 500), "(134218 bytes: the definition)");
    }

    #[test]
    fn cgroups_are_read_off_what_docker_says() {
        for (version, driver, is_root, expected) in [
            ("1", "cgroupfs", true, CgroupSupport::V1),
            ("2", "systemd", true, CgroupSupport::V2Systemd),
            ("2", "cgroupfs", true, CgroupSupport::V2Cgroupfs),
            ("2", "none", true, CgroupSupport::None),
            ("2", "systemd", false, CgroupSupport::None),
        ] {
            let info = RuntimeInfo {
                cgroup_version: version.to_owned(),
                cgroup_driver: driver.to_owned(),
                ..plain_linux()
            };
            assert_eq!(cgroups(&info, is_root), expected, "{version} {driver}");
        }
    }
}
