//! Which containers of a task carry its definition, from which its rows can be rebuilt.
//!
//! The list of containers shows every label of every container, so what a task adds to it must not grow with the
//! square of its size: one task could else make the list of all tasks longer than what is read.
//!
//! **Invariants.** Copies of one definition stay below [`COPIES_BYTES`] together, or there is one. Who carries one is a
//! function of the definition alone, not of what came first here: equal input gives equal containers.
//!
//! A carrier is chosen among those that nothing holds up and the task cannot run without. Not promised: where the copies
//! are fewer than the containers, one without may be created before the first with one, since images are pulled side by
//! side. If the rows are lost in that time, what runs of the task is left alone and named, until it is removed by hand.

use crate::domain::ids::ContainerName;
use crate::domain::layout::{Layout, LayoutContainer};

/// Bytes of a task's copies together: ten containers with a definition of 25 KiB. With 500 such tasks the list of
/// containers, where each quote takes two bytes, stays below what the adapter reads.
const COPIES_BYTES: usize = 256 * 1024;

/// Longest text that is put on a container, in bytes: a longer one is not read back.
const LONGEST_BYTES: usize = 4 * 1024 * 1024;

/// Whether this container carries the definition, whose text has that length.
pub(super) fn carries_definition(layout: &Layout, container: &ContainerName, bytes: usize) -> bool {
    if bytes > LONGEST_BYTES {
        return false;
    }
    let copies = COPIES_BYTES.checked_div(bytes).unwrap_or(usize::MAX).max(1);
    if copies >= layout.containers.len() {
        return true;
    }
    let mut order: Vec<&LayoutContainer> = layout.containers.iter().collect();
    // Stable: otherwise in the order of the definition.
    order.sort_by_key(|container| (!container.dependencies.is_empty(), !container.essential));
    let mut carriers = order.into_iter().take(copies);
    carriers.any(|carrier| &carrier.name == container)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::definition::{NetworkMode, TaskDefinition};
    use crate::domain::depends_on::{Condition, Dependency};
    use crate::domain::layout::layout;
    use crate::domain::sample;
    use crate::domain::task::TaskOptions;

    const KIB: usize = 1024;

    /// Names of those that carry a text of that length.
    fn carriers(definition: &TaskDefinition, options: TaskOptions, bytes: usize) -> Vec<String> {
        let layout = layout(&sample::desired(definition.clone(), options));
        let names = layout.containers.iter().map(|container| &container.name);
        names
            .filter(|name| carries_definition(&layout, name, bytes))
            .map(ToString::to_string)
            .collect()
    }

    /// `c` waits for nobody, `b` is not essential.
    fn definition() -> TaskDefinition {
        let mut definition = sample::definition(&["a", "b", "c"]);
        definition.containers[0].depends_on = vec![Dependency {
            container: sample::name("b"),
            condition: Condition::Start,
        }];
        definition.containers[1].essential = false;
        definition
    }

    #[test]
    fn a_long_definition_is_on_what_starts_first_only() {
        let definition = definition();
        for (bytes, expected) in [
            (0, &["a", "b", "c"][..]),
            (85 * KIB, &["a", "b", "c"]),
            (86 * KIB, &["b", "c"]),
            (128 * KIB, &["b", "c"]),
            (129 * KIB, &["c"]),
            (4096 * KIB, &["c"]),
            (4096 * KIB + 1, &[]),
        ] {
            let found = carriers(&definition, TaskOptions::default(), bytes);
            assert_eq!(found, expected, "{bytes}");
        }
    }

    #[test]
    fn the_holder_of_a_shared_network_carries_it_before_the_others() {
        let mut definition = definition();
        definition.network_mode = NetworkMode::Awsvpc;
        let options = TaskOptions {
            network_as: Some(NetworkMode::Bridge),
            ..TaskOptions::default()
        };
        let pause = ContainerName::network_pause().to_string();
        assert_eq!(carriers(&definition, options, 200 * KIB), [pause]);
    }

    #[test]
    fn what_a_task_adds_to_the_list_is_bounded() {
        let names: Vec<String> = (0..500).map(|n| format!("c{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let definition = sample::definition(&names);
        for bytes in [1, 500, 600, 64 * KIB, 256 * KIB, 800 * KIB] {
            let found = carriers(&definition, TaskOptions::default(), bytes);
            assert!(!found.is_empty(), "{bytes}");
            assert!(found.len() * bytes <= COPIES_BYTES || found.len() == 1);
        }
    }
}
