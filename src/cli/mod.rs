//! The command line: one file a subcommand.

pub mod root;

mod settings;

pub mod entry;

pub mod input;

pub mod run;

pub mod plan;

pub mod check_config;

pub mod completions;
