//! `why`: where a task is, where it should be, and the one thing in between (promise 5).

pub mod wire;

pub mod human;

mod explain;

mod view;

mod one;

mod all;

#[cfg(test)]
mod tests;

pub(super) use all::{__path_why_all, why_all};
pub(in crate::api) use explain::{bytes_per_second, explain, percent};
pub(super) use one::{__path_why_one, why_one};
pub(in crate::api) use view::engine_wire;
