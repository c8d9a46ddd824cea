//! Version 4: the caller is known by the id in the path; objects have more.

mod wire;

mod get;

pub(super) use get::routes;
