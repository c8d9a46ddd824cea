//! `GET /metrics`: figures of the agent and its tasks, in the text format of Prometheus.

mod get;

pub(super) use get::{__path_metrics, metrics};
