//! What the watcher says becomes observations of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::boundary::store::StoredEvent;
use crate::domain::ids::{ContainerName, TaskArn, UnixMillis};
use crate::domain::runtime::{ListedContainer, RuntimeEvent, RuntimeEventKind};
use crate::domain::status::TaskStatus;
use crate::domain::task::Step;

use super::observe::Observation;
use super::relist::News;
use super::worker::Reconciler;

impl Reconciler {
    pub(super) async fn take_news(&mut self, news: News) {
        let now = self.deps.clock.now();
        match news {
            News::Up(info) => {
                info!(
                    event = "docker-up",
                    version = info.version,
                    api = info.api_version,
                    "Docker answers"
                );
                let facts = Arc::new(self.deps.probe.probe(&info).await);
                let changed = self.host.as_ref() != Some(&facts);
                self.view.host = Some(Arc::clone(&facts));
                self.host = Some(facts);
                self.mark_up(now);
                if changed {
                    self.wake_waiting(now);
                }
            }
            News::Down(why) => self.mark_down(&why),
            News::ListFailed(why) => {
                warn!(
                    event = "docker-list-failed",
                    error = why,
                    "Docker answers, but does not list its containers"
                );
                self.mark_up(now);
                self.view.list_error = Some(why);
            }
            News::Listed { began, containers } => {
                self.mark_up(now);
                self.view.list_error = None;
                self.take_list(began, containers);
                self.view.relisted_at = Some(now);
                self.listed_once = true;
            }
            News::Event(event) => self.take_event(event, now),
            News::Recalled(recalled) => self.take_recalled(recalled),
        }
    }

    /// What timelines ended with before this start.
    fn take_recalled(&mut self, recalled: Result<Vec<StoredEvent>, String>) {
        let events = match recalled {
            Ok(events) => events,
            Err(why) => {
                warn!(event = "timelines-unreadable", error = %why, "what happened before this start cannot be read");
                self.view.timeline_error = Some(why);
                return;
            }
        };
        let last = events.last().map_or(0, |event| event.sequence);
        self.view.last_event = self.view.last_event.max(last);
        let mut by_task: BTreeMap<TaskArn, Vec<StoredEvent>> = BTreeMap::new();
        for event in events {
            let of_task = by_task.entry(event.event.arn.clone()).or_default();
            of_task.push(event);
        }
        for (arn, events) in by_task {
            if let Some(entry) = self.entries.get_mut(&arn) {
                Arc::make_mut(&mut entry.timeline).recall(events);
            }
        }
    }

    fn mark_up(&mut self, now: UnixMillis) {
        self.view.runtime_answered_at = Some(now);
        self.view.runtime_error = None;
        if !self.runtime_up {
            self.runtime_up = true;
            let keys: Vec<TaskArn> = self.entries.keys().cloned().collect();
            for key in keys {
                self.queue.wake(&key, now);
            }
        }
    }

    fn take_list(&mut self, began: Instant, containers: Vec<ListedContainer>) {
        self.adopt(&containers);
        let mut by_task: BTreeMap<TaskArn, BTreeMap<ContainerName, ListedContainer>> =
            BTreeMap::new();
        for mut listed in containers {
            // Only needed for adoption; kept observations shall be small.
            listed.definition = None;
            let entry = by_task.entry(listed.task.clone()).or_default();
            let present = self
                .entries
                .get(&listed.task)
                .map(|entry| entry.attempt(&listed.container));
            let better = listed.attempt.is_some() && listed.attempt == present;
            if better || !entry.contains_key(&listed.container) {
                entry.insert(listed.container.clone(), listed);
            }
        }
        let keys: Vec<TaskArn> = self.entries.keys().cloned().collect();
        for key in keys {
            let shown = by_task.remove(&key).unwrap_or_default();
            self.take_listed_task(&key, began, shown);
        }
    }

    fn take_listed_task(
        &mut self,
        key: &TaskArn,
        began: Instant,
        mut shown: BTreeMap<ContainerName, ListedContainer>,
    ) {
        let now = self.deps.clock.now();
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        let names: BTreeSet<ContainerName> = entry
            .task
            .known
            .containers
            .keys()
            .chain(shown.keys())
            .cloned()
            .collect();
        let mut news = Vec::new();
        for name in names {
            let stale = entry.fact_at.get(&name).is_some_and(|&at| at >= began);
            let under_way = entry
                .flights
                .contains_key(&super::action::Subject::Container(name.clone()));
            if stale || under_way {
                continue;
            }
            let seen = match shown.remove(&name) {
                Some(listed) => Observation::Listed(listed),
                None => Observation::Unlisted,
            };
            if entry.is_news(&name, &seen) {
                news.push((name, seen));
            }
        }
        if news.is_empty() {
            return;
        }
        if let Some(entry) = self.entries.get_mut(key) {
            for (name, seen) in news {
                entry.see(name, seen);
            }
            self.view.events_missed = self.view.events_missed.saturating_add(1);
            self.queue.wake(key, now);
        }
    }

    fn take_event(&mut self, event: RuntimeEvent, now: UnixMillis) {
        self.view.events_seen = self.view.events_seen.saturating_add(1);
        self.view.runtime_answered_at = Some(now);
        let Some(entry) = self.entries.get_mut(&event.task) else {
            return;
        };
        let seen = match event.kind {
            RuntimeEventKind::Died { exit_code } => Observation::Died {
                id: event.id,
                code: exit_code,
                at: event.at,
            },
            RuntimeEventKind::Killed => Observation::Signalled,
            RuntimeEventKind::Health(health) => Observation::Probed(health),
            RuntimeEventKind::Destroyed | RuntimeEventKind::Changed => Observation::Changed,
        };
        let subject = super::action::Subject::Container(event.container.clone());
        let flight = entry.flights.get_mut(&subject);
        let own = flight.is_some();
        if let Some(flight) = flight.filter(|flight| flight.flight.step == Step::Inspect) {
            // The look may have been answered before this.
            flight.doubted = true;
        }
        let known_state =
            entry.task.known.status != TaskStatus::Stopped || matches!(seen, Observation::Changed);
        if known_state && !(own && matches!(seen, Observation::Changed)) {
            if matches!(seen, Observation::Died { .. }) {
                entry
                    .fact_at
                    .insert(event.container.clone(), Instant::now());
            }
            entry.see(event.container, seen);
            self.queue.wake(&event.task, now);
        }
    }
}
