//! The times of a telemetry session (reference agent's constants).

use std::time::Duration;

use crate::ecs::acs::timers::ACS;
use crate::ecs::link::{BackoffSettings, LinkSettings, OnSilence};

/// From one round to the next.
pub const PACE: Duration = Duration::from_secs(20);

/// How long the container engine may take to answer before it counts as impaired.
pub const PING_LIMIT: Duration = Duration::from_secs(2);

/// Rounds that wait while there is no session: five minutes, older ones are refused.
pub const WAITING_ROUNDS: usize = 15;

/// TCS.
pub const TCS: LinkSettings = LinkSettings {
    backoff: BackoffSettings {
        first: Duration::from_secs(1),
        longest: Duration::from_mins(1),
        jitter_percent: 20,
        growth_percent: 200,
    },
    on_silence: OnSilence::Close,
    // Failures are forgotten by a session that ends in order, and by nothing else.
    steady: None,
    ..ACS
};
