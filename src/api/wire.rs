//! Wire types that every listener of ours shares: problem documents and instants.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ids::UnixMillis;

/// RFC 9457 problem document: the body of every error answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    /// Kind of the problem, for programs: `urn:berth:problem:<word>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words; the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong in this case. Absent in 5xx answers: the agent's log has the cause under `requestId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Tasks that may have been meant, as ARNs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Names this request in the agent's log; 5xx answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// One complaint about one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// Where: `containerDefinitions[0].image`, `query.tail`, `header.If-Match`; empty for the whole body.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// An instant as RFC 3339 in UTC with milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schema(value_type = String, format = DateTime, examples("2026-01-02T03:04:05.678Z"))]
pub struct Time(pub UnixMillis);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Instants beyond the calendar can only come from broken clocks: shown as the calendar's end.
        let timestamp = Timestamp::from_millisecond(self.0.0).unwrap_or(if self.0.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        write!(f, "{timestamp:.3}")
    }
}

/// An instant as ECS agents write it: RFC 3339 in UTC, zeros at the end of the fraction left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct Trimmed(pub(in crate::api) UnixMillis);

impl Serialize for Trimmed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let timestamp = Timestamp::from_millisecond(self.0.0).unwrap_or(Timestamp::MAX);
        serializer.collect_str(&timestamp)
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Time {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let timestamp: Timestamp = text.parse()?;
        Ok(Self(UnixMillis(timestamp.as_millisecond())))
    }
}

impl From<UnixMillis> for Time {
    fn from(at: UnixMillis) -> Self {
        Self(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_are_rfc_3339_with_milliseconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_767_323_045_678, "2026-01-02T03:04:05.678Z"),
            (i64::MAX, "9999-12-30T22:00:00.999Z"),
        ] {
            assert_eq!(Time(UnixMillis(millis)).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn instants_read_back_as_they_were_written(millis in 0_i64..32_503_680_000_000) {
            let time = Time(UnixMillis(millis));
            prop_assert_eq!(Time::try_from(time.to_string()).expect("a time"), time);
        }
    }
}
