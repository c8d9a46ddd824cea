//! Test doubles of the admin API, for its own tests and those of its clients.

mod fakes;

mod rig;

pub(crate) use fakes::{FakeEvents, FakeOutput};
pub(crate) use rig::{
    NOW, Rig, StoppedClock, ago, arn, condition, container_name, event, request, run_map, running,
    snapshot_of, task,
};
