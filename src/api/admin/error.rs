//! Refusals of the engine and failures of adapters as problems.

use crate::api::problem::{Problem, ProblemKind};
use crate::boundary::{BoundaryError, ErrorKind};
use crate::reconcile::handle::HandleError;

/// What the engine refused. Takes it by value to fit `map_err`.
#[expect(clippy::needless_pass_by_value, reason = "is the argument of map_err")]
pub(super) fn refused(error: HandleError) -> Problem {
    let kind = match &error {
        HandleError::NotFound(_) => ProblemKind::TaskNotFound,
        HandleError::Conflict(_) => ProblemKind::TaskConflict,
        HandleError::Generation { .. } => ProblemKind::GenerationMismatch,
        HandleError::NotDurable(_) => ProblemKind::NotDurable,
        HandleError::Busy => ProblemKind::Busy,
        HandleError::Closed => ProblemKind::ShuttingDown,
    };
    Problem::new(kind).detail(error.to_string()).because(&error)
}

/// Docker did not give a container's output.
pub(super) fn no_output(error: &BoundaryError) -> Problem {
    let kind = match error.kind {
        ErrorKind::NotFound => ProblemKind::ContainerNotFound,
        ErrorKind::Invalid => ProblemKind::BadRequest,
        ErrorKind::Unavailable
        | ErrorKind::Transient
        | ErrorKind::Throttled
        | ErrorKind::Conflict
        | ErrorKind::PortTaken
        | ErrorKind::LogDriver
        | ErrorKind::Denied
        | ErrorKind::NoSpace
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Cancelled => ProblemKind::RuntimeUnavailable,
    };
    Problem::new(kind)
        .detail(error.message.clone())
        .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Generation, TaskArn};

    #[test]
    fn each_refusal_has_its_status() {
        let arn = TaskArn::parse("arn:aws:ecs:local:000000000000:task/default/a").expect("an arn");
        let generation = HandleError::Generation {
            arn: arn.clone(),
            present: Generation(2),
            expected: Generation(1),
        };
        for (error, status) in [
            (HandleError::NotFound(arn.clone()), 404),
            (HandleError::Conflict(arn), 409),
            (generation, 412),
            (HandleError::NotDurable("disk full".to_owned()), 503),
            (HandleError::Busy, 503),
            (HandleError::Closed, 503),
        ] {
            let words = error.to_string();
            assert_eq!(refused(error).kind().status(), status, "{words}");
        }
    }

    #[test]
    fn docker_without_the_container_is_not_docker_out_of_order() {
        for (kind, status) in [
            (ErrorKind::NotFound, 404),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::DeadlineExceeded, 503),
            (ErrorKind::Invalid, 400),
        ] {
            let error = BoundaryError::new("logs", kind, "words");
            assert_eq!(no_output(&error).kind().status(), status);
        }
    }
}
