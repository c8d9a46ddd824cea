//! The override flags of `berth run` and `berth plan` as texts become overrides. Pure.

use crate::definition::{ContainerOverride, Overrides};

/// Why a flag cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// Not of the flag's form.
    #[error("{flag} {text:?} is not of the form {form}")]
    Form {
        /// Flag.
        flag: &'static str,
        /// Its text.
        text: String,
        /// The form.
        form: &'static str,
    },
    /// A quote that is not closed.
    #[error("--command {text:?} has a quote that is not closed")]
    Quote {
        /// The flag's text.
        text: String,
    },
    /// Words after `--` without a place.
    #[error("the words after -- need one --command CONTAINER that says whose command they are")]
    Words,
}

/// The flags as given.
#[derive(Clone, Debug, Default)]
pub struct OverrideFlags {
    /// `--env [CONTAINER:]NAME=VALUE`.
    pub env: Vec<String>,
    /// `--command CONTAINER` or `--command "CONTAINER: words"`.
    pub command: Vec<String>,
    /// Words after `--`.
    pub words: Vec<String>,
    /// `--image CONTAINER=IMAGE`.
    pub image: Vec<String>,
    /// `--cpu [CONTAINER=]UNITS`.
    pub cpu: Vec<String>,
    /// `--memory [CONTAINER=]MIB`.
    pub memory: Vec<String>,
    /// `--task-role ARN`.
    pub task_role: Option<String>,
    /// `--execution-role ARN`.
    pub execution_role: Option<String>,
}

impl OverrideFlags {
    /// The overrides. A flag that names no container means the first essential one.
    ///
    /// # Errors
    /// The first flag that is not of its form.
    pub fn read(&self) -> Result<Overrides, FlagError> {
        let mut containers = Vec::new();
        for text in &self.image {
            let (name, image) =
                named(text, '=').ok_or_else(|| form("--image", text, "CONTAINER=IMAGE"))?;
            containers.push(ContainerOverride {
                name: Some(name),
                image: Some(image.to_owned()),
                ..ContainerOverride::default()
            });
        }
        for text in &self.env {
            containers.push(environment(text)?);
        }
        for (flag, texts) in [("--cpu", &self.cpu), ("--memory", &self.memory)] {
            for text in texts {
                let (name, number) = match named(text, '=') {
                    Some((name, number)) => (Some(name), number),
                    None => (None, text.as_str()),
                };
                let number: u32 = number
                    .parse()
                    .map_err(|_| form(flag, text, "[CONTAINER=]NUMBER"))?;
                containers.push(ContainerOverride {
                    name,
                    cpu: (flag == "--cpu").then_some(number),
                    memory: (flag == "--memory").then_some(number),
                    ..ContainerOverride::default()
                });
            }
        }
        containers.extend(self.commands()?);
        Ok(Overrides {
            task_role_arn: self.task_role.clone(),
            execution_role_arn: self.execution_role.clone(),
            containers,
        })
    }

    fn commands(&self) -> Result<Vec<ContainerOverride>, FlagError> {
        let mut commands = Vec::new();
        let mut open = Vec::new();
        for text in &self.command {
            match text.split_once(':') {
                Some((name, words)) => {
                    let words = split_words(words)
                        .ok_or_else(|| FlagError::Quote { text: text.clone() })?;
                    commands.push(command(Some(name.trim().to_owned()), words));
                }
                None => open.push(text.trim().to_owned()),
            }
        }
        match (open.as_slice(), self.words.is_empty()) {
            ([], true) => {}
            ([], false) if self.command.is_empty() => {
                commands.push(command(None, self.words.clone()));
            }
            ([name], _) => commands.push(command(Some(name.clone()), self.words.clone())),
            ([], false) | ([_, _, ..], _) => return Err(FlagError::Words),
        }
        Ok(commands)
    }
}

fn command(name: Option<String>, words: Vec<String>) -> ContainerOverride {
    ContainerOverride {
        name,
        command: Some(words),
        ..ContainerOverride::default()
    }
}

fn environment(text: &str) -> Result<ContainerOverride, FlagError> {
    const FORM: &str = "[CONTAINER:]NAME=VALUE";
    let (left, value) = text
        .split_once('=')
        .ok_or_else(|| form("--env", text, FORM))?;
    let (name, variable) = match left.split_once(':') {
        Some((name, variable)) => (Some(name.to_owned()), variable),
        None => (None, left),
    };
    if variable.is_empty() || name.as_ref().is_some_and(String::is_empty) {
        return Err(form("--env", text, FORM));
    }
    Ok(ContainerOverride {
        name,
        environment: vec![(variable.to_owned(), value.to_owned())],
        ..ContainerOverride::default()
    })
}

/// `NAME=VALUE` pairs of `--var`.
///
/// # Errors
/// The first one without a name or `=`.
pub fn variables(texts: &[String]) -> Result<Vec<(String, String)>, FlagError> {
    texts
        .iter()
        .map(|text| {
            named(text, '=')
                .map(|(name, value)| (name, value.to_owned()))
                .ok_or_else(|| form("--var", text, "NAME=VALUE"))
        })
        .collect()
}

fn named(text: &str, sign: char) -> Option<(String, &str)> {
    let (name, rest) = text.split_once(sign)?;
    (!name.is_empty()).then(|| (name.to_owned(), rest))
}

fn form(flag: &'static str, text: &str, form: &'static str) -> FlagError {
    FlagError::Form {
        flag,
        text: text.to_owned(),
        form,
    }
}

/// Words at blanks; quotes of both kinds keep blanks, a backslash outside single quotes keeps the next character.
fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(characters.next()?),
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    type Command = (Option<String>, Vec<String>);

    fn commands(command: &[&str], words: &[&str]) -> Result<Vec<Command>, FlagError> {
        let flags = OverrideFlags {
            command: strings(command),
            words: strings(words),
            ..OverrideFlags::default()
        };
        let overrides = flags.read()?;
        Ok(overrides
            .containers
            .into_iter()
            .map(|one| (one.name, one.command.unwrap_or_default()))
            .collect())
    }

    #[test]
    fn commands_are_given_in_one_text_or_after_two_dashes() {
        let app = || Some("app".to_owned());
        for (flags, words, expected) in [
            (
                &["app: echo 'a b' \"c\\\"d\" e\\ f ''"][..],
                &[][..],
                (app(), &["echo", "a b", "c\"d", "e f", ""][..]),
            ),
            (
                &["app"],
                &["sh", "-c", "a: b"],
                (app(), &["sh", "-c", "a: b"]),
            ),
            (&[], &["sh"], (None, &["sh"])),
            (&["app:"], &[], (app(), &[])),
        ] {
            let read = commands(flags, words).expect("read");
            assert_eq!(read, [(expected.0, strings(expected.1))]);
        }
        assert_eq!(commands(&["a", "b"], &["c"]), Err(FlagError::Words));
        assert_eq!(commands(&["a: x"], &["c"]), Err(FlagError::Words));
        assert!(matches!(
            commands(&["a: 'x"], &[]),
            Err(FlagError::Quote { .. })
        ));
    }

    #[test]
    fn variables_of_the_environment_may_name_their_container() {
        let flags = OverrideFlags {
            env: strings(&["A=1", "app:B=x:y=z", "C="]),
            ..OverrideFlags::default()
        };
        let read = flags.read().expect("read").containers;
        let shown: Vec<_> = read
            .iter()
            .map(|one| {
                (
                    one.name.as_deref(),
                    one.environment[0].0.as_str(),
                    one.environment[0].1.as_str(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (None, "A", "1"),
                (Some("app"), "B", "x:y=z"),
                (None, "C", "")
            ]
        );
    }

    #[test]
    fn flags_of_another_form_are_named() {
        let bad = [
            OverrideFlags {
                env: strings(&["A"]),
                ..OverrideFlags::default()
            },
            OverrideFlags {
                env: strings(&["app:=x"]),
                ..OverrideFlags::default()
            },
            OverrideFlags {
                image: strings(&["busybox"]),
                ..OverrideFlags::default()
            },
            OverrideFlags {
                cpu: strings(&["app=much"]),
                ..OverrideFlags::default()
            },
            OverrideFlags {
                memory: strings(&["-1"]),
                ..OverrideFlags::default()
            },
        ];
        for flags in bad {
            assert!(
                matches!(flags.read(), Err(FlagError::Form { .. })),
                "{flags:?}"
            );
        }
        assert!(variables(&strings(&["=x"])).is_err());
        assert_eq!(
            variables(&strings(&["A=b=c"])),
            Ok(vec![("A".to_owned(), "b=c".to_owned())])
        );
    }

    #[test]
    fn sizes_and_images_reach_their_container() {
        let flags = OverrideFlags {
            image: strings(&["app=busybox:1.36"]),
            cpu: strings(&["256"]),
            memory: strings(&["app=64"]),
            ..OverrideFlags::default()
        };
        let read = flags.read().expect("read").containers;
        assert_eq!(read[0].image.as_deref(), Some("busybox:1.36"));
        assert_eq!((read[1].name.as_deref(), read[1].cpu), (None, Some(256)));
        assert_eq!(
            (read[2].name.as_deref(), read[2].memory),
            (Some("app"), Some(64))
        );
    }
}
