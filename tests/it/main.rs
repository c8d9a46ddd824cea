//! The one integration test binary.

mod pause_image;

mod sim;

mod tidy;
