//! Decisions about images: pure, without clock, I/O or async.

pub mod name;

pub mod platform;

pub mod reason;

pub mod pull;

pub mod limits;

pub mod login;

pub mod tokens;

pub mod governor;

pub mod cleanup;

pub use platform::HostPlatform;
