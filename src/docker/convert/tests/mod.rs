//! Create bodies as snapshots; answers of Docker from hand-written JSON.

mod sample;

mod create;

mod container;

mod messages;
