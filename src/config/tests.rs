//! The settings as a whole: defaults, bounds, bad values, strangers.

use std::path::Path;
use std::time::Duration;

use super::ecs_env::{ALL, Kind};
use super::sections::{LogLevel, ReplaceStopped};
use super::*;
use crate::domain::host::OsType;
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
    let config = Config::of_environment_on(OsType::Linux, &[]);
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
    let each = [OsType::Linux, OsType::Windows];
    for (os, setting) in each
        .into_iter()
        .flat_map(|os| ALL.iter().map(move |it| (os, it)))
    {
        let default = setting.default_on(os);
        if default.is_empty() {
            assert!(
                !matches!(setting.kind, Kind::Duration(_) | Kind::Number(_)),
                "{}",
                setting.name
            );
            continue;
        }
        // Without the address of tasks Windows adds no port of its own to those that are given.
        let given = [("BERTH_TASK_ADDRESS", "false"), (setting.name, default)];
        let config = Config::of_environment_on(os, &given);
        assert_eq!(messages(&config), [""; 0], "{}", setting.name);
        // Those say nothing.
        if !["[]", "0"].contains(&default) {
            assert_eq!(
                effective(&config, setting.name),
                (default, Origin::Environment)
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
            "\"1ms\" is less than 1s; the default (3h) counts",
        ),
        (
            "BERTH_PARALLEL_PULLS",
            "65",
            "8",
            "\"65\" is more than 64; the default (8) counts",
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
        let config = Config::of_environment_on(OsType::Linux, &[(name, given)]);
        assert_eq!(effective(&config, name).0, counts, "{name}");
        assert_eq!(messages(&config), [format!("{name} {problem}")]);
    }
}

/// What `berth check-config` shows is what counts.
#[test]
fn windows_reserves_its_own_ports_and_80_also_beside_those_of_the_operator() {
    let usual = "[53,135,139,445,2375,2376,3389,5985,5986,51678,51679,80]";
    let own = ("ECS_RESERVED_PORTS", "[8080]");
    let alone = ("BERTH_TASK_ADDRESS", "False");
    for (os, pairs, expected, origin) in [
        (
            OsType::Linux,
            &[][..],
            "[22,2375,2376,51678,51679]",
            Origin::Default,
        ),
        (OsType::Windows, &[][..], usual, Origin::Default),
        (
            OsType::Windows,
            &[own][..],
            "[8080,80]",
            Origin::Environment,
        ),
        (
            OsType::Windows,
            &[("ECS_RESERVED_PORTS", "[80]")][..],
            "[80]",
            Origin::Environment,
        ),
        (
            OsType::Windows,
            &[own, alone][..],
            "[8080]",
            Origin::Environment,
        ),
        (OsType::Linux, &[own][..], "[8080]", Origin::Environment),
    ] {
        let config = Config::of_environment_on(os, pairs);
        assert_eq!(
            effective(&config, own.0),
            (expected, origin),
            "{os:?} {pairs:?}"
        );
        let ports = format!("{:?}", config.host.reserved_ports).replace(' ', "");
        assert_eq!(ports, expected, "{os:?} {pairs:?}");
    }
}

#[test]
fn windows_has_more_patience_unless_the_operator_has_less() {
    let (start, silence) = (
        "ECS_CONTAINER_START_TIMEOUT",
        "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT",
    );
    for (os, pairs, started, silent, problems) in [
        (OsType::Linux, &[][..], "3m", "1m", &[][..]),
        (OsType::Windows, &[][..], "8m", "3m", &[][..]),
        (
            OsType::Windows,
            &[(start, "4m"), (silence, "2m")][..],
            "4m",
            "2m",
            &[][..],
        ),
        (OsType::Linux, &[(start, "46s")][..], "46s", "1m", &[][..]),
        (
            OsType::Windows,
            &[(start, "119s")][..],
            "2m",
            "3m",
            &["ECS_CONTAINER_START_TIMEOUT is less than 2m; that counts"][..],
        ),
        (
            OsType::Windows,
            &[(start, "4")][..],
            "8m",
            "3m",
            &[
                "ECS_CONTAINER_START_TIMEOUT \"4\" is not a duration such as 90s, 10m or 1h30m; the default (8m) counts",
            ][..],
        ),
    ] {
        let config = Config::of_environment_on(os, pairs);
        assert_eq!(effective(&config, start).0, started, "{os:?} {pairs:?}");
        assert_eq!(effective(&config, silence).0, silent, "{os:?} {pairs:?}");
        let shown = [config.docker.start_timeout, config.images.pull_inactivity];
        assert_eq!(shown.map(super::syntax::show_duration), [started, silent]);
        assert_eq!(messages(&config), problems);
    }
}

/// Which would have made them take effect (`windows.md` 8).
#[test]
fn what_only_cgroups_can_do_is_told_on_windows() {
    let limits = "ECS_ENABLE_TASK_CPU_MEM_LIMIT";
    let pids = "ECS_TASK_PIDS_LIMIT";
    let memory = "ECS_PROPAGATE_TASK_MEMORY_LIMIT_CGROUPV2";
    let asked = [(limits, "true"), (pids, "100"), (memory, "true")];
    let read = |os, pairs: &[(&str, &str)]| {
        let config = Config::of_environment_on(os, pairs);
        let engine = &config.engine;
        let done = (
            engine.task_limits,
            engine.propagate_task_memory,
            config.host.task_pids_limit,
        );
        (done, messages(&config))
    };
    let nothing: Vec<String> = Vec::new();
    assert_eq!(
        read(OsType::Linux, &asked),
        ((true, true, Some(100)), nothing.clone())
    );
    let (done, mut told) = read(OsType::Windows, &asked);
    told.sort();
    assert_eq!(done, (false, false, None));
    assert_eq!(
        told,
        [
            "ECS_ENABLE_TASK_CPU_MEM_LIMIT \"true\" has no effect on Windows; the default (false) counts",
            "ECS_PROPAGATE_TASK_MEMORY_LIMIT_CGROUPV2 \"true\" has no effect on Windows; the default (false) counts",
            "ECS_TASK_PIDS_LIMIT \"100\" has no effect on Windows; the default (0) counts",
        ]
    );
    for pairs in [
        &[][..],
        &[(limits, "false"), (pids, "0"), (memory, "false")],
    ] {
        let ((limits, ..), told) = read(OsType::Windows, pairs);
        assert_eq!((limits, told), (false, nothing.clone()), "{pairs:?}");
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
fn a_clean_up_removes_as_many_images_as_the_operator_says() {
    let config = Config::of_environment(&[("ECS_NUM_IMAGES_DELETE_PER_CYCLE", "2000")]);
    assert_eq!(messages(&config), [""; 0]);
    assert_eq!(config.images.cleanup.map(|it| it.per_cycle), Some(2000));
}

#[test]
fn settings_reach_their_sections() {
    let config = Config::of_environment_on(
        OsType::Linux,
        &[
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
        ],
    );
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

/// The agent starts all the same, with the usual place.
#[test]
fn a_path_that_its_system_cannot_have_is_named_and_the_usual_one_counts() {
    let on = |os, name: &str, text: &str| {
        let texts = [(name.to_owned(), text.to_owned())];
        Config::read_on(os, &Strings::new().below(Origin::Environment, texts))
    };
    for (name, text, message) in [
        (
            "ECS_DATADIR",
            r"C:\nul\data",
            r#"ECS_DATADIR "C:\\nul\\data" has the name of a device of Windows, such as CON, NUL or COM1; it counts as not given"#,
        ),
        (
            "ECS_DATADIR",
            r"\\nas\berth\data",
            r#"ECS_DATADIR "\\\\nas\\berth\\data" is on another host: the database needs a disk of this one; it counts as not given"#,
        ),
        (
            "BERTH_TASKS_DIR",
            "C:tasks",
            "BERTH_TASKS_DIR \"C:tasks\" is relative to what its drive is at: write `C:\\\u{2026}`; it counts as not given",
        ),
    ] {
        let config = on(OsType::Windows, name, text);
        assert_eq!(messages(&config), [message]);
        assert_eq!(config.data_dir, None);
        assert_eq!(config.standalone.tasks_dir, None);
        assert_eq!(messages(&on(OsType::Linux, name, text)), [""; 0]);
    }
    let spaced = on(OsType::Windows, "ECS_DATADIR", r"D:\berth data\state");
    assert_eq!(messages(&spaced), [""; 0]);
    assert!(spaced.data_dir.is_some());
    let share = on(OsType::Windows, "BERTH_TASKS_DIR", r"\\nas\tasks");
    assert!(share.standalone.tasks_dir.is_some());
}

/// `True` and `False` are what PowerShell makes of its `$TRUE` and `$FALSE`.
#[test]
fn truth_as_powershell_writes_it_counts() {
    for (text, expected) in [
        ("True", true),
        ("False", false),
        ("TRUE", true),
        (" False ", false),
    ] {
        let config = Config::of_environment(&[
            ("BERTH_TASK_ADDRESS", text),
            ("ECS_ENABLE_CPU_UNBOUNDED_WINDOWS_WORKAROUND", text),
            ("ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND", text),
        ]);
        assert_eq!(messages(&config), [""; 0]);
        assert_eq!(config.listen.task_address, expected, "{text:?}");
        assert_eq!(config.engine.cpu_unbounded, expected, "{text:?}");
        assert_eq!(config.engine.memory_unbounded, expected, "{text:?}");
    }
}

#[test]
fn strangers_are_named_with_what_they_may_mean() {
    let config = Config::of_environment(&[
        ("ECS_CLUSTR", "a"),
        ("ECS_ENABLE_INF_SUPPORT", "true"),
        ("NONECS_NUM_CONTAINERS_DELETE_PER_CYCLE", "5"),
        ("ECS_XYZZY", "b"),
        ("ECS_AGENT_CONFIG_FILE_PATH", "/x"),
    ]);
    assert_eq!(
        messages(&config),
        [
            "ECS_CLUSTR is no setting; did you mean ECS_CLUSTER?",
            "ECS_ENABLE_INF_SUPPORT is a setting of ECS agents that has no effect here",
            "ECS_XYZZY is no setting",
            "NONECS_NUM_CONTAINERS_DELETE_PER_CYCLE is a setting of ECS agents that has no effect here",
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

/// The last of `given` is the weakest.
fn layered(name: &str, given: &[&str]) -> Config {
    let origins = [
        Origin::Flag,
        Origin::Environment,
        Origin::Host("/etc/ecs/ecs.config"),
        Origin::File,
    ];
    let strings = origins
        .into_iter()
        .zip(given)
        .fold(Strings::new(), |strings, (origin, text)| {
            strings.below(origin, [(name.to_owned(), (*text).to_owned())])
        });
    Config::read_on(OsType::Linux, &strings)
}

/// A zero, an empty list or blanks in a stronger source say nothing, as for the reference agent.
#[test]
fn check_002_what_says_nothing_leaves_it_to_a_weaker_source() {
    for (name, nothing, weaker) in [
        ("ECS_RESERVED_PORTS", "[]", "[8080]"),
        ("ECS_RESERVED_MEMORY", "0", "64"),
        ("ECS_CONTAINER_STOP_TIMEOUT", "0", "2m"),
        ("ECS_INSTANCE_ATTRIBUTES", "{}", r#"{"rack":"7"}"#),
        ("ECS_EXCLUDE_UNTRACKED_IMAGE", ",", "a,b"),
        ("ECS_CLUSTER", "  ", "edge"),
        ("ECS_IMAGE_PULL_BEHAVIOR", " ", "once"),
        ("ECS_CGROUP_PATH", " ", "/cg"),
    ] {
        let config = layered(name, &[nothing, weaker]);
        assert_eq!(messages(&config), [""; 0], "{name}");
        assert_eq!(effective(&config, name), (weaker, Origin::Environment));
    }
    let none = layered("ECS_RESERVED_PORTS", &["[]", "[]"]);
    assert_eq!(none.host.reserved_ports, [22, 2375, 2376, 51678, 51679]);
    assert_eq!(effective(&none, "ECS_RESERVED_PORTS").1, Origin::Default);
    let off = layered("ECS_DISABLE_PRIVILEGED", &["false", "true"]);
    assert!(!off.engine.disable_privileged, "that is said");
}

#[test]
fn check_002_what_cannot_be_used_is_named_and_a_weaker_source_counts() {
    for (name, bad, good, why) in [
        (
            "ECS_CONTAINER_STOP_TIMEOUT",
            "45",
            "2m",
            "is not a duration such as 90s, 10m or 1h30m",
        ),
        ("ECS_RESERVED_MEMORY", "70000", "64", "is more than 65535"),
        (
            "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION",
            "1ms",
            "2h",
            "is less than 1s",
        ),
        (
            "ECS_IMAGE_PULL_BEHAVIOR",
            "sometimes",
            "once",
            "is not one of default, always, once, prefer-cached",
        ),
        (
            "ECS_CLUSTER",
            "a b",
            "edge",
            "has the character ' ', allowed are letters, digits, '-' and '_'",
        ),
        (
            "BERTH_INTROSPECTION_ADDRESS",
            "here",
            "127.0.0.1:1",
            "is not of the form <address>:<port>",
        ),
        (
            "BERTH_STS_ENDPOINT",
            "sts",
            "https://sts.test",
            "is no address that begins with http:// or https://",
        ),
        (
            "BERTH_INSTANCE_METADATA",
            "maybe",
            "off",
            "is neither auto nor off nor on nor an address that begins with http",
        ),
    ] {
        let config = layered(name, &[bad, "", bad, good]);
        let told = format!("{name} \"{bad}\" {why}; the value from file counts");
        assert_eq!(messages(&config), [told.clone(), told], "{name}");
        let origins: Vec<Origin> = config.problems.iter().map(|it| it.origin).collect();
        let host = Origin::Host("/etc/ecs/ecs.config");
        assert_eq!(origins, [Origin::Flag, host], "{name}");
        assert_eq!(effective(&config, name), (good, Origin::File));
    }
    let raised = layered("ECS_CONTAINER_STOP_TIMEOUT", &["10ms", "2m"]);
    assert_eq!(
        effective(&raised, "ECS_CONTAINER_STOP_TIMEOUT"),
        ("1s", Origin::Flag),
        "what is raised counts"
    );
}

#[test]
fn a_file_lies_below_the_environment_and_its_bad_parts_are_named() {
    let strings = Strings::new().below(
        Origin::Environment,
        [("ECS_CLUSTER".to_owned(), "env".to_owned())],
    );
    let content = r#"{"Cluster": "file", "ReservedMemory": 64, "DockerStopTimeout": "soon", "PrivilegedDisabled": 7.5}"#;
    let (strings, _) = Config::add_file(strings, Origin::File, Path::new("/etc/x.json"), content);
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
        Origin::File,
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
