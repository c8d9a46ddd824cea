//! `berth run`: one task definition in the foreground, on an engine of its own.

pub mod prefix;

pub mod view;

pub mod exit;

#[cfg(test)]
mod sample;
