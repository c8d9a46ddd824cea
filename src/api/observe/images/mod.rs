//! `GET /v1/images`: images with size, use, why each is kept, and pulls under way.

pub mod wire;

mod view;

mod get;

pub(super) use get::{__path_show_images, show_images};
