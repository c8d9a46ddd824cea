//! How urgent a clean-up is.

use std::time::Duration;

use crate::boundary::host::DiskSpace;
use crate::domain::image::PullBehavior;
use crate::images::CleanupConfig;

/// How urgent a clean-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Clean-up is switched off.
    Disabled,
    /// The disk has room and the last clean-up by age is not long ago.
    Idle,
    /// By age: a few images that have not been used for long.
    Age,
    /// The disk is above the high mark: whatever is not needed goes until it is below the low mark.
    Pressure,
    /// The disk is nearly full: as pressure, without pauses.
    Emergency,
}

impl Mode {
    /// Word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Idle => "idle",
            Self::Age => "age",
            Self::Pressure => "pressure",
            Self::Emergency => "emergency",
        }
    }

    /// Whether the disk asks for it.
    pub fn for_space(self) -> bool {
        self >= Self::Pressure
    }
}

/// Decides how urgent it is. `disk`: `None` if it could not be read; `since_last`: since the last clean-up by age,
/// `None` if there was none.
pub fn mode(
    config: &CleanupConfig,
    behavior: PullBehavior,
    disk: Option<DiskSpace>,
    since_last: Option<Duration>,
) -> Mode {
    if !config.enabled || behavior == PullBehavior::PreferCached {
        return Mode::Disabled;
    }
    match disk.map(used_percent) {
        Some(used) if used >= u64::from(config.emergency_percent) => Mode::Emergency,
        Some(used) if used >= u64::from(config.high_percent) => Mode::Pressure,
        _ if due(config, since_last) => Mode::Age,
        _ => Mode::Idle,
    }
}

/// Whether a clean-up of that mode looks at the images. A disabled one does so now and then, to forget what others
/// have removed.
pub fn looks(config: &CleanupConfig, mode: Mode, since_last: Option<Duration>) -> bool {
    match mode {
        Mode::Disabled => due(config, since_last),
        Mode::Idle => false,
        Mode::Age | Mode::Pressure | Mode::Emergency => true,
    }
}

fn due(config: &CleanupConfig, since_last: Option<Duration>) -> bool {
    since_last.is_none_or(|since| since >= config.interval)
}

/// Whether a clean-up of that mode may end now, before its plan does.
pub fn enough(config: &CleanupConfig, mode: Mode, disk: Option<DiskSpace>) -> bool {
    mode.for_space() && disk.is_some_and(|disk| used_percent(disk) <= u64::from(config.low_percent))
}

/// Part of the disk in use, in whole percent, rounded down.
fn used_percent(disk: DiskSpace) -> u64 {
    let used = disk.total_bytes.saturating_sub(disk.free_bytes);
    let percent = u128::from(used).saturating_mul(100) / u128::from(disk.total_bytes.max(1));
    u64::try_from(percent).unwrap_or(100)
}
