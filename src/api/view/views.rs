//! The present view, made when it is first asked for after a snapshot was published, with an index of all ids.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;

use super::seen::SeenTask;
use crate::domain::ids::{ContainerName, DockerId, TaskArn};
use crate::domain::task_ids::EndpointId;
use crate::reconcile::handle::ReconcilerHandle;
use crate::reconcile::snapshot::{Snapshot, TaskView};

/// Views of what the engine publishes. Shared by all listeners.
pub struct Views {
    engine: ReconcilerHandle,
    cluster: String,
    present: RwLock<Option<Arc<Indexed>>>,
}

impl Views {
    /// Views of that engine's snapshots.
    pub fn new(engine: ReconcilerHandle, cluster: String) -> Self {
        Self {
            engine,
            cluster,
            present: RwLock::new(None),
        }
    }

    /// The view of the last snapshot.
    pub fn now(&self) -> Arc<Indexed> {
        let snapshot = self.engine.snapshot();
        let present = self.present.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = present
            .as_ref()
            .filter(|indexed| Arc::ptr_eq(&indexed.snapshot, &snapshot));
        if let Some(fresh) = fresh {
            return Arc::clone(fresh);
        }
        drop(present);
        let made = Arc::new(Indexed::new(&snapshot, &self.cluster));
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        *present = Some(Arc::clone(&made));
        made
    }

    /// Cluster as configured.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }
}

/// One snapshot with its ids, and what was made of it so far.
pub struct Indexed {
    snapshot: Arc<Snapshot>,
    entries: Vec<Entry>,
    by_arn: BTreeMap<TaskArn, usize>,
    by_endpoint: HashMap<EndpointId, (usize, ContainerName)>,
    by_docker_id: BTreeMap<DockerId, (usize, ContainerName)>,
    /// The list of all tasks, encoded.
    pub list: OnceLock<Bytes>,
}

/// One task of the snapshot.
pub struct Entry {
    rows: Arc<TaskView>,
    cluster: String,
    seen: OnceLock<SeenTask>,
    /// Encoded as introspection shows it.
    pub classic: OnceLock<Bytes>,
    /// Encoded as version 3 of the metadata shows it.
    pub v3: OnceLock<Bytes>,
    /// Encoded as version 4 of the metadata shows it.
    pub v4: OnceLock<Bytes>,
    /// Encoded containers as version 4 shows them.
    pub v4_containers: BTreeMap<ContainerName, OnceLock<Bytes>>,
}

impl Entry {
    /// The view of the task.
    pub fn seen(&self) -> &SeenTask {
        self.seen
            .get_or_init(|| SeenTask::new(&self.rows.task, &self.cluster))
    }

    /// Ids of the GPUs that a container of it has.
    pub fn gpus(&self, container: &ContainerName) -> &[String] {
        let definition = &self.rows.task.desired.definition;
        let container = definition.container(container);
        container.map_or(&[], |container| &container.gpu_ids)
    }
}

impl Indexed {
    fn new(snapshot: &Arc<Snapshot>, cluster: &str) -> Self {
        let mut indexed = Self {
            snapshot: Arc::clone(snapshot),
            entries: Vec::with_capacity(snapshot.tasks.len()),
            by_arn: BTreeMap::new(),
            by_endpoint: HashMap::new(),
            by_docker_id: BTreeMap::new(),
            list: OnceLock::new(),
        };
        for (place, (arn, rows)) in snapshot.tasks.iter().enumerate() {
            let task = &rows.task;
            indexed.by_arn.insert(arn.clone(), place);
            for (name, id) in &task.desired.ids.endpoints {
                let at = (place, name.clone());
                indexed.by_endpoint.insert(id.clone(), at);
            }
            for (name, known) in &task.known.containers {
                if let Some(id) = &known.docker_id {
                    let at = (place, name.clone());
                    indexed.by_docker_id.insert(id.clone(), at);
                }
            }
            indexed.entries.push(Entry {
                rows: Arc::clone(rows),
                cluster: cluster.to_owned(),
                seen: OnceLock::new(),
                classic: OnceLock::new(),
                v3: OnceLock::new(),
                v4: OnceLock::new(),
                v4_containers: task
                    .desired
                    .ids
                    .endpoints
                    .keys()
                    .map(|name| (name.clone(), OnceLock::new()))
                    .collect(),
            });
        }
        indexed
    }

    /// All tasks, by ARN.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The task of that ARN.
    pub fn task(&self, arn: &TaskArn) -> Option<&Entry> {
        self.entries.get(*self.by_arn.get(arn)?)
    }

    /// The container that asks with that id, and its task.
    pub fn endpoint(&self, id: &str) -> Option<(&Entry, &ContainerName)> {
        let (place, name) = self.by_endpoint.get(id)?;
        Some((self.entries.get(*place)?, name))
    }

    /// The container of that id, and its task.
    pub fn docker_id(&self, id: &DockerId) -> Option<(&Entry, &ContainerName)> {
        let (place, name) = self.by_docker_id.get(id)?;
        Some((self.entries.get(*place)?, name))
    }

    /// Tasks of containers whose id begins so, one for each container, two at most.
    pub fn docker_id_prefix(&self, prefix: &str) -> Vec<&Entry> {
        self.by_docker_id
            .iter()
            .filter(|(id, _)| id.as_str().starts_with(prefix))
            .filter_map(|(_, (place, _))| self.entries.get(*place))
            .take(2)
            .collect()
    }
}
