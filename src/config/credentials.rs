//! Settings of credentials of roles: where they come from, who gets them, how often, and the record of it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::ecs_env as env;
use super::reader::Reader;
use crate::credentials::BindingMode;

/// Credentials of roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsSection {
    /// Where they come from.
    pub source: CredentialsFrom,
    /// Who gets them.
    pub binding: BindingMode,
    /// Whether they outlive a crash of the agent.
    pub keep: bool,
}

/// Where credentials of roles come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsFrom {
    /// STS.
    Sts(StsSection),
    /// This file.
    Dev(PathBuf),
    /// Nowhere: roles are not served.
    Off,
}

/// STS, and the credentials it is asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsSection {
    /// Address; `None` = the region's.
    pub endpoint: Option<String>,
    /// Region; `None` = as AWS programs on this host.
    pub region: Option<String>,
    /// Life of credentials, 15 minutes to 12 hours.
    pub duration: Duration,
    /// Name of sessions, with `{task}` for the task's id.
    pub session_name: String,
    /// External id.
    pub external_id: Option<String>,
    /// Tags of sessions.
    pub tags: BTreeMap<String, String>,
}

/// `BERTH_INSTANCE_METADATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceMetadataSetting {
    /// It is not asked.
    Off,
    /// At its usual address.
    On,
    /// There.
    At(String),
}

/// Where the services are that are called for tasks; `None` = where the region has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicesSection {
    /// ECR.
    pub ecr: Option<String>,
    /// Systems Manager.
    pub ssm: Option<String>,
    /// Secrets Manager.
    pub secrets_manager: Option<String>,
}

/// What containers ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskServerSection {
    /// Requests a second, for one task and path; `None` = the default.
    pub steady: Option<NonZeroU32>,
    /// Requests at once; `None` = the default.
    pub burst: Option<NonZeroU32>,
    /// Each container gets a file with its metadata.
    pub metadata_files: bool,
}

/// The record of requests for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSection {
    /// Whether it is kept.
    pub enabled: bool,
    /// Its file; `None` = in the data directory.
    pub path: Option<PathBuf>,
    /// Size at which the file is set aside, in bytes.
    pub max_bytes: u64,
    /// How many of those are kept.
    pub max_files: u32,
}

/// Where the instance metadata service is asked. `connected` = whether there is connected mode on a host of EC2.
pub(super) fn instance_metadata(
    reader: &mut Reader<'_>,
    connected: bool,
) -> InstanceMetadataSetting {
    let known = |text: &str| match text {
        "auto" | "on" | "true" | "off" | "false" => Ok(text.to_owned()),
        address if is_http(address) => Ok(text.to_owned()),
        _ => Err("is neither auto nor off nor on nor an address that begins with http".to_owned()),
    };
    let given = reader.parsed(&env::INSTANCE_METADATA, known);
    let given = given.unwrap_or_default();
    let usual = match address(reader, &env::METADATA_ENDPOINT) {
        Some(address) => InstanceMetadataSetting::At(address),
        None => InstanceMetadataSetting::On,
    };
    let asked = match given.as_str() {
        "on" | "true" => usual,
        "auto" if connected => usual,
        address if is_http(address) => InstanceMetadataSetting::At(given),
        _ => InstanceMetadataSetting::Off,
    };
    // The SDK has this word, and it is the last.
    if reader.truth(&env::METADATA_DISABLED) {
        return InstanceMetadataSetting::Off;
    }
    asked
}

pub(super) fn credentials(reader: &mut Reader<'_>) -> CredentialsSection {
    let sts = sts(reader);
    let file = reader.path(&env::CREDENTIALS_FILE);
    let source = match (reader.word(&env::CREDENTIALS), file) {
        ("dev", Some(path)) => CredentialsFrom::Dev(path),
        // Who asks for made-up credentials must not be given real ones.
        ("dev", None) => {
            reader.replace(&env::CREDENTIALS, "needs BERTH_CREDENTIALS_FILE", "off");
            CredentialsFrom::Off
        }
        ("off", _) => CredentialsFrom::Off,
        _ => CredentialsFrom::Sts(sts),
    };
    CredentialsSection {
        source,
        keep: reader.truth(&env::CREDENTIALS_KEEP),
        binding: match reader.word(&env::CREDENTIALS_BINDING) {
            "audit" => BindingMode::Audit,
            "off" => BindingMode::Off,
            _ => BindingMode::Enforce,
        },
    }
}

fn sts(reader: &mut Reader<'_>) -> StsSection {
    StsSection {
        endpoint: address(reader, &env::STS_ENDPOINT),
        region: reader.text(&env::STS_REGION),
        duration: reader.duration(&env::ROLE_DURATION),
        session_name: reader.text(&env::ROLE_SESSION_NAME).unwrap_or_default(),
        external_id: reader.text(&env::ROLE_EXTERNAL_ID),
        tags: reader.attributes(&env::ROLE_TAGS),
    }
}

pub(super) fn services(reader: &mut Reader<'_>) -> ServicesSection {
    ServicesSection {
        ecr: address(reader, &env::ECR_ENDPOINT),
        ssm: address(reader, &env::SSM_ENDPOINT),
        secrets_manager: address(reader, &env::SECRETS_ENDPOINT),
    }
}

fn address(reader: &mut Reader<'_>, setting: &'static env::Setting) -> Option<String> {
    reader.parsed(setting, |text| {
        let why = "is no address that begins with http:// or https://";
        is_http(text)
            .then(|| text.to_owned())
            .ok_or_else(|| why.to_owned())
    })
}

fn is_http(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

pub(super) fn task_server(reader: &mut Reader<'_>) -> TaskServerSection {
    let (steady, burst) = reader.rate(&env::TASK_SERVER_RATE);
    TaskServerSection {
        steady,
        burst,
        metadata_files: reader.truth(&env::METADATA_FILES),
    }
}

pub(super) fn audit(reader: &mut Reader<'_>) -> AuditSection {
    let megabytes = reader.number(&env::LOG_FILE_SIZE);
    AuditSection {
        enabled: !reader.truth(&env::AUDIT_LOG_DISABLED),
        path: reader.path(&env::AUDIT_LOG),
        max_bytes: megabytes.saturating_mul(1_000_000),
        max_files: u32::try_from(reader.number(&env::LOG_ROLL_COUNT)).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn sts(config: Config) -> StsSection {
        let CredentialsFrom::Sts(section) = config.credentials.source else {
            panic!("another source");
        };
        section
    }

    #[test]
    fn without_settings_roles_come_from_sts_and_never_by_way_of_the_instance() {
        let config = Config::of_environment(&[]);
        assert_eq!(config.credentials.binding, BindingMode::Enforce);
        assert!(config.credentials.keep);
        assert_eq!(config.engine.credentials_wait, Duration::from_mins(5));
        let server = config.task_server;
        assert_eq!((server.steady, server.burst), (None, None));
        assert_eq!(
            config.audit,
            AuditSection {
                enabled: true,
                path: None,
                max_bytes: 5_000_000,
                max_files: 24,
            }
        );
        assert_eq!(config.instance_metadata, InstanceMetadataSetting::Off);
        let sts = sts(config);
        assert_eq!(sts.duration, Duration::from_hours(1));
        assert_eq!(sts.session_name, "berth-{task}");
        assert_eq!(
            (sts.endpoint, sts.region, sts.external_id),
            (None, None, None)
        );
    }

    #[test]
    fn sources_are_chosen_by_a_word_and_a_file() {
        let dev = [
            ("BERTH_CREDENTIALS", "dev"),
            ("BERTH_CREDENTIALS_FILE", "/c.json"),
        ];
        assert_eq!(
            Config::of_environment(&dev).credentials.source,
            CredentialsFrom::Dev(PathBuf::from("/c.json"))
        );
        assert_eq!(
            Config::of_environment(&[("BERTH_CREDENTIALS", "off")])
                .credentials
                .source,
            CredentialsFrom::Off
        );
        let without = Config::of_environment(&dev[..1]);
        assert_eq!(
            without.problems[0].message,
            "\"dev\" needs BERTH_CREDENTIALS_FILE; off counts"
        );
        assert_eq!(without.credentials.source, CredentialsFrom::Off);
    }

    #[test]
    fn what_sts_is_told_can_be_set_within_bounds() {
        let config = Config::of_environment(&[
            ("ECS_ALTERNATE_CREDENTIAL_PROFILE", "edge"),
            ("BERTH_STS_ENDPOINT", "http://127.0.0.1:5000"),
            ("BERTH_STS_REGION", "eu-west-1"),
            ("BERTH_ROLE_DURATION", "1m"),
            ("BERTH_ROLE_TAGS", r#"{"a": "b"}"#),
            ("BERTH_ROLE_EXTERNAL_ID", "x"),
            ("BERTH_INSTANCE_METADATA", "http://127.0.0.1:1"),
        ]);
        let at = InstanceMetadataSetting::At("http://127.0.0.1:1".to_owned());
        assert_eq!(config.instance_metadata, at);
        assert_eq!(config.profile.as_deref(), Some("edge"));
        let set = sts(config);
        assert_eq!(set.endpoint.as_deref(), Some("http://127.0.0.1:5000"));
        assert_eq!(set.region.as_deref(), Some("eu-west-1"));
        assert_eq!(set.duration, Duration::from_mins(15));
        assert_eq!(set.tags, [("a".to_owned(), "b".to_owned())].into());
        assert_eq!(set.external_id.as_deref(), Some("x"));
        let longest = sts(Config::of_environment(&[("BERTH_ROLE_DURATION", "99h")]));
        assert_eq!(longest.duration, Duration::from_hours(12));
    }

    #[test]
    fn the_instance_is_asked_where_a_host_of_ec2_connects_unless_somebody_says_otherwise() {
        use InstanceMetadataSetting::{At, Off, On};
        let at = || At("http://127.0.0.1:1".to_owned());
        let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
        let lab = ("ECS_CLUSTER", "lab");
        for (pairs, expected) in [
            (&[][..], Off),
            (&[lab], On),
            (&[lab, ("ECS_EXTERNAL", "true")], Off),
            (&[lab, ("BERTH_INSTANCE_METADATA", "off")], Off),
            (&[("BERTH_INSTANCE_METADATA", "on")], On),
            (&[lab, endpoint], at()),
            (&[endpoint], Off),
            (&[endpoint, ("BERTH_INSTANCE_METADATA", "on")], at()),
            (&[lab, endpoint, ("AWS_EC2_METADATA_DISABLED", "true")], Off),
            (&[lab, ("BERTH_INSTANCE_METADATA", "maybe")], On),
        ] {
            assert_eq!(
                Config::of_environment(pairs).instance_metadata,
                expected,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn what_is_no_address_or_rate_is_named_and_does_not_count() {
        let bad = Config::of_environment(&[
            ("BERTH_STS_ENDPOINT", "sts"),
            ("BERTH_INSTANCE_METADATA", "maybe"),
            ("BERTH_CREDENTIALS_BINDING", "strict"),
        ]);
        assert_eq!(bad.problems.len(), 3);
        assert_eq!(bad.credentials.binding, BindingMode::Enforce);
        assert_eq!(bad.instance_metadata, InstanceMetadataSetting::Off);
        assert_eq!(sts(bad).endpoint, None);
    }

    #[test]
    fn a_rate_is_two_numbers_and_a_zero_leaves_one_as_it_is() {
        for (text, steady, burst, problems) in [
            ("100,200", 100, 200, 0),
            (" 40 , 60 ", 40, 60, 0),
            ("0,5", 0, 5, 0),
            ("7,0", 7, 0, 0),
            ("0,0", 0, 0, 0),
            ("abc", 0, 0, 1),
            ("1", 0, 0, 1),
            ("1,2,3", 0, 0, 1),
            ("a,b", 0, 0, 1),
            ("-1,2", 0, 0, 1),
        ] {
            let config = Config::of_environment(&[("ECS_TASK_METADATA_RPS_LIMIT", text)]);
            let rate = (config.task_server.steady, config.task_server.burst);
            let expected = (NonZeroU32::new(steady), NonZeroU32::new(burst));
            assert_eq!(rate, expected, "{text}");
            assert_eq!(config.problems.len(), problems, "{text}");
        }
    }

    #[test]
    fn the_record_can_be_elsewhere_smaller_or_off() {
        let audit = Config::of_environment(&[
            ("ECS_AUDIT_LOGFILE", "/a.log"),
            ("ECS_AUDIT_LOGFILE_DISABLED", "true"),
            ("ECS_LOG_MAX_FILE_SIZE_MB", "1"),
            ("ECS_LOG_MAX_ROLL_COUNT", "2"),
        ])
        .audit;
        assert_eq!(audit.path, Some(PathBuf::from("/a.log")));
        assert!(!audit.enabled);
        assert_eq!((audit.max_bytes, audit.max_files), (1_000_000, 2));
    }
}
