//! What several integration tests need.

pub(crate) mod docker;

pub(crate) mod images;

pub(crate) mod http;

pub(crate) mod proxy;

pub(crate) mod view;

pub(crate) mod rig;

pub(crate) mod program;

pub(crate) mod dockerd;

pub(crate) mod registry;

pub(crate) mod berth;

pub(crate) mod agent;

pub(crate) mod moto;

pub(crate) mod control_plane;

pub(crate) mod services;

pub(crate) mod instance_metadata;

pub(crate) mod certificates;

pub(crate) mod http_proxy;
