//! From sections of the settings to what each component takes. Pure.

use std::path::{Path, PathBuf};

use super::by_system::{front_port, reserved_ports};
use super::instance::instance_of;
use super::place::system;
use super::registry_auth;
use crate::api::task_server::limits::{Rate, RateLimits};
use crate::audit::AuditConfig;
use crate::aws::{CallConfig, HostSettings, InstanceMetadata, StsConfig};
use crate::config::Config;
use crate::config::credentials::{InstanceMetadataSetting, StsSection};
use crate::config::sections::ReplaceStopped;
use crate::credentials::CredentialsConfig;
use crate::docker::{Deadlines, DockerConfig};
use crate::domain::registry::RegistryLogin;
use crate::images::config::{CleanupConfig, ImagesConfig};
use crate::platform::rotating::FileConfig;
use crate::platform::{FactSettings, HostOptions, UsageOptions};
use crate::reconcile::settings::EngineSettings;
use crate::standalone::plan::Policy;
use crate::stats::StatsConfig;
use crate::vault::VaultConfig;

/// File of the record of requests for credentials, in the data directory.
const AUDIT_LOG: &str = "audit.log";

/// Directory of sealed credentials, in the data directory.
const SEALED: &str = "sealed";

/// The container engine's adapter, for containers of that instance.
pub fn docker(config: &Config, instance: &str) -> DockerConfig {
    DockerConfig {
        endpoint: config.docker.host.clone(),
        deadlines: Deadlines {
            create: config.docker.create_timeout,
            start: config.docker.start_timeout,
            manifest: config.images.manifest_timeout,
            pull_total: config.images.pull_timeout,
            pull_idle: config.images.pull_inactivity,
            ..Deadlines::default()
        },
        ..DockerConfig::new(instance)
    }
}

/// The operator's logins at registries.
pub fn logins(config: &Config) -> Vec<RegistryLogin> {
    let text = config.docker.registry_auth.as_ref();
    text.map_or_else(Vec::new, registry_auth::logins)
}

/// Calls for tasks.
pub fn calls(config: &Config) -> CallConfig {
    CallConfig {
        ecr: config.services.ecr.clone(),
        ssm: config.services.ssm.clone(),
        secrets_manager: config.services.secrets_manager.clone(),
        region: config.engine.endpoints.region.clone(),
        fips: config.network.fips,
        dual_stack: config.network.dual_stack,
        host: own(config),
    }
}

/// Where the host's own credentials are looked for.
pub fn own(config: &Config) -> HostSettings {
    HostSettings {
        metadata: instance_metadata(&config.instance_metadata),
        profile: config.profile.clone(),
    }
}

/// The engine, for containers of that instance.
pub fn engine(config: &Config, instance: &str) -> EngineSettings {
    EngineSettings {
        instance: instance.to_owned(),
        ..config.engine.clone()
    }
}

/// Images.
pub fn images(config: &Config) -> ImagesConfig {
    let section = &config.images;
    let cleanup = match &section.cleanup {
        None => CleanupConfig {
            enabled: false,
            ..CleanupConfig::default()
        },
        Some(cleanup) => CleanupConfig {
            enabled: true,
            interval: cleanup.interval,
            minimum_age: cleanup.minimum_age,
            per_cycle: cleanup.per_cycle,
            excluded: cleanup.excluded.iter().cloned().collect(),
            untracked: cleanup.untracked_minimum_age.is_some(),
            untracked_minimum_age: cleanup
                .untracked_minimum_age
                .unwrap_or(CleanupConfig::default().untracked_minimum_age),
            ..CleanupConfig::default()
        },
    };
    ImagesConfig {
        behavior: config.engine.pull_behavior,
        inactivity: section.pull_inactivity,
        total: section.pull_timeout,
        manifest: section.manifest_timeout,
        max_parallel: section.parallel_pulls,
        cleanup,
        disk_use_interval: section.disk_use_interval,
        ..ImagesConfig::default()
    }
}

/// What the operator says of the host.
pub fn facts(config: &Config) -> FactSettings {
    FactSettings {
        reserved_memory_mib: config.host.reserved_memory_mib,
        reserved_ports: reserved_ports(system(), config),
        front_port: front_port(system(), config),
        reserved_ports_udp: config.host.reserved_ports_udp.iter().copied().collect(),
        dynamic_ports: config.host.dynamic_ports,
        detailed_family: config.host.detailed_family.clone(),
        gpu_list: config.host.gpu_list.clone(),
        attributes: config.host.attributes.clone(),
    }
}

/// How to handle the host.
pub fn host(config: &Config) -> HostOptions {
    let host = &config.host;
    HostOptions::of(
        host.cgroup_path.clone(),
        host.cgroup_cpu_period,
        host.task_pids_limit,
    )
}

/// Where to read what containers use.
pub fn usage(config: &Config) -> UsageOptions {
    UsageOptions::at(config.host.cgroup_path.clone())
}

/// How often to read it.
pub fn stats(config: &Config) -> StatsConfig {
    let usual = StatsConfig::default();
    StatsConfig {
        enabled: config.usage.enabled,
        interval: config.usage.interval.unwrap_or(usual.interval),
        ..usual
    }
}

/// When tasks of files are replaced.
pub fn replacement(config: &Config) -> Policy {
    match config.standalone.replace_stopped {
        ReplaceStopped::Always => Policy::Always,
        ReplaceStopped::OnFailure => Policy::OnFailure,
        ReplaceStopped::Never => Policy::Never,
    }
}

/// Credentials of roles.
pub fn credentials(config: &Config) -> CredentialsConfig {
    CredentialsConfig {
        binding: config.credentials.binding,
        ..CredentialsConfig::default()
    }
}

/// Whether the instance metadata service is asked, and where.
pub fn instance_metadata(setting: &InstanceMetadataSetting) -> InstanceMetadata {
    match setting {
        InstanceMetadataSetting::Off => InstanceMetadata::Off,
        InstanceMetadataSetting::On => InstanceMetadata::Usual,
        InstanceMetadataSetting::At(address) => InstanceMetadata::At(address.clone()),
    }
}

/// Credentials that outlive the agent.
pub fn vault(data_dir: &Path) -> VaultConfig {
    VaultConfig {
        directory: data_dir.join(SEALED),
        key: format!("berth:credentials:{}", instance_of(data_dir)),
    }
}

/// STS.
pub fn sts(config: &Config, section: &StsSection) -> StsConfig {
    StsConfig {
        endpoint: section.endpoint.clone(),
        region: section.region.clone(),
        session_name: section.session_name.clone(),
        duration: section.duration,
        external_id: section.external_id.clone(),
        tags: section.tags.clone(),
        host: own(config),
        ..StsConfig::default()
    }
}

/// How often containers may ask: of both classes alike where the operator says so.
pub fn rates(config: &Config) -> RateLimits {
    let (usual, said) = (RateLimits::default(), config.task_server);
    let rate = |usual: Rate| Rate {
        per_second: said.steady.unwrap_or(usual.per_second),
        burst: said.burst.unwrap_or(usual.burst),
    };
    RateLimits {
        credentials: rate(usual.credentials),
        metadata: rate(usual.metadata),
    }
}

/// The record of requests for credentials.
pub fn audit(config: &Config, data_dir: &Path) -> AuditConfig {
    let section = &config.audit;
    let path = section.path.clone();
    AuditConfig {
        file: section.enabled.then(|| FileConfig {
            path: path.unwrap_or_else(|| data_dir.join(AUDIT_LOG)),
            max_bytes: section.max_bytes,
            max_files: section.max_files,
        }),
        cluster: config.cluster.to_string(),
    }
}

/// Who asks for a data directory, since only root may write in the system's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// Root, or a service of the system.
    System,
    /// Somebody else, with the place for their programs' state if there is one.
    Person(Option<PathBuf>),
}

/// The data directory: the setting, else the system's place, else the user's.
pub fn data_dir(config: &Config, system: &str, user: &User) -> PathBuf {
    match (&config.data_dir, user) {
        (Some(dir), _) => dir.clone(),
        (None, User::Person(Some(state))) => state.join("berth"),
        (None, User::System | User::Person(None)) => PathBuf::from(system),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::host::OsType;

    /// Of Linux; Windows has a few defaults and bounds of its own.
    fn config(pairs: &[(&str, &str)]) -> Config {
        let config = Config::of_environment_on(OsType::Linux, pairs);
        assert_eq!(config.problems, []);
        config
    }

    #[cfg(unix)]
    #[test]
    fn without_settings_components_have_their_own_defaults() {
        let config = config(&[]);
        assert_eq!(images(&config), ImagesConfig::default());
        assert_eq!(docker(&config, "i").deadlines, Deadlines::default());
        assert_eq!(host(&config), HostOptions::default());
        let expected = EngineSettings {
            instance: "i".to_owned(),
            ..EngineSettings::default()
        };
        assert_eq!(engine(&config, "i"), expected);
    }

    #[test]
    fn settings_reach_the_components() {
        let config = config(&[
            ("ECS_CONTAINER_START_TIMEOUT", "1m"),
            ("ECS_IMAGE_PULL_TIMEOUT", "9m"),
            ("ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP", "true"),
            ("NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE", "2h"),
            ("ECS_EXCLUDE_UNTRACKED_IMAGE", "a:1,b"),
            ("ECS_IMAGE_PULL_BEHAVIOR", "once"),
            ("ECS_RESERVED_MEMORY", "64"),
            ("ECS_CGROUP_PATH", "/cg"),
            ("BERTH_REPLACE_STOPPED", "always"),
            ("BERTH_PARALLEL_PULLS", "2"),
            ("ECS_ENGINE_AUTH_TYPE", "docker"),
            (
                "ECS_ENGINE_AUTH_DATA",
                r#"{"r.test": {"username": "u", "password": "p"}}"#,
            ),
        ]);
        let docker = docker(&config, "i");
        assert_eq!(docker.deadlines.start, Duration::from_mins(1));
        assert_eq!(docker.deadlines.pull_total, Duration::from_mins(9));
        assert_eq!(logins(&config).len(), 1);
        let images = images(&config);
        assert_eq!(images.max_parallel, 2);
        assert!(images.cleanup.untracked);
        assert_eq!(
            images.cleanup.untracked_minimum_age,
            Duration::from_hours(2)
        );
        assert_eq!(images.cleanup.excluded.len(), 2);
        assert_eq!(facts(&config).reserved_memory_mib, 64);
        #[cfg(unix)]
        assert_eq!(host(&config).cgroup_root, PathBuf::from("/cg"));
        assert_eq!(replacement(&config), Policy::Always);
    }

    #[test]
    fn a_rate_may_be_half_of_the_usual_one() {
        let usual = RateLimits::default().metadata;
        let steady = usual.per_second.get();
        for (text, expected) in [
            ("0,5", Rate::new(steady, 5)),
            ("7,0", Rate::new(7, usual.burst.get())),
            ("0,0", usual),
        ] {
            let rates = rates(&config(&[("ECS_TASK_METADATA_RPS_LIMIT", text)]));
            assert_eq!((rates.credentials, rates.metadata), (expected, expected));
        }
    }

    #[test]
    fn the_data_directory_is_one_that_the_user_may_write() {
        let (unset, set) = (config(&[]), config(&[("ECS_DATADIR", "/x")]));
        let person = User::Person(Some(PathBuf::from("/users/a/.local/state")));
        for (config, user, expected) in [
            (&set, &person, "/x"),
            (&unset, &User::System, "/var/lib/berth"),
            (&unset, &person, "/users/a/.local/state/berth"),
            (&unset, &User::Person(None), "/var/lib/berth"),
        ] {
            assert_eq!(
                data_dir(config, "/var/lib/berth", user),
                PathBuf::from(expected)
            );
        }
    }
}
