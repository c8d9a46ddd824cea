//! Single fields of rows: numbers that fit, words that are known, pairs of columns that belong together.

use serde::Serialize;

use crate::domain::ids::UnixMillis;
use crate::domain::port_mapping::Protocol;
use crate::domain::reason::{Reason, ReasonName};
use crate::domain::task::{Retry, Step};
use crate::store::error::RowError;

/// A count as SQLite can hold it: the largest 64-bit integer stands for everything above.
pub(super) fn capped<T>(value: T) -> i64
where
    i64: TryFrom<T>,
{
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Rows as SQLite reads them from one text.
pub(super) fn json(rows: &[impl Serialize]) -> sqlx::Result<String> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// A number of a narrower type.
pub(super) fn number<T: TryFrom<i64>>(column: &'static str, value: i64) -> Result<T, RowError> {
    T::try_from(value).map_err(|_| RowError::OutOfRange { column, value })
}

/// One of a fixed set of words.
pub(super) fn word<T>(
    column: &'static str,
    text: &str,
    from_text: impl FnOnce(&str) -> Option<T>,
) -> Result<T, RowError> {
    from_text(text).ok_or_else(|| RowError::unknown(column, text))
}

/// An instant, or none.
pub(super) fn instant(value: Option<i64>) -> Option<UnixMillis> {
    value.map(UnixMillis)
}

/// The number of an instant, or none.
pub(super) fn millis(instant: Option<UnixMillis>) -> Option<i64> {
    instant.map(|instant| instant.0)
}

/// A reason from its two columns, which are both there or both NULL.
pub(super) fn reason(
    name: Option<String>,
    message: Option<String>,
) -> Result<Option<Reason>, RowError> {
    match (name, message) {
        (None, None) => Ok(None),
        (Some(name), Some(message)) => {
            let name = word("reason", &name, ReasonName::from_text)?;
            Ok(Some(Reason::new(name, message)))
        }
        _ => Err(RowError::Incomplete { what: "a reason" }),
    }
}

/// `TCP` or `UDP`, in lower case.
pub(super) fn protocol(text: &str) -> Result<Protocol, RowError> {
    word("protocol", text, |text| {
        [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .find(|protocol| protocol.as_str() == text)
    })
}

/// The columns of a retry, in the order of the schema.
pub(super) struct RetryColumns {
    pub step: Option<String>,
    pub failures: Option<i64>,
    pub not_before: Option<i64>,
    pub reason_name: Option<String>,
    pub reason_message: Option<String>,
}

impl From<Option<&Retry>> for RetryColumns {
    fn from(retry: Option<&Retry>) -> Self {
        Self {
            step: retry.map(|retry| retry.step.to_string()),
            failures: retry.map(|retry| i64::from(retry.failures)),
            not_before: retry.map(|retry| retry.not_before.0),
            reason_name: retry.map(|retry| retry.reason.name.to_string()),
            reason_message: retry.map(|retry| retry.reason.message.clone()),
        }
    }
}

impl TryFrom<RetryColumns> for Option<Retry> {
    type Error = RowError;

    fn try_from(columns: RetryColumns) -> Result<Self, RowError> {
        let reason = reason(columns.reason_name, columns.reason_message)?;
        match (columns.step, columns.failures, columns.not_before, reason) {
            (None, None, None, None) => Ok(None),
            (Some(step), Some(failures), Some(not_before), Some(reason)) => Ok(Some(Retry {
                step: word("retry_step", &step, Step::from_text)?,
                failures: number("retry_failures", failures)?,
                not_before: UnixMillis(not_before),
                reason,
            })),
            _ => Err(RowError::Incomplete { what: "a retry" }),
        }
    }
}
