//! Gathers the settings of a command: its flags, the environment, the settings file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio::runtime::Builder;

use super::root::Global;
use crate::app::user_data::settings_of_instance;
use crate::config::sections::MAX_FILE_BYTES;
use crate::config::{Config, Origin, Problem, Strings, source};
use crate::domain::host::OsType;
use crate::error::ErrorChain;
use crate::platform::{in_fips_mode, is_ipv6_only, is_of_administrators};

/// Names the settings file in the environment.
const FILE_SETTING: &str = "ECS_AGENT_CONFIG_FILE_PATH";

/// Variables for ECS agents on this host, the stronger first: what the operator has written, and what the installer of
/// external instances has. Systemd and ecs-init make them the environment of the reference agent.
const HOST_VARIABLES: [&str; 2] = ["/etc/ecs/ecs.config", "/var/lib/ecs/ecs.config"];

/// Where ECS agents look for their JSON settings when nobody names a file: as ecs-init starts them, and by themselves.
const HOST_JSON: [&str; 2] = [
    "/etc/ecs/ecs.config.json",
    "/etc/ecs_container_agent/config.json",
];

/// The settings in force: `flags` by setting name over the global flags, the environment and the settings files.
pub(super) fn load(global: &Global, flags: impl IntoIterator<Item = (String, String)>) -> Config {
    gather(global, flags, source::environment(), this_host(None))
}

/// The same with what the instance that this host is has of them, which is asked for it; and why it is not known what
/// it has.
pub(super) fn load_with_instance(
    global: &Global,
    flags: Vec<(String, String)>,
) -> (Config, Option<String>) {
    let config = load(global, flags.clone());
    // What keeps this from being had is told by what needs it next.
    let Ok(asking) = Builder::new_current_thread().enable_all().build() else {
        return (config, None);
    };
    let asked = asking.block_on(settings_of_instance(&config));
    // A name that is still looked up is not waited for.
    asking.shutdown_background();
    match asked {
        Ok(None) => (config, None),
        Err(error) => (config, Some(ErrorChain(&error).to_string())),
        Ok(Some(settings)) => {
            let host = this_host(Some(&settings));
            (gather(global, flags, source::environment(), host), None)
        }
    }
}

fn this_host(user_data: Option<&str>) -> HostFiles<'_> {
    HostFiles {
        root: Path::new("/"),
        is_trusted: is_of_administrators,
        user_data,
        in_fips_mode: in_fips_mode(),
        is_ipv6_only: is_ipv6_only(),
    }
}

/// Where the host's files are, and whether one that nobody named counts: on Windows everybody may make it, and the
/// agent there is the system. Beside them what the instance has of settings, and what the kernel says.
#[derive(Clone, Copy)]
struct HostFiles<'a> {
    root: &'a Path,
    is_trusted: fn(&File) -> io::Result<bool>,
    user_data: Option<&'a str>,
    in_fips_mode: bool,
    is_ipv6_only: bool,
}

fn gather(
    global: &Global,
    flags: impl IntoIterator<Item = (String, String)>,
    environment: BTreeMap<String, String>,
    host: HostFiles<'_>,
) -> Config {
    let mut given: Vec<(String, String)> = flags.into_iter().collect();
    if let Some(dir) = &global.data_dir {
        given.push(("ECS_DATADIR".to_owned(), dir.display().to_string()));
    }
    if let Some(level) = &global.log_level {
        given.push(("ECS_LOGLEVEL".to_owned(), level.clone()));
    }
    let mut files = Files {
        host,
        strings: Strings::new()
            .below(Origin::Flag, given)
            .below(Origin::Environment, environment),
        problems: Vec::new(),
    };
    if let Some(path) = &global.config {
        files.add_named(path);
    } else {
        // On Windows they are variables of the machine, and anybody may make a directory of that name.
        if OsType::of_build() == OsType::Linux {
            for path in HOST_VARIABLES {
                files.add_of_host(path);
            }
        }
        let named = files.strings.get(FILE_SETTING);
        match named.map(|(path, _)| PathBuf::from(path)) {
            Some(path) => files.add_named(&path),
            None => HOST_JSON
                .into_iter()
                .for_each(|path| files.add_of_host(path)),
        }
    }
    if let Some(settings) = host.user_data {
        files.add_user_data(settings);
    }
    if host.in_fips_mode {
        files.strings = Config::add_fips_mode(files.strings);
    }
    if host.is_ipv6_only {
        files.strings = Config::add_ipv6_only(files.strings);
    }
    let mut config = Config::read(&files.strings);
    config.problems.splice(0..0, files.problems);
    config
}

/// Settings files, each below those before it.
struct Files<'a> {
    host: HostFiles<'a>,
    strings: Strings,
    problems: Vec<Problem>,
}

impl Files<'_> {
    fn add_named(&mut self, path: &Path) {
        self.add(Origin::File, path, read_small(path, |_| Ok(true)));
    }

    /// One that need not be there.
    fn add_of_host(&mut self, path: &'static str) {
        let below_root = self.host.root.join(path.trim_start_matches('/'));
        match read_small(&below_root, self.host.is_trusted) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            content => self.add(Origin::Host(path), &below_root, content),
        }
    }

    fn add_user_data(&mut self, settings: &str) {
        self.add_below(|strings| Config::add_user_data(strings, settings));
    }

    fn add_below(&mut self, add: impl FnOnce(Strings) -> (Strings, Vec<Problem>)) {
        let (strings, problems) = add(std::mem::take(&mut self.strings));
        self.strings = strings;
        self.problems.extend(problems);
    }

    fn add(&mut self, origin: Origin, path: &Path, content: io::Result<String>) {
        match content {
            Ok(content) => {
                self.add_below(|strings| Config::add_file(strings, origin, path, &content));
            }
            Err(error) => self.problems.push(Problem {
                setting: FILE_SETTING.to_owned(),
                origin,
                message: format!("{} is not read: {error}", path.display()),
            }),
        }
    }
}

fn read_small(path: &Path, is_trusted: fn(&File) -> io::Result<bool>) -> io::Result<String> {
    let mut content = Vec::new();
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let file = File::open(path)?;
    if !is_trusted(&file)? {
        let message = format!(
            "it belongs neither to administrators nor to SYSTEM, and anybody may have written it; if it is yours, name \
             it with {FILE_SETTING}"
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() > MAX_FILE_BYTES {
        let message = format!("it is larger than {MAX_FILE_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    text_of(&content).ok_or_else(|| {
        let message = "it is neither UTF-8 nor UTF-16 with its mark at the beginning";
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// The text of a file as editors write them: UTF-8, or UTF-16 with a mark, which is what the PowerShell of Windows
/// writes.
fn text_of(bytes: &[u8]) -> Option<String> {
    let units = |order: fn([u8; 2]) -> u16| {
        let pairs = bytes.as_chunks::<2>();
        // The mark itself is no text.
        let units: Vec<u16> = pairs.0.iter().skip(1).copied().map(order).collect();
        pairs
            .1
            .is_empty()
            .then(|| String::from_utf16(&units).ok())?
    };
    match bytes {
        [0xFF, 0xFE, ..] => units(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => units(u16::from_be_bytes),
        utf8 => std::str::from_utf8(utf8).ok().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fips::FipsEndpoints;

    fn global(config: Option<PathBuf>) -> Global {
        Global {
            data_dir: Some(PathBuf::from("/flag")),
            config,
            json: false,
            log_level: Some("debug".to_owned()),
            color: clap::ColorChoice::Auto,
        }
    }

    fn host(root: &Path) -> HostFiles<'_> {
        HostFiles {
            root,
            is_trusted: |_| Ok(true),
            user_data: None,
            in_fips_mode: false,
            is_ipv6_only: false,
        }
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("ecs.config");
        std::fs::write(
            &file,
            "ECS_CLUSTER=file\nECS_DATADIR=/file\nECS_RESERVED_MEMORY=64\n",
        )
        .expect("written");
        let environment = [
            pair("ECS_CLUSTER", "env"),
            pair("ECS_DATADIR", "/env"),
            pair(FILE_SETTING, &file.display().to_string()),
        ];
        let environment = environment.into_iter().collect();
        let config = gather(&global(None), [], environment, host(dir.path()));
        assert_eq!(config.problems, []);
        assert_eq!(config.data_dir, Some(PathBuf::from("/flag")));
        assert_eq!(config.cluster.as_str(), "env");
        assert_eq!(config.host.reserved_memory_mib, 64);
    }

    /// Writes a file of the host.
    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, content).expect("written");
    }

    // Windows has variables of the machine instead of such files.
    #[cfg(unix)]
    #[test]
    fn files_of_the_host_count_in_the_order_of_ecs_agents() {
        let dir = tempfile::tempdir().expect("a directory");
        let (strong, weak) = ("/etc/ecs/ecs.config", "/var/lib/ecs/ecs.config");
        let of_init = "/etc/ecs/ecs.config.json";
        let usual = "/etc/ecs_container_agent/config.json";
        write(
            dir.path(),
            strong,
            "ECS_CLUSTER=etc\nAWS_SECRET_ACCESS_KEY=marked\nECS_CLUSTR=x\nECS_DATADIR=/data\nECS_LOGFILE=/log/x\n",
        );
        write(
            dir.path(),
            weak,
            "ECS_CLUSTER=var\nECS_EXTERNAL=true\nECS_RESERVED_MEMORY=1\n",
        );
        write(
            dir.path(),
            of_init,
            r#"{"Cluster": "init", "ReservedMemory": 2, "AWSRegion": "eu-west-1"}"#,
        );
        write(
            dir.path(),
            usual,
            r#"{"AWSRegion": "us-east-1", "TaskCleanupWaitDuration": 60000000000}"#,
        );
        let environment = || [pair("ECS_RESERVED_MEMORY", "3")].into_iter().collect();
        let bare = Global {
            data_dir: None,
            log_level: None,
            ..global(None)
        };
        let config = gather(&bare, [], environment(), host(dir.path()));
        let counts = |name: &str| {
            let found = config.effective.iter().find(|it| it.setting == name);
            found.map(|it| (it.value.as_str(), it.origin))
        };
        for (name, expected) in [
            ("ECS_RESERVED_MEMORY", ("3", Origin::Environment)),
            ("ECS_CLUSTER", ("etc", Origin::Host(strong))),
            ("ECS_EXTERNAL", ("true", Origin::Host(weak))),
            ("AWS_DEFAULT_REGION", ("eu-west-1", Origin::Host(of_init))),
            (
                "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION",
                ("1m", Origin::Host(usual)),
            ),
        ] {
            assert_eq!(counts(name), Some(expected), "{name}");
        }
        assert_eq!(
            (&config.data_dir, &config.log_file),
            (&None, &None),
            "they are paths inside the container of the ECS agent"
        );
        let problems: Vec<&str> = config
            .problems
            .iter()
            .map(|it| it.setting.as_str())
            .collect();
        assert_eq!(
            problems,
            ["ECS_CLUSTR"],
            "what is another program's is none of ours"
        );
    }

    #[test]
    fn check_002_user_data_of_the_instance_counts_below_all_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("named");
        std::fs::write(&file, r#"{"Cluster": "file", "ReservedMemory": 2}"#).expect("written");
        let user_data = r#"{"Cluster": "launched", "BERTH_ADMIN_SOCKET": "/x", "ECS_DATADIR": "/x", "AWSRegion": "eu-west-1", "ReservedMemory": 1, "TaskCleanupWaitDuration": {}}"#;
        let host = HostFiles {
            user_data: Some(user_data),
            ..host(dir.path())
        };
        let config = gather(&global(Some(file)), [], BTreeMap::new(), host);
        let counts = |name: &str| {
            let found = config.effective.iter().find(|it| it.setting == name);
            found.map(|it| (it.value.as_str(), it.origin))
        };
        let instance = Origin::Host("user data of the instance");
        for (name, expected) in [
            ("ECS_CLUSTER", ("file", Origin::File)),
            ("ECS_RESERVED_MEMORY", ("2", Origin::File)),
            ("AWS_DEFAULT_REGION", ("eu-west-1", instance)),
            ("ECS_DATADIR", ("/flag", Origin::Flag)),
            ("BERTH_ADMIN_SOCKET", ("", Origin::Default)),
        ] {
            assert_eq!(counts(name), Some(expected), "{name}");
        }
        let problems: Vec<_> = config.problems.iter().map(|it| it.origin).collect();
        assert_eq!(problems, [instance], "an object is no duration");
    }

    // Windows has variables of the machine instead of such files.
    #[cfg(unix)]
    #[test]
    fn a_file_that_is_named_on_the_command_line_is_the_only_one() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), HOST_VARIABLES[0], "ECS_CLUSTER=host\n");
        let file = dir.path().join("named");
        std::fs::write(&file, "ECS_RESERVED_MEMORY=64\n").expect("written");
        let config = gather(
            &global(Some(file.clone())),
            [],
            BTreeMap::new(),
            host(dir.path()),
        );
        assert_eq!(
            (config.connected, config.host.reserved_memory_mib),
            (None, 64)
        );
        // A file that the host's variables name stands in for the JSON files alone.
        let named = format!("ECS_CLUSTER=host\n{FILE_SETTING}={}\n", file.display());
        write(dir.path(), HOST_VARIABLES[0], &named);
        let config = gather(&global(None), [], BTreeMap::new(), host(dir.path()));
        assert_eq!(
            (config.cluster.as_str(), config.host.reserved_memory_mib),
            ("host", 64)
        );
    }

    #[test]
    fn a_host_in_fips_mode_asks_for_endpoints_that_are_validated_for_it() {
        let dir = tempfile::tempdir().expect("a directory");
        for (in_fips_mode, expected) in [
            (true, FipsEndpoints::WhereThereAre),
            (false, FipsEndpoints::Off),
        ] {
            let host = HostFiles {
                in_fips_mode,
                ..host(dir.path())
            };
            let config = gather(&global(None), [], BTreeMap::new(), host);
            assert_eq!(config.network.fips, expected);
            assert_eq!(config.problems, []);
        }
    }

    #[test]
    fn a_host_without_ipv4_asks_for_endpoints_with_ipv6() {
        let dir = tempfile::tempdir().expect("a directory");
        for is_ipv6_only in [true, false] {
            let host = HostFiles {
                is_ipv6_only,
                ..host(dir.path())
            };
            let config = gather(&global(None), [], BTreeMap::new(), host);
            // On Windows it is never so.
            let expected = is_ipv6_only && OsType::of_build() == OsType::Linux;
            assert_eq!(config.network.dual_stack, expected);
        }
    }

    #[test]
    fn files_of_powershell_are_read_and_others_refused() {
        let text = "ECS_CLUSTER=wéb\n";
        let wide = |order: fn(u16) -> [u8; 2]| {
            let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
            units.flat_map(order).collect::<Vec<u8>>()
        };
        let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
        for bytes in [text.as_bytes(), &little, &big] {
            assert_eq!(text_of(bytes).as_deref(), Some(text));
        }
        let odd = little.strip_suffix(&[0]).expect("a zero at the end");
        for bytes in [odd, &[0xFF, 0xFE, 0x00, 0xD8][..], &[0xFF][..]] {
            assert_eq!(text_of(bytes), None);
        }
    }

    #[test]
    fn a_file_that_was_named_and_cannot_be_read_is_a_problem() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("missing");
        let big = dir.path().join("big");
        std::fs::write(&big, " ".repeat(MAX_FILE_BYTES + 1)).expect("written");
        for file in [missing, big] {
            let config = gather(&global(Some(file)), [], BTreeMap::new(), host(dir.path()));
            assert_eq!(config.problems.len(), 1);
            assert_eq!(config.problems[0].setting, FILE_SETTING);
        }
    }

    /// Everybody may make the usual file on Windows, and the agent there is the system.
    #[test]
    fn the_hosts_files_count_only_if_they_are_an_administrators() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), HOST_JSON[1], r#"{"Cluster": "mine"}"#);
        let read = |is_trusted| {
            let root = dir.path();
            let host = HostFiles {
                root,
                is_trusted,
                user_data: None,
                in_fips_mode: false,
                is_ipv6_only: false,
            };
            let config = gather(&global(None), [], BTreeMap::new(), host);
            let words = config
                .problems
                .iter()
                .map(|problem| problem.message.clone());
            (config.cluster.to_string(), words.collect::<Vec<_>>())
        };
        assert_eq!(read(|_| Ok(true)), ("mine".to_owned(), Vec::new()));
        let (cluster, problems) = read(|_| Ok(false));
        assert_eq!(cluster, "default");
        let words = "belongs neither to administrators nor to SYSTEM";
        assert!(problems[0].contains(words), "{problems:?}");
        let (cluster, problems) = read(|_| Err(io::Error::other("not said")));
        assert_eq!((cluster.as_str(), problems.len()), ("default", 1));
    }
}
