//! A test that this host has no means for: said, and a failure where all tests are to run.

use std::fmt::Display;
use std::io::Write as _;

/// Set by `make test`: what is missing is then a failure.
const ALL: &str = "BERTH_TEST_ALL";

/// Says that the test, or a part of it, is not done and why.
///
/// # Panics
/// If `BERTH_TEST_ALL` is set: whoever asks for all tests has not had them then.
#[expect(
    clippy::disallowed_methods,
    reason = "how tests are run is no setting of the agent"
)]
pub fn skipped(why: impl Display) {
    let all = std::env::var(ALL).is_ok_and(|text| !text.is_empty());
    assert!(!all, "{ALL} is set, and this cannot be tested here: {why}");
    let _said = writeln!(std::io::stderr(), "skipped: {why}");
}
