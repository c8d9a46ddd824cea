//! Between Docker's JSON and domain values. Pure: no I/O, no clock.

pub(super) mod create;

mod host_config;

pub(super) mod container;

pub(super) mod event;

pub(super) mod image;

pub(super) mod disk;

pub(super) mod info;

pub(super) mod progress;

#[cfg(test)]
mod tests;
