//! Where setting texts come from: flags over environment over files, by name.
//!
//! **Invariants.** The only place that reads the process environment, once, at start. Only names that could be ours
//! are kept, so that no foreign secret stays in memory. An empty text counts as not given (the reference agent's merge
//! rule).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::ecs_env;
use crate::domain::host::OsType;

/// Names that are kept from the environment even if they are no setting, so that a misspelt one is noticed.
const PREFIXES: [&str; 2] = ["ECS_", "BERTH_"];

/// By this `berth supervise` says who hands sockets to the agent that it starts: its own process id, since it cannot
/// know the agent's.
pub const PARENT: &str = "LISTEN_PPID";

/// Which source a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The process environment.
    Environment,
    /// A file of the host: one that every ECS agent on it reads, or the kernel's.
    Host(&'static str),
    /// The settings file that was named.
    File,
    /// Nobody gave it, or what was given is no good.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::Host(path) => path,
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// Setting texts of all sources, the strongest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    layers: Vec<(Origin, BTreeMap<String, String>)>,
}

impl Strings {
    /// No texts: every setting has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source below those that are there. Empty texts are left out.
    #[must_use]
    pub fn below(
        mut self,
        origin: Origin,
        texts: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let given = texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .collect();
        self.layers.push((origin, given));
        self
    }

    /// The strongest text of that name and where it came from.
    pub fn get(&self, name: &str) -> Option<(&str, Origin)> {
        self.all(name).next()
    }

    /// Every text of that name and where it came from, the strongest first.
    pub fn all(&self, name: &str) -> impl Iterator<Item = (&str, Origin)> {
        let layers = self.layers.iter();
        layers
            .filter_map(move |(origin, texts)| texts.get(name).map(|text| (text.as_str(), *origin)))
    }

    /// Every name that some source gives, with its strongest source.
    pub fn names(&self) -> BTreeMap<&str, Origin> {
        let mut names = BTreeMap::new();
        for (origin, texts) in &self.layers {
            for name in texts.keys() {
                names.entry(name.as_str()).or_insert(*origin);
            }
        }
        names
    }
}

/// The part of the process environment that may be settings. Texts that are not UTF-8 are kept lossily and will be
/// refused by their setting's syntax.
pub fn environment() -> BTreeMap<String, String> {
    let os = OsType::of_build();
    keep_ours(std::env::vars_os().map(|(name, text)| {
        (
            spelt(os, &name.to_string_lossy()),
            text.to_string_lossy().into_owned(),
        )
    }))
}

/// A variable's name as the table spells it: on Windows names have no case.
fn spelt(os: OsType, name: &str) -> String {
    if os == OsType::Linux {
        return name.to_owned();
    }
    let mut known = ecs_env::names();
    let known = known.find(|known| known.eq_ignore_ascii_case(name));
    known.map_or_else(|| name.to_ascii_uppercase(), str::to_owned)
}

/// Whether the user wants no colours of any program (<https://no-color.org>).
pub fn no_color() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    let named = std::env::var_os("NO_COLOR");
    named.is_some_and(|text| !text.is_empty())
}

/// What the environment says of sockets that were handed over: `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`, and
/// [`PARENT`].
pub fn handed_over() -> [Option<String>; 4] {
    ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", PARENT].map(|name| {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that reads the environment"
        )]
        let text = std::env::var(name);
        text.ok()
    })
}

/// `%ProgramData%`: where programs keep what is not a user's, on Windows.
pub fn program_data() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    let text = std::env::var("ProgramData");
    text.ok()
}

/// Where programs of this user keep their state, by the environment: for agents that do not run as root.
pub fn user_state_dir() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    let named = |name| std::env::var_os(name).filter(|text| !text.is_empty());
    state_dir(named("XDG_STATE_HOME"), named("HOME"))
}

fn state_dir(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let state_home = state_home
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    state_home.or_else(|| Some(PathBuf::from(home?).join(".local/state")))
}

/// Of the variables of an environment those that may be settings.
pub(super) fn keep_ours(
    all: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    all.into_iter()
        .filter(|(name, _)| {
            ecs_env::names().any(|known| known == name)
                || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn the_stronger_source_wins_and_an_empty_text_is_no_text() {
        let strings = Strings::new()
            .below(Origin::Flag, texts(&[("A", ""), ("B", "flag")]))
            .below(Origin::Environment, texts(&[("A", "env"), ("B", "env")]))
            .below(Origin::File, texts(&[("C", "file")]));
        assert_eq!(strings.get("A"), Some(("env", Origin::Environment)));
        assert_eq!(strings.get("B"), Some(("flag", Origin::Flag)));
        assert_eq!(strings.get("C"), Some(("file", Origin::File)));
        assert_eq!(strings.get("D"), None);
        assert_eq!(strings.names().len(), 3);
    }

    // Paths of Unix, which are not whole ones elsewhere.
    #[cfg(unix)]
    #[test]
    fn the_state_of_a_user_lies_where_other_programs_keep_theirs() {
        let text = |text: &str| Some(OsString::from(text));
        let dir = |text: &str| Some(PathBuf::from(text));
        assert_eq!(state_dir(text("/s"), text("/users/a")), dir("/s"));
        assert_eq!(
            state_dir(text("relative"), text("/h")),
            dir("/h/.local/state")
        );
        assert_eq!(state_dir(None, text("/h")), dir("/h/.local/state"));
        assert_eq!(state_dir(None, None), None);
    }

    #[test]
    fn foreign_variables_are_not_kept() {
        let all = texts(&[
            ("ECS_CLUSTER", "a"),
            ("BERTH_X", "b"),
            ("DOCKER_HOST", "c"),
            ("AWS_SECRET_ACCESS_KEY", "d"),
            ("NONECS_NUM_CONTAINERS_DELETE_PER_CYCLE", "5"),
        ]);
        let kept = keep_ours(all);
        assert_eq!(
            kept.into_keys().collect::<Vec<_>>(),
            [
                "BERTH_X",
                "DOCKER_HOST",
                "ECS_CLUSTER",
                "NONECS_NUM_CONTAINERS_DELETE_PER_CYCLE"
            ],
            "what is of ECS agents is kept, to be told that it has no effect"
        );
    }

    #[test]
    fn names_of_variables_have_no_case_on_windows() {
        for (given, meant) in [
            ("Ecs_Cluster", "ECS_CLUSTER"),
            ("docker_host", "DOCKER_HOST"),
            ("https_proxy", "HTTPS_PROXY"),
            (
                "nonecs_num_containers_delete_per_cycle",
                "NONECS_NUM_CONTAINERS_DELETE_PER_CYCLE",
            ),
            ("ecs_clustr", "ECS_CLUSTR"),
        ] {
            assert_eq!(spelt(OsType::Windows, given), meant);
            assert_eq!(spelt(OsType::Linux, given), given);
        }
    }
}
