//! Goes through the images of the host and says of each whether it goes or why it stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::mode::Mode;
use crate::boundary::store::ImageRecord;
use crate::domain::ids::UnixMillis;
use crate::domain::runtime::LocalImage;
use crate::images::CleanupConfig;
use crate::images::plan::name::{canonical, is_internal};

/// Most images that one sweep removes for room on the disk; the next sweep goes on.
const MAX_REMOVALS: usize = 100;

/// Time after its last use in which an image stays: a container that is about to be made from it is not listed yet.
const JUST_USED: Duration = Duration::from_mins(1);

/// What a clean-up looks at.
#[derive(Clone, Debug, Default)]
pub struct HostImages {
    /// Now.
    pub now: UnixMillis,
    /// Every image on the host.
    pub images: Vec<LocalImage>,
    /// Ids that any container uses.
    pub in_use: BTreeSet<String>,
    /// Names that desired tasks need, in any spelling.
    pub needed: BTreeSet<String>,
    /// Names that are being made ready, in any spelling.
    pub busy: BTreeSet<String>,
    /// What the agent remembers, by name as stored.
    pub records: BTreeMap<String, ImageRecord>,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanupPlan {
    /// Images to remove, in order.
    pub remove: Vec<Removal>,
    /// Images that stay.
    pub keep: Vec<Kept>,
    /// Records of images that are no longer on the host.
    pub forget: Vec<String>,
}

/// One image to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// `sha256:…`.
    pub image_id: String,
    /// What to remove, in order: its names, else its id. The image is gone when the last is.
    pub names: Vec<String>,
    /// Bytes on disk; less is freed where layers are shared.
    pub size_bytes: u64,
    /// Last use by a task; for images of others their build.
    pub last_used_at: UnixMillis,
    /// Records to forget once it is gone.
    pub records: Vec<String>,
}

/// One image that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// First name, else the id.
    pub name: String,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Why.
    pub reason: KeepReason,
}

/// Why an image stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepReason {
    /// The agent's own.
    Internal,
    /// A desired task needs it.
    Needed,
    /// A container uses it.
    InUse,
    /// It is being made ready.
    Busy,
    /// The operator excludes it.
    Excluded,
    /// The agent did not pull it, or not under all of its names.
    NotOurs,
    /// A task used it a moment ago.
    JustUsed,
    /// It is younger than the minimum age.
    TooYoung,
    /// Enough others go in this sweep.
    Later,
}

impl KeepReason {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "it belongs to the agent",
            Self::Needed => "a task needs it",
            Self::InUse => "a container uses it",
            Self::Busy => "it is being made ready",
            Self::Excluded => "it is excluded by name",
            Self::NotOurs => "the agent did not pull it",
            Self::JustUsed => "a task used it a moment ago",
            Self::TooYoung => "it is younger than the minimum age",
            Self::Later => "enough others are removed first",
        }
    }
}

/// Decides. With [`Mode::Disabled`] and [`Mode::Idle`] nothing is removed, but records of lost images are forgotten.
pub fn select(config: &CleanupConfig, mode: Mode, host: &HostImages) -> CleanupPlan {
    let names = Names::of(config, host);
    let mut plan = CleanupPlan {
        forget: lost_records(host, &names),
        ..CleanupPlan::default()
    };
    let mut candidates = Vec::new();
    for image in &host.images {
        match judge(config, mode, host, &names, image) {
            Ok(candidate) => candidates.push((candidate, image)),
            Err(reason) => plan.keep.push(kept(image, reason)),
        }
    }
    candidates.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
    let limit = match mode {
        Mode::Disabled | Mode::Idle => 0,
        Mode::Age => config.per_cycle,
        Mode::Pressure | Mode::Emergency => MAX_REMOVALS,
    };
    for (index, (candidate, image)) in candidates.into_iter().enumerate() {
        if index < limit {
            plan.remove.push(candidate.removal);
        } else {
            plan.keep.push(kept(image, KeepReason::Later));
        }
    }
    plan
}

/// What was pulled or used at a time that has not come is of before the clock was set back: its age counts from now on.
pub fn not_in_the_future(record: &mut ImageRecord, now: UnixMillis) {
    record.pulled_at = record.pulled_at.map(|at| at.min(now));
    record.last_used_at = record.last_used_at.min(now);
}

/// Names in the spelling of Docker's list, so that they can be compared.
struct Names {
    needed: BTreeSet<String>,
    busy: BTreeSet<String>,
    excluded: BTreeSet<String>,
    /// Ids that a needed name meant when the agent last saw it.
    needed_ids: BTreeSet<String>,
}

impl Names {
    fn of(config: &CleanupConfig, host: &HostImages) -> Self {
        let list = |names: &BTreeSet<String>| names.iter().map(|name| canonical(name)).collect();
        let needed: BTreeSet<String> = list(&host.needed);
        let needed_ids = host
            .records
            .values()
            .filter(|record| needed.contains(&canonical(&record.reference)))
            .map(|record| record.image_id.clone())
            .collect();
        Self {
            busy: list(&host.busy),
            excluded: list(&config.excluded),
            needed,
            needed_ids,
        }
    }
}

struct Candidate {
    removal: Removal,
    ours: bool,
}

impl Candidate {
    /// Ours first, the longest unused one first; then those of others, the smallest first.
    fn order(&self) -> (bool, u64, UnixMillis, &str) {
        let size = if self.ours {
            0
        } else {
            self.removal.size_bytes
        };
        (
            !self.ours,
            size,
            self.removal.last_used_at,
            &self.removal.image_id,
        )
    }
}

fn judge(
    config: &CleanupConfig,
    mode: Mode,
    host: &HostImages,
    names: &Names,
    image: &LocalImage,
) -> Result<Candidate, KeepReason> {
    let listed: BTreeSet<String> = spellings(image).map(canonical).collect();
    let any_in = |set: &BTreeSet<String>| listed.iter().any(|name| set.contains(name));
    if listed.iter().any(|name| is_internal(name)) {
        return Err(KeepReason::Internal);
    }
    if any_in(&names.needed) || names.needed_ids.contains(&image.id) {
        return Err(KeepReason::Needed);
    }
    if host.in_use.contains(&image.id) {
        return Err(KeepReason::InUse);
    }
    if any_in(&names.busy) {
        return Err(KeepReason::Busy);
    }
    if any_in(&names.excluded) {
        return Err(KeepReason::Excluded);
    }
    let memory = Memory::of(host, image);
    if !memory.ours && !config.untracked {
        return Err(KeepReason::NotOurs);
    }
    if memory
        .used_at
        .is_some_and(|at| host.now.since(at) < JUST_USED)
    {
        return Err(KeepReason::JustUsed);
    }
    let (since, minimum_age) = match memory.pulled_at {
        Some(pulled_at) => (pulled_at, config.minimum_age),
        None => (image.created_at, config.untracked_minimum_age),
    };
    if !mode.for_space() && host.now.since(since) < minimum_age {
        return Err(KeepReason::TooYoung);
    }
    Ok(Candidate {
        ours: memory.ours,
        removal: Removal {
            image_id: image.id.clone(),
            names: removable_names(image),
            size_bytes: image.size_bytes,
            last_used_at: memory.used_at.unwrap_or(image.created_at),
            records: memory.records,
        },
    })
}

/// What the agent remembers of one image on the host.
struct Memory {
    /// It pulled the image and every name that the image has.
    ours: bool,
    pulled_at: Option<UnixMillis>,
    used_at: Option<UnixMillis>,
    records: Vec<String>,
}

impl Memory {
    fn of(host: &HostImages, image: &LocalImage) -> Self {
        let records: Vec<&ImageRecord> = host
            .records
            .values()
            .filter(|record| record.image_id == image.id)
            .collect();
        let pulled: BTreeSet<String> = records
            .iter()
            .filter(|record| record.pulled_at.is_some())
            .map(|record| canonical(&record.reference))
            .collect();
        let mut tags = image.tags.iter().filter(|tag| is_name(tag));
        Self {
            ours: !pulled.is_empty() && tags.all(|tag| pulled.contains(&canonical(tag))),
            pulled_at: records.iter().filter_map(|record| record.pulled_at).max(),
            used_at: records.iter().map(|record| record.last_used_at).max(),
            records: records
                .iter()
                .map(|record| record.reference.clone())
                .collect(),
        }
    }
}

/// Its names and its id.
fn spellings(image: &LocalImage) -> impl Iterator<Item = &str> {
    let names = image.tags.iter().chain(&image.digests);
    names.map(String::as_str).chain([image.id.as_str()])
}

/// Docker lists `<none>:<none>` for an image without a name.
fn is_name(listed: &str) -> bool {
    !listed.contains("<none>")
}

/// Tags, since the last one takes the digests and the image with it; else digests; else the id.
fn removable_names(image: &LocalImage) -> Vec<String> {
    let names = |listed: &[String]| -> Vec<String> {
        listed
            .iter()
            .filter(|name| is_name(name))
            .cloned()
            .collect()
    };
    let tags = names(&image.tags);
    let digests = if tags.is_empty() {
        names(&image.digests)
    } else {
        tags
    };
    if digests.is_empty() {
        vec![image.id.clone()]
    } else {
        digests
    }
}

/// Records whose image and name are both gone, by the hand of somebody else or of an earlier sweep.
fn lost_records(host: &HostImages, names: &Names) -> Vec<String> {
    let listed: BTreeSet<String> = host
        .images
        .iter()
        .flat_map(spellings)
        .map(canonical)
        .collect();
    let lost = |record: &&ImageRecord| {
        let name = canonical(&record.reference);
        !listed.contains(&name)
            && !listed.contains(&record.image_id)
            && !names.needed.contains(&name)
            && !names.busy.contains(&name)
    };
    let records = host.records.values().filter(lost);
    records.map(|record| record.reference.clone()).collect()
}

fn kept(image: &LocalImage, reason: KeepReason) -> Kept {
    let name = spellings(image).find(|name| is_name(name));
    Kept {
        name: name.unwrap_or(&image.id).to_owned(),
        size_bytes: image.size_bytes,
        reason,
    }
}
