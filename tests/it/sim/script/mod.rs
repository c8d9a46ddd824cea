//! Scenarios as text: steps one a line, read and played by [`play`] on the simulator.
//!
//! ```text
//! # What it shows, in a sentence.
//! task web                               a task and its containers; `put` runs it
//!   role                                 it has one; or `cpu 256`, `memory 512`
//!   app: serve, after db HEALTHY         serve | stubborn | exits 3 | runs 5s exits 3, then options
//!   db: serve, health check
//! put web                                put, stop, rm TASK
//! die web/app 3                          a process ends: code, or `oom`
//! docker kill web/app                    rm, stop, kill, start, restart, pause, unpause, rename CONTAINER NAME
//! fail next create of app with transient fail, hang, delay, lose answer of: `next`, `next 3` or `every` CALL
//! hang every stop of app                 until `release` or `heal`, or its deadline
//! drop events                            deliver, drop, repeat, reorder, delay 5s
//! dockerd restart                        stop, start, crash (ends every process), restart [live]
//! crash agent at next create late        crash, stop, start agent; before, after, late
//! lose power                             as `crash agent`, and every process ends; only what was flushed stays
//! lose database                          lose, fill, empty database; lose 2 commit answers
//! port 8080 taken                        by somebody else; free
//! unhealthy app                          healthy
//! pulls always                           ECS_IMAGE_PULL_BEHAVIOR, from the next start of the agent on
//! advance 30s                            time passes
//! clock +3h                              somebody sets the clock
//! until web RUNNING within 10s           or `gone`
//! show tasks                             tasks, why, events TASK, containers, left
//! ```
//!
//! What a step shows follows it in the output, and a line that begins with `!` for each promise that it broke. At
//! the end everything is healed, must arrive, is removed, and must leave nothing.

mod play;

mod read;

mod show;

mod step;

mod tasks;

pub(super) use play::play;
