//! The worker's look at many tasks at once: what they hold of the host, and a pass for each key that is due.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::domain::draining::Draining;
use crate::domain::fit;
use crate::domain::ids::{TaskArn, UnixMillis};
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::Reason;

use super::backoff::SPREAD;
use super::entry::{Entry, Pass};
use super::plan::PlanInput;
use super::plan::admission::{self, Verdict};
use super::worker::Reconciler;

impl Reconciler {
    /// One pass for each key, and for each task that their passes admit. On an instance that drains none is admitted.
    pub(super) fn think(
        &mut self,
        keys: &mut BTreeSet<TaskArn>,
        draining: Option<&Draining>,
        now: UnixMillis,
    ) -> Vec<(TaskArn, Pass)> {
        let verdicts = admission::unless_draining(self.verdicts(keys), draining);
        let admitted = verdicts
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Admitted));
        keys.extend(admitted.map(|(arn, _)| arn.clone()));
        let mut taken = self.taken_ports();
        let mut passes = Vec::new();
        for arn in keys.clone() {
            let Some(entry) = self.entries.get(&arn) else {
                continue;
            };
            let refusal = self.refusal(entry);
            let flights = entry.flights_as_data();
            let role = self.role_of(&entry.task);
            let execution_role = self.execution_role_of(&entry.task);
            let secrets_held = self.secrets_held(&entry.task);
            let input = PlanInput {
                task: &entry.task,
                layout: &entry.layout,
                in_flight: &flights,
                host: self.host.as_deref(),
                runtime_up: self.runtime_up,
                verdict: verdicts.get(&arn),
                refusal: refusal.as_ref(),
                role: role.as_ref(),
                execution_role: execution_role.as_ref(),
                secrets_held: &secrets_held,
                taken_ports: &taken,
                last_port: self.last_port,
                label: &entry.label,
                luck: self.draw_luck(),
                settings: &self.deps.settings,
                now,
            };
            let Ok(pass) = catch_unwind(AssertUnwindSafe(|| entry.think(&input))) else {
                keys.remove(&arn);
                self.quarantine(&arn, now);
                continue;
            };
            for known in pass.plan.known.containers.values() {
                for reservation in &known.reservations {
                    let last = reservation
                        .first_host_port
                        .saturating_add(reservation.count.saturating_sub(1));
                    taken.extend(
                        (reservation.first_host_port..=last)
                            .map(|port| (port, reservation.protocol)),
                    );
                    self.last_port = last;
                }
            }
            passes.push((arn, pass));
        }
        passes
    }

    fn draw_luck(&self) -> u32 {
        let drawn = self.deps.ids.jitter(Duration::from_millis(SPREAD.into()));
        u32::try_from(drawn.as_millis()).unwrap_or_default()
    }

    /// Who of the waiting may have the host's resources; empty if nobody of the batch waits.
    fn verdicts(&self, keys: &BTreeSet<TaskArn>) -> BTreeMap<TaskArn, Verdict> {
        let Some(host) = self.host.as_deref() else {
            return BTreeMap::new();
        };
        let any_waits = keys
            .iter()
            .filter_map(|arn| self.entries.get(arn))
            .any(|entry| admission::waits(&entry.task));
        if !any_waits {
            return BTreeMap::new();
        }
        let mut waiting: Vec<&Entry> = self
            .entries
            .values()
            .filter(|entry| admission::waits(&entry.task))
            .collect();
        waiting.sort_by_key(|entry| (entry.task.desired.arrived_at, entry.task.arn().clone()));
        let demand = |entry: &Entry| (entry.task.arn().clone(), admission::demand(&entry.task));
        let waiting: Vec<_> = waiting.into_iter().map(demand).collect();
        let holding: Vec<_> = self
            .entries
            .values()
            .filter(|entry| admission::holds(&entry.task))
            .map(demand)
            .collect();
        admission::decide(host, &holding, &waiting)
    }

    /// Why this host cannot run the definition, if it cannot; only asked before admission.
    fn refusal(&self, entry: &Entry) -> Option<Reason> {
        let (Some(host), true) = (self.host.as_deref(), admission::waits(&entry.task)) else {
            return None;
        };
        let desired = &entry.task.desired;
        let policy = self.deps.settings.fit_policy();
        let findings = fit::fit(&desired.definition, &desired.options, host, &policy);
        fit::refusal(&findings)
    }

    /// Host ports that tasks have, chosen or asked for.
    fn taken_ports(&self) -> BTreeSet<(u16, Protocol)> {
        let mut taken = BTreeSet::new();
        for entry in self
            .entries
            .values()
            .filter(|entry| admission::holds(&entry.task))
        {
            for container in &entry.task.desired.definition.containers {
                taken.extend(
                    container
                        .port_mappings
                        .iter()
                        .filter_map(|m| Some((m.host_port?, m.protocol))),
                );
            }
            for known in entry.task.known.containers.values() {
                taken.extend(
                    known
                        .bindings
                        .iter()
                        .map(|binding| (binding.host_port, binding.protocol)),
                );
                for reservation in &known.reservations {
                    let last = reservation
                        .first_host_port
                        .saturating_add(reservation.count.saturating_sub(1));
                    taken.extend(
                        (reservation.first_host_port..=last)
                            .map(|port| (port, reservation.protocol)),
                    );
                }
            }
        }
        taken
    }
}
