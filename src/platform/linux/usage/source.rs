//! Reads targets one after the other; remembers where each was found.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::host::HostMemory;
use super::{host, network, place, v1, v2};
use crate::boundary::usage::{UsageRound, UsageTarget};
use crate::boundary::{BoundaryError, ErrorKind, UsageSource};
use crate::domain::ids::DockerId;
use crate::domain::usage::{ContainerSample, HostCpu, HostSample};
use crate::platform::linux::io_kind::kind_of;

/// Shortest time between two searches of the whole tree: one takes some 30 ms where there are 1,000 containers.
const SEARCH_PAUSE: Duration = Duration::from_secs(30);

/// Where the kernel shows its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageOptions {
    /// Where cgroups are mounted (`ECS_CGROUP_PATH`).
    pub cgroup_root: PathBuf,
    /// Where processes are shown.
    pub proc_root: PathBuf,
}

impl Default for UsageOptions {
    fn default() -> Self {
        Self {
            cgroup_root: PathBuf::from("/sys/fs/cgroup"),
            proc_root: PathBuf::from("/proc"),
        }
    }
}

impl UsageOptions {
    /// With cgroups mounted there; `None` = at the usual place.
    pub fn at(cgroup_root: Option<PathBuf>) -> Self {
        let usual = Self::default();
        Self {
            cgroup_root: cgroup_root.unwrap_or(usual.cgroup_root),
            ..usual
        }
    }
}

/// Usage on this host.
#[derive(Debug)]
pub struct UsageOs {
    options: UsageOptions,
    origin: Instant,
    places: Mutex<Places>,
}

/// What is remembered from one round to the next.
#[derive(Debug, Default)]
struct Places {
    found: BTreeMap<DockerId, PathBuf>,
    searched: Option<Instant>,
}

/// What is the same for all containers of a round.
struct Round {
    unified: bool,
    host_cpu: HostCpu,
    host_memory: HostMemory,
    host_network: Option<u64>,
}

impl UsageOs {
    /// Reads nothing yet.
    pub fn new(options: UsageOptions) -> Self {
        Self {
            options,
            origin: Instant::now(),
            places: Mutex::new(Places::default()),
        }
    }

    fn begin(&self) -> Round {
        let proc = &self.options.proc_root;
        // Process 1 is on the host's network even where the agent is not.
        let host_network = ["1", "self"]
            .iter()
            .find_map(|process| network::namespace(proc, process));
        Round {
            unified: v2::is_mounted(&self.options.cgroup_root),
            host_cpu: host::cpu(proc).unwrap_or_default(),
            host_memory: host::memory(proc),
            host_network,
        }
    }

    /// The places of all targets that can be found; those of other containers are forgotten.
    fn locate(&self, targets: &[UsageTarget], unified: bool) -> BTreeMap<DockerId, PathBuf> {
        let root = &self.options.cgroup_root;
        let roots: Vec<PathBuf> = if unified {
            vec![root.clone()]
        } else {
            v1::SEARCHED.iter().map(|name| root.join(name)).collect()
        };
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: BTreeSet<&DockerId> = targets.iter().map(|target| &target.id).collect();
        places.found.retain(|id, _| wanted.contains(id));
        let mut missing = Vec::new();
        for target in targets {
            if places.found.contains_key(&target.id) {
                continue;
            }
            match roots.iter().find_map(|root| place::likely(root, target)) {
                Some(place) => {
                    places.found.insert(target.id.clone(), place);
                }
                None => missing.push(&target.id),
            }
        }
        let rested = places
            .searched
            .is_none_or(|at| at.elapsed() >= SEARCH_PAUSE);
        if !missing.is_empty() && rested {
            if let Some(root) = roots.iter().find(|root| root.is_dir()) {
                places.found.append(&mut place::search(root, &missing));
            }
            places.searched = Some(Instant::now());
        }
        places.found.clone()
    }

    /// What cannot be read where it was found is looked for anew the next time.
    fn forget(&self, round: &UsageRound) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places
            .found
            .retain(|id, _| round.containers.get(id).is_some_and(Result::is_ok));
    }

    fn container(
        &self,
        target: &UsageTarget,
        place: Option<&Path>,
        round: &Round,
    ) -> Result<ContainerSample, BoundaryError> {
        let operation = || format!("read the usage of container {}", target.id);
        let Some(place) = place else {
            let message = "it has no cgroup";
            return Err(BoundaryError::new(
                operation(),
                ErrorKind::NotFound,
                message,
            ));
        };
        self.figures(place, round).map_err(|error| {
            BoundaryError::new(operation(), kind_of(&error), "its cgroup cannot be read")
                .because(error)
        })
    }

    fn figures(&self, place: &Path, round: &Round) -> io::Result<ContainerSample> {
        let (root, total) = (&self.options.cgroup_root, round.host_memory.total);
        // A host that does not tell its memory has no part in the limit.
        let host_memory = if total == 0 { u64::MAX } else { total };
        let taken = self.origin.elapsed();
        let (sample, processes) = if round.unified {
            (
                v2::read(root, place, host_memory)?,
                v2::processes(root, place),
            )
        } else {
            (
                v1::read(root, place, host_memory)?,
                v1::processes(root, place),
            )
        };
        let proc = &self.options.proc_root;
        let pid = network::first_process(&processes);
        Ok(ContainerSample {
            taken,
            host_cpu: round.host_cpu,
            network: pid.and_then(|pid| network::read(proc, pid, round.host_network)),
            ..sample
        })
    }
}

impl UsageSource for UsageOs {
    fn read(&self, targets: &[UsageTarget]) -> UsageRound {
        let began = self.origin.elapsed();
        let round = self.begin();
        let places = self.locate(targets, round.unified);
        let read = targets.iter().map(|target| {
            let place = places.get(&target.id).map(PathBuf::as_path);
            (target.id.clone(), self.container(target, place, &round))
        });
        let read = UsageRound {
            began,
            host: (round.host_cpu.total_ns > 0).then_some(HostSample {
                taken: began,
                cpu: round.host_cpu,
                memory_total: round.host_memory.total,
                memory_available: round.host_memory.available,
            }),
            containers: read.collect(),
        };
        self.forget(&read);
        read
    }
}
