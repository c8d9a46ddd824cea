//! Desired state as text on the containers themselves, so that it survives the loss of the store.

use crate::domain::task::DesiredTask;

/// Writes and reads the label `berth.definition`.
pub trait DesiredCodec: Send + Sync {
    /// The text; equal desired states give equal texts.
    fn encode(&self, desired: &DesiredTask) -> String;

    /// Reads the text back for that task; `None` if it is not one of ours or damaged.
    fn decode(&self, arn: &crate::domain::ids::TaskArn, text: &str) -> Option<DesiredTask>;
}
