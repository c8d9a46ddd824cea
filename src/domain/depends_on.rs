//! Container dependency conditions and the order they imply.

use super::definition::TaskDefinition;
use super::ids::ContainerName;

/// `dependsOn[]`, or an edge implied by `links`, `volumesFrom` or an internal container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// `containerName`.
    pub container: ContainerName,
    /// `condition`.
    pub condition: Condition,
}

/// `dependsOn[].condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The other container exists in Docker; implied by `volumesFrom`, not written by people.
    Create,
    /// The other container was started.
    Start,
    /// The other container has exited.
    Complete,
    /// The other container has exited with code 0.
    Success,
    /// The other container's health check passes.
    Healthy,
}

impl Condition {
    /// As ECS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Success => "SUCCESS",
            Self::Healthy => "HEALTHY",
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An order that can never come true.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Containers that wait for each other, in order; the first is the one waited for by the last.
    #[error("containers wait for each other: {}", .0.iter().map(ContainerName::as_str).collect::<Vec<_>>().join(" -> "))]
    Cycle(Vec<ContainerName>),
    /// A dependency on a container that the task does not have.
    #[error("container {container} waits for {missing}, which the task does not have")]
    Missing {
        /// Who waits.
        container: ContainerName,
        /// For whom.
        missing: ContainerName,
    },
    /// `HEALTHY` on a container without a health check.
    #[error(
        "container {container} waits for {dependency} to be HEALTHY, but that has no health check"
    )]
    NoHealthCheck {
        /// Who waits.
        container: ContainerName,
        /// For whom.
        dependency: ContainerName,
    },
}

/// Everything `container` waits for: its `dependsOn`, then what `volumesFrom` (CREATE) and `links` (START) imply
/// unless `dependsOn` already names that container (reference agent: implicit ordering).
pub fn dependencies_of(definition: &TaskDefinition, container: &ContainerName) -> Vec<Dependency> {
    let Some(found) = definition.container(container) else {
        return Vec::new();
    };
    let mut edges = found.depends_on.clone();
    let implied = found
        .volumes_from
        .iter()
        .map(|from| (&from.source_container, Condition::Create))
        .chain(
            found
                .links
                .iter()
                .map(|link| (&link.container, Condition::Start)),
        );
    for (other, condition) in implied {
        if !edges.iter().any(|edge| &edge.container == other) {
            edges.push(Dependency {
                container: other.clone(),
                condition,
            });
        }
    }
    edges
}

/// Every reason why the task's order cannot be satisfied; empty if it can.
pub fn check_order(definition: &TaskDefinition) -> Vec<OrderError> {
    let mut errors = Vec::new();
    for container in &definition.containers {
        for edge in dependencies_of(definition, &container.name) {
            match definition.container(&edge.container) {
                None => errors.push(OrderError::Missing {
                    container: container.name.clone(),
                    missing: edge.container,
                }),
                Some(dependency)
                    if edge.condition == Condition::Healthy
                        && dependency.health_check.is_none() =>
                {
                    errors.push(OrderError::NoHealthCheck {
                        container: container.name.clone(),
                        dependency: edge.container,
                    });
                }
                Some(_) => {}
            }
        }
    }
    if let Some(cycle) = find_cycle(definition) {
        errors.push(OrderError::Cycle(cycle));
    }
    errors
}

/// Repeatedly takes away containers that wait for nobody left; what remains holds a cycle, which is then walked.
fn find_cycle(definition: &TaskDefinition) -> Option<Vec<ContainerName>> {
    let mut left: Vec<(ContainerName, Vec<ContainerName>)> = definition
        .containers
        .iter()
        .map(|c| {
            let waits = dependencies_of(definition, &c.name)
                .into_iter()
                .map(|edge| edge.container)
                .filter(|other| definition.container(other).is_some())
                .collect();
            (c.name.clone(), waits)
        })
        .collect();
    loop {
        let names: Vec<ContainerName> = left.iter().map(|(name, _)| name.clone()).collect();
        let before = left.len();
        left.retain(|(_, waits)| waits.iter().any(|other| names.contains(other)));
        if left.len() == before {
            break;
        }
    }
    let names: Vec<ContainerName> = left.iter().map(|(name, _)| name.clone()).collect();
    let mut path = vec![names.first()?.clone()];
    loop {
        let last = path.last()?.clone();
        let next = left
            .iter()
            .find(|(name, _)| *name == last)?
            .1
            .iter()
            .find(|other| names.contains(other))?
            .clone();
        if let Some(start) = path.iter().position(|seen| *seen == next) {
            let mut cycle: Vec<ContainerName> = path.split_off(start);
            cycle.push(next);
            return Some(cycle);
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::definition::ContainerDefinition;
    use crate::domain::ids::Family;
    use crate::domain::image::ImageRef;

    fn task(edges: &[(&str, &[(&str, Condition)])]) -> TaskDefinition {
        let containers = edges
            .iter()
            .map(|(name, waits)| {
                let mut c = ContainerDefinition::new(
                    ContainerName::parse(name).unwrap(),
                    ImageRef::parse("i").unwrap(),
                );
                c.depends_on = waits
                    .iter()
                    .map(|(other, condition)| Dependency {
                        container: ContainerName::parse(other).unwrap(),
                        condition: *condition,
                    })
                    .collect();
                c
            })
            .collect();
        TaskDefinition::new(Family::parse("f").unwrap(), containers)
    }

    #[test]
    fn names_the_cycle_and_only_the_cycle() {
        let t = task(&[
            ("d", &[("a", Condition::Start)]),
            ("a", &[("b", Condition::Start)]),
            ("b", &[("c", Condition::Start)]),
            ("c", &[("a", Condition::Start)]),
            ("free", &[]),
        ]);
        let errors = check_order(&t);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(
            errors[0].to_string(),
            "containers wait for each other: a -> b -> c -> a"
        );
    }

    #[test]
    fn a_container_that_waits_for_itself_is_a_cycle() {
        let errors = check_order(&task(&[("a", &[("a", Condition::Start)])]));
        assert_eq!(
            errors[0].to_string(),
            "containers wait for each other: a -> a"
        );
    }

    #[test]
    fn names_missing_containers_and_missing_health_checks() {
        let errors = check_order(&task(&[
            ("a", &[("b", Condition::Healthy), ("x", Condition::Start)]),
            ("b", &[]),
        ]));
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "container a waits for b to be HEALTHY, but that has no health check",
                "container a waits for x, which the task does not have",
            ]
        );
    }
}
