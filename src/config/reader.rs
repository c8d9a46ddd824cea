//! Reads settings one by one under their table entries and keeps account: what counts, where it came from, what was
//! wrong.
//!
//! **Invariant.** Reading never fails. A text that cannot be used is named in a [`Problem`], and what a weaker source
//! gives counts, else the default. So does one that says nothing: a zero, an empty list, blanks.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::ecs_env::{Bounds, Kind, Outside, Setting, WITHOUT_EFFECT, find, nearest};
use super::source::{Origin, Strings};
use super::syntax::{self, Expected};
use crate::domain::host::OsType;
use crate::domain::windows_path;

/// Names the settings file itself.
pub(super) const SETTINGS_FILE: &str = "ECS_AGENT_CONFIG_FILE_PATH";

/// A setting that could not be used as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the setting, or of the settings file's part.
    pub setting: String,
    /// Who gave it.
    pub origin: Origin,
    /// What is wrong and what counts instead.
    pub message: String,
}

/// One setting as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Name.
    pub setting: &'static str,
    /// Value as a text that would give it; `(not shown)` for a secret; empty = none.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it governs.
    pub about: &'static str,
}

/// How a bounded value is read and shown.
struct Syntax<T> {
    parse: fn(&str) -> Result<T, Expected>,
    show: fn(&T) -> String,
}

/// Reads settings and collects what there is to say about them.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The system of the host: of its paths and its defaults.
    pub(super) os: OsType,
    strings: &'a Strings,
    pub(super) problems: Vec<Problem>,
    pub(super) effective: Vec<Effective>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(os: OsType, strings: &'a Strings) -> Self {
        Self {
            os,
            strings,
            problems: Vec::new(),
            effective: Vec::new(),
        }
    }

    /// The text, `None` if there is none, or an empty one.
    pub(super) fn text(&mut self, setting: &'static Setting) -> Option<String> {
        self.parsed(setting, |text| Ok(text.to_owned()))
    }

    /// What `parse` makes of the text, blanks at both ends cut; it says in words what is wrong with one.
    pub(super) fn parsed<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let parse = |text: &str| match text.trim() {
            "" => Ok(None),
            text => Ok(Some((text.to_owned(), parse(text)?))),
        };
        let pair = self.read(setting, parse, |(text, _)| text.clone());
        pair.map(|(_, value)| value)
    }

    /// The text of a secret.
    pub(super) fn secret(&mut self, setting: &'static Setting) -> Option<String> {
        self.read(
            setting,
            |text| Ok(Some(text.to_owned())),
            |_| "(not shown)".to_owned(),
        )
    }

    pub(super) fn path(&mut self, setting: &'static Setting) -> Option<PathBuf> {
        self.fit_path(setting, |_| None)
    }

    /// A path that `unfit` has no words against.
    pub(super) fn fit_path(
        &mut self,
        setting: &'static Setting,
        unfit: fn(&str) -> Option<&'static str>,
    ) -> Option<PathBuf> {
        let os = self.os;
        self.parsed(setting, |text| {
            let wrong = match os {
                OsType::Windows => windows_path::no_file(text).or_else(|| unfit(text)),
                OsType::Linux => None,
            };
            wrong.map_or_else(|| Ok(PathBuf::from(text)), |why| Err(why.to_owned()))
        })
    }

    pub(super) fn truth(&mut self, setting: &'static Setting) -> bool {
        self.read(setting, given(syntax::truth), ToString::to_string)
            .unwrap_or_default()
    }

    /// The same where what is usual depends on something else.
    pub(super) fn truth_or(&mut self, setting: &'static Setting, usual: bool) -> bool {
        let usual = if usual { "true" } else { "false" };
        self.read_or(setting, usual, given(syntax::truth), ToString::to_string)
            .unwrap_or_default()
    }

    pub(super) fn duration(&mut self, setting: &'static Setting) -> Duration {
        const SYNTAX: Syntax<Duration> = Syntax {
            parse: syntax::duration,
            show: |value| syntax::show_duration(*value),
        };
        let Some(bounds) = setting.duration_on(self.os) else {
            return Duration::ZERO;
        };
        self.bounded(setting, &bounds, &SYNTAX)
    }

    pub(super) fn number(&mut self, setting: &'static Setting) -> u64 {
        const SYNTAX: Syntax<u64> = Syntax {
            parse: syntax::number,
            show: |value| value.to_string(),
        };
        let Kind::Number(bounds) = &setting.kind else {
            return 0;
        };
        self.bounded(setting, bounds, &SYNTAX)
    }

    /// The ports, with one that is there whoever gives them.
    pub(super) fn ports_with(&mut self, setting: &'static Setting, also: Option<u16>) -> Vec<u16> {
        let mut ports = self.ports(setting);
        if let Some(port) = also.filter(|port| !ports.contains(port)) {
            ports.push(port);
            self.count(setting, show_ports(&ports), self.origin(setting));
        }
        ports
    }

    pub(super) fn ports(&mut self, setting: &'static Setting) -> Vec<u16> {
        // The reference agent cannot tell an empty list from none, and hosts rely on their SSH port being kept.
        let parse = |text: &str| {
            let ports = syntax::ports(text).map_err(is_not)?;
            Ok(Some(ports).filter(|ports| !ports.is_empty()))
        };
        self.read(setting, parse, |ports| show_ports(ports))
            .unwrap_or_default()
    }

    pub(super) fn port_range(&mut self, setting: &'static Setting) -> Option<(u16, u16)> {
        self.read(setting, given(syntax::port_range), |(low, high)| {
            format!("{low}-{high}")
        })
    }

    /// Requests a second and at once; `None` = as usual, which a zero stands for.
    pub(super) fn rate(
        &mut self,
        setting: &'static Setting,
    ) -> (Option<NonZeroU32>, Option<NonZeroU32>) {
        let parse = |text: &str| {
            let rate = syntax::rate(text).map_err(is_not)?;
            Ok(Some(rate).filter(|rate| *rate != (0, 0)))
        };
        let rate = self.read(setting, parse, |(steady, burst)| {
            format!("{steady},{burst}")
        });
        let (steady, burst) = rate.unwrap_or_default();
        (NonZeroU32::new(steady), NonZeroU32::new(burst))
    }

    pub(super) fn attributes(&mut self, setting: &'static Setting) -> BTreeMap<String, String> {
        let parse = |text: &str| {
            let attributes = syntax::attributes(text).map_err(is_not)?;
            Ok(Some(attributes).filter(|attributes| !attributes.is_empty()))
        };
        let show = |attributes: &BTreeMap<String, String>| {
            let members = attributes
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect();
            serde_json::Value::Object(members).to_string()
        };
        self.read(setting, parse, show).unwrap_or_default()
    }

    pub(super) fn list(&mut self, setting: &'static Setting) -> Vec<String> {
        let parse = |text: &str| {
            let list = syntax::comma_list(text).map_err(is_not)?;
            Ok(Some(list).filter(|list| !list.is_empty()))
        };
        self.read(setting, parse, |list| list.join(","))
            .unwrap_or_default()
    }

    /// The word in the table's spelling; empty if there is none.
    pub(super) fn word(&mut self, setting: &'static Setting) -> &'static str {
        let Kind::Word(words) = setting.kind else {
            return "";
        };
        let parse = |text: &str| {
            let text = text.trim();
            let mut known = words.iter().copied();
            match known.find(|word| word.eq_ignore_ascii_case(text)) {
                None if !text.is_empty() => Err(format!("is not one of {}", words.join(", "))),
                known => Ok(known),
            }
        };
        self.read(setting, parse, |word| (*word).to_owned())
            .unwrap_or_default()
    }

    /// Names that were given and that nobody will read.
    pub(super) fn report_strangers(&mut self) {
        for (name, origin) in self.strings.names() {
            if find(name).is_some() || name == SETTINGS_FILE {
                continue;
            }
            let message = if WITHOUT_EFFECT.contains(&name) {
                "is a setting of ECS agents that has no effect here".to_owned()
            } else if let Some(known) = nearest(name) {
                format!("is no setting; did you mean {known}?")
            } else {
                "is no setting".to_owned()
            };
            self.problems.push(Problem {
                setting: name.to_owned(),
                origin,
                message,
            });
        }
    }

    /// The value of the strongest source that gives one, else the default's; `None` if there is neither. `parse` gives
    /// `None` for a text that is as good as not given, and words for one that cannot be used.
    fn read<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<Option<T>, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let default = setting.default_on(self.os);
        self.read_or(setting, default, parse, show)
    }

    fn read_or<T>(
        &mut self,
        setting: &'static Setting,
        default: &'static str,
        parse: impl Fn(&str) -> Result<Option<T>, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let mut refused = Vec::new();
        let mut found = None;
        for (text, origin) in self.strings.all(setting.name) {
            match parse(text) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    found = Some((value, origin));
                    break;
                }
                Err(what) => refused.push((origin, format!("{}{what}", shown(setting, text)))),
            }
        }
        let instead = match &found {
            Some((_, origin)) => format!("the value from {origin} counts"),
            None => counts_instead(default),
        };
        let problems = refused.into_iter().map(|(origin, what)| Problem {
            setting: setting.name.to_owned(),
            origin,
            message: format!("{what}; {instead}"),
        });
        self.problems.extend(problems);
        if let Some((value, origin)) = found {
            self.count(setting, show(&value), origin);
            return Some(value);
        }
        self.count(setting, default.to_owned(), Origin::Default);
        if default.is_empty() {
            return None;
        }
        parse(default).unwrap_or_default()
    }

    /// A value within its bounds. A zero is as good as not given, and so is one beyond them for which the default counts.
    fn bounded<T: Copy + Ord + Default>(
        &mut self,
        setting: &'static Setting,
        bounds: &Bounds<T>,
        Syntax { parse, show }: &Syntax<T>,
    ) -> T {
        let beyond = |value: T| {
            if value < bounds.min {
                Some(format!("is less than {}", show(&bounds.min)))
            } else if value > bounds.max {
                Some(format!("is more than {}", show(&bounds.max)))
            } else {
                None
            }
        };
        let read = |text: &str| {
            let value = parse(text).map_err(is_not)?;
            if value == T::default() {
                return Ok(None);
            }
            match (beyond(value), bounds.outside) {
                (Some(why), Outside::Default) => Err(why),
                (None, _) | (_, Outside::Clamp) => Ok(Some(value)),
            }
        };
        let value = self.read(setting, read, show).unwrap_or_default();
        let Some(why) = beyond(value) else {
            return value;
        };
        let nearest = value.clamp(bounds.min, bounds.max);
        let origin = self.origin(setting);
        self.problems.push(Problem {
            setting: setting.name.to_owned(),
            origin,
            message: format!("{why}; that counts"),
        });
        self.count(setting, show(&nearest), origin);
        nearest
    }

    /// The value reads well but cannot be used; the default counts.
    pub(super) fn set_aside(&mut self, setting: &'static Setting, why: &str) {
        let default = setting.default_on(self.os);
        self.refuse(setting, why, &counts_instead(default));
        self.count(setting, default.to_owned(), Origin::Default);
    }

    /// Whether what a setting of Linux asks for is done: not on Windows, and that is told.
    pub(super) fn is_done_on_linux(&mut self, setting: &'static Setting, asks: bool) -> bool {
        let done = asks && self.os != OsType::Windows;
        if asks && !done {
            self.set_aside(setting, "has no effect on Windows");
        }
        done
    }

    /// The value reads well but cannot be used; another than the default counts.
    pub(super) fn replace(&mut self, setting: &'static Setting, why: &str, by: &str) {
        self.refuse(setting, why, &format!("{by} counts"));
        self.count(setting, by.to_owned(), Origin::Default);
    }

    /// Says of the value that counts so far why it does not.
    fn refuse(&mut self, setting: &'static Setting, what: &str, instead: &str) {
        let Some(counting) = self.counting(setting) else {
            return;
        };
        let message = format!("{}{what}; {instead}", shown(setting, &counting.value));
        let origin = counting.origin;
        self.problems.push(Problem {
            setting: setting.name.to_owned(),
            origin,
            message,
        });
    }

    /// Who gave what counts of the setting so far.
    pub(super) fn origin(&self, setting: &Setting) -> Origin {
        self.counting(setting)
            .map_or(Origin::Default, |counting| counting.origin)
    }

    /// What counts of the setting so far.
    fn counting(&self, setting: &Setting) -> Option<&Effective> {
        self.effective
            .iter()
            .find(|effective| effective.setting == setting.name)
    }

    /// Notes what counts; a later note about the same setting replaces the earlier.
    fn count(&mut self, setting: &'static Setting, value: String, origin: Origin) {
        self.effective.retain(|other| other.setting != setting.name);
        self.effective.push(Effective {
            setting: setting.name,
            value,
            origin,
            about: setting.about,
        });
    }
}

/// A text that is refused, to begin the words about it; nothing of a secret.
fn shown(setting: &Setting, text: &str) -> String {
    if matches!(setting.kind, Kind::Secret) {
        return String::new();
    }
    format!("{text:?} ")
}

fn counts_instead(default: &str) -> String {
    match default {
        "" => "it counts as not given".to_owned(),
        default => format!("the default ({default}) counts"),
    }
}

fn show_ports(ports: &[u16]) -> String {
    format!("{ports:?}").replace(' ', "")
}

fn is_not(expected: Expected) -> String {
    format!("is not {expected}")
}

/// A syntax of which every value is one that was given.
fn given<T>(
    parse: impl Fn(&str) -> Result<T, Expected>,
) -> impl Fn(&str) -> Result<Option<T>, String> {
    move |text| parse(text).map(Some).map_err(is_not)
}
