//! Rows of the tables that stand alone, `images` and `events`, and their conversions.
//!
//! **Invariant.** The text form of an image, which its checksum covers, leaves out absent fields.

use serde::Serialize;

use super::error::RowError;
use super::fields::{capped, instant, millis, number};
use crate::boundary::store::{ImageRecord, StoredEvent};
use crate::domain::ids::{ContainerName, TaskArn, UnixMillis};
use crate::domain::task::TaskEvent;

/// A row of `images` without its id and checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ImageRow {
    pub reference: String,
    pub image_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulled_at: Option<i64>,
    pub last_used_at: i64,
    pub size_bytes: i64,
}

impl From<&ImageRecord> for ImageRow {
    fn from(image: &ImageRecord) -> Self {
        Self {
            reference: image.reference.clone(),
            image_id: image.image_id.clone(),
            pulled_at: millis(image.pulled_at),
            last_used_at: image.last_used_at.0,
            size_bytes: capped(image.size_bytes),
        }
    }
}

impl TryFrom<ImageRow> for ImageRecord {
    type Error = RowError;

    fn try_from(row: ImageRow) -> Result<Self, RowError> {
        Ok(Self {
            reference: row.reference,
            image_id: row.image_id,
            pulled_at: instant(row.pulled_at),
            last_used_at: UnixMillis(row.last_used_at),
            size_bytes: number("size_bytes", row.size_bytes)?,
        })
    }
}

/// A row of `events` that is not written yet.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct NewEventRow<'a> {
    pub arn: &'a str,
    pub at: i64,
    pub container: Option<&'a str>,
    pub kind: &'a str,
    pub message: &'a str,
}

impl<'a> From<&'a TaskEvent> for NewEventRow<'a> {
    fn from(event: &'a TaskEvent) -> Self {
        Self {
            arn: event.arn.as_str(),
            at: event.at.0,
            container: event.container.as_ref().map(ContainerName::as_str),
            kind: &event.kind,
            message: &event.message,
        }
    }
}

/// A row of `events`. Texts are bytes because nothing but their encoding could be wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventRow {
    pub sequence: i64,
    pub arn: Vec<u8>,
    pub at: i64,
    pub container: Option<Vec<u8>>,
    pub kind: Vec<u8>,
    pub message: Vec<u8>,
}

impl TryFrom<EventRow> for StoredEvent {
    type Error = RowError;

    fn try_from(row: EventRow) -> Result<Self, RowError> {
        let id = |column| move |source| RowError::Id { column, source };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let event = TaskEvent {
            arn: TaskArn::parse(&text(&row.arn)).map_err(id("arn"))?,
            at: UnixMillis(row.at),
            container: row
                .container
                .map(|name| ContainerName::parse(&text(&name)).map_err(id("container")))
                .transpose()?,
            kind: text(&row.kind),
            message: text(&row.message),
        };
        Ok(Self {
            sequence: row.sequence,
            event,
        })
    }
}
