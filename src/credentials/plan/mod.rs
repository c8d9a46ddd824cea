//! What is decided about credentials: pure.

pub mod binding;

pub mod schedule;

pub mod roles;

#[cfg(test)]
mod properties;
