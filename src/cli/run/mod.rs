//! `berth run`: one task definition in the foreground, on an engine of its own.

pub mod prefix;

pub mod view;

pub mod exit;

pub mod overrides;

pub mod screen;

pub mod follow;

pub mod session;

pub mod command;

#[cfg(test)]
mod sample;

#[cfg(test)]
mod sink;
