//! The exit code of `berth run`, from how its task ended. Pure.

use crate::domain::outcome::first_essential_exit;
use crate::domain::task::Task;

/// No essential container ever ran, or nobody can know how it ended: Docker's own code for "the run itself failed".
pub const NEVER_STARTED: u8 = 125;

/// The code of the essential container that exited first; [`NEVER_STARTED`] if there is none.
pub fn exit_code(task: &Task) -> u8 {
    first_essential_exit(task)
        .and_then(|(_, exit)| exit.code)
        .map_or(NEVER_STARTED, byte)
}

/// What a process can exit with: codes beyond one byte (Windows has them) become 255, so that failure stays failure.
fn byte(code: i64) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::sample;

    #[test]
    fn the_code_is_that_of_the_first_essential_exit() {
        for (exits, expected) in [
            (&[Some((0, 5)), Some((3, 9))][..], 0),
            (&[Some((0, 9)), Some((3, 5))], 3),
            (&[None, Some((3, 5))], 3),
            (&[None, None], NEVER_STARTED),
            (&[Some((3_221_225_786, 5)), None], 255),
            (&[Some((-1, 5)), None], 255),
        ] {
            assert_eq!(exit_code(&sample::ended(exits)), expected, "{exits:?}");
        }
    }

    #[test]
    fn an_exit_that_nobody_knows_is_not_success() {
        let mut task = sample::ended(&[Some((0, 5)), None]);
        for known in task.known.containers.values_mut() {
            if let Some(exit) = &mut known.exit {
                exit.code = None;
            }
        }
        assert_eq!(exit_code(&task), NEVER_STARTED);
    }
}
