//! What commands make of desired state: pure. Decides what a put, stop or remove means for what is there.

use crate::boundary::Ids;
use crate::domain::credentials::CredentialsId;
use crate::domain::ids::{Generation, UnixMillis};
use crate::domain::layout::layout;
use crate::domain::reason::Reason;
use crate::domain::status::DesiredStatus;
use crate::domain::task::{DesiredTask, EcsFacts};
use crate::domain::task_ids::{EndpointId, TaskIds, uuid};

use super::handle::{Given, HandleError, PutOutcome, PutTask};

/// Desired state after a put, and what to answer; `None` = nothing changes.
///
/// # Errors
/// [`HandleError`] if the task exists otherwise.
pub fn put(
    present: Option<&DesiredTask>,
    put: PutTask,
    now: UnixMillis,
    ids: &dyn Ids,
) -> Result<(Option<DesiredTask>, PutOutcome), HandleError> {
    let Some(present) = present else {
        if let Some(expected) = put
            .expected_generation
            .filter(|generation| generation.0 > 0)
        {
            return Err(HandleError::Generation {
                arn: put.arn,
                present: Generation(0),
                expected,
            });
        }
        let mut desired = DesiredTask {
            arn: put.arn,
            generation: Generation(1),
            definition: put.definition,
            options: put.options,
            ids: TaskIds::default(),
            origin: put.origin,
            ecs: EcsFacts::default(),
            status: DesiredStatus::Running,
            stop_reason: None,
            remove: false,
            arrived_at: now,
        };
        desired.ids = fresh_ids(&desired, ids);
        return Ok((Some(desired), PutOutcome::Created(Generation(1))));
    };
    if let Some(expected) = put
        .expected_generation
        .filter(|generation| *generation != present.generation)
    {
        return Err(HandleError::Generation {
            arn: put.arn,
            present: present.generation,
            expected,
        });
    }
    if present.definition != put.definition || present.options != put.options {
        return Err(HandleError::Conflict(put.arn));
    }
    Ok((None, PutOutcome::Unchanged(present.generation)))
}

/// A new task with what somebody else has decided of it.
pub fn with_given(mut desired: DesiredTask, given: Given) -> DesiredTask {
    desired.ids.task_role = given.task_role.or(desired.ids.task_role);
    desired.ids.execution_role = given.execution_role.or(desired.ids.execution_role);
    desired.ecs = given.ecs;
    if let Some(reason) = given.stop {
        desired.status = DesiredStatus::Stopped;
        desired.stop_reason = Some(reason);
    }
    desired
}

/// Ids for a task that has just arrived: of the roles that it has, and of all its containers.
fn fresh_ids(desired: &DesiredTask, ids: &dyn Ids) -> TaskIds {
    let definition = &desired.definition;
    let credentials = |role: Option<&String>| {
        // A UUID is a credentials id.
        role.and_then(|_| CredentialsId::parse(&uuid(ids.bits())).ok())
    };
    TaskIds {
        task_role: credentials(definition.task_role_arn.as_ref()),
        execution_role: credentials(definition.execution_role_arn.as_ref()),
        endpoints: layout(desired)
            .containers
            .into_iter()
            .map(|container| (container.name, EndpointId::from_random(ids.bits())))
            .collect(),
    }
}

/// Desired state after a stop; `None` = it stops already.
pub fn stop(present: &DesiredTask, reason: Reason) -> Option<DesiredTask> {
    if present.status == DesiredStatus::Stopped {
        return None;
    }
    let generation = present.generation.next();
    Some(DesiredTask {
        generation,
        status: DesiredStatus::Stopped,
        stop_reason: Some(reason),
        ..present.clone()
    })
}

/// Desired state after a remove; `None` = it is being removed already.
pub fn remove(present: &DesiredTask, reason: Reason) -> Option<DesiredTask> {
    if present.remove {
        return None;
    }
    let generation = present.generation.next();
    let stop_reason = present.stop_reason.clone().or(Some(reason));
    Some(DesiredTask {
        generation,
        status: DesiredStatus::Stopped,
        stop_reason,
        remove: true,
        ..present.clone()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::definition::{ContainerDefinition, NetworkMode, TaskDefinition};
    use crate::domain::ids::{ContainerName, Family, TaskArn};
    use crate::domain::image::ImageRef;
    use crate::domain::reason::ReasonName;
    use crate::domain::task::{Origin, TaskOptions};
    use crate::testing::clock::SeededIds;

    fn a_put(image: &str, expected_generation: Option<u64>) -> PutTask {
        let container = ContainerDefinition::new(
            ContainerName::parse("app").unwrap(),
            ImageRef::parse(image).unwrap(),
        );
        PutTask {
            arn: TaskArn::parse("arn:aws:ecs:local:000000000000:task/default/1").unwrap(),
            definition: Arc::new(TaskDefinition::new(
                Family::parse("web").unwrap(),
                vec![container],
            )),
            options: TaskOptions::default(),
            origin: Origin::Api,
            expected_generation: expected_generation.map(Generation),
        }
    }

    fn present() -> DesiredTask {
        put(None, a_put("a", None), UnixMillis(5), &SeededIds::new(1))
            .unwrap()
            .0
            .unwrap()
    }

    #[test]
    fn the_same_put_again_changes_nothing_and_another_one_is_refused() {
        let present = present();
        assert_eq!(
            put(
                Some(&present),
                a_put("a", None),
                UnixMillis(9),
                &SeededIds::new(1)
            ),
            Ok((None, PutOutcome::Unchanged(Generation(1))))
        );
        assert_eq!(
            put(
                Some(&present),
                a_put("b", None),
                UnixMillis(9),
                &SeededIds::new(1)
            ),
            Err(HandleError::Conflict(present.arn.clone()))
        );
    }

    #[test]
    fn a_conditional_put_must_name_the_present_generation() {
        let present = present();
        assert!(
            put(
                Some(&present),
                a_put("a", Some(1)),
                UnixMillis(9),
                &SeededIds::new(1)
            )
            .is_ok()
        );
        for (present, expected, there) in [(Some(&present), 2, 1), (None, 2, 0)] {
            let refused = put(
                present,
                a_put("a", Some(expected)),
                UnixMillis(9),
                &SeededIds::new(1),
            )
            .unwrap_err();
            assert!(
                matches!(refused, HandleError::Generation { present: Generation(g), .. } if g == there),
                "{refused}"
            );
        }
        assert!(
            put(None, a_put("a", Some(0)), UnixMillis(9), &SeededIds::new(1)).is_ok(),
            "0 asks that there be none"
        );
    }

    #[test]
    fn stop_and_remove_bump_the_generation_once() {
        let why = || Reason::new(ReasonName::UserInitiated, "x");
        let stopped = stop(&present(), why()).unwrap();
        assert_eq!(
            (stopped.generation, stopped.status),
            (Generation(2), DesiredStatus::Stopped)
        );
        assert_eq!(stop(&stopped, why()), None);
        let removed = remove(&stopped, why()).unwrap();
        assert_eq!((removed.generation, removed.remove), (Generation(3), true));
        assert_eq!(remove(&removed, why()), None);
    }

    #[test]
    fn a_new_task_gets_ids_for_its_roles_and_for_every_container() {
        let mut asked = a_put("a", None);
        let mut definition = (*asked.definition).clone();
        definition.task_role_arn = Some("arn:aws:iam::1:role/web".to_owned());
        definition.network_mode = NetworkMode::Awsvpc;
        asked.options.network_as = Some(NetworkMode::Bridge);
        asked.definition = Arc::new(definition);
        let (desired, _) = put(None, asked, UnixMillis(5), &SeededIds::new(1)).unwrap();
        let ids = desired.unwrap().ids;
        assert!(ids.task_role.is_some() && ids.execution_role.is_none());
        let names: Vec<&str> = ids.endpoints.keys().map(ContainerName::as_str).collect();
        assert_eq!(names, ["app", "~internal~ecs~pause"]);
        let different: std::collections::BTreeSet<_> = ids.endpoints.values().collect();
        assert_eq!(different.len(), 2);
    }

    #[test]
    fn a_stop_keeps_the_ids() {
        let present = present();
        let stopped = stop(&present, Reason::new(ReasonName::UserInitiated, "x")).unwrap();
        assert_eq!(stopped.ids, present.ids);
        assert_eq!(stopped.ids.endpoints.len(), 1);
    }
}
