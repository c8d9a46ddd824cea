//! An instance that drains: no new task starts on it. A fact of the whole instance, durable as desired state is.
//!
//! As ECS treats a container instance that is `DRAINING`: nothing is placed on it any more, and tasks that belong to no
//! service go on until they end or somebody stops them.

use super::ids::UnixMillis;

/// That the instance drains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draining {
    /// Since when.
    pub since: UnixMillis,
    /// Why, in the words of whoever asked for it; empty = nothing was said.
    pub reason: String,
}

impl Draining {
    /// What a task is told that waits for its end.
    pub fn words(&self) -> String {
        let what = "the instance drains, and no task starts on it";
        match self.reason.as_str() {
            "" => what.to_owned(),
            reason => format!("{what}: {reason}"),
        }
    }
}
