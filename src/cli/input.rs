//! The task definition of a command line: the file, its variables and overrides, how to run it here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::run::overrides::{FlagError, OverrideFlags, variables};
use crate::definition::{Finding, MAX_FILE_BYTES, ParseOptions, apply_overrides, parse};
use crate::domain::definition::{NetworkMode, TaskDefinition};
use crate::domain::task::TaskOptions;

/// Flags that say what to run and how.
#[expect(clippy::doc_markdown, reason = "these comments are printed as help")]
#[derive(Clone, Debug, Args)]
pub struct DefinitionArgs {
    /// Task definition as JSON: register-task-definition's input or describe-task-definition's output; - reads it
    /// from standard input
    pub file: PathBuf,
    /// Value of a placeholder in the file
    #[arg(long, value_name = "NAME=VALUE")]
    pub var: Vec<String>,
    /// Set a variable of a container's environment
    #[arg(long, short, value_name = "[CONTAINER:]NAME=VALUE")]
    pub env: Vec<String>,
    /// Set a container's command: "CONTAINER: words", or CONTAINER with the words after --
    #[arg(long, value_name = "CONTAINER")]
    pub command: Vec<String>,
    /// Set a container's image
    #[arg(long, value_name = "CONTAINER=IMAGE")]
    pub image: Vec<String>,
    /// Set a container's CPU units (1024 = one vCPU)
    #[arg(long, value_name = "[CONTAINER=]UNITS")]
    pub cpu: Vec<String>,
    /// Set a container's memory limit in MiB
    #[arg(long, value_name = "[CONTAINER=]MIB")]
    pub memory: Vec<String>,
    /// Set the task role
    #[arg(long, value_name = "ARN")]
    pub task_role: Option<String>,
    /// Set the execution role
    #[arg(long, value_name = "ARN")]
    pub execution_role: Option<String>,
    /// Run the network mode awsvpc as this one
    #[arg(long, value_name = "MODE")]
    pub network_as: Option<NetworkAs>,
    /// Run a definition that requires Fargate or other compatibilities this host does not have
    #[arg(long)]
    pub ignore_compatibilities: bool,
    /// When to pull images: default, always, once or prefer-cached [setting ECS_IMAGE_PULL_BEHAVIOR]
    #[arg(long, value_name = "WHEN", value_parser = ["default", "always", "once", "prefer-cached"])]
    pub pull: Option<String>,
    /// Words of a command: see --command
    #[arg(last = true, value_name = "WORDS")]
    pub words: Vec<String>,
}

/// What `awsvpc` is run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkAs {
    /// One network namespace that all containers of the task share, behind Docker's bridge
    Bridge,
    /// The host's network
    Host,
}

impl From<NetworkAs> for NetworkMode {
    fn from(mode: NetworkAs) -> Self {
        match mode {
            NetworkAs::Bridge => Self::Bridge,
            NetworkAs::Host => Self::Host,
        }
    }
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file; `-` = standard input.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The file is too large.
    #[error("{} is larger than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no task definition, or the overrides do not fit it: every reason.
    #[error("{} is refused{}", path.display(), lines(findings))]
    Refused {
        /// The file.
        path: PathBuf,
        /// At least one error.
        findings: Vec<Finding>,
        /// What could be read of it.
        partial: Option<Box<TaskDefinition>>,
    },
    /// A flag is wrong.
    #[error("read the command line")]
    Flag(#[from] FlagError),
}

fn lines(findings: &[Finding]) -> String {
    let texts = findings.iter().map(ToString::to_string);
    texts.flat_map(|text| ["\n  ".to_owned(), text]).collect()
}

/// A definition ready to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Overrides applied.
    pub definition: TaskDefinition,
    /// What the reader had to say.
    pub warnings: Vec<Finding>,
    /// How to run it here.
    pub options: TaskOptions,
}

impl DefinitionArgs {
    /// Reads the file and applies the flags.
    ///
    /// # Errors
    /// [`InputError`], with every reason at once where the definition is refused.
    pub fn load(&self) -> Result<Input, InputError> {
        let bytes = self.bytes()?;
        let refused = |findings, partial| InputError::Refused {
            path: self.file.clone(),
            findings,
            partial,
        };
        let stem = match self.file.file_stem() {
            Some(stem) if !self.is_stdin() => stem.to_string_lossy().into_owned(),
            _ => "stdin".to_owned(),
        };
        let options = ParseOptions {
            variables: variables(&self.var)?
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            family_hint: Some(stem),
        };
        let overrides = self.override_flags().read()?;
        let parsed = parse(&bytes, &options)
            .map_err(|rejected| refused(rejected.findings, rejected.partial))?;
        let definition = apply_overrides(&parsed.definition, &overrides)
            .map_err(|findings| refused(findings, Some(Box::new(parsed.definition))))?;
        Ok(Input {
            definition,
            warnings: parsed.warnings,
            options: self.task_options(),
        })
    }

    /// Settings that these flags give.
    pub fn settings(&self) -> Vec<(String, String)> {
        let pull = self.pull.iter();
        pull.map(|word| ("ECS_IMAGE_PULL_BEHAVIOR".to_owned(), word.clone()))
            .collect()
    }

    /// How to run it here.
    pub(super) fn task_options(&self) -> TaskOptions {
        TaskOptions {
            network_as: self.network_as.map(NetworkMode::from),
            ignore_compatibilities: self.ignore_compatibilities,
        }
    }

    fn override_flags(&self) -> OverrideFlags {
        OverrideFlags {
            env: self.env.clone(),
            command: self.command.clone(),
            words: self.words.clone(),
            image: self.image.clone(),
            cpu: self.cpu.clone(),
            memory: self.memory.clone(),
            task_role: self.task_role.clone(),
            execution_role: self.execution_role.clone(),
        }
    }

    fn is_stdin(&self) -> bool {
        self.file == Path::new("-")
    }

    fn bytes(&self) -> Result<Vec<u8>, InputError> {
        let failed = |source| InputError::Read {
            path: self.file.clone(),
            source,
        };
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        let source: Box<dyn Read> = if self.is_stdin() {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(&self.file).map_err(failed)?)
        };
        let mut limited = source.take(limit.saturating_add(1));
        limited.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(InputError::TooLarge {
                path: self.file.clone(),
            });
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: DefinitionArgs,
    }

    fn load(text: &str, flags: &[&str]) -> Result<Input, InputError> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("web.json");
        std::fs::write(&file, text).expect("written");
        let file = file.display().to_string();
        let line = ["berth", &file].into_iter().chain(flags.iter().copied());
        Line::try_parse_from(line).expect("parsed").args.load()
    }

    const GOOD: &str =
        r#"{"containerDefinitions": [{"name": "app", "image": "busybox", "memory": 64}]}"#;

    #[test]
    fn the_file_its_name_and_the_flags_make_the_task() {
        let flags = [
            "-e",
            "A=1",
            "--network-as",
            "host",
            "--command",
            "app",
            "--",
            "sh",
            "-c",
            "x",
        ];
        let input = load(GOOD, &flags).expect("loaded");
        assert_eq!(input.definition.family.as_str(), "web");
        let app = &input.definition.containers[0];
        assert_eq!(app.environment["A"], "1");
        assert_eq!(app.command.as_deref().map(<[String]>::len), Some(3));
        assert_eq!(input.options.network_as, Some(NetworkMode::Host));
    }

    #[test]
    fn every_reason_for_a_refusal_is_on_a_line_of_its_own() {
        let text = r#"{"containerDefinitions": [{"name": "a b", "image": "UPPER", "memory": 64}]}"#;
        let error = load(text, &[]).expect_err("refused");
        assert!(error.to_string().lines().count() >= 3, "{error}");
        let error = load(GOOD, &["--image", "other=busybox"]).expect_err("refused");
        assert!(matches!(error, InputError::Refused { .. }), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = Line::try_parse_from(["berth", "/nowhere/x.json"]).expect("parsed");
        let error = missing.args.load().expect_err("missing");
        assert!(matches!(error, InputError::Read { .. }));
        let large = load(&" ".repeat(MAX_FILE_BYTES + 1), &[]).expect_err("too large");
        assert!(matches!(large, InputError::TooLarge { .. }));
        let flag = load(GOOD, &["--env", "A"]).expect_err("flag");
        assert!(matches!(flag, InputError::Flag(_)));
    }

    #[test]
    fn the_pull_flag_is_a_setting() {
        let line = ["berth", "x.json", "--pull", "once"];
        let args = Line::try_parse_from(line).expect("parsed").args;
        assert_eq!(
            args.settings(),
            [("ECS_IMAGE_PULL_BEHAVIOR".to_owned(), "once".to_owned())]
        );
        assert!(Line::try_parse_from(["berth", "x.json", "--pull", "now"]).is_err());
    }
}
