//! The engine in the simulator: random runs, and crashes at every point where it meets the outside.

mod tasks;

mod random;

mod crash;

mod outages;

mod hangs;

mod clock;

mod script;

mod scripted;

mod roles;

mod control_plane_outage;

/// Runs on one thread and paused time: a sleep ends as soon as nothing else can run.
fn on_paused_time<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}
