//! Asks for what is not held yet, several questions at once, and holds what comes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;

use super::plan::{self, Questions, Trouble};
use crate::boundary::BoundaryError;
use crate::boundary::secrets::{SecretSource, SecretValues, SecretsWish, TaskSecrets};
use crate::domain::credentials::CredentialsId;
use crate::domain::ids::TaskId;

/// Questions of one container that are asked at once.
const AT_ONCE: usize = 8;

/// Values of tasks, in memory.
pub struct HeldSecrets {
    source: Arc<dyn SecretSource>,
    held: Mutex<HashMap<TaskId, SecretValues>>,
}

impl fmt::Debug for HeldSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldSecrets")
    }
}

type Answer = Result<SecretValues, Trouble>;

impl HeldSecrets {
    /// Nothing is held, and nothing is asked before it is wanted.
    pub fn new(source: Arc<dyn SecretSource>) -> Self {
        Self {
            source,
            held: Mutex::default(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<TaskId, SecretValues>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<'a>(
        &'a self,
        role: &'a CredentialsId,
        questions: &'a Questions,
    ) -> Vec<BoxFuture<'a, Answer>> {
        let parameters = questions.parameters.iter().map(|(region, names)| {
            let asked = async move {
                let region = region.as_deref();
                let answer = self.source.parameters(role, region, names).await;
                plan::parameters(region, names, answer).map(SecretValues)
            };
            let asked: BoxFuture<'a, Answer> = Box::pin(asked);
            asked
        });
        let secrets = questions.secrets.iter().map(|(part, wanted)| {
            let asked = async move {
                let answer = self.source.secret(role, part).await;
                plan::secret(part, wanted, answer).map(SecretValues)
            };
            let asked: BoxFuture<'a, Answer> = Box::pin(asked);
            asked
        });
        parameters.chain(secrets).collect()
    }
}

#[async_trait]
impl TaskSecrets for HeldSecrets {
    async fn fetch(&self, wish: &SecretsWish) -> Result<(), BoundaryError> {
        let task = wish.task.task_id();
        let held = self.held(task);
        let missing = wish.places.iter().filter(|it| !held.0.contains_key(*it));
        let missing = missing.cloned().collect();
        let failed = |trouble: Trouble| {
            let operation = format!("get secrets of {}", wish.task);
            BoundaryError::new(operation, trouble.kind, trouble.words)
        };
        let questions = plan::questions(&missing, wish.region()).map_err(failed)?;
        let mut answers = stream::iter(self.ask(&wish.role, &questions)).buffer_unordered(AT_ONCE);
        let mut troubles = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(values) => {
                    let mut held = self.locked();
                    held.entry(task.clone()).or_default().0.extend(values.0);
                }
                Err(trouble) => troubles.push(trouble),
            }
        }
        plan::worst(&troubles).map_or(Ok(()), |trouble| Err(failed(trouble)))
    }

    fn held(&self, task: &TaskId) -> SecretValues {
        self.locked().get(task).cloned().unwrap_or_default()
    }

    fn forget(&self, task: &TaskId) {
        self.locked().remove(task);
    }
}
