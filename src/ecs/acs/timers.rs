//! The times of an ACS session (reference agent's constants).

use std::time::Duration;

use crate::ecs::link::{BackoffSettings, LinkSettings, OnSilence};

/// ACS.
pub const ACS: LinkSettings = LinkSettings {
    backoff: BackoffSettings {
        first: Duration::from_millis(250),
        longest: Duration::from_mins(2),
        jitter_percent: 20,
        growth_percent: 150,
    },
    // The reference agent waits as after refusals: up to two minutes after the network is back.
    unreachable: Duration::from_secs(10),
    silence: (Duration::from_mins(1), Duration::from_mins(1)),
    on_silence: OnSilence::Drop,
    lifetime: (Duration::from_mins(30), Duration::from_mins(5)),
    steady: Some((Duration::from_mins(1), Duration::from_mins(1))),
    // The reference agent has no such floor: a peer that accepts and drops makes it spin.
    shortest: Duration::from_secs(5),
    close_limit: Duration::from_secs(10),
    inactive: Duration::from_hours(1),
};
