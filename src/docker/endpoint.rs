//! Where Docker listens: reads `DOCKER_HOST`. Pure; nothing is looked up or opened.

use std::fmt;

/// An address that bollard can connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Unix socket or named pipe, with its scheme.
    Local(String),
    /// `host:port`, without TLS.
    Http(String),
}

impl fmt::Display for Endpoint {
    /// As it is told to people, after "on" or "to".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(address) => {
                let path = address
                    .split_once("://")
                    .map_or(&**address, |(_, path)| path);
                let kind = if self.is_pipe() { "pipe" } else { "socket" };
                write!(f, "the Docker {kind} {path}")
            }
            Self::Http(address) => write!(f, "Docker at {address}"),
        }
    }
}

impl Endpoint {
    /// A named pipe.
    fn is_pipe(&self) -> bool {
        matches!(self, Self::Local(address) if address.starts_with(PIPE_SCHEME))
    }

    /// Who may use it, for people, after "run berth".
    pub(super) fn may_use(&self) -> &'static str {
        if self.is_pipe() {
            "as SYSTEM or as an administrator"
        } else {
            "as root or as a member of the group that owns it"
        }
    }
}

const PIPE_SCHEME: &str = "npipe://";
const UNIX_DEFAULT: &str = "unix:///var/run/docker.sock";
const WINDOWS_DEFAULT: &str = "npipe:////./pipe/docker_engine";

/// Docker's own default for `tcp://` without TLS.
const DEFAULT_TCP_PORT: &str = "2375";

/// Reads `text`, a `DOCKER_HOST` value, for a host of that `family` (`std::env::consts::FAMILY`).
/// The error says in words what is wrong with it.
pub(super) fn parse(text: Option<&str>, family: &str) -> Result<Endpoint, String> {
    let windows = family == "windows";
    let text = match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => text,
        None if windows => WINDOWS_DEFAULT,
        None => UNIX_DEFAULT,
    };
    let Some((scheme, address)) = text.split_once("://") else {
        return Err(format!(
            "DOCKER_HOST {text:?} has no scheme: unix://, tcp://, http:// or npipe://"
        ));
    };
    if address.is_empty() {
        return Err(format!("DOCKER_HOST {text:?} has no address"));
    }
    match scheme {
        "unix" if !windows => Ok(Endpoint::Local(text.to_owned())),
        "npipe" if windows => Ok(Endpoint::Local(text.to_owned())),
        "tcp" | "http" => {
            let host = address.trim_end_matches('/');
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| {
                !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
            });
            Ok(Endpoint::Http(if has_port {
                host.to_owned()
            } else {
                format!("{host}:{DEFAULT_TCP_PORT}")
            }))
        }
        _ => Err(format!(
            "DOCKER_HOST {text:?}: {scheme}:// is not supported on this system"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_scheme_and_its_default() {
        let local = |text: &str| Ok(Endpoint::Local(text.to_owned()));
        let http = |text: &str| Ok(Endpoint::Http(text.to_owned()));
        for (text, family, expected) in [
            (None, "unix", local("unix:///var/run/docker.sock")),
            (Some(" "), "unix", local("unix:///var/run/docker.sock")),
            (None, "windows", local("npipe:////./pipe/docker_engine")),
            (Some("unix:///x.sock"), "unix", local("unix:///x.sock")),
            (Some("tcp://127.0.0.1:1234"), "unix", http("127.0.0.1:1234")),
            (Some("tcp://docker"), "windows", http("docker:2375")),
            (Some("http://[::1]:99/"), "unix", http("[::1]:99")),
        ] {
            assert_eq!(parse(text, family), expected, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_connect_to_in_words() {
        for (text, family, words) in [
            ("/var/run/docker.sock", "unix", "has no scheme"),
            ("unix://", "unix", "has no address"),
            ("ssh://host", "unix", "ssh:// is not supported"),
            ("npipe:////./pipe/x", "unix", "npipe:// is not supported"),
            ("unix:///x", "windows", "unix:// is not supported"),
        ] {
            let error = parse(Some(text), family).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
