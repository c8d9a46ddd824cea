//! Answers what a task would do on this host without an agent: asks Docker what it is, or assumes a plain one
//! of the system that it runs on.
//!
//! **Invariant.** Nothing is made or changed. Cgroups are therefore not tried, only read off Docker's own words.

use std::sync::Arc;

use super::codec::LabelCodec;
use super::instance::instance_of;
use super::place::{data_dir_of, system};
use super::plan_report::{HostSource, Question, Report, report};
use super::settings;
use crate::boundary::{ContainerRuntime, DesiredCodec};
use crate::config::Config;
use crate::definition::{Finding, Severity};
use crate::docker::Docker;
use crate::domain::definition::TaskDefinition;
use crate::domain::fit::{Effect, fit};
use crate::domain::host::{CgroupSupport, HostFacts, OsType};
use crate::domain::ids::{Generation, IdError, TaskArn, TaskId, UnixMillis};
use crate::domain::layout::layout;
use crate::domain::runtime::RuntimeInfo;
use crate::domain::status::DesiredStatus;
use crate::domain::task::{DesiredTask, EcsFacts, Origin, TaskOptions};
use crate::domain::task_ids::TaskIds;
use crate::error::ErrorChain;
use crate::platform::{self, RawFacts, host_facts};
use crate::reconcile::settings::EngineSettings;

/// Stands for the task id in names and labels, since the real one is chosen when the task is started.
const PLACEHOLDER_ID: &str = "00000000000000000000000000000000";

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

/// Asks Docker what it is. Where it does not answer, a plain host of this system stands in.
pub async fn ask_host(config: &Config) -> KnownHost {
    let docker = Docker::new(settings::docker(config, ""));
    let answer = match docker {
        Ok(docker) => docker.info().await,
        Err(error) => Err(error),
    };
    let (info, trouble) = match answer {
        Ok(info) => (info, None),
        Err(error) => (plain(system()), Some(ErrorChain(&error).to_string())),
    };
    known_host(config, &info, trouble)
}

/// A plain host of this system, where Docker has not answered an agent yet; `trouble` says why, as far as that is known.
pub fn assumed_host(config: &Config, trouble: Option<String>) -> KnownHost {
    let trouble = trouble.unwrap_or_else(|| "it has not been asked yet".to_owned());
    known_host(config, &plain(system()), Some(trouble))
}

fn known_host(config: &Config, info: &RuntimeInfo, trouble: Option<String>) -> KnownHost {
    let settings = settings::facts(config);
    let list = settings.gpu_list.as_deref();
    // The agent and `berth doctor` say what is wrong with it.
    let gpus = list.map(|list| platform::listed_gpus(list).unwrap_or_default());
    let facts = host_facts(RawFacts {
        info,
        capacity: platform::capacity(),
        os_version: &platform::os_version(),
        cgroups: cgroups(info, platform::is_root()),
        dynamic_ports: platform::dynamic_ports(),
        gpus: gpus.as_ref(),
        settings: &settings,
    });
    let source = match trouble {
        Some(_) => HostSource::Assumed(facts.os_type),
        None => HostSource::Asked,
    };
    KnownHost {
        facts,
        source,
        trouble,
    }
}

/// Reasons of that host against a definition that is refused already, so that all are said at once.
pub fn reasons(
    config: &Config,
    host: &KnownHost,
    partial: &TaskDefinition,
    options: &TaskOptions,
) -> Vec<Finding> {
    let engine = settings::engine(config, &instance_of(&data_dir_of(config)));
    fit(partial, options, &host.facts, &engine.fit_policy())
        .into_iter()
        .filter(|finding| finding.effect == Effect::Refused)
        .map(|finding| Finding {
            path: finding.path,
            severity: Severity::Error,
            message: finding.message,
        })
        .collect()
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
        ecs: EcsFacts::default(),
        status: DesiredStatus::Running,
        stop_reason: None,
        remove: false,
        arrived_at: UnixMillis(0),
    };
    let layout = layout(&desired);
    let names = layout.containers.iter().map(|container| &container.name);
    desired.ids = TaskIds::placeholders(names, &desired.definition);
    let engine: EngineSettings = settings::engine(config, &instance_of(&data_dir_of(config)));
    let label = LabelCodec.encode(&desired);
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

/// Docker as a fresh installation has it.
fn plain(os: OsType) -> RuntimeInfo {
    match os {
        OsType::Linux => plain_linux(),
        OsType::Windows => plain_windows(),
    }
}

fn plain_windows() -> RuntimeInfo {
    RuntimeInfo {
        os_type: "windows".to_owned(),
        cgroup_version: String::new(),
        cgroup_driver: String::new(),
        log_drivers: [
            "awslogs",
            "fluentd",
            "gelf",
            "json-file",
            "local",
            "splunk",
            "syslog",
        ]
        .map(str::to_owned)
        .into(),
        swap_limit: false,
        security_options: Vec::new(),
        root_dir: r"C:\ProgramData\docker".to_owned(),
        isolation: "process".to_owned(),
        ..plain_linux()
    }
}

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
    async fn without_docker_a_plain_host_of_this_system_is_assumed() {
        let dir = tempfile::tempdir().expect("a directory");
        let nobody = match system() {
            OsType::Linux => format!("unix://{}/docker.sock", dir.path().display()),
            OsType::Windows => "npipe:////./pipe/no-docker.sock".to_owned(),
        };
        let texts = [("DOCKER_HOST".to_owned(), nobody)];
        let config = Config::read(&Strings::new().below(SettingOrigin::Environment, texts));
        let host = ask_host(&config).await;
        assert_eq!(host.source, HostSource::Assumed(system()));
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

    /// What is for Windows is not refused on Windows because its Docker is not running yet.
    #[test]
    fn a_plain_host_of_windows_takes_what_is_for_windows() {
        let config = Config::read(&Strings::new());
        for (os, fits) in [(OsType::Windows, true), (OsType::Linux, false)] {
            let host = known_host(&config, &plain(os), Some("away".to_owned()));
            assert_eq!(host.source, HostSource::Assumed(os));
            let mut definition = sample::definition(&["app"]);
            definition.runtime_platform.operating_system_family =
                Some("WINDOWS_SERVER_2022_CORE".to_owned());
            definition.placement_constraints = vec!["ecs.os-type == 'windows'".to_owned()];
            let report = answer(
                &config,
                &host,
                definition,
                TaskOptions::default(),
                Vec::new(),
            );
            assert_eq!(!report.expect("an answer").is_refused(), fits, "{os:?}");
        }
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
