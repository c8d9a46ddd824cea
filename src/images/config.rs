//! Settings of the image service, validated by whoever builds them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::image::PullBehavior;

/// Settings of pulls. `Default` is the reference agent's where it has one (`engine.md` 3.1 and 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagesConfig {
    /// When images are pulled (`ECS_IMAGE_PULL_BEHAVIOR`).
    pub behavior: PullBehavior,
    /// Longest time from the start of a pull to its first message. Docker asks the registry before it says anything.
    pub begin: Duration,
    /// Longest time without progress from its first message on; unpacking is progress
    /// (`ECS_IMAGE_PULL_INACTIVITY_TIMEOUT`).
    pub inactivity: Duration,
    /// Longest pull (`ECS_IMAGE_PULL_TIMEOUT`).
    pub total: Duration,
    /// Longest wait for the registry's word about an image (`ECS_MANIFEST_PULL_TIMEOUT`).
    pub manifest: Duration,
    /// Most pulls at once, at least 1. The governor begins lower and finds what the host can do.
    pub max_parallel: usize,
    /// Clean-up.
    pub cleanup: CleanupConfig,
    /// From one count of what takes the disk to the next, at least.
    pub disk_use_interval: Duration,
}

impl Default for ImagesConfig {
    fn default() -> Self {
        Self {
            behavior: PullBehavior::Default,
            begin: Duration::from_mins(5),
            inactivity: Duration::from_mins(1),
            total: Duration::from_hours(2),
            manifest: Duration::from_mins(1),
            max_parallel: 8,
            cleanup: CleanupConfig::default(),
            disk_use_interval: Duration::from_mins(10),
        }
    }
}

/// Settings of the clean-up. `Default` is the reference agent's where it has one (`engine.md` 3.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanupConfig {
    /// Whether images are removed at all (`ECS_DISABLE_IMAGE_CLEANUP`); never with `prefer-cached`.
    pub enabled: bool,
    /// Time between clean-ups by age (`ECS_IMAGE_CLEANUP_INTERVAL`). Sweeps in between look at the disk only.
    pub interval: Duration,
    /// Age since the pull below which an image is kept (`ECS_IMAGE_MINIMUM_CLEANUP_AGE`).
    pub minimum_age: Duration,
    /// Most images that one clean-up by age removes (`ECS_NUM_IMAGES_DELETE_PER_CYCLE`).
    pub per_cycle: usize,
    /// Names that are always kept (`ECS_EXCLUDE_UNTRACKED_IMAGE`).
    pub excluded: BTreeSet<String>,
    /// Whether images that the agent did not pull may be removed (`ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP`).
    pub untracked: bool,
    /// Age since their build below which those are kept (`NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE`).
    pub untracked_minimum_age: Duration,
    /// Part of the disk in use, in percent, at which images are removed whatever their age.
    pub high_percent: u8,
    /// Part of the disk in use, in percent, at which that ends.
    pub low_percent: u8,
    /// Part of the disk in use, in percent, from which removals do not pause in between.
    pub emergency_percent: u8,
    /// Pause between two removals, so that a clean-up does not disturb the disk.
    pub pace: Duration,
}

impl Default for CleanupConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_mins(30),
            minimum_age: Duration::from_hours(1),
            per_cycle: 5,
            excluded: BTreeSet::new(),
            untracked: false,
            untracked_minimum_age: Duration::from_hours(1),
            high_percent: 85,
            low_percent: 75,
            emergency_percent: 95,
            pace: Duration::from_secs(1),
        }
    }
}
