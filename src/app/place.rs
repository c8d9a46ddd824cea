//! Where this agent keeps its state on this system, for this user.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::settings::{User, data_dir};
use crate::config::{Config, source};
use crate::domain::host::OsType;
use crate::platform::rotating::FileConfig;
use crate::platform::{self, paths};

/// Name of the file of a service's log lines, as ECS agents have it.
const SERVICE_LOG: &str = "ecs-agent.log";

/// The system that the agent was built for.
pub(super) fn system() -> OsType {
    OsType::of_build()
}

/// The data directory of an agent with these settings. It need not exist yet.
pub fn data_dir_of(config: &Config) -> PathBuf {
    let usual = paths::default_data_dir(system(), source::program_data().as_deref());
    let user = if platform::is_root() || system() == OsType::Windows {
        User::System
    } else {
        User::Person(source::user_state_dir())
    };
    data_dir(config, &usual, &user)
}

/// Address of the admin API of an agent with these settings.
pub fn admin_address_of(config: &Config) -> PathBuf {
    let in_data_dir = || paths::admin_address(system(), &data_dir_of(config).to_string_lossy());
    let named = config.admin_socket.clone();
    named.unwrap_or_else(|| PathBuf::from(in_data_dir()))
}

/// File of the log lines of an agent that is a service.
pub fn service_log(config: &Config) -> FileConfig {
    let usual = || log_dir().join(SERVICE_LOG);
    FileConfig {
        path: config.log_file.clone().unwrap_or_else(usual),
        max_bytes: config.audit.max_bytes,
        max_files: config.audit.max_files,
    }
}

/// Directories that a service needs before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDirectories {
    /// Those of the agent alone.
    pub own: Vec<PathBuf>,
    /// That of task definition files, which its operator may have made for others too.
    pub tasks: Option<PathBuf>,
}

/// Directories of a service with these settings.
pub fn service_directories(config: &Config) -> ServiceDirectories {
    ServiceDirectories {
        own: vec![data_dir_of(config), log_dir()],
        tasks: config.standalone.tasks_dir.clone(),
    }
}

fn log_dir() -> PathBuf {
    let program_data = source::program_data();
    PathBuf::from(paths::default_log_dir(system(), program_data.as_deref()))
}

/// A new file that only its owner may read.
///
/// # Errors
/// If something is there already, or of the system.
pub fn new_private_file(path: &Path) -> io::Result<File> {
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    platform::private_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Strings};

    #[test]
    fn the_socket_lies_in_the_data_directory_unless_it_is_named() {
        let read = |pairs: &[(&str, &str)]| {
            let texts = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            Config::read(&Strings::new().below(Origin::Flag, texts))
        };
        let address = admin_address_of(&read(&[("ECS_DATADIR", "/d")]));
        assert_eq!(address, PathBuf::from(paths::admin_address(system(), "/d")));
        let address = admin_address_of(&read(&[("BERTH_ADMIN_SOCKET", "/s")]));
        assert_eq!(address, PathBuf::from("/s"));
    }
}
