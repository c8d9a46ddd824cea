//! Container dependency conditions and the order they imply.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{ContainerDefinition, TaskDefinition};
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
    let mut named: BTreeSet<&ContainerName> = found
        .depends_on
        .iter()
        .map(|edge| &edge.container)
        .collect();
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
        if named.insert(other) {
            edges.push(Dependency {
                container: other.clone(),
                condition,
            });
        }
    }
    edges
}

/// Every reason why the task's order cannot be satisfied; empty if it can. Linear in the number of edges, so that a
/// hostile definition costs no more than its size.
pub fn check_order(definition: &TaskDefinition) -> Vec<OrderError> {
    let by_name: BTreeMap<&ContainerName, &ContainerDefinition> = definition
        .containers
        .iter()
        .rev()
        .map(|container| (&container.name, container))
        .collect();
    let mut errors = Vec::new();
    let mut waits = BTreeMap::new();
    for container in &definition.containers {
        let edges = dependencies_of(definition, &container.name);
        for edge in &edges {
            match by_name.get(&edge.container) {
                None => errors.push(OrderError::Missing {
                    container: container.name.clone(),
                    missing: edge.container.clone(),
                }),
                Some(dependency)
                    if edge.condition == Condition::Healthy
                        && dependency.health_check.is_none() =>
                {
                    errors.push(OrderError::NoHealthCheck {
                        container: container.name.clone(),
                        dependency: edge.container.clone(),
                    });
                }
                Some(_) => {}
            }
        }
        let others: Vec<&ContainerName> = edges
            .iter()
            .filter_map(|edge| by_name.get_key_value(&edge.container))
            .map(|(&name, _)| name)
            .collect();
        waits.insert(&container.name, others);
    }
    if let Some(cycle) = find_cycle(&waits) {
        errors.push(OrderError::Cycle(cycle));
    }
    errors
}

/// Repeatedly takes away containers that wait for nobody left; what remains holds a cycle, which is then walked.
fn find_cycle(waits: &BTreeMap<&ContainerName, Vec<&ContainerName>>) -> Option<Vec<ContainerName>> {
    let mut waiters: BTreeMap<&ContainerName, Vec<&ContainerName>> = BTreeMap::new();
    let mut open: BTreeMap<&ContainerName, usize> = BTreeMap::new();
    for (&name, others) in waits {
        open.insert(name, others.len());
        for &other in others {
            waiters.entry(other).or_default().push(name);
        }
    }
    let mut free: Vec<&ContainerName> = open
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(&name, _)| name)
        .collect();
    while let Some(name) = free.pop() {
        open.remove(name);
        for &waiter in waiters.get(name).into_iter().flatten() {
            if let Some(count) = open.get_mut(waiter) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    free.push(waiter);
                }
            }
        }
    }
    let mut path = Vec::new();
    let mut place: BTreeMap<&ContainerName, usize> = BTreeMap::new();
    let mut name = *open.keys().next()?;
    while !place.contains_key(name) {
        place.insert(name, path.len());
        path.push(name);
        name = waits
            .get(name)?
            .iter()
            .find(|other| open.contains_key(*other))?;
    }
    let start = *place.get(name)?;
    let cycle = path.iter().skip(start).copied().chain([name]);
    Some(cycle.cloned().collect())
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
    fn a_dense_order_of_many_containers_is_checked_quickly() {
        let mut t = task(&[]);
        for index in 0..500 {
            let name = ContainerName::parse(&format!("c{index}")).unwrap();
            let mut c = ContainerDefinition::new(name, ImageRef::parse("i").unwrap());
            c.depends_on = t
                .containers
                .iter()
                .map(|earlier| Dependency {
                    container: earlier.name.clone(),
                    condition: Condition::Start,
                })
                .collect();
            t.containers.push(c);
        }
        assert_eq!(check_order(&t), []);
        t.containers[0].depends_on = t.containers[499].depends_on[498..].to_vec();
        assert_eq!(check_order(&t).len(), 1);
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
