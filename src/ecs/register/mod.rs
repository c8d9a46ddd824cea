//! What this host says of itself when it registers, and what the answer means. Pure.

mod attributes;

mod ec2;

mod tags;

mod request;

mod verdict;

mod waits;

#[cfg(test)]
mod tests;

pub use ec2::{
    found_no_source, interruption, is_another, is_in_service, is_rebalance, region_of_arn,
    region_of_document,
};
pub use request::{Ec2Identity, Identity, registration};
pub use tags::{code_of_refusal, ec2_endpoint, tags_of_answer, tags_question};
pub use verdict::{Verdict, judge_error, judge_registered, unfit_to_begin};
pub use waits::Waits;
