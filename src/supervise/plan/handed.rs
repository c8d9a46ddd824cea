//! Sockets that somebody else has bound, by the protocol of systemd (`sd_listen_fds(3)`): whose they are, and which of
//! our listeners each is for.
//!
//! **Invariant.** A socket is taken only for a listener that was to listen at that very address.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Most sockets that are taken over: there are four listeners and a pipe, and a unit file may have a few more.
pub const MAX_HANDED: usize = 32;

/// Name under which the parent hands over the pipe that it is told through how far the agent is.
pub const PROGRESS_PIPE: &str = "berth-progress";

/// End of the name of a socket's file that does not have its final mode yet.
const UNREADY: &str = ".new";

/// What the environment says of sockets that were handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandedTexts {
    /// `LISTEN_FDS`: how many.
    pub count: Option<String>,
    /// `LISTEN_PID`: to which process.
    pub process: Option<String>,
    /// `LISTEN_FDNAMES`: their names, separated by colons.
    pub names: Option<String>,
    /// Process id of the `berth supervise` that handed them over: it cannot know the child's in advance.
    pub parent: Option<String>,
}

/// Why what was handed over cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandedError {
    /// The count is none.
    #[error("LISTEN_FDS is {0:?}, not a number up to {MAX_HANDED}")]
    Count(String),
}

/// The names of the sockets that were handed to this process, in the order of their descriptors; none if they were
/// handed to another one.
///
/// # Errors
/// They are for this process, and it cannot be said how many there are.
pub fn names(texts: &HandedTexts, own: u32, parent: u32) -> Result<Vec<String>, HandedError> {
    let is = |text: &Option<String>, id: u32| {
        let text = text.as_deref().map(str::trim);
        text.is_some_and(|text| text.parse() == Ok(id))
    };
    let Some(count) = texts.count.as_deref() else {
        return Ok(Vec::new());
    };
    if !is(&texts.process, own) && !is(&texts.parent, parent) {
        return Ok(Vec::new());
    }
    let number = count.trim().parse().ok().filter(|n| *n <= MAX_HANDED);
    let number = number.ok_or_else(|| HandedError::Count(count.to_owned()))?;
    let mut names: Vec<String> = texts
        .names
        .as_deref()
        .filter(|names| !names.is_empty())
        .map(|names| names.split(':').map(str::to_owned).collect())
        .unwrap_or_default();
    names.resize(number, String::new());
    Ok(names)
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// There.
    Tcp(SocketAddr),
    /// At that path.
    Unix(PathBuf),
    /// Nowhere: it is not a socket that listens.
    Nowhere,
}

/// A listener of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: &'static str,
    /// Where it is to listen; port 0 is any.
    pub place: Place,
}

/// A socket that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its name; a service manager that was not told one gives it its unit's.
    pub name: String,
    /// Where it listens.
    pub place: Place,
}

/// What becomes of a socket that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is that listener's.
    Listener(&'static str),
    /// It is closed, for that reason.
    None(String),
}

/// What becomes of each socket. One that has the name of a listener is for that one only; any other is for the
/// listener of its address.
pub fn assign(wanted: &[Wanted], offered: &[Offered]) -> Vec<Use> {
    let mut taken: Vec<&'static str> = Vec::new();
    let mut uses = Vec::with_capacity(offered.len());
    for socket in offered {
        let named = wanted.iter().find(|listener| listener.name == socket.name);
        let fits = |listener: &&Wanted| is_at(&listener.place, &socket.place);
        let found = match named {
            Some(listener) if !fits(&listener) => Err(format!(
                "it listens at {}, and {} is to listen at {}",
                shown(&socket.place),
                listener.name,
                shown(&listener.place)
            )),
            Some(listener) => Ok(listener.name),
            None => wanted
                .iter()
                .find(fits)
                .map(|listener| listener.name)
                .ok_or(format!("nothing is to listen at {}", shown(&socket.place))),
        };
        uses.push(match found {
            Ok(name) if taken.contains(&name) => Use::None(format!("{name} has another one")),
            Ok(name) => {
                taken.push(name);
                Use::Listener(name)
            }
            Err(why) => Use::None(why),
        });
    }
    uses
}

/// Whether a socket at `found` will do for a listener at `wanted`.
fn is_at(wanted: &Place, found: &Place) -> bool {
    match (wanted, found) {
        (Place::Tcp(wanted), Place::Tcp(found)) if wanted.port() == 0 => wanted.ip() == found.ip(),
        (Place::Nowhere, _) | (_, Place::Nowhere) => false,
        (Place::Unix(wanted), Place::Unix(found)) => {
            // The parent binds it under another name first and renames it when its mode is right; the kernel goes on
            // telling the first name.
            let mut unready = wanted.clone().into_os_string();
            unready.push(UNREADY);
            wanted == found || unready == *found
        }
        (wanted, found) => wanted == found,
    }
}

fn shown(place: &Place) -> String {
    match place {
        Place::Tcp(address) => address.to_string(),
        Place::Unix(path) => path.display().to_string(),
        Place::Nowhere => "no address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 7;
    const PARENT: u32 = 3;

    fn texts(count: &str, process: &str, names: &str, parent: &str) -> HandedTexts {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        HandedTexts {
            count: given(count),
            process: given(process),
            names: given(names),
            parent: given(parent),
        }
    }

    #[test]
    fn sockets_are_taken_only_by_the_process_that_they_were_handed_to() {
        for (count, process, given, parent, expected) in [
            ("2", "7", "a:b", "", Ok(vec!["a", "b"])),
            ("2", "", "a:b", "3", Ok(vec!["a", "b"])),
            ("2", "8", "a:b", "3", Ok(vec!["a", "b"])),
            // Somebody else's, left in the environment.
            ("2", "8", "a:b", "", Ok(vec![])),
            ("2", "", "a:b", "4", Ok(vec![])),
            ("2", "", "a:b", "", Ok(vec![])),
            ("", "7", "a:b", "", Ok(vec![])),
            // Names are not said, or too few or too many.
            ("2", "7", "", "", Ok(vec!["", ""])),
            ("2", "7", "a", "", Ok(vec!["a", ""])),
            ("1", "7", "a:b", "", Ok(vec!["a"])),
            ("0", "7", "", "", Ok(vec![])),
            ("33", "7", "", "", Err("33")),
            ("-1", "7", "", "", Err("-1")),
            ("x", "7", "", "", Err("x")),
        ] {
            let texts = texts(count, process, given, parent);
            let found = names(&texts, OWN, PARENT);
            let expected = expected
                .map(|names| names.into_iter().map(str::to_owned).collect())
                .map_err(|text| HandedError::Count(text.to_owned()));
            assert_eq!(found, expected, "{texts:?}");
        }
    }

    fn tcp(address: &str) -> Place {
        Place::Tcp(address.parse().expect("an address"))
    }

    fn wanted() -> [Wanted; 3] {
        let listener = |name, place| Wanted { name, place };
        [
            listener("introspection", tcp("127.0.0.1:51678")),
            listener("task-server", tcp("127.0.0.1:0")),
            listener("admin", Place::Unix(PathBuf::from("/d/berth.sock"))),
        ]
    }

    fn check(offered: &[(&str, Place)], expected: &[Result<&'static str, &str>]) {
        let offered: Vec<Offered> = offered
            .iter()
            .map(|(name, place)| Offered {
                name: (*name).to_owned(),
                place: place.clone(),
            })
            .collect();
        let found = assign(&wanted(), &offered);
        let expected: Vec<Use> = expected
            .iter()
            .map(|each| match each {
                Ok(name) => Use::Listener(name),
                Err(why) => Use::None((*why).to_owned()),
            })
            .collect();
        assert_eq!(found, expected, "{offered:?}");
    }

    #[test]
    fn a_socket_goes_to_the_listener_of_its_name_or_else_of_its_address() {
        check(
            &[
                ("task-server", tcp("127.0.0.1:4000")),
                ("berth.socket", tcp("127.0.0.1:51678")),
                ("berth.socket", Place::Unix(PathBuf::from("/d/berth.sock"))),
            ],
            &[Ok("task-server"), Ok("introspection"), Ok("admin")],
        );
    }

    #[test]
    fn a_socket_that_was_renamed_after_it_was_bound_is_known_again() {
        let at = |path: &str| Place::Unix(PathBuf::from(path));
        check(&[("admin", at("/d/berth.sock.new"))], &[Ok("admin")]);
        let why = "it listens at /d/other.new, and admin is to listen at /d/berth.sock";
        check(&[("admin", at("/d/other.new"))], &[Err(why)]);
    }

    #[test]
    fn a_socket_that_does_not_fit_is_closed_with_a_word() {
        check(
            &[
                ("introspection", tcp("0.0.0.0:51678")),
                ("", tcp("127.0.0.2:80")),
                ("admin", Place::Nowhere),
                ("", Place::Nowhere),
                ("introspection", tcp("127.0.0.1:51678")),
                ("again", tcp("127.0.0.1:51678")),
            ],
            &[
                Err(
                    "it listens at 0.0.0.0:51678, and introspection is to listen at 127.0.0.1:51678",
                ),
                Err("nothing is to listen at 127.0.0.2:80"),
                Err("it listens at no address, and admin is to listen at /d/berth.sock"),
                Err("nothing is to listen at no address"),
                Ok("introspection"),
                Err("introspection has another one"),
            ],
        );
    }
}
