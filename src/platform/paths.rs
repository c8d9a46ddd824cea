//! Where things are unless the operator says otherwise: pure functions of the system's own words.
//!
//! Text rather than `Path`, so that the paths of one system can be tested on another.

use crate::domain::host::OsType;

/// `%ProgramData%` where the variable is empty (`windows.md`, files and directories).
const PROGRAM_DATA: &str = r"C:\ProgramData";

/// Data directory: `/var/lib/berth`; on Windows the reference agent's, `%ProgramData%\Amazon\ECS\data`.
///
/// The reference agent's `/data/` on Linux is a mount point in its container; its starter sets it explicitly there.
pub fn default_data_dir(os: OsType, program_data: Option<&str>) -> String {
    match os {
        OsType::Linux => "/var/lib/berth".to_owned(),
        OsType::Windows => format!(r"{}\Amazon\ECS\data", program_data_or_default(program_data)),
    }
}

/// Log directory.
pub fn default_log_dir(os: OsType, program_data: Option<&str>) -> String {
    match os {
        OsType::Linux => "/var/log/ecs".to_owned(),
        OsType::Windows => format!(r"{}\Amazon\ECS\log", program_data_or_default(program_data)),
    }
}

/// Address of the admin API: a socket in the data directory, a named pipe on Windows.
pub fn admin_address(os: OsType, data_dir: &str) -> String {
    match os {
        OsType::Linux => format!("{}/berth.sock", data_dir.trim_end_matches('/')),
        OsType::Windows => r"\\.\pipe\berth".to_owned(),
    }
}

/// Docker's address unless `DOCKER_HOST` is set.
pub fn default_docker_host(os: OsType) -> &'static str {
    match os {
        OsType::Linux => "unix:///var/run/docker.sock",
        OsType::Windows => "npipe:////./pipe/docker_engine",
    }
}

fn program_data_or_default(program_data: Option<&str>) -> &str {
    program_data
        .filter(|text| !text.is_empty())
        .unwrap_or(PROGRAM_DATA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_both_systems() {
        assert_eq!(
            default_data_dir(OsType::Linux, Some("ignored")),
            "/var/lib/berth"
        );
        for (program_data, expected) in [
            (None, r"C:\ProgramData\Amazon\ECS\data"),
            (Some(""), r"C:\ProgramData\Amazon\ECS\data"),
            (Some(r"D:\Data"), r"D:\Data\Amazon\ECS\data"),
        ] {
            assert_eq!(default_data_dir(OsType::Windows, program_data), expected);
        }
        assert_eq!(
            default_log_dir(OsType::Windows, None),
            r"C:\ProgramData\Amazon\ECS\log"
        );
        assert_eq!(default_log_dir(OsType::Linux, None), "/var/log/ecs");
    }

    #[test]
    fn the_admin_socket_lies_in_the_data_directory() {
        for (os, data_dir, expected) in [
            (OsType::Linux, "/data/", "/data/berth.sock"),
            (OsType::Linux, "/x", "/x/berth.sock"),
            (OsType::Windows, r"C:\x", r"\\.\pipe\berth"),
        ] {
            assert_eq!(admin_address(os, data_dir), expected);
        }
        assert!(default_docker_host(OsType::Linux).starts_with("unix://"));
        assert!(default_docker_host(OsType::Windows).starts_with("npipe://"));
    }
}
