//! Time and chance, injected so that tests decide them.

use std::time::Duration;

use crate::domain::ids::{TaskId, UnixMillis};

/// Wall time. Sleeping is done with `tokio::time`; this says what to write down.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMillis;
}

/// Fresh ids and jitter.
pub trait Ids: Send + Sync {
    /// A task id that was not given before: 32 hexadecimal digits.
    fn task_id(&self) -> TaskId;

    /// 128 random bits, for ids that nobody may guess.
    fn bits(&self) -> u128;

    /// A duration drawn evenly from zero up to but without `below`.
    fn jitter(&self, below: Duration) -> Duration;
}
