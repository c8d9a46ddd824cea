//! The settings as a whole: defaults, bounds, bad values, strangers.

use std::path::Path;
use std::time::Duration;

use super::ecs_env::{ALL, Kind};
use super::sections::{LogLevel, ReplaceStopped};
use super::*;
use crate::reconcile::settings::{EngineSettings, PullBehavior};

fn messages(config: &Config) -> Vec<String> {
    config
        .problems
        .iter()
        .map(|problem| format!("{} {}", problem.setting, problem.message))
        .collect()
}

fn effective<'a>(config: &'a Config, name: &str) -> (&'a str, Origin) {
    let found = config
        .effective
        .iter()
        .find(|effective| effective.setting == name)
        .expect(name);
    (&found.value, found.origin)
}

#[test]
fn without_settings_everything_has_its_default_and_nothing_is_wrong() {
    let config = Config::of_environment(&[]);
    assert_eq!(messages(&config), [""; 0]);
    assert_eq!(config.engine, EngineSettings::default());
    assert_eq!(config.cluster.as_str(), "default");
    assert_eq!(config.host.reserved_ports, [22, 2375, 2376, 51678, 51679]);
    assert_eq!(config.images.pull_timeout, Duration::from_hours(2));
    assert_eq!(config.log.level, LogLevel::Info);
    assert_eq!(config.standalone.replace_stopped, ReplaceStopped::OnFailure);
    assert_eq!(config.effective.len(), ALL.len());
    assert!(config.effective.iter().all(|e| e.origin == Origin::Default));
}

#[test]
fn every_default_reads_under_its_own_syntax_and_within_its_bounds() {
    for setting in ALL {
        if setting.default.is_empty() {
            assert!(
                !matches!(setting.kind, Kind::Duration(_) | Kind::Number(_)),
                "{}",
                setting.name
            );
            continue;
        }
        let config = Config::of_environment(&[(setting.name, setting.default)]);
        assert_eq!(messages(&config), [""; 0], "{}", setting.name);
        if setting.default != "[]" {
            assert_eq!(
                effective(&config, setting.name),
                (setting.default, Origin::Environment)
            );
        }
    }
}

#[test]
fn values_beyond_their_bounds_are_raised_or_set_aside() {
    for (name, given, counts, problem) in [
        (
            "ECS_CONTAINER_STOP_TIMEOUT",
            "10ms",
            "1s",
            "is less than 1s; that counts",
        ),
        (
            "ECS_CONTAINER_START_TIMEOUT",
            "5s",
            "45s",
            "is less than 45s; that counts",
        ),
        (
            "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION",
            "1ms",
            "3h",
            "is less than 1s; the default (3h) counts",
        ),
        (
            "ECS_NUM_IMAGES_DELETE_PER_CYCLE",
            "5000",
            "5",
            "is more than 1000; the default (5) counts",
        ),
        (
            "ECS_CONTAINER_STOP_TIMEOUT",
            "30",
            "30s",
            "\"30\" is not a duration such as 90s, 10m or 1h30m; the default (30s) counts",
        ),
        (
            "ECS_IMAGE_PULL_BEHAVIOR",
            "sometimes",
            "default",
            "\"sometimes\" is not one of default, always, once, prefer-cached; the default (default) counts",
        ),
        (
            "ECS_CLUSTER",
            "a b",
            "default",
            "\"a b\" has the character ' ', allowed are letters, digits, '-' and '_'; the default (default) counts",
        ),
        (
            "ECS_RESERVED_PORTS",
            "22",
            "[22,2375,2376,51678,51679]",
            "\"22\" is not a JSON list of ports such as [22, 2375]; the default ([22,2375,2376,51678,51679]) counts",
        ),
    ] {
        let config = Config::of_environment(&[(name, given)]);
        assert_eq!(effective(&config, name).0, counts, "{name}");
        assert_eq!(messages(&config), [format!("{name} {problem}")]);
    }
}

#[test]
fn usage_is_read_unless_it_is_turned_off_and_at_the_interval_asked_for() {
    let usage = |pairs: &[(&str, &str)]| Config::of_environment(pairs).usage;
    assert!(usage(&[]).enabled && usage(&[]).interval.is_none());
    assert!(!usage(&[("ECS_DISABLE_METRICS", "true")]).enabled);
    let wait = "ECS_POLLING_METRICS_WAIT_DURATION";
    assert_eq!(usage(&[(wait, "7s")]).interval, None, "without polling");
    for (given, counts) in [("7s", 7), ("5s", 5), ("4s", 5), ("20s", 20), ("21s", 20)] {
        let polled = usage(&[("ECS_POLL_METRICS", "true"), (wait, given)]);
        assert_eq!(
            polled.interval,
            Some(Duration::from_secs(counts)),
            "{given}"
        );
    }
}

#[test]
fn zero_means_the_default_without_a_word() {
    let config = Config::of_environment(&[
        ("ECS_CONTAINER_STOP_TIMEOUT", "0"),
        ("ECS_NUM_IMAGES_DELETE_PER_CYCLE", "0"),
    ]);
    assert_eq!(messages(&config), [""; 0]);
    assert_eq!(config.engine.stop_timeout, Duration::from_secs(30));
    assert_eq!(
        effective(&config, "ECS_NUM_IMAGES_DELETE_PER_CYCLE"),
        ("5", Origin::Default)
    );
}

#[test]
fn settings_reach_their_sections() {
    let config = Config::of_environment(&[
        ("ECS_CLUSTER", "arn:aws:ecs:eu-west-1:1:cluster/edge"),
        ("ECS_IMAGE_PULL_BEHAVIOR", "Prefer-Cached"),
        ("ECS_DISABLE_IMAGE_CLEANUP", "true"),
        ("ECS_RESERVED_PORTS", "[8080]"),
        ("ECS_INSTANCE_ATTRIBUTES", r#"{"rack":"7"}"#),
        ("DOCKER_HOST", " tcp://127.0.0.1:2375 "),
        ("BERTH_REPLACE_STOPPED", "never"),
        ("ECS_LOGLEVEL", "CRIT"),
        ("ECS_DISABLE_PRIVILEGED", "1"),
        ("ECS_TASK_PIDS_LIMIT", "100"),
        ("ECS_CGROUP_CPU_PERIOD", "20ms"),
    ]);
    assert_eq!(messages(&config), [""; 0]);
    assert_eq!(config.engine.cluster, "edge");
    assert_eq!(config.engine.pull_behavior, PullBehavior::PreferCached);
    assert!(config.engine.disable_privileged);
    assert_eq!(config.host.task_pids_limit, Some(100));
    assert_eq!(config.host.cgroup_cpu_period, Duration::from_millis(20));
    assert_eq!(config.images.cleanup, None);
    assert_eq!(config.host.reserved_ports, [8080]);
    assert_eq!(
        config.host.attributes.get("rack").map(String::as_str),
        Some("7")
    );
    assert_eq!(config.docker.host.as_deref(), Some("tcp://127.0.0.1:2375"));
    assert_eq!(config.standalone.replace_stopped, ReplaceStopped::Never);
    assert_eq!(config.log.level, LogLevel::Error);
}

#[test]
fn strangers_are_named_with_what_they_may_mean() {
    let config = Config::of_environment(&[
        ("ECS_CLUSTR", "a"),
        ("ECS_ENABLE_GPU_SUPPORT", "true"),
        ("ECS_XYZZY", "b"),
        ("ECS_AGENT_CONFIG_FILE_PATH", "/x"),
    ]);
    assert_eq!(
        messages(&config),
        [
            "ECS_CLUSTR is no setting; did you mean ECS_CLUSTER?",
            "ECS_ENABLE_GPU_SUPPORT is a setting of ECS agents that has no effect here",
            "ECS_XYZZY is no setting",
        ]
    );
}

#[test]
fn registry_credentials_are_shown_nowhere() {
    let marked = r#"{"registry":{"password":"marked-secret"}}"#;
    for pairs in [
        vec![("ECS_ENGINE_AUTH_DATA", marked)],
        vec![
            ("ECS_ENGINE_AUTH_DATA", marked),
            ("ECS_ENGINE_AUTH_TYPE", "docker"),
        ],
    ] {
        let config = Config::of_environment(&pairs);
        let shown = format!("{config:?}");
        assert!(!shown.contains("marked-secret"), "{shown}");
        assert_eq!(config.docker.registry_auth.is_some(), pairs.len() == 2);
    }
}

#[test]
fn a_file_lies_below_the_environment_and_its_bad_parts_are_named() {
    let strings = Strings::new().below(
        Origin::Environment,
        [("ECS_CLUSTER".to_owned(), "env".to_owned())],
    );
    let content = r#"{"Cluster": "file", "ReservedMemory": 64, "DockerStopTimeout": "soon", "PrivilegedDisabled": 7.5}"#;
    let (strings, _) = Config::add_file(strings, Path::new("/etc/x.json"), content);
    let config = Config::read(&strings);
    assert_eq!(
        effective(&config, "ECS_CLUSTER"),
        ("env", Origin::Environment)
    );
    assert_eq!(
        effective(&config, "ECS_RESERVED_MEMORY"),
        ("64", Origin::File)
    );
    assert_eq!(messages(&config).len(), 2, "{:?}", messages(&config));
    let (_, problems) = Config::add_file(
        Strings::new(),
        Path::new("/etc/x.json"),
        r#"{"Cluster": 5}"#,
    );
    assert_eq!(
        problems
            .iter()
            .map(|p| p.message.as_str())
            .collect::<Vec<_>>(),
        ["does not take 5 (in /etc/x.json)"]
    );
}
