//! Settings: raw text from flags, environment and a file becomes one validated section a component.
//!
//! **Invariants.** A bad value never stops the agent: it is set aside with a [`Problem`] that names the setting, and
//! what a weaker source gives counts, else the default. `std::env` is read in [`source`] only. Nothing here opens a directory or asks Docker.

pub mod source;

mod file;

mod user_data;

mod syntax;

pub mod ecs_env;

mod reader;

mod gpus;

pub mod connected;

pub mod credentials;

pub mod sections;

pub use file::WHOLE_FILE;
pub use reader::{Effective, Problem};
pub use sections::Config;
pub use source::{Origin, Strings};
pub use user_data::settings_in;

#[cfg(test)]
mod tests;
