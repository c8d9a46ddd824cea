//! `/v1/drain`: whether new tasks start on this instance. One endpoint a file.

mod start;

mod end;

#[cfg(test)]
mod tests;

pub(super) use end::{__path_end_drain, end_drain};
pub(super) use start::{__path_start_drain, start_drain};
