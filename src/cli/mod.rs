//! The command line: one file a subcommand.

pub mod root;

mod settings;

pub mod entry;

pub mod input;

pub mod run;

pub mod agent;

pub mod supervise;

pub mod service;

pub mod plan;

pub mod check_config;

pub mod completions;

pub mod exit;

pub mod output;

pub mod client;

pub mod lines;

pub mod select;

pub mod wait;

pub mod ps;

pub mod why;

mod why_text;

pub mod events;

pub mod logs;

pub mod stop;

mod refusal;

pub mod rm;

pub mod top;

pub mod doctor;

pub mod host;

pub mod drain;

pub mod bundle;

mod files;

pub mod openapi;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
