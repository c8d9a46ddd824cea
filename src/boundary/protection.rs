//! Protection of tasks from scale-in, as the control plane keeps it.

use async_trait::async_trait;

use crate::domain::credentials::Credentials;
use crate::domain::ids::{TaskArn, UnixMillis};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectionCall {
    /// How it is.
    Get,
    /// That it be so.
    Set {
        /// Protected.
        enabled: bool,
        /// For how long, in minutes; `None` = the control plane decides.
        minutes: Option<i32>,
    },
}

/// A task and how it is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// ARN, as the control plane writes it.
    pub task: String,
    /// Protected.
    pub enabled: bool,
    /// Until when.
    pub expires_at: Option<UnixMillis>,
}

/// A task of which the control plane does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectionFailure {
    /// ARN.
    pub task: Option<String>,
    /// Why, as a word.
    pub reason: Option<String>,
    /// Why, in words.
    pub detail: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectionAnswer {
    /// Tasks of which it is said.
    pub protected: Vec<Protection>,
    /// Those of which it is not.
    pub failures: Vec<ProtectionFailure>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtectionError {
    /// None came in time.
    Late,
    /// The control plane refuses.
    Refused {
        /// Status of its answer.
        status: u16,
        /// Its name of the request.
        request_id: Option<String>,
        /// Its code.
        code: String,
        /// Its words.
        message: String,
    },
    /// It was not reached.
    Unreachable(String),
}

/// The control plane, asked on behalf of a task.
#[async_trait]
pub trait TaskProtection: Send + Sync {
    /// Asks with these credentials, which are the task's own. Comes back within 4 s.
    async fn call(
        &self,
        task: &TaskArn,
        credentials: &Credentials,
        call: ProtectionCall,
    ) -> Result<ProtectionAnswer, ProtectionError>;
}
