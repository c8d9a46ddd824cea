//! The simulator: the real engine in a fake world on one thread and paused time.
//!
//! A [`Simulation`] runs an agent that can be crashed and started again over the same world and rows. Scripts and
//! random runs drive it; [`Simulation::check`] holds design.md section 2 against what really happened.

mod agent;

mod gate;

mod witness;

mod driver;

mod invariants;

mod random;

mod random_task;

pub use agent::{ROLE, SERVE, STUBBORN, Simulation, arn, host_facts, shell, task};
pub use driver::Driver;
pub use gate::{CrashAt, Gate};
pub use random::{Outcome, RandomRun};
