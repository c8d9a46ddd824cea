//! stub
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::boundary::store::{Change, ImageRecord, Loaded, StoredEvent, TaskStore};
use crate::boundary::{BoundaryError, ContainerRuntime, ErrorKind};
use crate::domain::ids::TaskArn;
use crate::domain::task::{KnownTask, Task};

#[derive(Default)]
struct Rows {
    tasks: BTreeMap<TaskArn, Task>,
    events: Vec<StoredEvent>,
    images: BTreeMap<String, ImageRecord>,
    fail: u32,
}
/// x
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Rows>>);

impl MemoryStore {
    /// x
    pub fn fail_next(&self, n: u32) {
        self.0.lock().unwrap().fail = n;
    }
    /// x
    pub fn tasks(&self) -> Vec<Task> {
        self.0.lock().unwrap().tasks.values().cloned().collect()
    }
    /// x
    pub fn all_events(&self) -> Vec<StoredEvent> {
        self.0.lock().unwrap().events.clone()
    }
}
#[async_trait]
impl TaskStore for MemoryStore {
    async fn load(&self) -> Result<Loaded, BoundaryError> {
        let r = self.0.lock().unwrap();
        Ok(Loaded {
            tasks: r.tasks.values().cloned().collect(),
            images: vec![],
            damage: vec![],
        })
    }
    async fn commit(&self, changes: &[Change]) -> Result<i64, BoundaryError> {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let mut r = self.0.lock().unwrap();
        if r.fail > 0 {
            r.fail -= 1;
            return Err(BoundaryError::new(
                "commit",
                ErrorKind::NoSpace,
                "disk full",
            ));
        }
        for c in changes {
            match c {
                Change::Desired(d) => {
                    let t = r.tasks.entry(d.arn.clone()).or_insert_with(|| Task {
                        desired: d.clone(),
                        known: KnownTask::default(),
                    });
                    t.desired = d.clone();
                }
                Change::Known(a, k) => {
                    if let Some(t) = r.tasks.get_mut(a) {
                        t.known = k.clone();
                    }
                }
                Change::Forget(a) => {
                    r.tasks.remove(a);
                }
                Change::Image(i) => {
                    r.images.insert(i.reference.clone(), i.clone());
                }
                Change::ForgetImage(i) => {
                    r.images.remove(i);
                }
                Change::Event(e) => {
                    let sequence = r.events.len() as i64 + 1;
                    r.events.push(StoredEvent {
                        sequence,
                        event: e.clone(),
                    });
                }
            }
        }
        Ok(r.events.len() as i64)
    }
    async fn events_after(
        &self,
        task: Option<&TaskArn>,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, BoundaryError> {
        let r = self.0.lock().unwrap();
        Ok(r.events
            .iter()
            .filter(|e| e.sequence > sequence && task.is_none_or(|t| *t == e.event.arn))
            .take(limit as usize)
            .cloned()
            .collect())
    }
    async fn close(&self) {}
}
