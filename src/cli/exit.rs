//! Exit codes of every subcommand, for scripts.
//!
//! | code | name | meaning |
//! |---|---|---|
//! | 0 | [`OK`] | done |
//! | 1 | [`FAILED`] | not done, for a reason that has no code of its own |
//! | 2 | [`USAGE`] | the command line is wrong |
//! | 3 | [`NOT_FOUND`] | no task matches, or several do; or no such container |
//! | 4 | [`UNREACHABLE`] | no agent answers on the socket |
//! | 5 | [`REFUSED`] | the task definition is refused |
//! | 6 | [`CONFLICT`] | the task exists otherwise, or its state does not allow it |
//! | 7 | [`TIMED_OUT`] | what was asked for is under way but was not reached in time |
//! | 8 | [`UNAVAILABLE`] | the agent answers but cannot do it now; try again |
//! | 9 | [`NO_DOCKER`] | Docker cannot be used: not there, not allowed, or silent; nothing was made |
//!
//! `berth run` ends with the exit code of its task's essential container instead, once that has run.

use std::io;

use super::client::ClientError;
use super::select::SelectorError;
use super::wait::WaitError;
use crate::api::problem::ProblemKind;
use crate::app::planner::NoRuntime;

/// Done.
pub const OK: u8 = 0;
/// Not done.
pub const FAILED: u8 = 1;
/// The command line is wrong; clap's own code.
pub const USAGE: u8 = 2;
/// No task matches, or several do; or no such container.
pub const NOT_FOUND: u8 = 3;
/// No agent answers on the socket.
pub const UNREACHABLE: u8 = 4;
/// The task definition is refused.
pub const REFUSED: u8 = 5;
/// The task exists otherwise, or its state does not allow it.
pub const CONFLICT: u8 = 6;
/// Under way, but not reached in time.
pub const TIMED_OUT: u8 = 7;
/// The agent answers but cannot do it now.
pub const UNAVAILABLE: u8 = 8;
/// Docker cannot be used.
pub const NO_DOCKER: u8 = 9;

/// The same table, for the help and the manual page.
pub const HELP: &str = "\
Exit codes:
    0  done
    1  not done, for a reason that has no code of its own
    2  the command line is wrong
    3  no task matches, or several do; or no such container
    4  no agent answers on the socket
    5  the task definition is refused
    6  the task exists otherwise, or its state does not allow it
    7  what was asked for is under way but was not reached in time
    8  the agent answers but cannot do it now; try again
    9  Docker cannot be used: not there, not allowed, or silent
  125  berth run: no essential container ever ran
Once its task has run, `berth run` ends with the exit code of the task's
essential container.";

/// The code for an error that ends a subcommand: that of the first cause that has one.
///
/// A reader of our output that has gone away (`berth ps | head`) is no failure.
pub fn code_of(error: &anyhow::Error) -> u8 {
    let codes = error.chain().filter_map(|cause| {
        let client = cause.downcast_ref::<ClientError>().map(of_client);
        let selector = cause.downcast_ref::<SelectorError>().map(|_| NOT_FOUND);
        let wait = cause.downcast_ref::<WaitError>().map(of_wait);
        let docker = cause.downcast_ref::<NoRuntime>().map(|_| NO_DOCKER);
        let broken = cause
            .downcast_ref::<io::Error>()
            .filter(|error| error.kind() == io::ErrorKind::BrokenPipe)
            .map(|_| OK);
        client.or(selector).or(wait).or(docker).or(broken)
    });
    codes.into_iter().next().unwrap_or(FAILED)
}

fn of_wait(error: &WaitError) -> u8 {
    match error {
        WaitError::TimedOut { .. } => TIMED_OUT,
        WaitError::Live { .. } => CONFLICT,
    }
}

fn of_client(error: &ClientError) -> u8 {
    match error {
        ClientError::NoSocket(_)
        | ClientError::Denied(_)
        | ClientError::NobodyListens(_)
        | ClientError::Connect { .. }
        | ClientError::Silent { .. }
        | ClientError::Broken { .. }
        | ClientError::ShuttingDown => UNREACHABLE,
        ClientError::BadAnswer { .. } | ClientError::TooLarge { .. } => FAILED,
        ClientError::Problem(problem) => of_problem(&problem.kind),
    }
}

fn of_problem(urn: &str) -> u8 {
    let known = ProblemKind::ALL.iter().find(|kind| kind.urn() == urn);
    match known {
        Some(
            ProblemKind::TaskNotFound
            | ProblemKind::ContainerNotFound
            | ProblemKind::AmbiguousTask
            | ProblemKind::EventsGone,
        ) => NOT_FOUND,
        Some(ProblemKind::DefinitionRefused | ProblemKind::BodyTooLarge) => REFUSED,
        Some(
            ProblemKind::TaskConflict
            | ProblemKind::GenerationMismatch
            | ProblemKind::ContainerNotCreated,
        ) => CONFLICT,
        Some(
            ProblemKind::Busy
            | ProblemKind::NotDurable
            | ProblemKind::StoreUnavailable
            | ProblemKind::RuntimeUnavailable
            | ProblemKind::Starting
            | ProblemKind::StandsStill
            | ProblemKind::ShuttingDown
            | ProblemKind::TimedOut,
        ) => UNAVAILABLE,
        Some(
            ProblemKind::BadRequest
            | ProblemKind::Forbidden
            | ProblemKind::NoSuchRoute
            | ProblemKind::WrongMethod
            | ProblemKind::Internal,
        )
        | None => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::super::run::exit::NEVER_STARTED;
    use super::*;
    use crate::api::wire::ProblemDocument;

    #[test]
    fn the_code_is_that_of_the_cause_whatever_is_told_around_it() {
        let problem = |kind: ProblemKind| {
            ClientError::Problem(Box::new(ProblemDocument {
                kind: kind.urn().to_owned(),
                ..ProblemDocument::default()
            }))
        };
        for (error, code) in [
            (ClientError::NoSocket("/run/x".into()), UNREACHABLE),
            (problem(ProblemKind::TaskNotFound), NOT_FOUND),
            (problem(ProblemKind::DefinitionRefused), REFUSED),
            (problem(ProblemKind::TaskConflict), CONFLICT),
            (problem(ProblemKind::NotDurable), UNAVAILABLE),
            (problem(ProblemKind::Internal), FAILED),
        ] {
            let error = Err::<(), _>(error)
                .context("stop web")
                .expect_err("an error");
            assert_eq!(code_of(&error), code, "{error:#}");
        }
    }

    #[test]
    fn the_help_lists_every_code() {
        let codes = [
            OK,
            FAILED,
            USAGE,
            NOT_FOUND,
            UNREACHABLE,
            REFUSED,
            CONFLICT,
            TIMED_OUT,
            UNAVAILABLE,
            NO_DOCKER,
            NEVER_STARTED,
        ];
        for code in codes {
            let listed = HELP.lines().any(|line| {
                let first = line.split_whitespace().next();
                first == Some(code.to_string().as_str())
            });
            assert!(listed, "{code}");
        }
        let error = anyhow::Error::from(NoRuntime("no socket".to_owned()));
        assert_eq!(code_of(&error), NO_DOCKER);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(code_of(&error), OK);
        assert_eq!(code_of(&anyhow::anyhow!("anything else")), FAILED);
    }
}
