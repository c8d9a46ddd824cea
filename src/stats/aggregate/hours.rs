//! The last hour of every task and of the host.

use std::collections::BTreeMap;

use super::history::{History, Moment};
use super::totals::Totals;
use crate::domain::ids::TaskArn;
use crate::stats::snapshot::{HostUsage, UsageSnapshot};

/// Histories.
#[derive(Debug, Default)]
pub struct Hours {
    /// Tasks that are tracked.
    pub tasks: BTreeMap<TaskArn, History>,
    /// The host. Memory is what programs cannot have; network and disks are not counted.
    pub host: History,
}

impl Hours {
    /// Takes the state after a round in.
    pub fn record(&mut self, usage: &UsageSnapshot) {
        let Some(at) = usage.at else { return };
        self.tasks.retain(|arn, _| usage.tasks.contains_key(arn));
        for (arn, task) in &usage.tasks {
            let mut containers = task.containers.values();
            let unread = containers.len() > 0 && containers.all(|usage| usage.latest.is_none());
            // Nothing is known of it, which is not the same as nothing being used.
            if !unread {
                self.tasks.entry(arn.clone()).or_default().add(Moment {
                    at,
                    taken: usage.taken,
                    totals: task.totals,
                    memory: task.memory,
                });
            }
        }
        if let Some(HostUsage { sample, .. }) = usage.host {
            self.host.add(Moment {
                at,
                taken: sample.taken,
                totals: Totals {
                    cpu_ns: sample.cpu.busy_ns,
                    ..Totals::default()
                },
                memory: sample.memory_total.saturating_sub(sample.memory_available),
            });
        }
    }
}
