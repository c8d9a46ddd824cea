//! The containers of a task and the order in which they start and stop.
//!
//! Whether that order can ever be satisfied is not asked here (`crate::domain::depends_on`).

use super::network::shares_network;
use crate::domain::definition::{IpcMode, PidMode, TaskDefinition};
use crate::domain::depends_on::{Condition, Dependency, dependencies_of};
use crate::domain::ids::ContainerName;
use crate::domain::task::DesiredTask;

/// Image of the agent's own containers. It is made on the host and never pulled.
pub const PAUSE_IMAGE: &str = "berth/pause:1";

/// The containers of a task, the agent's own first, then those of the definition in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Names are unique.
    pub containers: Vec<LayoutContainer>,
}

/// One container with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutContainer {
    /// Name in the task.
    pub name: ContainerName,
    /// Where it comes from.
    pub kind: ContainerKind,
    /// Whether the task stops with it.
    pub essential: bool,
    /// What must hold before it is created: `dependsOn`, then what `volumesFrom`, `links` and the agent's own
    /// containers imply.
    pub dependencies: Vec<Dependency>,
    /// Containers that must have stopped before it is asked to stop: those that depend on it.
    pub stops_after: Vec<ContainerName>,
}

/// Where a container comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// `containerDefinitions` at this index.
    Application(usize),
    /// Holds the network namespace that all others join.
    NetworkPause,
    /// Holds the PID or IPC namespace that all others join.
    NamespacePause,
}

impl ContainerKind {
    /// Whether the agent added it.
    pub fn is_pause(self) -> bool {
        match self {
            Self::Application(_) => false,
            Self::NetworkPause | Self::NamespacePause => true,
        }
    }
}

impl Layout {
    /// The container of that name.
    pub fn get(&self, name: &ContainerName) -> Option<&LayoutContainer> {
        self.containers
            .iter()
            .find(|container| &container.name == name)
    }

    /// Whether a container of that kind is there.
    pub fn has(&self, kind: ContainerKind) -> bool {
        self.containers
            .iter()
            .any(|container| container.kind == kind)
    }
}

/// The containers that this task needs (reference agent: `engine.md` 1.10; the network pause stands in for an elastic
/// network interface where `awsvpc` is run as bridge).
pub fn layout(desired: &DesiredTask) -> Layout {
    let definition = &desired.definition;
    let pauses = pauses(desired);
    let mut containers: Vec<LayoutContainer> = pauses
        .iter()
        .map(|(name, kind)| LayoutContainer {
            name: name.clone(),
            kind: *kind,
            essential: true,
            dependencies: Vec::new(),
            stops_after: Vec::new(),
        })
        .collect();
    for (index, container) in definition.containers.iter().enumerate() {
        let mut dependencies = dependencies_of(definition, &container.name);
        dependencies.extend(pauses.iter().map(|(name, _)| Dependency {
            container: name.clone(),
            condition: Condition::Start,
        }));
        containers.push(LayoutContainer {
            name: container.name.clone(),
            kind: ContainerKind::Application(index),
            essential: container.essential,
            dependencies,
            stops_after: Vec::new(),
        });
    }
    let dependents: Vec<Vec<ContainerName>> = containers
        .iter()
        .map(|container| dependents_of(&containers, &container.name))
        .collect();
    for (container, dependents) in containers.iter_mut().zip(dependents) {
        container.stops_after = dependents;
    }
    Layout { containers }
}

fn pauses(desired: &DesiredTask) -> Vec<(ContainerName, ContainerKind)> {
    let mut pauses = Vec::new();
    if shares_network(&desired.definition, &desired.options) {
        pauses.push((ContainerName::network_pause(), ContainerKind::NetworkPause));
    }
    if shares_namespaces(&desired.definition) {
        pauses.push((
            ContainerName::namespace_pause(),
            ContainerKind::NamespacePause,
        ));
    }
    pauses
}

fn shares_namespaces(definition: &TaskDefinition) -> bool {
    definition.pid_mode == PidMode::Task || definition.ipc_mode == IpcMode::Task
}

fn dependents_of(containers: &[LayoutContainer], name: &ContainerName) -> Vec<ContainerName> {
    containers
        .iter()
        .filter(|other| {
            other
                .dependencies
                .iter()
                .any(|edge| &edge.container == name)
        })
        .map(|other| other.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::definition::{Link, NetworkMode};
    use crate::domain::sample;
    use crate::domain::task::TaskOptions;
    use crate::domain::volume::VolumesFrom;

    /// One line a container: kind, name, what it waits for, what it stops after.
    fn show(definition: TaskDefinition, options: TaskOptions) -> String {
        layout(&sample::desired(definition, options))
            .containers
            .iter()
            .map(|c| {
                let waits: Vec<String> = c
                    .dependencies
                    .iter()
                    .map(|edge| format!("{}:{}", edge.container, edge.condition))
                    .collect();
                let after: Vec<&str> = c.stops_after.iter().map(ContainerName::as_str).collect();
                format!(
                    "{:?} {}{} waits [{}] stops after [{}]",
                    c.kind,
                    c.name,
                    if c.essential { "" } else { " (optional)" },
                    waits.join(" "),
                    after.join(" ")
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn as_bridge() -> TaskOptions {
        TaskOptions {
            network_as: Some(NetworkMode::Bridge),
            ..TaskOptions::default()
        }
    }

    #[test]
    fn a_plain_task_has_only_its_own_containers() {
        let mut definition = sample::definition(&["app", "log"]);
        definition.containers[1].essential = false;
        insta::assert_snapshot!(show(definition, as_bridge()), @"
        Application(0) app waits [] stops after []
        Application(1) log (optional) waits [] stops after []
        ");
    }

    #[test]
    fn declared_and_implied_dependencies_order_start_and_stop() {
        let mut definition = sample::definition(&["app", "db", "data"]);
        definition.containers[0].depends_on = vec![Dependency {
            container: sample::name("db"),
            condition: Condition::Healthy,
        }];
        definition.containers[0].links = vec![Link {
            container: sample::name("db"),
            alias: "db".to_owned(),
        }];
        definition.containers[1].volumes_from = vec![VolumesFrom {
            source_container: sample::name("data"),
            read_only: false,
        }];
        insta::assert_snapshot!(show(definition, TaskOptions::default()), @"
        Application(0) app waits [db:HEALTHY] stops after []
        Application(1) db waits [data:CREATE] stops after [app]
        Application(2) data waits [] stops after [db]
        ");
    }

    #[test]
    fn pauses_come_first_and_go_last() {
        let mut definition = sample::definition(&["app"]);
        definition.network_mode = NetworkMode::Awsvpc;
        definition.pid_mode = PidMode::Task;
        insta::assert_snapshot!(show(definition.clone(), as_bridge()), @"
        NetworkPause ~internal~ecs~pause waits [] stops after [app]
        NamespacePause ~internal~ecs~pause~namespace waits [] stops after [app]
        Application(0) app waits [~internal~ecs~pause:START ~internal~ecs~pause~namespace:START] stops after []
        ");
        let as_host = TaskOptions {
            network_as: Some(NetworkMode::Host),
            ..TaskOptions::default()
        };
        definition.pid_mode = PidMode::Private;
        definition.ipc_mode = IpcMode::Task;
        insta::assert_snapshot!(show(definition, as_host), @"
        NamespacePause ~internal~ecs~pause~namespace waits [] stops after [app]
        Application(0) app waits [~internal~ecs~pause~namespace:START] stops after []
        ");
    }
}
