//! Gathers the settings of a command: its flags, the environment, the settings file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::root::Global;
use crate::config::sections::MAX_FILE_BYTES;
use crate::config::{Config, Origin, Problem, Strings, source};

/// Names the settings file in the environment.
const FILE_SETTING: &str = "ECS_AGENT_CONFIG_FILE_PATH";

/// Where ECS agents look for their settings file when nobody names one.
const DEFAULT_FILE: &str = "/etc/ecs_container_agent/config.json";

/// The settings in force: `flags` by setting name over the global flags, the environment and the settings file.
pub(super) fn load(global: &Global, flags: impl IntoIterator<Item = (String, String)>) -> Config {
    gather(global, flags, source::environment())
}

fn gather(
    global: &Global,
    flags: impl IntoIterator<Item = (String, String)>,
    environment: BTreeMap<String, String>,
) -> Config {
    let named = global
        .config
        .clone()
        .or_else(|| environment.get(FILE_SETTING).map(PathBuf::from));
    let mut given: Vec<(String, String)> = flags.into_iter().collect();
    if let Some(dir) = &global.data_dir {
        given.push(("ECS_DATADIR".to_owned(), dir.display().to_string()));
    }
    if let Some(level) = &global.log_level {
        given.push(("ECS_LOGLEVEL".to_owned(), level.clone()));
    }
    let strings = Strings::new()
        .below(Origin::Flag, given)
        .below(Origin::Environment, environment);
    let (strings, problems) = match &named {
        Some(path) => with_file(strings, path, true),
        None => with_file(strings, Path::new(DEFAULT_FILE), false),
    };
    let mut config = Config::read(&strings);
    config.problems.splice(0..0, problems);
    config
}

fn with_file(strings: Strings, path: &Path, must_exist: bool) -> (Strings, Vec<Problem>) {
    match read_small(path) {
        Ok(content) => Config::add_file(strings, path, &content),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
            (strings, Vec::new())
        }
        Err(error) => {
            let problem = Problem {
                setting: FILE_SETTING.to_owned(),
                origin: Origin::File,
                message: format!("{} is not read: {error}", path.display()),
            };
            (strings, vec![problem])
        }
    }
}

fn read_small(path: &Path) -> io::Result<String> {
    let mut content = Vec::new();
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    File::open(path)?
        .take(limit.saturating_add(1))
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

    fn global(config: Option<PathBuf>) -> Global {
        Global {
            data_dir: Some(PathBuf::from("/flag")),
            config,
            json: false,
            log_level: Some("debug".to_owned()),
            color: clap::ColorChoice::Auto,
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
        let config = gather(&global(None), [], environment.into_iter().collect());
        assert_eq!(config.problems, []);
        assert_eq!(config.data_dir, Some(PathBuf::from("/flag")));
        assert_eq!(config.cluster.as_str(), "env");
        assert_eq!(config.host.reserved_memory_mib, 64);
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
            let config = gather(&global(Some(file)), [], BTreeMap::new());
            assert_eq!(config.problems.len(), 1);
            assert_eq!(config.problems[0].setting, FILE_SETTING);
        }
    }
}
