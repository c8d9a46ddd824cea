//! `GET /v1/files`: the watched directory, file by file, with what is wrong with each.

pub mod wire;

mod get;

pub(super) use get::{__path_show_files, show_files};
