//! Task resources on the way up and down: the task's cgroup and its volumes in Docker.

use crate::domain::ids::VolumeName;
use crate::domain::layout::{
    LayoutContainer, shared_volumes_to_find, task_resources, volume_docker_name,
};
use crate::domain::task::{Cause, KnownResource, ResourceKey, ResourceStatus, Retry};
use crate::domain::volume::{Volume, VolumeScope, VolumeSource};
use crate::reconcile::action::{Action, Existing, Subject, Verb};
use crate::reconcile::backoff;

use super::waits::Wait;
use super::{Planner, spec};

impl Planner<'_, '_> {
    /// Registers each resource for clean-up, then sets it up.
    pub(super) fn plan_resources(&mut self) {
        let Some(host) = self.input.host else {
            return;
        };
        let cgroups = spec::enforced_cgroups(host, self.input.settings);
        let to_find = shared_volumes_to_find(&self.draft.desired.definition);
        let keys = task_resources(self.draft.desired, cgroups)
            .into_iter()
            .chain(to_find.into_iter().map(ResourceKey::Volume));
        for key in keys {
            let new = KnownResource {
                status: ResourceStatus::Registered,
                retry: None,
            };
            let known = self.draft.known.resources.entry(key.clone()).or_insert(new);
            if known.status != ResourceStatus::Registered {
                continue;
            }
            let retry = known.retry.clone();
            if let Some(verb) = self.set_up_verb(&key) {
                self.resource_step(&Subject::Resource(key), retry.as_ref(), verb);
            }
        }
    }

    /// Whether everything the container needs is there, and says what is not.
    pub(super) fn resources_ready(&mut self, container: &LayoutContainer) -> bool {
        let definition = self.draft.desired.definition.container(&container.name);
        let mounts = |volume: &VolumeName| {
            definition.is_some_and(|found| {
                let mut mounts = found.mount_points.iter();
                mounts.any(|mount| &mount.source_volume == volume)
            })
        };
        let needs = |key: &ResourceKey| match key {
            ResourceKey::Cgroup => true,
            ResourceKey::Volume(volume) => mounts(volume),
        };
        let missing: Vec<String> = self
            .draft
            .known
            .resources
            .iter()
            .filter(|(key, known)| known.status == ResourceStatus::Registered && needs(key))
            .map(|(key, _)| key.to_string())
            .collect();
        if missing.is_empty() {
            return true;
        }
        self.waits.add(Wait {
            container: Some(&container.name),
            cause: Cause::WaitingForResource,
            message: format!("waits for {}", missing.join(", ")),
            then: format!("create {} when they are ready", container.name),
        });
        false
    }

    /// One step on a resource, unless one is under way or backs off.
    pub(super) fn resource_step(&mut self, subject: &Subject, retry: Option<&Retry>, verb: Verb) {
        if let Some(flight) = self.input.in_flight.get(subject) {
            self.waits.for_flight(subject, flight.step, flight.since);
            return;
        }
        let waits =
            |retry: &&Retry| !backoff::is_due(retry.not_before, self.input.now, backoff::LONGEST);
        if let Some(retry) = retry.filter(waits) {
            self.waits.for_retry(subject, None, retry, None);
            return;
        }
        self.take_step(Action {
            subject: subject.clone(),
            verb,
        });
    }

    fn set_up_verb(&self, key: &ResourceKey) -> Option<Verb> {
        let definition = &self.draft.desired.definition;
        let ResourceKey::Volume(name) = key else {
            let limits = spec::cgroup_limits(definition);
            return Some(Verb::CreateCgroup { limits });
        };
        let spec = spec::volume_spec(self.draft.desired, self.input.settings, name)?;
        if shared_volumes_to_find(definition).contains(name) {
            return Some(Verb::ExpectVolume { name: spec.name });
        }
        let existing = self.existing(name);
        Some(Verb::CreateVolume { spec, existing })
    }

    /// A shared volume is for whoever names it, with whatever driver it was made (`engine.md` 4.4).
    fn existing(&self, name: &VolumeName) -> Existing {
        let volume = self.draft.desired.definition.volume(name);
        let shared = volume.is_some_and(Volume::is_shared);
        match (shared, self.input.settings.match_shared_volume) {
            (false, _) => Existing::Own,
            (true, false) => Existing::Used,
            (true, true) => Existing::Matched,
        }
    }

    /// How to take the resource down; `None` = it is not the task's to remove.
    pub(super) fn tear_down_verb(&self, key: &ResourceKey) -> Option<Verb> {
        let ResourceKey::Volume(name) = key else {
            return Some(Verb::RemoveCgroup);
        };
        let definition = &self.draft.desired.definition;
        let volume = definition.volume(name)?;
        let of_task = match &volume.source {
            VolumeSource::Empty => true,
            VolumeSource::Docker(docker) => docker.scope == VolumeScope::Task,
            VolumeSource::HostPath(_) | VolumeSource::Aws(_) => false,
        };
        let name = volume_docker_name(definition, self.draft.desired.arn.task_id(), volume)?;
        of_task.then_some(Verb::RemoveVolume { name })
    }
}
