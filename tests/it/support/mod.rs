//! What several integration tests need.

pub(crate) mod docker;

pub(crate) mod images;

pub(crate) mod rig;
