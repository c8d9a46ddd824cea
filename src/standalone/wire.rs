//! The records of files as JSON on disk. Adding a member needs a default; changing one needs a new version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Record;
use crate::domain::ids::{TaskId, UnixMillis};
use crate::domain::outcome::Outcome;

/// Version of the shape below.
pub(super) const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordsFile {
    pub(super) version: u32,
    pub(super) files: BTreeMap<String, FileRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileRecord {
    /// 16 hexadecimal digits.
    content: String,
    incarnation: u64,
    task: String,
    ends: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<End>,
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    /// Unix milliseconds.
    at: i64,
    outcome: Word,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Completed,
    Failed,
    Asked,
    Replaced,
}

impl From<&Record> for FileRecord {
    fn from(record: &Record) -> Self {
        Self {
            content: format!("{:016x}", record.content),
            incarnation: record.incarnation,
            task: record.task.to_string(),
            ends: record.ends,
            ended: record.ended.as_ref().map(|(at, outcome)| End {
                at: at.0,
                outcome: match outcome {
                    Outcome::Completed => Word::Completed,
                    Outcome::Failed => Word::Failed,
                    Outcome::Asked => Word::Asked,
                    Outcome::Replaced => Word::Replaced,
                },
            }),
        }
    }
}

impl FileRecord {
    /// The record, if its texts are what they should be.
    pub(super) fn into_record(self) -> Option<Record> {
        Some(Record {
            content: u64::from_str_radix(&self.content, 16).ok()?,
            incarnation: self.incarnation,
            task: TaskId::parse(&self.task).ok()?,
            ends: self.ends,
            ended: self.ended.map(|end| {
                let outcome = match end.outcome {
                    Word::Completed => Outcome::Completed,
                    Word::Failed => Outcome::Failed,
                    Word::Asked => Outcome::Asked,
                    Word::Replaced => Outcome::Replaced,
                };
                (UnixMillis(end.at), outcome)
            }),
        })
    }
}
