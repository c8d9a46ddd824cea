//! What this host says of itself when it registers, and what the answer means. Pure.

mod attributes;

mod ec2;

mod request;

mod verdict;

#[cfg(test)]
mod tests;

pub use ec2::{interruption, is_another, is_in_service, region_of_arn, region_of_document};
pub use request::{Ec2Identity, Identity, registration};
pub use verdict::{Verdict, judge_error, judge_registered};
