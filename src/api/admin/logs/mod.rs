//! Container output over HTTP.

pub mod wire;

mod lines;

mod source;

mod stream;

mod get;

#[cfg(test)]
mod tests;

pub(super) use get::{__path_read_logs, read_logs};
