//! Versions 2 and 3: the same objects; version 2 knows its caller by address, version 3 by an id.

mod wire;

mod v2;

mod v3;

pub(super) use v2::routes as v2_routes;
pub(super) use v3::routes as v3_routes;

pub(super) use wire::{
    HealthObject, Limits, Port, TaskLimits, Volume, container_type, desired_word, known_word,
    task_word,
};
