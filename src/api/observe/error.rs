//! Failures of adapters as problems.

use crate::api::problem::{Problem, ProblemKind};
use crate::boundary::BoundaryError;

/// The event log could not be read.
#[expect(clippy::needless_pass_by_value, reason = "is the argument of map_err")]
pub(super) fn unreadable(error: BoundaryError) -> Problem {
    Problem::new(ProblemKind::StoreUnavailable).because(&error)
}
