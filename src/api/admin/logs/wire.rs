//! Wire types of container output.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::wire::Time;

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum LogItem {
    /// A line that the container wrote.
    Line(LogLine),
    /// Nothing was written for a while; the stream is alive.
    Heartbeat,
    /// The stream ends before the container's output did. Without this line a stream that ends is complete.
    End(LogEnd),
}

/// A line that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Where it was written.
    pub stream: LogStream,
    /// When Docker got it; of a pseudo terminal, when the agent did. Not there of a rest without a line feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Without its line feed; bytes that are not UTF-8 are replaced; lines over 16 KiB come in pieces.
    pub text: String,
}

/// A line as `berth logs --json` prints it: of several containers together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerLine<'a> {
    /// Who wrote it.
    pub container: &'a str,
    /// What.
    #[serde(flatten)]
    pub line: &'a LogLine,
}

/// Stream of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogStream {
    /// Standard output, and everything of a pseudo terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What [`LogEnd`] says when the agent ends: its containers write on.
pub const SHUTTING_DOWN: &str = "the agent is shutting down";

/// Why the stream ends early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogEnd {
    /// In words.
    pub message: String,
}
