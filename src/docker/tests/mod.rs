//! Tests of the adapter that need no Docker.

mod error;

mod daemon;

mod calls;

#[cfg(windows)]
mod pipe;
