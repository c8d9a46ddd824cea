//! Shares the host out among waiting tasks, in the order of their arrival.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::draining::Draining;
use crate::domain::host::{HostFacts, ResourceDemand};
use crate::domain::ids::TaskArn;
use crate::domain::port_mapping::Protocol;
use crate::domain::status::{DesiredStatus, TaskStatus};
use crate::domain::task::Task;

/// What becomes of a waiting task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has what it needs.
    Admitted,
    /// It waits until others leave.
    Waiting {
        /// What it is short of, in words.
        for_what: String,
        /// The first host port that it is short of, and the task that has it or came earlier for it.
        port: Option<(u16, Protocol, TaskArn)>,
    },
    /// It waits until the instance drains no more; the words say why it drains.
    Draining(String),
    /// The host never has what it needs: why, in words.
    Impossible(String),
}

/// What becomes of the waiting tasks on an instance that drains: nobody is admitted, and what can never run here is
/// still told so. Nobody waits for resources that he would not get if they were free.
pub fn unless_draining(
    verdicts: BTreeMap<TaskArn, Verdict>,
    draining: Option<&Draining>,
) -> BTreeMap<TaskArn, Verdict> {
    let Some(draining) = draining else {
        return verdicts;
    };
    let closed = |verdict| match verdict {
        Verdict::Admitted | Verdict::Waiting { .. } | Verdict::Draining(_) => {
            Verdict::Draining(draining.words())
        }
        Verdict::Impossible(why) => Verdict::Impossible(why),
    };
    verdicts
        .into_iter()
        .map(|(arn, verdict)| (arn, closed(verdict)))
        .collect()
}

/// Whether the task waits for the host's resources.
pub fn waits(task: &Task) -> bool {
    task.known.admitted_at.is_none()
        && task.effective_desired() == DesiredStatus::Running
        && task.known.status != TaskStatus::Stopped
}

/// Whether the task holds some of the host's resources.
pub fn holds(task: &Task) -> bool {
    task.known.admitted_at.is_some() && task.known.status != TaskStatus::Stopped
}

/// What the task needs of the host: its definition's demand, and host ports reserved for its ranges.
pub fn demand(task: &Task) -> ResourceDemand {
    let desired = &task.desired;
    let mut demand = ResourceDemand::of(&desired.definition, &desired.options);
    let reservations = task
        .known
        .containers
        .values()
        .flat_map(|container| &container.reservations);
    for reservation in reservations {
        let ports = (reservation.first_host_port..=u16::MAX).take(usize::from(reservation.count));
        demand
            .ports
            .extend(ports.map(|port| (port, reservation.protocol)));
    }
    demand
}

/// Judges each waiting task, in the order given, beside the tasks that hold resources already. An admitted one counts
/// as a holder for those after it.
pub fn decide(
    host: &HostFacts,
    holders: &[(TaskArn, ResourceDemand)],
    waiting: &[(TaskArn, ResourceDemand)],
) -> BTreeMap<TaskArn, Verdict> {
    let mut ledger = Ledger::new(host);
    for (arn, demand) in holders {
        ledger.cpu.take(demand.cpu_units);
        ledger.memory.take(demand.memory_mib);
        ledger.claim(arn, demand, Claim::Held);
    }
    waiting
        .iter()
        .map(|(arn, demand)| {
            let verdict = match impossible(host, demand) {
                Some(why) => Verdict::Impossible(why),
                None => ledger.judge(arn, demand),
            };
            (arn.clone(), verdict)
        })
        .collect()
}

fn impossible(host: &HostFacts, demand: &ResourceDemand) -> Option<String> {
    let mut reasons = Vec::new();
    if demand.cpu_units > host.cpu_units {
        reasons.push(format!(
            "wants {} CPU units, the host has {}",
            demand.cpu_units, host.cpu_units
        ));
    }
    if demand.memory_mib > host.memory_mib {
        reasons.push(format!(
            "wants {} MiB of memory, the host has {} MiB for tasks",
            demand.memory_mib, host.memory_mib
        ));
    }
    for &(port, protocol) in demand.ports.intersection(&host.reserved_ports) {
        let whom = host.reserved_for(port, protocol);
        reasons.push(format!(
            "wants port {port}/{protocol}, which is reserved for {whom}"
        ));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// What is left while the waiting tasks are judged one by one.
struct Ledger {
    cpu: Pool,
    memory: Pool,
    /// Who has it, or came first for it.
    singles: BTreeMap<Single, (TaskArn, Claim)>,
}

/// What one task alone can have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Single {
    Port(u16, Protocol),
    Gpu(String),
}

impl fmt::Display for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port, protocol) => write!(f, "port {port}/{protocol}"),
            Self::Gpu(id) => write!(f, "GPU {id}"),
        }
    }
}

impl Single {
    /// All that the demand has of them, ports first.
    fn of(demand: &ResourceDemand) -> impl Iterator<Item = Self> {
        let ports = demand.ports.iter();
        let ports = ports.map(|(port, protocol)| Self::Port(*port, *protocol));
        ports.chain(demand.gpus.iter().cloned().map(Self::Gpu))
    }
}

/// How a task stands to such a thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// It is the task's.
    Held,
    /// The task waits for something else and came first for it.
    SetAside,
}

/// A resource that is shared out in units.
struct Pool {
    name: &'static str,
    free: u32,
    /// The first task that is short of it. Nobody later gets any before that task does.
    first_in_line: Option<TaskArn>,
}

impl Pool {
    fn take(&mut self, units: u32) {
        self.free = self.free.saturating_sub(units);
    }

    /// Why `units` cannot be had now; a task that needs none is never short.
    fn shortage(&self, units: u32) -> Option<String> {
        let name = self.name;
        if units == 0 {
            return None;
        }
        if let Some(earlier) = &self.first_in_line {
            return Some(format!("{name}, for which task {earlier} came earlier"));
        }
        (units > self.free).then(|| format!("{units} {name} ({} free)", self.free))
    }
}

impl Ledger {
    fn new(host: &HostFacts) -> Self {
        let pool = |name, free| Pool {
            name,
            free,
            first_in_line: None,
        };
        Self {
            cpu: pool("CPU units", host.cpu_units),
            memory: pool("MiB of memory", host.memory_mib),
            singles: BTreeMap::new(),
        }
    }

    fn judge(&mut self, arn: &TaskArn, demand: &ResourceDemand) -> Verdict {
        let cpu = self.cpu.shortage(demand.cpu_units);
        let memory = self.memory.shortage(demand.memory_mib);
        let taken = self.taken(arn, demand);
        let waits_for_units = cpu.is_some() || memory.is_some();
        for (pool, units, short) in [
            (&mut self.cpu, demand.cpu_units, cpu.is_some()),
            (&mut self.memory, demand.memory_mib, memory.is_some()),
        ] {
            if short {
                pool.first_in_line.get_or_insert_with(|| arn.clone());
            } else if waits_for_units || taken.is_none() {
                // Granted, or set aside. A task that waits for a port or GPU alone sets nothing aside: it may be
                // held for good, and then the rest of the host would stand idle behind it.
                pool.take(units);
            }
        }
        let mut short_of: Vec<String> = cpu.into_iter().chain(memory).collect();
        short_of.extend(taken.as_ref().map(|single| self.describe(single)));
        if short_of.is_empty() {
            self.claim(arn, demand, Claim::Held);
            return Verdict::Admitted;
        }
        let port = taken.and_then(|single| match single {
            Single::Port(port, protocol) => {
                let (owner, _) = self.singles.get(&single)?;
                Some((port, protocol, owner.clone()))
            }
            Single::Gpu(_) => None,
        });
        self.claim(arn, demand, Claim::SetAside);
        Verdict::Waiting {
            for_what: short_of.join("; "),
            port,
        }
    }

    /// The first port or GPU of the demand that another task has or came first for.
    fn taken(&self, arn: &TaskArn, demand: &ResourceDemand) -> Option<Single> {
        Single::of(demand).find(|single| {
            let owner = self.singles.get(single);
            owner.is_some_and(|(owner, _)| owner != arn)
        })
    }

    fn describe(&self, single: &Single) -> String {
        match self.singles.get(single) {
            Some((owner, Claim::Held)) => format!("{single}, held by task {owner}"),
            Some((owner, Claim::SetAside)) => {
                format!("{single}, for which task {owner} came earlier")
            }
            None => single.to_string(),
        }
    }

    /// What nobody has is the task's from now on, also while it waits for something else.
    fn claim(&mut self, arn: &TaskArn, demand: &ResourceDemand, claim: Claim) {
        for single in Single::of(demand) {
            self.singles
                .entry(single)
                .or_insert_with(|| (arn.clone(), claim));
        }
    }
}
