//! What this host says of itself when it registers, and what the answer means. Pure.

mod attributes;

mod request;

mod verdict;

#[cfg(test)]
mod tests;

pub use request::{Identity, registration};
pub use verdict::{Verdict, judge_error, judge_registered};
