//! The pause image: holds the namespaces that the containers of one task share.
//!
//! It is made here, so that no host needs a registry or a file for it. The program in it does two things: as process 1
//! of a shared PID namespace it lets the kernel reap orphans at once, and it waits for ever.
//!
//! **Invariant.** The same architecture gives the same bytes, so a host has one image however often it is loaded.

mod archive;

mod elf;

pub use archive::pause_image_archive;
pub use elf::UnsupportedArchitecture;

/// Name of the image.
pub const PAUSE_IMAGE: &str = "berth/pause:1";

#[cfg(test)]
mod tests;
