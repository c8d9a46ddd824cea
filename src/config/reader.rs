//! Reads settings one by one under their table entries and keeps account: what counts, where it came from, what was
//! wrong.
//!
//! **Invariant.** Reading never fails. A text that cannot be used is named in a [`Problem`] and the default counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::ecs_env::{Bounds, Kind, Outside, Setting, WITHOUT_EFFECT, find, nearest};
use super::source::{Origin, Strings};
use super::syntax::{self, Expected};

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
    strings: &'a Strings,
    pub(super) problems: Vec<Problem>,
    pub(super) effective: Vec<Effective>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(strings: &'a Strings) -> Self {
        Self {
            strings,
            problems: Vec::new(),
            effective: Vec::new(),
        }
    }

    /// The text, `None` if there is none, or an empty one.
    pub(super) fn text(&mut self, setting: &'static Setting) -> Option<String> {
        let value = self.read(setting, |text| Ok(text.trim().to_owned()), Clone::clone);
        value.filter(|text| !text.is_empty())
    }

    /// The text of a secret.
    pub(super) fn secret(&mut self, setting: &'static Setting) -> Option<String> {
        self.read(
            setting,
            |text| Ok(text.to_owned()),
            |_| "(not shown)".to_owned(),
        )
    }

    pub(super) fn path(&mut self, setting: &'static Setting) -> Option<PathBuf> {
        self.text(setting).map(PathBuf::from)
    }

    pub(super) fn truth(&mut self, setting: &'static Setting) -> bool {
        self.read(setting, syntax::truth, ToString::to_string)
            .unwrap_or_default()
    }

    pub(super) fn duration(&mut self, setting: &'static Setting) -> Duration {
        const SYNTAX: Syntax<Duration> = Syntax {
            parse: syntax::duration,
            show: |value| syntax::show_duration(*value),
        };
        let Kind::Duration(bounds) = &setting.kind else {
            return Duration::ZERO;
        };
        let value = self.read(setting, SYNTAX.parse, SYNTAX.show);
        self.within(setting, bounds, value.unwrap_or_default(), SYNTAX)
    }

    pub(super) fn number(&mut self, setting: &'static Setting) -> u64 {
        const SYNTAX: Syntax<u64> = Syntax {
            parse: syntax::number,
            show: |value| value.to_string(),
        };
        let Kind::Number(bounds) = &setting.kind else {
            return 0;
        };
        let value = self.read(setting, SYNTAX.parse, SYNTAX.show);
        self.within(setting, bounds, value.unwrap_or_default(), SYNTAX)
    }

    pub(super) fn ports(&mut self, setting: &'static Setting) -> Vec<u16> {
        let show = |ports: &Vec<u16>| format!("{ports:?}").replace(' ', "");
        let ports = self.read(setting, syntax::ports, show).unwrap_or_default();
        if !ports.is_empty() {
            return ports;
        }
        // The reference agent cannot tell an empty list from none, and hosts rely on their SSH port being kept.
        let ports = syntax::ports(setting.default).unwrap_or_default();
        self.count(setting, show(&ports), Origin::Default);
        ports
    }

    pub(super) fn port_range(&mut self, setting: &'static Setting) -> Option<(u16, u16)> {
        self.read(setting, syntax::port_range, |(low, high)| {
            format!("{low}-{high}")
        })
    }

    /// Requests a second and at once; a zero is the default's.
    pub(super) fn rate(&mut self, setting: &'static Setting) -> Option<(u32, u32)> {
        let rate = self.read(setting, syntax::rate, |(steady, burst)| {
            format!("{steady},{burst}")
        });
        rate.filter(|(steady, burst)| *steady > 0 && *burst > 0)
    }

    pub(super) fn attributes(&mut self, setting: &'static Setting) -> BTreeMap<String, String> {
        self.read(setting, syntax::attributes, |attributes| {
            let members = attributes
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect();
            serde_json::Value::Object(members).to_string()
        })
        .unwrap_or_default()
    }

    pub(super) fn list(&mut self, setting: &'static Setting) -> Vec<String> {
        self.read(setting, syntax::comma_list, |list| list.join(","))
            .unwrap_or_default()
    }

    /// The word in the table's spelling; empty if there is none.
    pub(super) fn word(&mut self, setting: &'static Setting) -> &'static str {
        let Kind::Word(words) = setting.kind else {
            return "";
        };
        let known = |text: &str| {
            let text = text.trim();
            words
                .iter()
                .copied()
                .find(|word| word.eq_ignore_ascii_case(text))
                .ok_or("one of the words it takes")
        };
        let given = self.strings.get(setting.name).map(|(text, _)| text);
        if given.is_some_and(|text| known(text).is_err()) {
            let message = format!("is not one of {}", words.join(", "));
            self.set_aside(setting, &message);
            return known(setting.default).unwrap_or_default();
        }
        self.read(setting, known, |word| (*word).to_owned())
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

    /// The value given, else the default's; `None` if there is neither.
    fn read<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, Expected>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        if let Some((text, origin)) = self.strings.get(setting.name) {
            match parse(text) {
                Ok(value) => {
                    self.count(setting, show(&value), origin);
                    return Some(value);
                }
                Err(expected) => self.refuse(setting, &format!("is not {expected}")),
            }
        }
        self.count(setting, setting.default.to_owned(), Origin::Default);
        (!setting.default.is_empty())
            .then(|| parse(setting.default).ok())
            .flatten()
    }

    fn within<T: Copy + Ord + Default>(
        &mut self,
        setting: &'static Setting,
        bounds: &Bounds<T>,
        value: T,
        Syntax { parse, show }: Syntax<T>,
    ) -> T {
        if value >= bounds.min && value <= bounds.max {
            return value;
        }
        let nearest = value.clamp(bounds.min, bounds.max);
        let default = parse(setting.default).unwrap_or(nearest);
        if value == T::default() {
            self.count(setting, show(&default), Origin::Default);
            return default;
        }
        let side = if value < bounds.min {
            format!("is less than {}", show(&bounds.min))
        } else {
            format!("is more than {}", show(&bounds.max))
        };
        let (used, instead) = match bounds.outside {
            Outside::Clamp => (nearest, "that counts".to_owned()),
            Outside::Default => (default, format!("the default ({}) counts", show(&default))),
        };
        let origin = self
            .strings
            .get(setting.name)
            .map_or(Origin::Default, |(_, origin)| origin);
        self.problems.push(Problem {
            setting: setting.name.to_owned(),
            origin,
            message: format!("{side}; {instead}"),
        });
        self.count(setting, show(&used), origin);
        used
    }

    /// The value reads well but cannot be used; the default counts.
    pub(super) fn set_aside(&mut self, setting: &'static Setting, why: &str) {
        self.refuse(setting, why);
        self.count(setting, setting.default.to_owned(), Origin::Default);
    }

    fn refuse(&mut self, setting: &'static Setting, what: &str) {
        let Some((text, origin)) = self.strings.get(setting.name) else {
            return;
        };
        let shown = if matches!(setting.kind, Kind::Secret) {
            String::new()
        } else {
            format!("{text:?} ")
        };
        let instead = match setting.default {
            "" => "it counts as not given".to_owned(),
            default => format!("the default ({default}) counts"),
        };
        self.problems.push(Problem {
            setting: setting.name.to_owned(),
            origin,
            message: format!("{shown}{what}; {instead}"),
        });
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
