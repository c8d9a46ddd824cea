//! Protection of tasks, asked with the role of the task.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::config::{Builder, Credentials as Key};
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::RequestId as _;
use aws_sdk_ecs::types::{Failure, ProtectedTask};

use super::error::unreadable;
use crate::boundary::protection::{
    Protection, ProtectionAnswer, ProtectionCall, ProtectionError, ProtectionFailure,
    TaskProtection,
};
use crate::domain::credentials::Credentials;
use crate::domain::ids::{TaskArn, UnixMillis};

/// Longest call (reference agent).
const LIMIT: Duration = Duration::from_secs(4);

/// Asks ECS, once it is known where that is. Clones share that.
#[derive(Clone, Debug, Default)]
pub struct ProtectionApi(Arc<OnceLock<(Client, String)>>);

impl ProtectionApi {
    /// From now on it asks there, for tasks of that cluster.
    pub(super) fn begin(&self, client: Client, cluster: &str) {
        // A second time says the same.
        let _known = self.0.set((client, cluster.to_owned()));
    }
}

#[async_trait]
impl TaskProtection for ProtectionApi {
    async fn call(
        &self,
        task: &TaskArn,
        credentials: &Credentials,
        call: ProtectionCall,
    ) -> Result<ProtectionAnswer, ProtectionError> {
        let Some((client, cluster)) = self.0.get() else {
            let words = "the agent does not know yet where ECS is";
            return Err(ProtectionError::Unreachable(words.to_owned()));
        };
        let asked = ask((client, cluster), task, credentials, call);
        tokio::time::timeout(LIMIT, asked)
            .await
            .unwrap_or(Err(ProtectionError::Late))
    }
}

async fn ask(
    (client, cluster): (&Client, &str),
    task: &TaskArn,
    credentials: &Credentials,
    call: ProtectionCall,
) -> Result<ProtectionAnswer, ProtectionError> {
    let key = Key::new(
        credentials.access_key_id.expose(),
        credentials.secret_access_key.expose(),
        Some(credentials.session_token.expose().to_owned()),
        None,
        "task-role",
    );
    let with_role = Builder::new().credentials_provider(key);
    let (protected, failures) = match call {
        ProtectionCall::Get => {
            let call = client
                .get_task_protection()
                .cluster(cluster)
                .tasks(task.as_str())
                .customize()
                .config_override(with_role);
            let answer = call.send().await.map_err(|error| refused(&error))?;
            (answer.protected_tasks, answer.failures)
        }
        ProtectionCall::Set { enabled, minutes } => {
            let call = client
                .update_task_protection()
                .cluster(cluster)
                .tasks(task.as_str())
                .protection_enabled(enabled)
                .set_expires_in_minutes(minutes)
                .customize()
                .config_override(with_role);
            let answer = call.send().await.map_err(|error| refused(&error))?;
            (answer.protected_tasks, answer.failures)
        }
    };
    let protected = protected.unwrap_or_default().into_iter().map(protection);
    let failures = failures.unwrap_or_default().into_iter().map(failure);
    Ok(ProtectionAnswer {
        protected: protected.collect(),
        failures: failures.collect(),
    })
}

fn protection(task: ProtectedTask) -> Protection {
    let expires_at = task.expiration_date.and_then(|at| at.to_millis().ok());
    Protection {
        task: task.task_arn.unwrap_or_default(),
        enabled: task.protection_enabled,
        expires_at: expires_at.map(UnixMillis),
    }
}

fn failure(failure: Failure) -> ProtectionFailure {
    ProtectionFailure {
        task: failure.arn,
        reason: failure.reason,
        detail: failure.detail,
    }
}

fn refused<E>(error: &SdkError<E, HttpResponse>) -> ProtectionError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        return ProtectionError::Refused {
            status: answer.raw().status().as_u16(),
            request_id: error.request_id().map(ToOwned::to_owned),
            code: answer.err().code().unwrap_or("ServerException").to_owned(),
            message: answer.err().message().unwrap_or_default().to_owned(),
        };
    }
    if let SdkError::TimeoutError(_) = error {
        return ProtectionError::Late;
    }
    ProtectionError::Unreachable(unreadable(error))
}
